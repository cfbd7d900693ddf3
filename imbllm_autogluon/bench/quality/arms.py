"""What ``imbllm bench quality`` compares: one split of a table, and the arms that write rows of its rarer classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.bench.new_rows import new_rows
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.tables.dtypes import holds_numbers

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from imbllm_autogluon.tables.labelled import LabelledTable

IMBLLM, GREAT, PRED_LLM, SMOTE, RANDOM = "ImbLLM", "GReaT", "Pred-LLM", "SMOTE-NC", "random oversampling"

OTHERS, NOISE = "other real rows", "uniform noise"

HOLDOUT_SHARE = 1 / 3

MOST_WRITTEN = 2_000
"""Rows of each class: shares among so many are known to 0.02."""

FEWEST = 9
"""Rows of a class: 6 to learn, as many as ImbLLM needs for a language model, and 3 held out."""

ARMS: dict[str, dict[str, Any]] = {
    IMBLLM: {"method": "imbllm"},
    SMOTE: {"method": "smote_nc"},
    RANDOM: {"method": "random"},
    OTHERS: {"method": OTHERS},
    NOISE: {"method": NOISE},
}
"""Method and settings of each arm; generators have their defaults."""

SLOW_ARMS: dict[str, dict[str, Any]] = {GREAT: {"method": "great"}, PRED_LLM: {"method": "pred_llm"}}
"""They learn the whole table."""


def arms_of(*, slow: bool) -> dict[str, dict[str, Any]]:
    """The arms; the slow ones behind ImbLLM, where they are wanted.

    Examples
    --------
    >>> list(arms_of(slow=True))[:3]
    ['ImbLLM', 'GReaT', 'Pred-LLM']
    """
    return {IMBLLM: ARMS[IMBLLM], **(SLOW_ARMS if slow else {}), **ARMS}


@dataclass(frozen=True, eq=False)
class QualitySplit:
    """Rows to learn, rows to judge with, and how many rows of each rarer class are wanted."""

    train: pd.DataFrame
    """Features and label, with a fresh index."""

    holdout: pd.DataFrame
    """A third of the rows, with a fresh index."""

    label: str

    counts: dict[Hashable, int]
    """Rows to write, at least one for each class."""

    @classmethod
    def of(cls, table: LabelledTable, seed: int) -> QualitySplit:
        """Hold out a third of the rows of each class; classes of fewer than 9 rows are left out.

        Raises
        ------
        InvalidInputError
            No class of at least 9 rows is rarer than another.
        """
        from sklearn.model_selection import train_test_split

        kept = table.frame[table.labels.isin([label for label, n in table.counts.items() if n >= FEWEST])]
        _check_sizes(kept[table.label], table)
        parts = train_test_split(kept, test_size=HOLDOUT_SHARE, stratify=kept[table.label], random_state=seed)
        train, holdout = (part.reset_index(drop=True) for part in parts)
        return cls(train, holdout, table.label, _wanted(train[table.label]))

    @property
    def features(self) -> pd.DataFrame:
        """Of the rows to learn."""
        return self.train.drop(columns=self.label)

    @property
    def labels(self) -> pd.Series[Any]:
        """Of the rows to learn."""
        return self.train[self.label]


@dataclass(frozen=True, eq=False)
class Compared:
    """What is handed to the judge besides the rows held out; features and label, each with a fresh index."""

    real: pd.DataFrame
    synthetic: pd.DataFrame


def written(split: QualitySplit, spec: Mapping[str, Any], seed: int, threads: int) -> Compared:
    """Rows of the rarer classes by one arm, beside the real rows that it learnt from.

    Parameters
    ----------
    split
        Rows to learn and how many are wanted.
    spec
        ``method`` of the arm and, of a generator, its settings by their flat names; see :data:`ARMS`.
    seed
        Of everything random.
    threads
        torch threads.
    """
    method = spec["method"]
    if method == OTHERS:
        return _other_rows(split, seed)
    if method == NOISE:
        return Compared(split.train, _noise(split, seed))
    X, y = new_rows(split.features, split.labels, split.counts, spec, seed, threads)
    return Compared(split.train, X.assign(**{split.label: y}))


def _check_sizes(labels: pd.Series[Any], table: LabelledTable) -> None:
    sizes = labels.value_counts()
    if len(sizes) < 2 or sizes.min() == sizes.max():
        raise InvalidInputError(
            f"{table.source} has no class of at least {FEWEST} rows that is rarer than another; the rows of its "
            f"classes: {table.counts}. Name another label."
        )


def _wanted(labels: pd.Series[Any]) -> dict[Hashable, int]:
    sizes = labels.value_counts()
    return {label: min(MOST_WRITTEN, int(sizes.max() - n)) for label, n in sizes.items() if n < sizes.max()}


def _other_rows(split: QualitySplit, seed: int) -> Compared:
    """Half of the rows of each rarer class, taken out of the table, as if they were written for the other half."""
    rng = child_rng(seed, "order", "other rows")
    positions = [np.flatnonzero(split.labels == label) for label in split.counts]
    given = np.concatenate([rng.permutation(own)[: len(own) // 2] for own in positions])
    is_given = np.isin(np.arange(len(split.train)), given)
    return Compared(split.train[~is_given].reset_index(drop=True), split.train[is_given].reset_index(drop=True))


def _noise(split: QualitySplit, seed: int) -> pd.DataFrame:
    """Every cell drawn on its own and evenly."""
    rng = child_rng(seed, "values", "noise")
    n_rows = sum(split.counts.values())
    columns = {name: _evenly(column, n_rows, rng) for name, column in split.features.items()}
    labels = [label for label, n in split.counts.items() for _ in range(n)]
    # Built column by column: the label keeps the dtype of the real one.
    return pd.DataFrame({**columns, split.label: pd.Series(labels).astype(split.labels.dtype)})


def _evenly(column: pd.Series[Any], n_rows: int, rng: np.random.Generator) -> pd.Series[Any]:
    """Numbers between the ends of the column and missing as often as there, else values the column has."""
    known = column.dropna()
    if not holds_numbers(column.dtype) or not len(known):
        values = column.drop_duplicates()
        return values.iloc[rng.integers(len(values), size=n_rows)].reset_index(drop=True)
    numbers = rng.uniform(float(known.min()), float(known.max()), n_rows)
    whole = pd.api.types.is_integer_dtype(column.dtype)
    drawn = pd.Series(np.rint(numbers) if whole else numbers)
    return drawn.mask(rng.random(n_rows) < column.isna().mean()).astype(column.dtype)
