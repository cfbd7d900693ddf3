"""LatentDiff inside AutoGluon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from autogluon.common.space import Categorical, Real
from autogluon.core.utils.exceptions import TimeLimitExceeded
from autogluon.tabular import TabularPredictor
from autogluon.tabular.testing import FitHelper
from autogluon.tabular.testing.fit_helper import DatasetLoaderHelper

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.models import _SEARCH_START, _SEARCHED, LatentDiffModel
from imbllm_autogluon.regression import encoder
from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor
from tests.fresh import run_afresh
from tests.plugin.regression_fits import BAG, NAME, QUICK, alone, children, fit
from tests.plugin.tuned_fits import EACH_SEARCH, study_trials
from tests.regression.frames import skewed

if TYPE_CHECKING:
    from pathlib import Path

    Dataset = tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]


FOLDS = 3

PREDICT = """
import sys, pandas as pd
from autogluon.tabular import TabularPredictor
predictor = TabularPredictor.load(sys.argv[1], verbosity=0)
predictor.predict(pd.read_parquet(sys.argv[2]), model=sys.argv[3]).to_frame().to_parquet(sys.argv[4])
"""


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    X, y = skewed(150)
    return X.assign(price=y)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return skewed(25, seed=1)[0]


@pytest.fixture(scope="module")
def predictor(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> TabularPredictor:
    portfolio = {"LATENT_DIFF": QUICK, "LR": {}}
    return fit(tmp_path_factory.mktemp("bagged") / "p", table, hyperparameters=portfolio, num_bag_folds=FOLDS)


def test_it_is_a_model_of_a_bagged_fit_and_of_its_ensemble(predictor: TabularPredictor, table: pd.DataFrame) -> None:
    board = predictor.leaderboard().set_index("model")
    assert BAG in board.index
    assert board["score_val"].notna().all()
    assert set(predictor._trainer.load_model("WeightedEnsemble_L2").base_model_names) <= {BAG, "LinearModel_BAG_L1"}
    assert len(predictor.predict_oof(BAG)) == len(table)
    assert len(children(predictor, BAG)) == FOLDS


def test_it_reads_categories_booleans_and_dates(predictor: TabularPredictor) -> None:
    schema = children(predictor, BAG)[0].model.encoders_.source.matrix.schema
    kinds = {column.name: column.kind for column in schema.columns}
    assert {name: kinds[name] for name in ("area", "rooms", "town", "garden")} == {
        "area": "continuous",
        "rooms": "integer",
        "town": "categorical",
        "garden": "boolean",
    }
    assert "built" in kinds


def test_what_a_fit_did_stands_in_the_information_on_the_model(predictor: TabularPredictor) -> None:
    report = children(predictor, BAG)[0].get_info()["imbllm"]
    assert report["rows"] == 100
    assert report["method"] == "latent_diff"
    assert report["epochs"] == [QUICK["encoder_epochs"]] * QUICK["encoder_folds"]
    assert sum(report["bins"]["n"]) == 100
    assert sum(report["bins"]["wanted"]) == round(100 * (report["ratio"] or 0))
    assert set(report["seconds"]) >= {"encoder", "choice", "head"}


def test_a_fresh_process_predicts_the_same(predictor: TabularPredictor, rows: pd.DataFrame, tmp_path: Path) -> None:
    rows.to_parquet(tmp_path / "rows.parquet")
    process = run_afresh(PREDICT, predictor.path, tmp_path / "rows.parquet", BAG, tmp_path / "out.parquet")
    assert process.returncode == 0, process.stderr
    found = pd.read_parquet(tmp_path / "out.parquet")["price"]
    pd.testing.assert_series_equal(found, predictor.predict(rows, model=BAG), rtol=1e-5)


def test_it_can_be_fitted_again_on_all_rows(predictor: TabularPredictor, rows: pd.DataFrame) -> None:
    name = predictor.refit_full(BAG, num_cpus=1)[BAG]
    assert predictor.predict(rows, model=name).notna().all()
    (whole,) = children(predictor, name)
    assert whole.imbllm_report["rows"] == 150
    assert whole.get_info()["val_in_fit"] is False


def test_values_that_were_not_there_in_training_are_answered(predictor: TabularPredictor, rows: pd.DataFrame) -> None:
    strange = rows.assign(town="Narvik", area=np.nan, rooms=10**6)
    assert np.isfinite(predictor.predict(strange, model=BAG)).all()


def test_it_answers_as_the_estimator_of_scikit_learn_does(tmp_path: Path) -> None:
    X, y = skewed(120)
    X = X.drop(columns=["built", "garden"])
    model = alone(tmp_path, random_state=3).fit(X=X, y=y, num_cpus=1, num_gpus=0)
    peer = LatentDiffRegressor(random_state=3, threads=1).set_params(**QUICK).fit(X, y)
    np.testing.assert_allclose(model.predict(X), peer.predict(X), rtol=1e-4)


def test_the_same_seed_gives_the_same_answers_and_another_one_others(tmp_path: Path) -> None:
    X, y = skewed(60)
    found = [
        alone(tmp_path / str(place), random_state=seed).fit(X=X, y=y, num_cpus=1, num_gpus=0).predict(X)
        for place, seed in enumerate((1, 1, 2))
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])


def test_it_learns(tmp_path: Path) -> None:
    X, y = skewed(400)
    predictor = fit(tmp_path / "p", X.assign(price=y), {"encoder_epochs": 30, "diffusion_steps": 50})
    new, truth = skewed(200, seed=5)
    assert np.corrcoef(predictor.predict(new, model=NAME), truth)[0, 1] > 0.8


def test_whole_targets_are_learned_as_numbers(tmp_path: Path) -> None:
    X, y = skewed(100)
    rings = (y / 20).round().astype("int64")
    model = alone(tmp_path).fit(X=X, y=rings, num_cpus=1, num_gpus=0)
    assert (model.predict(X) % 1 != 0).any()


def test_infinite_numbers_are_read_as_missing_ones(tmp_path: Path) -> None:
    X, y = skewed(100)
    X["area"] = X["area"].where(np.arange(100) % 10 != 3, np.inf)
    model = alone(tmp_path).fit(X=X, y=y, num_cpus=1, num_gpus=0)
    infinite, missing = (model.predict(X.assign(area=number)) for number in (-np.inf, np.nan))
    assert infinite.tolist() == missing.tolist()


def test_weights_of_rows_count_and_their_column_is_no_feature(tmp_path: Path, table: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    predictions = []
    for name, weight in (("even", 1.0), ("uneven", np.where(rng.random(len(table)) < 0.5, 0.1, 3.0))):
        predictor = fit(tmp_path / name, table.assign(weight=weight), sample_weight="weight")
        schema = children(predictor)[0].model.encoders_.source.matrix.schema
        assert "weight" not in [column.name for column in schema.columns]
        predictions.append(predictor.predict(table, model=NAME).to_numpy())
    assert not np.allclose(*predictions)


@pytest.mark.parametrize(
    ("n_rows", "constant", "reason"), [(12, False, "has 12 rows, and 20 are needed"), (40, True, "all targets")]
)
def test_a_fold_that_cannot_be_learned_is_answered_by_its_median(
    n_rows: int, constant: bool, reason: str, tmp_path: Path
) -> None:
    X, y = skewed(n_rows)
    y = 0 * y + 7.0 if constant else y
    model = alone(tmp_path).fit(X=X, y=y, num_cpus=1, num_gpus=0)
    np.testing.assert_allclose(model.predict(X), y.median())
    assert reason in model.get_info()["imbllm"]["reason"]


def test_other_problems_are_left_to_other_models(tmp_path: Path) -> None:
    table = skewed(60)[0]
    with pytest.raises((AssertionError, RuntimeError, ValueError)):
        TabularPredictor("garden", path=str(tmp_path), verbosity=0).fit(table, hyperparameters={"LATENT_DIFF": QUICK})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"guidanse": 2.0}, "did you mean 'guidance'"),
        ({"method": "latent_dif"}, "did you mean 'latent_diff'"),
        ({"error_wieght": Real(0.0, 1.0)}, "did you mean 'error_weight'"),
        ({"gate_quantile": Real(-1.0, 1.0)}, "gate_quantile must be"),
    ],
)
def test_bad_settings_are_refused_when_the_model_is_made(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        LatentDiffModel(hyperparameters=settings)


@pytest.mark.parametrize("method", ["latent_diff", "lds"])
def test_the_defaults_of_its_search_spaces_are_the_fit_without_a_search(method: str, tmp_path: Path) -> None:
    spaces = alone(tmp_path, method=method)._get_default_searchspace()
    without = LatentDiffConfig().flat()
    assert spaces
    for name, space in spaces.items():
        if name != "generation_ratio":  # without a search it is chosen by cross-validation
            assert space.default == without[name]
        assert space.lower <= space.default <= space.upper
        for end in (space.lower, space.upper):
            LatentDiffConfig.from_flat({name: end})


@pytest.mark.parametrize("limit", [0.0, -1.0])
def test_no_time_leaves_the_model_out(limit: float, tmp_path: Path) -> None:
    X, y = skewed(60)
    with pytest.raises(TimeLimitExceeded):
        alone(tmp_path).fit(X=X, y=y, num_cpus=1, num_gpus=0, time_limit=limit)


def test_too_little_time_for_a_few_epochs_leaves_the_model_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "_LEAST_EPOCHS", 10_000)  # a fast machine does three in no time
    X, y = skewed(100)
    model = alone(tmp_path, encoder_epochs=10_000, encoder_patience=10_000)
    with pytest.raises(TimeLimitExceeded) as caught:
        model.fit(X=X, y=y, num_cpus=1, num_gpus=0, time_limit=0.3)
    assert "of the encoder" in str(caught.value.__cause__)


def test_a_time_limit_is_kept(tmp_path: Path) -> None:
    X, y = skewed(100)
    model = alone(tmp_path, encoder_epochs=10_000, encoder_patience=10_000, diffusion_steps=1_000_000)
    model.fit(X=X, y=y, num_cpus=1, num_gpus=0, time_limit=2.0)
    assert sum(model.imbllm_report["seconds"].values()) < 4.0
    assert set(model.imbllm_report["stopped_by"]) == {"time"}


def test_the_memory_estimate_grows_with_the_table() -> None:
    X, _ = skewed(50)
    few = LatentDiffModel._estimate_memory_usage_static(X=X)
    many = LatentDiffModel._estimate_memory_usage_static(X=pd.concat([X] * 1000))
    assert 1e8 < few < many < 4e9


def enough_rows() -> Dataset:
    """A table of mixed columns that is large enough to be learned in every fold."""
    X, y = skewed(60)
    table = X.assign(label=y)
    return table, table, {"problem_type": "regression", "label": "label"}


@pytest.mark.filterwarnings("ignore")  # on toy tables of 4 rows metrics warn of constant inputs
@pytest.mark.parametrize("rows", ["toy", "enough"])
def test_it_passes_the_acceptance_test_of_autogluon(rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the helper writes its predictors into the current folder
    if rows == "enough":
        monkeypatch.setitem(DatasetLoaderHelper.toy_map, "toy_regression", enough_rows)
    settings = {**QUICK, "ag_args_fit": {"num_cpus": 1}}
    FitHelper.verify_model(model_cls=LatentDiffModel, model_hyperparameters=settings, extra_metrics=True)


@EACH_SEARCH
def test_every_trial_of_a_search_is_a_model_of_the_fit(searcher: str, folds: int, tmp_path: Path) -> None:
    search = {"num_trials": 3, "searcher": searcher, "scheduler": "local"}
    X, y = skewed(120)
    predictor = fit(
        tmp_path / "p",
        X.assign(price=y),
        {"method": Categorical("latent_diff", "lds"), "guidance": Real(1.0, 2.0)},
        num_bag_folds=folds,
        hyperparameter_tune_kwargs=search,
        fit_weighted_ensemble=False,
    )
    names = predictor.model_names()
    assert names
    assert all(f"{NAME}{'_BAG_L1' if folds else ''}/T" in name for name in names)


def test_left_to_itself_a_search_tries_the_default_settings_first(tmp_path: Path) -> None:
    search = {"num_trials": 1, "searcher": "imbllm_optuna", "scheduler": "local"}
    X, y = skewed(80)
    fit(tmp_path / "p", X.assign(price=y), hyperparameter_tune_kwargs=search, fit_weighted_ensemble=False)
    (trial,) = study_trials(tmp_path / "p", NAME)
    usual = {**LatentDiffConfig().flat(), "generation_ratio": _SEARCH_START}
    assert trial.params == {name: usual[name] for name in _SEARCHED}
