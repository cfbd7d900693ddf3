"""Synthetic features are drawn, gated and drawn anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.feature_generation import FeatureGenerator

TARGETS = np.array([0.0, 0.1, 0.2, 1.0, 1.1])
ASSIGNED = np.array([0, 0, 0, 1, 1])
CENTRES = np.array([0.5, 1.5, 2.5])


class Echo:
    """Stands in for a diffusion: features repeat the target they were asked for, beside a running number."""

    def __init__(self) -> None:
        self.low = np.zeros(2)
        self.asked: list[int] = []

    def sample(self, targets: np.ndarray, seed: int, threads: int | None = None) -> np.ndarray:
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
    return FeatureGenerator(diffusion, gate, TARGETS, ASSIGNED, CENTRES, LatentDiffConfig.from_flat(settings))


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
