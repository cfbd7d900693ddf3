"""One column of a table: its kind, its legal values, and the exact way there and back.

Its distinct cells are kept as Python objects, its numbers and times as float64 or int64.
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.api import types as pdt

from imbllm_autogluon.errors import TableError, nearest
from imbllm_autogluon.tables.formats import (
    MISSING_OBJECTS,
    ColumnFormat,
    TimeUnit,
    as_stored,
    refuse_missing,
    restore_levels,
)
from imbllm_autogluon.tables.kinds import ColumnName, Kind, Unknown, allowed_kinds, default_kind, dense
from imbllm_autogluon.tables.lattice import NumberLattice, shortest

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import BoolArray
    from imbllm_autogluon.tables.kinds import ColumnName


Array = npt.NDArray[Any]

_REMEDIES: dict[Kind, str] = {
    "continuous": "convert it first, for example with pd.to_numeric",
    "integer": "convert it first, for example with pd.to_numeric",
    "datetime": "convert it first with pd.to_datetime",
    "boolean": "convert it first with .astype('boolean'), or choose 'categorical'",
    "text": "convert it first with .astype('string'), or choose 'categorical'",
    "categorical": "convert it first with .astype('category')",
}

Codes = npt.NDArray[np.int64]

Numbers = npt.NDArray[Any]

_WHOLE_FLOATS = 2.0**53
"""Beyond this, float64 no longer holds every whole number."""

_NANOSECONDS = {"D": 86_400 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@dataclass(frozen=True)
class Column:
    """What is known of one column.

    Examples
    --------
    >>> ages = pd.Series([61, None, 35], dtype="Int8")
    >>> column = Column.from_series(ages, "age")
    >>> values, missing = column.encode(ages)
    >>> column.kind, values.tolist(), missing.tolist(), column.decode(values, missing).equals(ages)
    ('integer', [61, 0, 35], [False, True, False], True)
    """

    name: ColumnName
    """Name in the user's frame."""

    kind: Kind
    """What the column means."""

    has_missing: bool
    """Whether a cell was missing when the column was read."""

    lattice: NumberLattice | None
    """Legal numbers of a continuous, integer or datetime column; None for the others and if every cell is missing."""

    categories: tuple[Any, ...]
    """Values seen in a categorical or boolean column, as Python objects, most frequent first; else empty."""

    format: ColumnFormat
    """How pandas holds the column."""

    @classmethod
    def from_series(cls, series: pd.Series[Any], name: ColumnName, kind: Kind | None = None) -> Column:
        """Read a column.

        Parameters
        ----------
        series
            Any supported dtype, at least one row.
        name
            Name of the column; the series' own name is not used.
        kind
            None: the kind that the dtype suggests.

        Raises
        ------
        TableError
            The column cannot be of this kind, or holds what no table may hold (infinite or nested cells).
        """
        fmt = ColumnFormat.of(series, name)
        chosen = kind or default_kind(fmt.nature)
        _refuse_impossible(chosen, fmt, name)
        missing = fmt.missing_mask(dense(series))
        bare = cls(name, chosen, bool(missing.any()), None, (), fmt)
        if bare.is_category:
            return bare._with_categories(series, missing)
        return bare._with_lattice(series, missing) if bare.is_number else bare

    @property
    def is_number(self) -> bool:
        """Whether values are numbers on a lattice: continuous, integer or datetime."""
        return self.kind in ("continuous", "integer", "datetime")

    @property
    def is_category(self) -> bool:
        """Whether values are codes into `categories`: categorical or boolean."""
        return self.kind in ("categorical", "boolean")

    @property
    def unit(self) -> TimeUnit | None:
        """Unit of the int64 values of a datetime (or timedelta) column since 1970-01-01 UTC; None otherwise."""
        return self.format.unit if self.is_number else None

    def encode(self, series: pd.Series[Any], *, unknown: Unknown = "refuse") -> tuple[Array, BoolArray]:
        """Turn a pandas column into plain values.

        Parameters
        ----------
        series
            The column, of the dtype the schema was made from or of one that holds the same values.
        unknown
            What becomes of categories that the column did not hold: ``"refuse"``, or ``"missing"``.

        Returns
        -------
        values
            Shape (n,). Continuous: float64 (a float32 0.1 becomes 0.1). Integer: int64. Datetime: int64, counted in
            the column's own :attr:`unit` since 1970-01-01 UTC (``datetime.date`` in days). Categorical and boolean:
            int64 codes into `categories`. 0 where missing.
        missing
            Boolean mask, shape (n,).

        Raises
        ------
        TableError
            A category is new, a number infinite, or the series is of another kind.
        """
        plain, source = dense(series), ColumnFormat.of(series, self.name)
        missing = source.missing_mask(plain)
        if missing.all():
            return np.zeros(len(plain), np.float64 if self.kind == "continuous" else np.int64), missing
        if self.is_category:
            return self._encode_categories(plain, missing, unknown)
        self._refuse_other_nature(source)
        return self._read(plain, missing, source), missing

    def decode(
        self, values: npt.ArrayLike, missing: npt.ArrayLike, index: pd.Index[Any] | None = None
    ) -> pd.Series[Any]:
        """Turn plain values back into a pandas column of the exact original dtype.

        Parameters
        ----------
        values, missing
            As :meth:`encode` returns them, shape (n,).
        index
            Index of the series; None: 0 .. n - 1.

        Raises
        ------
        TableError
            A cell is missing and the dtype (such as int64) has no missing value.
        """
        cells, gaps = np.asarray(values), np.asarray(missing, dtype=bool)
        if self.is_category:
            codes = np.where(gaps, -1, cells).astype(np.int64)
            array = restore_levels(self.categories, codes, self.format, self.name)
        elif self.unit is not None:
            array = restore_times(cells, gaps, self.format)
        else:
            array = restore_numbers(cells, gaps, self.format, self.name)
        # The dtype is given because pandas would turn an object array of Timestamps into datetime64.
        series: pd.Series[Any] = pd.Series(array, dtype=array.dtype, index=index, name=self.name)
        return series

    def _with_categories(self, series: pd.Series[Any], missing: BoolArray) -> Column:
        codes, levels = distinct_levels(dense(series), missing, self.name)
        counts = np.bincount(codes[codes >= 0], minlength=len(levels))
        order = [i for i in np.argsort(-counts, kind="stable") if counts[i]]
        if self.kind == "boolean" and len(order) > 2:
            shown = ", ".join(repr(levels[i]) for i in order[:4])
            raise TableError(
                f"column {self.name!r} cannot be boolean: it holds {len(order)} distinct values ({shown}, ...), "
                "at most 2 are allowed; choose 'categorical'."
            )
        return Column(self.name, self.kind, self.has_missing, None, tuple(levels[i] for i in order), self.format)

    def _with_lattice(self, series: pd.Series[Any], missing: BoolArray) -> Column:
        seen = self._read(dense(series), missing, self.format)[~missing]
        return Column(self.name, self.kind, self.has_missing, self._lattice_of(seen), (), self.format)

    def _lattice_of(self, seen: Array) -> NumberLattice | None:
        if not len(seen):
            return None
        if self.kind == "continuous":
            return NumberLattice.of_floats(seen, self.format.float_bits)
        if self.kind == "datetime":
            return NumberLattice.of_times(seen, time_steps(str(self.unit)))
        return NumberLattice.of_integers(seen)

    def _read(self, series: pd.Series[Any], missing: BoolArray, source: ColumnFormat) -> Array:
        if self.kind == "continuous":
            raw = read_floats(series, missing, source, self.name)
            return shortest(raw, self.lattice.decimals, source.float_bits) if self.lattice else raw
        if self.unit is not None:
            return read_times(series, missing, source, self.unit, self.name)
        return read_integers(series, missing, source, self.name)

    def _encode_categories(
        self, series: pd.Series[Any], missing: BoolArray, unknown: Unknown
    ) -> tuple[Array, BoolArray]:
        codes, levels = distinct_levels(series, missing, self.name)
        position = find_levels(levels, self.categories)
        for code in np.unique(codes[codes >= 0]):
            if position[code] < 0 and unknown == "refuse":
                raise self._unseen(levels[code])
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
        own = {self.format.nature} if self.unit else {"integer", "continuous"}
        if self.kind == "text" or source.nature not in own:
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
    allowed = allowed_kinds(fmt.nature)
    if kind not in allowed:
        choices = ", ".join(repr(choice) for choice in allowed)
        raise TableError(
            f"column {name!r} of dtype {fmt.dtype} cannot be {kind}: {_REMEDIES[kind]}; as it is, it can be {choices}."
        )


def distinct_levels(series: pd.Series[Any], missing: BoolArray, name: ColumnName) -> tuple[Codes, list[Any]]:
    """Codes of the cells of a dense series (-1 where missing) and the levels they point at.

    Levels are in order of first appearance (pandas ``category``: in the order of the dtype, unseen ones included).
    Cells of `object` columns with several types are told apart by type too: 1, 1.0 and True are three levels.

    Raises
    ------
    TableError
        A cell is infinite or cannot be hashed.
    """
    codes, levels = _factorize(series, missing, name)
    codes[missing] = -1
    for level in levels:
        if isinstance(level, float) and math.isinf(level):
            raise TableError(f"column {name!r} holds the infinite value {level}: replace it by a missing value.")
    return codes, levels


def _factorize(series: pd.Series[Any], missing: BoolArray, name: ColumnName) -> tuple[Codes, list[Any]]:
    if isinstance(series.dtype, pd.CategoricalDtype):
        categories = series.cat.categories
        return series.cat.codes.to_numpy().astype(np.int64), _as_python(categories, categories.dtype)
    if pdt.is_object_dtype(series.dtype) and len(set(map(type, series.to_numpy()[~missing]))) > 1:
        return _factorize_by_type(series.to_numpy(), name)
    codes, uniques = pd.factorize(series)
    return codes.astype(np.int64), _as_python(uniques, series.dtype)


def _factorize_by_type(cells: npt.NDArray[Any], name: ColumnName) -> tuple[Codes, list[Any]]:
    seen: dict[tuple[type, Any], int] = {}
    try:
        codes = [seen.setdefault((type(cell), cell), len(seen)) for cell in cells]
    except TypeError as error:
        raise TableError(
            f"column {name!r} holds a cell that is no single value ({error}): "
            "spread it over several columns or drop it."
        ) from error
    return np.array(codes, dtype=np.int64), [cell for _, cell in seen]


def _as_python(uniques: Any, dtype: Any) -> list[Any]:
    """Python objects of a distinct array; float16 and float32 become the short decimal they stand for."""
    own = getattr(dtype, "numpy_dtype", dtype)
    if pdt.is_object_dtype(dtype):
        return list(np.asarray(uniques, dtype=object))
    if isinstance(own, np.dtype) and own.kind == "f" and own.itemsize < np.dtype(np.float64).itemsize:
        return [float(str(cell)) for cell in uniques.to_numpy(dtype=np.float64).astype(own)]
    return [cell.item() if isinstance(cell, np.generic) else cell for cell in uniques]


def find_levels(wanted: list[Any], levels: tuple[Any, ...]) -> Codes:
    """Position in `levels` of each wanted object, -1 where there is none.

    An object of the same type is preferred; else an equal one of another type is taken (1.0 for 1), never a
    number for a boolean.
    """
    exact = {(type(level), level): i for i, level in enumerate(levels)}
    equal: dict[Any, int] = {}
    for i, level in enumerate(levels):
        equal.setdefault((_is_bool(level), level), i)
    found = [exact.get((type(level), level), equal.get((_is_bool(level), level), -1)) for level in wanted]
    return np.array(found, dtype=np.int64)


def _is_bool(level: object) -> bool:
    return isinstance(level, (bool, np.bool_))


def read_floats(series: pd.Series[Any], missing: BoolArray, fmt: ColumnFormat, name: ColumnName) -> Numbers:
    """Numbers of a dense series as float64, 0 where missing.

    Raises
    ------
    TableError
        A number is infinite, or a whole number is too large for float64.
    """
    raw = _filled(series, missing, np.float64)
    if np.isinf(raw).any():
        raise TableError(
            f"column {name!r} holds the infinite value {raw[np.isinf(raw)][0]}; numbers must be finite: "
            "replace it by a number, or by a missing value with df.replace([np.inf, -np.inf], np.nan)."
        )
    if fmt.nature == "integer" and (np.abs(raw) > _WHOLE_FLOATS).any():
        raise TableError(f"column {name!r} holds {_largest(raw)}, too large to be continuous: make its kind 'integer'.")
    return raw


def read_integers(series: pd.Series[Any], missing: BoolArray, fmt: ColumnFormat, name: ColumnName) -> Numbers:
    """Whole numbers of a dense series as int64, 0 where missing.

    Raises
    ------
    TableError
        A number is not whole, is infinite, or does not fit into int64.
    """
    if fmt.nature != "continuous":
        return _filled(series, missing, np.int64)
    raw = read_floats(series, missing, fmt, name)
    odd = raw[(raw != np.rint(raw)) | (np.abs(raw) >= 2.0**63)]
    if len(odd):
        raise TableError(f"column {name!r} holds {odd[0]}, which is no 64-bit integer: make its kind 'continuous'.")
    return raw.astype(np.int64)


def read_times(series: pd.Series[Any], missing: BoolArray, fmt: ColumnFormat, unit: str, name: ColumnName) -> Numbers:
    """Return the times of a dense datetime or duration series as int64 counts of `unit`, 0 where missing.

    Raises
    ------
    TableError
        A time is finer than `unit` or does not fit into int64.
    """
    counts = np.where(missing, 0, _own_counts(series, missing, fmt)).astype(np.int64)
    if fmt.unit == unit:
        return counts
    ratio = _NANOSECONDS[fmt.unit or unit] / _NANOSECONDS[unit]
    scaled = counts * int(ratio) if ratio >= 1 else counts // round(1 / ratio)
    back = scaled // int(ratio) if ratio >= 1 else scaled * round(1 / ratio)
    if np.any(back != counts):
        raise TableError(
            f"column {name!r} holds times in {fmt.unit} that are no whole number of {unit}, the unit of the schema: "
            f"round them, for example with .dt.as_unit({unit!r})."
        )
    return scaled


def restore_numbers(values: Numbers, missing: BoolArray, fmt: ColumnFormat, name: ColumnName) -> Any:
    """Array of `fmt.dtype` for the values of a continuous or integer column."""
    dtype = fmt.dense_dtype
    if pdt.is_object_dtype(dtype) or (fmt.arrow is not None and pa.types.is_decimal(fmt.arrow)):
        return _restore_cells(_python_numbers(values, fmt), missing, fmt)
    own = _cast(values, getattr(dtype, "numpy_dtype", dtype))
    if fmt.arrow is not None:
        return pd.array(pa.array(own, type=fmt.arrow, mask=missing), dtype=fmt.dtype)
    if not isinstance(dtype, np.dtype):
        return dtype.construct_array_type()(own, missing.copy())
    if missing.any():
        if dtype.kind != "f":
            raise refuse_missing(fmt, name)
        own[missing] = np.nan
    return as_stored(own, fmt)


def restore_times(values: Numbers, missing: BoolArray, fmt: ColumnFormat) -> Any:
    """Array of `fmt.dtype` for the values of a datetime or duration column."""
    if fmt.arrow is not None:
        counts = pa.array(values, mask=missing)
        counts = counts.cast(pa.int32()) if pa.types.is_date32(fmt.arrow) else counts
        return pd.array(counts.cast(fmt.arrow), dtype=fmt.dtype)
    prefix = "m8" if fmt.nature == "duration" else "M8"
    times = values.astype(np.int64).view(f"{prefix}[{fmt.unit}]").copy()
    times[missing] = np.datetime64("NaT") if prefix == "M8" else np.timedelta64("NaT")
    if fmt.cell_type:
        listed = list(pd.DatetimeIndex(times)) if fmt.cell_type == "Timestamp" else times.tolist()
        return _restore_cells(listed, missing, fmt)
    if fmt.timezone is not None:
        return pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(fmt.timezone).array
    return as_stored(times, fmt)


def _filled(series: pd.Series[Any], missing: BoolArray, dtype: type[Any]) -> Numbers:
    """Return the series as a new NumPy array of `dtype`, 0 where missing."""
    if isinstance(series.dtype, np.dtype) and not pdt.is_object_dtype(series.dtype):
        return np.where(missing, 0, series.to_numpy()).astype(dtype)
    if pdt.is_object_dtype(series.dtype) or (isinstance(series.dtype, pd.ArrowDtype) and _is_decimal(series)):
        cells = series.to_numpy(dtype=object).copy()
        cells[missing] = 0
        return cells.astype(dtype)
    return series.to_numpy(dtype=dtype, na_value=0).copy() if not missing.all() else np.zeros(len(series), dtype)


def _is_decimal(series: pd.Series[Any]) -> bool:
    arrow: Any = series.dtype
    return bool(pa.types.is_decimal(arrow.pyarrow_dtype))


def _largest(numbers: Numbers) -> float:
    return float(numbers[np.argmax(np.abs(numbers))])


def _own_counts(series: pd.Series[Any], missing: BoolArray, fmt: ColumnFormat) -> Numbers:
    """Return times as int64 counts of the column's own unit; anything where missing."""
    if fmt.arrow is not None:
        array: Any = series.array
        stored = array.__arrow_array__()
        stored = stored.cast(pa.int32()) if pa.types.is_date32(fmt.arrow) else stored
        return np.asarray(stored.cast(pa.int64()).fill_null(0), dtype=np.int64)
    if fmt.cell_type:
        cells = series.to_numpy().copy()
        cells[missing] = None
        return np.array([_bare(cell) for cell in cells], dtype=f"M8[{fmt.unit}]").view(np.int64)
    times = pd.TimedeltaIndex(series) if fmt.nature == "duration" else pd.DatetimeIndex(series)
    return times.asi8


def _bare(cell: Any) -> Any:
    """Return a Timestamp as `datetime64`, which keeps its nanoseconds; dates and datetimes as they are."""
    return cell.to_datetime64() if isinstance(cell, pd.Timestamp) else cell


def _cast(values: Numbers, dtype: np.dtype[Any]) -> Numbers:
    """Copy in the column's own NumPy type, rounded first where the type is whole and the values are not."""
    whole = dtype.kind in "iu" and values.dtype.kind == "f"
    return (np.rint(values) if whole else values).astype(dtype)


def _python_numbers(values: Numbers, fmt: ColumnFormat) -> list[Any]:
    if fmt.cell_type == "int":
        return list(_cast(values, np.dtype(np.int64)).tolist())
    if fmt.cell_type == "float":
        return list(values.astype(np.float64).tolist())
    places = fmt.places if fmt.arrow is None else max(0, fmt.arrow.scale)
    return [Decimal(f"{number:.{places}f}") for number in values.tolist()]


def _restore_cells(cells: list[Any], missing: BoolArray, fmt: ColumnFormat) -> Any:
    """Array of Python objects, with the column's own missing object; or Arrow decimals."""
    if fmt.arrow is not None:
        return pd.array(pa.array(cells, type=fmt.arrow, mask=missing), dtype=fmt.dtype)
    restored = np.empty(len(cells), dtype=object)
    restored[:] = cells
    restored[missing] = MISSING_OBJECTS[fmt.missing]
    return restored


def time_steps(unit: str) -> tuple[int, ...]:
    """Day, hour, minute, second, ms, us and ns as counts of `unit`, coarsest first, down to 1.

    Examples
    --------
    >>> time_steps("s")
    (86400, 3600, 60, 1)
    """
    own = _NANOSECONDS[unit]
    day = datetime.timedelta(days=1) // datetime.timedelta(seconds=1) * 10**9
    return tuple(step // own for step in (day, 3600 * 10**9, 60 * 10**9, 10**9, 10**6, 10**3, 1) if step >= own)
