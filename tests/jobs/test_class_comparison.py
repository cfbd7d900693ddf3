from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from imbllm_autogluon.jobs.class_comparison import compare, label_threshold
from imbllm_autogluon.jobs.prediction import predict_table
from imbllm_autogluon.plugin.ensemble import calibrated_probabilities, tilt_of
from tests.jobs.fits import binary_outcome, mixed_table, multiclass_outcome


def test_binary_scores_equal_those_of_scikit_learn() -> None:
    outcome = binary_outcome()
    assert outcome.job.test is not None
    table, predictor, models = outcome.job.test.frame, outcome.predictor, outcome.comparison.contenders
    assert outcome.comparison.rows == "test"
    assert outcome.comparison.counts == outcome.job.test.counts
    y = (table["label"] == "yes").to_numpy()
    scores = {score.metric: score for score in outcome.comparison.scores}
    assert list(scores) == ["average_precision", "roc_auc", "f1", "log_loss"]
    for side, model in (("plain", models.plain), ("whole", models.whole)):
        p = predictor.predict_proba(table, model=model)["yes"].to_numpy()
        threshold = scores["f1"].thresholds[0 if side == "plain" else 1]
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
    oof = outcome.predictor.predict_proba_oof(outcome.comparison.contenders.whole)["yes"].to_numpy()
    chosen = next(score for score in outcome.comparison.scores if score.metric == "f1").thresholds[1]
    grid = np.linspace(0, 1, 101)
    best = max(metrics.f1_score(y, oof > threshold) for threshold in grid)
    assert metrics.f1_score(y, oof > chosen) >= best - 0.02
    assert label_threshold(outcome.predictor, outcome.comparison.contenders.whole) == chosen


def test_without_a_test_table_out_of_fold_rows_are_scored() -> None:
    outcome = multiclass_outcome()
    assert outcome.comparison.rows == "out-of-fold"
    y = outcome.job.train.labels
    known = y != "d"
    oof = outcome.predictor.predict_proba_oof(outcome.comparison.contenders.whole)[["a", "b", "c"]]
    scores = {score.metric: score.whole for score in outcome.comparison.scores}
    assert list(scores) == ["balanced_accuracy", "f1_macro", "log_loss", "roc_auc_ovo"]
    y, oof = y[known], oof.loc[known[known].index]
    assert scores["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, oof.idxmax(axis=1)))
    assert scores["f1_macro"] == pytest.approx(metrics.f1_score(y, oof.idxmax(axis=1), average="macro"))
    tilt = tilt_of(outcome.predictor, outcome.comparison.contenders.whole)
    assert tilt is not None
    calibrated = oof / tilt
    calibrated = calibrated.div(calibrated.sum(axis=1), axis=0)
    assert scores["log_loss"] == pytest.approx(metrics.log_loss(y, calibrated), abs=1e-5)
    area = metrics.roc_auc_score(y, calibrated, multi_class="ovo")
    assert scores["roc_auc_ovo"] == pytest.approx(area, abs=1e-5)


def test_predicted_probabilities_are_calibrated_and_classes_are_the_decided_ones() -> None:
    outcome = multiclass_outcome()
    rows = outcome.job.train.frame
    chances = predict_table(outcome.predictor, rows, proba=True)
    expected = calibrated_probabilities(outcome.predictor, rows)
    assert chances.to_numpy() == pytest.approx(expected.to_numpy())
    decided = predict_table(outcome.predictor, rows)["label"]
    answers = outcome.predictor.predict_proba(rows)
    assert decided.tolist() == answers.idxmax(axis=1).tolist()


def test_rows_of_unknown_classes_are_not_scored_and_that_is_said() -> None:
    outcome = multiclass_outcome()
    test = mixed_table({"a": 20, "b": 10, "c": 5, "d": 4})
    result = compare(outcome.predictor, outcome.comparison.contenders, outcome.job.train.frame, test)
    assert result.counts == {"a": 20, "b": 10, "c": 5}
    assert result.notes == ("4 rows of classes that the predictor does not know are not scored.",)
