"""One column of a table: its kind, its legal values, and the exact way there and back."""

from __future__ import annotations

import numbers
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.api import types as pdt

from imbllm_autogluon.errors import TableError, nearest
from imbllm_autogluon.tables.dtypes import KINDS_OF, ColumnFormat, ColumnName, Kind, dense
from imbllm_autogluon.tables.grid import NumberGrid, shortest

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import BoolArray, IntArray

    Array = npt.NDArray[Any]

_REMEDIES: dict[Kind, str] = {
    "continuous": "convert it first, for example with pd.to_numeric",
    "integer": "convert it first, for example with pd.to_numeric",
    "datetime": "convert it first with pd.to_datetime",
    "boolean": "convert it first with .astype('boolean'), or choose 'categorical'",
    "text": "convert it first with .astype('string'), or choose 'categorical'",
    "categorical": "convert it first with .astype('category')",
}

_WHOLE_FLOATS = 2.0**53  # beyond this, float64 no longer holds every whole number


@dataclass(frozen=True)
class Column:
    """What is known of one column.

    >>> ages = pd.Series([61, None, 35], dtype="Int8")
    >>> column = Column.from_series(ages, "age")
    >>> values, missing = column.encode(ages)
    >>> column.kind, values.tolist(), missing.tolist(), column.decode(values, missing).equals(ages)
    ('integer', [61, 0, 35], [False, True, False], True)
    """

    name: ColumnName
    kind: Kind
    has_missing: bool  # whether a cell was missing when the column was read
    grid: NumberGrid | None  # legal numbers of a number column; None for the others and if every cell is missing
    categories: tuple[Any, ...]  # values of a categorical or boolean column, as Python objects, most frequent first
    format: ColumnFormat

    @classmethod
    def from_series(cls, series: pd.Series[Any], name: ColumnName, kind: Kind | None = None) -> Column:
        """Read a column of any supported dtype and at least one row; kind None: the one that the dtype suggests.

        `TableError` where it cannot be of this kind, or holds what no table may hold (infinite or nested cells).
        """
        fmt, plain = ColumnFormat.of(series, name), dense(series)
        chosen = kind or KINDS_OF[fmt.physical_type][0]
        _refuse_impossible(chosen, fmt, name)
        missing = fmt.missing_mask(plain)
        bare = cls(name, chosen, bool(missing.any()), None, (), fmt)
        if bare.is_category:
            return replace(bare, categories=_frequent_first(plain, missing, chosen, name))
        if not bare.is_number or missing.all():
            return bare
        return replace(bare, grid=bare._grid_of(bare._numbers(plain, missing, fmt)[~missing]))

    @property
    def is_number(self) -> bool:
        """Whether values are numbers on a grid: continuous, integer or datetime."""
        return self.kind in ("continuous", "integer", "datetime")

    @property
    def is_category(self) -> bool:
        """Whether values are codes into `categories`: categorical or boolean."""
        return self.kind in ("categorical", "boolean")

    @property
    def unit(self) -> str | None:
        """Unit of the int64 values of a datetime (or timedelta) column since 1970-01-01 UTC; None otherwise."""
        return self.format.unit if self.is_number else None

    def category(self, value: Any) -> Any:
        """The category that a value stands for: 0.1 where a float32 of that column is 0.10000000149011612."""
        bits = self.format.float_bits
        short = bits < 64 and isinstance(value, numbers.Real)
        return float(str(np.dtype(f"f{bits // 8}").type(value))) if short else value

    def encode(
        self, series: pd.Series[Any], *, unknown: Literal["refuse", "missing"] = "refuse"
    ) -> tuple[Array, BoolArray]:
        """Values and missing mask, each of shape (n,), of a series of the own dtype or one that holds the same values.

        Continuous: float64 (a float32 0.1 becomes 0.1). Integer: int64. Datetime: int64, counted in :attr:`unit` since
        1970-01-01 UTC. Categorical and boolean: int64 codes into `categories`. 0 where missing. `TableError` where a
        category is new and `unknown` ones are refused, a number infinite, or the series is of another kind.
        """
        plain, source = dense(series), ColumnFormat.of(series, self.name)
        missing = source.missing_mask(plain)
        if missing.all():
            return np.zeros(len(plain), np.float64 if self.kind == "continuous" else np.int64), missing
        if self.is_category:
            return self._codes(plain, missing, refuse=unknown == "refuse")
        self._refuse_other_nature(source)
        return self._numbers(plain, missing, source), missing

    def decode(
        self, values: npt.ArrayLike, missing: npt.ArrayLike, index: pd.Index[Any] | None = None
    ) -> pd.Series[Any]:
        """Turn what :meth:`encode` returned back into a pandas column of the exact original dtype.

        `TableError` where a cell is missing and the dtype (such as int64) has no missing value.
        """
        cells, gaps = np.asarray(values), np.asarray(missing, dtype=bool)
        if self.is_category:
            array = self._levels(np.where(gaps, len(self.categories), cells).astype(np.int64))
        else:
            if self.unit is not None:
                times = "m8" if self.format.physical_type == "duration" else "M8"
                cells = cells.astype(np.int64).view(f"{times}[{self.unit}]")
            array = self.format.restore(cells, gaps, self.name)
        # The dtype is given because pandas would turn an object array of Timestamps into datetime64.
        series: pd.Series[Any] = pd.Series(array, dtype=array.dtype, index=index, name=self.name)
        return series

    def _levels(self, codes: IntArray) -> Any:
        """Array of the categories at these codes, a missing cell where the code is behind the last one."""
        n = len(self.categories)
        listed = [*self.categories, None] if np.any(codes == n) else list(self.categories)
        levels = np.fromiter(listed, dtype=object, count=len(listed))
        return self.format.restore(levels, np.arange(len(levels)) == n, self.name).take(codes)

    def _grid_of(self, seen: Array) -> NumberGrid:
        if self.kind == "continuous":
            return NumberGrid.of_floats(seen, self.format.float_bits)
        if self.kind == "datetime":
            return NumberGrid.of_times(seen, _time_steps(str(self.unit)))
        return NumberGrid.of_integers(seen)

    def _numbers(self, series: pd.Series[Any], missing: BoolArray, source: ColumnFormat) -> Array:
        if self.kind == "continuous":
            raw = _read_floats(series, missing, source, self.name)
            return shortest(raw, self.grid.decimals, source.float_bits) if self.grid else raw
        if self.unit is not None:
            return _read_times(series, missing, source, self.unit, self.name)
        return _read_integers(series, missing, source, self.name)

    def _codes(self, series: pd.Series[Any], missing: BoolArray, *, refuse: bool) -> tuple[Array, BoolArray]:
        codes, levels = _distinct_levels(series, missing, self.name)
        position = _find_levels(levels, self.categories)
        new = np.unique(codes[(codes >= 0) & (position[codes] < 0)])
        if refuse and len(new):
            raise self._unseen(levels[new[0]])
        gone = missing | (position[codes] < 0)
        return np.where(gone, 0, position[codes]), gone

    def _unseen(self, value: object) -> TableError:
        known = ", ".join(repr(category) for category in self.categories[:10])
        more = ", ..." if len(self.categories) > 10 else ""
        hint = nearest(str(value), map(str, self.categories[:1000]))
        return TableError(
            f"column {self.name!r} holds {value!r}, which it did not hold when the schema was made{hint}; "
            f"its values are: {known}{more}. Make the schema from a frame that holds every value."
        )

    def _refuse_other_nature(self, source: ColumnFormat) -> None:
        own = {self.format.physical_type} if self.unit else {"integer", "continuous"}
        if self.kind == "text" or source.physical_type not in own:
            raise TableError(
                f"column {self.name!r} is {self.kind} in the schema ({self.format.dtype}), but its cells are of dtype "
                f"{source.dtype}: {_REMEDIES[self.kind]}."
            )
        if self.unit and (self.format.timezone is None) != (source.timezone is None):
            raise TableError(
                f"column {self.name!r} has time zone {self.format.timezone} in the schema and {source.timezone} here: "
                "use .dt.tz_localize or .dt.tz_convert to make both aware or both naive."
            )


def _refuse_impossible(kind: Kind, fmt: ColumnFormat, name: ColumnName) -> None:
    if kind not in KINDS_OF[fmt.physical_type]:
        choices = ", ".join(map(repr, KINDS_OF[fmt.physical_type]))
        raise TableError(
            f"column {name!r} of dtype {fmt.dtype} cannot be {kind}: {_REMEDIES[kind]}; as it is, it can be {choices}."
        )


def _frequent_first(series: pd.Series[Any], missing: BoolArray, kind: Kind, name: ColumnName) -> tuple[Any, ...]:
    codes, levels = _distinct_levels(series, missing, name)
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    order = [i for i in np.argsort(-counts, kind="stable") if counts[i]]
    if kind == "boolean" and len(order) > 2:
        shown = ", ".join(repr(levels[i]) for i in order[:4])
        raise TableError(
            f"column {name!r} cannot be boolean: it holds {len(order)} distinct values ({shown}, ...), "
            "at most 2 are allowed; choose 'categorical'."
        )
    return tuple(levels[i] for i in order)


def _distinct_levels(series: pd.Series[Any], missing: BoolArray, name: ColumnName) -> tuple[IntArray, list[Any]]:
    """Codes of the cells of a dense series (-1 where missing) and the levels that they point at.

    Levels are in order of first appearance (pandas ``category``: in the order of the dtype, unseen ones included).
    Cells of `object` columns with several types are told apart by type too: 1, 1.0 and True are three levels.
    """
    try:
        codes, levels = _factorize(series, missing)
    except TypeError as error:
        raise TableError(
            f"column {name!r} holds a cell that is no single value ({error}): "
            "spread it over several columns or drop it."
        ) from error
    codes[missing] = -1
    return codes, levels


def _factorize(series: pd.Series[Any], missing: BoolArray) -> tuple[IntArray, list[Any]]:
    if isinstance(series.dtype, pd.CategoricalDtype):
        categories = series.cat.categories
        return series.cat.codes.to_numpy().astype(np.int64), _as_python(categories, categories.dtype)
    is_python = pdt.is_object_dtype(series.dtype) or isinstance(series.dtype, pd.StringDtype)
    known: Any = series.to_numpy()[~missing] if is_python else ()
    # For pandas a text ends at its first NUL.
    if len(set(map(type, known))) > 1 or any(isinstance(cell, str) and "\0" in cell for cell in known):
        seen: dict[tuple[type, Any], int] = {}
        by_type = [seen.setdefault((type(cell), cell), len(seen)) for cell in series]
        return np.array(by_type, dtype=np.int64), [cell for _, cell in seen]
    codes, uniques = pd.factorize(series)
    return codes.astype(np.int64), _as_python(uniques, series.dtype)


def _as_python(uniques: Any, dtype: Any) -> list[Any]:
    """Python objects of a distinct array; float16 and float32 become the short decimal they stand for."""
    own = getattr(dtype, "numpy_dtype", dtype)
    if pdt.is_object_dtype(dtype):
        return list(np.asarray(uniques, dtype=object))
    if isinstance(own, np.dtype) and own.kind == "f" and own.itemsize < np.dtype(np.float64).itemsize:
        return [float(str(cell)) for cell in uniques.to_numpy(dtype=np.float64).astype(own)]
    return [cell.item() if isinstance(cell, np.generic) else cell for cell in uniques]


def _find_levels(wanted: list[Any], levels: tuple[Any, ...]) -> IntArray:
    """Position of each wanted object, or of an equal one of another type (1.0 for 1, never for True); -1 for none."""
    exact = {(type(level), level): i for i, level in enumerate(levels)}
    equal: dict[Any, int] = {}
    for i, level in enumerate(levels):
        equal.setdefault((_is_bool(level), level), i)
    found = [exact.get((type(level), level), equal.get((_is_bool(level), level), -1)) for level in wanted]
    return np.array(found, dtype=np.int64)


def _is_bool(level: object) -> bool:
    return isinstance(level, (bool, np.bool_))


def _read_floats(series: pd.Series[Any], missing: BoolArray, fmt: ColumnFormat, name: ColumnName) -> Array:
    raw = _filled(series, missing, np.float64)
    if np.isinf(raw).any():
        raise TableError(
            f"column {name!r} holds the infinite value {raw[np.isinf(raw)][0]}; numbers must be finite: "
            "replace it by a number, or by a missing value with df.replace([np.inf, -np.inf], np.nan)."
        )
    if fmt.physical_type == "integer" and (np.abs(raw) > _WHOLE_FLOATS).any():
        largest = raw[np.argmax(np.abs(raw))]
        raise TableError(f"column {name!r} holds {largest}, too large to be continuous: make its kind 'integer'.")
    return raw


def _read_integers(series: pd.Series[Any], missing: BoolArray, fmt: ColumnFormat, name: ColumnName) -> Array:
    if fmt.physical_type != "continuous":
        raw = _filled(series, missing, np.int64)
        odd = series.to_numpy()[raw < 0] if fmt.dense_dtype.kind == "u" else raw[:0]  # 2**63 and more wrap around
    else:
        raw = _read_floats(series, missing, fmt, name)
        odd = raw[(raw != np.rint(raw)) | (np.abs(raw) >= 2.0**63)]
    if len(odd):
        raise TableError(f"column {name!r} holds {odd[0]}, which is no 64-bit integer: make its kind 'continuous'.")
    return raw.astype(np.int64)


def _filled(series: pd.Series[Any], missing: BoolArray, dtype: type[Any]) -> Array:
    """The series as a new NumPy array of `dtype`, 0 where missing."""
    return series.where(~missing, 0).to_numpy(dtype=dtype)


def _read_times(series: pd.Series[Any], missing: BoolArray, fmt: ColumnFormat, unit: str, name: ColumnName) -> Array:
    """Times of a dense datetime or duration series as int64 counts of `unit`, 0 where missing."""
    counts = np.where(missing, 0, _own_counts(series, missing, fmt)).astype(np.int64)
    own = counts.view(f"m8[{fmt.unit}]")
    scaled = own.astype(f"m8[{unit}]")
    if np.any(scaled.astype(own.dtype) != own):
        raise TableError(
            f"column {name!r} holds times in {fmt.unit} that are no whole number of {unit}, the unit of the schema: "
            f"round them, for example with .dt.as_unit({unit!r})."
        )
    return scaled.view(np.int64)


def _own_counts(series: pd.Series[Any], missing: BoolArray, fmt: ColumnFormat) -> Array:
    """Times as int64 counts of the column's own unit; anything where missing."""
    if fmt.arrow is not None:
        array: Any = series.array
        stored = array.__arrow_array__()
        stored = stored.cast(pa.int32()) if pa.types.is_date32(fmt.arrow) else stored
        return np.asarray(stored.cast(pa.int64()).fill_null(0), dtype=np.int64)
    if fmt.cell_type:
        cells = series.to_numpy().copy()
        cells[missing] = None
        # A Timestamp as datetime64 keeps its nanoseconds.
        listed = [cell.to_datetime64() if isinstance(cell, pd.Timestamp) else cell for cell in cells]
        return np.array(listed, dtype=f"M8[{fmt.unit}]").view(np.int64)
    times = pd.TimedeltaIndex(series) if fmt.physical_type == "duration" else pd.DatetimeIndex(series)
    return times.asi8


def _time_steps(unit: str) -> tuple[int, ...]:
    """Day, hour, minute, second, ms, us and ns as counts of `unit`, coarsest first, down to 1."""
    own = np.timedelta64(1, unit)  # type: ignore[call-overload]
    steps = [np.timedelta64(1, step) for step in ("D", "h", "m", "s", "ms", "us", "ns")]
    return tuple(int(step / own) for step in steps if step >= own)


@dataclass(frozen=True)
class ExcludedColumn:
    """A feature column that the language model does not write."""

    name: ColumnName
    reason: str  # why, as a sentence for the report
    # New rows get the one value seen, a missing cell, or the cell of the row they descend from.
    fill: Literal["constant", "missing", "copied"]
    column: Column | None = None  # restores a constant (its one category) or missing cells; None for copied columns
    is_unreadable: bool = False  # whether the cells are nothing that a schema can read, such as lists
    holds_text: bool = False  # whether the cells are free texts, which a model may read though it does not write them
    is_beyond: bool = False  # whether it could be written, and more columns are than a limit allows

    def restore(self, n_rows: int, parents: pd.DataFrame | None, index: pd.Index[Any] | None) -> pd.Series[Any]:
        """Column of `n_rows` cells; copied ones are taken by position from `parents`, one for each new row."""
        if self.column is not None:
            codes, gaps = np.zeros(n_rows, dtype=np.int64), np.full(n_rows, self.fill == "missing")
            return self.column.decode(codes, gaps, index)
        if parents is None or len(parents) != n_rows:
            got = "none" if parents is None else f"a frame of {len(parents)} rows"
            raise TableError(
                f"column {self.name!r} is copied from the rows that new rows descend from: pass parents, a frame of "
                f"{n_rows} rows; got {got}."
            )
        copied = column_of(parents, self.name)
        return copied.reset_index(drop=True) if index is None else copied.set_axis(index)


def column_of(df: pd.DataFrame, name: ColumnName) -> pd.Series[Any]:
    """A column by name, whatever the index of the columns is; `TableError` unless there is one."""
    if name not in df.columns:
        raise TableError(f"column {name!r} is not in the table{nearest(str(name), map(str, df.columns))}: add it.")
    found = df[name]
    if isinstance(found, pd.DataFrame):
        raise TableError(f"column name {name!r} occurs {found.shape[1]} times in the table; names must differ.")
    return found
