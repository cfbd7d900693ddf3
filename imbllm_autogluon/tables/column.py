"""One column of a table: its kind, its legal values, and the exact way there and back.

The distinct cells of a column as Python objects.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types as pdt

from imbllm_autogluon.errors import TableError, nearest
from imbllm_autogluon.tables.formats import ColumnFormat, TimeUnit, restore_levels
from imbllm_autogluon.tables.kinds import ColumnName, Kind, Unknown, allowed_kinds, default_kind, dense
from imbllm_autogluon.tables.lattice import NumberLattice, shortest
from imbllm_autogluon.tables.numbers import (
    read_floats,
    read_integers,
    read_times,
    restore_numbers,
    restore_times,
    time_steps,
)

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


Codes = npt.NDArray[np.int64]


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
