from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn import metrics

from imbllm_autogluon.jobs.comparison import Comparison, Score, compare, label_threshold
from imbllm_autogluon.jobs.contenders import Contenders
from tests.jobs.fits import binary_outcome, mixed_table, multiclass_outcome

BOTH = Contenders("WeightedEnsemble_L2", "WeightedEnsemble_L2Plain")


def comparison(*scores: Score, interval: tuple[float, float] | None = None, models: Contenders = BOTH) -> Comparison:
    return Comparison(models, scores, "test", {"no": 900, "yes": 49}, interval)


WHOLE, PLAIN = "The whole ensemble (plain models and twins) is better by", "The plain ensemble is better by"
F1_GAIN = f"{WHOLE} 0.0500 (F1 0.8500 with twins, 0.8000 without, on 949 test rows)."

VERDICTS = {
    "whole": (comparison(Score("f1", True, 0.80, 0.85), interval=(0.01, 0.09)), "whole", F1_GAIN),
    "plain": (
        comparison(Score("average_precision", True, 0.9, 0.875), Score("log_loss", False, 0.2, 0.3)),
        "plain",
        f"{PLAIN} 0.0250 (average precision 0.8750 with twins, 0.9000 without, on 949 test rows).",
    ),
    "plain by a metric where less is better": (
        comparison(Score("log_loss", False, 0.2, 0.3)),
        "plain",
        f"{PLAIN} 0.1000 (log-loss 0.3000 with twins, 0.2000 without, on 949 test rows).",
    ),
    "equal": (
        comparison(Score("f1", True, 0.8, 0.8), Score("log_loss", False, 0.3, 0.2)),
        "neither",
        f"Both ensembles are equal (F1 0.8000 with twins, 0.8000 without, on 949 test rows). {WHOLE} log-loss.",
    ),
    "chance": (
        comparison(Score("f1", True, 0.80, 0.85), interval=(-0.01, 0.09)),
        "whole",
        f"{F1_GAIN} That is within chance: the 95 % interval of the gain is -0.0100 to +0.0900.",
    ),
    "other metrics disagree": (
        comparison(Score("f1", True, 0.80, 0.85), Score("roc_auc", True, 0.9, 0.8), Score("log_loss", False, 0.1, 0.2)),
        "whole",
        f"{F1_GAIN} {PLAIN} ROC AUC, log-loss.",
    ),
    "no twins": (
        comparison(Score("f1", True, None, 0.85), models=Contenders("LightGBM", None, "no twin was fitted")),
        "neither",
        "Nothing to compare: no twin was fitted.",
    ),
}


@pytest.mark.parametrize(("result", "winner", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_the_verdict_says_which_ensemble_won_by_how_much_and_on_what(
    result: Comparison, winner: str, verdict: str
) -> None:
    assert result.winner == winner
    assert result.verdict == verdict
    assert json.loads(json.dumps(result.to_dict()))["verdict"] == verdict


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
    assert scores["log_loss"] == pytest.approx(metrics.log_loss(y, oof), abs=1e-5)
    assert scores["roc_auc_ovo"] == pytest.approx(metrics.roc_auc_score(y, oof, multi_class="ovo"), abs=1e-5)


def test_rows_of_unknown_classes_are_not_scored_and_that_is_said() -> None:
    outcome = multiclass_outcome()
    test = mixed_table({"a": 20, "b": 10, "c": 5, "d": 4})
    result = compare(outcome.predictor, outcome.comparison.contenders, outcome.job.train.frame, test)
    assert result.counts == {"a": 20, "b": 10, "c": 5}
    assert result.notes == ("4 rows of classes that the predictor does not know are not scored.",)
