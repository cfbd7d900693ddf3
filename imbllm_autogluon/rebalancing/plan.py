"""How many rows of each class a fold needs; for targets see :mod:`~imbllm_autogluon.rebalancing.target_plan`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Hashable

    from imbllm_autogluon.rebalancing.config import RebalanceConfig
    from imbllm_autogluon.regression.bins import TargetBins

FEWEST_ROWS = 2
"""A class with fewer rows cannot be continued and is left as it is."""


@dataclass(frozen=True)
class OversamplingPlan:
    """Rows to write for one fold."""

    counts: dict[Hashable, int]
    """New rows by class, or by number of the bin; only those that get some."""

    before: dict[Hashable, int]
    """Real rows by class, or by number of the bin; only those that have some."""

    reason: str
    """Why nothing is written, or an empty string."""

    notes: tuple[str, ...] = ()
    """What was cut or left out."""

    balancing: dict[Hashable, int] = field(default_factory=dict)
    """New rows that would bring every class to the size of the largest. What a generator learns depends on these, so
    that one generator serves every target ratio (for targets: every generation ratio)."""

    bins: TargetBins | None = None
    """Bins of a continuous target, laid on the fold's own; None where there are classes."""

    @property
    def growth(self) -> float:
        """Rows afterwards over rows before."""
        return 1.0 + sum(self.counts.values()) / max(1, sum(self.before.values()))

    def classes_of(self, y: pd.Series) -> pd.Series:
        """What real and new rows have in common: their class, or the nearest bin of the target that holds real rows."""
        if self.bins is None:
            return y
        filled = np.sort(np.asarray(list(self.before), dtype=np.int64))
        centres = self.bins.centres
        between = (centres[filled[:-1]] + centres[filled[1:]]) / 2.0
        return pd.Series(filled[np.searchsorted(between, centres[self.bins.assign(y)])], index=y.index, name=y.name)


def plan_oversampling(y: pd.Series, config: RebalanceConfig) -> OversamplingPlan:
    """Count the rows that bring each rarer class of `y` to the target ratio of the largest one.

    Parameters
    ----------
    y
        Labels of the training fold, shape (n,).
    config
        Target ratio, limit of growth, and what counts as balanced.

    Raises
    ------
    InvalidInputError
        The method is one for regression.
    """
    config.require_method("classification")
    sizes: dict[Hashable, int] = {label: int(n) for label, n in y.value_counts(sort=False).sort_index().items() if n}
    if len(sizes) < 2:
        return OversamplingPlan({}, sizes, "the fold holds a single class")
    largest = max(sizes.values())
    if config.method == "none":
        return OversamplingPlan({}, sizes, "the method is none")
    if largest < config.balanced_below * min(sizes.values()):
        return OversamplingPlan(
            {}, sizes, f"classes are balanced (largest over smallest below {config.balanced_below})"
        )
    lone = [label for label, n in sizes.items() if n < FEWEST_ROWS]
    notes = [f"class {label!r} has a single row and is left as it is" for label in lone]
    several = {label: n for label, n in sizes.items() if label not in lone}
    wanted = {label: config.rows_wanted(n, largest) - n for label, n in several.items()}
    balancing = {label: largest - n for label, n in several.items()}
    counts = {label: n for label, n in wanted.items() if n > 0}
    room = int((config.max_growth - 1.0) * len(y))
    if sum(counts.values()) > room:
        notes.append(f"{sum(counts.values())} new rows wanted, {room} allowed by max_growth={config.max_growth}")
    counts = _scaled(counts, room)
    ratio = "half way" if config.target_ratio is None else f"{config.target_ratio:g}"
    reason = "" if counts else f"no class can or needs to be continued (target ratio {ratio})"
    return OversamplingPlan(counts, sizes, reason, tuple(notes), _scaled(balancing, room))


def _scaled(counts: dict[Hashable, int], room: int) -> dict[Hashable, int]:
    """Cut all counts in proportion where they add up to more than `room`; classes without new rows drop out."""
    share = min(1.0, room / max(1, sum(counts.values())))
    cut = {label: int(n * share) for label, n in counts.items()}
    return {label: n for label, n in cut.items() if n > 0}
