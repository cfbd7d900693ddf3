from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from autogluon.core.metrics import balanced_accuracy, get_metric
from sklearn import metrics

from imbllm_autogluon.jobs import compare as module
from imbllm_autogluon.jobs.compare import (
    Comparison,
    ScoredRows,
    _class_curves,
    _EnsemblePair,
    _gains,
    _interval,
    _Metric,
    _Score,
    base_models,
    compare,
    model_kind,
    pair_ensembles,
)
from imbllm_autogluon.plugin.classifier_model import ClassifierModel
from imbllm_autogluon.plugin.ensemble import adjustment_of, fit_ensemble
from imbllm_autogluon.plugin.models import GeneratorModel, LatentDiffModel
from imbllm_autogluon.regression.bins import TargetBins, shots
from imbllm_autogluon.regression.metrics import geometric_mean_error
from tests.jobs.fits import binary_outcome, mixed_table, multiclass_outcome, target_outcome, unbagged_outcome

BOTH = _EnsemblePair("WeightedEnsemble_L2", "WeightedEnsemble_L2Plain")
OURS = "twins and LatentDiff"
TARGET_PAIR = _EnsemblePair("WeightedEnsemble_L2", "WeightedEnsemble_L2Plain", ours=OURS)
MAE, MEAN = "mean_absolute_error", "mean absolute error"


def comparison(*scores: _Score, interval: tuple[float, float] | None = None, pair: _EnsemblePair = BOTH) -> Comparison:
    return Comparison(pair, scores, "test", {"no": 900, "yes": 49}, interval)


def target_comparison(*scores: _Score, interval: tuple[float, float] | None = None) -> Comparison:
    return Comparison(TARGET_PAIR, scores, "test", {"many": 60, "medium": 20, "few": 9}, interval, task="regression")


WHOLE, PLAIN = "The whole ensemble (plain models and twins) is better by", "The plain ensemble is better by"
WITH_BOTH = f"The whole ensemble (plain models, {OURS}) is better by"
F1_SCORES = "(F1 0.8500 with twins, 0.8000 without, on 949 test rows)."
F1_GAIN = f"{WHOLE} 0.0500 {F1_SCORES}"
FEW_SHOT = f" {WITH_BOTH} few-shot {MEAN}."

VERDICTS = {
    "whole": (
        comparison(_Score("f1", True, 0.80, 0.85), interval=(0.01, 0.09)),
        "whole",
        f"{WHOLE} 0.0500 ± 0.0400 {F1_SCORES}",
    ),
    "plain": (
        comparison(_Score("average_precision", True, 0.9, 0.875), _Score("log_loss", False, 0.2, 0.3)),
        "plain",
        f"{PLAIN} 0.0250 (average precision 0.8750 with twins, 0.9000 without, on 949 test rows).",
    ),
    "plain by a metric where less is better": (
        comparison(_Score("log_loss", False, 0.2, 0.3)),
        "plain",
        f"{PLAIN} 0.1000 (log-loss 0.3000 with twins, 0.2000 without, on 949 test rows).",
    ),
    "equal": (
        comparison(_Score("f1", True, 0.8, 0.8), _Score("log_loss", False, 0.3, 0.2)),
        "neither",
        f"Both ensembles are equal (F1 0.8000 with twins, 0.8000 without, on 949 test rows). {WHOLE} log-loss.",
    ),
    "chance": (
        comparison(_Score("f1", True, 0.80, 0.85), interval=(-0.01, 0.11)),
        "whole",
        f"{WHOLE} 0.0500 ± 0.0600: within chance {F1_SCORES}",
    ),
    "other metrics disagree": (
        comparison(
            _Score("f1", True, 0.80, 0.85), _Score("roc_auc", True, 0.9, 0.8), _Score("log_loss", False, 0.1, 0.2)
        ),
        "whole",
        f"{F1_GAIN} {PLAIN} ROC AUC, log-loss.",
    ),
    "no twins": (
        comparison(_Score("f1", True, None, 0.85), pair=_EnsemblePair("LightGBM", None, "no twin was fitted")),
        "neither",
        "Nothing to compare: no twin was fitted.",
    ),
    "numbers in a large unit": (
        target_comparison(_Score(MAE, False, 24321.5, 23000.2), interval=(-20.0, 2662.0)),
        "whole",
        f"{WITH_BOTH} 1321 ± 1341: within chance ({MEAN} 23000 with {OURS}, 24322 without, on 89 test rows).",
    ),
    "numbers in a small unit": (
        target_comparison(_Score(MAE, False, 0.00123456, 0.00234567), _Score("few_mae", False, 0.004, 0.003, rows=9)),
        "plain",
        f"{PLAIN} 0.001111 ({MEAN} 0.002346 with {OURS}, 0.001235 without, on 89 test rows).{FEW_SHOT}",
    ),
    "errors too small for a fixed number of digits": (
        target_comparison(_Score(MAE, False, 3e-12, 2e-12)),
        "whole",
        f"{WITH_BOTH} 1.000e-12 (mean absolute error 2.000e-12 with {OURS}, 3.000e-12 without, on 89 test rows).",
    ),
}


@pytest.mark.parametrize(("result", "winner", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_the_verdict_says_which_ensemble_won_by_how_much_and_on_what(
    result: Comparison, winner: str, verdict: str
) -> None:
    assert result.scores[0].better == winner
    assert result.verdict == verdict
    assert json.loads(json.dumps(result.to_dict()))["verdict"] == verdict


@dataclass
class FakePredictor:
    """The few things that `pair_ensembles` asks a predictor for."""

    classes: dict[str, type]
    refitted: dict[str, str] = field(default_factory=dict)
    plain_wins: bool = False
    made: list[list[str]] = field(default_factory=list)
    saved: bool = False
    model_best: str = "WeightedEnsemble_L2"
    problem_type: str = "binary"

    @property
    def _trainer(self) -> FakePredictor:
        return self

    def get_model_names(self, stack_name: str) -> list[str]:
        assert stack_name == "core"
        return list(self.classes)

    def get_model_attribute(self, name: str, attribute: str) -> type:
        assert attribute == "type_inner"
        return self.classes[name]

    def model_refit_map(self) -> dict[str, str]:
        return self.refitted

    def refit_full(self, model: str) -> dict[str, str]:
        return {model: f"{model}_FULL"}

    def set_model_best(self, model: str, save_trainer: bool) -> None:
        self.model_best, self.saved = model, save_trainer


@pytest.fixture(autouse=True)
def ensembles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a stand-in they are only noted; those of a real predictor are fitted."""

    def fit(predictor: Any, models: list[str], suffix: str) -> str | None:
        if not isinstance(predictor, FakePredictor):
            return fit_ensemble(predictor, models, suffix)
        predictor.made.append(models)
        name = f"WeightedEnsemble_L2{suffix}"
        if predictor.plain_wins:
            predictor.model_best = name
        return name

    monkeypatch.setattr(module, "fit_ensemble", fit)


def twin() -> type:
    from autogluon.tabular.models import LGBModel

    from imbllm_autogluon.plugin.twins import twin_of

    return twin_of(LGBModel)


def test_the_plain_ensemble_is_made_of_plain_models_only() -> None:
    outcome = binary_outcome()
    plain = outcome.predictor._trainer.load_model(outcome.comparison.pair.plain)
    assert set(plain.base_model_names) <= {"KNeighbors_BAG_L1", "LinearModel_BAG_L1"}
    assert outcome.comparison.pair.whole == "WeightedEnsemble_L2"


@pytest.mark.parametrize(("plain_wins", "best"), [(False, "WeightedEnsemble_L2"), (True, "WeightedEnsemble_L2Plain")])
def test_predictions_use_the_plain_ensemble_where_it_is_better_out_of_fold(plain_wins: bool, best: str) -> None:
    predictor = FakePredictor({"LightGBM": int, "LightGBMImb": twin()}, plain_wins=plain_wins)
    assert pair_ensembles(predictor) == BOTH
    assert (predictor.model_best, predictor.saved) == (best, True)


def test_a_refitted_predictor_gets_a_refitted_plain_ensemble() -> None:
    refitted = {"WeightedEnsemble_L2": "WeightedEnsemble_L2_FULL", "LightGBM": "LightGBM_FULL"}
    classes = {"LightGBM": int, "LightGBM_FULL": int, "LightGBMImb": twin()}
    predictor = FakePredictor(classes, refitted, plain_wins=True, model_best="WeightedEnsemble_L2_FULL")
    pair = pair_ensembles(predictor)
    assert (pair.whole, pair.plain) == ("WeightedEnsemble_L2_FULL", "WeightedEnsemble_L2Plain_FULL")
    assert predictor.made[0] == ["LightGBM"]
    assert predictor.model_best == "WeightedEnsemble_L2_FULL"


def test_the_generator_is_neither_plain_nor_a_twin() -> None:
    predictor = FakePredictor({"ImbLLM": GeneratorModel, "LightGBM": int, "LightGBMImb": twin()})
    assert base_models(predictor) == (["LightGBM"], ["LightGBMImb"])
    assert [model_kind(predictor, name) for name in predictor.classes] == ["generator", "plain", "twin"]
    pair_ensembles(predictor)
    assert predictor.made[0] == ["LightGBM"]


@pytest.mark.parametrize(
    ("classes", "ours"),
    [
        ({"LatentDiff": LatentDiffModel}, "LatentDiff"),
        ({"LightGBMImb": twin()}, "twins"),
        ({"LatentDiff": LatentDiffModel, "LightGBMImb": twin()}, OURS),
    ],
)
def test_latent_diff_is_no_plain_model(classes: dict[str, type], ours: str) -> None:
    predictor = FakePredictor({"LightGBM": int, **classes}, problem_type="regression")
    assert pair_ensembles(predictor).ours == ours
    assert predictor.made[0] == ["LightGBM"]


PLAIN_ONLY = "so the ensemble holds plain models only"


@pytest.mark.parametrize(
    ("classes", "problem_type", "reason"),
    [
        ({"LightGBM": int}, "binary", f"no twin was fitted, {PLAIN_ONLY}"),
        ({"ImbLLM": GeneratorModel, "LightGBM": int}, "binary", f"no twin was fitted, {PLAIN_ONLY}"),
        ({"LightGBM": int, "C": ClassifierModel}, "binary", "no twin was fitted"),
        ({"LightGBM": int}, "regression", f"no twin and no LatentDiff was fitted, {PLAIN_ONLY}"),
        ({"LightGBMImb": twin()}, "binary", "no plain model was fitted, so there is none to compare with"),
    ],
)
def test_with_one_sort_of_model_there_is_nothing_to_compare(
    classes: dict[str, type], problem_type: str, reason: str
) -> None:
    predictor = FakePredictor(classes, problem_type=problem_type)
    pair = pair_ensembles(predictor)
    assert (pair.plain, predictor.made) == (None, [])
    assert pair.reason == reason


def test_binary_scores_equal_those_of_scikit_learn() -> None:
    outcome = binary_outcome()
    assert outcome.job.test is not None
    table, predictor, pair = outcome.job.test.frame, outcome.predictor, outcome.comparison.pair
    assert outcome.comparison.rows == "test"
    assert outcome.comparison.counts == outcome.job.test.counts
    y = (table["label"] == "yes").to_numpy()
    scores = {score.metric: score for score in outcome.comparison.scores}
    assert list(scores) == ["average_precision", "roc_auc", "f1", "log_loss"]
    for place, (side, model) in enumerate(pair.by_side().items()):
        p = predictor.predict_proba(table, model=model)["yes"].to_numpy()
        threshold = scores["f1"].thresholds[place]
        expected = {
            "average_precision": metrics.average_precision_score(y, p),
            "roc_auc": metrics.roc_auc_score(y, p),
            "f1": metrics.f1_score(y, p > threshold),
            "log_loss": metrics.log_loss(y, p),
        }
        assert {name: getattr(score, side) for name, score in scores.items()} == pytest.approx(expected, abs=1e-6)


def test_thresholds_are_chosen_on_out_of_fold_rows_not_on_test_rows() -> None:
    outcome = binary_outcome()
    y = (outcome.job.train.labels == "yes").to_numpy()
    oof = outcome.predictor.predict_proba_oof(outcome.comparison.pair.whole)["yes"].to_numpy()
    chosen = next(score for score in outcome.comparison.scores if score.metric == "f1").thresholds[1]
    best = max(metrics.f1_score(y, oof > threshold) for threshold in np.linspace(0, 1, 101))
    assert metrics.f1_score(y, oof > chosen) >= best - 0.02
    assert module.calibrated_threshold(outcome.predictor, outcome.comparison.pair.whole, "f1") == chosen


def test_without_a_test_table_out_of_fold_rows_are_scored() -> None:
    outcome = multiclass_outcome()
    assert outcome.comparison.rows == "out-of-fold"
    known = outcome.job.train.labels != "d"
    oof = outcome.predictor.predict_proba_oof(outcome.comparison.pair.whole)[["a", "b", "c"]]
    scores = {score.metric: score.whole for score in outcome.comparison.scores}
    assert list(scores) == ["balanced_accuracy", "f1_macro", "log_loss", "roc_auc_ovo"]
    y, oof = outcome.job.train.labels[known], oof.loc[known[known].index]
    assert scores["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, oof.idxmax(axis=1)))
    assert scores["f1_macro"] == pytest.approx(metrics.f1_score(y, oof.idxmax(axis=1), average="macro"))
    calibrated = oof / adjustment_of(outcome.predictor, outcome.comparison.pair.whole)
    calibrated = calibrated.div(calibrated.sum(axis=1), axis=0)
    assert scores["log_loss"] == pytest.approx(metrics.log_loss(y, calibrated), abs=1e-5)
    area = metrics.roc_auc_score(y, calibrated, multi_class="ovo")
    assert scores["roc_auc_ovo"] == pytest.approx(area, abs=1e-5)


def test_rows_of_unknown_classes_are_not_scored_and_that_is_said() -> None:
    outcome = multiclass_outcome()
    test = mixed_table({"a": 20, "b": 10, "c": 5, "d": 4})
    pair = outcome.comparison.pair
    result = compare(outcome.job.task.scored(outcome.predictor, pair.by_side().values(), test), pair, "test")
    assert result.counts == {"a": 20, "b": 10, "c": 5}
    assert result.notes == ("4 rows of classes that the predictor does not know are not scored.",)


def test_scores_of_numbers_equal_those_of_scikit_learn() -> None:
    outcome = target_outcome()
    assert outcome.job.test is not None
    table, prices = outcome.job.test.frame, outcome.job.train.frame["price"]
    assert (outcome.comparison.rows, outcome.comparison.pair.plain) == ("test", "WeightedEnsemble_L2Plain")
    true = table["price"].to_numpy()
    bins = TargetBins.fit(prices, 8)
    sort = shots(bins.counts(prices))[bins.assign(true)]
    for side, model in outcome.comparison.pair.by_side().items():
        answers = outcome.predictor.predict(table, model=model).to_numpy()
        errors = np.abs(true - answers)
        expected = {
            "mean_absolute_error": errors.mean(),
            "few_mae": errors[sort == "few"].mean(),
            "medium_mae": errors[sort == "medium"].mean(),
            "root_mean_squared_error": metrics.root_mean_squared_error(true, answers),
            "geometric_mean_error": geometric_mean_error(true, answers),
        }
        found = {score.metric: getattr(score, side) for score in outcome.comparison.scores}
        assert found.pop("many_mae") is None  # no bin has over 100 of 149 rows
        assert list(found) == list(expected)
        assert found == pytest.approx(expected, rel=1e-5)
    rows = {score.metric: score.rows for score in outcome.comparison.scores}
    assert rows["few_mae"] == (sort == "few").sum() > 0
    assert rows["mean_absolute_error"] == rows["few_mae"] + rows["medium_mae"] + rows["many_mae"] == 79
    assert sum(outcome.comparison.counts.values()) == 79


def test_without_a_test_table_and_bags_the_metric_of_the_fit_is_scored_first_on_validation_rows() -> None:
    outcome = unbagged_outcome()
    assert outcome.comparison.rows == "validation"
    names = [score.metric for score in outcome.comparison.scores]
    assert names[:2] == ["few_mae", "mean_absolute_error"]
    assert len(set(names)) == 6


def test_of_bags_out_of_fold_targets_are_scored() -> None:
    outcome = target_outcome()
    pair, train = outcome.comparison.pair, outcome.job.train.frame
    result = compare(outcome.job.task.scored(outcome.predictor, pair.by_side().values(), None), pair, "out-of-fold")
    errors = train["price"] - outcome.predictor.predict_oof(pair.whole)
    assert result.scores[0].whole == pytest.approx(errors.abs().mean(), rel=1e-5)
    assert result.scores[0].rows == len(train) == 149


def decisions(classes: np.ndarray, **predictions: np.ndarray) -> ScoredRows:
    """Classes and decided ones as probabilities, scored by balanced accuracy."""
    answers = {name: np.eye(int(classes.max()) + 1)[decided] for name, decided in predictions.items()}
    metric = _Metric("balanced_accuracy", balanced_accuracy)
    return ScoredRows("classification", (metric,), classes, classes, {}, answers)


def numbers(errors: dict[str, np.ndarray], sorts: np.ndarray, shot: str | None = None) -> ScoredRows:
    metric = _Metric(MAE, get_metric(MAE, "regression"), shot)
    return ScoredRows("regression", (metric,), np.zeros(len(sorts)), sorts, {}, errors)


def _gain_interval(rows: ScoredRows, pair: _EnsemblePair) -> tuple[float, float] | None:
    names = (pair.whole, str(pair.plain))
    return _interval(_gains(rows, [names]).get(names))


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide() -> None:
    gains = np.random.default_rng(1).normal(0.5, 1.0, 400)
    rows = numbers({"whole": np.full(400, 9.0), "plain": 9.0 + gains}, np.repeat("few", 400))
    low, high = _gain_interval(rows, _EnsemblePair("whole", "plain")) or (0.0, 0.0)
    assert low < gains.mean() < high
    assert high - low == pytest.approx(4 * 1.0 / 20, rel=0.2)


def test_the_interval_of_decisions_is_that_of_the_metric_on_rows_drawn_within_classes() -> None:
    rng = np.random.default_rng(0)
    classes = rng.choice(3, 200, p=[0.7, 0.2, 0.1])
    better, worse = (np.where(rng.random(200) < share, classes, 0) for share in (0.8, 0.6))
    sizes, gains = set(), []
    for at in module.redrawn_within_classes(classes, np.random.default_rng(0), 100):
        sizes.add(tuple(np.bincount(classes[at])))
        gains.append(balanced_accuracy(classes[at], better[at]) - balanced_accuracy(classes[at], worse[at]))
    found = _gain_interval(decisions(classes, better=better, worse=worse), _EnsemblePair("better", "worse"))
    assert sizes == {tuple(np.bincount(classes))}
    gain = balanced_accuracy(classes, better) - balanced_accuracy(classes, worse)
    assert found == pytest.approx((gain - 1.96 * np.std(gains), gain + 1.96 * np.std(gains)))


def test_large_tables_are_not_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_RESAMPLED", 10)
    rows = numbers({"whole": np.ones(11), "plain": np.ones(11)}, np.repeat("few", 11))
    assert _gain_interval(rows, _EnsemblePair("whole", "plain")) is None


def test_the_interval_of_few_shot_errors_looks_at_no_other_rows() -> None:
    few = np.arange(60) % 3 == 0
    errors = {"plain": np.full(60, 9.0), "whole": np.where(few, 4.0, np.arange(60.0))}
    sorts, pair = np.where(few, "few", "many"), _EnsemblePair("whole", "plain")
    assert _gain_interval(numbers(errors, sorts, "few"), pair) == pytest.approx((5.0, 5.0))
    assert _gain_interval(numbers(errors, sorts, "medium"), pair) is None
    low, high = _gain_interval(numbers(errors, sorts), pair) or (0.0, 0.0)
    assert low < high < 0


def test_the_interval_is_of_the_gain_and_paired() -> None:
    outcome = target_outcome()
    gain, interval = outcome.comparison.scores[0].gain, outcome.comparison.interval
    assert gain is not None
    assert interval is not None
    assert interval[0] <= gain <= interval[1]
    whole = outcome.comparison.pair.whole
    same = compare(outcome.job.task.scored(outcome.predictor, [whole], None), _EnsemblePair(whole, whole), "test")
    assert (same.interval, same.scores[0].better) == ((0.0, 0.0), "neither")


def curves_of(classes: np.ndarray, **probabilities: np.ndarray) -> tuple[Any, ...]:
    rows = ScoredRows("classification", (), classes, classes, dict(enumerate("abcde")), {}, probabilities)
    return _class_curves(rows, _EnsemblePair("whole", "plain" if "plain" in probabilities else None))


def test_the_positive_class_of_two_has_the_curves_of_both_ensembles() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random(300) < 0.2).astype(np.int64)
    scores = {"whole": rng.random(300) * 0.5 + 0.5 * truth, "plain": rng.random(300)}
    (found,) = curves_of(truth, **scores)
    assert (found["label"], found["rows"]) == ("b", truth.sum())
    assert found["figures"]["average precision"] == {
        f"{side} ensemble": pytest.approx(metrics.average_precision_score(truth, scores[side]), abs=1e-6)
        for side in ("plain", "whole")
    }
    assert [chart["title"] for chart in found["charts"]] == ["Precision and recall", "Calibration"]


def test_of_many_classes_the_rarest_are_drawn_each_against_all_others() -> None:
    classes = np.repeat(np.arange(5), [50, 4, 30, 2, 9])
    proba = np.eye(5)[classes] * 0.6 + 0.08
    found = curves_of(classes, whole=proba)
    assert [curves["label"] for curves in found] == ["d", "b", "e"]
    assert {curves["figures"]["average precision"]["whole ensemble"] for curves in found} == {1.0}


@pytest.mark.parametrize("code", [0, 1])
def test_a_class_that_no_scored_row_or_every_one_has_is_not_drawn(code: int) -> None:
    assert curves_of(np.array([code, code]), whole=np.array([0.1, 0.4])) == ()


def test_the_comparison_of_a_fit_holds_curves_that_agree_with_its_scores() -> None:
    found = binary_outcome().comparison
    (curves,) = json.loads(json.dumps(found.to_dict()))["curves"]
    precision = next(score for score in found.scores if score.metric == "average_precision")
    assert (curves["label"], curves["rows"]) == ("yes", found.counts["yes"])
    assert curves["figures"]["average precision"]["whole ensemble"] == pytest.approx(precision.whole, abs=1e-5)
    assert curves["figures"]["average precision"]["plain ensemble"] == pytest.approx(precision.plain, abs=1e-5)
    assert [curves["label"] for curves in multiclass_outcome().comparison.curves] == ["c", "b", "a"]


def test_a_gain_of_less_than_four_decimals_is_not_written_as_none() -> None:
    figure = module.FIGURES["classification"]
    assert module._gain_words(-0.000043, 0.0001, figure) == "worse by 0.00004 ± 0.0001"
    assert module._gain_words(0.0019, 0.00000123, figure) == "better by 0.0019 ± 0.000001"
    assert module._gain_words(0.0, None, figure) == "better by 0.0000"
