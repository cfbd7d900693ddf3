from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.regression.tables import RegressionTable
from imbllm_autogluon.bench.regression_autogluon import run as regression_autogluon
from imbllm_autogluon.bench.regression_autogluon.arms import ADDED, Plan
from imbllm_autogluon.bench.regression_autogluon.page import ALONE, LATENT, METRICS, PLAIN, SMOGN, TWICE
from imbllm_autogluon.bench.regression_autogluon.run import measure, run
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables.files import write_table
from tests.bench.regression.houses import house_table

if TYPE_CHECKING:
    from pathlib import Path

QUICK = Plan(
    families=("GBM",),
    folds=2,
    latent_diff={"encoder_epochs": 3, "diffusion_steps": 5},
    twins={"steps": 2, "warmup_steps": 2},
)


class Recorded:
    """Stands for measurements: table, seed and plan of each."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, Plan]] = []

    def __call__(self, table: RegressionTable, seed: int, plan: Plan) -> dict[str, dict[str, float]]:
        self.calls.append((table.name, seed, plan))
        without = {PLAIN: {"weight", "many MAE"}, ALONE: {"weight", "many MAE"}}
        return {arm: {m: 2.0 for m in METRICS if m not in without.get(arm, {"many MAE"})} for arm in ADDED}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(regression_autogluon, "measure", recorded)
    return recorded


def test_every_table_and_split_is_measured_and_has_all_arms(tmp_path: Path, recorded: Recorded) -> None:
    write_table(house_table(100), tmp_path / "houses.csv")
    page = run(tables=[f"{tmp_path / 'houses.csv'}:price"], rows=80, repeats=2, folder=tmp_path / "results")
    assert recorded.calls == [(table, seed, Plan()) for table in ("diabetes", "houses") for seed in (0, 1)]
    tidy = pd.read_csv(tmp_path / "results" / "regression_autogluon.csv")
    assert list(tidy.columns) == ["table", "split", "arm", "metric", "value", "versions"]
    assert list(dict.fromkeys(tidy["arm"])) == list(ADDED)
    text = page.read_text(encoding="utf-8")
    options = "--rows 80 --bins 50 --repeats 2 --folds 4 --threads 1 --table houses.csv:price"
    assert f"`imbllm bench regression-autogluon {options} --family GBM --family CAT --family RF`" in text
    assert "in 4 bagging folds" in text
    assert "GBM, CAT, RF as they are" in text
    assert "- **houses**: 3 bins of `price` from " in text
    assert str(tmp_path) not in text
    assert "nan" not in text


def test_an_interrupted_run_goes_on_and_a_fresh_one_measures_anew(tmp_path: Path, recorded: Recorded) -> None:
    run(rows=80, repeats=1, folder=tmp_path)
    run(rows=80, repeats=2, folder=tmp_path)
    assert len(recorded.calls) == 2
    run(rows=80, repeats=2, families=("GBM",), folder=tmp_path)
    assert len(recorded.calls) == 4, "other families are another measurement"
    run(rows=80, repeats=1, folds=3, folder=tmp_path)
    assert len(recorded.calls) == 5, "other folds are another measurement"
    run(rows=80, repeats=1, fresh=True, folder=tmp_path)
    assert len(recorded.calls) == 6


def test_families_are_checked_before_anything_is_measured(tmp_path: Path, recorded: Recorded) -> None:
    with pytest.raises(InvalidInputError, match="'GMB' is no model key with a twin"):
        run(families=("GMB",), folder=tmp_path)
    assert not recorded.calls


@pytest.fixture(scope="module")
def houses() -> RegressionTable:
    return RegressionTable.of("houses", house_table(160), "price", 4000)


@pytest.fixture(scope="module")
def figures(houses: RegressionTable) -> dict[str, dict[str, float]]:
    return measure(houses, 0, QUICK)


def test_every_arm_has_errors_and_seconds_and_ensembles_with_something_added_its_weight(
    figures: dict[str, dict[str, float]],
) -> None:
    assert list(figures) == list(ADDED)
    for arm, own in figures.items():
        assert {"all MAE", "few MAE", "few GM", "few n", "fit s"} <= set(own) <= set(METRICS)
        assert ("weight" in own) == (arm not in (PLAIN, ALONE))
        assert all(np.isfinite(value) for value in own.values())
        assert own["fit s"] > 0
        assert own["all n"] == 40
    assert all(0 <= own["weight"] <= 100 for own in figures.values() if "weight" in own)


def test_arms_differ_by_what_was_added_alone(figures: dict[str, dict[str, float]]) -> None:
    errors = {arm: own["all MAE"] for arm, own in figures.items()}
    assert errors[TWICE] == pytest.approx(errors[PLAIN]), "LightGBM draws nothing, so its copy answers the same"
    moved = [arm for arm, own in figures.items() if own.get("weight", 0.0) and arm != TWICE]
    assert {LATENT, SMOGN} <= set(moved)
    assert all(errors[arm] != errors[PLAIN] for arm in moved)
    assert figures[LATENT]["fit s"] == figures[ALONE]["fit s"]


def test_a_predictor_leaves_no_folder_behind(
    houses: RegressionTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(regression_autogluon, "fitted", _broken)
    with pytest.raises(RuntimeError, match="broken"):
        measure(houses, 0, QUICK)
    assert not list(tmp_path.iterdir())


def _broken(split: object, plan: Plan, path: Path) -> None:
    path.mkdir()
    raise RuntimeError("broken")
