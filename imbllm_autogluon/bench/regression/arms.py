"""Arms of ``imbllm bench regression``: treatments of rare targets on one encoder, their controls and ablations."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from imbllm_autogluon.bench.regression.page import COPIES, LATENT_DIFF, NONE, RETRAINED
from imbllm_autogluon.regression.allocation import bin_errors
from imbllm_autogluon.regression.config import AllocationConfig, LatentDiffConfig
from imbllm_autogluon.regression.feature_generation import FeatureGenerator
from imbllm_autogluon.regression.input_space import TargetImbLLM
from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor
from imbllm_autogluon.regression.latent_model import HEAD_SETTINGS
from imbllm_autogluon.regression.smogn import smogn
from imbllm_autogluon.regression.targets import counts_by_priority

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.bench.regression.tables import RegressionSplit


class Arm(NamedTuple):
    """What is fitted."""

    settings: Mapping[str, Any]
    """Of the regressor."""
    source: Literal["regressor", "smogn", "imbllm"] = "regressor"
    """`regressor`: itself. `smogn`, `imbllm`: it learns real and new rows, without further treatment."""

    @property
    def differs_in_the_head_alone(self) -> bool:
        """Whether it is LatentDiff with settings that neither the encoder nor the denoiser reads."""
        return self.source == "regressor" and set(self.settings) <= set(HEAD_SETTINGS)


ARMS = {
    NONE: Arm({"method": "none"}),
    "LDS": Arm({"method": "lds"}),
    "FDS": Arm({"method": "fds"}),
    "DenseWeight": Arm({"method": "dense_weight"}),
    "BalancedMSE": Arm({"method": "balanced_mse"}),
    "RankSim": Arm({"method": "rank_sim"}),
    LATENT_DIFF: Arm({}),
    f"{LATENT_DIFF} + LDS": Arm({"encoder_method": "lds"}),
    RETRAINED: Arm({"generation_ratio": 0.0}),
    COPIES: Arm({"synthetic": "copies"}),
    "SMOGN rows": Arm({"method": "none"}, "smogn"),
}
"""What every run measures."""

SLOW_ARMS = {"ImbLLM rows": Arm({"method": "none"}, "imbllm")}
"""A language model is trained on each split."""

ROWS_RATIO = 0.5
"""New rows of the arms in input space for each real one, allotted by the same priority as synthetic features."""

_CHANGED: dict[str, dict[str, Any]] = {
    "uniform allocation": {"allocation": "uniform"},
    "no gate": {"gate": "none"},
    **{f"λ {value:g}": {"error_weight": value} for value in (0.0, 0.5, 1.0)},
    **{f"ratio {value:g}": {"generation_ratio": value} for value in (0.2, 0.5, 0.8)},
    **{f"budget {100 * value:g} %": {"overall_budget": value} for value in (0.01, 0.05)},
    "linear head": {"head": "linear"},
    **{f"guidance {value:g}": {"guidance": value} for value in (0.0, 1.0, 2.0)},
    "bin centres": {"synthetic_targets": "centre"},
    "squared errors": {"head_loss": "squared"},
}

ABLATIONS = {
    f"{LATENT_DIFF}, {name}": Arm(settings)
    for name, settings in _CHANGED.items()
    if not settings.items() <= LatentDiffConfig().flat().items()
}
"""One setting each, apart from the defaults; values that are the default stand in the table as LatentDiff itself."""


def arms_of(*, slow: bool, ablations: bool) -> dict[str, Arm]:
    """Arms of a run, by name."""
    return {**ARMS, **(SLOW_ARMS if slow else {}), **(ABLATIONS if ablations else {})}


class FittedArm(NamedTuple):
    """A regressor and what it took."""

    regressor: LatentDiffRegressor
    seconds: float
    """Of a whole fit: those of an encoder and a denoiser that arms share count for each of them."""


def fitted(arm: Arm, split: RegressionSplit, seed: int, threads: int) -> FittedArm:
    """Fit an arm; methods that read bins read those of the split."""
    if arm.differs_in_the_head_alone:
        regressor = _latent_diff(split, seed, threads).refit_head(split.X, split.y, **arm.settings)
        seconds = dict(regressor.report_.seconds)
        if not isinstance(regressor.model_.generator, FeatureGenerator):
            seconds.pop("denoiser")
        return FittedArm(regressor, sum(seconds.values()))
    started = time.perf_counter()
    regressor = _new(arm, split, seed, threads).fit(split.X, split.y)
    if arm.source != "regressor":
        X, y = _new_rows(arm.source, regressor, split, seed, threads)
        rows, targets = pd.concat([split.X, X], ignore_index=True), pd.concat([split.y, y], ignore_index=True)
        regressor = _new(arm, split, seed, threads).fit(rows, targets)
    return FittedArm(regressor, time.perf_counter() - started)


def _new(arm: Arm, split: RegressionSplit, seed: int, threads: int) -> LatentDiffRegressor:
    return LatentDiffRegressor(random_state=seed, threads=threads, **{"n_bins": len(split.bins), **arm.settings})


@functools.lru_cache(maxsize=1)
def _latent_diff(split: RegressionSplit, seed: int, threads: int) -> LatentDiffRegressor:
    """LatentDiff as it is; arms that differ in the head alone are made from it."""
    return _new(Arm({}), split, seed, threads).fit(split.X, split.y)


def _new_rows(
    source: str, untreated: LatentDiffRegressor, split: RegressionSplit, seed: int, threads: int
) -> tuple[pd.DataFrame, pd.Series]:
    """Rows in input space for rare bins and those with large errors, half as many as there are real ones."""
    targets = split.y.to_numpy(dtype=np.float64)
    errors = bin_errors(
        np.abs(untreated.predict(split.X) - targets), split.bins.assign(targets), n_bins=len(split.bins)
    )
    counts = counts_by_priority(targets, split.bins, AllocationConfig(generation_ratio=ROWS_RATIO), errors)
    if source == "smogn":
        return smogn(split.X, split.y, split.bins, counts, seed=seed)
    writer = TargetImbLLM(random_state=seed, threads=threads).fit(split.X, split.y, split.bins, counts)
    return writer.sample()
