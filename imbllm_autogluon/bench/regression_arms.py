"""Arms of ``imbllm bench regression``: treatments of rare targets on one encoder, their controls and ablations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from imbllm_autogluon.bench.regression_page import COPIES, LATENT_DIFF, NONE, RETRAINED
from imbllm_autogluon.process_state import seeded_torch
from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.regression.allocation import allocate, bin_errors
from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.head import retrained
from imbllm_autogluon.regression.input_space import TargetImbLLM
from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor
from imbllm_autogluon.regression.smogn import smogn
from imbllm_autogluon.regression.targets import counts_by_priority

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from imbllm_autogluon.bench.regression_tables import RegressionSplit

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]


class Arm(NamedTuple):
    """What is fitted."""

    settings: Mapping[str, Any]
    """Of the regressor."""
    source: Literal["regressor", "copies", "smogn", "imbllm"] = "regressor"
    """`regressor`: itself. `copies`: its head is trained anew with copies of real features in place of synthetic ones.
    `smogn`, `imbllm`: it learns real and new rows, without further treatment."""


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
    COPIES: Arm({"method": "none"}, "copies"),
    "SMOGN rows": Arm({"method": "none"}, "smogn"),
}
"""What every run measures."""

SLOW_ARMS = {"ImbLLM rows": Arm({"method": "none"}, "imbllm")}
"""A language model is trained on each split."""

_CHANGED: dict[str, dict[str, Any]] = {
    "uniform allocation": {"allocation": "uniform"},
    "no gate": {"gate": "none"},
    **{f"λ {value:g}": {"error_weight": value} for value in (0.0, 0.5, 1.0)},
    **{f"ratio {value:g}": {"generation_ratio": value} for value in (0.2, 0.5, 0.8)},
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


def fitted(arm: Arm, split: RegressionSplit, seed: int, threads: int) -> LatentDiffRegressor:
    """Regressor of an arm; methods that read bins read those of the split."""
    settings = {"n_bins": len(split.bins), **arm.settings}
    regressor = LatentDiffRegressor(random_state=seed, threads=threads, **settings).fit(split.X, split.y)
    if arm.source == "regressor":
        return regressor
    if arm.source == "copies":
        return _with_copies(regressor, split.X, split.y.to_numpy(dtype=np.float64), seed)
    X, y = _new_rows(arm.source, regressor, split, seed, threads)
    return LatentDiffRegressor(random_state=seed, threads=threads, **settings).fit(
        pd.concat([split.X, X], ignore_index=True), pd.concat([split.y, y], ignore_index=True)
    )


def _new_rows(
    source: str, untreated: LatentDiffRegressor, split: RegressionSplit, seed: int, threads: int
) -> tuple[pd.DataFrame, pd.Series]:
    """Rows in input space, for the bins and in the numbers that LatentDiff would generate features for."""
    targets = split.y.to_numpy(dtype=np.float64)
    errors = bin_errors(
        np.abs(untreated.predict(split.X) - targets), split.bins.assign(targets), n_bins=len(split.bins)
    )
    counts = counts_by_priority(targets, split.bins, untreated.config().allocation, errors)
    if source == "smogn":
        return smogn(split.X, split.y, split.bins, counts, seed=seed)
    writer = TargetImbLLM(random_state=seed, threads=threads).fit(split.X, split.y, split.bins, counts)
    return writer.sample()


def _with_copies(
    regressor: LatentDiffRegressor, X: pd.DataFrame, targets: FloatArray, seed: int
) -> LatentDiffRegressor:
    """Train an untreated regressor's head anew, with copies where LatentDiff has synthetic features."""
    model, config = regressor.model_, regressor.config()
    features = _features(regressor, X)
    scaled = (targets - model.centre) / model.spread
    assigned = model.bins.assign(targets)
    errors = bin_errors(np.abs(model.head.predict(features) - scaled), assigned, len(model.bins))
    wanted = allocate(errors, model.bins.counts(targets), config.allocation)
    rows = np.concatenate([np.arange(len(scaled)), _copied(assigned, wanted, seed)])
    shrinkage, loss = config.treatment.head_shrinkage, config.treatment.head_loss
    model.head = retrained(model.head, features[rows], scaled[rows], np.ones(len(rows)), shrinkage, loss)
    return regressor


def _features(regressor: LatentDiffRegressor, X: pd.DataFrame) -> FloatArray:
    """Standardised features of rows, as the head reads them, shape (n, d)."""
    model = regressor.model_
    numbers, categories = model.matrix.transform(X)
    wide: Any = numbers.astype(np.float64)
    with seeded_torch(model.seed, model.threads):
        raw = model.encoder.features(wide, categories).numpy()
    return model.scale.transform(raw)


def _copied(assigned: IntArray, wanted: IntArray, seed: int) -> IntArray:
    """Rows to copy: those of each bin in turn, in a drawn order, as many as it wants."""
    rng = child_rng(seed, "values", "copies")
    bins = np.flatnonzero(wanted)
    parts = [np.resize(rng.permutation(np.flatnonzero(assigned == b)), wanted[b]) for b in bins]
    return np.concatenate([np.empty(0, dtype=np.int64), *parts]).astype(np.int64)
