"""How many rows of rare targets a fold of a regression needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.rebalancing.plan import OversamplingPlan, plan_oversampling
from imbllm_autogluon.regression.bins import TargetBins, checked_targets
from imbllm_autogluon.regression.config import AllocationConfig
from imbllm_autogluon.regression.targets import counts_by_priority

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.rebalancing.config import RebalanceConfig
    from imbllm_autogluon.tables.labeled import Task

    Counts = dict[Hashable, int]

FEWEST_ROWS = 20
"""A fold with fewer rows shows no distribution of its target; LatentDiff needs as many."""


def plan_fold(y: pd.Series, config: RebalanceConfig, task: Task) -> OversamplingPlan:
    """Plan of a fold of either task.

    Parameters
    ----------
    y
        Labels or targets of the training fold, shape (n,).
    config
        How far it is rebalanced.
    task
        Whether `y` holds classes or numbers.

    Raises
    ------
    InvalidInputError
        The method is one for the other task.
    """
    return plan_targets(y, config) if task == "regression" else plan_oversampling(y, config)


def plan_targets(y: pd.Series, config: RebalanceConfig) -> OversamplingPlan:
    """Count the rows to be made for each bin of a continuous target: the more, the fewer it holds; empty ones get none.

    Parameters
    ----------
    y
        Targets of the training fold, shape (n,).
    config
        Bins, new rows for each real one, and limit of growth.

    Raises
    ------
    InvalidInputError
        The method needs classes, or there would be too many bins of one unit.

    Examples
    --------
    >>> import pandas as pd
    >>> from imbllm_autogluon.rebalancing import RebalanceConfig
    >>> y = pd.Series([1.0] * 30 + [2.0] * 10)
    >>> plan_targets(y, RebalanceConfig.from_flat({"n_bins": 2})).counts
    {1: 20}
    """
    config.require_method("regression")
    targets = y.to_numpy(dtype=np.float64, na_value=np.nan)
    reason = _too_little(targets)
    if reason:
        return OversamplingPlan({}, {}, reason)
    bins = TargetBins.fit(targets, config.targets.n_bins, config.targets.bins)
    before: Counts = {number: int(n) for number, n in enumerate(bins.counts(targets)) if n}
    reason = _nothing_to_do(config, before)
    if reason:
        return OversamplingPlan({}, before, reason, bins=bins)
    ratio, allowed = config.targets.generation_ratio, config.max_growth - 1.0
    notes: tuple[str, ...] = ()
    if ratio > allowed:
        notes = (f"{ratio} new rows wanted for each real one, {allowed:g} allowed by max_growth={config.max_growth}",)
    counts = _counts(targets, bins, min(ratio, allowed))
    reason = "" if counts else f"less than one row is to be made of {len(targets)}"
    return OversamplingPlan(counts, before, reason, notes, _balancing(targets, bins, before), bins)


def _too_little(targets: FloatArray) -> str:
    """Why targets cannot be rebalanced; empty where they can."""
    if len(targets) < FEWEST_ROWS:
        return f"the fold has {len(targets)} rows, and {FEWEST_ROWS} are needed"
    try:
        checked_targets(targets)
    except InvalidInputError as error:
        return str(error).rstrip(".")
    return ""


def _nothing_to_do(config: RebalanceConfig, before: Counts) -> str:
    if config.method == "none":
        return "the method is none"
    if config.targets.generation_ratio == 0:
        return "generation_ratio is 0"
    return "all targets lie in one bin" if len(before) < 2 else ""


def _counts(targets: FloatArray, bins: TargetBins, ratio: float) -> Counts:
    """New rows by bin, by scarcity alone: no model's errors are known yet."""
    return dict(counts_by_priority(targets, bins, AllocationConfig(generation_ratio=ratio)).items())


def _balancing(targets: FloatArray, bins: TargetBins, before: Counts) -> Counts:
    """What a generator is trained for, so that it serves every ratio.

    As many new rows as real ones, and one at least of each bin that any ratio asks for.
    """
    most, whole = max(before.values()), _counts(targets, bins, 1.0)
    even = min(before.values()) == most
    return {number: max(1, whole.get(number, 0)) for number, n in before.items() if even or n < most}
