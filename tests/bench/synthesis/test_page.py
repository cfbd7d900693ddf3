from __future__ import annotations

import pandas as pd

from imbllm_autogluon.bench.synthesis.page import GREAT, METRICS, ORDERED, PRED_LLM, REAL, page_text, summary

Figures = dict[str, dict[str, float]]

BETTER: Figures = {
    REAL: {"accuracy": 95.0, "macro F1": 90.0, "coverage": 0.95, "query accuracy": 95.0, "copies": 1.0},
    PRED_LLM: {"accuracy": 90.0, "macro F1": 60.0, "coverage": 0.8, "query accuracy": 92.26, "fit s": 3.0},
    ORDERED: {"accuracy": 85.0, "macro F1": 55.0, "coverage": 0.7, "query accuracy": 80.0, "fit s": 3.0},
    GREAT: {"accuracy": 90.0, "macro F1": 70.0, "coverage": 0.85, "fit s": 2.5},
}
WORSE: Figures = {**BETTER, PRED_LLM: {**BETTER[PRED_LLM], "accuracy": 89.9, "coverage": 0.79}}


def tidy(**tables: Figures) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"table": table, "split": split, "arm": arm, "metric": metric, "value": value + (2 * split - 1) / 100}
            for table, figures in tables.items()
            for split in range(2)
            for arm, given in figures.items()
            for metric, value in given.items()
        ]
    )


def text_of(**tables: Figures) -> str:
    return page_text(tidy(**tables), "compact", "imbllm bench synthesis --rows 300")


def test_the_summary_has_the_means_of_the_splits_and_is_empty_where_an_arm_has_no_such_figure() -> None:
    table = summary(tidy(visits=BETTER)).set_index("arm")
    assert list(table.index) == list(BETTER)
    assert list(table.columns) == ["table", *METRICS]
    assert table.loc[PRED_LLM, "query accuracy"] == 92.3
    assert table.loc[PRED_LLM, "coverage"] == 0.8
    assert table.loc[GREAT, "query accuracy"] == table.loc[REAL, "fit s"] == table.loc[GREAT, "copies"] == ""


def test_the_verdict_counts_the_tables_where_the_rows_teach_at_least_as_much() -> None:
    text = text_of(a=BETTER, b=BETTER, c=WORSE)
    assert "- accuracy at least that of GReaT on 2 of 3 tables (most)" in text
    assert "- macro F1 at least that of GReaT on 0 of 3 tables (NOT most)" in text
    assert "- accuracy at least that of GReaT on 1 of 2 tables (NOT most)" in text_of(a=BETTER, b=WORSE)


def test_coverage_is_asked_of_every_table() -> None:
    assert "- coverage of Pred-LLM at least 0.8 on 1 of 1 tables (all)" in text_of(a=BETTER)
    assert "- coverage of Pred-LLM at least 0.8 on 1 of 2 tables (NOT all)" in text_of(a=BETTER, b=WORSE)


def test_every_table_has_a_line_with_the_peers_beside_the_real_rows() -> None:
    text = text_of(visits=BETTER, stays=WORSE)
    assert "- **visits**: accuracy 90.0 against 90.0 (real rows 95.0), macro F1 60.0 against 70.0 (90.0)" in text
    assert "coverage 0.80 against 0.85 (0.95); label query 92.3 % right, boosted trees on real rows 95.0 %" in text
    assert "; label anywhere instead of last (permute_xy): accuracy 85.0, query 80.0 %" in text
    assert "- **stays**: accuracy 89.9 against 90.0" in text


def test_an_arm_that_was_not_measured_is_not_told_of() -> None:
    text = text_of(visits={arm: figures for arm, figures in BETTER.items() if arm != ORDERED})
    assert "- **visits**" in text
    assert "label anywhere instead of last" not in text


def test_the_page_tells_meanings_and_command() -> None:
    text = text_of(visits=BETTER)
    assert all(f"**{metric}**" in text for metric in METRICS)
    assert text.endswith("Command: `imbllm bench synthesis --rows 300`.")
