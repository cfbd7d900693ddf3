"""The linear head trained again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import allocate
from imbllm_autogluon.regression.config import AllocationConfig, LatentDiffConfig, MethodConfig
from imbllm_autogluon.regression.gate import RealFeatures, SyntheticFeatures
from imbllm_autogluon.regression.head import _BENDS, FeatureScale, Head, _evaluate, choose_ratio

if TYPE_CHECKING:
    import pandas as pd


def _problem(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, 3)) + 1.0
    return features, features @ [1.0, -2.0, 0.5] + 3.0 + 0.1 * rng.normal(size=n)


START = Head(np.zeros(3), 0.0)


def retrained(
    start: Head, features: np.ndarray, targets: np.ndarray, weights: Any = None, shrinkage: float = 0.0, **settings: Any
) -> Head:
    """The head of real rows alone, linear and of squared errors unless settings say otherwise."""
    n, d = features.shape
    real = RealFeatures(features, targets, np.ones(n) if weights is None else weights, np.zeros(n, dtype=np.int64))
    config = MethodConfig(**{"head": "linear", "head_loss": "squared", "head_shrinkage": shrinkage, **settings})
    return start.retrained(real, SyntheticFeatures.empty(d, 1), config)


def test_without_shrinkage_it_is_weighted_least_squares() -> None:
    from sklearn.linear_model import LinearRegression

    features, targets = _problem()
    weights = np.random.default_rng(1).random(200)
    head = retrained(START, features, targets, weights)
    expected = LinearRegression().fit(features, targets, sample_weight=weights)
    assert head.weights == pytest.approx(expected.coef_)
    assert head.intercept == pytest.approx(expected.intercept_)


def test_strong_shrinkage_keeps_the_weights_it_starts_from_and_frees_the_intercept() -> None:
    features, targets = _problem()
    start = Head(np.array([1.0, 1.0, 1.0]), 0.0)
    head = retrained(start, features, targets, shrinkage=1e3)
    assert head.weights == pytest.approx(start.weights, abs=1e-2)
    assert (targets - head.predict(features)).mean() == pytest.approx(0.0, abs=1e-9)


def test_shrinkage_lies_between_both() -> None:
    features, targets = _problem()
    distances = [np.linalg.norm(retrained(START, features, targets, shrinkage=s).weights) for s in (0, 0.1, 1, 10)]
    assert distances == sorted(distances, reverse=True)


def test_rows_of_weight_zero_do_not_count() -> None:
    features, targets = _problem()
    weights = np.r_[np.ones(100), np.zeros(100)]
    whole = retrained(START, features, targets, weights, 0.1)
    half = retrained(START, features[:100], targets[:100], shrinkage=0.1)
    assert whole.weights == pytest.approx(half.weights)


def test_a_feature_without_spread_does_not_break_it() -> None:
    features, targets = _problem()
    features[:, 1] = 1.0
    assert np.isfinite(retrained(START, features, targets).predict(features)).all()


def test_absolute_errors_leave_outliers_alone() -> None:
    features, targets = _problem()
    truth = targets.copy()
    targets[:15] += 50.0
    absolute = retrained(START, features, targets, head_loss="absolute")
    squared = retrained(START, features, targets, head_loss="squared")
    assert np.abs(absolute.predict(features) - truth).mean() < 0.3
    assert np.abs(squared.predict(features) - truth).mean() > 2.0


FIRST = Head(np.array([1.0, 0.0]), 0.0)


def _curved(n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Targets that run away from the prediction beyond one deviation."""
    features = np.random.default_rng(0).normal(size=(n, 2))
    score = features[:, 0]
    return features, score + 2.0 * np.maximum(score - 1.0, 0.0)


def test_it_follows_a_bend_that_a_linear_head_cannot() -> None:
    features, targets = _curved()
    bent = retrained(FIRST, features, targets, shrinkage=1e-6, head="bent")
    straight = retrained(FIRST, features, targets, shrinkage=1e-3, head_loss="absolute")
    assert bent.start is FIRST
    assert straight.start is None
    assert np.abs(bent.predict(features) - targets).max() < 0.01
    assert np.abs(straight.predict(features) - targets).max() > 1.0


def test_without_a_reason_it_stays_what_it_starts_from() -> None:
    features, _ = _curved()
    head = retrained(FIRST, features, FIRST.predict(features), shrinkage=1e3, head="bent", head_loss="absolute")
    assert head.predict(features) == pytest.approx(FIRST.predict(features), abs=1e-9)


def test_synthetic_features_count_as_much_as_real_ones_of_weight_1() -> None:
    features, targets = _problem()
    half = RealFeatures(features[:100], targets[:100], np.ones(100), np.zeros(100, dtype=np.int64))
    made = SyntheticFeatures(features[100:], targets[100:], half.assigned, np.array([100]), np.array([100]))
    config = MethodConfig(head="linear", head_loss="squared", head_shrinkage=0.1)
    assert START.retrained(half, made, config).weights == pytest.approx(
        retrained(START, features, targets, shrinkage=0.1).weights
    )


def test_predictions_between_the_innermost_bends_do_not_feel_a_change_beyond_them() -> None:
    bends = np.zeros(len(_BENDS))
    bends[0] = bends[-1] = 5.0
    head = Head(np.r_[1.0, 0.0, bends], 0.0, FIRST)
    inner = np.column_stack([np.linspace(-1.5, 1.5, 50), np.zeros(50)])
    assert np.array_equal(head.predict(inner), FIRST.predict(inner))
    assert head.predict(np.array([[2.0, 0.0], [-2.0, 0.0]])).tolist() == [4.5, 0.5]


FEATURES = np.random.default_rng(0).normal(size=(100, 3)) * [1.0, 5.0, 0.1] + [0.0, 3.0, -2.0]


def test_features_get_mean_0_and_deviation_1() -> None:
    scaled = FeatureScale.fit(FEATURES).transform(FEATURES)
    assert scaled.mean(0) == pytest.approx(np.zeros(3), abs=1e-9)
    assert scaled.std(0) == pytest.approx(np.ones(3))


def test_a_head_on_scaled_features_predicts_the_same() -> None:
    scale, head = FeatureScale.fit(FEATURES), Head(np.array([0.3, -1.0, 7.0]), 2.0)
    moved = scale.head_on_scaled(head)
    assert moved.predict(scale.transform(FEATURES)) == pytest.approx(head.predict(FEATURES))


@pytest.mark.parametrize("value", [0.0, 4.0])
def test_a_dead_feature_is_not_blown_up(value: float) -> None:
    features = FEATURES.copy()
    features[:, 2] = value
    scale = FeatureScale.fit(features)
    assert scale.transform(features)[:, 2] == pytest.approx(np.zeros(100))
    assert scale.transform(features + 1e-6)[:, 2] == pytest.approx(np.zeros(100), abs=1e-3)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_infinite_features_are_refused_with_the_remedy(bad: float) -> None:
    features = FEATURES.copy()
    features[3, 2] = bad
    with pytest.raises(InvalidInputError, match=r"infinite or missing in 1 of 100 rows.*learning_rate"):
        FeatureScale.fit(features)


def test_features_all_alike_stay_finite() -> None:
    assert FeatureScale.fit(np.ones((5, 2))).transform(np.ones((5, 2))).tolist() == [[0.0, 0.0]] * 5


N = 1000
ERRORS = np.array([0.2, 0.2, 1.0])
COUNTS = np.array([600, 360, 40])


def _shrunk() -> tuple[Head, RealFeatures, np.ndarray]:
    """A head that predicts rare high targets far too low, and noise that rewards it on the common ones."""
    rng = np.random.default_rng(0)
    assigned = np.repeat([0, 1, 2], COUNTS)
    targets = np.array([-0.7, 0.5, 4.0])[assigned] + 0.3 * rng.normal(size=N)
    features = np.column_stack([targets * np.where(assigned == 2, 0.4, 1.0), rng.normal(size=N)])
    features += 0.5 * rng.normal(size=(N, 2))
    return Head(np.array([0.6, 0.0]), 0.0), RealFeatures(features, targets, np.ones(N), assigned), np.arange(0, N, 5)


def _chosen(**settings: Any) -> tuple[float | None, pd.DataFrame]:
    start, real, held_out = _shrunk()
    config = LatentDiffConfig.from_flat(settings)
    made = SyntheticFeatures.copies(
        real, allocate(ERRORS, COUNTS, config.allocation, AllocationConfig.tried_ratios[-1]), 0
    )
    return choose_ratio(start, real, held_out, made, ERRORS, config)


def test_every_ratio_and_the_first_head_are_tried() -> None:
    _, trials = _chosen()
    assert np.isnan(trials.index[0])
    assert tuple(trials.index[1:]) == AllocationConfig.tried_ratios
    assert trials.notna().all().all()


def test_the_choice_gains_most_by_bin_after_the_noise_among_those_within_the_budget() -> None:
    ratio, trials = _chosen(overall_budget=0.02)
    first = trials.iloc[0]
    within = trials[trials["overall"] <= 1.02 * first["overall"]]
    sure = first["by_bin"] - within["by_bin"] - within["noise"]
    assert ratio is not None
    assert sure.loc[ratio] == sure.max() > 0


def test_the_noise_is_the_standard_error_of_a_mean_over_bins() -> None:
    start, real, held_out = _shrunk()
    other = Head(np.array([0.9, 0.1]), 0.2)
    rows = real.take(held_out)
    table = _evaluate([start, other], rows)
    errors = [np.abs(head.predict(rows.features) - rows.targets) for head in (start, other)]
    means = [[error[rows.assigned == number].mean() for number in range(3)] for error in errors]
    assert table["by_bin"].tolist() == pytest.approx([np.mean(m) for m in means])
    assert table["noise"].iloc[0] == 0
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(2000):
        draw = rng.integers(len(held_out), size=len(held_out))
        shares = 1 / (3 * np.bincount(rows.assigned)[rows.assigned[draw]])
        gains.append(((errors[0] - errors[1])[draw] * shares).sum())
    assert table["noise"].iloc[1] == pytest.approx(np.std(gains), rel=0.1)


def test_a_gain_that_noise_could_explain_leaves_the_first_head() -> None:
    start, real, _ = _shrunk()
    few = np.array([0, 300, 700, 970])  # one rare row among the judges
    noisy = real._replace(targets=real.targets + 5 * np.random.default_rng(1).normal(size=N))
    made = SyntheticFeatures.copies(real, 2 * COUNTS, 0)
    assert choose_ratio(start, noisy, few, made, ERRORS, LatentDiffConfig())[0] is None


def test_a_larger_budget_never_gains_less() -> None:
    gains = []
    for budget in (0.0, 0.02, 0.2, 10.0):
        ratio, trials = _chosen(overall_budget=budget, head_loss="squared")
        chosen = trials.iloc[0] if ratio is None else trials.loc[ratio]
        gains.append(trials["by_bin"].iloc[0] - chosen["by_bin"] - chosen["noise"])
    assert gains == sorted(gains)


def test_where_every_head_breaks_the_budget_the_first_one_stays() -> None:
    start, real, held_out = _shrunk()
    learned = np.setdiff1d(np.arange(N), held_out)
    # What is learned has nothing to do with what judges: any head trained again is worse.
    targets = real.targets.copy()
    targets[learned] = 30.0 + np.arange(len(learned)) % 7
    config = LatentDiffConfig()
    spoiled = real._replace(targets=targets)
    made = SyntheticFeatures.copies(spoiled, 2 * COUNTS, 0)
    assert choose_ratio(start, spoiled, held_out, made, ERRORS, config)[0] is None


def test_held_out_rows_of_weight_zero_do_not_count_in_the_budget() -> None:
    start, real, held_out = _shrunk()
    weights = real.weights.copy()
    weights[held_out[::2]] = 0.0
    config = LatentDiffConfig()
    made = SyntheticFeatures.copies(real, 2 * COUNTS, 0)
    _, trials = choose_ratio(start, real._replace(weights=weights), held_out, made, ERRORS, config)
    kept = held_out[1::2]
    errors = np.abs(start.predict(real.features[kept]) - real.targets[kept])
    assert trials["overall"].iloc[0] == pytest.approx(errors.mean())
