from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.autogluon.judge import BINARY, MULTICLASS, judged, of_classes, of_rare_class
from imbllm_autogluon.bench.autogluon.split import ClassSplit
from tests.jobs.fits import labelled

if TYPE_CHECKING:
    from autogluon.tabular import TabularPredictor

LIMITS = {"f1": 0.3, "balanced_accuracy": 0.05, "mcc": 0.5}


class Tuner:
    """Stands for a predictor: answers the limits above and keeps what it was asked."""

    def __init__(self) -> None:
        self.models: list[str] = []

    def calibrate_decision_threshold(self, metric: str, model: str, verbose: bool) -> float:
        assert not verbose
        self.models.append(model)
        return LIMITS[metric]


def test_every_decision_has_the_limit_that_is_tuned_for_its_metric() -> None:
    split, tuner = ClassSplit.of(labelled({"no": 60, "yes": 20}), 0), Tuner()
    rare = split.test_y == "yes"
    chances = pd.DataFrame({"no": np.where(rare, 0.6, 0.9)}).assign(yes=lambda frame: 1 - frame["no"])
    found = judged(cast("TabularPredictor", tuner), "Ensemble", chances, split)
    assert tuple(found) == BINARY
    assert tuner.models == ["Ensemble"] * 3
    assert found["F1"] == 100.0, "0.4 is above 0.3 and 0.1 is not"
    assert found["balanced accuracy"] == 50.0, "both are above 0.05"
    assert found["MCC"] == 0.0, "none is above 0.5"
    assert found["average precision"] == found["ROC AUC"] == 100.0
    assert found["log-loss"] == pytest.approx(-(15 * np.log(0.9) + 5 * np.log(0.4)) / 20)


def test_the_class_judged_is_the_rarer_one_also_when_its_column_comes_first() -> None:
    split = ClassSplit.of(labelled({"zero": 60, "all": 20}), 0)
    chances = pd.DataFrame({"all": np.where(split.test_y == "all", 0.4, 0.1)}).assign(zero=lambda f: 1 - f["all"])
    assert judged(cast("TabularPredictor", Tuner()), "Ensemble", chances, split)["average precision"] == 100.0


def test_more_classes_are_decided_by_the_most_probable_one_without_limits() -> None:
    split = ClassSplit.of(labelled({"a": 60, "b": 40, "c": 20}), 0)
    chances = pd.DataFrame({name: np.where(split.test_y == name, 0.8, 0.1) for name in "abc"})
    no_ensemble = SimpleNamespace(_trainer=SimpleNamespace(load_model=lambda name: name))
    found = judged(cast("TabularPredictor", no_ensemble), "Ensemble", chances, split)
    assert tuple(found) == MULTICLASS
    assert found["balanced accuracy"] == found["macro F1"] == 100.0
    assert found["log-loss"] == pytest.approx(-np.log(0.8))


def test_columns_of_classes_may_stand_in_any_order() -> None:
    truth: pd.Series[Any] = pd.Series(["b", "a", "c", "c"])
    chances = pd.DataFrame({"c": [0.1, 0.2, 0.7, 0.1], "a": [0.2, 0.7, 0.2, 0.8], "b": [0.7, 0.1, 0.1, 0.1]})
    assert of_classes(truth, chances, chances)["balanced accuracy"] == pytest.approx(100 * (1 + 1 + 0.5) / 3)


def test_answers_decide_and_probabilities_are_what_the_log_loss_hears() -> None:
    truth: pd.Series[Any] = pd.Series(["a", "b", "c"])
    answers = pd.DataFrame(np.eye(3), columns=list("abc"))
    found = of_classes(truth, answers, pd.DataFrame(np.full((3, 3), 1 / 3), columns=list("abc")))
    assert found["macro F1"] == 100.0
    assert found["log-loss"] == pytest.approx(np.log(3))


def test_a_probability_of_zero_is_not_infinitely_wrong() -> None:
    limits = {"F1": 0.5, "balanced accuracy": 0.5, "MCC": 0.5}
    found = of_rare_class(np.array([True, False]), pd.Series([0.0, 0.0], dtype=np.float32), limits)
    assert found["log-loss"] == pytest.approx(-np.log(np.finfo(np.float32).eps) / 2, rel=1e-3)
