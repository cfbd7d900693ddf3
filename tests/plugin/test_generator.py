"""The generator as a model of its own: it pays for the training, and nobody else does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.plugin.models import GeneratorModel
from imbllm_autogluon.plugin.presets import make_preset
from imbllm_autogluon.rebalancing.rows import GENERATORS
from tests.plugin.class_fits import FOLDS, eight_families, fit, reports
from tests.plugin.tables import QUICK, imbalanced_table

if TYPE_CHECKING:
    import pandas as pd


def ensemble_members(predictor: TabularPredictor) -> set[str]:
    """Models with a weight in the last ensemble."""
    ensemble = [name for name in predictor.model_names() if name.startswith("WeightedEnsemble")][-1]
    return set(predictor._trainer.load_model(ensemble)._get_model_weights())


@pytest.fixture(scope="module")
def predictor() -> TabularPredictor:
    return eight_families()


@pytest.fixture(scope="module")
def board(predictor: TabularPredictor) -> pd.DataFrame:
    return predictor.leaderboard().set_index("model")


def twins(board: pd.DataFrame) -> list[str]:
    return [name for name in board.index if "Imb_" in name]


def test_the_generator_is_fitted_behind_plain_models_and_before_twins_and_trains_on_every_fold(
    predictor: TabularPredictor, board: pd.DataFrame
) -> None:
    order = board.sort_values("fit_order").index.tolist()
    assert {order.index(name) for name in twins(board)} == set(range(order.index("ImbLLM_BAG_L1") + 1, len(order) - 1))
    trained = reports(predictor, "ImbLLM_BAG_L1")
    assert [report["oversampling"]["trained_here"] for report in trained] == [True] * FOLDS
    assert len({report["oversampling"]["generator"] for report in trained}) == FOLDS


def test_twins_fitted_afterwards_train_and_write_nothing(predictor: TabularPredictor, board: pd.DataFrame) -> None:
    for name in twins(board):
        for report in reports(predictor, name):
            assert report["added"], name
            assert not report["oversampling"]["trained_here"], name
            is_forest = report["oversampling"]["method"] == "smote_nc"
            assert is_forest or not report["oversampling"]["written_here"], name


def test_its_row_of_the_leaderboard_carries_the_time_of_training(
    predictor: TabularPredictor, board: pd.DataFrame
) -> None:
    spent = sum(report["seconds"] for report in reports(predictor, "ImbLLM_BAG_L1"))
    assert board.loc["ImbLLM_BAG_L1", "fit_time_marginal"] >= 0.9 * spent
    read = sum(report["seconds"] for name in twins(board) for report in reports(predictor, name))
    assert read / len(twins(board)) < spent


def test_it_predicts_the_class_shares_and_has_no_part_in_the_ensemble(
    predictor: TabularPredictor, board: pd.DataFrame
) -> None:
    predicted = predictor.predict_proba(imbalanced_table(), model="ImbLLM_BAG_L1")["no"]
    assert np.ptp(predicted) == pytest.approx(0.0, abs=1e-6)
    assert predicted.mean() == pytest.approx(0.15, abs=0.01)
    assert predictor.model_best != "ImbLLM_BAG_L1"
    assert "ImbLLM_BAG_L1" not in ensemble_members(predictor)


def test_no_leaderboard_gives_it_a_score(predictor: TabularPredictor, board: pd.DataFrame) -> None:
    unseen = predictor.leaderboard(imbalanced_table(seed=1)).set_index("model")
    assert unseen.loc["ImbLLM_BAG_L1", ["score_test", "score_val"]].isna().all()
    assert unseen.drop(index="ImbLLM_BAG_L1")[["score_test", "score_val"]].notna().all(axis=None)
    assert not board.loc["ImbLLM_BAG_L1", "can_infer"]


@pytest.mark.parametrize("levels", [0, 1])
def test_models_no_better_than_its_constant_predictions_are_preferred_to_it(levels: int, tmp_path: Path) -> None:
    table = imbalanced_table(200, rare=0.15, signal=0.0)
    predictor = TabularPredictor("paid", eval_metric="mcc", path=str(tmp_path / "p"), verbosity=0)
    options = {"num_bag_folds": 2, "num_stack_levels": 1} if levels else {"num_bag_folds": 0}
    predictor.fit(table, presets="imbllm", hyperparameters={"LR": {}}, num_cpus=1, ag_args_fit=QUICK, **options)
    assert {name.split("_")[0] for name in ensemble_members(predictor)} <= {"LinearModel", "LinearModelImb"}
    for name in predictor.model_names():
        assert predictor.predict_proba(table.head(9), model=name).notna().all(axis=None)


@pytest.mark.parametrize(("rare", "preset"), [(0.5, "imbllm"), (0.2, make_preset("medium_quality", method="random"))])
def test_where_nothing_is_to_be_trained_there_is_no_generator(rare: float, preset: Any, tmp_path: Path) -> None:
    table = imbalanced_table(120, rare=rare)
    predictor = fit(tmp_path / "p", table, hyperparameters={"LR": {}}, ag_args_fit={}, presets=[preset])
    names = predictor.model_names()
    assert not [name for name in names if name.startswith("ImbLLM")]
    assert bool([name for name in names if "Imb_" in name]) == (rare < 0.5)
    assert not GENERATORS.keys(Path(predictor.path) / "utils" / "imbllm")


def test_a_balanced_fold_gives_it_a_reason_and_no_work(tmp_path: Path, fold: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = fold
    y = y.mask(y.index % 2 == 0, 0).mask(y.index % 2 == 1, 1).astype("uint8")
    model = GeneratorModel(path=str(tmp_path), name="g", problem_type="binary", eval_metric="roc_auc")
    model.fit(X=X, y=y, num_cpus=1, num_gpus=0)
    assert "balanced" in model.imbllm_report["reason"]
    assert model.imbllm_report["added"] == {}


def test_it_stands_on_the_first_level_only() -> None:
    assert GeneratorModel._get_default_ag_args()["valid_stacker"] is False
    assert GeneratorModel.ag_key == "IMBLLM"
