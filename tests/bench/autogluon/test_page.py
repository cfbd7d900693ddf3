from __future__ import annotations

import pandas as pd

from imbllm_autogluon.bench.autogluon.arms import IMBLLM, OURS, RANDOM, SMOTE_NC, TUNED, TWICE, WEIGHTS
from imbllm_autogluon.bench.autogluon.judge import BINARY, MULTICLASS
from imbllm_autogluon.bench.autogluon.page import changes_from, classes_text, page_text, summary
from imbllm_autogluon.bench.autogluon.split import ClassSplit
from imbllm_autogluon.bench.one_fit import PLAIN
from tests.jobs.fits import labelled

Figures = dict[str, dict[str, float]]


def two(gain: float, log_loss: float = 0.2, **more: float) -> dict[str, float]:
    """Figures of two classes, `gain` points above 50."""
    return {**dict.fromkeys(BINARY, 50.0 + gain), "log-loss": log_loss, "fit s": 4.0, **more}


def several(gain: float, log_loss: float = 0.4) -> dict[str, float]:
    return {**dict.fromkeys(MULTICLASS, 60.0 + gain), "log-loss": log_loss, "fit s": 4.0}


SICK: Figures = {
    PLAIN: two(0.0),
    TWICE: two(0.0, weight=0.0),
    OURS: two(1.0),
    RANDOM: two(-2.0, 0.22, weight=30.0),
    SMOTE_NC: two(1.0),
    IMBLLM: two(3.0, 0.19, weight=25.0, generators=4.0),
    WEIGHTS: two(-1.0, 0.3),
}
CAR: Figures = {
    PLAIN: several(0.0),
    TWICE: several(0.0),
    OURS: several(3.0),
    IMBLLM: several(4.0, 0.38),
    WEIGHTS: several(1.0),
}


def tidy(**tables: Figures) -> pd.DataFrame:
    """Two splits; all shares of the second are 10 points higher, which no difference notices."""
    return pd.DataFrame(
        [
            {"table": table, "split": split, "arm": arm, "metric": metric, "value": value + 10 * split * (value > 10)}
            for table, given in tables.items()
            for split in range(2)
            for arm, own in given.items()
            for metric, value in own.items()
        ]
    )


def text_of(**tables: Figures) -> str:
    return page_text(tidy(**tables), "- rows", ["GBM", "CAT"], 4, "imbllm bench autogluon")


def test_changes_are_points_and_those_of_the_log_loss_percent() -> None:
    changes = changes_from(tidy(sick=SICK, car=CAR), PLAIN)
    assert changes.loc[("sick", 1, IMBLLM), "F1"] == 3.0
    assert round(changes.loc[("sick", 0, IMBLLM), "log-loss"], 6) == -5.0
    assert pd.isna(changes.loc[("car", 0, IMBLLM), "F1"])
    assert PLAIN not in changes.index.get_level_values("arm")
    assert changes_from(tidy(sick=SICK), TWICE).loc[("sick", 0, PLAIN), "F1"] == 0.0


def test_a_difference_in_the_order_of_a_sum_is_none() -> None:
    changes = changes_from(tidy(sick={PLAIN: two(0.0), IMBLLM: two(1e-12)}), PLAIN)
    assert (changes["F1"] == 0).all()


def test_the_summary_has_a_line_for_each_table_and_arm() -> None:
    table = summary(tidy(sick=SICK, car=CAR)).set_index(["table", "arm"])
    assert table.loc[("sick", IMBLLM), ["F1", "log-loss", "weight", "generators"]].tolist() == [
        "58.0",
        "0.190",
        "30.0",
        "4.0",
    ]
    assert table.loc[("car", IMBLLM), ["F1", "macro F1", "weight"]].tolist() == ["", "69.0", ""]


def test_wins_and_losses_are_counted_over_the_tables() -> None:
    text = text_of(sick=SICK, worse={**SICK, IMBLLM: two(-1.0, 0.22)}, car=CAR)
    over = text.split("## Over all tables")[1].split("## Table by table")[0]
    assert f"| {IMBLLM} | +1.0 (1 better, 1 worse, p 1.000) |" in over
    assert "| +2.5 (1 better, 1 worse, p 1.000) |\n" in over
    assert "| -5.0 (1 better, 0 worse) |\n" in over, "a lower log-loss is better"
    assert f"| {WEIGHTS} | +1.0 (1 better, 0 worse) | +1.0 (1 better, 0 worse) | +0.0 (0 better, 0 worse) |" in over
    assert f"| {PLAIN} |" not in over


def test_changes_stand_table_by_table_with_their_error_over_the_splits() -> None:
    rows = tidy(sick=SICK, car=CAR)
    moved = (rows["table"] == "sick") & (rows["arm"] == IMBLLM) & (rows["metric"] == "F1") & (rows["split"] == 1)
    rows.loc[moved, "value"] += 2.0
    by_table = page_text(rows, "", ["GBM"], 4, "").split("## Table by table")[1]
    assert f"| sick | {IMBLLM} | +3.0 ± 0.0 | +3.0 ± 0.0 | +4.0 ± 1.0 |" in by_table
    assert "-5.0 ± 0.0 % |" in by_table
    assert f"| car | {IMBLLM} | +4.0 ± 0.0 | +4.0 ± 0.0 | -5.0 ± 0.0 % |" in by_table


def test_tables_of_two_classes_and_of_more_stand_apart_and_a_kind_without_tables_is_left_out() -> None:
    assert text_of(sick=SICK, car=CAR).count("### Two classes") == 2
    assert "### More classes" not in text_of(sick=SICK)
    assert "### Two classes" not in text_of(car=CAR)
    assert "nan" not in text_of(sick=SICK, car=CAR)


def test_the_page_says_what_was_fitted_and_how_to_repeat_it() -> None:
    text = text_of(sick=SICK, car=CAR)
    assert "fits all models in 4 bagging folds: GBM, CAT as they are (`plain`)" in text
    assert "\n- rows\n" in text
    assert f"- **{IMBLLM}** against `{PLAIN}`:" in text
    assert f"- **{IMBLLM}** against `{TWICE}`:" in text
    assert f"- **{IMBLLM}** against `{OURS}`:" in text
    assert f"`{TUNED}` against `{IMBLLM}`: not measured" in text
    assert "Command: `imbllm bench autogluon`." in text
    assert not {"{", "}"} & set(text)


def test_rows_of_each_class_are_told_the_largest_first() -> None:
    split = ClassSplit.of(labelled({"a": 20, "b": 60}), 0)
    assert classes_text("sick", split) == "- **sick**: `b` 45 learned, 15 to judge on; `a` 15 learned, 5 to judge on"
