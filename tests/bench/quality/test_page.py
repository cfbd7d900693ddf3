from __future__ import annotations

import pandas as pd

from imbllm_autogluon.bench.quality.arms import IMBLLM, NOISE, SMOTE, QualitySplit
from imbllm_autogluon.bench.quality.page import ROWS, SECONDS, all_figures, classes_text, page_text, summary
from tests.jobs.fits import labelled

Figures = dict[str, dict[str, tuple[float | None, str]]]

ROWS_AND_SECONDS: dict[str, tuple[float | None, str]] = {ROWS: (40.0, ""), SECONDS: (2.04, "")}
OTHERS: Figures = {
    SMOTE: {"coverage": (0.7, "poor"), "close probability": (0.97, "good"), **ROWS_AND_SECONDS},
    NOISE: {"coverage": (0.0, "poor"), "close probability": (None, "unknown"), **ROWS_AND_SECONDS},
}
REACHED: Figures = {
    IMBLLM: {"coverage": (0.8, "good"), "close probability": (0.9, "good"), **ROWS_AND_SECONDS},
    **OTHERS,
}
MISSED: Figures = {
    IMBLLM: {"coverage": (0.796, "poor"), "close probability": (None, "unknown"), **ROWS_AND_SECONDS},
    **OTHERS,
}


def tidy(n_splits: int = 2, **tables: Figures) -> pd.DataFrame:
    entries = [
        {"table": table, "split": split, "arm": arm, "measure": name, "value": value, "verdict": verdict}
        for table, figures in tables.items()
        for split in range(n_splits)
        for arm, given in figures.items()
        for name, (value, verdict) in given.items()
    ]
    return pd.DataFrame(entries).astype({"value": "float64"})


def text_of(**tables: Figures) -> str:
    return page_text(tidy(**tables), "- **a**: rows", "imbllm bench quality --rows 300")


def test_reached_figures_are_told_beside_those_of_the_peers() -> None:
    text = text_of(visits=REACHED)
    assert "- coverage of ImbLLM at least 0.8 on 1 of 1 tables (all)" in text
    assert "- close probability of ImbLLM at least 0.9 on 1 of 1 tables (all)" in text
    assert (
        "- **visits**: coverage 0.800 (reached; SMOTE-NC 0.700; uniform noise 0.000), "
        "close probability 0.900 (reached; SMOTE-NC 0.970); 4 of 4 figures judged good; 2.0 s"
    ) in text
    assert "NOT" not in text


def test_figures_that_are_not_reached_or_not_measured_are_told_as_such() -> None:
    text = text_of(visits=REACHED, stays=MISSED)
    assert "- coverage of ImbLLM at least 0.8 on 1 of 2 tables (NOT all)" in text
    assert "- close probability of ImbLLM at least 0.9 on 1 of 2 tables (NOT all)" in text
    assert "- **stays**: coverage 0.796 (NOT reached; SMOTE-NC 0.700; uniform noise 0.000)" in text
    assert "close probability not measured (NOT reached; SMOTE-NC 0.970); 0 of 2 figures judged good; 2.0 s" in text
    assert "nan" not in text


def test_a_figure_is_the_mean_over_the_splits_and_marked_where_half_of_them_are_poor() -> None:
    both = pd.concat([tidy(1, visits=REACHED), tidy(1, visits=MISSED).assign(split=1)])
    table = all_figures(both).set_index("measure")
    assert list(table.columns) == ["table", *REACHED]
    assert list(table.index) == ["coverage", "close probability", ROWS, SECONDS]
    assert table[IMBLLM].tolist() == ["0.798*", "0.900", "40", "2.0"]
    assert table[NOISE].tolist() == ["0.000*", "", "40", "2.0"]
    assert all_figures(pd.concat([both, tidy(1, visits=REACHED)])).loc[0, IMBLLM] == "0.799"
    assert "| visits | coverage | 0.798* | 0.700* | 0.000* |" in page_text(both, "", "")


def test_a_measure_that_one_table_lacks_is_empty_there() -> None:
    more: Figures = {arm: {"entropy": (1.0, "good"), **given} for arm, given in REACHED.items()}
    table = all_figures(tidy(visits=REACHED, stays=more)).set_index(["table", "measure"])
    assert table.loc[("visits", "entropy"), IMBLLM] == ""
    assert table.loc[("stays", "entropy"), IMBLLM] == "1.000"


def test_the_share_judged_good_leaves_unknown_figures_out() -> None:
    table = summary(tidy(visits=REACHED, stays=MISSED)).set_index("arm")
    assert table["measures judged good"].to_dict() == {IMBLLM: "67 %", SMOTE: "50 %", NOISE: "0 %"}
    assert table[SECONDS].to_dict() == dict.fromkeys(REACHED, "2.0")
    unknown: Figures = {IMBLLM: {"coverage": (None, "unknown"), "close probability": (None, "unknown")}}
    assert summary(tidy(visits=unknown))["measures judged good"].tolist() == [""]


def test_the_page_tells_what_its_measures_say_and_no_others() -> None:
    text = text_of(visits=REACHED)
    assert "- **coverage** (0 to 1; higher is better): Share of real rows" in text
    assert "**density**" not in text
    assert "Command: `imbllm bench quality --rows 300`." in text
    distance: Figures = {arm: {"DCR to train (median)": (1.0, "good"), **given} for arm, given in REACHED.items()}
    assert "- **DCR to train (median)** (0 or more; best near that of real rows)" in text_of(visits=distance)


def test_rows_are_told_for_each_rarer_class() -> None:
    split = QualitySplit.of(labelled({"no": 60, "often": 30, "yes": 15}), 0)
    assert classes_text("visits", split) == (
        "- **visits**: 70 rows learned, 35 held out; `often` 20 learned, 10 held out, 20 wanted; "
        "`yes` 10 learned, 5 held out, 30 wanted"
    )
