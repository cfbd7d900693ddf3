from __future__ import annotations

import json
from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.jobs.contenders import Contenders
from imbllm_autogluon.jobs.fit_report import HTML_NAME, JSON_NAME, MARKDOWN_NAME, fit_report, leaderboard, write_report
from imbllm_autogluon.jobs.fold_records import _record, fold_records
from imbllm_autogluon.jobs.summary import comparison_text, leaderboard_text, summary
from tests.jobs.fits import binary_outcome, copy_of, labelled, multiclass_outcome, tiny_job
from tests.shared import TINY

if TYPE_CHECKING:
    from pathlib import Path


def test_the_report_counts_rows_before_and_added_in_every_fold_by_the_users_class_names() -> None:
    outcome = binary_outcome()
    report = fit_report(outcome)
    assert [fold["name"] for fold in report["folds"]] == ["S1F1", "S1F2"]
    for fold in report["folds"]:
        before = fold["before"]
        assert set(before) == {"no", "yes"}
        assert fold["added"] == {"yes": round(sqrt(before["no"] * before["yes"])) - before["yes"]}
        assert {stage: len(curve) for stage, curve in fold["losses"].items()} == {"warm-up": 2, "minority": 2}
        assert fold["seconds"] > 0
        assert fold["parameters"] > 0
    rows = sum(sum(fold["before"].values()) for fold in report["folds"])
    assert rows == len(outcome.job.train.frame)  # of two folds each row is in the training part of one


def test_the_report_names_what_was_left_out() -> None:
    notes = fit_report(binary_outcome())["notes"]
    assert "1 training rows have no label and were left out." in notes
    assert "1 test rows have no label and were not scored." in notes
    assert len(notes) == len(set(notes))


def test_the_report_says_that_out_of_fold_scores_are_too_good_and_names_unlearned_classes() -> None:
    notes = fit_report(multiclass_outcome())["notes"]
    assert "AutoGluon left out classes with too few rows: d. They are never predicted." in notes
    assert any(note.startswith("Scores are on out-of-fold rows") for note in notes)


def test_the_report_says_why_balanced_classes_have_no_twins(tmp_path: Path) -> None:
    outcome = tiny_job(labelled({"no": 60, "yes": 55}), tmp_path / "fit", families=("LR",), folds=0).run()
    report = fit_report(outcome)
    assert report["generator_fits"] == 0
    assert report["folds"] == []
    assert "No model has a twin: classes are balanced (largest over smallest below 1.5)." in report["notes"]
    assert report["headline"].startswith("Nothing to compare: no twin was fitted")


def test_a_note_of_several_folds_is_said_once_with_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = binary_outcome()
    known = fold_records(outcome.predictor, 2)
    noted = [replace(known[0], notes=("Both.", "First.")), replace(known[1], notes=("Both.",))]
    monkeypatch.setattr("imbllm_autogluon.jobs.fit_report.fold_records", lambda *_: noted)
    notes = fit_report(outcome)["notes"]
    assert "All folds: Both." in notes
    assert "Fold S1F1: First." in notes


def test_classes_of_few_rows_and_copies_are_noted_by_the_users_class_names() -> None:
    classes = {"method": "language model", "label": "1", "rows": 30, "copies_dropped": 3, "copies_kept": 0}
    few = {"method": "interpolation", "label": "0", "rows": 4, "copies_dropped": 0, "copies_kept": 2}
    oversampling = {
        "classes": [classes, few],
        "set_aside": {"id": "column 'id': an identifier."},
        "stopped_by": {"warm-up": "steps", "minority": "time limit"},
    }
    report = {"before": {}, "added": {}, "reason": "", "notes": ["cut"], "oversampling": oversampling}
    assert _record("S1F1", report, {"0": "no", "1": "yes"}).notes == (
        "cut.",
        "Not written by the language model: column 'id': an identifier.",
        "Copies of real rows of class 'yes', written anew: 3.",
        "Class 'no': 4 rows; the new ones are made by interpolation.",
        "Copies of real rows of class 'no' that had to stay: 2.",
        "Training (minority) was stopped by the time limit.",
    )


def test_the_leaderboard_marks_twins_and_ensembles_and_goes_by_validation_scores() -> None:
    board = leaderboard(binary_outcome())
    assert {row["model"]: row["kind"] for row in board} == {
        "WeightedEnsemble_L2": "ensemble",
        "WeightedEnsemble_L2Plain": "ensemble",
        "KNeighbors_BAG_L1": "plain",
        "KNeighborsImb_BAG_L1": "twin",
        "LinearModel_BAG_L1": "plain",
        "LinearModelImb_BAG_L1": "twin",
        "ImbLLM_BAG_L1": "generator",
    }
    scores = [row["score_val"] for row in board]
    assert scores == sorted(scores, reverse=True)
    assert all(row["score_test"] is not None for row in board)
    assert sum(row["weight"] or 0 for row in board) == pytest.approx(1)


def test_json_and_html_lie_beside_the_predictor_and_hold_the_same_verdict(tmp_path: Path) -> None:
    outcome = copy_of(binary_outcome(), tmp_path / "fit")
    for name in (HTML_NAME, JSON_NAME, MARKDOWN_NAME):
        (outcome.job.out / name).unlink()
    page = write_report(outcome)
    assert page == outcome.job.out / HTML_NAME
    report = json.loads((outcome.job.out / JSON_NAME).read_text(encoding="utf-8"))
    assert report["headline"] == outcome.comparison.verdict
    assert report["settings"]["twin_parameters"] == TINY
    assert outcome.comparison.verdict in page.read_text(encoding="utf-8").replace("&#43;", "+")
    assert not list(outcome.job.out.glob(".imbllm_report*"))


def test_folds_are_read_from_one_family_when_it_knows_all_generators() -> None:
    outcome = binary_outcome()
    assert fold_records(outcome.predictor, 2) == fold_records(outcome.predictor, 0)


def test_the_summary_says_plainly_when_the_plain_ensemble_is_better() -> None:
    outcome = binary_outcome()
    worse = tuple(replace(score, whole=score.plain - 0.1, plain=score.plain) for score in outcome.comparison.scores)
    lost = replace(outcome, comparison=replace(outcome.comparison, scores=worse, interval=None))
    text = summary(lost, outcome.job.out / HTML_NAME)
    assert "The plain ensemble is better by 0.1000" in text
    assert f"Report: {outcome.job.out / HTML_NAME}" in text
    assert "Generators trained: 2" in text


def test_the_printed_tables_hold_both_ensembles_and_every_model() -> None:
    outcome = binary_outcome()
    lines = comparison_text(outcome.comparison).splitlines()
    assert lines[0].split() == ["metric", "plain", "ensemble", "whole", "ensemble", "better"]
    assert len(lines) == 1 + len(outcome.comparison.scores)
    assert len(leaderboard_text(outcome).splitlines()) == 1 + 7


def test_a_single_model_in_use_has_no_weights() -> None:
    outcome = binary_outcome()
    alone = replace(outcome, comparison=replace(outcome.comparison, contenders=Contenders("KNeighbors_BAG_L1", None)))
    assert {row["weight"] for row in leaderboard(alone)} == {None}


def test_the_report_holds_measures_of_the_rows_curves_and_the_work_of_the_generators() -> None:
    outcome = binary_outcome()
    page = (outcome.job.out / HTML_NAME).read_text(encoding="utf-8")
    report = json.loads((outcome.job.out / JSON_NAME).read_text(encoding="utf-8"))
    assert report["rows"]["fold"] == "S1F1"
    assert {measure["name"] for measure in report["rows"]["measures"]} >= {"coverage", "near copies"}
    for fold in report["folds"]:
        assert min(fold["training_tokens"], fold["sampling_tokens"], fold["sampling_seconds"]) > 0
        assert set(fold["copies"]) == {"yes"}
        assert set(fold["copies"]["yes"]) == {"dropped", "kept", "near_dropped", "near_kept"}
    for heading in ("Curves for yes", "Work of the generators", "Written rows of fold S1F1", "Measures of the rows"):
        assert heading in page
    assert page.count("<polyline") >= 2 * 3
    assert len(page) < 3_000_000


def test_the_same_is_written_as_markdown() -> None:
    text = (binary_outcome().job.out / MARKDOWN_NAME).read_text(encoding="utf-8")
    assert text.startswith("# Predicting label from rows.csv\n")
    for heading in (
        "## Leaderboard",
        "## Folds",
        "## Written rows of fold S1F1",
        "## Measures of the rows",
        "## Notes",
    ):
        assert f"\n{heading}\n" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) > 40
    assert "\n\n\n\n" not in text


def test_near_copies_are_noted_by_the_users_class_names() -> None:
    entry = {
        "method": "language model", "label": "1", "rows": 30, "copies_dropped": 0, "copies_kept": 0,
        "near_copies_dropped": 7, "near_copies_kept": 1,
    }  # fmt: skip
    report = {"before": {}, "added": {}, "reason": "", "notes": [], "oversampling": {"classes": [entry]}}
    record = _record("S1F1", report, {"1": "yes"})
    assert record.copies == {"yes": {"dropped": 0, "kept": 0, "near_dropped": 7, "near_kept": 1}}
    assert record.notes == (
        "Near copies of real rows of class 'yes', written anew: 7.",
        "Near copies of real rows of class 'yes' that had to stay: 1.",
    )
