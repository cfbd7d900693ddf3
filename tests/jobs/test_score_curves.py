from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from imbllm_autogluon.jobs.contenders import Contenders
from imbllm_autogluon.jobs.score_curves import MOST_CLASSES, class_curves
from tests.jobs.fits import binary_outcome, multiclass_outcome

BOTH = Contenders("all", "old")


def test_the_positive_class_of_two_has_the_curves_of_both_ensembles() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random(300) < 0.2).astype(np.int64)
    scores = {"all": rng.random(300) * 0.5 + 0.5 * truth, "old": rng.random(300)}
    (found,) = class_curves(truth, scores, BOTH, {0: "no", 1: "yes"})
    assert (found.label, found.rows) == ("yes", truth.sum())
    figures = found.to_dict()["figures"]
    assert figures["average precision"] == {
        "plain ensemble": pytest.approx(average_precision_score(truth, scores["old"]), abs=1e-6),
        "whole ensemble": pytest.approx(average_precision_score(truth, scores["all"]), abs=1e-6),
    }
    assert [chart["title"] for chart in found.to_dict()["charts"]] == ["Precision and recall", "Calibration"]


def test_of_many_classes_the_rarest_are_drawn_each_against_all_others() -> None:
    classes = np.repeat(np.arange(5), [50, 4, 30, 2, 9])
    proba = np.eye(5)[classes] * 0.6 + 0.08
    found = class_curves(classes, {"all": proba, "old": proba}, BOTH, dict(enumerate("abcde")))
    assert [curves.label for curves in found] == ["d", "b", "e"]
    assert len(found) == MOST_CLASSES
    assert all(line.figure == 1.0 for curves in found for line in curves.charts[0].lines)


def test_a_class_that_no_scored_row_or_every_one_has_is_not_drawn() -> None:
    scores = {"all": np.array([0.1, 0.4])}
    assert class_curves(np.array([0, 0]), scores, Contenders("all", None), {0: "no", 1: "yes"}) == ()
    assert class_curves(np.array([1, 1]), scores, Contenders("all", None), {0: "no", 1: "yes"}) == ()


def test_without_a_plain_ensemble_the_whole_one_stands_alone() -> None:
    (found,) = class_curves(
        np.array([0, 1]), {"all": np.array([0.1, 0.4])}, Contenders("all", None), {0: "no", 1: "yes"}
    )
    assert [line.name for line in found.charts[0].lines] == ["whole ensemble"]


def test_the_comparison_of_a_fit_holds_curves_that_agree_with_its_scores() -> None:
    comparison = binary_outcome().comparison
    (curves,) = json.loads(json.dumps(comparison.to_dict()))["curves"]
    precision = next(score for score in comparison.scores if score.metric == "average_precision")
    assert curves["label"] == "yes"
    assert curves["rows"] == comparison.counts["yes"]
    assert curves["figures"]["average precision"]["whole ensemble"] == pytest.approx(precision.whole, abs=1e-5)
    assert curves["figures"]["average precision"]["plain ensemble"] == pytest.approx(precision.plain, abs=1e-5)
    assert [found["label"] for found in multiclass_outcome().comparison.to_dict()["curves"]] == ["c", "b", "a"]
