"""The distinct cells of a column as Python objects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types as pdt

from imbllm_autogluon.errors import TableError

if TYPE_CHECKING:
    from imbllm_autogluon.tables.kinds import ColumnName

Codes = npt.NDArray[np.int64]


def distinct_levels(
    series: pd.Series[Any], missing: npt.NDArray[np.bool_], name: ColumnName
) -> tuple[Codes, list[Any]]:
    """Codes of the cells of a dense series (-1 where missing) and the levels they point at.

    Levels are in order of first appearance (pandas ``category``: in the order of the dtype, unseen ones included).
    Cells of `object` columns with several types are told apart by type too: 1, 1.0 and True are three levels.

    Raises
    ------
    TableError
        A cell is infinite or cannot be hashed.
    """
    codes, levels = _factorize(series, name)
    codes[missing] = -1
    for level in levels:
        if isinstance(level, float) and math.isinf(level):
            raise TableError(f"column {name!r} holds the infinite value {level}: replace it by a missing value.")
    return codes, levels


def _factorize(series: pd.Series[Any], name: ColumnName) -> tuple[Codes, list[Any]]:
    if isinstance(series.dtype, pd.CategoricalDtype):
        return series.cat.codes.to_numpy().astype(np.int64), _as_python(series.cat.categories)
    if pdt.is_object_dtype(series.dtype) and len(set(map(type, series))) > 1:
        return _factorize_by_type(series.to_numpy(), name)
    codes, uniques = pd.factorize(series)
    return codes.astype(np.int64), _as_python(uniques)


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


def _as_python(uniques: Any) -> list[Any]:
    """Python objects of a distinct array; float16 and float32 become the short decimal they stand for."""
    dtype = uniques.dtype
    if pdt.is_object_dtype(dtype):
        return list(np.asarray(uniques, dtype=object))
    if str(dtype).lower().startswith(("float16", "float32")):
        return [float(str(np.asarray(cell)[()])) for cell in uniques]
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
