"""Rows of rare targets for one fold of a regression, by each of its methods; shared as the rows of classes are."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from imbllm_autogluon.oversampling.baselines import duplicated
from imbllm_autogluon.regression.smogn import smogn

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from imbllm_autogluon.rebalancing.config import RebalanceConfig
    from imbllm_autogluon.rebalancing.fold import Fold
    from imbllm_autogluon.regression.bins import TargetBins
    from imbllm_autogluon.regression.input_space import TargetImbLLM

    Rows = tuple[pd.DataFrame, pd.Series]


def rows_without_generator(fold: Fold, bins: TargetBins, config: RebalanceConfig) -> Rows:
    """New rows and targets of the methods that train nothing, `smogn` and `random`.

    Parameters
    ----------
    fold
        Real rows with targets, and the plan that counts new rows by bin.
    bins
        Of the plan.
    config
        Method and seed.
    """
    counts, seed = by_bin(fold.plan.counts), config.random_state
    if config.method == "smogn":
        return smogn(fold.X, as_numbers(fold.y), bins, counts, seed=seed, kinds=fold.kinds)
    return duplicated_targets(fold.X, as_numbers(fold.y), bins, counts, seed=seed)


def duplicated_targets(X: pd.DataFrame, y: pd.Series, bins: TargetBins, counts: dict[int, int], *, seed: int) -> Rows:
    """Real rows of each bin of `counts`, drawn with replacement, with their own targets and a fresh index.

    Parameters
    ----------
    X, y
        Real rows, shapes (n, m) and (n,).
    bins
        Of the target; rows lie in at least two.
    counts
        New rows by number of the bin.
    seed
        Of the draw.
    """
    places = pd.DataFrame({"place": np.arange(len(y))})
    drawn, _ = duplicated(places, pd.Series(bins.assign(y)), dict(counts.items()), seed=seed)
    chosen = drawn["place"].to_numpy()
    return X.iloc[chosen].reset_index(drop=True), y.iloc[chosen].reset_index(drop=True)


def learned(
    fold: Fold,
    bins: TargetBins,
    config: RebalanceConfig,
    *,
    threads: int | None,
    time_limit: float | None,
    warm_start: Path | None,
) -> TargetImbLLM:
    """A generator that learned the fold, for every generation ratio.

    Parameters
    ----------
    fold, bins, config
        As for :func:`rows_without_generator`.
    threads, time_limit, warm_start
        See :class:`~imbllm_autogluon.regression.input_space.TargetImbLLM`.
    """
    from imbllm_autogluon.regression.input_space import TargetImbLLM

    writer = TargetImbLLM(
        config.generator, clause=config.targets.clause, random_state=config.random_state, threads=threads
    )
    return writer.fit(
        fold.X,
        as_numbers(fold.y),
        bins,
        by_bin(fold.plan.balancing),
        kinds=fold.kinds,
        time_limit=time_limit,
        warm_start=warm_start,
    )


def as_numbers(y: pd.Series) -> pd.Series:
    """Targets as float64: in a dtype of whole numbers those of new rows would be cut."""
    return y.astype(np.float64)


def by_bin(counts: Mapping[Hashable, int]) -> dict[int, int]:
    """The counts of a plan with bins, whose keys are their numbers."""
    return cast("dict[int, int]", dict(counts))
