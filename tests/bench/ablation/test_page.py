from __future__ import annotations

import pandas as pd
import pytest

from imbllm_autogluon.bench.ablation.arms import DEFAULT, NONE, Ablation, ablation_of
from imbllm_autogluon.bench.ablation.axes import COVERAGE, GAIN
from imbllm_autogluon.bench.ablation.page import (
    MEASURED,
    axis_table,
    finding,
    mean_figures,
    page_text,
    summary,
    verdict,
    with_gains,
)
from imbllm_autogluon.bench.changes import wide_figures
from imbllm_autogluon.bench.metric_names import F1

TEMPERATURES = ablation_of(["temperature"])
OFF = {"visits": (-1.0, 1.0), "stays": (9.0, 11.0)}
"""By how much the figures of each table and split differ from the mean, for all arms alike but for `shaken`."""


def tidy(figures: dict[str, float], ablation: Ablation = TEMPERATURES, shaken: float = 0.0) -> pd.DataFrame:
    entries = [
        {"table": table, "split": split, "arm": arm, "metric": metric, "value": mean + off + shake}
        for table, offs in OFF.items()
        for split, off in enumerate(offs)
        for place, (arm, mean) in enumerate(figures.items())
        for shake in [shaken * (-1) ** (split + place)]
        for metric in MEASURED
        if not (metric == COVERAGE and arm.startswith(NONE))
    ]
    return with_gains(pd.DataFrame(entries), ablation)


FIGURES = {NONE: 40.0, DEFAULT: 50.0, "temperature: 0.5": 48.0, "temperature: 1": 53.0}


def test_each_expectation_stands_beside_what_was_found() -> None:
    text = page_text(tidy(FIGURES), TEMPERATURES, "- **visits**: rows", {}, "imbllm bench ablation", drawn=True)
    assert "**Expected** (what a temperature is; the paper uses 0.7): a lower one writes rows" in text
    assert ("- coverage of `1` above `0.5`: found +5.0 ± 0.0 points, higher on 2 of 2 tables: **as expected**") in text
    assert (
        "- close probability of `0.5` above `1`: found -5.0 ± 0.0 points, higher on 0 of 2 tables: **NOT as expected**"
        in text
    )
    assert "- highest F1 with `1` (58.0), highest average precision with `1` (58.0)" in text
    assert "nan" not in text


def test_the_default_stands_in_its_place_and_others_are_told_by_their_difference() -> None:
    wide = wide_figures(tidy(FIGURES), [*MEASURED, GAIN])
    lines = axis_table(wide, TEMPERATURES.axes[0]).set_index("temperature")
    assert list(lines.index) == ["0.5", "0.7 (default)", "1"]
    assert lines[F1].tolist() == ["53.0", "55.0", "58.0"]
    assert lines["F1 against default"].tolist() == ["-2.0 ± 0.0", "", "+3.0 ± 0.0"]


def test_a_difference_within_its_error_is_called_chance() -> None:
    wide = wide_figures(tidy(FIGURES, shaken=4.0), [*MEASURED, GAIN])
    part = TEMPERATURES.axes[0]
    assert "found +5.0 ± 4.6 points" in finding(wide, part, part.axis.claims[1])
    assert finding(wide, part, part.axis.claims[1]).endswith("**no more than chance**")
    lines = axis_table(wide, part).set_index("temperature")
    assert lines["F1 against default"].tolist() == ["-2.0 ± 4.6", "", "+3.0 ± 0.0"], "the last two are shaken alike"


@pytest.mark.parametrize(
    ("differences", "told"),
    [
        ([1.0, 1.2, 0.8], "as expected"),
        ([-1.0, -1.2, -0.8], "NOT as expected"),
        ([1.0, -0.9, 0.2], "no more than chance"),
        ([0.0, 0.0], "no more than chance"),
        ([2.0, 2.5], "no more than chance"),
        ([3.0], "too few splits"),
    ],
)
def test_verdicts_follow_the_differences(differences: list[float], told: str) -> None:
    assert verdict(pd.Series(differences)) == told


def test_what_could_not_be_measured_is_told_as_such() -> None:
    frame = tidy(FIGURES)
    wide = wide_figures(frame[frame["metric"] != COVERAGE], [*MEASURED, GAIN])
    part = TEMPERATURES.axes[0]
    assert finding(wide, part, part.axis.claims[1]) == "- coverage of `1` above `0.5`: could not be measured"


def test_gains_are_those_over_no_oversampling_on_the_same_split() -> None:
    shares = ablation_of(["kept_share"])
    figures = {name: 40.0 + 2 * place for place, name in enumerate(shares.arms)}
    means = mean_figures(tidy(figures, shares))
    assert means.loc[[NONE, DEFAULT, "kept_share: 0.5"], GAIN].tolist() == [0.0, 2.0, -2.0]
    assert means.loc["none, kept_share: 0.5", GAIN] == 0.0
    wide = wide_figures(tidy(figures, shares), [*MEASURED, GAIN])
    assert axis_table(wide, shares.axes[0])[GAIN].tolist() == ["-2.0", "2.0", "-2.0", "-2.0", "-2.0"]


def test_each_classifier_is_judged_against_itself_without_the_rows() -> None:
    found = ablation_of(["classifier"])
    figures = {name: 40.0 + 2 * place for place, name in enumerate(found.arms)}
    frame, part = tidy(figures, found), found.axes[0]
    assert list(found.arms)[2:4] == ["classifier: LightGBM", "none, classifier: LightGBM"]
    wide = wide_figures(frame, [*MEASURED, GAIN])
    assert axis_table(wide, part)[GAIN].tolist() == ["2.0", "-2.0", "-2.0", "-2.0", "-2.0"]
    told = [finding(wide, part, claim) for claim in part.axis.claims[:3]]
    assert told[0].startswith("- F1 of `XGBoost` above `no oversampling`: found +2.0 ± 0.0 points, higher on 2 of 2")
    assert told[1].startswith("- average precision of `XGBoost` above `no oversampling`: found +2.0")
    assert told[2].startswith("- F1 of `LightGBM` above `no oversampling`: found -2.0")
    assert "nan" not in page_text(frame, found, "- **visits**: rows", {}, "imbllm bench ablation", drawn=False)


def test_the_table_of_means_has_all_arms_and_nothing_where_there_is_no_figure() -> None:
    lines = summary(tidy(FIGURES)).set_index("arm")
    assert list(lines.index) == list(FIGURES)
    assert lines.loc[NONE, COVERAGE] == ""
    assert lines.loc[DEFAULT, GAIN] == "10.0"
