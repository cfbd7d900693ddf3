"""Duplicated rows and SMOTE-NC: what a fold gets from the usual peers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import ClassTooSmallError
from imbllm_autogluon.oversampling.baselines import duplicated, smote_nc

SIZES = {"a": 40, "b": 12, "c": 2}
COUNTS = {"b": 17, "c": 5}
METHODS = pytest.mark.parametrize("method", [duplicated, smote_nc])

COLUMNS: dict[str, Any] = {
    "float": lambda rng, n: pd.Series(rng.normal(size=n)).mask(rng.random(n) < 0.2),
    "float32": lambda rng, n: pd.Series(rng.normal(size=n).astype("float32")),
    "int64": lambda rng, n: pd.Series(rng.integers(0, 50, n)),
    "uint8": lambda rng, n: pd.Series(rng.integers(0, 256, n).astype("uint8")),
    "nullable": lambda rng, n: pd.Series(rng.integers(0, 9, n), dtype="Int64").mask(rng.random(n) < 0.2),
    "bool": lambda rng, n: pd.Series(rng.random(n) < 0.5),
    "nullable bool": lambda rng, n: pd.Series(rng.random(n) < 0.5, dtype="boolean").mask(rng.random(n) < 0.2),
    "category": lambda rng, n: pd.Series(pd.Categorical(rng.choice(["x", "y"], n), ["x", "y", "never"])),
    "gappy category": lambda rng, n: pd.Series(rng.choice(["x", "y"], n), dtype="category").mask(rng.random(n) < 0.2),
    "object": lambda rng, n: pd.Series(rng.choice(["Oslo", "Troms\u00f8"], n), dtype=object).mask(rng.random(n) < 0.2),
    "date": lambda rng, n: pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 9, n), unit="D")),
    "all missing": lambda rng, n: pd.Series(np.full(n, np.nan)),
    "all missing category": lambda rng, n: pd.Series(pd.Categorical([None] * n, ["x"])),
    "infinite": lambda rng, n: pd.Series(np.where(rng.random(n) < 0.1, np.inf, rng.normal(size=n))),
    "constant": lambda rng, n: pd.Series(np.ones(n)),
}
"""A column of each sort, by what is special about it."""

NUMBERS = ("float", "float32", "int64", "uint8", "nullable")
CATEGORIES = ("bool", "nullable bool", "category", "gappy category", "object", "date")
TABLES: dict[str, tuple[str, ...]] = {
    "mixed": tuple(COLUMNS),
    "all numbers": NUMBERS,
    "all categories": CATEGORIES,
    "one number": ("float",),
    "one category": ("category",),
    "one category of gaps": ("all missing category",),
    "no column": (),
}


def table(*names: str, sizes: dict[Any, int] = SIZES) -> tuple[pd.DataFrame, pd.Series]:
    """Rows in a mixed order under an index that is no range."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.array(list(sizes), dtype=object), list(sizes.values())))
    index = pd.Index([f"row {i}" for i in range(len(labels))])
    X = pd.DataFrame({name: COLUMNS[name](rng, len(labels)) for name in names}, index=range(len(labels)))
    return X.set_axis(index), pd.Series(labels, name="label", index=index)


@METHODS
@pytest.mark.parametrize("names", TABLES.values(), ids=TABLES)
def test_only_the_wanted_classes_grow_by_the_exact_counts_in_the_dtypes_of_the_table(
    method: Any, names: tuple[str, ...]
) -> None:
    X, y = table(*names)
    before = X.copy(), y.copy()
    rows, labels = method(X, y, COUNTS, seed=1)
    assert labels.value_counts().to_dict() == COUNTS
    assert (labels.name, labels.dtype) == (y.name, y.dtype)
    pd.testing.assert_series_equal(rows.dtypes, X.dtypes)
    assert rows.index.equals(pd.RangeIndex(sum(COUNTS.values())))
    assert labels.index.equals(rows.index)
    pd.testing.assert_frame_equal(X, before[0])
    pd.testing.assert_series_equal(y, before[1])


@METHODS
def test_the_same_seed_gives_the_same_rows_another_seed_others_and_global_generators_stay(method: Any) -> None:
    X, y = table("float", "int64", "object")
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the generator that must stay as it is
    first, again, other = (method(X, y, COUNTS, seed=seed)[0] for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("labels", "dtype"), [((0, 1, 2), "int64"), ((0, 1, 2), "uint8"), (("a", "b", "c"), "category")]
)
@METHODS
def test_labels_of_any_dtype_keep_it(method: Any, labels: tuple[Any, ...], dtype: str) -> None:
    X, y = table("float", "category", sizes=dict(zip(labels, SIZES.values(), strict=True)))
    y = y.astype(dtype)
    made = method(X, y, {labels[1]: 3}, seed=0)[1]
    assert made.dtype == y.dtype
    assert made.tolist() == [labels[1]] * 3


@METHODS
def test_true_and_false_are_labels_too(method: Any) -> None:
    X, y = table("float", "category", sizes={False: 30, True: 5})
    made = method(X, y.astype(bool), {True: 25}, seed=0)[1]
    assert made.dtype == bool
    assert made.tolist() == [True] * 25


def test_a_duplicated_row_is_a_real_row_of_its_class() -> None:
    X, y = table("float", "int64", "object", "bool")
    rows, labels = duplicated(X, y, COUNTS, seed=3)
    real = {(*cells, label) for *cells, label in X.assign(y=y).astype(str).itertuples(index=False)}
    assert {(*cells, label) for *cells, label in rows.assign(y=labels).astype(str).itertuples(index=False)} <= real


def test_a_single_row_can_be_duplicated_but_has_no_neighbour_for_smote() -> None:
    X, y = table("float", "category", sizes={"a": 20, "lone": 1})
    assert duplicated(X, y, {"lone": 4}, seed=0)[1].tolist() == ["lone"] * 4
    with pytest.raises(ClassTooSmallError, match="class 'lone' has 1 row; SMOTE needs at least 2"):
        smote_nc(X, y, {"lone": 4}, seed=0)


def test_a_lone_class_that_is_not_continued_is_no_obstacle() -> None:
    X, y = table("float", "category", sizes={"a": 20, "b": 5, "lone": 1})
    assert smote_nc(X, y, {"b": 4}, seed=0)[1].tolist() == ["b"] * 4


@pytest.mark.parametrize("names", [("float32", "uint8"), ("float32", "uint8", "category")], ids=["SMOTE", "SMOTE-NC"])
def test_interpolated_numbers_lie_between_those_of_their_class_and_are_not_copies(names: tuple[str, ...]) -> None:
    X, y = table(*names)
    rows, labels = smote_nc(X, y, COUNTS, seed=0)
    for label in COUNTS:
        real, made = X[y == label], rows[labels == label]
        assert made["uint8"].between(real["uint8"].min(), real["uint8"].max()).all()
        assert made["float32"].between(real["float32"].min() - 1e-6, real["float32"].max() + 1e-6).all()
    assert not set(rows["float32"]) <= set(X["float32"])


def test_categories_are_those_of_the_class_and_missing_is_one_of_them() -> None:
    X, y = table("float", *CATEGORIES)
    rows, labels = smote_nc(X, y, {"b": 300}, seed=0)
    for name in CATEGORIES:
        assert set(rows[name].astype(str)) <= set(X.loc[y == "b", name].astype(str))
    assert (labels == "b").all()
    assert list(rows["category"].cat.categories) == ["x", "y", "never"]
    only = pd.DataFrame({"gaps": pd.Series([None] * 10 + ["x"] * 30, dtype=object)})
    gaps = smote_nc(only, pd.Series([1] * 10 + [0] * 30), {1: 20}, seed=0)[0]
    assert gaps["gaps"].isna().all()


def test_a_missing_number_is_the_median_of_the_column_to_smote() -> None:
    X = pd.DataFrame({"x": [np.nan, np.nan, 1.0, 2.0, 9.0]})
    rows, _ = smote_nc(X, pd.Series([1, 1, 0, 0, 0]), {1: 3}, seed=0)
    assert rows["x"].tolist() == [2.0] * 3


def test_codes_that_are_categories_are_not_interpolated_if_the_kinds_say_so() -> None:
    X, y = table("float", "int64")
    X = X.assign(int64=X["int64"] % 2 * 40)
    plain = smote_nc(X, y, {"b": 100}, seed=0)[0]
    told = smote_nc(X, y, {"b": 100}, seed=0, kinds={"int64": "categorical"})[0]
    assert not set(plain["int64"]) <= {0, 40}
    assert set(told["int64"]) <= {0, 40}
    assert told["int64"].dtype == X["int64"].dtype


def test_columns_stay_in_their_order_whatever_their_names() -> None:
    X, y = table("category", "float", "bool", "int64")
    X = X.set_axis([3, "b", 0, ""], axis=1)
    rows, _ = smote_nc(X, y, COUNTS, seed=0)
    assert list(rows.columns) == [3, "b", 0, ""]
    assert set(rows[3]) <= {"x", "y"}
