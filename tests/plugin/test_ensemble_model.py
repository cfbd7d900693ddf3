"""Whole fits with the ensemble of this package's presets."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from autogluon.core.models import WeightedEnsembleModel
from autogluon.tabular import TabularPredictor
from sklearn.metrics import balanced_accuracy_score, log_loss

from imbllm_autogluon import calibrated_probabilities, fit_ensemble
from imbllm_autogluon.plugin.ensemble import AUX_KWARGS, TwinAwareEnsembleModel, tilt_of
from tests.plugin.tables import imbalanced_table

if TYPE_CHECKING:
    from pathlib import Path

FITTED = {"num_cpus": 1, "dynamic_stacking": False, "num_stack_levels": 0, "aux_kwargs": dict(AUX_KWARGS)}
TWINS = {"LR": {}, "LR_IMB": {"ag.imbllm.method": "random"}}


@cache
def league(seed: int = 0) -> pd.DataFrame:
    """Four classes that overlap; the last one has too few rows for AutoGluon to learn."""
    rng = np.random.default_rng(seed)
    classes = np.repeat([3, 1, 2, 7], [1500, 150, 75, 4])
    place = np.select([classes == 1, classes == 2], [1.0, 2.0], 0.0)
    frame = pd.DataFrame({"skill": place + rng.normal(0, 1, len(place)), "age": rng.normal(30, 5, len(place))})
    return frame.assign(league=classes)


@pytest.fixture(scope="module")
def multiclass(tmp_path_factory: pytest.TempPathFactory) -> TabularPredictor:
    """A bagged fit judged by balanced accuracy, with a plain model and a twin."""
    path = str(tmp_path_factory.mktemp("league"))
    predictor = TabularPredictor("league", eval_metric="balanced_accuracy", path=path, verbosity=0)
    return predictor.fit(league(), hyperparameters=TWINS, num_bag_folds=3, **FITTED)


def test_the_frame_tells_the_selection_which_models_are_twins(multiclass: TabularPredictor) -> None:
    bag = multiclass._trainer.load_model("WeightedEnsemble_L2")
    assert isinstance(bag, TwinAwareEnsembleModel)
    child = bag.load_child(bag.models[0])
    assert child.params["twins"] == ["LinearModelImb_BAG_L1"]
    assert child.model.is_twin == (False, True)


def test_predict_is_the_tilted_decision_and_beats_autogluons_ensemble_on_unseen_rows(
    multiclass: TabularPredictor,
) -> None:
    unseen = league(1)[lambda frame: frame["league"] != 7]
    plain = multiclass.fit_weighted_ensemble(base_models=["LinearModel_BAG_L1"], name_suffix="AutoGluons")[0]
    scores = [
        balanced_accuracy_score(unseen["league"], multiclass.predict(unseen, model=model))
        for model in (plain, "WeightedEnsemble_L2")
    ]
    assert multiclass.model_best == "WeightedEnsemble_L2"
    assert scores[1] > scores[0] + 0.1


def test_calibrated_probabilities_are_better_and_name_every_class(multiclass: TabularPredictor) -> None:
    unseen = league(1)[lambda frame: frame["league"] != 7]
    answers, calibrated = multiclass.predict_proba(unseen), calibrated_probabilities(multiclass, unseen)
    assert calibrated.columns.tolist() == answers.columns.tolist() == [1, 2, 3, 7]
    assert calibrated.index.equals(answers.index)
    assert calibrated.sum(axis=1).to_numpy() == pytest.approx(1.0, abs=1e-5)
    assert (calibrated[7] == 0).all()
    losses = [log_loss(unseen["league"], own[[1, 2, 3]]) for own in (answers, calibrated)]
    assert losses[1] < 0.9 * losses[0]


def test_a_model_without_a_tilt_answers_as_it_is(multiclass: TabularPredictor) -> None:
    name = "LinearModel_BAG_L1"
    assert tilt_of(multiclass, name) is None
    answers = multiclass.predict_proba(league(), model=name)
    pd.testing.assert_frame_equal(calibrated_probabilities(multiclass, league(), name), answers)


def test_a_refitted_and_a_cloned_predictor_keep_the_tilt(multiclass: TabularPredictor, tmp_path: Path) -> None:
    clone = multiclass.clone(str(tmp_path / "clone"), return_clone=True)
    refitted = clone.refit_full()["WeightedEnsemble_L2"]
    assert tilt_of(clone, refitted) == pytest.approx(tilt_of(multiclass, "WeightedEnsemble_L2"))
    loaded = TabularPredictor.load(clone.path)
    unseen = league(1)
    assert loaded.predict(unseen, model=refitted).equals(clone.predict(unseen, model=refitted))
    assert loaded.predict(unseen, model="WeightedEnsemble_L2").equals(multiclass.predict(unseen))


def test_any_predictor_can_get_the_ensemble_later(tmp_path: Path) -> None:
    table = imbalanced_table(200)
    predictor = TabularPredictor("paid", eval_metric="average_precision", path=str(tmp_path / "fit"), verbosity=0)
    predictor.fit(table, hyperparameters=TWINS, num_cpus=1, dynamic_stacking=False)
    name = fit_ensemble(predictor, name_suffix="Ours")
    assert name == "WeightedEnsemble_L2Ours"
    assert isinstance(predictor._trainer.load_model(name), WeightedEnsembleModel)
    assert tilt_of(predictor, name) is None, "the threshold of two classes is AutoGluon's to tune"
    pd.testing.assert_frame_equal(
        calibrated_probabilities(predictor, table, name), predictor.predict_proba(table, model=name)
    )


def test_the_ensemble_is_what_predicts_though_a_single_model_may_score_higher(tmp_path: Path) -> None:
    predictor = TabularPredictor("paid", eval_metric="average_precision", path=str(tmp_path / "fit"), verbosity=0)
    portfolio = {"GBM": {"num_boost_round": 5}, **TWINS}
    predictor.fit(imbalanced_table(200), hyperparameters=portfolio, num_bag_folds=2, **FITTED)
    assert predictor.model_best == "WeightedEnsemble_L2"
    assert TabularPredictor.load(predictor.path).model_best == "WeightedEnsemble_L2"


def test_an_unfitted_predictor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="fit"):
        fit_ensemble(TabularPredictor("paid", path=str(tmp_path / "fit"), verbosity=0))
