"""Set-aside columns are refilled."""

from __future__ import annotations

import pandas as pd
import pytest

from imbllm_autogluon.tables import Column, SetAside, TableSchema


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
    part = SetAside("x", "because.", fill, Column.from_series(series.iloc[:1], "x", "categorical"))
    pd.testing.assert_series_equal(part.restore(2, None, None), series.rename("x"), check_exact=True)


def test_copied_cells_take_the_index_of_the_new_rows() -> None:
    parents = pd.DataFrame({"x": ["u", "v"]}, index=[5, 5])
    part = SetAside("x", "because.", "copied")
    assert part.restore(2, parents, None).to_dict() == {0: "u", 1: "v"}
    assert part.restore(2, parents, pd.Index(["a", "b"])).to_dict() == {"a": "u", "b": "v"}


def test_free_texts_are_marked_and_other_columns_that_are_set_aside_are_not() -> None:
    texts = [f"a word {i} and {i * 7} more words of it" for i in range(60)]
    frame = pd.DataFrame({"review": texts, "id": [f"u{i:03}" for i in range(60)], "same": 1, "gone": [None] * 60})
    schema = TableSchema.from_frame(frame.assign(n=range(60)))
    assert {part.name: part.holds_text for part in schema.set_aside}["review"]
    assert not any(part.holds_text for part in schema.set_aside if part.name in ("same", "gone"))
    assert TableSchema.from_dict(schema.to_dict()).set_aside == schema.set_aside
