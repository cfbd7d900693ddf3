"""Our own model classes of AutoGluon: the generator, ``IMBLLM``, and LatentDiff, ``LATENT_DIFF``."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from autogluon.common.features.types import R_BOOL, R_CATEGORY, R_FLOAT, R_INT
from autogluon.common.space import Real, Space
from autogluon.common.utils.pandas_utils import get_approximate_df_mem_usage
from autogluon.common.utils.resource_utils import ResourceManager
from autogluon.core.models import AbstractModel, DummyModel

from imbllm_autogluon._config import current_names, refuse_unknown_keys
from imbllm_autogluon.plugin.original_features import kinds_of_features
from imbllm_autogluon.plugin.stage import OversamplingMixin, OwnModelMixin, skipped_by_autogluon
from imbllm_autogluon.rebalancing.rows import require_time
from imbllm_autogluon.regression.config import LatentDiffConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from imbllm_autogluon._config import Config
    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor

_log = logging.getLogger("autogluon.imbllm")

_LIBRARIES = 5e8  # bytes of torch and a small table in a process, roughly

# Ranges of a search that names none itself; a method that generates nothing is searched by its learning rate.
_SEARCHED: Mapping[str, tuple[float, float]] = {
    "error_weight": (0.0, 1.0),
    "generation_ratio": (0.1, 2.0),
    "gate_quantile": (0.8, 1.0),
    "guidance": (0.5, 3.0),
}
_SEARCH_START = 0.5  # ratio that a search begins with: without one it is chosen by cross-validation


class GeneratorModel(OversamplingMixin, DummyModel):  # type: ignore[misc]
    """Trains the generator of a fold and writes its rows; twins that are fitted later find both in the cache.

    So no family pays for what all of them use: this model's row on the leaderboard shows what writing cost. It predicts
    the class shares, or the mean target.
    """

    ag_key = "IMBLLM"
    ag_name = "ImbLLM"
    ag_priority = -500  # behind the plain models, before their twins
    writing_share = 0.85  # the rest is for what is done around it
    _supported_problem_types = ["binary", "multiclass", "regression"]  # noqa: RUF012 - AutoGluon asks for a list

    @classmethod
    def _get_default_ag_args(cls) -> dict[str, Any]:
        return {**super()._get_default_ag_args(), "valid_stacker": False}  # nothing to write on a higher level

    def _more_tags(self) -> dict[str, Any]:
        return {"can_refit_full": True}  # a copy of a fold's would have its score

    def _fit(self, X: pd.DataFrame, y: pd.Series, time_limit: float | None = None, **kwargs: Any) -> None:
        self._plan_and_write(X, y, kwargs.get("num_cpus"), time_limit, time.time())
        super()._fit(X=X, y=y, time_limit=time_limit, **kwargs)

    def _predict_proba(self, X: pd.DataFrame, **kwargs: Any) -> Any:
        """Shares of all classes, of those too that a fold has no row of."""
        shares = super()._predict_proba(X, **kwargs)
        if self.problem_type == "regression" or len(self.model.classes_) == self.num_classes:
            return shares
        every = np.zeros((len(X), self.num_classes))
        every[:, self.model.classes_] = np.reshape(shares, (len(X), -1))
        return every


class SettingsModel(OwnModelMixin, AbstractModel):  # type: ignore[misc]
    """A model whose hyperparameters are the settings of a configuration, each a value or a search space.

    It holds rows out of the training rows itself: validation rows have no part in a fit. Infinite numbers are read as
    missing ones. A hyperparameter that is unknown or not allowed is refused when the model is made.
    """

    settings_class: ClassVar[type[Config]]
    training_share: ClassVar[float]  # of the time limit; the rest is for what follows, and for predicting
    seed_name = "random_state"
    own_names: ClassVar[tuple[str, ...]] = ()  # of hyperparameters that are no settings
    _user_params: dict[str, Any] | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user_params = current_names(self._user_params or {}, self.settings_class)
        others = (self.seed_name, *self.own_names)
        given = {name: value for name, value in self._user_params.items() if name not in others}
        refuse_unknown_keys(given, (*self.settings_class.flat_keys(), *others))
        self.settings_class.from_flat(self.without_spaces(given))

    def _more_tags(self) -> dict[str, Any]:
        return {"can_refit_full": True}

    def _preprocess(self, X: pd.DataFrame, **kwargs: Any) -> pd.DataFrame:
        rows: pd.DataFrame = super()._preprocess(X, **kwargs)
        floats = rows.select_dtypes("float")
        return rows.assign(**floats.mask(np.isinf(floats)))  # AutoGluon's names are strings

    @staticmethod
    def without_spaces(hyperparameters: Mapping[str, Any] | None) -> dict[str, Any]:
        """Hyperparameters with the default of every search space in its place."""
        given = (hyperparameters or {}).items()
        return {name: value.default if isinstance(value, Space) else value for name, value in given}

    @classmethod
    def settings_among(cls, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of the configuration among hyperparameters."""
        named = current_names(hyperparameters, cls.settings_class)
        return {name: value for name, value in named.items() if name in cls.settings_class.flat_keys()}

    def time_to_train(self, time_limit: float | None, started: float) -> float | None:
        """Seconds that are left for training of a fit that began at `started`."""
        return None if time_limit is None else self.training_share * (time_limit - (time.time() - started))


class LatentDiffModel(SettingsModel):
    """An encoder whose head is trained again on real and synthetic features of rare targets.

    Hyperparameters are the settings of :class:`~imbllm_autogluon.regression.config.LatentDiffConfig`, without a prefix,
    each a value or a search space of AutoGluon, and ``random_state``. A search that names none looks for λ
    (`error_weight`), `generation_ratio`, `gate_quantile` and `guidance`. `method` chooses a peer on the same encoder.

    A fold of fewer than 20 rows or with one target is answered by its median, and the report says so.

    Examples
    --------
    >>> from autogluon.tabular import TabularPredictor
    >>> portfolio = {"GBM": {}, "LATENT_DIFF": {"n_bins": 20}}
    >>> TabularPredictor("price").fit(table, hyperparameters=portfolio)  # doctest: +SKIP
    """

    ag_key = "LATENT_DIFF"
    ag_name = "LatentDiff"
    ag_priority = -400  # behind the plain models, before the generator
    settings_class = LatentDiffConfig
    training_share = 0.9
    _supported_problem_types = ["regression"]  # noqa: RUF012 - AutoGluon asks for a list
    _default_auxiliary_params_extra = {"valid_raw_types": [R_BOOL, R_INT, R_FLOAT, R_CATEGORY]}  # noqa: RUF012

    @classmethod
    def _class_tags(cls) -> dict[str, Any]:
        return {"reset_torch_threads": True}

    def _get_default_searchspace(self) -> dict[str, Space]:
        usual = LatentDiffConfig().flat()
        method = self.without_spaces(self._user_params).get("method", usual["method"])
        if method != "latent_diff":
            rate = usual["encoder_learning_rate"]
            return {"encoder_learning_rate": Real(rate / 5, 5 * rate, default=rate, log=True)}
        start = {**usual, "generation_ratio": _SEARCH_START}
        return {name: Real(low, high, default=start[name]) for name, (low, high) in _SEARCHED.items()}

    def _get_default_resources(self) -> tuple[int, float]:
        return ResourceManager.get_cpu_count(only_physical_cores=True), 0  # the networks are too small for a GPU

    @classmethod
    def _estimate_memory_usage_static(
        cls, *, X: pd.DataFrame, hyperparameters: dict[str, Any] | None = None, **kwargs: Any
    ) -> int:
        """Roughly: the library, the table, the features of all rows, and layers with their gradients."""
        del kwargs
        config = LatentDiffConfig.from_flat(cls.settings_among(cls.without_spaces(hyperparameters)))
        encoder, diffusion = config.encoder, config.diffusion
        table = 6 * int(get_approximate_df_mem_usage(X).sum())
        features = 8 * 6 * (1 + max(config.allocation.all_ratios)) * len(X) * encoder.feature_size
        weights = 16 * encoder.encoder_folds * (4 * encoder.encoder_depth * encoder.encoder_width**2)
        weights += 16 * (4 * diffusion.denoiser_blocks * diffusion.denoiser_width**2)
        return int(_LIBRARIES + table + features + weights)

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
        threads = num_cpus if isinstance(num_cpus, int) else None
        with skipped_by_autogluon(self.name):
            self.model = self._learned(X, targets, weights, self.time_to_train(time_limit, started), threads)
        self.imbllm_report = {"rows": len(targets), "reason": "", **_summary(self.model)}
        _log.log(15, "\t%s: %s", self.name, self.imbllm_report)

    def _fit_median(self, X: pd.DataFrame, targets: FloatArray, reason: str) -> None:
        """Answer every row by the median, which says nothing of rare targets but fits any fold."""
        from sklearn.dummy import DummyRegressor

        self.model = DummyRegressor(strategy="median").fit(X, targets)
        self.imbllm_report = {"rows": len(targets), "reason": f"{reason}; every answer is the median"}
        _log.log(20, "\t%s: %s.", self.name, self.imbllm_report["reason"])

    def _learned(
        self, X: pd.DataFrame, targets: FloatArray, weights: FloatArray | None, left: float | None, threads: int | None
    ) -> LatentDiffRegressor:
        require_time(left, "torch")
        from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor

        kinds, seed = kinds_of_features(self._feature_metadata, X, read=True), self.random_seed or 0
        model = LatentDiffRegressor(random_state=seed, kinds=kinds, threads=threads, time_limit=left)
        return model.set_params(**self.settings_among(self._get_model_params())).fit(X, targets, sample_weight=weights)


def _summary(model: LatentDiffRegressor) -> dict[str, Any]:
    report = model.report_
    curves: Any = report.curves["encoder"]
    return {
        "method": model.config().imbalance.method,
        "epochs": [len(curve.train) for curve in curves],
        "stopped_by": [curve.stopped for curve in curves],
        "ratio": report.ratio,
        "bins": report.bins.to_dict(orient="list"),
        "seconds": dict(report.seconds),
        "notes": list(report.notes),
    }


def _too_little(targets: FloatArray, X: pd.DataFrame) -> str:
    """Why a fold cannot be learned; empty where it can."""
    if len(targets) < LatentDiffConfig.least_rows:
        return f"the training fold has {len(targets)} rows, and {LatentDiffConfig.least_rows} are needed"
    if targets.min() == targets.max():
        return f"all targets of the training fold are {targets[0]}"
    return "" if X.shape[1] else "the training fold has no usable column"
