"""Single values as JSON: plain where JSON has them, tagged where it has not."""

from __future__ import annotations

import base64
import datetime
import math
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import InvalidInputError, StoredStateError

_Coder = tuple[type, Callable[[Any], Any], Callable[[Any], Any]]


def _timestamp_state(stamp: pd.Timestamp) -> list[Any]:
    return [stamp.asm8.view("i8").item(), stamp.unit, None if stamp.tz is None else str(stamp.tz)]


def _timestamp(state: list[Any]) -> pd.Timestamp:
    stamp = pd.Timestamp(np.datetime64(state[0], state[1]))
    return stamp if state[2] is None else stamp.tz_localize("UTC").tz_convert(state[2])


def _interval_state(interval: pd.Interval[Any]) -> list[Any]:
    return [scalar_to_json(interval.left), scalar_to_json(interval.right), interval.closed]


def _interval(state: list[Any]) -> pd.Interval[Any]:
    left, right, closed = state
    return pd.Interval(scalar_from_json(left), scalar_from_json(right), closed=closed)


# Exact types: a subclass is another type, whose state is unknown.
_CODERS: dict[str, _Coder] = {
    "timestamp": (pd.Timestamp, _timestamp_state, _timestamp),
    "timedelta": (
        pd.Timedelta,
        lambda delta: [delta.asm8.view("i8").item(), delta.unit],
        lambda state: pd.Timedelta(np.timedelta64(*state)),
    ),
    "datetime": (datetime.datetime, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    "date": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "time": (datetime.time, datetime.time.isoformat, datetime.time.fromisoformat),
    "duration": (
        datetime.timedelta,
        lambda delta: [delta.days, delta.seconds, delta.microseconds],
        lambda state: datetime.timedelta(*state),
    ),
    "decimal": (Decimal, str, Decimal),
    "bytes": (bytes, lambda raw: base64.b64encode(raw).decode(), base64.b64decode),
    "uuid": (uuid.UUID, str, uuid.UUID),
    "period": (
        pd.Period,
        lambda period: [period.ordinal, period.freqstr],
        lambda state: pd.Period(ordinal=state[0], freq=state[1]),
    ),
    "interval": (pd.Interval, _interval_state, _interval),
    "float": (float, repr, float),
}

_TAG_OF = {coder[0]: tag for tag, coder in _CODERS.items()}


def scalar_to_json(value: Any) -> Any:
    """Return a value that ``json.dumps`` accepts and :func:`scalar_from_json` turns back into an equal one.

    Parameters
    ----------
    value
        A str, int, float, bool, None, bytes, Decimal, UUID, anything of `datetime`, a pandas Timestamp, Timedelta,
        Period or Interval, or a NumPy scalar.

    Raises
    ------
    InvalidInputError
        The value is of any other type.

    Examples
    --------
    >>> scalar_to_json(Decimal("1.10"))
    {'decimal': '1.10'}
    """
    if type(value) in (str, int, bool) or value is None or (type(value) is float and math.isfinite(value)):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "biufSU":
        return {"numpy": [value.dtype.str, scalar_to_json(_numpy_item(value))]}
    tag = _TAG_OF.get(type(value))
    if tag is None or (isinstance(value, datetime.datetime) and _has_unknown_zone(value)):
        raise InvalidInputError(
            f"{value!r} of type {type(value).__name__} cannot be stored; allowed are strings, numbers, booleans, dates "
            "and times, Decimal, bytes, UUID, pandas Period and Interval: convert the column, for example to strings."
        )
    return {tag: _CODERS[tag][1](value)}


def scalar_from_json(state: Any) -> Any:
    """Return the value that :func:`scalar_to_json` wrote.

    Raises
    ------
    StoredStateError
        The tag is unknown.
    """
    if not isinstance(state, dict):
        return state
    ((tag, content),) = state.items()
    if tag == "numpy":
        return np.dtype(content[0]).type(scalar_from_json(content[1]))
    if tag not in _CODERS:
        raise StoredStateError(f"the stored value {state!r} has an unknown tag: was it stored by a newer version?")
    return _CODERS[tag][2](content)


def _numpy_item(value: np.generic) -> Any:
    """Python twin of a NumPy scalar; long doubles would lose digits and have none."""
    if value.dtype.kind == "f" and value.dtype.itemsize > np.dtype(np.float64).itemsize:
        raise InvalidInputError(f"{value!r} has more than 64 bits and cannot be stored: convert the column to float64.")
    return value.item()


def _has_unknown_zone(value: datetime.datetime) -> bool:
    """Whether the time zone is lost in a stored state (an ISO text keeps fixed offsets only)."""
    if isinstance(value, pd.Timestamp) or value.tzinfo is None:
        return False
    return not isinstance(value.tzinfo, datetime.timezone)
