"""The Mahalanobis gate."""

from __future__ import annotations

import numpy as np
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.config import GateConfig
from imbllm_autogluon.regression.gate import MahalanobisGate

D = 6


def _bins(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    assigned = np.repeat(np.arange(len(sizes)), sizes)
    return rng.normal(size=(len(assigned), D)) + 4.0 * assigned[:, None], assigned


@pytest.mark.parametrize("quantile", [0.5, 0.8, 0.95])
def test_as_many_new_features_of_the_same_kind_pass_as_the_quantile_says(quantile: float) -> None:
    real, assigned = _bins([400, 300])
    new, bins = _bins([2000, 2000], seed=1)
    gate = MahalanobisGate.fit(real, assigned, 2, GateConfig(gate_quantile=quantile))
    passed = gate.accepts(new, bins)
    for b in (0, 1):
        assert passed[bins == b].mean() == pytest.approx(quantile, abs=0.06)


@pytest.mark.parametrize("rows", [6, 12, 25])
def test_a_bin_of_few_rows_does_not_look_tighter_than_it_is(rows: int) -> None:
    shares = []
    for seed in range(20):
        real, assigned = _bins([300, rows], seed=seed)
        new, bins = _bins([1, 500], seed=100 + seed)
        gate = MahalanobisGate.fit(real, assigned, 2, GateConfig(gate_quantile=0.9))
        shares.append(gate.accepts(new, bins)[bins == 1].mean())
    assert 0.7 < np.mean(shares) < 0.98


def test_distances_of_real_rows_are_those_to_the_bin_without_them() -> None:
    from imbllm_autogluon.regression.gate import _left_out, _pooled

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
    gate = MahalanobisGate.fit(real, assigned, 2, GateConfig(gate_quantile=0.9))
    near, far = np.full((1, D), 4.2), np.full((1, D), 12.0)
    assert gate.accepts(near, np.array([1])).all()
    assert not gate.accepts(far, np.array([1])).any()


def test_an_empty_bin_lets_nothing_through() -> None:
    real, assigned = _bins([50])
    gate = MahalanobisGate.fit(real, assigned, 3, GateConfig())
    assert not gate.accepts(np.zeros((1, D)), np.array([2])).any()


def test_features_without_spread_do_not_break_the_gate() -> None:
    real, assigned = _bins([50, 8])
    real[:, 0] = 1.0
    gate = MahalanobisGate.fit(real, assigned, 2, GateConfig())
    assert np.isfinite(gate.distances(real, assigned)).all()
    assert gate.accepts(real, assigned).mean() > 0.85


def test_features_all_alike_pass_themselves() -> None:
    gate = MahalanobisGate.fit(np.ones((6, D)), np.zeros(6, dtype=np.int64), 1, GateConfig())
    assert gate.accepts(np.ones((2, D)), np.zeros(2, dtype=np.int64)).all()


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_infinite_features_are_refused_with_the_remedy(bad: float) -> None:
    real, assigned = _bins([50])
    real[3, 2] = bad
    with pytest.raises(InvalidInputError, match=r"infinite or missing in 1 of 50 rows.*learning_rate"):
        MahalanobisGate.fit(real, assigned, 1, GateConfig())
