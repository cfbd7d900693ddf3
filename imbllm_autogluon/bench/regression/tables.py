"""Tables of ``imbllm bench regression``, ``FILE:TARGET``, and their splits with bins fixed on training targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imbllm_autogluon.bench.named_tables import require_distinct_names
from imbllm_autogluon.configuration import require_number
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import FEW_BELOW, MOST_BINS, TargetBins
from imbllm_autogluon.regression.targets import targets_of
from imbllm_autogluon.tables.files import read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

TEST_SHARE = 0.25

LEAST_ROWS = 40
"""Of a table: three quarters of them are learned, and encoders need 20."""


@dataclass(frozen=True, eq=False)
class RegressionTable:
    """Rows and a continuous target."""

    name: str
    features: pd.DataFrame
    """Shape (n, m), with a fresh index."""
    target: pd.Series
    """Shape (n,), finite, with a fresh index."""

    @classmethod
    def of(cls, name: str, frame: pd.DataFrame, target: str, most_rows: int) -> RegressionTable:
        """Check the target, and keep a seeded sample where a table has more than `most_rows` rows.

        Raises
        ------
        InvalidInputError
            The target is absent, no number, missing or infinite in a row, or constant, or rows are too few.
        """
        if target not in frame.columns:
            known = ", ".join(map(str, frame.columns))
            raise InvalidInputError(f"{name} has no target column {target!r}; its columns are {known}.")
        if frame.shape[1] < 2:
            raise InvalidInputError(f"{name} has no column but the target {target!r}; at least one feature is needed.")
        if min(most_rows, len(frame)) < LEAST_ROWS:
            raise InvalidInputError(
                f"{name} would have {min(most_rows, len(frame))} rows; at least {LEAST_ROWS} are needed."
            )
        kept = frame if len(frame) <= most_rows else frame.sample(most_rows, random_state=0)
        kept = kept.reset_index(drop=True)
        targets_of(kept, kept[target])
        return cls(name, kept.drop(columns=target), kept[target])


@dataclass(frozen=True, eq=False)
class RegressionSplit:
    """Rows to learn, rows to judge on, and bins of the learned targets."""

    X: pd.DataFrame
    y: pd.Series
    unseen_X: pd.DataFrame
    unseen_y: pd.Series
    bins: TargetBins

    @classmethod
    def of(cls, table: RegressionTable, seed: int, most_bins: int) -> RegressionSplit:
        """Draw a quarter of the rows to judge on, and lay bins of equal width on the targets of the others."""
        from sklearn.model_selection import train_test_split

        parts = train_test_split(table.features, table.target, test_size=TEST_SHARE, random_state=seed)
        X, unseen_X, y, unseen_y = (part.reset_index(drop=True) for part in parts)
        return cls(X, y, unseen_X, unseen_y, TargetBins.fit(y.to_numpy(), bins_for(len(y), most_bins)))


def bins_for(n_rows: int, most_bins: int) -> int:
    """Bins so that one of average size is not few-shot, at most `most_bins` (2 to 10,000), at least 2.

    Examples
    --------
    >>> bins_for(3000, 50), bins_for(331, 50), bins_for(30, 50)
    (50, 16, 2)
    """
    require_number("bins", most_bins, 2, MOST_BINS, whole=True)
    return max(2, min(most_bins, n_rows // FEW_BELOW))


def read_target(text: str, most_rows: int) -> RegressionTable:
    """Read a table named ``FILE:TARGET``, CSV or Parquet.

    Raises
    ------
    InvalidInputError
        No target is named, or it cannot be used.
    TableError
        The file cannot be used.
    """
    file, _, target = text.rpartition(":")
    if not file or not target:
        raise InvalidInputError(f"a table is named FILE:TARGET, such as houses.csv:price; got {text!r}.")
    return RegressionTable.of(Path(file).stem, read_table(file), target, most_rows)


def bundled_and_named(named: Sequence[str], most_rows: int) -> list[RegressionTable]:
    """The diabetes table that comes with scikit-learn (442 rows), then the named ones.

    Raises
    ------
    InvalidInputError
        Two tables have one name, under which their figures would be taken for one another's.
    """
    from sklearn.datasets import load_diabetes

    diabetes = load_diabetes(as_frame=True, scaled=False).frame
    bundled = RegressionTable.of("diabetes", diabetes, "target", most_rows)
    tables = [bundled, *(read_target(text, most_rows) for text in named)]
    require_distinct_names([table.name for table in tables])
    return tables
