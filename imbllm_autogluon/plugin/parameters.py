"""The ``ag.imbllm.*`` parameters of a twin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from imbllm_autogluon.configuration import (
    from_mapping,
    known_keys,
    refuse_unknown_keys,
    require_choices,
    require_number,
)
from imbllm_autogluon.oversampling.config import ImbLLMConfig

AUX_PREFIX = "imbllm."
"""AutoGluon hands ``ag.imbllm.temperature`` to a model as the auxiliary parameter ``imbllm.temperature``."""

SAMPLING_KEYS = ("conditioning", "condition_pairs", "temperature", "precision", "generation_batch")
"""Settings that change the rows a trained generator writes, but not the generator."""


@dataclass(frozen=True)
class StageConfig:
    """How far a fold is rebalanced, and what follows from it."""

    target_ratio: float = 1.0
    """Rows of each rarer class afterwards, as a share of the largest class (above 0, up to 1). A class that already
    has that share is left as it is."""

    balanced_below: float = 1.5
    """Largest class over smallest class under which a fold counts as balanced and is left alone (1 to 1000)."""

    max_growth: float = 4.0
    """Rows afterwards over rows before, at most (1 to 100); new rows of all classes are cut in proportion."""

    prior_correction: Literal["auto", "prior", "none"] = "auto"
    """`prior` divides the changed class shares out of the probabilities. `auto` does so except for multiclass class
    metrics (balanced accuracy, macro F1 …): AutoGluon tunes no threshold there, and a correction would undo the
    rebalancing."""

    random_state: int = 0
    """Seed of the generators (0 to 2**32 - 1); all families of a fold share one generator, so it is not AutoGluon's
    per-fold model seed."""

    cache_dir: str | None = None
    """Folder of the shared generators. Default: ``utils/imbllm`` in the predictor's folder; memory where a model
    belongs to no predictor."""

    def __post_init__(self) -> None:
        require_choices(self)
        require_number("target_ratio", self.target_ratio, 1e-6, 1.0)
        require_number("balanced_below", self.balanced_below, 1.0, 1000.0)
        require_number("max_growth", self.max_growth, 1.0, 100.0)
        require_number("random_state", self.random_state, 0, 2**32 - 1, whole=True)


@dataclass(frozen=True)
class TwinParameters:
    """Everything a twin is told about its rebalancing."""

    stage: StageConfig = field(default_factory=StageConfig)
    generator: ImbLLMConfig = field(default_factory=ImbLLMConfig)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all parameters, without ``ag.imbllm.``."""
        return (*known_keys(StageConfig), *ImbLLMConfig.flat_keys())

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> TwinParameters:
        """Build the parameters from a mapping without prefixes.

        Raises
        ------
        InvalidInputError
            A key is unknown (the nearest known one is suggested), or a value is not allowed.
        """
        refuse_unknown_keys(values, cls.names(), prefix="ag." + AUX_PREFIX)
        stage_keys = known_keys(StageConfig)
        return cls(
            from_mapping(StageConfig, {k: v for k, v in values.items() if k in stage_keys}),
            ImbLLMConfig.from_flat({k: v for k, v in values.items() if k not in stage_keys}),
        )

    @classmethod
    def from_aux(cls, params_aux: Mapping[str, Any]) -> TwinParameters:
        """Build the parameters from a model's auxiliary parameters; those of others are ignored."""
        own = {k[len(AUX_PREFIX) :]: v for k, v in params_aux.items() if str(k).startswith(AUX_PREFIX)}
        return cls.from_flat(own)

    def training_settings(self) -> dict[str, Any]:
        """Settings that decide what the generator learns: with the fold's rows, its identity."""
        flat = self.generator.flat()
        return {**{k: v for k, v in flat.items() if k not in SAMPLING_KEYS}, "random_state": self.stage.random_state}

    def sampling_settings(self) -> dict[str, Any]:
        """Settings that decide what rows a trained generator writes."""
        flat = self.generator.flat()
        return {key: flat[key] for key in SAMPLING_KEYS}
