"""The linear head trained again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.config import AllocationConfig, LatentDiffConfig, MethodConfig
from imbllm_autogluon.regression.cross_fit import FeatureScale
from imbllm_autogluon.regression.gate import RealFeatures, SyntheticFeatures
from imbllm_autogluon.regression.head import _BENDS, Head, _summarized, choose_head

if TYPE_CHECKING:
    import pandas as pd


def _problem(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, 3)) + 1.0
    return features, features @ [1.0, -2.0, 0.5] + 3.0 + 0.1 * rng.normal(size=n)


def retrained(
    features: np.ndarray, targets: np.ndarray, weights: Any = None, shrinkage: float = 0.0, **settings: Any
) -> Head:
    """The head of real rows alone, linear and of squared errors unless settings say otherwise."""
    n, d = features.shape
    real = RealFeatures(features, targets, np.ones(n) if weights is None else weights, np.zeros(n, dtype=np.int64))
    config = MethodConfig(**{"head": "linear", "head_loss": "squared", **settings})
    return Head.retrained(real, SyntheticFeatures.empty(d, 1), config, shrinkage)


def test_without_shrinkage_all_but_the_prediction_is_weighted_least_squares() -> None:
    from sklearn.linear_model import Ridge

    features, targets = _problem()
    weights = np.random.default_rng(1).random(200)
    head = retrained(features, targets, weights)
    assert head.weights[1:] == pytest.approx([-2.0, 0.5], abs=0.02)
    rest = targets - features[:, 0]
    expected = Ridge(1e-12).fit(features, rest, sample_weight=weights)
    assert head.weights - [1, 0, 0] == pytest.approx(expected.coef_, abs=0.01)


def test_strong_shrinkage_keeps_to_the_prediction_and_frees_the_intercept() -> None:
    features, targets = _problem()
    head = retrained(features, targets, shrinkage=1e3)
    assert head.weights[1:] == pytest.approx([0.0, 0.0], abs=1e-2)
    assert (targets - head.predict(features)).mean() == pytest.approx(0.0, abs=1e-9)


def test_shrinkage_lies_between_both() -> None:
    features, targets = _problem()
    distances = [np.linalg.norm(retrained(features, targets, shrinkage=s).weights[1:]) for s in (0, 0.1, 1, 10)]
    assert distances == sorted(distances, reverse=True)


def test_rows_of_weight_zero_do_not_count() -> None:
    features, targets = _problem()
    weights = np.r_[np.ones(100), np.zeros(100)]
    whole = retrained(features, targets, weights, 0.1)
    half = retrained(features[:100], targets[:100], shrinkage=0.1)
    assert whole.weights == pytest.approx(half.weights)


def test_a_feature_without_spread_does_not_break_it() -> None:
    features, targets = _problem()
    features[:, 1] = 1.0
    assert np.isfinite(retrained(features, targets).predict(features)).all()


def test_absolute_errors_leave_outliers_alone() -> None:
    features, targets = _problem()
    truth = targets.copy()
    targets[:15] += 50.0
    absolute = retrained(features, targets, head_loss="absolute")
    squared = retrained(features, targets, head_loss="squared")
    assert np.abs(absolute.predict(features) - truth).mean() < 0.3
    assert np.abs(squared.predict(features) - truth).mean() > 2.0


def _curved(n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Targets that run away from the prediction beyond one deviation."""
    features = np.random.default_rng(0).normal(size=(n, 2))
    score = features[:, 0]
    return features, score + 2.0 * np.maximum(score - 1.0, 0.0)


def test_it_follows_a_bend_that_a_linear_head_cannot() -> None:
    features, targets = _curved()
    bent = retrained(features, targets, head="bent")
    straight = retrained(features, targets, shrinkage=1e-3, head_loss="absolute")
    assert (bent.bent, straight.bent) == (True, False)
    assert np.abs(bent.predict(features) - targets).max() < 0.1
    assert np.abs(straight.predict(features) - targets).max() > 1.0


def test_without_a_reason_it_stays_the_first_one() -> None:
    features, _ = _curved()
    head = retrained(features, features[:, 0], shrinkage=1e-3, head="bent", head_loss="absolute")
    assert head.weights == pytest.approx(Head.first(2, bent=True).weights, abs=1e-9)
    assert Head.first(2).predict(features).tolist() == features[:, 0].tolist()


def test_synthetic_features_count_as_much_as_real_ones_of_weight_1() -> None:
    features, targets = _problem()
    half = RealFeatures(features[:100], targets[:100], np.ones(100), np.zeros(100, dtype=np.int64))
    made = SyntheticFeatures(features[100:], targets[100:], half.assigned, np.array([100]), np.array([100]))
    config = MethodConfig(head="linear", head_loss="squared")
    assert Head.retrained(half, made, config, 0.1).weights == pytest.approx(
        retrained(features, targets, shrinkage=0.1).weights
    )


def test_predictions_between_the_innermost_bends_do_not_feel_a_change_beyond_them() -> None:
    bends = np.zeros(len(_BENDS))
    bends[0] = bends[-1] = 5.0
    head = Head(np.r_[1.0, 0.0, bends], 0.0, bent=True)
    inner = np.column_stack([np.linspace(-1.5, 1.5, 50), np.zeros(50)])
    assert np.array_equal(head.predict(inner), inner[:, 0])
    assert head.predict(np.array([[2.0, 0.0], [-2.0, 0.0]])).tolist() == [4.5, 0.5]


FEATURES = np.random.default_rng(0).normal(size=(100, 3)) * [1.0, 5.0, 0.1] + [0.0, 3.0, -2.0]


def test_features_get_mean_0_and_deviation_1() -> None:
    scaled = FeatureScale.fit(FEATURES).transform(FEATURES)
    assert scaled.mean(0) == pytest.approx(np.zeros(3), abs=1e-9)
    assert scaled.std(0) == pytest.approx(np.ones(3))


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
FOLD = np.arange(N) % 5


def _shrunk() -> RealFeatures:
    """Predictions far too low for rare high targets, and a second feature of noise."""
    rng = np.random.default_rng(0)
    assigned = np.repeat([0, 1, 2], COUNTS)
    targets = np.array([-0.7, 0.5, 4.0])[assigned] + 0.3 * rng.normal(size=N)
    features = np.column_stack([targets * np.where(assigned == 2, 0.4, 1.0), rng.normal(size=N)])
    features += 0.5 * rng.normal(size=(N, 2))
    features[:, 0] *= 0.6
    return RealFeatures(features, targets, np.ones(N), assigned)


def _chosen(real: RealFeatures | None = None, **settings: Any) -> tuple[float | None, float, pd.DataFrame]:
    return choose_head(real or _shrunk(), FOLD, ERRORS, LatentDiffConfig.from_flat(settings))


def test_the_choice_gains_most_by_bin_after_the_noise_among_those_within_the_budget() -> None:
    ratio, shrinkage, trials = _chosen()
    first = trials.iloc[0]
    within = trials[trials["over"] <= 0]
    assert 1 < len(within) < len(trials)
    assert (within["overall"] < 1.03 * first["overall"]).all()
    sure = first["by_bin"] - within["by_bin"] - within["noise"]
    assert ratio is not None
    assert sure.loc[ratio, shrinkage] == sure.max() > 0
    assert len(trials) == 1 + len(AllocationConfig.tried_ratios) * len(MethodConfig.tried_shrinkages)
    assert trials.notna().all().all()


def test_a_head_is_judged_on_folds_that_it_has_not_learned() -> None:
    settings = {"generation_ratio": 0.0, "head_shrinkage": 0.1, "head_loss": "squared"}
    _, _, trials = _chosen(**settings)
    real, found = _shrunk(), np.empty(N)
    config = LatentDiffConfig.from_flat(settings).imbalance
    for number in range(5):
        learned, unseen = np.flatnonzero(number != FOLD), np.flatnonzero(number == FOLD)
        head = Head.retrained(
            RealFeatures(*(part[learned] for part in real)), SyntheticFeatures.empty(2, 3), config, 0.1
        )
        found[unseen] = np.abs(head.predict(real.features[unseen]) - real.targets[unseen])
    assert trials["overall"].iloc[1] == pytest.approx(found.mean())
    assert trials["by_bin"].iloc[1] == pytest.approx(np.mean([found[real.assigned == b].mean() for b in range(3)]))


def test_rows_weigh_as_much_as_their_copies_would_add() -> None:
    real = _shrunk()
    config = LatentDiffConfig.from_flat({"head_loss": "squared"})
    wanted = 3 * COUNTS  # three copies of each row and itself
    whole = Head.retrained(real, SyntheticFeatures.copies(real, wanted, 0), config.imbalance, 0.1)
    heavy = Head.retrained(real._replace(weights=np.full(N, 4.0)), SyntheticFeatures.empty(2, 3), config.imbalance, 0.1)
    assert whole.weights == pytest.approx(heavy.weights)
    _, _, more = _chosen(generation_ratio=1.0, head_shrinkage=0.1)
    _, _, none = _chosen(generation_ratio=0.0, head_shrinkage=0.1)
    assert more["by_bin"].iloc[1] < none["by_bin"].iloc[1]


def test_the_noise_is_the_standard_error_of_a_mean_over_bins() -> None:
    rows = _shrunk()
    errors = np.abs(np.stack([Head.first(2).predict(rows.features), rows.features @ [0.9, 0.1] + 0.2]) - rows.targets)
    table = _summarized(errors, rows, 0.03)
    means = [[error[rows.assigned == number].mean() for number in range(3)] for error in errors]
    assert table["by_bin"].tolist() == pytest.approx([np.mean(m) for m in means])
    assert table["noise"].iloc[0] == 0
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(2000):
        draw = rng.integers(N, size=N)
        shares = 1 / (3 * np.bincount(rows.assigned)[rows.assigned[draw]])
        gains.append(((errors[0] - errors[1])[draw] * shares).sum())
    assert table["noise"].iloc[1] == pytest.approx(np.std(gains), rel=0.1)


def test_where_nothing_surely_gains_the_first_heads_stay_unless_a_ratio_is_given() -> None:
    real = _shrunk()
    targets = real.features[:, 0] + 0.5 * np.random.default_rng(1).normal(size=N)
    perfect = real._replace(targets=targets)
    assert _chosen(perfect)[0] is None
    assert _chosen(perfect, generation_ratio=0.5)[:2] == (0.5, 1e3)


def test_a_larger_budget_never_gains_less() -> None:
    gains = []
    for budget in (0.0, 0.02, 0.2, 10.0):
        ratio, shrinkage, trials = _chosen(overall_budget=budget, head_loss="squared")
        chosen = trials.iloc[0] if ratio is None else trials.loc[(ratio, shrinkage)]
        gains.append(trials["by_bin"].iloc[0] - chosen["by_bin"] - chosen["noise"])
    assert gains == sorted(gains)


def test_rows_of_weight_zero_do_not_count_in_the_budget() -> None:
    real = _shrunk()
    real.weights[::2] = 0.0
    _, _, trials = _chosen(real)
    assert trials["overall"].iloc[0] == pytest.approx(np.abs(real.features[:, 0] - real.targets)[1::2].mean())
