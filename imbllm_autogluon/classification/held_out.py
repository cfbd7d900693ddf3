"""Rows of a class that are not learned: they judge a model, or calibrate it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.randomness import child_rng

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imbllm_autogluon.arrays import BoolArray, IntArray


FEWEST_TO_HOLD_OUT = 20
"""Rows of a class below which every one is needed for learning."""


def draw_held_out(in_class: BoolArray, share: float, rng: np.random.Generator) -> BoolArray:
    """Choose the rows of a class that are held out: none where it has fewer than `FEWEST_TO_HOLD_OUT`.

    Parameters
    ----------
    in_class
        Rows of the class, shape (n,).
    share
        Share of them to hold out; at least one row where it is above 0.
    rng
        Source of the choice.
    """
    members = np.flatnonzero(in_class)
    chosen = np.zeros(len(in_class), dtype=bool)
    if share > 0 and len(members) >= FEWEST_TO_HOLD_OUT:
        chosen[rng.choice(members, size=max(1, round(share * len(members))), replace=False)] = True
    return chosen


def held_out_rows(codes: IntArray, classes: Iterable[int], share: float, seed: int) -> BoolArray:
    """Rows held out of several classes, shape (n,); see :func:`draw_held_out`.

    Parameters
    ----------
    codes
        Class of each row, shape (n,).
    classes
        Those that rows are held out of.
    share
        Of each class.
    seed
        Of the draws, one for each class.
    """
    chosen = np.zeros(len(codes), dtype=bool)
    for code in classes:
        chosen |= draw_held_out(codes == code, share, child_rng(seed, "training", "held out", code))
    return chosen
