from __future__ import annotations

import typing

import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling import GReaT, ImbLLM
from imbllm_autogluon.oversampling.baselines import BASELINES
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.methods import GENERATORS, generator_class, generator_of
from imbllm_autogluon.oversampling.pred_llm import PredLLMGenerator
from imbllm_autogluon.rebalancing.config import METHODS, Method


def test_every_generator_is_found_by_the_name_of_its_method() -> None:
    assert dict(GENERATORS) == {"imbllm": ImbLLM, "great": GReaT, "pred_llm": PredLLMGenerator}
    assert all(generator_class(name) is GENERATORS[name] for name in GENERATORS)


def test_folds_of_classes_are_rebalanced_by_every_generator_and_every_peer() -> None:
    assert set(METHODS["classification"]) == {*GENERATORS, *BASELINES, "none"}
    assert set(typing.get_args(Method)) == {method for methods in METHODS.values() for method in methods}


def test_settings_choose_the_method_and_its_configuration() -> None:
    generator = generator_of({"method": "great", "steps": 3}, random_state=4, threads=1)
    assert type(generator) is GReaT
    assert generator.config == GeneratorConfig.from_flat({"steps": 3})
    assert (generator.seed, generator.threads) == (4, 1)
    assert type(generator_of({})) is ImbLLM


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"method": "grate"},
            r"method must be one of .*'great', 'pred_llm'; got 'grate' \(did you mean 'great'\?\)",
        ),
        ({"methd": "great"}, r"unknown setting 'methd' \(did you mean 'method'\?\)"),
        ({"method": "great", "stepz": 3}, r"unknown setting 'stepz' \(did you mean 'steps'\?\)"),
    ],
)
def test_what_is_not_known_is_refused_with_the_nearest_name(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        generator_of(settings)
