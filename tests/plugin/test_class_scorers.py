"""Metrics of rare classes, and the costs behind them."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from autogluon.core.calibrate import calibrate_decision_threshold
from sklearn.metrics import precision_score, recall_score

from imbllm_autogluon.classification.logit_adjustment import resampled_scores
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.class_scorers import (
    _costs_behind,
    _costs_of,
    brier_score,
    expected_cost,
    geometric_mean,
    precision_at_k,
    precision_at_recall,
    recall_at_precision,
)
from tests.plugin.class_fits import FAMILIES, fit
from tests.plugin.tables import imbalanced_table

if TYPE_CHECKING:
    from pathlib import Path

OF_RANKS = [recall_at_precision(0.6), precision_at_recall(0.7), precision_at_k(9), precision_at_k(0.1)]
OF_ALL = [*OF_RANKS, expected_cost({"miss": 9, "alarm": 1}), geometric_mean, brier_score]


@pytest.fixture
def ranked() -> tuple[np.ndarray, np.ndarray]:
    """Classes of 90 rows, and probabilities of which many are equal."""
    rng = np.random.default_rng(0)
    y = (rng.random(90) < 0.3).astype(np.uint8)  # AutoGluon's codes
    return y, np.round(np.clip(0.3 * y + rng.random(90) * 0.7, 0, 1), 1)


def test_metrics_of_ranks_equal_a_search_over_all_thresholds(ranked: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = ranked
    points = [(precision_score(y, p >= at), recall_score(y, p >= at)) for at in np.unique(p)]
    assert recall_at_precision(0.6)(y, p) == max(recall for precision, recall in points if precision >= 0.6)
    assert precision_at_recall(0.7)(y, p) == max(precision for precision, recall in points if recall >= 0.7)


def test_equal_rows_at_the_border_count_by_their_share(ranked: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = ranked
    rng = np.random.default_rng(0)
    drawn = [y[np.lexsort((rng.random(len(y)), -p))[:9]].mean() for _ in range(4000)]
    assert precision_at_k(9)(y, p) == pytest.approx(np.mean(drawn), abs=0.01)
    assert precision_at_k(0.1)(y, p) == precision_at_k(9)(y, p)
    assert precision_at_k(1000)(y, p) == pytest.approx(y.mean())


@pytest.mark.parametrize("scorer", OF_ALL, ids=str)
def test_a_fold_without_positive_rows_or_without_rows_has_a_score(scorer: Any) -> None:
    for n in (5, 0):
        answers = np.zeros(n, dtype=np.int64) if scorer.needs_class else np.linspace(0, 1, n)
        assert np.isfinite(scorer._score_func(np.zeros(n, dtype=np.int64), answers))


@pytest.mark.parametrize("scorer", OF_ALL, ids=str)
def test_a_scorer_reaches_other_processes(scorer: Any, ranked: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = ranked
    answers = (p > 0.5).astype(np.int64) if scorer.needs_class else p
    assert pickle.loads(pickle.dumps(scorer))(y, answers) == scorer(y, answers)
    assert scorer.error(y, y) == pytest.approx(0.0 if "_at_" not in scorer.name else scorer.error(y, y))


def test_several_classes_are_scored_and_unknown_ones_are_left_out() -> None:
    y, chances = np.array([0, 1, 2, 2, -1]), np.array([[0.8, 0.2, 0], [0, 1, 0], [0, 0, 1], [0, 0.5, 0.5], [1, 0, 0]])
    decided = np.array([0, 1, 2, 1, 0])
    assert geometric_mean(y, decided) == pytest.approx((1 * 1 * 0.5) ** (1 / 3))
    assert brier_score.error(y, chances) == pytest.approx((0.08 + 0.5) / 4)
    costs = {"a": {"b": 2, "c": 3}, "b": {"a": 1, "c": 1}, "c": {"a": 9, "b": 7}}
    assert expected_cost(costs).error(y, decided) == pytest.approx(7 / 4)
    with pytest.raises(InvalidInputError, match="of 2 classes, but there are 3"):
        expected_cost([[0, 1], [1, 0]])(y, decided)


def test_the_geometric_mean_of_bootstrap_samples_is_that_of_their_rows() -> None:
    rng = np.random.default_rng(0)
    codes, decided = rng.integers(0, 3, 80), [rng.integers(0, 3, 80) for _ in range(2)]
    samples = [rng.integers(0, 80, 80), np.flatnonzero(codes < 2)]
    expected = [[geometric_mean(codes[rows], each[rows]) for each in decided] for rows in samples]
    assert resampled_scores(geometric_mean, codes, decided, samples) == pytest.approx(np.array(expected))


@pytest.mark.slow
@pytest.mark.parametrize("scorer", OF_ALL, ids=str)
def test_every_family_and_its_twin_learns_by_the_metric(scorer: Any, tmp_path: Path) -> None:
    families = {key: FAMILIES[key] for key in ("GBM", "CAT", "XGB", "RF", "LR")}
    predictor = fit(tmp_path / "p", imbalanced_table(), eval_metric=scorer, hyperparameters=families)
    assert predictor.model_failures().empty
    board = predictor.leaderboard().set_index("model")["score_val"]
    assert board.filter(regex="Imb_BAG").notna().any()
    assert board.drop("ImbLLM_BAG_L1", errors="ignore").notna().all()
    assert np.isfinite(predictor.evaluate(imbalanced_table(seed=1), auxiliary_metrics=False)[scorer.name])


def test_the_dearer_a_miss_the_lower_is_the_calibrated_threshold(ranked: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = ranked
    found = [
        calibrate_decision_threshold(y, p, metric=expected_cost({"miss": miss, "alarm": 1}), verbose=False)
        for miss in (20, 0.2)
    ]
    assert found[0] < 0.4 < found[1]


def test_costs_are_read_by_label_as_text_in_the_order_asked_for() -> None:
    table = pd.DataFrame({"2": [1.0, 0.0], "1": [0.0, 5.0]}, index=[1, 2])
    assert _costs_of(table, [2, 1]).tolist() == [[0.0, 5.0], [1.0, 0.0]]
    assert _costs_of({0.0: {1.0: 2}, 1.0: {0.0: 3}}, [1, 0]).tolist() == [[0.0, 3.0], [2.0, 0.0]]
    assert _costs_of({"alarm": 1, "miss": 5}, ["usual", "rare"]).tolist() == [[0.0, 1.0], [5.0, 0.0]]
    assert _costs_behind(geometric_mean) is None


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ([[0, 1]], r"got shape \(1, 2\)"),
        ([[0, -1], [1, 0]], "at least 0"),
        ([[0, "x"], [1, 0]], "must hold numbers"),
        ({"mis": 5, "alarm": 1}, "those of miss and alarm, or of every pair of the classes"),
        ({"a": {"b": 1}, "b": {}}, "every pair of the classes a, b"),
        ({"a": {"b": "x"}, "b": {"a": 1}}, "must hold numbers"),
        (pd.DataFrame(1, index=["a", "b", "b"], columns=["a", "b"]), "each once; got a, b, b"),
        (5, r"got shape \(1,\)"),
    ],
)
def test_costs_that_are_none_are_refused(costs: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        _costs_of(costs)
    with pytest.raises(InvalidInputError, match="every pair of the classes a, c, each once; got a, b"):
        _costs_of({"a": {"b": 1}, "b": {"a": 1}}, ["a", "c"])
