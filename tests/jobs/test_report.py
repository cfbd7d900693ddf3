from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import optuna
import pytest

from imbllm_autogluon.errors import StoredStateError, TableError
from imbllm_autogluon.jobs import report as module
from imbllm_autogluon.jobs.compare import _EnsemblePair, base_models
from imbllm_autogluon.jobs.folds import written_rows
from imbllm_autogluon.jobs.report import FitReport, _study_records, report_again, report_fit, rows_facts
from imbllm_autogluon.quality.reports import number
from imbllm_autogluon.rebalancing.cache import STUDIES, cache_of
from imbllm_autogluon.rebalancing.rows import ROWS_CACHE
from imbllm_autogluon.search.studies import journal_storage
from tests.jobs.fits import (
    HTML,
    JSON,
    MARKDOWN,
    binary_outcome,
    copy_of,
    facts_of,
    labelled,
    many_kinds,
    multiclass_outcome,
    target_outcome,
    target_table,
    tiny_job,
    tiny_target_job,
    tuned_outcome,
    unbagged_outcome,
)
from tests.quality.pages import Page
from tests.shared import TINY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from imbllm_autogluon.jobs.fit import FitOutcome

SECONDS = re.compile(r"Judged and drawn in [\d.]+ s")
TWIN = "LinearModelImb_BAG_L1"


def printed(outcome: FitOutcome) -> str:
    return FitReport(facts_of(outcome), {}).to_text(outcome.job.out / HTML)


def test_the_report_counts_rows_before_and_added_in_every_fold_by_the_users_class_names() -> None:
    outcome = binary_outcome()
    folds = facts_of(outcome)["folds"]
    assert [fold["name"] for fold in folds] == ["S1F1", "S1F2"]
    for fold in folds:
        before = fold["before"]
        assert set(before) == {"no", "yes"}
        assert fold["added"] == {"yes": before["yes"]}
        assert {stage: len(curve) for stage, curve in fold["losses"].items()} == {"warm-up": 2, "minority": 2}
        assert min(fold["training_tokens"], fold["sampling_tokens"], fold["sampling_seconds"]) > 0
        assert min(fold["seconds"], fold["parameters"]) > 0
        assert set(fold["copies"]) == {"yes"}
        assert set(fold["copies"]["yes"]) == {"dropped", "kept", "near_dropped", "near_kept"}
    rows = sum(sum(fold["before"].values()) for fold in folds)
    assert rows == len(outcome.job.train.frame)  # of two folds each row is in the training part of one


@pytest.mark.parametrize("make", [binary_outcome, target_outcome])
def test_the_report_names_what_was_left_out(make: Callable[[], FitOutcome]) -> None:
    notes = facts_of(make())["notes"]
    assert "1 training rows have no label and were left out." in notes
    assert "1 test rows have no label and were not scored." in notes
    assert len(notes) == len(set(notes))


def test_the_report_says_that_out_of_fold_scores_are_too_good_and_names_unlearned_classes() -> None:
    notes = facts_of(multiclass_outcome())["notes"]
    assert "AutoGluon left out classes with too few rows: d. They are never predicted." in notes
    assert any(note.startswith("Scores are on out-of-fold rows") for note in notes)


def test_the_report_says_why_balanced_classes_have_no_twins(tmp_path: Path) -> None:
    outcome = tiny_job(labelled({"no": 60, "yes": 55}), tmp_path / "fit", families=("LR",), folds=0).run()
    facts = report_fit(outcome).facts
    assert (facts["generator_fits"], facts["folds"]) == (0, [])
    assert "No model has a twin: classes are balanced (largest over smallest below 1.5)." in facts["notes"]
    assert facts["headline"].startswith("Nothing to compare: no twin was fitted")


def test_a_note_of_several_folds_is_said_once_with_their_names() -> None:
    rest = {"added": {"yes": 9}, "method": "imbllm", "learned": True}
    folds = [{"name": "S1F1", "notes": ["Both.", "First."], **rest}, {"name": "S1F2", "notes": ["Both."], **rest}]
    notes = module._notes(binary_outcome(), folds)
    assert "All folds: Both." in notes
    assert "Fold S1F1: First." in notes


def test_the_leaderboard_marks_twins_and_ensembles_goes_by_validation_scores_and_leaves_out_the_generator() -> None:
    board = facts_of(binary_outcome())["leaderboard"]
    assert {row["model"]: row["kind"] for row in board} == {
        "WeightedEnsemble_L2": "ensemble",
        "WeightedEnsemble_L2Plain": "ensemble",
        "KNeighbors_BAG_L1": "plain",
        "LinearModel_BAG_L1": "plain",
        "LinearModelImb_BAG_L1": "twin",
    }
    scores = [row["score_val"] for row in board]
    assert scores == sorted(scores, reverse=True)
    assert all(row["score_test"] is not None for row in board)
    assert sum(row["weight"] or 0 for row in board) == pytest.approx(1)


def test_the_leaderboard_marks_latent_diff() -> None:
    kinds = {row["model"]: row["kind"] for row in facts_of(target_outcome())["leaderboard"]}
    assert kinds["LatentDiff_BAG_L1"] == "latent_diff"
    assert kinds["KNeighborsImb_BAG_L1"] == "twin"
    assert kinds["KNeighbors_BAG_L1"] == "plain"


def test_a_single_model_in_use_has_no_weights() -> None:
    outcome = binary_outcome()
    alone = replace(outcome.comparison, pair=_EnsemblePair("KNeighbors_BAG_L1", None))
    assert {row["weight"] for row in module._leaderboard(replace(outcome, comparison=alone))} == {None}


def test_three_files_lie_beside_the_predictor_and_hold_the_same_verdict(tmp_path: Path) -> None:
    outcome = binary_outcome()
    facts = facts_of(outcome)
    page = FitReport(facts, {}).write(tmp_path / "new")
    assert {path.name for path in page.parent.iterdir()} == {HTML, JSON, MARKDOWN}
    assert json.loads((tmp_path / "new" / JSON).read_text(encoding="utf-8")) == facts
    assert facts["headline"] == outcome.comparison.verdict
    assert facts["settings"]["twin_parameters"] == TINY
    assert outcome.comparison.verdict in unescape(page.read_text(encoding="utf-8"))
    assert outcome.comparison.verdict in (tmp_path / "new" / MARKDOWN).read_text(encoding="utf-8")
    with pytest.raises(TableError, match="cannot be made"):
        FitReport(facts, {}).write(page / "below a file")


def test_seed_ids_and_columns_that_were_left_out_stand_among_the_settings(tmp_path: Path) -> None:
    outcome = binary_outcome()
    job = replace(
        outcome.job, out=tmp_path / "fit", seed=31, bag_sets=2, id_column="case <id>", ignored=("day", "ward")
    )
    settings = module._settings(replace(outcome, job=job))
    page = FitReport({**facts_of(outcome), "settings": settings}, {}).write(tmp_path)
    shown = unescape(page.read_text(encoding="utf-8"))
    for name, value in (("seed", "31"), ("bag sets", "2"), ("ids", "case <id>"), ("ignored columns", "day, ward")):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in shown
    assert "day, ward" in (tmp_path / MARKDOWN).read_text(encoding="utf-8")


def test_the_printed_lines_say_plainly_when_the_plain_ensemble_is_better() -> None:
    outcome = binary_outcome()
    worse = tuple(replace(score, whole=score.plain - 0.1, plain=score.plain) for score in outcome.comparison.scores)
    lost = replace(outcome.comparison, scores=worse, interval=None)
    facts = {**facts_of(outcome), "comparison": lost.to_dict(), "headline": lost.verdict}
    text = FitReport(facts, {}).to_text(outcome.job.out / HTML)
    assert "The plain ensemble is better by 0.1000" in text
    assert f"Predictor: {outcome.job.out}\nReport: {outcome.job.out / HTML}" in text
    assert "Generators trained: 2" in text
    assert f", 'yes' above a probability of {outcome.predictor.decision_threshold:.3f}." in text


def test_the_printed_tables_hold_both_ensembles_and_every_model() -> None:
    board, scores, *_ = printed(binary_outcome()).split("\n\n")
    header, *lines = scores.splitlines()[1:]
    assert header.split() == ["metric", "plain", "ensemble", "whole", "ensemble", "better"]
    assert len(lines) == len(binary_outcome().comparison.scores)
    assert len(board.splitlines()) == 2 + 5
    assert {len(line) for line in board.splitlines()[1:]} == {len(board.splitlines()[1])}


def test_rows_of_no_sort_are_shown_as_none_and_not_as_zero() -> None:
    text = printed(target_outcome())
    header = next(line for line in text.splitlines() if line.strip().startswith("metric"))
    assert header.split() == ["metric", "plain", "ensemble", "whole", "ensemble", "rows", "better"]
    many = next(line for line in text.splitlines() if line.strip().startswith("many-shot"))
    assert many.split()[-3:] == ["-", "-", "0"]


def test_the_page_holds_measures_of_the_rows_curves_and_the_work_of_the_generators() -> None:
    outcome = binary_outcome()
    page = (outcome.job.out / HTML).read_text(encoding="utf-8")
    rows = facts_of(outcome)["rows"]
    assert rows["fold"] == "S1F1"
    assert {measure["name"] for measure in rows["measures"]} >= {"coverage", "near copies"}
    for heading in ("Curves for yes", "Work of the generators", "Written rows of fold S1F1", "Measures of the rows"):
        assert heading in page
    assert page.count('role="img"') >= 2 + 4  # curves, and pictures of columns and rows
    assert len(page) < 3_000_000


def test_the_same_is_written_as_markdown() -> None:
    text = (binary_outcome().job.out / MARKDOWN).read_text(encoding="utf-8")
    assert text.startswith("# Predicting label from rows.csv\n")
    for heading in ("Leaderboard", "Folds", "Written rows of fold S1F1", "Measures of the rows", "Notes"):
        assert f"\n## {heading}\n" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) > 40
    assert "\n\n\n\n" not in text


def test_pages_of_a_target_speak_of_bins_where_those_of_classes_do_of_classes() -> None:
    for make, word in ((target_outcome, "bin"), (binary_outcome, "class")):
        folder = make().job.out
        page, text = Page((folder / HTML).read_text(encoding="utf-8")).text, (folder / MARKDOWN).read_text("utf-8")
        assert f"the real categories of the {word} that were written" in page
        assert f"the real categories of the {word} that were written" in text
        assert (re.search(r"\bclass(es)?\b", page + text) is None) == (word == "bin")


def test_every_bin_of_the_training_table_has_its_edges_rows_and_shots() -> None:
    outcome = target_outcome()
    table, target = facts_of(outcome)["table"], outcome.job.train.frame["price"]
    bins = table["bins"]
    assert (bins[0]["from"], bins[-1]["to"]) == (table["lowest"], table["highest"]) == (target.min(), target.max())
    assert len(bins) == 8
    assert [row["rows"] for row in bins] == outcome.job.task.bin_counts.tolist()
    assert [row["shots"] for row in bins if row["rows"] < 20] == ["few"] * sum(row["rows"] < 20 for row in bins)
    assert table["shots"] == {
        shot: sum(row["rows"] for row in bins if row["shots"] == shot) for shot in ("many", "medium", "few")
    }


def test_what_was_added_to_bins_is_the_mean_of_the_folds() -> None:
    facts = facts_of(target_outcome())
    assert [fold["name"] for fold in facts["folds"]] == ["S1F1", "S1F2"]
    added, bins = sum(sum(fold["added"].values()) for fold in facts["folds"]), facts["table"]["bins"]
    assert added > 0
    assert sum(row["rows_added"] for row in bins) == pytest.approx(added / 2, abs=0.1)
    assert sum(row["features_added"] for row in bins) > 0


def test_a_kind_of_addition_that_no_model_makes_is_none() -> None:
    assert {row["rows_added"] for row in facts_of(unbagged_outcome())["table"]["bins"]} == {None}


def test_what_latent_diff_fell_short_of_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imbllm_autogluon.plugin.models._too_little", lambda *_: "too little")
    outcome = tiny_target_job(target_table(), tmp_path / "fit", folds=0, settings={"method": "none"}).run()
    assert "LatentDiff, all rows: too little; every answer is the median." in module._notes(outcome, [])


def test_json_page_and_printed_lines_of_a_target_hold_the_same_verdict() -> None:
    outcome = target_outcome()
    facts = facts_of(outcome)
    assert (facts["task"], facts["headline"]) == ("regression", outcome.comparison.verdict)
    page = unescape((outcome.job.out / HTML).read_text(encoding="utf-8"))
    for shown in (outcome.comparison.verdict, "Bins of the target", 'class="tag latent_diff"'):
        assert shown in page
    text = printed(outcome)
    assert outcome.comparison.verdict in text
    assert "few-shot mean absolute error (lower is better)" in text
    assert "threshold" not in text
    assert "Generators trained" not in text


def test_the_rows_of_one_fold_are_judged_beside_its_real_and_held_out_rows() -> None:
    outcome = binary_outcome()
    fold, facts = written_rows(outcome.predictor), facts_of(outcome)["rows"]
    assert fold is not None
    assert fold.held_out is not None
    assert (facts["reason"], facts["fold"], facts["method"], facts["original"]) == ("", "S1F1", "imbllm", True)
    rare = [int((rows["label"] == "yes").sum()) for rows in (fold.real, fold.synthetic, fold.held_out)]
    assert [facts["rows"][name] for name in ("real", "synthetic", "holdout")] == rare
    values = {measure["name"]: measure["value"] for measure in facts["measures"]}
    assert {"coverage", "close probability", "exact copies"} <= set(values)
    assert values["exact copies"] == 0.0


def test_rows_of_rare_targets_are_judged_by_bin_with_the_target_for_a_column() -> None:
    facts = facts_of(target_outcome())["rows"]
    assert facts["label"] == "price range"
    assert {column["name"] for column in facts["columns"]} == {"area", "city", "price"}


def test_without_rows_the_reason_is_said() -> None:
    predictor = unbagged_outcome().predictor
    assert rows_facts(predictor) == ({"reason": "No rows were written."}, None)
    gone, _ = rows_facts(predictor, None, [{"added": {"few": 9}}])
    assert gone["reason"].startswith("The written rows are no longer in the cache")


def test_the_seconds_of_latent_diff_stand_under_its_name() -> None:
    told = module._cost(facts_of(target_outcome())["clock"])
    assert re.search(r"LatentDiff \d+ s", told[0]), told


def test_rows_that_cannot_be_judged_cost_only_their_own_section(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise TableError("odd rows.")

    monkeypatch.setattr(module, "_judged", refuse)
    found, _ = rows_facts(binary_outcome().predictor)
    assert found == {"reason": "The rows of fold S1F1 could not be judged: odd rows."}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a reported fit, for a test to change."""
    return copy_of(binary_outcome(), tmp_path / "fit").job.out


@pytest.mark.parametrize("make", [binary_outcome, many_kinds])
def test_the_page_is_made_again_as_it_was(make: Callable[[], FitOutcome], tmp_path: Path) -> None:
    folder = make().job.out
    first = (folder / HTML).read_text(encoding="utf-8")
    page = report_again(folder, tmp_path / "again")
    assert page == tmp_path / "again" / HTML
    again = page.read_text(encoding="utf-8")
    assert SECONDS.sub("", again) == SECONDS.sub("", first)
    assert "Measures of the rows" in again
    assert {path.name for path in page.parent.iterdir()} == {HTML, JSON, MARKDOWN}


def test_measures_stay_when_the_rows_are_no_longer_in_the_cache(folder: Path) -> None:
    before = json.loads((folder / JSON).read_text(encoding="utf-8"))["rows"]
    for entry in (folder / "utils" / "imbllm" / ROWS_CACHE.name).glob("*/state.json"):
        entry.unlink()
    ROWS_CACHE.forget()
    (folder / HTML).write_text("old")
    assert report_again(folder) == folder / HTML
    assert "Predicting label" in (folder / HTML).read_text(encoding="utf-8")
    assert json.loads((folder / JSON).read_text(encoding="utf-8"))["rows"] == before
    assert "Measures of the rows" in (folder / MARKDOWN).read_text(encoding="utf-8")
    (folder / JSON).unlink()
    with pytest.raises(StoredStateError, match=r"neither imbllm_report\.json nor written rows"):
        report_again(folder)


def test_of_a_predictor_without_a_report_the_rows_alone_are_reported(folder: Path, tmp_path: Path) -> None:
    (folder / JSON).unlink()
    page = report_again(folder, tmp_path)
    assert page.name == "quality_report.html"
    assert "Rows written for label, fold S1F1" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is no report of a fit"), ("[]", "is no report of a fit"), ('{"format": 99}', "has format 99")],
)
def test_a_broken_or_newer_report_is_refused(text: str, message: str, folder: Path) -> None:
    (folder / JSON).write_text(text)
    with pytest.raises(StoredStateError, match=message):
        report_again(folder)


def test_a_folder_without_a_predictor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoredStateError, match="no finished fit"):
        report_again(tmp_path)


class FakePredictor:
    """The folder of a predictor with a journal."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.storage = journal_storage(cache_of(path) / STUDIES)

    def study(self, name: str, values: list[float], states: tuple[str, ...] = ()) -> None:
        """Store a study of finished trials with one parameter."""
        study = optuna.create_study(study_name=name, storage=self.storage, direction="maximize")
        for value in values:
            trial = study.ask()
            trial.suggest_float("x", 0.0, 1.0)
            study.tell(trial, value)
        for state in states:
            trial = study.ask()
            trial.suggest_float("x", 0.0, 1.0)
            if state != "RUNNING":
                study.tell(trial, state=optuna.trial.TrialState[state])


@pytest.fixture
def fake(tmp_path: Path) -> FakePredictor:
    return FakePredictor(tmp_path)


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    (found,) = facts_of(tuned_outcome())["studies"]
    return found


def test_a_tuned_twin_has_a_record_of_all_its_trials_and_the_default_is_the_first(study: dict[str, Any]) -> None:
    assert study["name"] == TWIN
    assert [trial["number"] for trial in study["trials"]] == [0, 1, 2, 3]
    assert {trial["state"] for trial in study["trials"]} <= {"complete", "pruned"}
    assert study["trials"][0]["params"]["imbllm.method"] == "imbllm"
    scores = {trial["number"]: trial["value"] for trial in study["trials"] if trial["state"] == "complete"}
    assert study["best"] == max(scores, key=scores.__getitem__)


def test_the_page_holds_trials_and_their_pictures_inside_one_file(study: dict[str, Any]) -> None:
    page = Page((tuned_outcome().job.out / HTML).read_text(encoding="utf-8"))
    sources = [value for name, value in page.attributes if name in ("src", "href")]
    assert sources
    for uri in sources:
        kind, _, content = uri.partition(",")
        assert kind == "data:image/svg+xml;base64"
        assert ET.fromstring(base64.b64decode(content)).tag.endswith("svg")
    text = " ".join(page.text.split())
    assert all(f"T{trial['number'] + 1} {number(trial['value'])}" in text for trial in study["trials"])
    assert "History" in text


def test_the_best_trials_stay_as_models(study: dict[str, Any]) -> None:
    outcome = tuned_outcome()
    kinds = {row["model"]: row["kind"] for row in facts_of(outcome)["leaderboard"]}
    twins = {name for name, kind in kinds.items() if kind == "twin"}
    assert len(twins) == 2
    assert f"{TWIN}/T{study['best'] + 1}" in twins
    assert set(base_models(outcome.predictor)[1]) == twins


def test_a_fit_without_tuning_has_no_studies() -> None:
    assert _study_records(binary_outcome().predictor) == []


def test_a_study_of_one_trial_is_no_search(fake: FakePredictor) -> None:
    fake.study("GBM-00000000", [0.5])
    assert _study_records(fake) == []


def test_of_two_studies_of_a_model_the_newest_stands_in_the_report(fake: FakePredictor) -> None:
    fake.study("GBM-r1-ffffffff", [0.5, 0.6])
    fake.study("GBM-r1-00000000", [0.1, 0.2, 0.3])
    fake.study("LR-00000000", [0.7, 0.4])
    assert [(study["name"], len(study["trials"]), study["best"]) for study, _ in _study_records(fake)] == [
        ("GBM-r1", 3, 2),
        ("LR", 2, 0),
    ]


def test_states_are_named_and_trials_that_never_ended_are_left_out(fake: FakePredictor) -> None:
    fake.study("GBM-00000000", [0.5], ("FAIL", "PRUNED", "RUNNING"))
    ((study, _),) = _study_records(fake)
    found = [(trial["state"], trial["value"]) for trial in study["trials"]]
    assert found == [("complete", 0.5), ("fail", None), ("pruned", None)]
    assert study["best"] == 0


def test_without_a_finished_trial_there_is_no_best_and_no_picture(fake: FakePredictor) -> None:
    fake.study("GBM-00000000", [], ("FAIL", "FAIL"))
    ((study, pictures),) = _study_records(fake)
    assert (study["best"], pictures) == (None, {})


def test_an_infinite_score_is_no_number_in_json(fake: FakePredictor) -> None:
    fake.study("GBM-00000000", [float("-inf"), -0.5])
    ((study, _),) = _study_records(fake)
    assert study["best"] == 1
    assert json.loads(json.dumps(study, allow_nan=False))["trials"][0]["value"] is None
