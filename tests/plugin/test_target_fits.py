"""Whole fits of a regression with the preset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from autogluon.tabular import TabularPredictor
from autogluon.tabular.models import LGBModel

from imbllm_autogluon.plugin.presets import make_preset
from imbllm_autogluon.plugin.scorers import few_mae
from imbllm_autogluon.rebalancing.cache import cache_of
from imbllm_autogluon.rebalancing.rows import GENERATORS, ROWS_CACHE
from imbllm_autogluon.search import TargetSearchSpace
from tests.plugin.regression_fits import QUICK as QUICK_LATENT
from tests.plugin.target_fits import fit, priced, reports
from tests.plugin.tuned_fits import GBM, study_trials, trial_models

if TYPE_CHECKING:
    import pandas as pd

    from tests.plugin.recording import Watched

FOLDS = 3
PORTFOLIO: dict[str, Any] = {"GBM": GBM, "RF": {"n_estimators": 60}, "LATENT_DIFF": QUICK_LATENT}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return priced()


@pytest.fixture(scope="module")
def predictor(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> TabularPredictor:
    path = tmp_path_factory.mktemp("predictor") / "p"
    return fit(path, table, hyperparameters=PORTFOLIO, num_bag_folds=FOLDS, eval_metric=few_mae)


def test_every_family_competes_plain_and_rebalanced_beside_latent_diff(predictor: TabularPredictor) -> None:
    board = predictor.leaderboard().set_index("model")
    assert set(board.index) == {
        *(f"{name}{twin}_BAG_L1" for name in ("LightGBM", "RandomForest") for twin in ("", "Imb")),
        "LatentDiff_BAG_L1",
        "ImbLLM_BAG_L1",
        "WeightedEnsemble_L2",
    }
    assert np.isfinite(board["score_val"].drop("ImbLLM_BAG_L1")).all()
    assert predictor.eval_metric.name == "few_mae"


def test_one_generator_is_trained_for_each_fold_by_the_generator_model(predictor: TabularPredictor) -> None:
    cache = cache_of(Path(predictor.path))
    assert len(GENERATORS.keys(cache)) == len(ROWS_CACHE.keys(cache)) == FOLDS
    assert all(report["oversampling"]["trained_here"] for report in reports(predictor, "ImbLLM_BAG_L1"))
    for name in ("LightGBMImb_BAG_L1", "RandomForestImb_BAG_L1"):
        for report in reports(predictor, name):
            assert sum(report["added"].values()) == 50
            assert report["oversampling"]["original_features"]
            assert not report["oversampling"]["written_here"]


def test_the_generator_model_predicts_one_number_and_is_in_no_ensemble(
    predictor: TabularPredictor, table: pd.DataFrame
) -> None:
    predicted = predictor.predict(table, model="ImbLLM_BAG_L1")
    assert np.ptp(predicted) == pytest.approx(0.0, abs=1e-3)
    assert predicted.mean() == pytest.approx(table["price"].mean(), rel=0.05)
    assert "ImbLLM_BAG_L1" not in predictor._trainer.load_model("WeightedEnsemble_L2").base_model_names


def test_refitting_on_all_rows_rebalances_all_rows(predictor: TabularPredictor, table: pd.DataFrame) -> None:
    name = predictor.refit_full("LightGBMImb_BAG_L1", num_cpus=1)["LightGBMImb_BAG_L1"]
    (report,) = reports(predictor, name)
    assert sum(report["before"].values()) == len(table)
    assert predictor.predict(table, model=name).notna().all()


def test_students_learn_what_their_teacher_says(predictor: TabularPredictor, table: pd.DataFrame) -> None:
    students = {key: {**GBM, "ag.num_cpus": 1} for key in ("GBM", "GBM_IMB")}
    names = predictor.distill(train_data=table, hyperparameters=students, augment_method=None)
    assert "LightGBMImb_DSTL" in names
    (report,) = reports(predictor, "LightGBMImb_DSTL")
    assert "teacher" in report["reason"]


def test_a_second_fit_on_a_shared_cache_trains_and_writes_nothing(tmp_path: Path) -> None:
    settings = {"imbllm.cache_dir": str(tmp_path / "cache")}
    for place in ("a", "b"):
        predictor = fit(tmp_path / place, settings=settings, presets=[make_preset({}, latent_diff=False)])
        assert "LatentDiff_BAG_L1" not in predictor.model_names()
        (first, second) = reports(predictor, "ImbLLM_BAG_L1")
        written = [report["oversampling"]["written_here"] for report in (first, second)]
        assert written == [place == "a"] * 2
        for shelf in (GENERATORS, ROWS_CACHE):
            shelf.forget()


def test_targets_of_whole_numbers_reach_the_model_uncut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[pd.Series] = []
    real_fit = LGBModel._fit

    def watch(self: Any, X: pd.DataFrame, y: pd.Series, **kwargs: Any) -> Any:
        seen.append(y)
        return real_fit(self, X=X, y=y, **kwargs)

    monkeypatch.setattr(LGBModel, "_fit", watch)
    table = priced()
    table["price"] = (table["price"] / 20).round().astype("int64")
    preset = make_preset({}, "only", method="smogn", latent_diff=False)
    predictor = fit(tmp_path / "p", table, presets=[preset], num_bag_folds=0)
    (y,) = seen
    (report,) = reports(predictor, "LightGBMImb")
    n_real = sum(report["before"].values())
    assert (y.iloc[:n_real] % 1 == 0).all()
    assert (y.iloc[n_real:] % 1 != 0).mean() > 0.5


def test_a_target_that_cannot_be_rebalanced_leaves_the_portfolio_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = priced().assign(price=3.0)
    predictor = TabularPredictor("price", path=str(tmp_path / "p"), problem_type="regression", verbosity=2)
    with caplog.at_level(20, "autogluon.imbllm"):
        predictor.fit(table, presets="imbllm", hyperparameters={"DUMMY": {}}, num_cpus=1)
    assert set(predictor.model_names()) == {"Dummy", "WeightedEnsemble_L2"}
    assert "no twins are added: the target must have at least 2 distinct values" in caplog.text


@pytest.mark.parametrize("method", ["imbllm", "smogn"])
def test_copied_predictions_are_those_of_a_real_row_of_the_same_bin(
    method: str, watched: Watched, tmp_path: Path
) -> None:
    preset = {**make_preset({}, stack="copy", method=method, latent_diff=False), "num_stack_levels": 1}
    fit(tmp_path / "p", presets=[preset], hyperparameters={"LR": {}})
    assert len(watched.folds) == 2
    for X, y, rows, stack, plan in watched.folds:
        assert list(rows.X.columns) == list(X.columns)
        real, written = plan.classes_of(y), plan.classes_of(rows.y)
        for number in written.unique():
            donors = {tuple(row) for row in X.loc[(real == number).to_numpy(), stack].to_numpy()}
            assert {tuple(row) for row in rows.X.loc[(written == number).to_numpy(), stack].to_numpy()} <= donors


def test_duplicated_rows_are_real_rows_with_their_own_predictions(watched: Watched, tmp_path: Path) -> None:
    preset = {**make_preset({}, stack="duplicate", method="random", latent_diff=False), "num_stack_levels": 1}
    fit(tmp_path / "p", presets=[preset], hyperparameters={"LR": {}})
    assert len(watched.folds) == 2
    for X, y, rows, _, plan in watched.folds:
        real = {tuple(map(str, row)) for row in X.assign(price=y).to_numpy()}
        assert {tuple(map(str, row)) for row in rows.X.assign(price=rows.y.to_numpy()).to_numpy()} <= real
        assert plan.classes_of(rows.y).value_counts().to_dict() == plan.counts


@pytest.mark.parametrize("folds", [0, 2])
def test_twins_are_tuned_in_the_space_of_a_regression(folds: int, tmp_path: Path) -> None:
    predictor = fit(
        tmp_path / "p",
        presets=[make_preset({}, tune={"num_trials": 3, "top_k": 2}, latent_diff=False)],
        num_bag_folds=folds,
    )
    name = "LightGBMImb_BAG_L1" if folds else "LightGBMImb"
    trials = study_trials(predictor.path, name)
    assert trials[0].params == TargetSearchSpace().first("imbllm.")
    assert {trial.params["imbllm.method"] for trial in trials} <= {"imbllm", "none", "smogn", "random"}
    assert not any("imbllm.target_ratio" in trial.params for trial in trials)
    assert len(trial_models(predictor, name)) == 2
