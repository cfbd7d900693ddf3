"""Columns of every supported dtype, drawn by hypothesis: what a user's table may hold."""

from __future__ import annotations

import datetime
import enum
from decimal import Decimal
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Unlike:
    """An object with a text that says nothing of it, and which other objects cannot be compared with."""

    def __str__(self) -> str:
        return "unlike"


def as_dtype(dtype: Any) -> Callable[[list[Any]], pd.Series[Any]]:
    return lambda cells: pd.Series(cells, dtype=dtype)


def whole(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high) | st.integers(max(low, 0), 9).map(lambda k: k * 5 if k * 5 <= high else k)


def real(width: int) -> st.SearchStrategy[float]:
    cents = st.integers(-999, 999).map(lambda k: float(np.dtype(f"float{width}").type(k / 100)))
    return cents | st.floats(allow_nan=False, allow_infinity=False, width=width)  # type: ignore[arg-type]


def times(unit: str, kind: str = "M8") -> Callable[[list[Any]], pd.Series[Any]]:
    def build(cells: list[Any]) -> pd.Series[Any]:
        counts = np.array([np.iinfo(np.int64).min if cell is None else cell for cell in cells], dtype=np.int64)
        return pd.Series(counts.view(f"{kind}[{unit}]"))

    return build


def in_zone(unit: str, zone: str) -> Callable[[list[Any]], pd.Series[Any]]:
    return lambda cells: times(unit)(cells).dt.tz_localize("UTC").dt.tz_convert(zone)


def arrow(kind: pa.DataType) -> Callable[[list[Any]], pd.Series[Any]]:
    return lambda cells: pd.Series(pd.array(pa.array(cells, type=kind), dtype=pd.ArrowDtype(kind)))


def levels(values: list[Any], ordered: bool) -> Callable[[list[Any]], pd.Series[Any]]:
    return lambda cells: pd.Series(pd.Categorical(cells, categories=values, ordered=ordered))


def sparse(dtype: str, fill: Any) -> Callable[[list[Any]], pd.Series[Any]]:
    return lambda cells: pd.Series(pd.arrays.SparseArray(np.array(cells, dtype=dtype), fill_value=fill))


def objects(gap: object) -> Callable[[list[Any]], pd.Series[Any]]:
    return lambda cells: pd.Series([gap if cell is None else cell for cell in cells], dtype=object)


INT64 = whole(-(2**63), 2**63 - 1)
WORDS = st.text(max_size=6) | st.sampled_from(["yes", "no", "8001", "0900", "a, b is c", ""])
PLAIN_WORDS = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(["yes", "no", "0900"])
SECONDS = st.integers(-(10**9), 10**10) | st.integers(0, 400).map(lambda day: day * 86_400)
DURATIONS = SECONDS.filter(lambda second: second < 2**63 // 10**9)  # pandas boxes durations in nanoseconds
CENTS = st.integers(-(10**6), 10**6).map(lambda k: Decimal(k).scaleb(-2))
BOOLS = st.booleans()
DATES = st.dates()
STAMPS = st.datetimes(datetime.datetime(1800, 1, 1), datetime.datetime(2200, 1, 1))
STAMPS_IN_UTC = STAMPS.map(lambda moment: pd.Timestamp(moment, tz="UTC"))
INTERVALS = st.sampled_from([pd.Interval(0.5, 1.5), pd.Interval(1.5, 9.0)])
MIXED = st.sampled_from([1, 1.0, True, "1", 0, False, 2.5, datetime.date(2020, 1, 1), Decimal("1.0"), b"x", np.int8(3)])

# Name: (cells, how to build the series, whether cells may be missing).
DTYPES: dict[str, tuple[st.SearchStrategy[Any], Callable[[list[Any]], pd.Series[Any]], bool]] = {
    **{f"int{w}": (whole(-(2 ** (w - 1)), 2 ** (w - 1) - 1), as_dtype(f"int{w}"), False) for w in (8, 16, 32, 64)},
    **{f"uint{w}": (whole(0, 2**w - 1), as_dtype(f"uint{w}"), False) for w in (8, 16, 32, 64)},
    **{f"float{w}": (real(w), as_dtype(f"float{w}"), True) for w in (16, 32, 64)},
    "bool": (BOOLS, as_dtype("bool"), False),
    "boolean": (BOOLS, as_dtype("boolean"), True),
    "Int8": (whole(-128, 127), as_dtype("Int8"), True),
    "Int64": (INT64, as_dtype("Int64"), True),
    "UInt64": (whole(0, 2**64 - 1), as_dtype("UInt64"), True),
    "Float32": (real(32), as_dtype("Float32"), True),
    "Float64": (real(64), as_dtype("Float64"), True),
    "string": (PLAIN_WORDS, as_dtype("string"), True),
    "string[pyarrow]": (PLAIN_WORDS, as_dtype("string[pyarrow]"), True),
    "category": (st.sampled_from(["b", "a"]), levels(["c", "b", "a"], ordered=False), True),
    "category of ints": (st.sampled_from([3, 1]), levels([5, 3, 1], ordered=True), True),
    "category of intervals": (INTERVALS, lambda cells: pd.Series(cells).astype("category"), False),
    "objects: words": (WORDS, objects(None), True),
    "objects: words, NaN": (WORDS, objects(np.nan), True),
    "objects: words, NA": (WORDS, objects(pd.NA), True),
    "objects: bools": (BOOLS, objects(None), True),
    "objects: ints": (INT64 | st.integers(2**63, 2**70), objects(None), True),
    "objects: floats": (real(64), objects(None), True),
    "objects: mixed": (MIXED, objects(None), True),
    "objects: decimals": (CENTS, objects(None), True),
    "objects: long decimals": (st.decimals(allow_nan=False, allow_infinity=False), objects(None), True),
    "objects: dates": (DATES, objects(None), True),
    "objects: datetimes": (st.datetimes(), objects(None), True),
    "objects: timestamps": (STAMPS.map(pd.Timestamp), objects(pd.NaT), True),
    "objects: times": (st.times(), objects(None), True),
    **{f"datetime64[{unit}]": (SECONDS, times(unit), True) for unit in ("s", "ms", "us", "ns")},
    **{f"timedelta64[{unit}]": (DURATIONS, times(unit, "m8"), True) for unit in ("s", "ns")},
    "datetime64[ns, zone]": (SECONDS, in_zone("ns", "Europe/Berlin"), True),
    "datetime64[s, offset]": (SECONDS, in_zone("s", "UTC+01:00"), True),
    "period": (st.integers(0, 500).map(lambda k: pd.Period(ordinal=k, freq="M")), as_dtype("period[M]"), True),
    "interval": (INTERVALS, as_dtype("interval[float64, right]"), True),
    "Sparse[int64]": (whole(-9, 9), sparse("int64", 0), False),
    "Sparse[float64]": (real(64), sparse("float64", np.nan), True),
    "Sparse[bool]": (BOOLS, sparse("bool", False), False),
    "arrow int16": (whole(-(2**15), 2**15 - 1), arrow(pa.int16()), True),
    "arrow uint64": (whole(0, 2**64 - 1), arrow(pa.uint64()), True),
    "arrow float": (real(32), arrow(pa.float32()), True),
    "arrow double": (real(64), arrow(pa.float64()), True),
    "arrow bool": (BOOLS, arrow(pa.bool_()), True),
    "arrow string": (PLAIN_WORDS, arrow(pa.string()), True),
    "arrow dictionary": (PLAIN_WORDS, arrow(pa.dictionary(pa.int32(), pa.string())), True),
    "arrow decimal": (CENTS, arrow(pa.decimal128(12, 2)), True),
    "arrow long decimal": (CENTS, arrow(pa.decimal128(30, 4)), True),
    "arrow date": (DATES, arrow(pa.date32()), True),
    "arrow date64": (DATES, arrow(pa.date64()), True),
    "arrow time": (st.times(), arrow(pa.time64("us")), True),
    "arrow binary": (st.binary(max_size=3), arrow(pa.binary()), True),
    "arrow timestamp": (STAMPS, arrow(pa.timestamp("us")), True),
    "arrow timestamp, zone": (STAMPS, arrow(pa.timestamp("ns", "Europe/Berlin")), True),
    "arrow duration": (DURATIONS, arrow(pa.duration("ms")), True),
}

# What no file holds, or no schema reads, but pandas does: name, (cells, how to build the series, whether some miss).
ODD: dict[str, tuple[st.SearchStrategy[Any], Callable[[list[Any]], pd.Series[Any]], bool]] = {
    "ranges of a number": (st.integers(0, 9), lambda cells: pd.Series(pd.cut(cells, [-1, 3, 9])), False),
    "category of tuples": (st.sampled_from([("a", 1), ("b", 2)]), lambda c: pd.Series(c, dtype="category"), False),
    "category of mixed": (st.sampled_from([1, "1", True]), levels([1, "1", "x"], ordered=True), True),
    "infinite": (st.sampled_from([np.inf, -np.inf, 1.5, 2.5]), as_dtype("float64"), True),
    "infinite, nullable": (st.sampled_from([np.inf, 1.5]), as_dtype("Float64"), True),
    "complex": (st.complex_numbers(max_magnitude=9, allow_nan=False), as_dtype("complex128"), False),
    "long double": (st.sampled_from([1.5, 2.5]), as_dtype(np.longdouble), True),
    "arrow list": (st.lists(st.integers(0, 9), max_size=2), arrow(pa.list_(pa.int64())), True),
    "objects: fractions": (st.fractions(), objects(None), True),
    "objects: addresses": (st.ip_addresses(), objects(None), True),
    "objects: paths": (st.sampled_from(["a", "b/c"]).map(PurePosixPath), objects(None), True),
    "objects: members of an enumeration": (st.sampled_from(Color), objects(None), True),
    "objects: half characters": (st.sampled_from(["a\udc80", "b", "a"]), objects(None), True),
    "objects: booleans and words": (st.sampled_from([True, "True", "no"]), objects(None), True),
    "objects: moments, some in a zone": (STAMPS.map(pd.Timestamp) | STAMPS_IN_UTC, objects(pd.NaT), True),
    "objects: tuples": (st.tuples(st.integers(0, 3), st.text(max_size=1)), objects(None), True),
    "objects: lists": (st.lists(st.integers(0, 3), max_size=2), objects(None), True),
    "objects: lists in tuples": (st.tuples(st.lists(st.integers(0, 3), max_size=1)), objects(None), True),
    "objects: arrays": (st.integers(0, 3).map(np.arange), objects(None), True),
    "objects: sets": (st.frozensets(st.integers(0, 3)) | st.sets(st.integers(0, 3)), objects(None), True),
    "objects: without an order": (st.sampled_from([Unlike(), Unlike()]), objects(None), True),
    "objects: an infinite one": (st.sampled_from([np.inf, "a", 2]), objects(None), True),
}


@st.composite
def series_of(draw: st.DrawFn, dtype: str, n_rows: int) -> pd.Series[Any]:
    """Draw a column of one of `DTYPES`, often with repeated and missing cells."""
    cells, build, may_miss = {**DTYPES, **ODD}[dtype]
    pool = draw(st.lists(cells, min_size=1, max_size=4))
    pool = [*pool, None] if may_miss and draw(st.booleans()) else pool
    return build(draw(st.lists(st.sampled_from(pool), min_size=n_rows, max_size=n_rows)))


@st.composite
def frames(draw: st.DrawFn, max_rows: int = 6, max_columns: int = 4) -> pd.DataFrame:
    """Draw a frame of one to `max_rows` rows over all dtypes."""
    n_rows = draw(st.integers(1, max_rows))
    names = draw(st.lists(st.text(max_size=4) | st.integers(0, 99), min_size=1, max_size=max_columns, unique=True))
    columns = {name: draw(series_of(draw(st.sampled_from(sorted(DTYPES))), n_rows)) for name in names}
    return pd.DataFrame(columns).set_axis(draw(st.permutations(range(n_rows))), axis=0)
