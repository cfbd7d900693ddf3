"""The Mahalanobis gate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imbllm_autogluon.regression.config import GateConfig, LatentDiffConfig
from imbllm_autogluon.regression.gate import (
    FeatureGenerator,
    RealFeatures,
    SyntheticFeatures,
    _left_out,
    _MahalanobisGate,
    _pooled,
)

D = 6


def _bins(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    assigned = np.repeat(np.arange(len(sizes)), sizes)
    return rng.normal(size=(len(assigned), D)) + 4.0 * assigned[:, None], assigned


@pytest.mark.parametrize("quantile", [0.5, 0.8, 0.95])
def test_as_many_new_features_of_the_same_kind_pass_as_the_quantile_says(quantile: float) -> None:
    real, assigned = _bins([400, 300])
    new, bins = _bins([2000, 2000], seed=1)
    gate = _MahalanobisGate(real, assigned, 2, GateConfig(gate_quantile=quantile))
    passed = gate.accepts(new, bins)
    for b in (0, 1):
        assert passed[bins == b].mean() == pytest.approx(quantile, abs=0.06)


@pytest.mark.parametrize("rows", [6, 12, 25])
def test_a_bin_of_few_rows_does_not_look_tighter_than_it_is(rows: int) -> None:
    shares = []
    for seed in range(20):
        real, assigned = _bins([300, rows], seed=seed)
        new, bins = _bins([1, 500], seed=100 + seed)
        gate = _MahalanobisGate(real, assigned, 2, GateConfig(gate_quantile=0.9))
        shares.append(gate.accepts(new, bins)[bins == 1].mean())
    assert 0.7 < np.mean(shares) < 0.98


def test_distances_of_real_rows_are_those_to_the_bin_without_them() -> None:
    real = np.random.default_rng(0).normal(size=(9, 2)) * [1.0, 3.0]
    pooled = _pooled(real - real.mean(0), np.array([9]))

    def squared(rows: np.ndarray, one: np.ndarray) -> float:
        centred = rows - rows.mean(0)
        covariance = (centred.T @ centred + 2 * pooled) / (len(rows) + 2)
        return float((one - rows.mean(0)) @ np.linalg.inv(covariance) @ (one - rows.mean(0)))

    within = np.array([squared(real, one) for one in real])
    without = [squared(np.delete(real, i, axis=0), real[i]) for i in range(9)]
    assert _left_out(within, np.full(9, 9), 2, np.ones(9, dtype=bool)) == pytest.approx(without)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_a_tiny_bin_borrows_covariance_and_quantile_from_all(rows: int) -> None:
    real, assigned = _bins([300, rows])
    gate = _MahalanobisGate(real, assigned, 2, GateConfig(gate_quantile=0.9))
    near, far = np.full((1, D), 4.2), np.full((1, D), 12.0)
    assert gate.accepts(near, np.array([1])).all()
    assert not gate.accepts(far, np.array([1])).any()


def test_an_empty_bin_lets_nothing_through() -> None:
    real, assigned = _bins([50])
    gate = _MahalanobisGate(real, assigned, 3, GateConfig())
    assert not gate.accepts(np.zeros((1, D)), np.array([2])).any()


def test_features_without_spread_do_not_break_the_gate() -> None:
    real, assigned = _bins([50, 8])
    real[:, 0] = 1.0
    gate = _MahalanobisGate(real, assigned, 2, GateConfig())
    assert gate.accepts(real, assigned).mean() > 0.85


def test_features_all_alike_pass_themselves() -> None:
    gate = _MahalanobisGate(np.ones((6, D)), np.zeros(6, dtype=np.int64), 1, GateConfig())
    assert gate.accepts(np.ones((2, D)), np.zeros(2, dtype=np.int64)).all()


TARGETS = np.array([0.0, 0.1, 0.2, 1.0, 1.1])
ASSIGNED = np.array([0, 0, 0, 1, 1])
REAL = RealFeatures(np.zeros((5, 2)), TARGETS, np.ones(5), ASSIGNED)
CENTRES = np.array([0.5, 1.5, 2.5])


class Echo:
    """Stands in for a diffusion: features repeat the target they were asked for, next to a running number."""

    def __init__(self) -> None:
        self.low = np.zeros(2)
        self.asked: list[int] = []

    def sample(self, targets: np.ndarray, config: Any, seed: int, threads: int | None = None) -> np.ndarray:
        start = sum(self.asked)
        self.asked.append(len(targets))
        return np.column_stack([targets, start + np.arange(len(targets))]).astype(np.float32)


class Sieve:
    """Stands in for a gate: lets every k-th feature through."""

    def __init__(self, every: int) -> None:
        self.every = every

    def accepts(self, features: np.ndarray, assigned: np.ndarray) -> np.ndarray:
        passed: np.ndarray = features[:, 1].astype(int) % self.every == 0
        return passed


def _generator(gate: Any = None, **settings: Any) -> FeatureGenerator:
    diffusion: Any = Echo()
    generator = FeatureGenerator(diffusion, REAL, CENTRES, LatentDiffConfig.from_flat({"gate": "none", **settings}))
    generator.gate = gate
    return generator


def test_without_a_gate_each_bin_gets_exactly_what_it_wants_at_once() -> None:
    generator = _generator()
    made = generator.generate(np.array([3, 4, 0]), seed=0)
    assert np.bincount(made.assigned, minlength=3).tolist() == [3, 4, 0]
    assert len(generator.diffusion.asked) == 1  # type: ignore[attr-defined]


def test_refused_features_are_drawn_anew_until_there_are_enough() -> None:
    made = _generator(Sieve(2)).generate(np.array([30, 40, 0]), seed=0)
    assert np.bincount(made.assigned, minlength=3).tolist() == [30, 40, 0]
    assert made.accepted.sum() == pytest.approx(made.drawn.sum() / 2, abs=2)


def test_a_closed_gate_ends_after_its_rounds_with_nothing() -> None:
    generator = _generator(Sieve(10**9), gate_rounds=3)
    made = generator.generate(np.array([10, 0, 0]), seed=0)
    # The very first candidate has number 0, which any sieve lets through.
    assert len(made.features) == 1
    assert len(generator.diffusion.asked) == 3  # type: ignore[attr-defined]
    assert made.drawn[0] <= 10 + 2 * 4 * 10


def test_targets_are_those_observed_in_the_bin_each_as_often_as_the_others() -> None:
    made = _generator().generate(np.array([6, 4, 0]), seed=0)
    low = made.targets[made.assigned == 0]
    assert sorted(low) == pytest.approx(sorted([0.0, 0.1, 0.2] * 2))
    assert made.features[:, 0] == pytest.approx(made.targets)


def test_targets_may_be_the_centres_of_the_bins() -> None:
    made = _generator(synthetic_targets="centre").generate(np.array([2, 2, 0]), seed=0)
    assert made.targets.tolist() == [0.5, 0.5, 1.5, 1.5]


def test_nothing_wanted_is_nothing_drawn() -> None:
    made = _generator().generate(np.zeros(3, dtype=np.int64), seed=0)
    assert made.features.shape == (0, 2)
    assert made.drawn.tolist() == [0, 0, 0]


SIX = RealFeatures(np.arange(12.0).reshape(6, 2), np.arange(6.0), np.ones(6), np.array([0, 0, 1, 1, 1, 0]))


def test_each_bin_gets_copies_of_its_own_rows_with_their_targets() -> None:
    made = SyntheticFeatures.copies(SIX, np.array([2, 7, 0]), 0)
    assert np.bincount(made.assigned, minlength=3).tolist() == [2, 7, 0]
    rows = made.targets.astype(int)
    assert np.array_equal(made.features, SIX.features[rows])
    assert np.array_equal(SIX.assigned[rows], made.assigned)
    assert made.drawn.tolist() == made.accepted.tolist() == [2, 7, 0]


def test_rows_of_a_bin_are_copied_in_turn() -> None:
    made = SyntheticFeatures.copies(SIX, np.array([2, 7]), 0)
    assert len(set(made.targets[:2])) == 2
    assert sorted(np.unique(made.targets[2:], return_counts=True)[1]) == [2, 2, 3]


def test_the_first_copies_are_the_same_however_many_are_wanted() -> None:
    made = SyntheticFeatures.copies(SIX, np.array([5, 7]), 3)
    part = made.first(np.array([2, 1]))
    assert part.targets.tolist() == [*made.targets[:2], made.targets[5]]
    assert part.first(np.array([0, 0])).features.shape == (0, 2)
