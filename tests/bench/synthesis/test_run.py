from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.synthesis import run as synthesis
from imbllm_autogluon.bench.synthesis.page import GREAT, METRICS, PRED_LLM, REAL
from imbllm_autogluon.bench.synthesis.run import ARMS, PRETRAINED_ARMS, asked, judge_rows, measure, run
from imbllm_autogluon.tables.files import write_table
from tests.jobs.fits import labelled, mixed_table

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.tables.labelled import LabelledTable

BARELY = {"layers": 1, "width": 16, "warmup_steps": 0, "steps": 2}
SIZES: dict[object, int] = {"no": 60, "yes": 20, "often": 20}

QUERY = {metric for metric in METRICS if metric.startswith("query")}
SECONDS = {"fit s", "sample s"}


class Recorded:
    """Stands for measurements: the settings of each."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, table: LabelledTable, settings: dict[str, Any], seed: int, threads: int) -> dict[str, float]:
        self.calls.append(settings)
        absent = QUERY if settings.get("method") == "great" else SECONDS if not settings else set()
        return {metric: 1.0 for metric in METRICS if metric not in absent}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(synthesis, "measure", recorded)
    return recorded


def test_every_arm_is_measured_on_every_table_and_split(tmp_path: Path, recorded: Recorded) -> None:
    write_table(mixed_table({"no": 60, "yes": 20}), tmp_path / "visits.csv")
    page = run(tables=[f"{tmp_path / 'visits.csv'}:label"], rows=40, steps=3, folder=tmp_path / "results")
    assert len(recorded.calls) == 2 * 2 * len(ARMS)
    tidy = pd.read_csv(tmp_path / "results" / "synthesis.csv")
    assert list(tidy.columns) == ["table", "split", "arm", "metric", "value", "versions"]
    assert set(tidy["arm"]) == set(ARMS)
    assert not set(tidy.loc[tidy["arm"] == GREAT, "metric"]) & QUERY
    text = page.read_text(encoding="utf-8")
    assert "synthesis --backbone compact --rows 40 --repeats 2 --threads 1 --steps 3 --table visits.csv:label" in text
    assert str(tmp_path) not in text
    assert "| visits " in text
    assert "nan" not in text


def test_steps_are_all_the_steps_that_a_generator_trains(tmp_path: Path, recorded: Recorded) -> None:
    run(rows=40, steps=3, repeats=1, folder=tmp_path)
    trained = [call for call in recorded.calls if call]
    assert {(call["warmup_steps"], call["steps"]) for call in trained} == {(0, 3)}
    run(rows=40, repeats=1, folder=tmp_path)
    assert not any("steps" in call for call in recorded.calls[len(ARMS) :])


def test_an_interrupted_run_goes_on_and_a_fresh_one_measures_anew(tmp_path: Path, recorded: Recorded) -> None:
    run(rows=40, repeats=1, folder=tmp_path)
    run(rows=40, repeats=1, folder=tmp_path)
    assert len(recorded.calls) == len(ARMS)
    run(rows=40, repeats=1, steps=3, folder=tmp_path)
    assert len(recorded.calls) == 2 * len(ARMS) - 1, "real rows have no steps"
    run(rows=40, repeats=1, fresh=True, folder=tmp_path)
    assert len(recorded.calls) == 3 * len(ARMS) - 1


def test_a_pretrained_backbone_has_fewer_arms_and_files_of_its_own(tmp_path: Path, recorded: Recorded) -> None:
    page = run("models/tiny", rows=40, repeats=1, folder=tmp_path)
    assert page.name == "synthesis_tiny.md"
    assert len(recorded.calls) == len(PRETRAINED_ARMS)
    assert {call["backbone"] for call in recorded.calls if call} == {"models/tiny"}
    assert "models/" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_has_all_its_figures(arm: str) -> None:
    settings = {**BARELY, **ARMS[arm]} if ARMS[arm] else {}
    figures = measure(labelled(SIZES), settings, 0, 1)
    absent = SECONDS if arm == REAL else QUERY if arm == GREAT else set()
    assert set(figures) == set(METRICS) - absent
    assert all(np.isfinite(value) for value in figures.values())
    assert figures["copies"] == 0.0


def test_numbers_as_classes_and_missing_cells_are_judged_too() -> None:
    table = labelled({0: 60, 1: 30})
    table.frame.loc[::7, "city"] = None
    figures = measure(table, {**BARELY, **ARMS[PRED_LLM]}, 0, 1)
    assert set(figures) == set(METRICS)
    assert 0 <= figures["query accuracy"] <= 100


def test_learned_rows_in_place_of_written_ones_are_all_copies_and_have_no_gap() -> None:
    learned, unseen = (labelled(SIZES, seed=seed).frame for seed in (0, 1))
    figures = judge_rows(learned, learned, unseen, "label", 0)
    assert figures["copies"] == 100.0
    assert figures["rarest gap"] == 0.0
    assert figures["coverage"] > 0.8


def test_rows_of_one_class_have_the_gap_of_the_rarest_class() -> None:
    learned, unseen = (labelled({"no": 80, "yes": 20}, seed=seed).frame for seed in (0, 1))
    figures = judge_rows(learned[learned["label"] == "no"], learned, unseen, "label", 0)
    assert figures["rarest gap"] == pytest.approx(20.0)
    assert figures["balanced accuracy"] == figures["ROC AUC"] == 50.0


def test_probabilities_are_judged_in_the_order_of_their_columns() -> None:
    labels = pd.Series(["yes", "no", "no", "no"])
    right = pd.DataFrame({"yes": [0.9, 0.1, 0.2, 0.3], "no": [0.1, 0.9, 0.8, 0.7]})
    assert asked(right, labels) == asked(right[["no", "yes"]], labels)
    assert asked(right, labels)["query accuracy"] == asked(right, labels)["query ROC AUC"] == 100.0
    swapped = right.rename(columns={"yes": "no", "no": "yes"})
    assert asked(swapped, labels)["query accuracy"] == 0.0
