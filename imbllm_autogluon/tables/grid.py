"""The grid of a numeric column: which numbers it may hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from imbllm_autogluon.errors import InvalidInputError, TableError

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray

_EXACT_POWER, _LARGEST_POWER = 22, 308  # largest powers of ten that float64 holds exactly, and at all

# Largest multiples of an exact and of a rounded power of ten that float64 division and multiplication still invert.
_EXACT_UNITS, _ROUNDED_UNITS = 10.0**15, 10.0**14
_POINTS = 6  # a range of full-precision values is cut into about 10**6 points: finer than a model of a fold can learn

# Points of a range above which floats of so many bits count as full precision: their digits carry no decimals.
_MOST_POINTS = {16: 10.0**5, 32: 10.0**8, 64: 10.0**14}
_PROBE = 512  # values tried first: most wrong numbers of decimals fail on these few, whatever the length of the column


@dataclass(frozen=True)
class NumberGrid:
    """The numbers a column may hold: an interval and the distance between neighbors.

    `minimum` is a float for continuous columns (arrays of float64), an int for integer and datetime columns (int64).

    >>> prices = NumberGrid.of_floats(np.array([0.5, 9.95, 120.0]))
    >>> prices.decimals, prices.snap(np.array([3.14159, 500.0])).tolist()
    (2, [3.14, 120.0])
    """

    minimum: float | int  # smallest number, itself on the grid
    maximum: float | int  # largest number, itself on the grid
    # Continuous: numbers are multiples of 10**-decimals (negative: of tens, hundreds, ...); a column of full precision
    # gets as many as make about 10**6 points of its range. Otherwise 0.
    decimals: int
    step: int = 1  # integer and datetime: numbers are `minimum` plus multiples of this; continuous: 1

    def __post_init__(self) -> None:
        one_type = isinstance(self.minimum, int) == isinstance(self.maximum, int)
        if self.minimum > self.maximum or self.step < 1 or not one_type:
            raise InvalidInputError(
                f"a grid needs minimum <= maximum of one type and a step of at least 1; got {self!r}."
            )

    @classmethod
    def of_floats(cls, values: npt.ArrayLike, bits: int = 64) -> NumberGrid:
        """Grid of a continuous column (finite float64, shape (n,), n >= 1).

        Decimals are those of the shortest text of the column's own floats, of so many `bits`: float32 0.1 has one.
        """
        unique = np.unique(np.asarray(values, dtype=np.float64))
        decimals = _shared_decimals(unique, bits)
        if decimals is None:
            return _rounded_grid(unique)
        low, high = shortest(unique[[0, -1]], decimals, bits)
        return cls(float(low) + 0.0, float(high) + 0.0, decimals)

    @classmethod
    def of_integers(cls, values: IntArray) -> NumberGrid:
        """Grid of an integer column (int64, shape (n,)): the step is the greatest common divisor of all distances.

        `TableError` where the range holds 2**63 points or more.
        """
        step = int(np.gcd.reduce(_distances(np.unique(values), int(values.min()))))
        return cls._of_whole(values, max(step, 1))

    @classmethod
    def of_times(cls, values: IntArray, steps: tuple[int, ...]) -> NumberGrid:
        """Grid of a datetime column: the first of `steps` (coarsest first) of which all values are multiples."""
        return cls._of_whole(values, next((step for step in steps if not np.any(values % step)), 1))

    @classmethod
    def _of_whole(cls, values: IntArray, step: int) -> NumberGrid:
        low, high = int(values.min()), int(values.max())
        if (high - low) // step >= 2**63:
            raise TableError(f"the range {low} .. {high} holds more points than int64 can count.")
        return cls(low, high, 0, step)

    def snap(self, values: npt.ArrayLike) -> npt.NDArray[Any]:
        """Nearest grid point inside the range of every value; float64 for continuous columns, else int64."""
        inside = np.clip(np.asarray(values), self.minimum, self.maximum)
        return self.from_units(self.to_units(inside))

    def to_units(self, values: npt.ArrayLike) -> IntArray:
        """Whole numbers that stand for grid points.

        Continuous: ``value * 10**decimals``, so 0 stands for 0. Integer and datetime: ``(value - minimum) / step``,
        so 0 stands for the minimum. Values off the grid go to the nearest point.
        """
        numbers = np.asarray(values)
        if not isinstance(self.minimum, int):
            return np.rint(_times_ten_to(numbers.astype(np.float64), self.decimals)).astype(np.int64)
        if numbers.dtype.kind == "f":
            return np.rint((numbers - self.minimum) / self.step).astype(np.int64)
        step = np.uint64(self.step)
        units, rest = np.divmod(_distances(numbers.astype(np.int64), self.minimum), step)
        return (units + (rest > step - rest)).astype(np.int64)

    def from_units(self, units: npt.ArrayLike) -> npt.NDArray[Any]:
        """Grid points that whole numbers stand for: the inverse of :meth:`to_units`."""
        whole = np.asarray(units, dtype=np.int64)
        if isinstance(self.minimum, int):
            offsets = whole.astype(np.uint64) * np.uint64(self.step)
            return (offsets + _wrapped(self.minimum)).astype(np.int64)
        return _times_ten_to(whole.astype(np.float64), -self.decimals)


def shortest(values: FloatArray, decimals: int, bits: int) -> FloatArray:
    """Replace float16 and float32 values, widened to float64, by the short decimal they stand for, where they do."""
    if bits == 64:
        return values
    with np.errstate(over="ignore"):
        short, own = _rounded(values, decimals), f"float{bits}"
        return np.where(short.astype(own) == values.astype(own), short, values)


def _rounded(values: FloatArray, decimals: int) -> FloatArray:
    return _times_ten_to(np.rint(_times_ten_to(values, decimals)), -decimals)


def _distances(values: IntArray, low: int) -> npt.NDArray[np.uint64]:
    """Return ``values - low`` as uint64: a difference of two int64 may need 64 bits."""
    return values.astype(np.uint64) - _wrapped(low)


def _wrapped(number: int) -> np.uint64:
    """Return a number modulo 2**64, in which NumPy's unsigned arithmetic is exact."""
    return np.uint64(number % 2**64)


def _times_ten_to(values: FloatArray, power: int) -> FloatArray:
    """Multiply by a power of ten, by division where it is negative: only whole powers are exact in binary."""
    return values * 10.0**power if power >= 0 else values / 10.0**-power


def _shared_decimals(unique: FloatArray, bits: int) -> int | None:
    """Smallest number of decimals with which every value can be written, or None at full precision."""
    size, width = _magnitude(unique), float(unique[-1] / 2 - unique[0] / 2) * 2
    if size == 0:
        return 0
    first = -min(math.floor(math.log10(size)), _EXACT_POWER)
    probe = unique[:: max(1, len(unique) // _PROBE)]
    for decimals in range(first, _EXACT_POWER + 1):
        if max(size / _EXACT_UNITS, width / _MOST_POINTS[bits]) > 10.0**-decimals:
            return None
        if _have_decimals(probe, decimals, bits) and _have_decimals(unique, decimals, bits):
            return decimals
    return None


def _have_decimals(values: FloatArray, decimals: int, bits: int) -> bool:
    own = f"float{bits}"
    return bool(np.array_equal(_rounded(values, decimals).astype(own), values.astype(own)))


def _rounded_grid(unique: FloatArray) -> NumberGrid:
    """Grid of about 10**6 points inside the range of full-precision values."""
    width = float(unique[-1] / 2 - unique[0] / 2) * 2 or _magnitude(unique)
    finest = math.floor(math.log10(_ROUNDED_UNITS) - math.log10(_magnitude(unique)))
    wished = round(_POINTS - math.log10(width)) if width < math.inf else finest
    decimals = max(min(wished, finest, _LARGEST_POWER), -_LARGEST_POWER)
    low, high = math.ceil(_times_ten_to(unique[0], decimals)), math.floor(_times_ten_to(unique[-1], decimals))
    if low > high:  # no point inside: the one next to the range, towards 0 where it cannot overflow
        low = high = min(low, high, key=abs)
    ends = _times_ten_to(np.array([low, high], dtype=np.float64), -decimals)
    return NumberGrid(float(ends[0]) + 0.0, float(ends[1]) + 0.0, decimals)


def _magnitude(unique: FloatArray) -> float:
    return float(np.max(np.abs(unique[[0, -1]])))
