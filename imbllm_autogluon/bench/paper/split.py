"""Splits of ``imbllm bench paper``: a fifth of the rows to judge on, and a minority that is rare in training alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.configuration import require_number
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.rebalancing.config import RebalanceConfig
from imbllm_autogluon.rebalancing.plan import plan_oversampling

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

    from imbllm_autogluon.tables.labelled import LabelledTable

TEST_SHARE = 0.2

KEPT_SHARE = 0.2
"""Of the training rows of the smallest class (arXiv 2510.09783)."""

FEWEST_KEPT = 0.1
"""Least share that may be kept: 2 of 20 rows, the fewest of a class that can be oversampled."""

FEWEST = 25
"""Rows of a class: 20 to learn, of which a minority keeps 4, and 5 to judge on."""

TO_THE_LARGEST = RebalanceConfig(target_ratio=1.0, balanced_below=1.0, max_growth=100.0)
"""Every rarer class to the size of the largest, in tables that are nearly balanced too."""


@dataclass(frozen=True, eq=False)
class PaperSplit:
    """Rows to learn, rows to judge on, and how many rows of each rarer class are wanted."""

    X: pd.DataFrame
    """Features of the rows to learn, with a fresh index."""

    y: pd.Series[Any]

    test_X: pd.DataFrame
    """Features of a fifth of the table's rows, with its class shares and a fresh index."""

    test_y: pd.Series[Any]

    minority: Hashable
    """The smallest class of the table."""

    counts: dict[Hashable, int]
    """Rows to add, at least one for each class."""

    @classmethod
    def of(cls, table: LabelledTable, seed: int, kept: float = KEPT_SHARE) -> PaperSplit:
        """Draw a stratified split, and keep a share of the smallest class's rows among those to learn.

        Classes of fewer than 25 rows are left out.

        Parameters
        ----------
        table
            All rows.
        seed
            Of the split. Its test rows are the same for every share, and the rows kept are among those of a larger one.
        kept
            Share of the smallest class's rows to learn that is kept (0.1 to 1, so that a class has 2 rows or more);
            the paper's by default.

        Raises
        ------
        InvalidInputError
            Fewer than two classes have at least 25 rows, or `kept` is not allowed.
        """
        from sklearn.model_selection import train_test_split

        require_number("kept", kept, FEWEST_KEPT, 1.0)
        sizes = {label: n for label, n in table.counts.items() if n >= FEWEST}
        if len(sizes) < 2:
            raise InvalidInputError(
                f"{table.source} has fewer than two classes of at least {FEWEST} rows; the rows of its classes: "
                f"{table.counts}. Name another label, or allow more rows."
            )
        minority = list(sizes)[-1]
        rows = table.frame[table.labels.isin(list(sizes))]
        train, test = train_test_split(rows, test_size=TEST_SHARE, stratify=rows[table.label], random_state=seed)
        train = train[_kept((train[table.label] == minority).to_numpy(), kept, seed)]
        (X, y), (test_X, test_y) = (_in_two(part.reset_index(drop=True), table.label) for part in (train, test))
        return cls(X, y, test_X, test_y, minority, plan_oversampling(y, TO_THE_LARGEST).counts)


def _kept(rare: Any, share: float, seed: int) -> Any:
    """Which rows stay: all that are not rare, and a drawn share of those that are."""
    places = np.flatnonzero(rare)
    drawn = child_rng(seed, "order", "kept minority").permutation(places)[: round(share * len(places))]
    return ~rare | np.isin(np.arange(len(rare)), drawn)


def _in_two(frame: pd.DataFrame, label: str) -> tuple[pd.DataFrame, pd.Series[Any]]:
    return frame.drop(columns=label), frame[label]
