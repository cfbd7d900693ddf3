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
    from imbllm_autogluon.arrays import BoolArray
    from imbllm_autogluon.tables.kinds import ColumnName

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
