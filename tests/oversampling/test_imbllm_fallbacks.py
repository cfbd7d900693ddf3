"""Where the language model cannot write a row: copies, tiny classes, columns that are set aside."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling.filters import KnownRows
from imbllm_autogluon.oversampling.interpolation import MixedSpace
from tests.oversampling.tables import expect_legal, fitted, labels, mixed

if TYPE_CHECKING:
    from imbllm_autogluon.oversampling.imbllm import ImbLLM


def as_keys(generator: ImbLLM, frame: pd.DataFrame) -> list[Any]:
    return list(generator.schema.encode(frame).row_keys().tolist())


def test_copies_of_real_rows_of_any_class_are_dropped_and_written_again() -> None:
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(12)]
    X = pd.DataFrame({"p": rng.choice(words, 80), "q": rng.choice(words, 80)}, dtype="category")
    y = labels(50, 30)
    generator = fitted(X, y, {"b": 300}, temperature=3.0)
    rows, _ = generator.sample()
    report = generator.report.classes[0]
    known = set(as_keys(generator, X))
    copies = sum(key in known for key in as_keys(generator, rows))
    assert len(rows) == 300
    assert report.copies_dropped > 50
    assert copies == report.copies_kept < 40


def test_rows_of_other_classes_count_as_copies_too() -> None:
    """The rare class holds only w0; every other word belongs to the other class."""
    X = pd.DataFrame({"p": [f"w{i % 6}" for i in range(60)], "q": ["u", "v"] * 30}, dtype="category")
    y = pd.Series(np.where(X["p"] == "w0", "b", "a"))
    generator = fitted(X, y, {"b": 80}, temperature=50.0)  # half of the prompts give p, which is w0, half q
    rows, _ = generator.sample()
    written, real = set(map(tuple, rows.to_numpy())), set(map(tuple, X.to_numpy()))
    kept = generator.report.classes[0].copies_kept
    assert len(written - real) >= 3
    assert sum(tuple(row) in real for row in rows.to_numpy()) == kept


def test_where_every_legal_row_is_real_copies_are_kept_and_reported() -> None:
    X = pd.DataFrame({"p": [False, True] * 20, "q": ["u", "u", "v", "v"] * 10})
    generator = fitted(X, labels(30, 10), {"b": 25})
    rows, _ = generator.sample()
    report = generator.report.classes[0]
    assert len(rows) == 25
    assert (report.copies_kept, report.copies_dropped) == (25, 25 * (KnownRows.rounds - 1))


def test_a_class_without_rows_is_refused() -> None:
    y = labels(30, 10).astype(pd.CategoricalDtype(["a", "b", "none"]))
    with pytest.raises(InvalidInputError, match=r"counts name the label 'none'; the labels are: \['a', 'b'\]"):
        fitted(mixed(40), y, {"none": 5})


@pytest.mark.parametrize("n_rows", [2, 3, 5])
def test_a_class_of_two_to_five_rows_is_interpolated_and_says_so(n_rows: int, caplog: pytest.LogCaptureFixture) -> None:
    X, y = mixed(40 + n_rows), labels(40, n_rows)
    with caplog.at_level(logging.WARNING):
        generator = fitted(X, y, {"b": 30})
    assert f"Class 'b' has {n_rows} rows; its new rows are made by interpolation." in caplog.messages
    rows, new_labels = generator.sample()
    assert generator.report.classes[0].method == "interpolation"
    assert generator.report.parameters == 0
    assert new_labels.tolist() == ["b"] * 30
    expect_legal(generator, rows, X)
    real = X[y == "b"]
    assert rows["score"].between(real["score"].min() - 1e-6, real["score"].max() + 1e-6).all()
    assert rows["score"].nunique() > n_rows


def test_several_small_classes_share_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        fitted(mixed(50), labels(40, 3, 5, 2), {"b": 5, "c": 5, "d": 5})
    assert caplog.messages == ["3 classes have 2 to 5 rows: 'b', 'c', 'd'; their new rows are made by interpolation."]


def test_a_class_of_six_rows_is_written_by_the_language_model(caplog: pytest.LogCaptureFixture) -> None:
    generator = fitted(mixed(46), labels(40, 6), {"b": 10})
    assert generator.report.classes[0].method == "language model"
    assert not caplog.records


def test_small_and_large_classes_get_exact_counts_side_by_side() -> None:
    generator = fitted(mixed(93), labels(60, 18, 12, 3), {"b": 42, "c": 20, "d": 57})
    _, new_labels = generator.sample()
    assert new_labels.value_counts().to_dict() == {"b": 42, "c": 20, "d": 57}
    methods = {entry.label: entry.method for entry in generator.report.classes}
    assert methods == {"b": "language model", "c": "language model", "d": "interpolation"}


def test_a_table_whose_every_column_is_set_aside_repeats_real_rows(caplog: pytest.LogCaptureFixture) -> None:
    X = pd.DataFrame({"id": [f"id {i}" for i in range(40)], "one": 1, "none": [None] * 40})
    y = labels(30, 10)
    generator = fitted(X, y, {"b": 25})
    rows, _ = generator.sample()
    assert generator.report.classes[0].method == "duplication"
    assert "made by duplication" in caplog.text
    assert set(rows["id"]) <= set(X.loc[y == "b", "id"])
    assert rows["id"].nunique() > 5
    assert set(rows["one"]) == {1}
    assert rows["none"].isna().all()
    assert rows.dtypes.to_dict() == X.dtypes.to_dict()


@pytest.mark.parametrize("n_rare", [4, 15])
def test_columns_that_nothing_writes_are_copied_from_the_nearest_real_row_of_the_class(n_rare: int) -> None:
    X = mixed(60 + n_rare).assign(
        id=[f"id {i}" for i in range(60 + n_rare)],
        note=[f"a long text with many words about row {i}" for i in range(60 + n_rare)],
    )
    y = labels(60, n_rare)
    generator = fitted(X, y, {"b": 30})
    rows, _ = generator.sample()
    real = X[y == "b"].reset_index(drop=True)
    assert set(generator.report.excluded) == {"id", "note"}
    cells, own = generator.schema.encode(rows), generator.schema.encode(real)
    nearest = MixedSpace.fit(generator.schema, own).nearest(cells, own, 1)[0][:, 0]
    assert rows["id"].tolist() == real["id"].iloc[nearest].tolist()
    assert rows["note"].tolist() == real["note"].iloc[nearest].tolist()
    assert list(rows.columns) == list(X.columns)
