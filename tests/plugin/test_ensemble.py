"""The selection of the ensemble, and whole fits with the ensemble of this package's presets."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from autogluon.core.metrics import get_metric
from autogluon.core.models import WeightedEnsembleModel
from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection
from autogluon.tabular import TabularPredictor
from sklearn.metrics import balanced_accuracy_score, log_loss

from imbllm_autogluon import calibrated_probabilities, fit_ensemble
from imbllm_autogluon.classification.calibration import correct_prior
from imbllm_autogluon.plugin.class_scorers import expected_cost
from imbllm_autogluon.plugin.ensemble import (
    AUX_KWARGS,
    SkilledEnsembleModel,
    _likely_weights,
    _log_losses,
    _RegularizedEnsembleSelection,
    adjustment_of,
)
from tests.plugin.tables import imbalanced_table

if TYPE_CHECKING:
    from pathlib import Path


Answers = tuple[list[np.ndarray], np.ndarray]


def binary_answers(n: int = 600, rare: float = 0.06, noise: tuple[float, ...] = (1.0, 1.0), seed: int = 0) -> Answers:
    """Probabilities of a rare class by models of more or less noise, each shape (n,), and the classes."""
    rng = np.random.default_rng(seed)
    codes = (rng.random(n) < rare).astype(np.int64)
    logits = [2.5 * codes - 3.0 + rng.normal(0, sigma, n) for sigma in noise]
    return [1 / (1 + np.exp(-own)) for own in logits], codes


def multiclass_answers(n: int = 900, noise: tuple[float, ...] = (1.0, 1.2), seed: int = 0) -> Answers:
    """The same of three classes with shares 0.8, 0.15 and 0.05, each shape (n, 3)."""
    rng = np.random.default_rng(seed)
    shares = np.array([0.8, 0.15, 0.05])
    codes = rng.choice(3, n, p=shares)
    made = []
    for sigma in noise:
        seen = 1.5 * codes[:, None] + rng.normal(0, sigma, (n, 1))
        weights = np.exp(-((seen - 1.5 * np.arange(3.0)) ** 2) / 2 / sigma**2) * shares
        made.append(weights / weights.sum(axis=1, keepdims=True))
    return made, codes


def selection(metric: str, problem_type: str = "binary", **options: Any) -> _RegularizedEnsembleSelection:
    scorer = get_metric(metric, problem_type)
    return _RegularizedEnsembleSelection(ensemble_size=25, problem_type=problem_type, metric=scorer, **options)


def autogluons(metric: str, problem_type: str = "binary") -> EnsembleSelection:
    return EnsembleSelection(ensemble_size=25, problem_type=problem_type, metric=get_metric(metric, problem_type))


def test_of_two_models_that_rank_alike_the_one_of_better_probabilities_weighs_more() -> None:
    predictions, codes = binary_answers(noise=(1.0,))
    squeezed = [predictions[0] ** 8, predictions[0]]
    ours = selection("average_precision").fit(squeezed, codes)
    assert ours.weights_[1] > 0.5
    other, truth = binary_answers(noise=(1.0,), seed=1)
    theirs = autogluons("average_precision").fit(squeezed, codes)
    unseen = [other[0] ** 8, other[0]]
    losses = [log_loss(truth, np.average(unseen, axis=0, weights=own.weights_)) for own in (ours, theirs)]
    assert losses[0] < losses[1]


def test_for_log_loss_the_likely_weights_temper_the_greedy_ones() -> None:
    predictions, codes = binary_answers(noise=(1.0, 2.0, 0.5))
    greedy = autogluons("log_loss").fit(predictions, codes).weights_
    likely = _likely_weights(predictions, codes, None)
    ours = selection("log_loss").fit(predictions, codes).weights_
    assert ours == pytest.approx((greedy + likely) / 2, abs=0.02)


def test_a_regression_is_left_to_autogluon() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    predictions = [truth + rng.normal(size=200), truth + 0.5 * rng.normal(size=200)]
    ours = selection("r2", "regression").fit(predictions, truth)
    assert ours.weights_.tolist() == autogluons("r2", "regression").fit(predictions, truth).weights_.tolist()
    blended = np.average(predictions, axis=0, weights=ours.weights_)
    assert ours.predict_proba(predictions) == pytest.approx(blended)


def test_balanced_classes_are_left_to_autogluon() -> None:
    predictions, codes = binary_answers(rare=0.45, noise=(1.0, 1.0, 1.0))
    ours = selection("average_precision").fit(predictions, codes)
    assert ours.weights_.tolist() == autogluons("average_precision").fit(predictions, codes).weights_.tolist()


def test_likely_weights_are_those_of_the_most_probable_mixture() -> None:
    predictions, codes = binary_answers(3000, rare=0.2, noise=(0.7, 1.0, 2.0))
    found = _likely_weights(predictions, codes, None)
    losses = [
        -_log_losses(codes, np.average(predictions, axis=0, weights=each)).sum()
        for each in (found, *np.eye(3), [1] * 3)
    ]
    assert found.sum() == pytest.approx(1.0)
    assert losses[0] == max(losses)


def test_weights_of_few_rows_serve_unseen_rows_better_than_greedy_ones() -> None:
    losses = []
    for seed in range(6):
        predictions, codes = binary_answers(200, noise=(1.0,) * 4, seed=seed)
        unseen, truth = binary_answers(2000, noise=(1.0,) * 4, seed=seed + 100)
        chosen = [each("average_precision").fit(predictions, codes).weights_ for each in (autogluons, selection)]
        losses.append([log_loss(truth, np.average(unseen, axis=0, weights=weights)) for weights in chosen])
    greedy, ours = np.mean(losses, axis=0)
    assert ours < greedy


def test_few_rows_leave_the_likely_weights_near_equal_ones() -> None:
    predictions, codes = binary_answers(2000, noise=(0.5, 2.0))
    few, many = (_likely_weights([own[:n] for own in predictions], codes[:n], None) for n in (3, 2000))
    assert abs(few[0] - 0.5) < 0.25 < abs(many[0] - 0.5)


@pytest.mark.parametrize(
    ("metric", "problem_type"), [("average_precision", "binary"), ("balanced_accuracy", "multiclass")]
)
def test_twins_of_one_model_are_one_entry_and_share_its_weight(metric: str, problem_type: str) -> None:
    answers = binary_answers if problem_type == "binary" else multiclass_answers
    (plain, one, two, other), codes = answers(900, noise=(1.6, 0.7, 0.9, 0.8))
    ours = selection(metric, problem_type, entries=["p", "t", "t", "o"]).fit([plain, one, two, other], codes)
    assert ours.weights_[1] == ours.weights_[2] > 0
    if problem_type == "binary":
        whole = selection(metric).fit([plain, (one + two) / 2, other], codes)
        assert np.delete(ours.weights_, 1) * [1, 2, 1] == pytest.approx(whole.weights_)


def test_models_are_twins_of_one_by_their_names_without_autogluons_numbers() -> None:
    names = ["GBM_BAG_L1", "GBM_2_BAG_L1", "GBMImb_BAG_L1", "GBMImb_2_BAG_L1", "GBMImbXT_3_BAG_L1", "RFImb", "RFImb_10"]
    model = SkilledEnsembleModel(path="", name="E", problem_type="binary", base_model_names=names)
    model.initialize()
    twins = ["GBMImb_BAG_L1", "GBMImb_BAG_L1", "GBMImbXT_BAG_L1", "RFImb", "RFImb"]
    assert model._get_model_params()["entries"] == [*names[:2], *twins]


def test_rows_of_no_weight_have_no_say_in_the_likely_weights() -> None:
    predictions, codes = binary_answers(600, noise=(0.5, 2.0))
    half = np.arange(600) < 300
    part = _likely_weights([own[half] for own in predictions], codes[half], None)
    assert _likely_weights(predictions, codes, half) == pytest.approx(part)


def test_decisions_among_several_classes_are_tilted_towards_the_metric() -> None:
    predictions, codes = multiclass_answers()
    ours = selection("balanced_accuracy", "multiclass").fit(predictions, codes)
    theirs = autogluons("balanced_accuracy", "multiclass").fit(predictions, codes)
    others, truth = multiclass_answers(seed=1)
    ours.weights_, kept = ours.weights_[ours.weights_ != 0], np.flatnonzero(ours.weights_)
    gained = [
        balanced_accuracy_score(truth, answers.argmax(axis=1))
        for answers in (theirs.predict_proba(others), ours.predict_proba([others[place] for place in kept]))
    ]
    assert ours.degree_ > 0.3
    assert gained[1] > gained[0] + 0.05


def test_without_the_tilt_probabilities_of_unseen_rows_are_calibrated() -> None:
    predictions, codes = multiclass_answers()
    # A twin that answers as if all classes were equally frequent.
    balanced = predictions[0] / np.array([0.8, 0.15, 0.05])
    balanced /= balanced.sum(axis=1, keepdims=True)
    ours = selection("balanced_accuracy", "multiclass").fit([balanced], codes)
    assert ours.adjustment_ is not None
    (other, _), truth = multiclass_answers(seed=1)
    unseen = other / np.array([0.8, 0.15, 0.05])
    unseen /= unseen.sum(axis=1, keepdims=True)
    answered = ours.predict_proba([unseen])
    assert answered.sum(axis=1) == pytest.approx(1.0)
    calibrated = correct_prior(answered, 1.0 / ours.adjustment_)
    assert log_loss(truth, calibrated) < 1.05 * log_loss(truth, other) < log_loss(truth, unseen)


def test_a_metric_of_probabilities_is_not_tilted() -> None:
    predictions, codes = multiclass_answers()
    ours = selection("roc_auc_ovo_macro", "multiclass").fit(predictions, codes)
    assert ours.adjustment_ is None
    assert ours.factors_ == []


def test_factors_are_those_of_the_models_that_have_a_weight() -> None:
    predictions, codes = multiclass_answers(noise=(1.0, 9.0, 1.1))
    ours = selection("balanced_accuracy", "multiclass").fit(predictions, codes)
    assert ours.weights_[1] == 0
    assert len(ours.factors_) == np.count_nonzero(ours.weights_)


def test_the_loss_of_a_row_is_that_of_its_class_and_never_infinite() -> None:
    codes, chances = np.array([0, 1]), np.array([0.5, 0.25])
    for answers in (chances, np.column_stack([1 - chances, chances])):
        assert _log_losses(codes, answers) == pytest.approx(np.log([2, 4]))
    assert _log_losses(codes, np.array([1.0, 0.0])) == pytest.approx(-np.log(1e-7))


def test_weights_of_rows_are_heard() -> None:
    predictions, codes = binary_answers(noise=(1.0, 2.0))
    weights = np.where(np.arange(len(codes)) % 2, 9.0, 0.1)
    plain, weighted = (selection("average_precision").fit(predictions, codes, sample_weight=w) for w in (None, weights))
    regrets = [weighted._calculate_regret(codes, predictions[0], weighted.metric, w) for w in (None, weights)]
    assert regrets[0] != regrets[1]
    assert plain.weights_.shape == weighted.weights_.shape


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
    assert adjustment_of(multiclass, name) is None
    answers = multiclass.predict_proba(league(), model=name)
    pd.testing.assert_frame_equal(calibrated_probabilities(multiclass, league(), name), answers)


def test_a_refitted_and_a_cloned_predictor_keep_the_tilt(multiclass: TabularPredictor, tmp_path: Path) -> None:
    clone = multiclass.clone(str(tmp_path / "clone"), return_clone=True)
    refitted = clone.refit_full()["WeightedEnsemble_L2"]
    assert adjustment_of(clone, refitted) == pytest.approx(adjustment_of(multiclass, "WeightedEnsemble_L2"))
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
    assert adjustment_of(predictor, name) is None, "the threshold of two classes is AutoGluon's to tune"
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


def test_costs_tilt_several_classes_towards_dear_misses() -> None:
    predictions, codes = multiclass_answers()
    costs = np.array([[0.0, 1.0, 1.0], [3.0, 0.0, 3.0], [20.0, 20.0, 0.0]])
    scorer = expected_cost(costs)
    made = _RegularizedEnsembleSelection(ensemble_size=25, problem_type="multiclass", metric=scorer)
    made.fit(predictions, codes)
    unseen, truth = multiclass_answers(seed=1)
    tilted = made.predict_proba(unseen)
    plain = correct_prior(tilted, 1.0 / made.adjustment_) if made.adjustment_ is not None else tilted
    spent = {
        name: scorer.error(truth, decided)
        for name, decided in {
            "tilted": tilted.argmax(axis=1), "plain": plain.argmax(axis=1), "best": (plain @ costs).argmin(axis=1),
        }.items()
    }  # fmt: skip
    assert spent["tilted"] < 0.8 * spent["plain"]
    assert spent["tilted"] < 1.1 * spent["best"]
