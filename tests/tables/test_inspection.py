"""Bad tables are refused by name and reason; odd columns are set aside by name and reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.tables import Column, SetAside, TableSchema
from imbllm_autogluon.tables.inspection import limit_columns, read_feature

TWO = {"x": [1, 2], "y": ["a", "b"]}

REFUSED: list[tuple[str, Any, dict[str, Any], str]] = [
    ("no rows", pd.DataFrame({"x": []}), {}, "0 rows"),
    ("no columns", pd.DataFrame(index=[0, 1]), {}, "0 feature columns"),
    ("only a label", pd.DataFrame({"y": [0, 1]}), {"label": "y"}, "0 feature columns"),
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
    part = read_feature(series, "x", None)
    assert isinstance(part, SetAside)
    assert (part.name, part.fill) == ("x", fill)
    assert part.reason.startswith("column 'x': ")
    assert reason in part.reason


def test_a_users_kind_overrides_the_guess_of_an_identifier_and_of_text() -> None:
    for cells in ([f"p{i}" for i in range(20)], ["one two three four", "five six seven eight"]):
        assert isinstance(read_feature(pd.Series(cells), "x", "categorical"), Column)
    assert isinstance(read_feature(pd.Series(range(20)), "x", "integer"), Column)


def test_a_column_the_user_calls_text_is_copied() -> None:
    part = read_feature(pd.Series(["a", "b", "a"]), "x", "text")
    assert isinstance(part, SetAside)
    assert part.fill == "copied"


def test_one_value_beside_missing_cells_is_information_and_is_written() -> None:
    assert isinstance(read_feature(pd.Series(["seen", None]), "x", None), Column)


def test_columns_beyond_the_limit_are_the_last_ones() -> None:
    columns = tuple(Column.from_series(pd.Series([1, 2]), name) for name in "abc")
    kept, beyond = limit_columns(columns, 2)
    assert ([column.name for column in kept], [part.name for part in beyond]) == (["a", "b"], ["c"])


@pytest.mark.parametrize("cells", [pd.Series([1, 2, 3], dtype="uint8"), pd.Series([0.5, 1.0, 0.5]), pd.Series([7, 7])])
def test_numbers_called_text_are_copied_even_if_they_are_constant(cells: pd.Series) -> None:
    part = read_feature(cells, "x", "text")
    assert isinstance(part, SetAside)
    assert part.fill == "copied"
