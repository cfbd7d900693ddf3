"""What a table's columns were before AutoGluon made codes of them.

Small and free of AutoGluon's objects, so that a model can keep it from its fit to its predictions, in any process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from imbllm_autogluon.tables import ColumnName, Kind

FILLED = ""
"""What AutoGluon writes into the gaps of text columns."""

RAW_TEXT = "_raw_text"
"""What AutoGluon appends to the name of a column of texts that it hands on as it is."""


@dataclass(frozen=True, eq=False)
class OriginalColumns:
    """How the columns that models see came about."""

    names: tuple[ColumnName, ...]
    """Columns of the original table, in its order."""

    categories: Mapping[ColumnName, pd.Index]
    """Original values of each category column, in the order of its codes."""

    booleans: Mapping[ColumnName, Any]
    """Value that AutoGluon took for true in each two-valued column; the other one is not stored."""

    dates: Mapping[ColumnName, tuple[ColumnName, ...]]
    """Columns that AutoGluon made of each date: year, month, day and day of the week."""

    texts: Mapping[ColumnName, ColumnName]
    """Name of the column that holds each free text as it was."""

    dtypes: Mapping[ColumnName, Any]
    """Original dtype of each column."""

    @classmethod
    def of(cls, generator: Any) -> OriginalColumns:
        """Read them off the fitted feature generator of a predictor."""
        categories: dict[ColumnName, pd.Index] = {}
        booleans: dict[ColumnName, Any] = {}
        dates: dict[ColumnName, tuple[ColumnName, ...]] = {}
        texts: dict[ColumnName, ColumnName] = {}
        dtypes: dict[ColumnName, Any] = {}
        for part in _parts(generator):
            categories |= getattr(part, "category_map", None) or {}
            booleans |= getattr(part, "_bool_features", None) or {}
            dtypes = dtypes or dict(getattr(part, "_type_map_real_opt", None) or {})
            if type(part).__name__ == "DatetimeFeatureGenerator":
                dates |= {name: tuple(f"{name}.{each}" for each in part.features) for name in part.features_in}
            if getattr(part, "_name_suffix", None) == RAW_TEXT:
                texts |= {name: f"{name}{RAW_TEXT}" for name in part.features_in}
        return cls(tuple(generator.features_in), categories, booleans, dates, texts, dtypes)

    def raw(self, X: pd.DataFrame) -> tuple[pd.DataFrame, dict[ColumnName, Kind]]:
        """Original columns of rows as a model sees them, and their kinds.

        Parameters
        ----------
        X
            Rows in AutoGluon's columns; those that are not there are left out.

        Returns
        -------
        frame : pandas.DataFrame of shape (n, up to m)
            Original columns in the order of the table.
        kinds : dict
            Kinds that dtypes alone would not show.
        """
        columns: dict[Any, pd.Series] = {}
        kinds: dict[ColumnName, Kind] = {}
        kind: Kind | None
        for name in self.names:
            if self.texts.get(name) in X.columns:
                columns[name], kind = _text(X[self.texts[name]])
            elif name in X.columns:
                columns[name], kind = self._original(name, X[name])
            else:
                continue
            if kind is not None:
                kinds[name] = kind
        return pd.DataFrame(columns, index=X.index), kinds

    def beyond(self, X: pd.DataFrame) -> list[ColumnName]:
        """Columns of X that say what no original column says: counts of words, predictions of other models."""
        told = {*self.names, *self.texts.values(), *(part for parts in self.dates.values() for part in parts)}
        return [name for name in X.columns if name not in told]

    def _original(self, name: ColumnName, column: pd.Series) -> tuple[pd.Series, Kind | None]:
        dtype = self.dtypes.get(name)
        if name in self.categories:
            values = column.astype("Int64").map(dict(enumerate(self.categories[name]))).astype(object)
            return values.where(values.notna() & (values != FILLED), None), "categorical"
        if name in self.booleans:
            return _two_valued(column, self.booleans[name])
        if name in self.dates:
            moments = pd.to_datetime(column, unit=_unit(dtype), utc=True)
            zone = getattr(dtype, "tz", None)
            return moments.dt.tz_convert(zone) if zone is not None else moments.dt.tz_localize(None), "datetime"
        return column, None


def _parts(generator: Any) -> Iterator[Any]:
    """A feature generator and all that work inside it."""
    yield generator
    nested = [*getattr(generator, "_pre_generators", []), *getattr(generator, "_post_generators", [])]
    for stage in getattr(generator, "generators", []):
        nested += stage
    for part in nested:
        yield from _parts(part)


def _unit(dtype: Any) -> Any:
    """Unit of the whole numbers that AutoGluon makes of dates: nanoseconds unless the column came in another one."""
    if isinstance(dtype, pd.DatetimeTZDtype):
        return dtype.unit
    is_date = isinstance(dtype, np.dtype) and dtype.kind == "M"
    return np.datetime_data(dtype)[0] if is_date else "ns"


def _text(column: pd.Series) -> tuple[pd.Series, Kind]:
    texts = column.astype(object)
    return texts.where(texts.notna() & (texts != FILLED), None), "text"


def _two_valued(column: pd.Series, true: Any) -> tuple[pd.Series, Kind]:
    """Two values as text or bool; AutoGluon keeps only the one it took for true."""
    is_true = column == 1
    if isinstance(true, (bool, np.bool_)):
        return is_true == bool(true), "boolean"
    if isinstance(true, str):
        return is_true.map({True: true, False: f"not {true}"}).astype(object), "categorical"
    false = 0 if true != 0 else 1
    # No numbers in between: AutoGluon would take each of them for the value that is not true.
    return pd.Series(np.where(is_true, true, false), index=column.index), "categorical"
