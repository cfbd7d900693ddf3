"""Rows that are kept from training: the share of each class, none of small ones."""

from __future__ import annotations

import numpy as np
import pytest

from imbllm_autogluon.classification.held_out import FEWEST_TO_HOLD_OUT, draw_held_out


@pytest.mark.parametrize(
    ("n", "share", "kept"), [(100, 0.2, 20), (20, 0.2, 4), (20, 0.001, 1), (19, 0.5, 0), (50, 0, 0)]
)
def test_the_share_of_a_class_is_held_out_and_none_of_a_small_one(n: int, share: float, kept: int) -> None:
    in_class = np.arange(200) < n
    chosen = draw_held_out(in_class, share, np.random.default_rng(0))
    assert chosen.shape == (200,)
    assert chosen.sum() == kept
    assert not chosen[~in_class].any()


def test_the_choice_is_random_and_follows_the_generator() -> None:
    in_class = np.ones(2 * FEWEST_TO_HOLD_OUT, dtype=bool)
    first, again, other = (draw_held_out(in_class, 0.3, np.random.default_rng(s)).tolist() for s in (1, 1, 2))
    assert first == again != other
