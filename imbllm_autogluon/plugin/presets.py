"""Presets of this package for ``TabularPredictor.fit(presets=…)``, and its registration with AutoGluon."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from autogluon.core.callbacks import AbstractCallback

from imbllm_autogluon._config import list_settings
from imbllm_autogluon.errors import InvalidInputError, nearest
from imbllm_autogluon.plugin.classifier_model import ClassifierModel
from imbllm_autogluon.plugin.ensemble import AUX_KWARGS, SkilledEnsembleModel
from imbllm_autogluon.plugin.fit_hooks import keep_hooks
from imbllm_autogluon.plugin.models import GeneratorModel, LatentDiffModel
from imbllm_autogluon.plugin.parameters import TwinOptions, TwinParameters
from imbllm_autogluon.plugin.portfolio import RebalanceCallback
from imbllm_autogluon.plugin.tuning import OptunaHpoExecutor
from imbllm_autogluon.plugin.twins import has_twin, twin_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# AutoGluon preset behind each of the ready combinations.
_BASES: Mapping[str, str] = {
    "imbllm_medium": "medium_quality",
    "imbllm_good": "good_quality",
    "imbllm_high": "high_quality",
    "imbllm_best": "best_quality",
    "imbllm_best_v150": "best_quality_v150",
    "imbllm_extreme": "extreme_quality",
}
# Arguments of every preset here.
_SHARED: Mapping[str, Any] = {
    # A dynamic-stacking trial fits everything once more on other folds, generators included.
    "dynamic_stacking": False,
    "aux_kwargs": dict(AUX_KWARGS),
}
# Settings of the paper (arXiv 2510.09783, section 4).
_PAPER: Mapping[str, Any] = {
    "method": "imbllm", "backbone": "distilgpt2", "clauses": "text", "tuning": "full", "pretrain": "none",
    "validation_fraction": 0.0, "epochs": 50, "batch_size": 32, "learning_rate": 5e-5, "temperature": 0.7,
    "interpolation_ratio": 1.0, "conditioning": "yx", "plausibility": 0.0, "target_ratio": 1.0,
}  # fmt: skip
_TUNING: Mapping[str, Any] = {"num_trials": 10, "top_k": 3}


def presets() -> dict[str, dict[str, Any]]:
    """All presets by name.

    ``imbllm``, ``imbllm_tuned`` and ``imbllm_paper`` are add-ons: they name no portfolio, so they add twins to the one
    in use, alone or behind another preset (``presets=["best_quality", "imbllm"]``). The others are a preset of
    AutoGluon and the add-on in one: in a list the callbacks of the last preset replace those of the others, but for
    ours, which also stay beside a fit's own ``callbacks``.
    """
    # Twins of a higher level would equal their plain models.
    add_on = {**_SHARED, "num_stack_levels": 0}
    return {
        "imbllm": {**add_on, "callbacks": [[RebalanceCallback, {}]]},
        "imbllm_tuned": {**add_on, "callbacks": [[RebalanceCallback, {"tune": dict(_TUNING)}]]},
        "imbllm_paper": {**add_on, "callbacks": [[RebalanceCallback, dict(_PAPER)]]},
        **{name: make_preset(base) for name, base in _BASES.items() if base in _known()},
    }


@list_settings(TwinOptions, TwinParameters, where="**options", but="parameters")
def make_preset(base: str | Mapping[str, Any], mode: str = "both", **options: Any) -> dict[str, Any]:
    """A preset of AutoGluon with twins: for ``TabularPredictor.fit(presets=[make_preset("high_quality")])``.

    Parameters
    ----------
    base
        Name of a preset of AutoGluon, or one as a mapping. Its callbacks stay.
    mode : {"both", "only"}, default="both"
        ``"both"`` keeps the plain models, ``"only"`` drops those that have a twin.
    **options
        As for :func:`~imbllm_autogluon.plugin.portfolio.rebalance_hyperparameters`. LatentDiff joins every regression
        unless `latent_diff` is False.

    Raises
    ------
    InvalidInputError
        There is no such preset, or a parameter is not allowed.

    Examples
    --------
    >>> from imbllm_autogluon import make_preset
    >>> preset = make_preset("good_quality", temperature=1.0)
    >>> preset["auto_stack"], preset["dynamic_stacking"]
    (True, False)
    """
    if isinstance(base, str):
        known = _known()
        if base not in known:
            names = ", ".join(sorted(known))
            raise InvalidInputError(f"unknown preset {base!r}{nearest(base, known)}; AutoGluon has: {names}.")
        base = known[base]
    chosen = TwinOptions.from_keywords({"mode": mode, **options})
    # A callback that is an object already stays that very object: its owner may ask it for what it saw.
    own = [each if isinstance(each, AbstractCallback) else copy.deepcopy(each) for each in base.get("callbacks") or []]
    made = {
        **copy.deepcopy({name: value for name, value in base.items() if name != "callbacks"}),
        **_SHARED,
        "aux_kwargs": {**(base.get("aux_kwargs") or {}), **AUX_KWARGS},
        "callbacks": [*own, [RebalanceCallback, chosen.keywords()]],
    }
    if chosen.classifier or chosen.checked_parameters.rebalancing.generator.asks_for_texts:
        # AutoGluon lets free texts through by itself only for models that it knows before callbacks are called.
        made["_feature_generator_kwargs"] = {
            "enable_raw_text_features": True,
            **(made.get("_feature_generator_kwargs") or {}),
        }
    return made


def _known() -> dict[str, dict[str, Any]]:
    """AutoGluon's presets by name and alias."""
    from autogluon.tabular.configs.presets_configs import tabular_presets_alias, tabular_presets_dict

    named = {name: preset for name, preset in tabular_presets_dict.items() if not name.startswith("imbllm")}
    return {**named, **{alias: named[name] for alias, name in tabular_presets_alias.items() if name in named}}


def register() -> None:
    """Register a twin ``<KEY>_IMB`` of every registered model class, our own models, the searcher and the presets.

    Runs when the package is imported; again is harmless, and picks up model classes registered since.
    """
    from autogluon.tabular.configs.presets_configs import tabular_presets_dict
    from autogluon.tabular.registry import ag_model_registry

    twins = [twin_of(model_class) for model_class in list(ag_model_registry.model_cls_list) if has_twin(model_class)]
    for model_class in (*twins, GeneratorModel, ClassifierModel, LatentDiffModel, SkilledEnsembleModel):
        if not ag_model_registry.exists(model_class):
            ag_model_registry.add(model_class)
    OptunaHpoExecutor.register()
    for name, preset in presets().items():
        tabular_presets_dict.setdefault(name, preset)
    keep_hooks()
