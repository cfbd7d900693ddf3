"""Columns of text as numbers and booleans where every cell is one, and the way back to the same cells."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pa_compute
from pandas.api import types as pdt

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.dtypes import holds_numbers

_Text = Any  # Arrow's strings, null where a cell is missing
_pc: Any = pa_compute  # its functions are made at run time

_GAPS = ("NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "None", "")
# What stands for a missing number, as R, pandas and databases write it

_FLAGS = {"true", "false"}
_MOST_DIGITS = 15  # decimal digits that a float64 always keeps (IEEE 754)
# Rows of which floats are compared with their cells: for all rows of a large table it takes longer than reading them
_ROWS_SPELLED = 100_000
_MOST_ODD = 1_000  # spellings of single values that are remembered for one column


@dataclass(frozen=True)
class Spelling:
    """How the numbers of one column are written; by default as Python writes them.

    >>> Spelling(decimals=2, gap="NA").written(pd.Series([1.5, None]))
    ['1.50', 'NA']
    """

    decimals: int | None = None  # of every cell; None: as many as a number needs
    whole: bool = False  # whether a float without fraction is written 3, not 3.0
    gap: str | None = None  # what stands in missing cells
    odd: tuple[tuple[Any, str], ...] = ()  # values that are written otherwise, such as 100000.0 as 1e5

    def written(self, column: pd.Series[Any]) -> list[str | None]:
        """Cells of a column of numbers or booleans."""
        odd = dict(self.odd)
        cells = zip(column.tolist(), column.isna().tolist(), strict=True)
        return [self.gap if missing else odd.get(value) or self.plain(value) for value, missing in cells]

    def plain(self, value: Any) -> str:
        """A value that is not odd."""
        if self.decimals is not None:
            return f"{value:.{self.decimals}f}"
        return repr(value).removesuffix(".0") if self.whole else repr(value)

    def with_odd(self, cells: Any, number: type[int | float]) -> Spelling:
        """The spelling with the values among `cells` that it writes otherwise, unless these are too many."""
        values = [(number(cell), cell) for cell in _pc.unique(cells).to_pylist()]
        odd = {value: cell for value, cell in reversed(values) if self.plain(value) != cell}
        return replace(self, odd=tuple(odd.items())) if len(odd) <= _MOST_ODD else self


def typed_cells(cells: _Text, like: Any = None) -> tuple[pd.Series[Any], Spelling]:
    """A column of text as int64, Int64 (whole numbers with a gap), float64, bool or objects, and how it was written.

    With `like`, the dtype of the column in another table, text stays text and numbers with leading zeros are numbers;
    `TableError` where that column holds numbers and a cell is none.
    """
    like = like.categories.dtype if isinstance(like, pd.CategoricalDtype) else like
    if like is not None and (pdt.is_object_dtype(like) or pdt.is_string_dtype(like)):
        return cells.to_pandas(), Spelling()
    asked = like is not None and holds_numbers(like)
    try:
        plain, values = _numbers(cells)
    except pa.ArrowInvalid as error:
        if asked:
            hint = "correct the cell, or name a word for missing cells with --missing"
            raise TableError(f"holds numbers in the table it belongs to, but here: {error}; {hint}") from error
        return _flags(cells, like)
    if not asked and _are_codes(cells, plain, values):
        return cells.to_pandas(), Spelling()
    nullable = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()} if values.null_count else {}
    return values.to_pandas(types_mapper=nullable.get), _spelling_of(cells, plain, values)


def _numbers(cells: _Text) -> tuple[_Text, Any]:
    """Cells without spaces and words for gaps, and as the first of int64, uint64 and float64 that keeps them."""
    plain = _pc.ascii_trim_whitespace(cells)
    plain = _pc.if_else(_pc.is_in(plain, value_set=pa.array(_GAPS)), None, plain)
    floats = _pc.cast(plain, pa.float64())
    for kind in (pa.int64(), pa.uint64()):
        with contextlib.suppress(pa.ArrowInvalid):
            whole = _pc.cast(plain, kind)
            if _pc.all(_pc.equal(_pc.cast(whole, pa.string()), plain), min_count=1).as_py():
                return plain, whole
    return plain, floats


def _are_codes(cells: _Text, plain: _Text, values: Any) -> bool:
    """Whether digits are text all the same: with leading zeros, with a plus before each, or nothing but words."""
    if not pa.types.is_floating(values.type):
        return False
    zeros = plain.filter(_pc.or_(_pc.starts_with(plain, "0"), _pc.starts_with(plain, "-0")))
    is_code = _pc.any(_pc.match_substring_regex(zeros, "^-?0[0-9]")).as_py()
    words = plain.null_count == len(plain) > cells.null_count
    return bool(is_code or words or _pc.all(_pc.starts_with(plain, "+"), min_count=1).as_py())


def _flags(cells: _Text, like: Any) -> tuple[pd.Series[Any], Spelling]:
    """Booleans of cells such as TRUE and False, text otherwise, and with a gap unless `like` is bool."""
    asked = like is not None and pdt.is_bool_dtype(like)
    words = [str(word) for word in _pc.unique(cells).to_pylist() if word or not asked]
    if len(words) > len(_FLAGS) or not {word.lower() for word in words} <= _FLAGS:
        return cells.to_pandas(), Spelling()
    odd = tuple((word.lower() == "true", word) for word in words if word not in ("True", "False"))
    return _pc.equal(_pc.utf8_lower(cells), "true").to_pandas(), Spelling(odd=odd)


def _spelling_of(cells: _Text, plain: _Text, values: Any) -> Spelling:
    gaps = _pc.unique(cells.filter(_pc.is_null(values))).to_pylist()
    spelling, same = Spelling(gap=gaps[0] if len(gaps) == 1 else None), _pc.equal(cells, plain)
    if not pa.types.is_floating(values.type):
        return spelling.with_odd(cells.filter(_pc.invert(same)), int)
    decimals = _shared_decimals(plain)
    if decimals is None:
        cells, plain, values = (part.slice(0, _ROWS_SPELLED) for part in (cells, plain, values))
        # Beyond these bounds Arrow and Python use exponents in different ways.
        usual = _pc.and_(_pc.greater_equal(_pc.abs(values), 1e-4), _pc.less(_pc.abs(values), 1e15))
        same = _pc.and_(usual, _pc.equal(_pc.cast(values, pa.string()), cells))
        whole = _pc.match_substring_regex(plain.filter(_pc.equal(_pc.floor(values), values)), "^-?[0-9]+$")
        spelling = replace(spelling, whole=bool(_pc.any(whole).as_py()))
    return replace(spelling, decimals=decimals).with_odd(cells.filter(_pc.invert(same)), float)


def _shared_decimals(plain: _Text) -> int | None:
    """Decimal places that all cells have, written in full and no longer than a float64 keeps them, or None."""
    places = len(str(plain.drop_null()[:1][0]).partition(".")[2]) if plain.null_count < len(plain) else 0
    form = rf"^-?(?:0|[1-9][0-9]{{0,{max(0, _MOST_DIGITS - 1 - places)}}})\.[0-9]{{{places}}}$"
    probes = (plain.slice(0, 100), plain)
    return places if places and all(_pc.all(_pc.match_substring_regex(part, form)).as_py() for part in probes) else None
