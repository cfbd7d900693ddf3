"""The generators by the name of their method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imbllm_autogluon._config import current_names, refuse_unknown_keys, require_choice
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.great import GReaT
from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.oversampling.pred_llm_generator import PredLLMGenerator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.oversampling.generator import LanguageGenerator
    from imbllm_autogluon.randomness import RandomState

GENERATORS: Mapping[str, type[LanguageGenerator]] = {
    generator.method: generator for generator in (ImbLLM, GReaT, PredLLMGenerator)
}
"""Every method whose rows a language model writes."""


def generator_class(method: str) -> type[LanguageGenerator]:
    """Class of a method's generators.

    Raises
    ------
    InvalidInputError
        There is no such method.

    Examples
    --------
    >>> generator_class("great").__name__
    'GReaT'
    """
    require_choice("method", method, tuple(GENERATORS))
    return GENERATORS[method]


def generator_of(
    settings: Mapping[str, Any], *, random_state: RandomState = None, threads: int | None = None
) -> LanguageGenerator:
    """An unfitted generator from flat settings.

    Parameters
    ----------
    settings
        ``method`` (default ``"imbllm"``), and settings of
        :class:`~imbllm_autogluon.oversampling.config.GeneratorConfig` by their flat names.
    random_state, threads
        See :class:`~imbllm_autogluon.oversampling.generator.LanguageGenerator`.

    Raises
    ------
    InvalidInputError
        A setting is unknown (the nearest known one is suggested), or a value is not allowed.
    """
    settings = current_names(settings, GeneratorConfig)
    refuse_unknown_keys(settings, ("method", *GeneratorConfig.flat_keys()))
    own = {key: value for key, value in settings.items() if key != "method"}
    chosen = generator_class(settings.get("method", ImbLLM.method))
    return chosen(GeneratorConfig.from_flat(own), random_state=random_state, threads=threads)
