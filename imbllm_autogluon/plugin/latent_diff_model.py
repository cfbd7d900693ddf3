"""LatentDiff as a model class of AutoGluon, key ``LATENT_DIFF``: regression of rare targets."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from autogluon.common.features.types import R_BOOL, R_CATEGORY, R_FLOAT, R_INT
from autogluon.common.space import Real, Space
from autogluon.common.utils.pandas_utils import get_approximate_df_mem_usage
from autogluon.common.utils.resource_utils import ResourceManager

from imbllm_autogluon.errors import OutOfTimeError
from imbllm_autogluon.plugin.feature_kinds import kinds_to_read
from imbllm_autogluon.plugin.settings_model import SettingsModel, without_spaces
from imbllm_autogluon.plugin.skipping import skipped_by_autogluon
from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.head import RATIOS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor


log = logging.getLogger("autogluon.imbllm")

KEY = "LATENT_DIFF"

TRAINING_SHARE = 0.9
"""Share of the time limit that training may take; the rest is for predicting."""

LEAST_SECONDS = 1.0
"""Training time for which torch is still loaded: that takes some seconds of one core, once in a process."""

LEAST_EPOCHS = 3
"""Epochs of the encoder below which a fit that ran out of time is no model; fewer where fewer were asked for."""

SEARCHED: Mapping[str, tuple[float, float]] = {
    "error_weight": (0.0, 1.0),
    "generation_ratio": (0.1, 2.0),
    "gate_quantile": (0.8, 1.0),
    "guidance": (0.5, 3.0),
}
"""Ranges of a search that names none itself; a method that generates nothing is searched by its learning rate."""

SEARCH_START = 0.5
"""Ratio that a search begins with: without one it is chosen by held-out rows."""

LIBRARIES = 5e8
"""Bytes of torch and a small table in a process, roughly."""


class LatentDiffModel(SettingsModel):
    """An encoder whose head is trained anew on real and synthetic features of rare targets.

    Hyperparameters are the settings of :class:`~imbllm_autogluon.regression.config.LatentDiffConfig`, without a prefix,
    each a value or a search space of AutoGluon, and ``random_state``. A search that names none looks for λ
    (`error_weight`), `generation_ratio`, `gate_quantile` and `guidance`. `method` chooses a peer on the same encoder.

    Rows that decide when training ends are held out of the training fold; AutoGluon's validation rows have no part in
    it. A fold of fewer than 20 rows or with one target is answered by its median, and the report says so.

    Attributes
    ----------
    imbllm_report : dict
        What the last fit did: rows, epochs, synthetic features by bin, seconds of each stage, what fell short.

    Examples
    --------
    >>> from autogluon.tabular import TabularPredictor
    >>> portfolio = {"GBM": {}, "LATENT_DIFF": {"n_bins": 20}}
    >>> TabularPredictor("price").fit(table, hyperparameters=portfolio)  # doctest: +SKIP
    """

    ag_key = KEY
    ag_name = "LatentDiff"
    ag_priority = 35
    settings_class = LatentDiffConfig
    _supported_problem_types = ["regression"]  # noqa: RUF012 - AutoGluon asks for a list
    _default_auxiliary_params_extra = {"valid_raw_types": [R_BOOL, R_INT, R_FLOAT, R_CATEGORY]}  # noqa: RUF012

    @classmethod
    def _class_tags(cls) -> dict[str, Any]:
        """Torch's settings are put back after a fit."""
        return {"reset_torch_threads": True}

    def _get_default_searchspace(self) -> dict[str, Space]:
        """Spaces of what is left open; their defaults are the fit without a search, but for its choice of the ratio."""
        usual = LatentDiffConfig().flat()
        method = without_spaces(self._user_params or {}).get("method", usual["method"])
        if method != "latent_diff":
            rate = usual["encoder_learning_rate"]
            return {"encoder_learning_rate": Real(rate / 5, 5 * rate, default=rate, log=True)}
        start = {**usual, "generation_ratio": SEARCH_START}
        return {name: Real(low, high, default=start[name]) for name, (low, high) in SEARCHED.items()}

    def _get_default_resources(self) -> tuple[int, float]:
        """Physical cores, as AutoGluon gives its own networks; these are too small for a GPU."""
        return ResourceManager.get_cpu_count(only_physical_cores=True), 0

    @classmethod
    def _estimate_memory_usage_static(
        cls, *, X: pd.DataFrame, hyperparameters: dict[str, Any] | None = None, **kwargs: Any
    ) -> int:
        """Roughly: the library, the table, the features of all rows, and layers with their gradients."""
        del kwargs
        config = LatentDiffConfig.from_flat(cls.settings_among(without_spaces(hyperparameters or {})))
        encoder, diffusion = config.encoder, config.diffusion
        table = 6 * int(get_approximate_df_mem_usage(X).sum())
        features = 8 * 6 * (1 + _most_features(config)) * len(X) * encoder.feature_size
        weights = 16 * (4 * encoder.encoder_depth * encoder.encoder_width**2)
        weights += 16 * (4 * diffusion.denoiser_blocks * diffusion.denoiser_width**2)
        return int(LIBRARIES + table + features + weights)

    def _fit(
        self,
        X: pd.DataFrame,
        y: pd.Series,
        sample_weight: FloatArray | None = None,
        time_limit: float | None = None,
        num_cpus: object = None,
        **kwargs: Any,
    ) -> None:
        del kwargs  # validation rows among them: the model holds rows out of the training rows itself
        started = time.time()
        X = self.preprocess(X, y=y)
        targets = y.to_numpy(dtype=np.float64)
        reason = _too_little(targets, X)
        if reason:
            self._fit_median(X, targets, reason)
            return
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        with skipped_by_autogluon(self.name):
            left = None if time_limit is None else TRAINING_SHARE * (time_limit - (time.time() - started))
            self._learn(X, targets, weights, left, num_cpus if isinstance(num_cpus, int) else None)

    def _fit_median(self, X: pd.DataFrame, targets: FloatArray, reason: str) -> None:
        """Answer every row by the median, which says nothing of rare targets but fits any fold."""
        from sklearn.dummy import DummyRegressor

        self.model = DummyRegressor(strategy="median").fit(X, targets)
        self.imbllm_report = {"rows": len(targets), "reason": f"{reason}; every answer is the median"}
        log.log(20, "\t%s: %s.", self.name, self.imbllm_report["reason"])

    def _learn(
        self,
        X: pd.DataFrame,
        targets: FloatArray,
        weights: FloatArray | None,
        time_limit: float | None,
        threads: int | None,
    ) -> None:
        _require_time(time_limit)
        from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor

        settings = self.settings_among(self._get_model_params())
        model = LatentDiffRegressor(
            random_state=self.random_seed or 0,
            kinds=kinds_to_read(self._feature_metadata, X),
            threads=threads,
            time_limit=time_limit,
        ).set_params(**settings)
        model.fit(X, targets, sample_weight=weights)
        _require_learned(model, time_limit)
        self.model = model
        self._note(model, len(targets))

    def _note(self, model: LatentDiffRegressor, n_rows: int) -> None:
        """Keep and log what was learned and generated."""
        report = model.report_
        curve: Any = report.curves["encoder"]
        self.imbllm_report = {
            "rows": n_rows,
            "reason": "",
            "method": model.config().treatment.method,
            "epochs": len(curve.train),
            "stopped_by": curve.stopped,
            "ratio": report.ratio,
            "bins": report.bins.to_dict(orient="list"),
            "seconds": dict(report.seconds),
            "notes": list(report.notes),
        }
        log.log(15, "\t%s: %s", self.name, self.imbllm_report)


def _too_little(targets: FloatArray, X: pd.DataFrame) -> str:
    """Why a fold cannot be learned; empty where it can."""
    from imbllm_autogluon.regression.latent_diff import LEAST_ROWS

    if len(targets) < LEAST_ROWS:
        return f"the training fold has {len(targets)} rows, and {LEAST_ROWS} are needed"
    if targets.min() == targets.max():
        return f"all targets of the training fold are {targets[0]}"
    return "" if X.shape[1] else "the training fold has no usable column"


def _require_time(time_limit: float | None) -> None:
    """Refuse to load the library for next to no training."""
    if time_limit is not None and time_limit < LEAST_SECONDS and (time_limit <= 0 or "torch" not in sys.modules):
        raise OutOfTimeError(
            f"{time_limit:.2f} s of training are left; loading torch alone takes longer than that. Give the fit more "
            "time."
        )


def _require_learned(model: LatentDiffRegressor, time_limit: float | None) -> None:
    """Refuse an encoder that had no time to learn."""
    curve: Any = model.report_.curves["encoder"]
    if curve.stopped != "time" or len(curve.train) >= LEAST_EPOCHS:
        return
    raise OutOfTimeError(
        f"{time_limit:.1f} s of training were enough for {len(curve.train)} epochs of the encoder; at least "
        f"{LEAST_EPOCHS} are needed. Give the fit more time, or make the encoder smaller (encoder_width)."
    )


def _most_features(config: LatentDiffConfig) -> float:
    """Synthetic features for each row at most."""
    return RATIOS[-1] if config.allocation.generation_ratio == "auto" else config.allocation.fixed_ratio
