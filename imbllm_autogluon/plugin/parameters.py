"""The ``ag.imbllm.*`` parameters of a twin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from autogluon.common.space import Space

from imbllm_autogluon._config import Config, current_names, documented, refuse_unknown_keys
from imbllm_autogluon.rebalancing.config import RebalanceConfig

AUX_PREFIX = "imbllm."
"""AutoGluon hands ``ag.imbllm.temperature`` to a model as the auxiliary parameter ``imbllm.temperature``."""

StackPolicy = Literal["off", "copy", "duplicate"]


@documented
@dataclass(frozen=True)
class StageConfig(Config):
    """What a twin does with a rebalanced fold, and around it."""

    prior_correction: Literal["auto", "prior", "holdout", "none"] = "auto"
    """`prior` divides the changed class shares out of the probabilities; `holdout` finds the factors that make the
    validation rows of the fold most likely, starting from these. `auto` is `prior` except for multiclass class
    metrics (balanced accuracy, macro F1 …): AutoGluon tunes no threshold there, and a correction would undo the
    rebalancing. Not read for regression."""

    stack: StackPolicy = "off"
    """Models of a higher level see out-of-fold predictions of the lower one, which no written row has. `off`: they
    learn from real rows only. `copy`: a written row gets the predictions of a real row of its class, or bin of the
    target. `duplicate`: real rows are repeated instead of written ones."""

    stopping: Literal["eval_metric", "default"] = "eval_metric"
    """Metric that ends training early. AutoGluon stops some models on log-loss whatever the metric, which is misleading
    where the shares of the classes differ between training and validation rows; `eval_metric` stops on the fit's own
    metric."""

    raw_view: bool = True
    """Whether the generator sees the original texts, dates and labels instead of AutoGluon's codes, where the folder of
    the predictor tells them."""

    cache_dir: str | None = None
    """Folder of the shared generators. Default: ``utils/imbllm`` in the predictor's folder; memory where a model
    belongs to no predictor."""


@dataclass(frozen=True)
class TwinParameters:
    """Everything a twin is told about its rebalancing."""

    stage: StageConfig = field(default_factory=StageConfig)
    rebalancing: RebalanceConfig = field(default_factory=RebalanceConfig)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all parameters, without ``ag.imbllm.``."""
        return (*StageConfig.flat_keys(), *RebalanceConfig.flat_keys())

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> TwinParameters:
        """Build the parameters from a mapping without prefixes.

        Raises
        ------
        InvalidInputError
            A key is unknown (the nearest known one is suggested), or a value is not allowed.
        """
        prefix = "ag." + AUX_PREFIX
        values = current_names(values, StageConfig, RebalanceConfig, prefix=prefix)
        refuse_unknown_keys(values, cls.names(), prefix=prefix)
        stage_keys = StageConfig.flat_keys()
        return cls(
            StageConfig.from_flat({k: v for k, v in values.items() if k in stage_keys}),
            RebalanceConfig.from_flat({k: v for k, v in values.items() if k not in stage_keys}),
        )

    @classmethod
    def from_aux(cls, params_aux: Mapping[str, Any]) -> TwinParameters:
        """Build the parameters from a model's auxiliary parameters; those of others are ignored."""
        return cls.from_flat(own_settings(params_aux))


def own_settings(params_aux: Mapping[str, Any]) -> dict[str, Any]:
    """Settings among a model's auxiliary parameters, without their prefix; a search space stands for its default."""
    own = {
        key[len(AUX_PREFIX) :]: value.default if isinstance(value, Space) else value
        for key, value in params_aux.items()
        if str(key).startswith(AUX_PREFIX)
    }
    return current_names(own, StageConfig, RebalanceConfig, prefix="ag." + AUX_PREFIX)


def search_spaces(params_aux: Mapping[str, Any]) -> dict[str, Any]:
    """Search spaces among a model's ``imbllm.*`` auxiliary parameters, under their names as hyperparameters."""
    return {
        f"ag.{key}": value
        for key, value in params_aux.items()
        if str(key).startswith(AUX_PREFIX) and isinstance(value, Space)
    }
