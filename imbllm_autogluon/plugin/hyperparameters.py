"""Add twins to a portfolio of AutoGluon (its ``hyperparameters``)."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from imbllm_autogluon._config import require_choice, require_number
from imbllm_autogluon.oversampling.methods import GENERATORS
from imbllm_autogluon.plugin.classifier_model import KEY as CLASSIFIER_KEY
from imbllm_autogluon.plugin.generator_model import KEY as GENERATOR_KEY
from imbllm_autogluon.plugin.latent_diff_model import KEY as LATENT_DIFF_KEY
from imbllm_autogluon.plugin.parameters import AUX_PREFIX, TwinParameters
from imbllm_autogluon.plugin.tuning_options import SEARCHER, TuningOptions
from imbllm_autogluon.plugin.twins import has_twin, twin_of
from imbllm_autogluon.rebalancing import RebalanceConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    Portfolio = dict[Any, Any]

Mode = Literal["both", "only"]

SHARED_WITH_LATENT_DIFF = ("n_bins", "bins")
"""Parameters of the twins that LatentDiff has too: which targets are rare is one question."""

BEHIND_PLAIN = 0.5
"""How far a twin's priority lies below its plain model's: it is fitted right after it."""


def rebalance_hyperparameters(
    hyperparameters: Mapping[Any, Any] | str,
    *,
    mode: Mode = "both",
    max_per_family: int | None = None,
    tune: Mapping[str, Any] | None = None,
    classifier: bool = False,
    latent_diff: bool | None = None,
    **parameters: Any,
) -> Portfolio:
    """Add a twin to every model of a portfolio, or replace every model by its twin.

    The generator joins them as a model of its own, ``IMBLLM``, that is fitted first.

    Parameters
    ----------
    hyperparameters
        As for ``TabularPredictor.fit``: the name of a portfolio, or a mapping of keys or classes to configurations,
        by level or not. Never modified.
    mode
        ``"both"`` keeps the plain models, ``"only"`` drops those that have a twin.
    max_per_family
        At most so many twins of one key; `None`: one for every configuration.
    tune
        Options of :class:`~imbllm_autogluon.plugin.tuning_options.TuningOptions`: every twin is tuned together with its
        rebalancing. `None`: none is.
    classifier
        Whether the language model as a classifier, ``IMBLLM_CLF``, joins the models of the first level; with `tune` it
        is tuned as well. For classes only.
    latent_diff
        Whether LatentDiff, ``LATENT_DIFF``, joins the models of the first level, with the bins of the twins; with
        `tune` it is tuned as well. For regression only. `None`: presets add it wherever the problem is a regression;
        here, where the problem is not known, it is not added.
    **parameters
        Parameters of the twins without ``ag.imbllm.``, such as ``temperature=1.0``.

    Raises
    ------
    InvalidInputError
        A parameter is unknown or its value not allowed.

    Examples
    --------
    >>> from imbllm_autogluon.plugin import rebalance_hyperparameters
    >>> sorted(rebalance_hyperparameters({"GBM": {}}, temperature=1.0).items())
    [('GBM', {}), ('GBM_IMB', [{'ag.imbllm.temperature': 1.0}]), ('IMBLLM', [{'ag.imbllm.temperature': 1.0}])]
    """
    require_choice("mode", mode, ("both", "only"))
    require_choice("classifier", classifier, (True, False))
    require_choice("latent_diff", latent_diff, (True, False, None))
    if max_per_family is not None:
        require_number("max_per_family", max_per_family, 1, whole=True)
    checked = TwinParameters.from_flat(parameters)
    methods: tuple[str, ...] = (checked.rebalancing.method,)
    if tune is not None:
        # `of` gives options for our own searcher, always.
        options = TuningOptions.of({**tune, "searcher": SEARCHER}) or TuningOptions()
        methods = options.any_space(parameters).method
    if isinstance(hyperparameters, str):
        from autogluon.tabular.configs.hyperparameter_configs import get_hyperparameter_config

        portfolio: Portfolio = get_hyperparameter_config(hyperparameters)
    else:
        portfolio = copy.deepcopy(dict(hyperparameters))
    own = {f"ag.{AUX_PREFIX}{name}": value for name, value in parameters.items()}
    twins = _Twins(mode, max_per_family, own, tune, _of_generator(own, methods))
    added = {CLASSIFIER_KEY: [_tuned({}, tune)]} if classifier else {}
    if latent_diff:
        bins = {name: parameters[name] for name in SHARED_WITH_LATENT_DIFF if name in parameters}
        added[LATENT_DIFF_KEY] = [_tuned(bins, tune)]
    if not _by_level(portfolio):
        return {**added, **twins.added_to(portfolio)}
    stacked = checked.stage.stack != "off"
    first = 1 if 1 in portfolio else "default"
    # Without a stack policy, stacked twins would learn from real rows only, just as their plain models do.
    by_level = {
        level: twins.added_to(models) if stacked or level == first else models for level, models in portfolio.items()
    }
    return {**by_level, first: {**added, **by_level[first]}} if first in by_level else by_level


@dataclass(frozen=True)
class _Twins:
    """Which twins join one level of a portfolio, and how they are configured."""

    mode: Mode
    most: int | None
    parameters: dict[str, Any]
    """Hyperparameters of all twins."""

    tune: Mapping[str, Any] | None
    generator: dict[str, Any] | None
    """Hyperparameters of the generator; None: no twin needs one."""

    def added_to(self, models: Portfolio) -> Portfolio:
        """Twins behind or instead of the plain models, and the generator."""
        result: Portfolio = {}
        twin_keys = []
        for key, configs in models.items():
            plain = _model_class(key)
            if plain is None or not has_twin(plain):
                result[key] = configs
                continue
            if self.mode == "both":
                result[key] = configs
            twin_key = twin_of(plain).ag_key if isinstance(key, str) else twin_of(plain)
            if twin_key not in models:
                listed = configs if isinstance(configs, list) else [configs]
                result[twin_key] = [self._configured(config) for config in listed[: self.most]]
                twin_keys.append(twin_key)
        if twin_keys and self.generator is not None and GENERATOR_KEY not in models:
            result[GENERATOR_KEY] = [dict(self.generator)]
        return result

    def _configured(self, config: Any) -> Any:
        """Configuration of a twin: the plain one's, without its out-of-bag shortcut, fitted right after it."""
        if not isinstance(config, dict):
            return config
        config = copy.deepcopy(config)
        config.pop("ag.ens.use_child_oof", None)
        for name in ("ag_args_ensemble", "ag_args"):
            if isinstance(config.get(name), dict):
                config[name].pop("use_child_oof", None)
        if isinstance(config.get("ag_args"), dict) and "priority" in config["ag_args"]:
            config["ag_args"]["priority"] -= BEHIND_PLAIN
        return {**_tuned(config, self.tune), **self.parameters}


def _tuned(config: dict[str, Any], tune: Mapping[str, Any] | None) -> dict[str, Any]:
    """Configuration of a model with a search of its own, if there is to be one."""
    if tune is None:
        return config
    tuning = {"searcher": SEARCHER, "scheduler": "local", **tune}
    return {**config, "ag_args": {**config.get("ag_args", {}), "hyperparameter_tune_kwargs": tuning}}


def _of_generator(parameters: dict[str, Any], methods: tuple[str, ...]) -> dict[str, Any] | None:
    """Hyperparameters of the generator, by the first of the methods that trains one; None where none does."""
    method = next((method for method in methods if method in GENERATORS), None)
    if method is None:
        return None
    return parameters if method == RebalanceConfig().method else {**parameters, f"ag.{AUX_PREFIX}method": method}


def _model_class(key: Any) -> type[Any] | None:
    """Class behind a key of a portfolio; `None` for keys that AutoGluon does not know."""
    from autogluon.tabular.registry import ag_model_registry

    if isinstance(key, type):
        return key
    found: type[Any] | None = ag_model_registry.key_to_cls_map().get(key)
    return found


def _by_level(portfolio: Portfolio) -> bool:
    return bool(portfolio) and all(isinstance(key, int) or key == "default" for key in portfolio)
