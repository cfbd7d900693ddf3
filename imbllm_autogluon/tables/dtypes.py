"""pandas dtypes as JSON."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.tables.scalars import scalar_from_json, scalar_to_json


def holds_numbers(dtype: Any) -> bool:
    """Whether a column of this dtype holds numbers; pandas counts booleans among them, nobody else does."""
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def dtype_to_json(dtype: Any) -> dict[str, Any]:
    """Return state that ``json.dumps`` accepts, of any dtype a table may have.

    Raises
    ------
    InvalidInputError
        pandas cannot make the dtype from its name, or a level of a category cannot be stored.

    Examples
    --------
    >>> dtype_to_json(pd.CategoricalDtype(["low", "high"], ordered=True))
    {'levels': ['low', 'high'], 'of': {'name': 'object'}, 'ordered': True}
    """
    if isinstance(dtype, pd.CategoricalDtype):
        levels = [scalar_to_json(level) for level in _python_levels(dtype)]
        return {"levels": levels, "of": dtype_to_json(dtype.categories.dtype), "ordered": bool(dtype.ordered)}
    if isinstance(dtype, pd.ArrowDtype):
        schema = pa.schema([pa.field("", dtype.pyarrow_dtype)]).serialize()
        return {"arrow": base64.b64encode(schema.to_pybytes()).decode()}
    if isinstance(dtype, pd.SparseDtype):
        return {"sparse": dtype_to_json(np.dtype(dtype.subtype)), "fill": scalar_to_json(_python(dtype.fill_value))}
    if isinstance(dtype, pd.StringDtype):
        return {"string": dtype.storage, "nan": getattr(dtype, "na_value", pd.NA) is not pd.NA}
    return {"name": _checked_name(dtype)}


def dtype_from_json(state: dict[str, Any]) -> Any:
    """Return the dtype that :func:`dtype_to_json` wrote.

    Raises
    ------
    StoredStateError
        The state is of no known form.
    """
    if "levels" in state:
        levels = [scalar_from_json(level) for level in state["levels"]]
        return pd.CategoricalDtype(pd.Index(levels, dtype=dtype_from_json(state["of"])), ordered=state["ordered"])
    if "arrow" in state:
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(state["arrow"])))
        return pd.ArrowDtype(schema.field(0).type)
    if "sparse" in state:
        return pd.SparseDtype(dtype_from_json(state["sparse"]), scalar_from_json(state["fill"]))
    if "string" in state:
        return pd.StringDtype(state["string"], **({"na_value": np.nan} if state["nan"] else {}))
    if "name" in state:
        return pd.api.types.pandas_dtype(state["name"])
    raise StoredStateError(f"the stored dtype {state!r} is of no known form: was it stored by a newer version?")


def _python_levels(dtype: pd.CategoricalDtype) -> list[Any]:
    """Levels as Python objects; NumPy objects inside an object index stay what they are."""
    levels: Any = dtype.categories
    return list(levels) if levels.dtype == object else [_python(level) for level in levels]


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
