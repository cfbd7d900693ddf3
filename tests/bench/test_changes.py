"""Figures of arms beside those of one of them."""

from __future__ import annotations

import pandas as pd

from imbllm_autogluon.bench.changes import changes_against, differences_from, p_value, wide_figures

ROWS = [
    ("houses", 0, "none", "MAE", 2.0),
    ("houses", 0, "new", "MAE", 1.0),
    ("houses", 1, "none", "MAE", 4.0),
    ("houses", 1, "new", "MAE", 5.0),
    ("cars", 0, "new", "MAE", 7.0),
]
TIDY = pd.DataFrame(ROWS, columns=["table", "split", "arm", "metric", "value"])


def test_each_split_is_compared_with_the_arm_on_that_split() -> None:
    changes = changes_against("none", wide_figures(TIDY, ["MAE", "MSE"]))
    assert changes.loc[("houses", 0, "new"), "MAE"] == -50.0
    assert changes.loc[("houses", 1, "new"), "MAE"] == 25.0
    assert changes.loc[("houses", 1, "none"), "MAE"] == 0.0


def test_what_was_not_measured_stays_absent() -> None:
    changes = changes_against("none", wide_figures(TIDY, ["MAE", "MSE"]))
    assert changes["MSE"].isna().all()
    assert pd.isna(changes.loc[("cars", 0, "new"), "MAE"])


def test_differences_are_in_the_unit_of_the_figure() -> None:
    differences = differences_from("none", wide_figures(TIDY, ["MAE", "MSE"]))
    assert differences.loc[("houses", 0, "new"), "MAE"] == -1.0
    assert differences.loc[("houses", 1, "new"), "MAE"] == 1.0
    assert pd.isna(differences.loc[("cars", 0, "new"), "MAE"])


def test_equal_differences_say_nothing_of_chance() -> None:
    assert p_value(pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0])) == "0.031"
    assert p_value(pd.Series([0.0, 0.0])) == ""
