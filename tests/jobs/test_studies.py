"""The studies of a tuned fit, as its report shows them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import optuna
import pytest

from imbllm_autogluon.jobs.contenders import base_models
from imbllm_autogluon.jobs.fit_report import HTML_NAME, JSON_NAME, leaderboard
from imbllm_autogluon.jobs.studies import StudyRecord, study_records
from imbllm_autogluon.quality.reports import number
from imbllm_autogluon.rebalancing.cache import STUDIES, cache_of
from imbllm_autogluon.search.studies import journal_storage
from tests.jobs.fits import binary_outcome, tuned_outcome
from tests.quality.pages import Page

if TYPE_CHECKING:
    from pathlib import Path

TWIN = "LinearModelImb_BAG_L1"


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
def record() -> StudyRecord:
    (record,) = study_records(tuned_outcome().predictor)
    return record


def test_a_tuned_twin_has_a_record_of_all_its_trials_and_the_default_is_the_first(record: StudyRecord) -> None:
    assert record.name == TWIN
    assert [trial.number for trial in record.trials] == [0, 1, 2, 3]
    assert {trial.state for trial in record.trials} <= {"complete", "pruned"}
    assert record.trials[0].params["imbllm.method"] == "imbllm"
    scores = {trial.number: trial.value for trial in record.trials if trial.state == "complete"}
    assert record.best == max(scores, key=scores.__getitem__)


def test_every_picture_is_a_whole_svg_inside_its_uri(record: StudyRecord) -> None:
    assert "History" in record.plots
    for uri in record.plots.values():
        kind, _, content = uri.partition(",")
        assert kind == "data:image/svg+xml;base64"
        assert ET.fromstring(base64.b64decode(content)).tag.endswith("svg")


def test_the_report_holds_trials_as_json_and_table_and_pictures_inside_one_file(record: StudyRecord) -> None:
    outcome = tuned_outcome()
    report = json.loads((outcome.job.out / JSON_NAME).read_text(encoding="utf-8"))
    assert report["studies"] == [json.loads(json.dumps(record.to_dict()))]
    assert "data:image" not in json.dumps(report)
    page = Page((outcome.job.out / HTML_NAME).read_text(encoding="utf-8"))
    sources = [value for name, value in page.attributes if name in ("src", "href")]
    assert sources == list(record.plots.values())
    text = " ".join(page.text.split())
    assert all(f"T{trial.number + 1}{number(trial.value)}" in text for trial in record.trials)
    assert all(title in text for title in record.plots)


def test_the_best_trials_stay_as_models_beside_the_generator(record: StudyRecord) -> None:
    outcome = tuned_outcome()
    kinds = {row["model"]: row["kind"] for row in leaderboard(outcome)}
    twins = {name for name, kind in kinds.items() if kind == "twin"}
    assert len(twins) == 2
    assert f"{TWIN}/T{record.best + 1}" in twins
    assert kinds["ImbLLM_BAG_L1"] == "generator"
    assert set(base_models(outcome.predictor)[1]) == twins


def test_a_fit_without_tuning_has_no_studies() -> None:
    assert study_records(binary_outcome().predictor) == []


def test_a_study_of_one_trial_is_no_search(fake: FakePredictor) -> None:
    fake.study("GBM-00000000", [0.5])
    assert study_records(fake) == []


def test_of_two_studies_of_a_model_the_newest_stands_in_the_report(fake: FakePredictor) -> None:
    fake.study("GBM-r1-ffffffff", [0.5, 0.6])
    fake.study("GBM-r1-00000000", [0.1, 0.2, 0.3])
    fake.study("LR-00000000", [0.7, 0.4])
    assert [(record.name, len(record.trials), record.best) for record in study_records(fake)] == [
        ("GBM-r1", 3, 2),
        ("LR", 2, 0),
    ]


def test_states_are_named_and_trials_that_never_ended_are_left_out(fake: FakePredictor) -> None:
    fake.study("GBM-00000000", [0.5], ("FAIL", "PRUNED", "RUNNING"))
    (record,) = study_records(fake)
    found = [(trial.state, trial.value) for trial in record.trials]
    assert found == [("complete", 0.5), ("fail", None), ("pruned", None)]
    assert record.best == 0


def test_without_a_finished_trial_there_is_no_best_and_no_picture(fake: FakePredictor) -> None:
    fake.study("GBM-00000000", [], ("FAIL", "FAIL"))
    (record,) = study_records(fake)
    assert (record.best, record.plots) == (None, {})


def test_an_infinite_score_is_no_number_in_json(fake: FakePredictor) -> None:
    fake.study("GBM-00000000", [float("-inf"), -0.5])
    (record,) = study_records(fake)
    assert record.best == 1
    assert json.loads(json.dumps(record.to_dict(), allow_nan=False))["trials"][0]["value"] is None
