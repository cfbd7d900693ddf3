from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.autogluon import run as autogluon
from imbllm_autogluon.bench.autogluon.arms import (
    ARMS,
    COSTS,
    IMBLLM,
    OURS,
    RANDOM,
    SMOTE_NC,
    TUNED,
    TWICE,
    WEIGHTS,
    Plan,
)
from imbllm_autogluon.bench.autogluon.judge import BINARY, MULTICLASS
from imbllm_autogluon.bench.autogluon.run import measure, measure_weights, run
from imbllm_autogluon.bench.one_fit import PLAIN
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables.files import write_table
from tests.jobs.fits import labelled, mixed_table

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.tables.labelled import LabelledTable

Figures = dict[str, dict[str, float]]

QUICK = Plan(families=("GBM",), folds=2, twins={"steps": 2, "warmup_steps": 2})


class Recorded:
    """Stands for both fits of a split: kind, rows, split and plan of each."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, int, Plan]] = []

    def shared(self, table: LabelledTable, seed: int, plan: Plan) -> Figures:
        self.calls.append(("shared", len(table.frame), seed, plan))
        metrics = BINARY if len(table.counts) == 2 else MULTICLASS
        return {arm: dict.fromkeys((*metrics, *COSTS), 2.0) for arm in plan.arms}

    def weights(self, table: LabelledTable, seed: int, plan: Plan) -> Figures:
        self.calls.append(("weights", len(table.frame), seed, plan))
        return {WEIGHTS: dict.fromkeys((*(BINARY if len(table.counts) == 2 else MULTICLASS), "fit s"), 2.0)}

    def kinds(self) -> list[tuple[str, int]]:
        return [(kind, seed) for kind, _, seed, _ in self.calls]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(autogluon, "measure", recorded.shared)
    monkeypatch.setattr(autogluon, "measure_weights", recorded.weights)
    return recorded


def test_every_table_and_split_has_two_fits_and_all_arms(tmp_path: Path, recorded: Recorded) -> None:
    write_table(mixed_table({"a": 60, "b": 40, "c": 20}), tmp_path / "visits.csv")
    named = f"{tmp_path / 'visits.csv'}:label"
    page = run(tables=[named], rows=700, repeats=2, folder=tmp_path / "results")
    expected = [(kind, n, seed, Plan()) for n in (700, 120) for seed in (0, 1) for kind in ("shared", "weights")]
    assert recorded.calls == expected
    tidy = pd.read_csv(tmp_path / "results" / "autogluon.csv")
    assert list(tidy.columns) == ["table", "split", "arm", "metric", "value", "versions"]
    assert list(dict.fromkeys(tidy["arm"])) == [arm for arm in ARMS if arm != TUNED]
    assert set(tidy[tidy["table"] == "visits"]["metric"]) == {*MULTICLASS, *COSTS}
    text = page.read_text(encoding="utf-8")
    options = "--rows 700 --repeats 2 --folds 4 --threads 1 --table visits.csv:label"
    assert f"Command: `imbllm bench autogluon {options} --family GBM --family CAT --family RF`." in text
    assert "- **visits**: `a` 45 learned, 15 to judge on; `b` 30 learned, 10 to judge on; `c` 15" in text
    assert "in 4 bagging folds: GBM, CAT, RF as they are" in text
    assert str(tmp_path) not in text
    assert "nan" not in text


def test_an_interrupted_run_goes_on_and_a_fresh_one_measures_anew(tmp_path: Path, recorded: Recorded) -> None:
    run(rows=600, repeats=1, folder=tmp_path)
    run(rows=600, repeats=2, folder=tmp_path)
    assert recorded.kinds() == [("shared", 0), ("weights", 0), ("shared", 1), ("weights", 1)]
    run(rows=600, repeats=1, folds=3, folder=tmp_path)
    assert len(recorded.calls) == 6, "other folds are another measurement"
    run(rows=600, repeats=1, fresh=True, folder=tmp_path)
    assert len(recorded.calls) == 8


def test_tuned_twins_leave_the_fit_with_class_weights_as_it_was(tmp_path: Path, recorded: Recorded) -> None:
    run(rows=600, repeats=1, folder=tmp_path)
    page = run(rows=600, repeats=1, tuned=True, folder=tmp_path)
    assert recorded.kinds() == [("shared", 0), ("weights", 0), ("shared", 0)]
    assert TUNED in set(pd.read_csv(tmp_path / "autogluon.csv")["arm"])
    assert "--family RF --tuned`." in page.read_text(encoding="utf-8")


def test_families_and_tables_are_checked_before_anything_is_measured(tmp_path: Path, recorded: Recorded) -> None:
    with pytest.raises(InvalidInputError, match="'GMB' is no model key with a twin"):
        run(families=("GMB",), folder=tmp_path)
    write_table(mixed_table({"no": 60, "yes": 12}), tmp_path / "visits.csv")
    with pytest.raises(InvalidInputError, match="fewer than two classes of at least 16 rows"):
        run(tables=[f"{tmp_path / 'visits.csv'}:label"], folder=tmp_path)
    assert not recorded.calls


@pytest.fixture(scope="module")
def visits() -> LabelledTable:
    return labelled({"no": 200, "all": 40})  # with 160, ensembles give no twin a weight


@pytest.fixture(scope="module")
def figures(visits: LabelledTable) -> Figures:
    return {**measure(visits, 0, QUICK), **measure_weights(visits, 0, QUICK)}


def test_every_arm_has_all_metrics_and_what_it_costs(figures: Figures) -> None:
    assert list(figures) == [PLAIN, TWICE, OURS, RANDOM, SMOTE_NC, IMBLLM, WEIGHTS]
    for arm, own in figures.items():
        assert {*BINARY, "fit s"} <= set(own) <= {*BINARY, *COSTS}
        assert ("weight" in own) == (arm not in (PLAIN, OURS, WEIGHTS))
        assert all(np.isfinite(value) for value in own.values())
        assert own["fit s"] > 0
        assert own["ROC AUC"] > 50, "the rarer class is the positive one"
    assert {arm: own["generators"] for arm, own in figures.items() if "generators" in own} == {IMBLLM: 2}


def test_arms_differ_by_what_was_added_alone(figures: Figures) -> None:
    assert {**figures[TWICE], **_no_costs()} == pytest.approx({**figures[PLAIN], **_no_costs()}), (
        "LightGBM draws nothing, so its copy answers the same"
    )
    for arm in (RANDOM, SMOTE_NC, IMBLLM):
        same = figures[arm]["log-loss"] == pytest.approx(figures[OURS]["log-loss"])
        assert same == (figures[arm]["weight"] == 0), arm
    assert figures[WEIGHTS]["log-loss"] != figures[PLAIN]["log-loss"]


def test_more_classes_have_their_own_metrics() -> None:
    found = measure_weights(labelled({"a": 60, "b": 40, "c": 24}), 0, QUICK)
    assert set(found[WEIGHTS]) == {*MULTICLASS, "fit s"}
    assert 0 <= found[WEIGHTS]["macro F1"] <= 100


def test_a_predictor_leaves_no_folder_behind(
    visits: LabelledTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(autogluon, "fitted", _broken)
    with pytest.raises(RuntimeError, match="broken"):
        measure(visits, 0, QUICK)
    assert not list(tmp_path.iterdir())


def _no_costs() -> dict[str, float]:
    return dict.fromkeys(COSTS, 0.0)


def _broken(split: object, plan: Plan, path: Path) -> None:
    path.mkdir()
    raise RuntimeError("broken")
