from __future__ import annotations

import json
from html import unescape
from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.jobs.fit_report import HTML_NAME, JSON_NAME, fit_report, leaderboard
from imbllm_autogluon.jobs.fold_records import _record, fold_records
from imbllm_autogluon.jobs.summary import summary
from imbllm_autogluon.jobs.target_facts import latent_notes, target_facts
from imbllm_autogluon.plugin.models import LatentDiffModel
from tests.jobs.target_fits import target_outcome, target_table, tiny_target_job, unbagged_outcome

if TYPE_CHECKING:
    from pathlib import Path


def test_every_bin_of_the_training_table_has_its_edges_rows_and_shots() -> None:
    outcome = target_outcome()
    table = fit_report(outcome)["table"]
    target = outcome.job.train.frame["price"]
    bins = table["bins"]
    assert (bins[0]["from"], bins[-1]["to"]) == (table["lowest"], table["highest"]) == (target.min(), target.max())
    assert len(bins) == 8
    assert [row["rows"] for row in bins] == outcome.job.bin_counts.tolist()
    assert [row["shots"] for row in bins if row["rows"] < 20] == ["few"] * sum(row["rows"] < 20 for row in bins)
    assert table["shots"] == {
        shot: sum(row["rows"] for row in bins if row["shots"] == shot) for shot in ("many", "medium", "few")
    }


def test_what_was_added_to_bins_is_the_mean_of_the_folds() -> None:
    outcome = target_outcome()
    report = fit_report(outcome)
    assert [fold["name"] for fold in report["folds"]] == ["S1F1", "S1F2"]
    added = sum(sum(fold["added"].values()) for fold in report["folds"])
    assert added > 0
    assert sum(row["rows_added"] for row in report["table"]["bins"]) == pytest.approx(added / 2, abs=0.1)
    features = [row["features_added"] for row in report["table"]["bins"]]
    assert sum(features) > 0
    rare, common = features[-1], features[0]
    assert rare is not None
    assert common is not None


def test_a_kind_of_addition_that_no_model_makes_is_none() -> None:
    outcome = unbagged_outcome()
    facts = target_facts(outcome.job, outcome.predictor, [])
    assert {row["rows_added"] for row in facts["bins"]} == {None}


def test_rows_before_and_added_are_counted_by_bins_with_known_edges() -> None:
    outcome = target_outcome()
    for fold in fold_records(outcome.predictor, 0):
        assert len(fold.edges) == 9
        assert sum(fold.before.values()) in (74, 75)
        assert set(fold.added) <= set(fold.before)


def test_the_leaderboard_marks_latent_diff() -> None:
    kinds = {row["model"]: row["kind"] for row in leaderboard(target_outcome())}
    assert kinds["LatentDiff_BAG_L1"] == "latent_diff"
    assert kinds["KNeighborsImb_BAG_L1"] == "twin"
    assert kinds["KNeighbors_BAG_L1"] == "plain"


def test_what_latent_diff_fell_short_of_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imbllm_autogluon.plugin.models._too_little", lambda *_: "too little")
    outcome = tiny_target_job(target_table(), tmp_path / "fit", folds=0, settings={"method": "none"}).run()
    assert latent_notes(outcome.predictor) == ["LatentDiff, all rows: too little; every answer is the median."]
    assert "LatentDiff, all rows: too little; every answer is the median." in fit_report(outcome)["notes"]
    assert LatentDiffModel.ag_name == "LatentDiff"


def test_json_page_and_summary_hold_the_same_verdict() -> None:
    outcome = target_outcome()
    page = outcome.job.out / HTML_NAME
    report = json.loads((outcome.job.out / JSON_NAME).read_text(encoding="utf-8"))
    assert (report["task"], report["headline"]) == ("regression", outcome.comparison.verdict)
    text = unescape(page.read_text(encoding="utf-8"))
    assert outcome.comparison.verdict in text
    assert "Bins of the target" in text
    assert 'class="tag latent_diff"' in text
    printed = summary(outcome, page)
    assert outcome.comparison.verdict in printed
    assert "few-shot mean absolute error (lower is better)" in printed
    assert "threshold" not in printed
    assert "Generators trained" not in printed


def test_rows_without_a_target_are_said_to_be_left_out() -> None:
    notes = fit_report(target_outcome())["notes"]
    assert "1 training rows have no label and were left out." in notes
    assert "1 test rows have no label and were not scored." in notes


def test_notes_on_written_rows_name_the_targets_of_a_bin() -> None:
    entry = {"method": "interpolation", "label": "3.5 to 9", "rows": 2, "copies_dropped": 0, "copies_kept": 1}
    report = {"before": {}, "added": {}, "reason": "", "notes": [], "edges": [0.0, 9.0]}
    assert _record("S1F1", {**report, "oversampling": {"classes": [entry]}}, {}).notes == (
        "Targets 3.5 to 9: 2 rows; the new ones are made by interpolation.",
        "Copies of real rows of targets 3.5 to 9 that had to stay: 1.",
    )
