from __future__ import annotations

import pandas as pd
import pytest

from imbllm_autogluon.bench.prior.page import METRICS, UNIFORM, page_text, summary

Figures = dict[str, dict[str, list[float]]]

HALVED: Figures = {
    "none": {"gap": [10.0, 12.0], "gap, equal classes": [40.0, 40.0], "ROC AUC": [90.0, 91.0]},
    "recommended": {"gap": [4.0, 6.0], "gap, equal classes": [30.0, 30.0], "ROC AUC": [90.0, 91.5]},
    UNIFORM: {"gap": [9.0, 9.0], "gap, equal classes": [10.0, 10.0], "ROC AUC": [90.0, 91.0]},
}


def tidy(figures: Figures, table: str = "visits") -> pd.DataFrame:
    """Given figures by arm, metric and split; all others are 1."""
    splits = len(next(iter(figures.values()))["gap"])
    return pd.DataFrame(
        [
            {
                "table": table,
                "split": split,
                "arm": arm,
                "metric": metric,
                "value": given.get(metric, [1.0] * splits)[split],
            }
            for arm, given in figures.items()
            for metric in METRICS
            for split in range(splits)
        ]
    )


def changed(arm: str, **figures: list[float]) -> Figures:
    names = {"gap": "gap", "equal": "gap, equal classes", "ranking": "ROC AUC"}
    return {**HALVED, arm: {**HALVED[arm], **{names[key]: values for key, values in figures.items()}}}


def text_of(figures: Figures) -> str:
    return page_text(tidy(figures), "compact", "imbllm bench prior")


def test_the_summary_has_the_means_of_the_splits() -> None:
    table = summary(tidy(HALVED)).set_index("arm")
    assert list(table.index) == list(HALVED)
    assert table["gap"].tolist() == [11.0, 5.0, 9.0]
    assert list(table.columns) == ["table", *METRICS]


def test_a_gap_is_halved_where_it_is_at_most_half_as_large() -> None:
    assert "gap 11.0 to 5.0 points (halved); " in text_of(HALVED)
    assert "gap 11.0 to 5.5 points (halved); " in text_of(changed("recommended", gap=[5.0, 6.0]))
    assert "gap 11.0 to 5.6 points (NOT halved); " in text_of(changed("recommended", gap=[5.2, 6.0]))


def test_a_gap_of_two_or_three_rows_is_nothing_to_halve() -> None:
    text = text_of({**changed("recommended", gap=[0.3, 0.3]), "none": {**HALVED["none"], "gap": [0.2, 0.2]}})
    assert "gap 0.2 to 0.3 points (nothing to halve)" in text


def test_equal_classes_are_judged_by_the_arm_that_answers_as_if_they_were() -> None:
    assert "equally frequent classes, recommended, uniform: gap 40.0 to 10.0 points (halved)" in text_of(HALVED)
    assert "uniform: gap 40.0 to 35.0 points (NOT halved)" in text_of(changed(UNIFORM, equal=[35.0, 35.0]))
    without = {arm: figures for arm, figures in HALVED.items() if arm != UNIFORM}
    assert "equally frequent classes" not in text_of(without)


@pytest.mark.parametrize(
    ("ranking", "said"),
    [
        ([90.0, 91.5], "ROC AUC +0.2 ± 0.2 (not lost)"),
        ([86.0, 90.0], "ROC AUC -2.5 ± 1.5 (not lost)"),
        ([86.0, 88.0], "ROC AUC -3.5 ± 0.5 (lost)"),
    ],
)
def test_ranking_is_lost_only_beyond_two_standard_errors_of_the_paired_difference(
    ranking: list[float], said: str
) -> None:
    assert said in text_of(changed("recommended", ranking=ranking))


def test_one_split_has_no_standard_error_and_a_point_counts_as_lost() -> None:
    once = {arm: {name: values[:1] for name, values in figures.items()} for arm, figures in HALVED.items()}
    assert "ROC AUC +0.0 (not lost)" in text_of(once)
    once["recommended"]["ROC AUC"] = [88.9]
    assert "ROC AUC -1.1 (lost)" in text_of(once)


def test_every_table_has_its_own_line() -> None:
    both = pd.concat([tidy(HALVED, "visits"), tidy(changed("recommended", gap=[9.0, 9.0]), "stays")])
    text = page_text(both, "compact", "imbllm bench prior")
    assert "- **visits**\n  - recommended: gap 11.0 to 5.0 points (halved)" in text
    assert "- **stays**\n  - recommended: gap 11.0 to 9.0 points (NOT halved)" in text


def test_the_page_tells_meanings_command_and_the_speed_of_the_query_where_it_was_measured() -> None:
    text = page_text(tidy(HALVED), "compact", "imbllm bench prior --rows 300", "Fast enough.")
    assert all(f"**{metric}**" in text for metric in METRICS)
    assert "## Speed of the label query\n\nFast enough.\n\nCommand: `imbllm bench prior --rows 300`." in text
    assert "Speed of the label query" not in text_of(HALVED)
