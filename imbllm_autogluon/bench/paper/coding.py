"""One coding of a table's columns that all arms of ``imbllm bench paper`` share: numbers, and categories by code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from imbllm_autogluon.tables.dtypes import holds_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.tables import ColumnName


@dataclass(frozen=True, eq=False)
class TableCoding:
    """Categories of the real rows to learn; a category that is not among them is missing.

    Examples
    --------
    >>> coding = TableCoding.fit(pd.DataFrame({"age": [61, 35], "city": ["Oslo", "Bergen"]}))
    >>> coding.coded(pd.DataFrame({"age": [48], "city": ["Paris"]}))["city"].isna().tolist()
    [True]
    """

    levels: Mapping[ColumnName, pd.Index[Any]]
    """Categories of each column that is neither number nor date, in the order of their texts."""

    @classmethod
    def fit(cls, X: pd.DataFrame) -> TableCoding:
        """Take down the categories of rows, shape (n, m)."""
        return cls({name: _levels(X[name]) for name in X.columns if not _measures(X[name])})

    def coded(self, X: pd.DataFrame) -> pd.DataFrame:
        """Rows for a classifier that knows pandas' categories: float64 and categories, both with gaps."""
        codes = {name: self._codes(X[name]) for name in X.columns}
        return pd.DataFrame(
            {
                # A column without any category is one of gaps: XGBoost has no use for an empty list of categories.
                name: pd.Categorical.from_codes(own, pd.RangeIndex(len(self.levels[name])))
                if len(self.levels.get(name, ()))
                else own.astype(np.float64)
                for name, own in codes.items()
            },
            columns=X.columns,
        )

    def as_numbers(self, X: pd.DataFrame) -> pd.DataFrame:
        """Rows in which categories are whole numbers, a gap the one behind the last; other columns as they are."""
        return X.assign(
            **{name: self._codes(X[name]) % (len(known) + 1) for name, known in self.levels.items()}  # type: ignore[arg-type]
        )

    def from_numbers(self, codes: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
        """Rows of :meth:`as_numbers` in the dtypes of the real ones."""
        values = {
            name: pd.Series(known, dtype=like[name].dtype).reindex(codes[name]).reset_index(drop=True)
            for name, known in self.levels.items()
        }
        return codes.assign(**values).astype(like.dtypes)  # type: ignore[arg-type]

    def _codes(self, column: pd.Series[Any]) -> Any:
        """Numbers, or codes with -1 where there is no known category."""
        if (known := self.levels.get(cast("ColumnName", column.name))) is not None:
            return known.get_indexer(pd.Index(column.astype(object)))
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            seconds = (column - pd.Timestamp(0, tz=column.dt.tz)) / pd.Timedelta(seconds=1)
            return seconds.to_numpy(dtype=np.float64)
        return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _measures(column: pd.Series[Any]) -> bool:
    return holds_numbers(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype)


def _levels(column: pd.Series[Any]) -> pd.Index[Any]:
    """Different values without gaps; sorted by their texts, because rows come in another order in every split."""
    levels: pd.Index[Any] = pd.Index(sorted(column.dropna().unique(), key=str), dtype=object)
    return levels
