"""What all generators share, whatever their method; ImbLLM's own tests hold the details."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import ClassTooSmallError, InvalidInputError, TableError
from imbllm_autogluon.oversampling.generator import LanguageGenerator
from imbllm_autogluon.oversampling.methods import GENERATORS
from tests.oversampling.tables import expect_legal, labels, mixed, quick

X, Y = mixed(90), labels(60, 18, 12)
every_method = pytest.mark.parametrize("make", GENERATORS.values(), ids=list(GENERATORS))
Make = type[LanguageGenerator]


def fitted(make: Make, counts: dict[Any, int], **settings: Any) -> LanguageGenerator:
    return make(quick(**settings), random_state=0).fit(X, Y, counts)


@every_method
def test_the_report_names_the_method_from_the_beginning(make: Make) -> None:
    generator = make(quick())
    assert generator.report.method == make.method
    assert generator.fit(X, Y, {"c": 3}).report.method == make.method


@every_method
def test_counts_asked_for_later_are_exact_and_rows_legal(make: Make) -> None:
    generator = fitted(make, {"c": 1, "b": 1})
    rows, written = generator.sample({"b": 33, "c": 0}, random_state=7)
    assert written.tolist() == ["b"] * 33
    expect_legal(generator, rows, X)


@every_method
@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "counts is empty; name at least one of the labels"),
        ({"z": 3}, "counts name the label 'z'"),
        ({"b": 1.5}, "counts ask for 1.5 rows of 'b'"),
        ({"b": -1}, "counts ask for -1 rows of 'b'; a count must be 0, 1, 2"),
    ],
)
def test_counts_that_mean_nothing_are_refused(make: Make, counts: dict[Any, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        fitted(make, counts)
    generator = fitted(make, {"b": 1, "c": 1})
    with pytest.raises(InvalidInputError, match=message):
        generator.sample(counts)


@every_method
def test_only_classes_it_was_fitted_for_can_be_written(make: Make) -> None:
    with pytest.raises(InvalidInputError, match=r"counts name the label 'a'; the labels are: \['c'\]"):
        fitted(make, {"c": 3}).sample({"a": 3})


@every_method
def test_a_class_of_one_row_is_refused(make: Make) -> None:
    with pytest.raises(ClassTooSmallError, match=r"class 'b' has 1 row\(s\)"):
        make(quick()).fit(mixed(41), labels(40, 1), {"b": 5})


@every_method
def test_the_same_seed_gives_identical_rows_and_another_seed_others(make: Make) -> None:
    first, again, other = (make(quick(), random_state=seed).fit(X, Y, {"c": 9}).sample()[0] for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


@every_method
def test_a_missing_label_is_refused(make: Make) -> None:
    with pytest.raises(TableError, match="is missing in 1 rows"):
        make(quick()).fit(X, Y.mask(Y.index == 4), {"c": 3})


@every_method
def test_rows_of_a_wide_table_copy_what_tells_least_from_one_row_of_the_class_and_it_is_said_once(
    make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(90, 9)).round(4), columns=list("abcdefghi"))
    table["z"] = (Y == "c") * 9 + rng.normal(size=90).round(4)
    table["i"] = np.where(np.arange(90) == 4, np.inf, table["i"])  # nothing that can be written
    monkeypatch.setattr("imbllm_autogluon.oversampling.generator._TOLD", set())
    rows, _ = make(quick(max_columns=2), random_state=0).fit(table, Y, {"c": 20}).sample()
    make(quick(max_columns=2), random_state=1).fit(table, Y, {"c": 20})
    copied = [name for name in table if rows[name].isin(table[name]).all()]
    assert "z" not in copied
    assert set(map(tuple, rows[copied].to_numpy())) <= set(map(tuple, table.loc[Y == "c", copied].to_numpy()))
    assert len(copied) == 8
    assert sum("that tell most of the class" in message for message in caplog.messages) == 1
    assert "Of 9 columns the 2 that tell most of the class are written" in caplog.text
    assert "max_columns=9 writes them as well; it takes up to 20 times as long" in caplog.text


@every_method
def test_small_classes_are_interpolated_beside_larger_ones(make: Make) -> None:
    table, y = mixed(83), labels(60, 20, 3)
    generator = make(quick(), random_state=0).fit(table, y, {"b": 12, "c": 9})
    rows, written = generator.sample()
    assert written.value_counts().to_dict() == {"b": 12, "c": 9}
    assert [entry.method for entry in generator.report.classes] == ["language model", "interpolation"]
    assert generator.report.classes[1].acceptance_rate is None
    expect_legal(generator, rows, table)


@every_method
def test_small_classes_alone_train_no_language_model(make: Make) -> None:
    generator = make(quick(), random_state=0).fit(mixed(43), labels(40, 3), {"b": 5})
    assert generator.report.parameters == 0
    assert len(generator.sample()[0]) == 5
    with pytest.raises(InvalidInputError, match="at least 6 rows"):
        _ = generator.language_model


@every_method
def test_other_settings_of_sampling_leave_the_first_generator_as_it_is(make: Make) -> None:
    generator = fitted(make, {"b": 20})
    before = generator.sample()[0]
    warmer = generator.with_config(quick(temperature=9.0), threads=1)
    assert type(warmer) is make
    assert not warmer.sample()[0].equals(before)
    assert warmer.report.classes[0].requested == 40
    pd.testing.assert_frame_equal(generator.sample()[0], before)
    assert generator.report.classes[0].requested == 40


@every_method
def test_fitting_again_begins_a_new_report(make: Make) -> None:
    generator = fitted(make, {"b": 20})
    generator.sample()
    generator.fit(X, Y, {"c": 4})
    assert [(entry.label, entry.made) for entry in generator.report.classes] == [("c", 0)]
    assert generator.report.sampling_tokens == 0
