"""The grid of a numeric column: which numbers it may hold."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
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

# Of a column over many powers of ten: digits of full-precision values, at most those that arithmetic keeps apart, and
# points of an absolute grid above which numbers of few digits are written with these instead.
_DIGITS, _MOST_DIGITS, _LONG_GRID = 5, 14, 10.0**12
# A scale of its own have values of which more than this share lie on one point, or many more than on points so near.
_MOST_SHARE, _NEAR = 1e-3, 16

# Points of a range above which floats of so many bits count as full precision: their digits carry no decimals.
_MOST_POINTS = {16: 10.0**5, 32: 10.0**8, 64: 10.0**14}
_JUDGED = 20_000  # distinct values whose crowding is judged, in even distances, and as many next to 0, where it matters
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
    # Continuous columns over many powers of ten: significant digits of each number, whose distance to the next grows
    # with it; `decimals` are those of the smallest ones. 0: the distance is the same everywhere.
    digits: int = 0

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
        Where they would merge many values (p-values next to 1), numbers get significant digits instead.

        >>> NumberGrid.of_floats(np.geomspace(3e-12, 70, 100)).snap(np.array([1.23456789e-9, 50.0])).tolist()
        [1.2346e-09, 50.0]
        """
        unique = np.unique(np.asarray(values, dtype=np.float64))
        decimals, exact = _shared_decimals(unique, bits), None
        if decimals is not None:
            low, high = shortest(unique[[0, -1]], decimals, bits)
            exact = cls(float(low) + 0.0, float(high) + 0.0, decimals)
            if (high - low) * 10.0**decimals <= _LONG_GRID:
                return exact
        rounded = _rounded_grid(unique)
        if not _merges(rounded, unique):
            return exact or rounded
        relative = _relative_grid(unique, bits)
        return relative if exact is None or relative.holds(unique, bits) else exact

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
        return self.from_units(self.nearest_units(values))

    def nearest_units(self, values: npt.ArrayLike) -> IntArray:
        """Units of the nearest grid point inside the range of every value."""
        return self.to_units(np.clip(np.asarray(values), self.minimum, self.maximum))

    def to_units(self, values: npt.ArrayLike) -> IntArray:
        """Whole numbers that stand for grid points.

        Continuous: ``value * 10**decimals``, so 0 stands for 0. Integer and datetime: ``(value - minimum) / step``,
        so 0 stands for the minimum. Values off the grid go to the nearest point.
        """
        numbers = np.asarray(values)
        if self.digits:
            return self._relative_units(numbers.astype(np.float64))
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
        if not self.digits:
            return _times_ten_to(whole.astype(np.float64), -self.decimals)
        digits, powers = self.split(whole)
        # Read as text, because few powers of ten are exact.
        texts = (f"{d}e{p}" for d, p in zip(digits.ravel().tolist(), powers.ravel().tolist(), strict=True))
        return np.fromiter(map(float, texts), np.float64, whole.size).reshape(whole.shape)

    def split(self, units: npt.ArrayLike) -> tuple[IntArray, IntArray]:
        """Significant digits of units, as whole numbers with their sign, and the powers of ten that they count.

        As in floating point, the smallest power goes on with fewer digits down to 0, so that units are consecutive.
        """
        whole = np.asarray(units, dtype=np.int64)
        decades = np.maximum(np.abs(whole) - 10 ** (self.digits - 1), 0) // self.decade
        return whole - np.sign(whole) * decades * self.decade, decades - self.decimals

    @property
    def decade(self) -> int:
        """Units of each power of ten where numbers have significant digits."""
        return int(9 * 10 ** (self.digits - 1))

    def _relative_units(self, numbers: FloatArray) -> IntArray:
        sizes = np.abs(numbers)
        with np.errstate(divide="ignore"):
            powers = np.floor(np.log10(sizes))  # one too high or low next to a power of ten, where it does not matter
        decades = np.maximum(powers - (self.digits - 1) + self.decimals, 0)
        first = (self.decimals - decades) // 2  # in two steps, because 10**320 is infinite
        counts = np.rint(sizes * 10.0**first * 10.0 ** (self.decimals - decades - first))
        sign, count, above = (part.astype(np.int64) for part in (np.sign(numbers), counts, decades))
        return sign * (count + above * self.decade)  # a sum of floats is exact up to 2**53 alone

    def holds(self, values: FloatArray, bits: int) -> bool:
        """Whether all values of a continuous column, floats of so many bits, are points of the grid."""
        return bool(np.array_equal(_narrowed(self.snap(values), bits), _narrowed(values, bits)))


def shortest(values: FloatArray, decimals: int, bits: int) -> FloatArray:
    """Replace float16 and float32 values, widened to float64, by the short decimal they stand for, where they do."""
    if bits == 64:
        return values
    short = _rounded(values, decimals)
    return np.where(_narrowed(short, bits) == _narrowed(values, bits), short, values)


def _narrowed(values: FloatArray, bits: int) -> npt.NDArray[Any]:
    with np.errstate(over="ignore"):
        return values.astype(f"float{bits}")


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
    return bool(np.array_equal(_narrowed(_rounded(values, decimals), bits), _narrowed(values, bits)))


def _rounded_grid(unique: FloatArray) -> NumberGrid:
    """Grid of about 10**6 points inside the range of full-precision values."""
    width = float(unique[-1] / 2 - unique[0] / 2) * 2 or _magnitude(unique)
    finest = math.floor(math.log10(_ROUNDED_UNITS) - math.log10(_magnitude(unique)))
    wished = round(_POINTS - math.log10(width)) if width < math.inf else finest
    decimals = max(min(wished, finest, _LARGEST_POWER), -_LARGEST_POWER)
    # An end that is not 0 stays so, even where its product is too small for a float.
    low = math.ceil(_times_ten_to(unique[0], decimals)) or int(unique[0] > 0)
    high = math.floor(_times_ten_to(unique[-1], decimals)) or -int(unique[-1] < 0)
    if low > high:  # no point inside: the one next to the range, towards 0 where it cannot overflow
        low = high = min(low, high, key=abs)
    ends = _times_ten_to(np.array([low, high], dtype=np.float64), -decimals)
    return NumberGrid(float(ends[0]) + 0.0, float(ends[1]) + 0.0, decimals)


def _relative_grid(unique: FloatArray, bits: int) -> NumberGrid:
    """Grid of the fewest significant digits that hold full-precision values apart, or all values exactly."""
    sizes = np.log10(np.abs(unique[unique != 0]))
    powers = range(math.floor(sizes.min()), math.floor(sizes.max()) + 1)
    probe = unique[:: max(1, len(unique) // _PROBE)]

    def lacks(power: int, digits: int) -> bool:
        grid = _with_digits(unique, bits, digits, digits - 1 - power)
        holds = grid.holds(probe, bits) and grid.holds(unique, bits)
        return not holds and (digits < _DIGITS or _merges(grid, unique))

    digits = next((digits for digits in range(1, _MOST_DIGITS) if not lacks(powers[0], digits)), _MOST_DIGITS)
    place = 0
    if unique[0] < 0 < unique[-1]:  # numbers next to 0 are small by chance: as few powers of ten as will do
        place = max(0, bisect_left(powers, True, key=lambda power: lacks(power, digits)) - 1)
    return _with_digits(unique, bits, digits, digits - 1 - powers[place])


def _with_digits(unique: FloatArray, bits: int, digits: int, decimals: int) -> NumberGrid:
    grid = NumberGrid(-math.inf, math.inf, decimals, digits=digits)
    low, high = grid.to_units(unique[[0, -1]]).tolist()
    seen, ends = _narrowed(unique[[0, -1]], bits), _narrowed(grid.from_units([low, high]), bits)
    low += int(ends[0] < seen[0])
    high = max(low, high - int(ends[1] > seen[1]))
    least, most = grid.from_units([low, high]).tolist()
    return replace(grid, minimum=least, maximum=most)


def _merges(grid: NumberGrid, unique: FloatArray) -> bool:
    """Whether more distinct values share a point than chance explains, seen from all of them and from those near by."""
    step, zero = 1 + len(unique) // _JUDGED, int(np.searchsorted(unique, 0.0))
    near = unique[max(0, zero - _JUDGED // 2) : zero + _JUDGED // 2]
    return _crowds(grid, unique[::step], len(unique) // step) or (step > 1 and _crowds(grid, near, len(unique)))


def _crowds(grid: NumberGrid, judged: FloatArray, n: int) -> bool:
    """The same of some of `n` distinct values."""
    units = grid.nearest_units(_without_noise(judged))
    points, counts = np.unique(units, return_counts=True)
    reach = np.searchsorted(units, points + _NEAR, "right") - np.searchsorted(units, points - _NEAR)
    usual = (reach - counts) / (2 * _NEAR)
    most = len(str(n // 3)) + _MOST_SHARE * n  # 1 of fewer than 30 values, 2 of fewer than 300, ...
    return bool(np.any(counts > np.minimum(most, 5 + 4 * np.sqrt(usual) + 4 * usual)))


def _without_noise(unique: FloatArray) -> FloatArray:
    """Distinct values without errors of arithmetic, such as those of 0.1 + 0.2 and of 0.1 + 0.2 - 0.3."""
    size = _magnitude(unique)
    noise = (np.abs(unique) < size * 2.0**-48) & (np.fmod(unique, max(math.ulp(size) / 16, math.ulp(0.0))) == 0)
    fractions, powers = np.frexp(np.where(noise, 0.0, unique))
    return np.unique(np.ldexp(np.trunc(fractions * 2.0**44), powers - 44))


def _magnitude(unique: FloatArray) -> float:
    return float(np.max(np.abs(unique[[0, -1]])))
