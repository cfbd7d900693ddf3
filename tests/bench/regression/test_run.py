from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.regression import run as regression
from imbllm_autogluon.bench.regression.arms import ABLATIONS, ARMS, SLOW_ARMS, Arm
from imbllm_autogluon.bench.regression.page import METRICS
from imbllm_autogluon.bench.regression.run import judge, measure, run
from imbllm_autogluon.bench.regression.tables import RegressionSplit, RegressionTable
from imbllm_autogluon.regression.metrics import shot_metrics
from imbllm_autogluon.tables.files import write_table
from tests.bench.regression.houses import house_table

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"encoder_epochs": 2, "diffusion_steps": 5}


class Recorded:
    """Stands for measurements: table, arm and seed of each."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Arm, int]] = []

    def __call__(self, table: RegressionTable, arm: Arm, seed: int, bins: int, threads: int) -> dict[str, float]:
        self.calls.append((table.name, arm, seed))
        return {metric: 2.0 for metric in METRICS if metric not in {"synthetic", "accepted", "many MAE"}}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(regression, "measure", recorded)
    return recorded


def houses() -> RegressionTable:
    return RegressionTable.of("houses", house_table(160), "price", 4000)


def test_every_arm_is_measured_on_every_table_and_split(tmp_path: Path, recorded: Recorded) -> None:
    write_table(house_table(100), tmp_path / "houses.csv")
    page = run(tables=[f"{tmp_path / 'houses.csv'}:price"], rows=80, repeats=2, folder=tmp_path / "results")
    assert len(recorded.calls) == len(ARMS) * 2 * 2
    assert {(table, seed) for table, _, seed in recorded.calls} == {
        (t, s) for t in ("diabetes", "houses") for s in (0, 1)
    }
    tidy = pd.read_csv(tmp_path / "results" / "regression.csv")
    assert list(tidy.columns) == ["table", "split", "arm", "metric", "value", "versions"]
    assert list(dict.fromkeys(tidy["arm"])) == list(ARMS)
    text = page.read_text(encoding="utf-8")
    assert "`imbllm bench regression --rows 80 --bins 50 --repeats 2 --threads 1 --table houses.csv:price`" in text
    assert str(tmp_path) not in text
    assert "- **houses**: 3 bins of `price` from " in text
    assert "| houses " in text
    assert "nan" not in text


def test_options_that_add_arms_stand_in_the_command(tmp_path: Path, recorded: Recorded) -> None:
    page = run(rows=80, repeats=1, slow_arms=True, ablations=True, folder=tmp_path)
    assert len(recorded.calls) == len({**ARMS, **SLOW_ARMS, **ABLATIONS})
    assert "--threads 1 --slow-arms --ablations`" in page.read_text(encoding="utf-8")


def test_an_interrupted_run_goes_on_and_a_fresh_one_measures_anew(tmp_path: Path, recorded: Recorded) -> None:
    run(rows=80, repeats=1, folder=tmp_path)
    run(rows=80, repeats=2, folder=tmp_path)
    assert len(recorded.calls) == 2 * len(ARMS)
    run(rows=80, repeats=2, ablations=True, folder=tmp_path)
    assert len(recorded.calls) == 2 * len(ARMS) + 2 * len(ABLATIONS)
    run(rows=80, bins=3, repeats=1, folder=tmp_path)
    assert len(recorded.calls) == 3 * len(ARMS) + 2 * len(ABLATIONS), "other bins are another measurement"
    run(rows=80, repeats=1, fresh=True, folder=tmp_path)
    assert len(recorded.calls) == 4 * len(ARMS) + 2 * len(ABLATIONS)


def test_an_arm_that_generates_has_all_its_figures_and_others_have_errors_and_seconds() -> None:
    figures = measure(houses(), Arm(QUICK), 0, 50, 1)
    assert set(figures) <= set(METRICS)
    assert {"all MAE", "few GM", "few n", "synthetic", "accepted", "fit s"} <= set(figures)
    assert all(np.isfinite(value) for value in figures.values())
    assert 0 <= figures["accepted"] <= 100
    untreated = measure(houses(), Arm({**QUICK, "method": "none"}), 0, 50, 1)
    assert set(figures) - set(untreated) == {"synthetic", "accepted"}
    assert untreated["all n"] == 40


class Constant:
    """Predicts one number."""

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return np.full(len(X), 150.0)


def test_errors_are_those_of_unseen_rows_by_the_shots_of_learned_ones() -> None:
    split = RegressionSplit.of(houses(), 0, 6)
    figures = judge(Constant(), split)  # type: ignore[arg-type]
    counts = split.bins.counts(split.y.to_numpy())
    expected = shot_metrics(split.unseen_y, np.full(40, 150.0), split.bins, counts)
    assert figures["all MAE"] == pytest.approx(np.abs(split.unseen_y - 150.0).mean())
    assert figures["few MAE"] == expected.loc["few", "MAE"]
    assert figures["few n"] == expected.loc["few", "n"] > 0


def test_shots_without_unseen_rows_have_no_figures() -> None:
    figures = judge(Constant(), RegressionSplit.of(houses(), 0, 50))  # type: ignore[arg-type]
    assert {"few MAE", "few MSE", "few GM", "few n"} <= set(figures)
    assert not [name for name in figures if name.startswith("many") and "many n" not in figures]
