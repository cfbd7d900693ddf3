from __future__ import annotations

import json

import numpy as np
import pytest
from autogluon.core.metrics import get_metric
from sklearn import metrics

from imbllm_autogluon.jobs.comparison import Score
from imbllm_autogluon.jobs.contenders import Contenders
from imbllm_autogluon.jobs.summary import comparison_text
from imbllm_autogluon.jobs.target_job import MAE, TargetComparison, _interval, _Metric, _Scored, compare_targets
from imbllm_autogluon.regression.bins import TargetBins, shots
from imbllm_autogluon.regression.metrics import geometric_mean_error
from tests.jobs.target_fits import target_outcome, unbagged_outcome

OURS = "twins and LatentDiff"
BOTH = Contenders("WeightedEnsemble_L2", "WeightedEnsemble_L2Plain", ours=OURS)
PLAIN, WHOLE = "The plain ensemble is better by", f"The whole ensemble (plain models, {OURS}) is better by"
CHANCE = "That is within chance: the 95 % interval of the gain is -20.00 to +2500."
MEAN = "mean absolute error"


def comparison(*scores: Score, interval: tuple[float, float] | None = None) -> TargetComparison:
    return TargetComparison(BOTH, scores, "test", {"many": 60, "medium": 20, "few": 9}, interval)


VERDICTS = {
    "a large unit": (
        comparison(Score(MAE, False, 24321.5, 23000.2), interval=(-20.0, 2500.0)),
        f"{WHOLE} 1321 (mean absolute error 23000 with {OURS}, 24322 without, on 89 test rows). {CHANCE}",
    ),
    "a small unit": (
        comparison(Score(MAE, False, 0.00123456, 0.00234567), Score("few_mae", False, 0.004, 0.003, rows=9)),
        f"{PLAIN} 0.001111 ({MEAN} 0.002346 with {OURS}, 0.001235 without, on 89 test rows). {WHOLE} few-shot {MEAN}.",
    ),
    "errors too small for a fixed number of digits": (
        comparison(Score(MAE, False, 3e-12, 2e-12)),
        f"{WHOLE} 1.000e-12 (mean absolute error 2.000e-12 with {OURS}, 3.000e-12 without, on 89 test rows).",
    ),
}


@pytest.mark.parametrize(("result", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_the_verdict_has_as_many_digits_as_the_unit_needs(result: TargetComparison, verdict: str) -> None:
    assert result.verdict == verdict
    assert json.loads(json.dumps(result.to_dict()))["verdict"] == result.verdict


def test_scores_on_test_rows_equal_those_of_scikit_learn() -> None:
    outcome = target_outcome()
    assert outcome.job.test is not None
    table, models = outcome.job.test.frame, outcome.comparison.contenders
    assert (outcome.comparison.rows, models.plain) == ("test", "WeightedEnsemble_L2Plain")
    true = table["price"].to_numpy()
    bins = TargetBins.fit(outcome.job.train.frame["price"], 8)
    sort = shots(bins.counts(outcome.job.train.frame["price"]))[bins.assign(true)]
    for side, model in (("plain", models.plain), ("whole", models.whole)):
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


def test_the_interval_is_of_the_gain_and_paired() -> None:
    outcome = target_outcome()
    gain, interval = outcome.comparison.scores[0].gain, outcome.comparison.interval
    assert gain is not None
    assert interval is not None
    assert interval[0] <= gain <= interval[1]
    models = Contenders(outcome.comparison.contenders.whole, outcome.comparison.contenders.whole)
    train = outcome.job.train.frame
    same = compare_targets(outcome.predictor, models, outcome.job.bins, train, outcome.job.test.frame)
    assert (same.interval, same.winner) == ((0.0, 0.0), "neither")


def test_without_a_test_table_and_bags_the_metric_of_the_fit_is_scored_first_on_validation_rows() -> None:
    outcome = unbagged_outcome()
    assert outcome.comparison.rows == "validation"
    names = [score.metric for score in outcome.comparison.scores]
    assert names[:2] == ["few_mae", "mean_absolute_error"]
    assert len(set(names)) == 6


def test_of_bags_out_of_fold_rows_are_scored() -> None:
    outcome = target_outcome()
    train = outcome.job.train.frame
    result = compare_targets(outcome.predictor, outcome.comparison.contenders, outcome.job.bins, train)
    assert result.rows == "out-of-fold"
    errors = train["price"] - outcome.predictor.predict_oof(outcome.comparison.contenders.whole)
    assert result.scores[0].whole == pytest.approx(errors.abs().mean(), rel=1e-5)
    assert result.scores[0].rows == len(train) == 149


def test_rows_of_no_sort_are_shown_as_none_and_not_as_zero() -> None:
    lines = comparison_text(target_outcome().comparison).splitlines()
    assert lines[0].split() == ["metric", "plain", "ensemble", "whole", "ensemble", "rows", "better"]
    many = next(line for line in lines if line.strip().startswith("many-shot"))
    assert many.split()[-3:] == ["-", "-", "0"]
    assert target_outcome().comparison.figure(0.0) == "0"


def test_the_interval_of_few_shot_errors_looks_at_no_other_rows() -> None:
    few = np.arange(60) % 3 == 0
    targets = np.arange(60.0)
    answers = {"WeightedEnsemble_L2Plain": targets + 9.0, "WeightedEnsemble_L2": targets + np.where(few, 4.0, targets)}
    rows = _Scored(targets, np.where(few, "few", "many"), answers)
    metric = _Metric("few_mae", get_metric(MAE, "regression"), "few")
    assert _interval(metric, rows, BOTH) == pytest.approx((5.0, 5.0))
    assert _interval(_Metric("medium_mae", metric.scorer, "medium"), rows, BOTH) is None
    low, high = _interval(_Metric(MAE, metric.scorer), rows, BOTH) or (0.0, 0.0)
    assert low < high < 0
