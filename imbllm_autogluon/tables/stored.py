"""Cells, dtypes and columns as JSON: plain where JSON has them, tagged where it has not; texts where no file does."""

from __future__ import annotations

import base64
import datetime
import math
import numbers
import uuid
from collections import Counter
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from imbllm_autogluon.errors import InvalidInputError, StoredStateError, TableError
from imbllm_autogluon.tables.column import Column
from imbllm_autogluon.tables.dtypes import ColumnFormat, dense, physical_type_of
from imbllm_autogluon.tables.grid import NumberGrid
from imbllm_autogluon.tables.io import check_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from imbllm_autogluon.tables.dtypes import ColumnName, Kind

    Kinds = Mapping[ColumnName, Kind]


def _timestamp(count: int, unit: Any, zone: str | None) -> pd.Timestamp:
    stamp = pd.Timestamp(np.datetime64(count, unit))
    return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(zone)


# Exact types: a subclass is another type, whose state is unknown. The state is a list of arguments, or one argument.
_CODERS: dict[str, tuple[type, Callable[[Any], Any], Callable[..., Any]]] = {
    "timestamp": (
        pd.Timestamp,
        lambda t: [int(t.asm8.view("i8")), t.unit, None if t.tz is None else str(t.tz)],
        _timestamp,
    ),
    "timedelta": (
        pd.Timedelta,
        lambda t: [int(t.asm8.view("i8")), t.unit],
        lambda *t: pd.Timedelta(np.timedelta64(*t)),
    ),
    "datetime": (datetime.datetime, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    "date": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "time": (datetime.time, datetime.time.isoformat, datetime.time.fromisoformat),
    "duration": (datetime.timedelta, lambda t: [t.days, t.seconds, t.microseconds], datetime.timedelta),
    "decimal": (Decimal, str, Decimal),
    "bytes": (bytes, lambda raw: base64.b64encode(raw).decode(), base64.b64decode),
    "uuid": (uuid.UUID, str, uuid.UUID),
    "period": (
        pd.Period,
        lambda p: [p.ordinal, p.freqstr],
        lambda ordinal, freq: pd.Period(ordinal=ordinal, freq=freq),
    ),
    "interval": (
        pd.Interval,
        lambda i: [_scalar_to_json(i.left), _scalar_to_json(i.right), i.closed],
        lambda left, right, closed: pd.Interval(_scalar_from_json(left), _scalar_from_json(right), closed=closed),
    ),
    "float": (float, repr, float),
}

_TAG_OF = {coder[0]: tag for tag, coder in _CODERS.items()}


def _scalar_to_json(value: Any) -> Any:
    """A value that ``json.dumps`` accepts and :func:`_scalar_from_json` turns back into an equal one.

    >>> _scalar_to_json(Decimal("1.10"))
    {'decimal': '1.10'}
    """
    if type(value) in (str, int, bool) or value is None or (type(value) is float and math.isfinite(value)):
        return value
    # The item of a long double is a long double: it has more than 64 bits and is refused below.
    if isinstance(value, np.generic) and value.dtype.kind in "biufSU" and not isinstance(value.item(), np.generic):
        return {"numpy": [value.dtype.str, _scalar_to_json(value.item())]}
    tag = _TAG_OF.get(type(value))
    if tag is None or (tag == "datetime" and not isinstance(value.tzinfo, (datetime.timezone, type(None)))):
        raise InvalidInputError(
            f"{value!r} of type {type(value).__name__} cannot be stored; allowed are strings, numbers of at most 64 "
            "bits, booleans, dates and times, Decimal, bytes, UUID, pandas Period and Interval: convert the column, "
            "for example to strings."
        )
    return {tag: _CODERS[tag][1](value)}


def _scalar_from_json(state: Any) -> Any:
    """The value that :func:`_scalar_to_json` wrote; `StoredStateError` where its tag is unknown."""
    if not isinstance(state, dict):
        return state
    ((tag, content),) = state.items()
    if tag == "numpy":
        return np.dtype(content[0]).type(_scalar_from_json(content[1]))
    if tag not in _CODERS:
        raise StoredStateError(f"the stored value {state!r} has an unknown tag: was it stored by a newer version?")
    return _CODERS[tag][2](*(content if isinstance(content, list) else [content]))


def _dtype_to_json(dtype: Any) -> dict[str, Any]:
    """State that ``json.dumps`` accepts; `InvalidInputError` where pandas cannot make the dtype from its name."""
    if isinstance(dtype, pd.CategoricalDtype):
        # NumPy objects inside an object index stay what they are.
        levels = dtype.categories if dtype.categories.dtype == object else map(_python, dtype.categories)
        of = _dtype_to_json(dtype.categories.dtype)
        return {"levels": [_scalar_to_json(level) for level in levels], "of": of, "ordered": bool(dtype.ordered)}
    if isinstance(dtype, pd.ArrowDtype):
        schema = pa.schema([pa.field("", dtype.pyarrow_dtype)]).serialize()
        return {"arrow": base64.b64encode(schema.to_pybytes()).decode()}
    if isinstance(dtype, pd.SparseDtype):
        return {"sparse": _dtype_to_json(np.dtype(dtype.subtype)), "fill": _scalar_to_json(_python(dtype.fill_value))}
    if isinstance(dtype, pd.StringDtype):
        return {"string": dtype.storage, "nan": getattr(dtype, "na_value", pd.NA) is not pd.NA}
    return {"name": _checked_name(dtype)}


def _dtype_from_json(state: dict[str, Any]) -> Any:
    """The dtype that :func:`_dtype_to_json` wrote; `StoredStateError` where its form is unknown."""
    if "levels" in state:
        levels = [_scalar_from_json(level) for level in state["levels"]]
        return pd.CategoricalDtype(pd.Index(levels, dtype=_dtype_from_json(state["of"])), ordered=state["ordered"])
    if "arrow" in state:
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(state["arrow"])))
        return pd.ArrowDtype(schema.field(0).type)
    if "sparse" in state:
        return pd.SparseDtype(_dtype_from_json(state["sparse"]), _scalar_from_json(state["fill"]))
    if "string" in state:
        return pd.StringDtype(state["string"], **({"na_value": np.nan} if state["nan"] else {}))
    if "name" in state:
        return pd.api.types.pandas_dtype(state["name"])
    raise StoredStateError(f"the stored dtype {state!r} is of no known form: was it stored by a newer version?")


def _python(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) and value.dtype.kind not in "mM" else value


def _checked_name(dtype: Any) -> str:
    name = str(dtype)
    try:
        known = pd.api.types.pandas_dtype(name) == dtype
    except TypeError:
        known = False
    if not known:
        raise InvalidInputError(f"the dtype {name} cannot be stored: pandas has no name for it; convert the column.")
    return name


def column_to_dict(column: Column) -> dict[str, Any]:
    """State of a column that ``json.dumps`` accepts."""
    return {
        **vars(column),
        "grid": None if column.grid is None else asdict(column.grid),
        "categories": [_scalar_to_json(category) for category in column.categories],
        "format": {**vars(column.format), "dtype": _dtype_to_json(column.format.dtype)},
    }


def column_from_dict(state: dict[str, Any]) -> Column:
    """The column that :func:`column_to_dict` wrote."""
    parts = {
        "grid": None if state["grid"] is None else NumberGrid(**state["grid"]),
        "categories": tuple(_scalar_from_json(category) for category in state["categories"]),
        "format": ColumnFormat(**{**state["format"], "dtype": _dtype_from_json(state["format"]["dtype"])}),
    }
    return Column(**{**state, **parts})


def with_texts(df: pd.DataFrame) -> pd.DataFrame:
    """The frame with texts for the values of columns that no file holds as they are: of intervals, lists and so on.

    >>> frame = pd.DataFrame({"size": [3, 9], "range": pd.cut([3, 9], [0, 5, 10])})
    >>> with_texts(frame)["range"].tolist()
    ['(0, 5]', '(5, 10]']
    """
    coded = df.copy(deep=False)
    for place in _odd_columns(df):
        texts: Any = pd.Series(_texts(df.iloc[:, place]), dtype=object, index=df.index)
        coded.isetitem(place, texts)
    return coded


def with_values(rows: pd.DataFrame, df: pd.DataFrame) -> pd.DataFrame:
    """Rows like those of :func:`with_texts` in the columns and dtypes of `df`, with the values its texts stand for."""
    restored = rows.set_axis(df.columns, axis=1)
    for place in _odd_columns(df):
        first = {text: row for row, text in reversed(list(enumerate(_texts(df.iloc[:, place]))))}
        texts = rows.iloc[:, place].astype(object).where(rows.iloc[:, place].notna(), None)
        values: Any = df.iloc[[first[text] for text in texts], place].set_axis(rows.index)
        restored.isetitem(place, values)
    return restored.astype(df.dtypes)


def with_plain_names(df: pd.DataFrame, kinds: Kinds | None = None) -> tuple[pd.DataFrame, Kinds]:
    """The frame and `kinds` under names that are strings or integers: where another one is among them, under texts.

    `TableError` where one of these is repeated.

    >>> with_plain_names(pd.DataFrame([[1, 2]], columns=[("age", 0), None]))[0].columns.tolist()
    ["('age', 0)", 'None']
    """
    if all(isinstance(name, (str, numbers.Integral)) and not isinstance(name, bool) for name in df.columns):
        return df, kinds or {}
    check_frame(df, "the table")
    called: dict[Any, ColumnName] = dict(zip(df.columns, _distinct_texts(df.columns), strict=True))
    named = df.set_axis(pd.Index(called.values()), axis=1)
    return named, {called.get(name, name): kind for name, kind in (kinds or {}).items()}


def _odd_columns(df: pd.DataFrame) -> list[int]:
    return [place for place in range(df.shape[1]) if not _fits_a_file(df.iloc[:, place])]


def _fits_a_file(series: pd.Series[Any]) -> bool:
    """Whether the cells are numbers, times or texts, or categories of whole numbers or texts."""
    try:
        physical_type = physical_type_of(dense(series), "")
    except TableError:
        return False
    if isinstance(series.dtype, pd.CategoricalDtype):
        levels = list(series.cat.categories)
        return all(type(level) is int for level in levels) or _are_encodable(levels)
    return _are_encodable(series.dropna().unique()) if physical_type == "words" else physical_type != "levels"


def _are_encodable(levels: Iterable[Any]) -> bool:
    """Whether all levels are texts of UTF-8, which has no lone surrogates (halves of characters)."""
    try:
        "".join(levels).encode()
    except (TypeError, UnicodeEncodeError):
        return False
    return True


def _texts(series: pd.Series[Any]) -> list[str | None]:
    """Texts of a column, equal ones for equal values; None where a cell is missing."""
    keys = [None if gone else _identity(cell) for cell, gone in zip(series, series.isna(), strict=True)]
    cells = {key: cell for key, cell in zip(keys, series, strict=True) if key is not None}
    texts: dict[Any, str | None] = dict(zip(cells, _distinct_texts(cells.values()), strict=True))
    return [texts.get(key) for key in keys]


def _distinct_texts(values: Iterable[object]) -> list[str]:
    """A text of each value, all different, which every file can hold."""
    texts: dict[str, None] = {}
    seen: Counter[str] = Counter()
    for value in values:
        text = base = str(value).encode("utf-8", "backslashreplace").decode()
        while text in texts:
            seen[base] += 1
            text = f"{base} ({seen[base] + 1})"
        texts[text] = None
    return list(texts)


def _identity(cell: Any) -> tuple[type, Any]:
    """Equal for cells of one type that are equal, or where they cannot be hashed, look alike."""
    try:
        hash(cell)
    except TypeError:
        return type(cell), str(cell)
    return type(cell), cell
