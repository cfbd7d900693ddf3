from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from autogluon.core.metrics import get_metric

from imbllm_autogluon.jobs.compare import ScoredRows, _against_duplicates, _EnsemblePair, _Metric
from imbllm_autogluon.jobs.report import report_again, report_fit
from imbllm_autogluon.jobs.twins import _changed_answers, _fit_duplicates, _plain_of, confusion
from imbllm_autogluon.plugin.clock import FitClock
from imbllm_autogluon.plugin.decisions import decide
from imbllm_autogluon.rebalancing.cache import cache_of
from imbllm_autogluon.rebalancing.rows import ROWS_CACHE
from tests.jobs.fits import (
    HTML,
    MARKDOWN,
    binary_outcome,
    copy_of,
    facts_of,
    labelled,
    multiclass_outcome,
    target_outcome,
    tiny_job,
)

if TYPE_CHECKING:
    from pathlib import Path

TWIN, PLAIN, DUPLICATES = "LinearModelImb_BAG_L1", "LinearModel_BAG_L1", "LinearModelImbDuplicates_BAG_L1"


def test_each_twin_stands_beside_its_plain_model_and_duplicates_are_compared_and_gone() -> None:
    outcome = binary_outcome()
    twin, duplicates = facts_of(outcome)["comparison"]["twins"]
    assert (twin["model"], twin["plain"], twin["kind"]) == (TWIN, PLAIN, "twin")
    assert (duplicates["model"], duplicates["plain"], duplicates["of"]) == (DUPLICATES, PLAIN, TWIN)
    for each in (twin, duplicates):
        assert each["gain"] == pytest.approx(each["twin_score"] - each["plain_score"])
        assert ("within chance" in each["words"]) == (abs(each["gain"]) <= each["spread"])
        assert min(each["seconds"], each["plain_seconds"]) > 0
    assert facts_of(outcome)["comparison"]["baseline"].startswith(f"With duplicated rows in place of its own {TWIN} is")
    assert DUPLICATES not in outcome.predictor.model_names()
    assert not (outcome.job.out / "models" / DUPLICATES).exists()
    assert duplicates["words"] in (outcome.job.out / HTML).read_text(encoding="utf-8")
    assert duplicates["words"] in (outcome.job.out / MARKDOWN).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("twin", "plain"),
    [
        ("LightGBMImb_BAG_L1", "LightGBM_BAG_L1"),
        ("LightGBMImb_2_BAG_L1", "LightGBM_BAG_L1"),
        ("LightGBMImbXT_BAG_L1/T3", "LightGBMXT_BAG_L1"),
        ("LightGBMImb", None),
    ],
)
def test_a_twin_is_found_by_the_name_of_its_plain_model(twin: str, plain: str | None) -> None:
    assert _plain_of(twin, ["LightGBM_BAG_L1", "LightGBMXT_BAG_L1"]) == plain


def test_duplicates_are_left_out_where_they_would_cost_more_than_they_may() -> None:
    predictor, twins = binary_outcome().predictor, {TWIN: {"plain": PLAIN, "seconds": 9.0}}
    for seconds, limit, room in ((40.0, None, 5), (1000.0, 3.0, 3)):
        found = _fit_duplicates(predictor, twins, seconds, limit)
        assert found.model is None
        assert f"in the {room} s they may take" in found.reason
    assert _fit_duplicates(predictor, {}, 40.0, None).reason == ""


@pytest.mark.parametrize(
    ("twin", "lead", "said"),
    [
        ((0.01, 0.02), (0.0, 0.01), "not shown to be better than none"),
        ((0.05, 0.02), (0.03, 0.01), "better than duplicates beyond chance: better by 0.0300 ± 0.0100"),
        ((0.05, 0.02), (-0.01, 0.02), "Duplicates do as much: next to them its own rows are worse by 0.0100"),
    ],
)
def test_the_sentence_on_duplicates_follows_from_both_intervals(twin: Any, lead: Any, said: str) -> None:
    gains = {("twin", "plain"): twin, ("twin", "duplicates"): lead}
    rows = ScoredRows("classification", (), np.zeros(0), np.zeros(0), {}, {})
    entry = {"of": "twin", "model": "duplicates", "plain": "plain", "words": "better by 0.0200 ± 0.0100"}
    told = _against_duplicates(rows, entry, gains)
    assert told.startswith("With duplicated rows in place of its own twin is better by 0.0200 ± 0.0100")
    assert said in told


def test_the_table_of_answers_is_that_of_the_decision_in_force(tmp_path: Path) -> None:
    outcome = copy_of(binary_outcome(), tmp_path / "fit")
    asked = facts_of(outcome)["answers"]["confusion"]
    assert (asked["rows"], asked["names"], asked["by"]) == ("given", ["yes", "no"], "AutoGluon's answers")
    assert [sum(line) for line in asked["counts"]] == [20, 59]
    decide(outcome.predictor, recall=0.95)
    found = confusion(outcome.predictor)
    assert found is not None
    assert (found["rows"], found["by"]) == ("out-of-fold", "the stored decision")
    caught, missed = found["counts"][0]
    assert (caught + missed, caught >= 0.9 * (caught + missed)) == (29, True)
    assert np.sum(found["counts"]) == 179
    assert confusion(target_outcome().predictor) is None


def test_rows_that_one_ensemble_alone_answers_rightly_are_counted_and_shown() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1])
    chances = {"whole": np.array([0, 0, 0, 1, 1, 1, 0.0]), "plain": np.array([0, 0, 1, 0, 0, 0, 1.0])}
    metric, index = _Metric("f1", get_metric("f1")), pd.Index([*"abcdefg"])
    names = {0: "no", 1: "yes"}
    rows = ScoredRows(
        "classification", (metric,), labels, labels, names, chances, thresholds={"whole": {}, "plain": {}}, index=index
    )
    frame = pd.DataFrame({"age": range(7), "city": "Oslo"}, index=index)
    found = _changed_answers(rows, _EnsemblePair("whole", "plain"), frame, ["city", "age"])
    assert found is not None
    yes, no = found["classes"]
    assert (yes["class"], yes["rows"], yes["whole"], yes["plain"]) == ("yes", 3, 2, 1)
    assert (no["class"], no["rows"], no["whole"], no["plain"]) == ("no", 4, 1, 1)
    assert [(row["right"], row["wrong"], row["cells"]) for row in found["examples"]] == [
        ("whole", "no", ["Oslo", "4"]), ("whole", "no", ["Oslo", "5"]), ("plain", "no", ["Oslo", "6"]),
    ]  # fmt: skip


def test_the_importance_of_columns_is_measured_on_rows_that_are_not_learned() -> None:
    found = facts_of(multiclass_outcome())["answers"]["importance"]
    losses = {each["column"]: each["loss"] for each in found["columns"]}
    assert found["model"] in ("KNeighbors_BAG_L1", "LinearModel_BAG_L1", TWIN)
    assert max(losses, key=lambda name: losses[name]) == "amount"


def test_notes_agree_where_the_clock_cut_the_twins_that_rows_were_written_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FitClock, "_reason_against_twin", lambda *_: "no time was left")
    outcome = tiny_job(labelled({"no": 120, "yes": 30}), tmp_path / "fit", families=("LR",)).run()
    report = report_fit(outcome)
    page = report.write(outcome.job.out).read_text(encoding="utf-8")
    facts = report.facts
    assert facts["generator_fits"] == 2
    assert [sum(fold["added"].values()) > 0 for fold in facts["folds"]] == [True, True]
    assert facts["rows"]["rows"]["synthetic"] > 0
    told = "No twin learned from the rows that imbllm wrote (S1F1, S1F2): none was fitted for them."
    assert told in facts["notes"]
    assert "No fold was rebalanced" not in page
    assert "imbllm: no twin learned from these rows" in page
    assert f"Not fitted because no time was left: {TWIN}." in facts["notes"]
    assert "Cut by the clock" in page
    shutil.rmtree(cache_of(outcome.job.out) / "rows")
    ROWS_CACHE.forget()
    again = report_again(outcome.job.out).read_text(encoding="utf-8")
    assert "The rows are no longer in the cache, so there are no pictures." in again
    assert "No rows were written" not in again
