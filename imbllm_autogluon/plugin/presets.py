"""Presets of this package for ``TabularPredictor.fit(presets=…)``."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from autogluon.core.callbacks import AbstractCallback

from imbllm_autogluon.errors import InvalidInputError, nearest
from imbllm_autogluon.plugin.callback import RebalanceCallback
from imbllm_autogluon.plugin.ensemble_model import AUX_KWARGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.plugin.hyperparameters import Mode

BASES: Mapping[str, str] = {
    "imbllm_medium": "medium_quality",
    "imbllm_good": "good_quality",
    "imbllm_high": "high_quality",
    "imbllm_best": "best_quality",
    "imbllm_best_v150": "best_quality_v150",
    "imbllm_extreme": "extreme_quality",
}
"""AutoGluon preset behind each of the ready combinations."""

SHARED: Mapping[str, Any] = {
    # Fewer folds where the rarest class has fewer rows than folds.
    "adapt_num_bag_folds_to_n_classes": True,
    # A dynamic-stacking trial fits everything once more on other folds, generators included.
    "dynamic_stacking": False,
    "aux_kwargs": dict(AUX_KWARGS),
}
"""Arguments of every preset here."""

PAPER: Mapping[str, Any] = {
    "backbone": "distilgpt2",
    "clauses": "text",
    "tuning": "full",
    "warmup": "none",
    "held_out": 0.0,
    "epochs": 50,
    "batch_size": 32,
    "learning_rate": 5e-5,
    "temperature": 0.7,
    "interpolation_ratio": 1.0,
    "conditioning": "yx",
    "plausibility": 0.0,
    "target_ratio": 1.0,
}
"""Settings of the paper (arXiv 2510.09783, section 4)."""

TUNING: Mapping[str, Any] = {"num_trials": 10, "top_k": 3}


def presets() -> dict[str, dict[str, Any]]:
    """All presets by name.

    ``imbllm`` is an add-on: it names no portfolio, so it adds twins to the one in use, alone or behind another preset
    (``presets=["best_quality", "imbllm"]``). So are ``imbllm_tuned`` and ``imbllm_paper``. The others are a preset of
    AutoGluon and the add-on in one, because in a list the callbacks of the last preset replace those of the others.
    LatentDiff joins every regression.
    """
    # Twins of a higher level would equal their plain models.
    add_on = {**SHARED, "num_stack_levels": 0}
    return {
        "imbllm": {**add_on, "callbacks": [[RebalanceCallback, {}]]},
        "imbllm_tuned": {**add_on, "callbacks": [[RebalanceCallback, {"tune": dict(TUNING)}]]},
        "imbllm_paper": {**add_on, "callbacks": [[RebalanceCallback, dict(PAPER)]]},
        **{name: make_preset(base) for name, base in BASES.items() if base in _known()},
    }


def make_preset(
    base: str | Mapping[str, Any],
    mode: Mode = "both",
    *,
    max_per_family: int | None = None,
    tune: Mapping[str, Any] | None = None,
    classifier: bool = False,
    latent_diff: bool | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """A preset of AutoGluon with twins: for ``TabularPredictor.fit(presets=[make_preset("high_quality")])``.

    Parameters
    ----------
    base
        Name of a preset of AutoGluon, or one as a mapping. Its callbacks stay.
    mode, max_per_family, tune, classifier, latent_diff, **parameters
        As for :func:`~imbllm_autogluon.plugin.hyperparameters.rebalance_hyperparameters`. With `classifier` free texts
        are handed on as they are, for it alone. LatentDiff joins every regression unless `latent_diff` is False.

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
    options: dict[str, Any] = {
        "mode": mode,
        "max_per_family": max_per_family,
        "tune": tune,
        "classifier": classifier,
        "latent_diff": latent_diff,
        **parameters,
    }
    RebalanceCallback(**options)
    usual = {"mode": "both", "classifier": False}
    given = {n: value for n, value in options.items() if value is not None and (n not in usual or value != usual[n])}
    # A callback that is an object already stays that very object: its owner may ask it for what it saw.
    own = [each if isinstance(each, AbstractCallback) else copy.deepcopy(each) for each in base.get("callbacks") or []]
    rest = {name: value for name, value in base.items() if name != "callbacks"}
    aux_kwargs = {**(base.get("aux_kwargs") or {}), **AUX_KWARGS}
    callbacks = [*own, [RebalanceCallback, given]]
    made = {**copy.deepcopy(rest), **SHARED, "aux_kwargs": aux_kwargs, "callbacks": callbacks}
    return _with_raw_texts(made) if classifier else made


def _with_raw_texts(preset: dict[str, Any]) -> dict[str, Any]:
    """Let free texts through: AutoGluon does so by itself only for models that it knows before callbacks are called."""
    own = preset.get("_feature_generator_kwargs") or {}
    return {**preset, "_feature_generator_kwargs": {"enable_raw_text_features": True, **own}}


def _known() -> dict[str, dict[str, Any]]:
    """AutoGluon's presets by name and alias."""
    from autogluon.tabular.configs.presets_configs import tabular_presets_alias, tabular_presets_dict

    named = {name: preset for name, preset in tabular_presets_dict.items() if not name.startswith("imbllm")}
    return {**named, **{alias: named[name] for alias, name in tabular_presets_alias.items() if name in named}}
