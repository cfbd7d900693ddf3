"""Copies of real features, the control of diffusion."""

from __future__ import annotations

import numpy as np

from imbllm_autogluon.regression.latent_model import FeatureCopier

FEATURES = np.arange(12.0).reshape(6, 2)
TARGETS = np.arange(6.0)
ASSIGNED = np.array([0, 0, 1, 1, 1, 0])


def test_each_bin_gets_copies_of_its_own_rows_with_their_targets() -> None:
    made = FeatureCopier(FEATURES, TARGETS, ASSIGNED).generate(np.array([2, 7, 0]), 0)
    assert np.bincount(made.assigned, minlength=3).tolist() == [2, 7, 0]
    rows = made.targets.astype(int)
    assert np.array_equal(made.features, FEATURES[rows])
    assert np.array_equal(ASSIGNED[rows], made.assigned)
    assert made.drawn.tolist() == made.accepted.tolist() == [2, 7, 0]


def test_rows_of_a_bin_are_copied_in_turn() -> None:
    made = FeatureCopier(FEATURES, TARGETS, ASSIGNED).generate(np.array([2, 7]), 0)
    assert len(set(made.targets[:2])) == 2
    assert sorted(np.unique(made.targets[2:], return_counts=True)[1]) == [2, 2, 3]


def test_the_first_copies_are_the_same_however_many_are_wanted() -> None:
    made = FeatureCopier(FEATURES, TARGETS, ASSIGNED).generate(np.array([5, 7]), 3)
    part = made.first(np.array([2, 1]))
    assert part.targets.tolist() == [*made.targets[:2], made.targets[5]]
    assert part.first(np.array([0, 0])).features.shape == (0, 2)
