from __future__ import annotations

import numpy as np
import pandas as pd

from imbllm_autogluon.bench.regression_autogluon.page import (
    ALL_THREE,
    ALONE,
    IMBLLM,
    LATENT,
    PLAIN,
    SMOGN,
    TWICE,
    page_text,
    summary,
)

Figures = dict[str, dict[str, float]]


def figures(few: float, every: float = 100.0, **more: float) -> dict[str, float]:
    return {"all MAE": every, "few MAE": few, "all MSE": every**2, "few GM": few / 2, "fit s": 4.0, **more}


def arms(latent: float, every: float = 100.0) -> Figures:
    return {
        PLAIN: figures(200.0),
        TWICE: figures(200.0, weight=0.0),
        LATENT: figures(latent, every, weight=37.5, **{"fit s": 9.0}),
        SMOGN: figures(190.0, 102.0, weight=20.0),
        IMBLLM: figures(198.0, weight=10.0),
        ALL_THREE: figures(184.0, weight=50.0),
        ALONE: figures(240.0, 130.0, **{"fit s": 9.0}),
    }


BETTER, SAME, WORSE = arms(180.0, 99.0), arms(200.0), arms(204.0)


def tidy(**tables: Figures) -> pd.DataFrame:
    """Two splits; errors of the second are twice as large, which no relative change notices."""
    return pd.DataFrame(
        [
            {"table": table, "split": split, "arm": arm, "metric": metric, "value": value * (1 + split)}
            for table, given in tables.items()
            for split in range(2)
            for arm, own in given.items()
            for metric, value in own.items()
        ]
    )


def text_of(**tables: Figures) -> str:
    return page_text(tidy(**tables), "- bins", ["GBM", "CAT"], 4, "imbllm bench regression-autogluon")


def test_the_summary_has_mean_errors_weights_and_seconds() -> None:
    table = summary(tidy(houses=BETTER)).set_index("arm")
    assert list(table.columns) == ["table", "all MAE", "many MAE", "medium MAE", "few MAE", "weight", "fit s"]
    assert table.loc[LATENT].tolist() == ["houses", "148.5", "", "", "270", "56.2", "13.5"]
    assert table.loc[PLAIN, "weight"] == table.loc[ALONE, "weight"] == ""


def test_the_verdict_holds_where_no_table_is_worse_and_most_are_better() -> None:
    text = text_of(a=BETTER, b=BETTER, c=SAME)
    assert f"- **{LATENT}**: holds: worse on none, better on 2 of 3" in text
    assert text.index(f"- **{LATENT}**") < text.index(f"- **{TWICE}**")
    assert f"- **{ALONE}**" not in text


def test_the_verdict_names_tables_that_are_worse() -> None:
    text = text_of(a=BETTER, b=WORSE, c=SAME, d=BETTER)
    assert f"- **{LATENT}**: does NOT hold: worse on b (+2.0 ± 0.0 %), better on 2 of 4" in text
    assert f"- **{SMOGN}**: holds: worse on none, better on 4 of 4" in text


def test_half_of_the_tables_are_not_most_of_them() -> None:
    assert f"- **{LATENT}**: does NOT hold: worse on none, better on 1 of 2" in text_of(a=BETTER, b=SAME)


def test_changes_stand_table_by_table_with_their_error_over_the_splits() -> None:
    rows = tidy(houses=BETTER)
    moved = (rows["arm"] == LATENT) & (rows["metric"] == "few MAE") & (rows["split"] == 1)
    rows.loc[moved, "value"] *= 190.0 / 180.0
    text = page_text(rows, "", ["GBM"], 4, "")
    assert f"| houses | {LATENT} | -1.0 ± 0.0 % |  |  | -7.5 ± 2.5 % |" in text
    assert f"| houses | {SMOGN} | +2.0 ± 0.0 % |  |  | -5.0 ± 0.0 % |" in text
    assert f"| houses | {PLAIN} |" not in text


def test_arms_are_counted_and_tested_over_all_tables_and_splits() -> None:
    text = text_of(a=BETTER, b=BETTER, c=WORSE)
    assert "| arm | few lower | few not higher | all not higher | few % | all % | pairs | p, few |" in text
    assert f"| {LATENT} | 2 of 3 | 2 of 3 | 3 of 3 | -6.0 | -0.7 | 6 | 0.125 |" in text
    assert f"| {SMOGN} | 3 of 3 | 3 of 3 | 0 of 3 | -5.0 | +2.0 | 6 | 0.031 |" in text
    assert f"| {TWICE} | 0 of 3 | 3 of 3 | 3 of 3 | +0.0 | +0.0 | 6 |  |" in text, "without a difference, no test"


def test_a_difference_in_the_order_of_a_sum_is_none() -> None:
    given = {**SAME, LATENT: figures(200.0 * (1 + 1e-12))}
    text = text_of(a=given)
    assert f"- **{LATENT}**: does NOT hold: worse on none, better on 0 of 1" in text


def test_tables_without_few_shot_rows_count_only_for_all_rows() -> None:
    even = {arm: {name: value for name, value in own.items() if "few" not in name} for arm, own in WORSE.items()}
    text = text_of(a=BETTER, even=even)
    assert f"- **{LATENT}**: holds: worse on none, better on 1 of 1" in text
    assert f"| even | {LATENT} | +0.0 ± 0.0 % |  |  |  |" in text
    assert f"- **{LATENT}**: no table has few-shot rows" in text_of(even=even)
    assert "nan" not in text_of(even=even)


def test_squared_errors_and_geometric_means_have_a_table_of_changes() -> None:
    text = text_of(houses=BETTER)
    assert f"| houses | {SMOGN} | +4.0 |  |  |  |  |  |  | -5.0 |" in text


def test_the_page_says_what_was_fitted_and_how_to_repeat_it() -> None:
    text = text_of(houses=BETTER)
    assert "fits all models in 4 bagging folds" in text
    assert "GBM, CAT as they are (`plain`)" in text
    assert "\n- bins\n" in text
    assert "Command: `imbllm bench regression-autogluon`." in text
    assert not np.any([brace in text for brace in "{}"])
