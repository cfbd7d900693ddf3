"""A table as two arrays that a network reads: scaled numbers and codes of categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from imbllm_autogluon.tables import TableSchema
from imbllm_autogluon.tables.dtypes import default_kind, dense, nature_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.tables import Cells
    from imbllm_autogluon.tables.dtypes import ColumnName, Kind


Numbers = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

MOST_QUANTILES = 1000
"""Quantiles of a column at most; scikit-learn's default."""

FURTHEST = 20.0
"""Scaled numbers lie within 20 deviations: a cell beyond all training cells must not drown the others."""


@dataclass(frozen=True, eq=False)
class TableMatrix:
    """How a table becomes arrays, learned from training rows.

    Numbers are whole, continuous and of time. A missing number becomes the column's median, and columns with missing
    training cells get one more column that says where. Each category column has one more level than training values,
    the last one, for missing cells and for values that training did not hold. Columns that :class:`TableSchema` sets
    aside (constants, free texts, identifiers of words) are not read.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"age": [30.0, None, 50.0, 40.0], "city": ["Oslo", "Bergen", "Oslo", "Oslo"]})
    >>> matrix = TableMatrix.fit(X, scaling="standard")
    >>> numbers, categories = matrix.transform(X)
    >>> numbers[:, 1].tolist(), categories[:, 0].tolist(), matrix.n_numbers, matrix.cardinalities
    ([0.0, 1.0, 0.0, 0.0], [0, 1, 0, 0], 2, (3,))
    """

    schema: TableSchema
    medians: FloatArray
    """Median of each number column's known training cells."""

    scaler: Any
    """scikit-learn transformer of the number columns; None if there are none."""

    marked: Codes
    """Number columns, by position among them, whose missingness is a column of its own."""

    @classmethod
    def fit(
        cls,
        X: pd.DataFrame,
        kinds: Mapping[ColumnName, Kind] | None = None,
        *,
        scaling: Literal["quantile", "standard"] = "quantile",
    ) -> TableMatrix:
        """Learn medians, scales and levels from training rows.

        Parameters
        ----------
        X
            At least one row and one column.
        kinds
            Kinds of columns that the user knows better than the dtype does.
        scaling
            See `EncoderConfig.number_scaling`.

        Raises
        ------
        TableError
            A column cannot be read, for example because it holds infinite numbers.
        """
        schema = TableSchema.from_frame(X, kinds=_chosen_kinds(X, kinds), max_columns=max(1, X.shape[1]))
        raw = _numbers(schema, schema.encode(X))
        medians = np.nanmedian(raw, axis=0) if raw.shape[1] else np.zeros(0)
        marked = np.flatnonzero(np.isnan(raw).any(axis=0)).astype(np.int64)
        return cls(schema, medians, _scaler(raw, scaling) if raw.shape[1] else None, marked)

    @property
    def n_numbers(self) -> int:
        """Columns of the numbers, p, at least 1: a table without a usable column has one of zeros."""
        return max(len(self.medians) + len(self.marked), int(not self.cardinalities))

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Levels of each category column, the one for missing and unseen values included."""
        return tuple(len(column.categories) + 1 for column in self.schema.columns if column.is_category)

    def transform(self, X: pd.DataFrame) -> tuple[Numbers, Codes]:
        """Arrays of any rows.

        Returns
        -------
        numbers
            float32 of shape (n, p), finite.
        categories
            int64 of shape (n, q), each column below its cardinality.

        Raises
        ------
        TableError
            A column is absent, holds infinite numbers, or is of another kind than in training.
        """
        cells = self.schema.encode(X, unknown="missing")
        return self._scaled(_numbers(self.schema, cells)), self._codes(cells)

    def _scaled(self, raw: FloatArray) -> Numbers:
        gaps = np.isnan(raw)
        filled = np.where(gaps, self.medians, raw)
        scaled = filled if self.scaler is None else np.clip(self.scaler.transform(filled), -FURTHEST, FURTHEST)
        numbers = np.column_stack([scaled, gaps[:, self.marked]]).astype(np.float32)
        return numbers if numbers.shape[1] else np.zeros((len(raw), self.n_numbers), dtype=np.float32)

    def _codes(self, cells: Cells) -> Codes:
        places = [j for j, column in enumerate(self.schema.columns) if column.is_category]
        levels = zip(places, self.cardinalities, strict=True)
        codes = [np.where(cells.missing[:, j], levels - 1, cells.values[j]) for j, levels in levels]
        return np.column_stack(codes).astype(np.int64) if codes else np.zeros((cells.n_rows, 0), dtype=np.int64)


def _chosen_kinds(X: pd.DataFrame, kinds: Mapping[ColumnName, Kind] | None) -> dict[ColumnName, Kind]:
    """Name the kind of every number: else a running number, a trend for a regression, is taken for an identifier."""
    chosen = dict(kinds or {})
    for place, name in enumerate(getattr(X, "columns", ())):
        kind = default_kind(nature_of(dense(X.iloc[:, place]), name))
        if kind in ("integer", "continuous") and name not in chosen:
            chosen[name] = kind
    return chosen


def _numbers(schema: TableSchema, cells: Cells) -> FloatArray:
    """Numbers and times as float64 of shape (n, p), NaN where missing."""
    places = [j for j, column in enumerate(schema.columns) if column.is_number]
    columns = [np.where(cells.missing[:, j], np.nan, cells.values[j].astype(np.float64)) for j in places]
    return np.column_stack(columns) if columns else np.zeros((cells.n_rows, 0))


def _scaler(raw: FloatArray, scaling: str) -> Any:
    """Fit scikit-learn's transformer; both ignore missing numbers."""
    from sklearn.preprocessing import QuantileTransformer, StandardScaler

    if scaling == "standard":
        return StandardScaler().fit(raw)
    # A fixed seed, for it only chooses which of more than 10,000 rows lay the quantiles.
    ranks = QuantileTransformer(n_quantiles=min(MOST_QUANTILES, len(raw)), output_distribution="normal", random_state=0)
    return ranks.fit(raw)
