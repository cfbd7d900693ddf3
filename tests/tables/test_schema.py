"""A frame becomes a schema, plain cells, JSON, and exactly the same frame again."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError, StoredStateError, TableError
from imbllm_autogluon.tables import Column, ExcludedColumn, TableSchema
from tests.tables.frames import DTYPES, frames, series_of

FAST = settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])


def round_trip(df: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
    return schema.decode(schema.encode(df), parents=df, index=df.index)


@pytest.mark.parametrize("dtype", sorted(DTYPES))
@FAST
@given(data=st.data())
def test_a_column_of_every_dtype_comes_back_exactly(dtype: str, data: st.DataObject) -> None:
    df = pd.DataFrame({"x": data.draw(series_of(dtype, data.draw(st.integers(1, 6))))})
    before = df.copy(deep=True)
    schema = TableSchema.from_frame(df)
    pd.testing.assert_frame_equal(round_trip(df, schema), before, check_exact=True)
    pd.testing.assert_frame_equal(df, before, check_exact=True)


@settings(FAST, max_examples=60)
@given(df=frames())
def test_a_stored_schema_equals_and_behaves_like_the_original(df: pd.DataFrame) -> None:
    schema = TableSchema.from_frame(df)
    stored = TableSchema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert stored == schema
    pd.testing.assert_frame_equal(round_trip(df, stored), df, check_exact=True)


@pytest.mark.parametrize(
    "y",
    [
        pd.Series([0, 1, 0], dtype="int8"),
        pd.Series([1.0, 2.5, 1.0], dtype="float32"),
        pd.Series(["no", "yes", "no"]),
        pd.Series([True, False, True]),
        pd.Series(["no", "yes", "no"], dtype=pd.CategoricalDtype(["yes", "maybe", "no"], ordered=True)),
        pd.Series([7, 9, 7], dtype="Int64"),
        pd.Series([7, 9, 7], dtype="int64[pyarrow]"),
    ],
    ids=lambda y: str(y.dtype),
)
def test_labels_of_any_dtype_become_codes_and_come_back(y: pd.Series) -> None:
    schema = TableSchema.from_frame(pd.DataFrame({"x": [1, 2, 4], "y": y}), label="y")
    codes = schema.encode_label(y)
    assert codes.tolist() == [0, 1, 0]
    assert codes.dtype == np.int64
    restored = schema.decode_label(codes, index=y.index)
    pd.testing.assert_series_equal(restored, y.rename("y"), check_exact=True)


def test_the_label_is_no_feature() -> None:
    schema = TableSchema.from_frame(pd.DataFrame({"y": [0, 1], "x": [1, 2]}), label="y")
    assert schema.names == ("x",)


def test_a_label_of_one_class_is_not_refused_here() -> None:
    schema = TableSchema.from_frame(pd.DataFrame({"y": [1, 1], "x": [1, 2]}), label="y")
    assert schema.label is not None
    assert schema.label.categories == (1,)


def test_digit_strings_stay_strings() -> None:
    df = pd.DataFrame({"zip": ["0900", "8001", "0900"], "x": [1, 2, 3]})
    schema = TableSchema.from_frame(df)
    assert [column.kind for column in schema.columns] == ["categorical", "integer"]
    assert round_trip(df, schema)["zip"].tolist() == ["0900", "8001", "0900"]


@pytest.mark.parametrize("kind", ["boolean", "categorical"])
def test_an_int8_flag_made_a_category_comes_back_as_int8(kind: str) -> None:
    df = pd.DataFrame({"flag": pd.Series([0, 1, 0], dtype="int8")})
    schema = TableSchema.from_frame(df, kinds={"flag": kind})
    assert schema.columns[0].categories == (0, 1)
    pd.testing.assert_frame_equal(round_trip(df, schema), df)


def test_encoding_ignores_extra_columns_and_their_order() -> None:
    df = pd.DataFrame({"a": [1, 2], "b": ["u", "v"]})
    schema = TableSchema.from_frame(df)
    cells = schema.encode(pd.DataFrame({"c": [0.5], "b": ["v"], "a": [2]}))
    assert [column.tolist() for column in cells.values] == [[2], [1]]


def test_missing_cells_of_a_test_frame_are_encoded_even_where_training_had_none() -> None:
    schema = TableSchema.from_frame(pd.DataFrame({"a": [1, 2, 5]}))
    cells = schema.encode(pd.DataFrame({"a": [2.0, np.nan]}))
    assert (cells.values[0].tolist(), cells.missing[:, 0].tolist()) == ([2, 0], [False, True])


def test_copied_columns_come_from_the_parents_by_position() -> None:
    df = pd.DataFrame({"id": [f"p{i}" for i in range(20)], "x": range(0, 40, 2), "z": [1, 2] * 10})
    schema = TableSchema.from_frame(df)
    rows = np.array([3, 3, 0])
    made = schema.decode(schema.encode(df).take(rows), parents=df.iloc[rows], index=pd.Index(["u", "v", "w"]))
    assert made["id"].tolist() == ["p3", "p3", "p0"]
    assert made.index.tolist() == ["u", "v", "w"]
    assert list(made.columns) == ["id", "x", "z"]


@pytest.mark.parametrize("parents", [None, pd.DataFrame({"id": ["p0"]}), pd.DataFrame({"x": [1] * 20})])
def test_copied_columns_without_fitting_parents_are_refused(parents: pd.DataFrame | None) -> None:
    df = pd.DataFrame({"id": [f"p{i}" for i in range(20)], "x": [0, 3] * 10})
    schema = TableSchema.from_frame(df)
    with pytest.raises(TableError, match="'id'"):
        schema.decode(schema.encode(df), parents=parents)


def test_a_table_of_which_nothing_is_written_still_comes_back() -> None:
    df = pd.DataFrame({"c": [7, 7, 7], "m": [None, None, None]})
    schema = TableSchema.from_frame(df)
    assert schema.columns == ()
    assert schema.encode(df).n_rows == 3
    pd.testing.assert_frame_equal(schema.decode(schema.encode(df)), df)


def test_features_beyond_the_limit_are_copied() -> None:
    df = pd.DataFrame({"a": [1, 2], "b": [3, 4], "c": [5, 6]})
    schema = TableSchema.from_frame(df, max_columns=2)
    assert [column.name for column in schema.columns] == ["a", "b"]
    assert [(part.name, part.fill) for part in schema.excluded] == [("c", "copied")]
    assert "max_columns" in schema.excluded[0].reason


def test_of_a_wide_table_the_columns_stay_that_tell_most_of_the_label_whatever_their_kind_and_place() -> None:
    rng, is_rare = np.random.default_rng(0), np.arange(600) < 30
    df = pd.DataFrame(rng.normal(size=(600, 60)), columns=[f"c{j}" for j in range(60)])
    df = df.assign(**{f"k{j}": rng.choice([f"v{i}" for i in range(40)], 600) for j in range(20)})
    df["number"] = rng.normal(size=600) + 2 * is_rare
    df["category"] = np.where(is_rare & (rng.random(600) < 0.5), "rare", rng.choice(list("abc"), 600))
    df["flag"] = rng.random(600) < np.where(is_rare, 0.9, 0.5)
    df["sparse"] = np.where(rng.random(600) < np.where(is_rare, 0.6, 0.1), rng.integers(1, 9, 600), 0)
    df["spread"] = rng.normal(size=600) * np.where(is_rare, 4, 1)
    df["gaps"] = np.where(rng.random(600) < np.where(is_rare, 0.6, 0.1), np.nan, rng.normal(size=600))
    telling = ["number", "category", "flag", "sparse", "spread", "gaps"]
    y = pd.Series(np.where(is_rare, "yes", "no"))
    schema = TableSchema.from_labeled(df, y, max_columns=8)
    assert set(telling) <= {column.name for column in schema.columns}
    assert [column.name for column in schema.columns] == [c for c in df if c in {k.name for k in schema.columns}]
    assert sum(part.is_beyond and part.fill == "copied" for part in schema.excluded) == 78
    assert TableSchema.from_dict(schema.to_dict()) == schema
    assert TableSchema.from_labeled(df, y, max_columns=86).excluded == ()


def test_an_absent_feature_is_refused_by_name() -> None:
    schema = TableSchema.from_frame(pd.DataFrame({"age": [1, 2], "b": [3, 4]}))
    with pytest.raises(TableError, match=r"'age' is not in the table \(did you mean 'ages'"):
        schema.encode(pd.DataFrame({"ages": [1], "b": [3]}))


def test_a_feature_that_occurs_twice_is_refused() -> None:
    schema = TableSchema.from_frame(pd.DataFrame({"a": [1, 2]}))
    with pytest.raises(TableError, match="2 times"):
        schema.encode(pd.DataFrame([[1, 2]], columns=["a", "a"]))


@pytest.mark.parametrize("y", [pd.Series(["maybe"]), pd.Series([None], dtype=object)])
def test_a_new_or_missing_class_is_refused(y: pd.Series) -> None:
    schema = TableSchema.from_frame(pd.DataFrame({"y": ["no", "yes"], "x": [1, 2]}), label="y")
    with pytest.raises(TableError, match="'y'"):
        schema.encode_label(y)


def test_a_schema_without_label_has_no_classes() -> None:
    with pytest.raises(InvalidInputError, match="label="):
        TableSchema.from_frame(pd.DataFrame({"x": [1, 2]})).encode_label(pd.Series([1]))


@pytest.mark.parametrize("damage", [{"names": 0}, {"columns": [{}]}, {"columns": None}])
def test_a_damaged_state_is_refused(damage: dict[str, object]) -> None:
    state = TableSchema.from_frame(pd.DataFrame({"x": [1, 2]})).to_dict()
    with pytest.raises(StoredStateError, match="make it again"):
        TableSchema.from_dict({**state, **damage})


def test_new_categories_of_a_table_may_count_as_missing() -> None:
    schema = TableSchema.from_frame(pd.DataFrame({"c": ["a", "b", "a"], "n": [1, 2, 3]}))
    cells = schema.encode(pd.DataFrame({"c": ["z", "b"], "n": [7, 8]}), unknown="missing")
    assert cells.missing.tolist() == [[True, False], [False, False]]
    with pytest.raises(TableError, match="holds 'z'"):
        schema.encode(pd.DataFrame({"c": ["z"], "n": [7]}))


@pytest.mark.parametrize("name", ["y", "a", "label", None, 3])
@pytest.mark.parametrize("features", [("a", "b"), ("label", "label_"), (0, "label")])
def test_labels_of_any_name_stand_beside_features_of_any_name(name: Any, features: tuple[Any, Any]) -> None:
    X = pd.DataFrame({features[0]: [1, 2, 3], features[1]: ["u", "v", "u"]}, index=[5, 5, 9])
    y = pd.Series(["no", "yes", "no"], name=name)
    before = X.copy(deep=True)
    schema = TableSchema.from_labeled(X, y, {features[0]: "categorical"})
    assert schema.names == features
    assert schema.encode_label(y).tolist() == [0, 1, 0]
    assert schema.columns[0].kind == "categorical"
    pd.testing.assert_frame_equal(X, before)


def test_labels_keep_their_dtype_beside_the_features() -> None:
    y = pd.Series(["no", "yes", "no"], dtype=pd.CategoricalDtype(["yes", "maybe", "no"]))
    schema = TableSchema.from_labeled(pd.DataFrame({"a": [1, 2, 3]}), y)
    pd.testing.assert_series_equal(schema.decode_label(schema.encode_label(y)), y, check_names=False)


def feature(series: pd.Series, kind: Any = None) -> Column | ExcludedColumn:
    """What a schema makes of a feature `x`."""
    schema = TableSchema.from_frame(pd.DataFrame({"x": series}), kinds={"x": kind} if kind else {})
    (part,) = (*schema.columns, *schema.excluded)
    return part


def reason_of(part: Column | ExcludedColumn) -> str:
    return part.reason if isinstance(part, ExcludedColumn) else ""


TWO = {"x": [1, 2], "y": ["a", "b"]}

REFUSED: list[tuple[str, Any, dict[str, Any], str]] = [
    ("no rows", pd.DataFrame({"x": []}), {}, "0 rows"),
    ("no columns", pd.DataFrame(index=[0, 1]), {}, "0 feature columns"),
    ("only a label", pd.DataFrame({"y": [0, 1]}), {"label": "y"}, "no column besides the label"),
    ("a repeated name", pd.DataFrame([[1, 2]], columns=["a", "a"]), {}, "'a' occurs more than once"),
    ("names in two levels", pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), {}, "tuple"),
    ("a float name", pd.DataFrame([[1]], columns=[0.5]), {}, "0.5 is a float"),
    ("a bool name", pd.DataFrame([[1]], columns=[True]), {}, "True is a bool"),
    ("an absent label", pd.DataFrame(TWO), {"label": "yy"}, "did you mean 'y'"),
    ("a label with gaps", pd.DataFrame({"x": [1, 2], "y": ["a", None]}), {"label": "y"}, "missing in 1 rows.*dropna"),
    ("a continuous label", pd.DataFrame(TWO), {"label": "x", "kinds": {"x": "continuous"}}, "choose 'categorical'"),
    ("lists", pd.DataFrame({"x": [[1], [2]]}), {}, "'x' holds cells of type list"),
    ("infinity", pd.DataFrame({"x": [1.0, np.inf]}), {}, "'x' holds the infinite value inf"),
    ("complex", pd.DataFrame({"x": [1j]}), {}, "'x' holds complex"),
    ("words as numbers", pd.DataFrame(TWO), {"kinds": {"y": "continuous"}}, "'y' .* cannot be continuous"),
]


@pytest.mark.parametrize(("df", "arguments", "message"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_unusable_tables_are_refused(df: pd.DataFrame, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        TableSchema.from_frame(df, **arguments)


@pytest.mark.parametrize(
    ("df", "kinds", "message"),
    [
        (pd.DataFrame(TWO), {"xx": "integer"}, "did you mean 'x'"),
        (pd.DataFrame(TWO), {"x": "categoric"}, "did you mean 'categorical'"),
        ([[1]], {}, "DataFrame"),
    ],
)
def test_unusable_arguments_are_refused(df: Any, kinds: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        TableSchema.from_frame(df, kinds=kinds)


def test_integer_names_of_any_integer_type_are_kept_as_int() -> None:
    schema = TableSchema.from_frame(pd.DataFrame([[1, 2], [3, 5]], columns=pd.Index([np.int8(4), "a"], dtype=object)))
    assert schema.names == (4, "a")
    assert type(schema.names[0]) is int


@pytest.mark.parametrize(
    ("series", "fill", "reason"),
    [
        (pd.Series([5, 5]), "constant", "every cell is the same"),
        (pd.Series([None, None]), "missing", "every cell is missing"),
        (pd.Series([f"p{i}" for i in range(20)]), "copied", "identifier"),
        (pd.Series([0, 2**64 - 1], dtype="uint64"), "copied", "do not fit into 64 bits"),
        (pd.Series([-(2**63), 2**63 - 1, 0]), "copied", "do not fit into 64 bits"),
    ],
)
def test_odd_columns_are_set_aside_with_a_reason(series: pd.Series, fill: str, reason: str) -> None:
    part = feature(series)
    assert isinstance(part, ExcludedColumn)
    assert (part.name, part.fill) == ("x", fill)
    assert part.reason.startswith("column 'x': ")
    assert reason in part.reason


def test_a_users_kind_overrides_the_guess_of_an_identifier_and_of_text() -> None:
    for cells in ([f"p{i}" for i in range(20)], ["one two three four", "five six seven eight"]):
        assert isinstance(feature(pd.Series(cells), "categorical"), Column)
    assert isinstance(feature(pd.Series(range(20)), "integer"), Column)


def test_a_column_the_user_calls_text_is_copied() -> None:
    part = feature(pd.Series(["a", "b", "a"]), "text")
    assert isinstance(part, ExcludedColumn)
    assert part.fill == "copied"


def test_one_value_beside_missing_cells_is_information_and_is_written() -> None:
    assert isinstance(feature(pd.Series(["seen", None])), Column)


@pytest.mark.parametrize("cells", [pd.Series([1, 2, 3], dtype="uint8"), pd.Series([0.5, 1.0, 0.5]), pd.Series([7, 7])])
def test_numbers_called_text_are_copied_even_if_they_are_constant(cells: pd.Series) -> None:
    part = feature(cells, "text")
    assert isinstance(part, ExcludedColumn)
    assert part.fill == "copied"


RNG = np.random.default_rng(0)
SENTENCES = [f"the patient number {i} came in with a cough" for i in range(30)]

CASES: list[tuple[str, pd.Series, str | None]] = [
    ("distinct codes", pd.Series([f"p{i}" for i in range(30)]), "identifier"),
    ("distinct codes with gaps", pd.Series([f"p{i}" for i in range(30)] + [None] * 30), "identifier"),
    ("distinct codes of a category", pd.Series([f"p{i}" for i in range(30)], dtype="category"), "identifier"),
    ("few distinct codes", pd.Series([f"p{i}" for i in range(19)]), None),
    ("few codes among gaps", pd.Series([f"p{i}" for i in range(19)] + [None] * 30), None),
    ("codes that repeat", pd.Series([f"p{i}" for i in range(18)] * 2), None),
    ("row numbers in any order", pd.Series(RNG.permutation(30) + 100), "identifier"),
    ("nullable row numbers", pd.Series([*range(30), None], dtype="Int64"), "identifier"),
    ("distinct incomes", pd.Series(RNG.permutation(10_000)[:30]), None),
    ("a run with a repeat and a hole", pd.Series([*range(29), 5, 30]), None),
    ("durations in a run", pd.Series(pd.to_timedelta(range(30), unit="ns")), None),
    ("measurements", pd.Series(RNG.normal(size=30)), None),
    ("distinct days", pd.Series(pd.date_range("2020-01-01", periods=30)), None),
    ("sentences", pd.Series(SENTENCES), "free text"),
    ("two sentences", pd.Series(SENTENCES[:2]), "free text"),
    ("sentences that repeat", pd.Series(SENTENCES[:3] * 10), None),
    ("short strings", pd.Series(["very low", "low", "quite high"]), None),
]


@pytest.mark.parametrize(("series", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_identifiers_and_free_texts_are_guessed(series: pd.Series, reason: str | None) -> None:
    part = feature(series)
    assert isinstance(part, Column) if reason is None else reason in reason_of(part)


@pytest.mark.parametrize(
    ("series", "constant"),
    [
        (pd.Series([3, 3]), True),
        (pd.Series([1 / 3, 1 / 3]), True),
        (pd.Series(["a", "a"]), True),
        (pd.Series([pd.Timestamp(0)] * 2), True),
        (pd.Series([3.0, None]), False),
        (pd.Series([1e18, 1e18 + 128]), False),
        (pd.Series([True, False]), False),
    ],
)
def test_a_constant_holds_one_value_and_no_gap(series: pd.Series, constant: bool) -> None:
    part = feature(series)
    assert (isinstance(part, ExcludedColumn) and part.fill == "constant") == constant


@pytest.mark.parametrize(
    ("fill", "series"),
    [
        ("constant", pd.Series([7, 7], dtype="int8")),
        ("constant", pd.Series([0.1, 0.1], dtype="float32")),
        ("constant", pd.Series(pd.Categorical(["a", "a"], categories=["b", "a"]))),
        ("missing", pd.Series([None, None], dtype=object)),
        ("missing", pd.Series([pd.NaT, pd.NaT], dtype="datetime64[ns, UTC]")),
        ("missing", pd.Series([None, None], dtype="Int64")),
    ],
)
def test_constants_and_missing_cells_return_in_their_dtype(fill: str, series: pd.Series) -> None:
    part = ExcludedColumn("x", "because.", fill, Column.from_series(series.iloc[:1], "x", "categorical"))
    pd.testing.assert_series_equal(part.restore(2, None, None), series.rename("x"), check_exact=True)


def test_copied_cells_take_the_index_of_the_new_rows() -> None:
    parents = pd.DataFrame({"x": ["u", "v"]}, index=[5, 5])
    part = ExcludedColumn("x", "because.", "copied")
    assert part.restore(2, parents, None).to_dict() == {0: "u", 1: "v"}
    assert part.restore(2, parents, pd.Index(["a", "b"])).to_dict() == {"a": "u", "b": "v"}


def test_free_texts_are_marked_and_other_columns_that_are_set_aside_are_not() -> None:
    texts = [f"a word {i} and {i * 7} more words of it" for i in range(60)]
    frame = pd.DataFrame({"review": texts, "id": [f"u{i:03}" for i in range(60)], "same": 1, "gone": [None] * 60})
    schema = TableSchema.from_frame(frame.assign(n=range(60)))
    assert {part.name: part.holds_text for part in schema.excluded}["review"]
    assert not any(part.holds_text for part in schema.excluded if part.name in ("same", "gone"))
    assert TableSchema.from_dict(schema.to_dict()).excluded == schema.excluded
