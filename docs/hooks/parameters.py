"""The page of parameters, from the configuration classes: the same words that ``help()`` shows."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from roles import linked

from imbllm_autogluon._config import classes_of, parameters_of
from imbllm_autogluon.classification.config import ClassifierConfig
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.plugin.parameters import StageConfig, TuningOptions, TwinOptions
from imbllm_autogluon.rebalancing.config import RebalanceConfig
from imbllm_autogluon.regression.config import LatentDiffConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imbllm_autogluon._config import Parameter

READERS: dict[str, tuple[type[Any], ...]] = {
    "Twins of AutoGluon's models": (StageConfig, RebalanceConfig),
    "`ImbLLMOverSampler`, `PredLLM`": (GeneratorConfig,),
    "`LanguageModelClassifier`, `IMBLLM_CLF`": (ClassifierConfig,),
    "`LatentDiffRegressor`, `LATENT_DIFF`": (LatentDiffConfig,),
    "`rebalance_hyperparameters`, `make_preset`, `RebalanceCallback`": (TwinOptions,),
    "Tuning inside a fit": (TuningOptions,),
}
"""Who reads which configurations."""

INTRODUCTION = """\
# Parameters

Every parameter stands here once, under the configuration class that declares and checks it: what it may be, its default
and its meaning. `help()` of a class shows the same text. An unknown name is refused, and the nearest one is suggested.

- A **twin** takes them as hyperparameters with the prefix `ag.imbllm.`, such as `{"ag.imbllm.temperature": 1.0}`;
  `rebalance_hyperparameters` and `make_preset` take them by their names alone.
- **Estimators** (the sampler, the classifier, LatentDiff) take those of their signature as keywords, the others in one
  mapping: `LanguageModelClassifier(steps=200, settings={"max_bins": 16})`. `set_params` takes all by name.
- The **command line** takes them as `--setting name=value`.
- `PredLLM` and the generators take a `GeneratorConfig`: `GeneratorConfig.from_flat({"temperature": 1.0})`.

"""


def page() -> str:
    """The page as Markdown."""
    sections = "\n".join(_section(config_class) for config_class in documented_classes())
    return INTRODUCTION + _readers() + "\n" + sections


def documented_classes() -> tuple[type[Any], ...]:
    """All configuration classes, each once."""
    return tuple(dict.fromkeys(one for classes in READERS.values() for one in _with_parts(classes)))


def _with_parts(classes: tuple[type[Any], ...]) -> Iterator[type[Any]]:
    for config_class in classes:
        yield from classes_of(config_class)


def _readers() -> str:
    rows = ["| read by | classes |", "| --- | --- |"]
    for reader, classes in READERS.items():
        links = ", ".join(f"[{one.__name__}](#{_path(one)})" for one in _with_parts(classes))
        rows.append(f"| {reader} | {links} |")
    return "\n".join(rows) + "\n"


def _section(config_class: type[Any]) -> str:
    summary = linked(_first_paragraph(config_class), _path(config_class))
    parameters = "\n".join(_parameter(config_class, one) for one in parameters_of(config_class))
    return f"## {config_class.__name__} {{ #{_path(config_class)} }}\n\n{summary}\n\n{parameters}"


def _parameter(config_class: type[Any], one: Parameter) -> str:
    anchor = f"{_path(config_class)}.{one.name}"
    return (
        f'<div class="parameter" id="{anchor}" markdown>\n'
        f"[`{one.name}`](#{anchor}) "
        f'<span class="allowed">{html.escape(one.allowed, quote=False)}, default {html.escape(one.default)}</span>\n\n'
        f"{linked(one.meaning, anchor)}\n"
        "</div>\n"
    )


def _first_paragraph(config_class: type[Any]) -> str:
    return " ".join(str(config_class.__doc__).split("\n\n")[0].split())


def _path(config_class: type[Any]) -> str:
    return f"{config_class.__module__}.{config_class.__name__}"
