"""Make AutoGluon know the twins and the presets of this package."""

from __future__ import annotations

from autogluon.tabular.configs.presets_configs import tabular_presets_dict
from autogluon.tabular.registry import ag_model_registry

from imbllm_autogluon.plugin.classifier_model import ClassifierModel
from imbllm_autogluon.plugin.ensemble_model import SkilledEnsembleModel
from imbllm_autogluon.plugin.generator_model import GeneratorModel
from imbllm_autogluon.plugin.latent_diff_model import LatentDiffModel
from imbllm_autogluon.plugin.optuna_executor import register_executor
from imbllm_autogluon.plugin.presets import presets
from imbllm_autogluon.plugin.twins import has_twin, twin_of


def register() -> None:
    """Register a twin ``<KEY>_IMB`` of every registered model class, our own models, the searcher and the presets.

    Runs when the package is imported; again is harmless, and picks up model classes registered since.
    """
    for model_class in list(ag_model_registry.model_cls_list):
        if has_twin(model_class) and not ag_model_registry.exists(twin_of(model_class)):
            ag_model_registry.add(twin_of(model_class))
    for model_class in (GeneratorModel, ClassifierModel, LatentDiffModel, SkilledEnsembleModel):
        if not ag_model_registry.exists(model_class):
            ag_model_registry.add(model_class)
    register_executor()
    for name, preset in presets().items():
        tabular_presets_dict.setdefault(name, preset)
