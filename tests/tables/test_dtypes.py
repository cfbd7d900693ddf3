"""dtypes survive JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.tables.dtypes import dtype_from_json, dtype_to_json

NAMES = ["int8", "uint64", "float16", "bool", "object", "Int64", "Float32", "boolean", "datetime64[s]", "period[M]"]
NAMES += ["datetime64[ns, Europe/Berlin]", "datetime64[us, UTC+01:00]", "timedelta64[ms]", "interval[int64, left]"]
DTYPES: list[Any] = [
    *map(pd.api.types.pandas_dtype, NAMES),
    pd.StringDtype("python"),
    pd.StringDtype("pyarrow"),
    pd.CategoricalDtype(["b", "a"], ordered=True),
    pd.CategoricalDtype([3, 1]),
    pd.CategoricalDtype(pd.Index([0.1, 2.5], dtype="float32")),
    pd.CategoricalDtype(pd.to_datetime(["2020-01-01"])),
    pd.CategoricalDtype(pd.IntervalIndex.from_breaks([0, 1, 2])),
    pd.CategoricalDtype(pd.Index(["u", 1, 2.5], dtype=object)),
    pd.SparseDtype("float64", np.nan),
    pd.SparseDtype("int8", 3),
    pd.SparseDtype("bool", False),
    pd.ArrowDtype(pa.timestamp("us", "Europe/Berlin")),
    pd.ArrowDtype(pa.decimal128(12, 3)),
    pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string())),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_dtype_comes_back_equal(dtype: Any) -> None:
    restored = dtype_from_json(json.loads(json.dumps(dtype_to_json(dtype), allow_nan=False)))
    assert restored == dtype
    assert type(restored) is type(dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        pd.testing.assert_index_equal(restored.categories, dtype.categories, exact=True)
        assert restored.ordered == dtype.ordered
    if isinstance(dtype, pd.StringDtype):
        assert restored.storage == dtype.storage


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(StoredStateError, match="newer version"):
        dtype_from_json({"colour": "red"})
