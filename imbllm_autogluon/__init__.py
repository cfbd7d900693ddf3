"""Language models against class imbalance, inside AutoGluon.

Importing this package registers with AutoGluon: every model key has a rebalanced twin (``GBM`` → ``GBM_IMB``), and
``presets="imbllm"`` adds the twins to a fit. Heavy libraries (torch, transformers) are imported where they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imbllm_autogluon._package import __version__, lazy_names
from imbllm_autogluon.plugin.presets import register

if TYPE_CHECKING:
    from imbllm_autogluon.classification.classifier import LanguageModelClassifier
    from imbllm_autogluon.oversampling.sampler import ImbLLMOverSampler
    from imbllm_autogluon.oversampling.synthesizer import PredLLM
    from imbllm_autogluon.plugin.ensemble import calibrated_probabilities, fit_ensemble
    from imbllm_autogluon.plugin.portfolio import rebalance_hyperparameters
    from imbllm_autogluon.plugin.presets import make_preset
    from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor


__all__ = [
    "ImbLLMOverSampler",
    "LanguageModelClassifier",
    "LatentDiffRegressor",
    "PredLLM",
    "__version__",
    "calibrated_probabilities",
    "fit_ensemble",
    "make_preset",
    "rebalance_hyperparameters",
    "register",
]

_LAZY = {
    "ImbLLMOverSampler": "imbllm_autogluon.oversampling.sampler",
    "LanguageModelClassifier": "imbllm_autogluon.classification.classifier",
    "LatentDiffRegressor": "imbllm_autogluon.regression.latent_diff",
    "PredLLM": "imbllm_autogluon.oversampling.synthesizer",
    "calibrated_probabilities": "imbllm_autogluon.plugin.ensemble",
    "fit_ensemble": "imbllm_autogluon.plugin.ensemble",
    "make_preset": "imbllm_autogluon.plugin.presets",
    "rebalance_hyperparameters": "imbllm_autogluon.plugin.portfolio",
}

__getattr__ = lazy_names(__name__, _LAZY)

register()
