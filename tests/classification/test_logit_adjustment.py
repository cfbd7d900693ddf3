"""Decisions for metrics of classes; bootstraps within classes and scores of decisions on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from autogluon.core.metrics import (
    BINARY_METRICS,
    MULTICLASS_METRICS,
    accuracy,
    balanced_accuracy,
    get_metric,
    make_scorer,
)
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import balanced_accuracy_score

from imbllm_autogluon.classification import logit_adjustment
from imbllm_autogluon.classification.calibration import correct_prior
from imbllm_autogluon.classification.logit_adjustment import (
    _METRICS,
    adjustment_factors,
    bootstrap_rows,
    choose_tau,
    redrawn_within_classes,
    resampled_scores,
)

if TYPE_CHECKING:
    import numpy.typing as npt


SHARES = np.array([0.8, 0.15, 0.05])


def answers(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities, shape (n, 3), and classes drawn from them."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(3, n, p=SHARES)
    seen = codes[:, None] * 1.0 + rng.normal(0, 1.0, (n, 1))
    likelihoods = np.exp(-((seen - np.arange(3.0)) ** 2) / 2)
    probabilities = likelihoods * SHARES
    return probabilities / probabilities.sum(axis=1, keepdims=True), codes


def test_the_full_tilt_divides_by_the_shares() -> None:
    factors = adjustment_factors(SHARES, 1.0)
    assert factors / factors[0] == pytest.approx(SHARES[0] / SHARES)
    assert np.log(factors).mean() == pytest.approx(0.0)
    assert adjustment_factors(SHARES, 0.0) == pytest.approx(1.0)


def test_a_class_without_rows_is_not_raised_above_the_others() -> None:
    factors = adjustment_factors(np.array([0.9, 0.1, 0.0]), 1.0)
    assert np.isfinite(factors).all()
    assert factors[2] == factors.min()


def test_balanced_accuracy_asks_for_a_tilt_and_accuracy_for_none() -> None:
    probabilities, codes = answers()
    assert choose_tau(probabilities, codes, SHARES, accuracy, 0.0) == 0.0
    assert choose_tau(probabilities, codes, SHARES, balanced_accuracy, 0.5) >= 0.7


def test_macro_f1_asks_for_less_than_balanced_accuracy() -> None:
    probabilities, codes = answers()
    macro = choose_tau(probabilities, codes, SHARES, get_metric("f1_macro", "multiclass"), 0.5)
    assert 0.0 < macro < choose_tau(probabilities, codes, SHARES, balanced_accuracy, 0.5)


def test_decisions_of_the_chosen_degree_are_better_on_rows_that_did_not_choose() -> None:
    degree = choose_tau(*answers(), SHARES, balanced_accuracy, 0.5)
    probabilities, codes = answers(seed=1)
    tilted = correct_prior(probabilities, adjustment_factors(SHARES, degree)).argmax(axis=1)
    plain = balanced_accuracy(codes, probabilities.argmax(axis=1))
    assert balanced_accuracy(codes, tilted) > plain + 0.1


@pytest.mark.parametrize("usual", [0.0, 0.5])
def test_the_fewer_the_rows_the_nearer_the_degree_is_to_the_usual_one(usual: float) -> None:
    many, few = (
        np.mean([abs(usual - choose_tau(*answers(n, seed), SHARES, balanced_accuracy, usual)) for seed in range(6)])
        for n in (2000, 60)
    )
    assert few < many


def test_without_rivals_the_usual_degree_stays() -> None:
    probabilities, codes = answers(100)
    assert [choose_tau(probabilities, codes, SHARES, lambda y, h: 0.5, usual) for usual in (0.0, 0.5)] == [0.0, 0.5]


def test_a_usual_degree_that_is_clearly_wrong_is_left() -> None:
    probabilities, codes = answers(8000)
    assert choose_tau(probabilities, codes, SHARES, accuracy, 1.0) < 0.5


def test_redrawn_rows_keep_the_classes_and_are_the_same_each_time() -> None:
    codes = np.array([0] * 30 + [1] * 3)
    drawn = bootstrap_rows(codes, "test")
    assert drawn.share == 1.0
    assert all(np.bincount(codes[rows]).tolist() == [30, 3] for rows in drawn.samples)
    again = bootstrap_rows(codes, "test")
    assert all(np.array_equal(a, b) for a, b in zip(drawn.samples, again.samples, strict=True))
    assert not np.array_equal(drawn.samples[0], bootstrap_rows(codes, "other").samples[0])


def test_samples_of_very_many_rows_are_smaller_and_the_error_is_that_of_all_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).normal(size=4000)
    codes = np.zeros(4000, dtype=np.int64)
    monkeypatch.setattr(logit_adjustment, "_N_SAMPLES", 400)
    whole = bootstrap_rows(codes, "test")
    monkeypatch.setattr(logit_adjustment, "_MOST_ROWS", 500)
    part = bootstrap_rows(codes, "test")
    assert len(part.samples[0]) == 500
    errors = [drawn.error([values[rows].mean() for rows in drawn.samples]) for drawn in (whole, part)]
    assert errors == pytest.approx([values.std() / np.sqrt(4000)] * 2, rel=0.15)


OF_CLASSES = sorted({*BINARY_METRICS, *MULTICLASS_METRICS} & {*_METRICS})


def decided(n_classes: int, seed: int = 0) -> tuple[npt.NDArray[Any], list[npt.NDArray[Any]], list[npt.NDArray[Any]]]:
    """Codes of 120 rows, three decisions about them (the last never for the last class), and four samples.

    Where there are more than two classes, nobody has or decides for the code 1.
    """
    rng = np.random.default_rng(seed)
    codes = rng.choice(n_classes, 120, p=np.arange(n_classes, 0, -1) / np.arange(n_classes + 1).sum())
    good, bad = (np.where(rng.random(120) < share, codes, rng.integers(0, n_classes, 120)) for share in (0.7, 0.2))
    names = np.array([0, *range(2, n_classes + 1)] if n_classes > 2 else [0, 1])
    codes, *decisions = (names[each] for each in (codes, good, bad, np.minimum(bad, n_classes - 2)))
    return codes, decisions, list(redrawn_within_classes(codes, rng, 4))


@pytest.mark.parametrize(
    ("name", "n_classes"), [(name, k) for name in OF_CLASSES for k in (2, 5) if k == 2 or name in MULTICLASS_METRICS]
)
@pytest.mark.filterwarnings(f"ignore::{UndefinedMetricWarning.__module__}.UndefinedMetricWarning")
def test_scores_from_counts_equal_the_metric_on_the_drawn_rows(
    name: str, n_classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes, decisions, samples = decided(n_classes)
    metric = (BINARY_METRICS if n_classes == 2 else MULTICLASS_METRICS)[name]
    expected = [[metric(codes[rows], each[rows]) for each in decisions] for rows in samples]
    calls = []
    called = metric._score_func
    monkeypatch.setattr(metric, "_score_func", lambda y, h, **options: calls.append(1) or called(y, h, **options))
    assert resampled_scores(metric, codes, decisions, samples) == pytest.approx(np.array(expected), abs=1e-12)
    assert len(calls) == 1, "the metric itself is called for all rows and for no sample"


def test_balanced_accuracy_is_also_that_of_scikit_learn() -> None:
    codes, decisions, samples = decided(4)
    expected = [[balanced_accuracy_score(codes[rows], each[rows]) for each in decisions] for rows in samples]
    found = resampled_scores(MULTICLASS_METRICS["balanced_accuracy"], codes, decisions, samples)
    assert found == pytest.approx(np.array(expected))


@pytest.mark.parametrize("name", ["mean_code", "accuracy"])
def test_a_metric_of_ones_own_is_called_even_where_it_bears_a_known_name(name: str) -> None:
    codes, decisions, samples = decided(3)
    own = make_scorer(name, lambda y, h: float((h * (y + 1)).mean()), optimum=9.0, needs_class=True)
    expected = [[float((each[rows] * (codes[rows] + 1)).mean()) for each in decisions] for rows in samples]
    assert resampled_scores(own, codes, decisions, samples) == pytest.approx(np.array(expected))
