"""What users of scikit-learn hand over becomes a data frame, or is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.frames import checked_array, checked_frame


def test_a_frame_stays_as_it_is() -> None:
    frame = pd.DataFrame({"a": [1.5, np.inf], "b": ["x", None]}, index=[7, 7])
    assert checked_array(frame) is checked_frame(frame) is frame


@pytest.mark.parametrize(
    ("X", "dtypes"),
    [
        (np.array([[1.0, np.nan], [3.0, 4.0]]), ["float64", "float64"]),
        (np.array([[1, 2], [3, 4]], dtype="int8"), ["int8", "int8"]),
        ([[1, 2.5], [3, 4.0]], ["float64", "float64"]),
        ([[1, "x"], [3, "y"]], ["object", "object"]),
    ],
)
def test_arrays_and_lists_become_numbered_columns(X: Any, dtypes: list[str]) -> None:
    frame = checked_frame(X)
    assert list(frame.columns) == [0, 1]
    assert [str(dtype) for dtype in frame.dtypes] == dtypes


def test_numbers_beside_text_in_a_list_stay_numbers() -> None:
    assert checked_frame([[1, "x"], [3, "y"]])[0].tolist() == [1, 3]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([[1.0, np.inf]]), "infinity"),
        (np.ones(3), "2D array"),
        (np.ones((2, 2, 2)), "dim"),
        (np.ones((0, 2)), "0 sample"),
        (np.ones((2, 0)), "0 feature"),
        ([], "2D array"),
    ],
)
def test_arrays_that_are_no_table_are_refused(X: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_frame(X)


def test_sparse_matrices_are_refused() -> None:
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        checked_frame(sparse.csr_matrix(np.eye(3)))


def test_names_that_occur_twice_are_refused() -> None:
    with pytest.raises(TableError, match="'a' occurs more than once"):
        checked_frame(pd.DataFrame([[1, 2]], columns=["a", "a"]))
