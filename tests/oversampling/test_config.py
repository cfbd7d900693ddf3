from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imbllm_autogluon.classification.config import DebiasingConfig
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.oversampling import ConditioningConfig, GeneratorConfig, InterpolationConfig, QueryConfig
from imbllm_autogluon.oversampling.config import FilterConfig, TextConfig


def test_no_setting_occurs_in_two_parts() -> None:
    keys = GeneratorConfig.flat_keys()
    assert len(set(keys)) == len(keys)
    parts = (
        InterpolationConfig, ConditioningConfig, QueryConfig, FilterConfig, DebiasingConfig,
        LanguageConfig, TextConfig,
    )  # fmt: skip
    assert set(keys) == {key for part in parts for key in part.flat_keys()}


def test_flat_settings_land_in_their_part_and_come_back() -> None:
    settings = {"interpolation": "adaptive", "condition_pairs": 3, "temperature": 1.5, "k_neighbors": 7}
    config = GeneratorConfig.from_flat(settings)
    assert config.interpolation == InterpolationConfig(interpolation="adaptive", k_neighbors=7)
    assert config.conditioning == ConditioningConfig(condition_pairs=3)
    assert config.language == LanguageConfig(temperature=1.5)
    assert config.flat() == {**GeneratorConfig().flat(), **settings}
    assert GeneratorConfig.from_flat(config.flat()) == config


def test_no_settings_are_the_defaults() -> None:
    assert GeneratorConfig.from_flat({}) == GeneratorConfig()


def test_numpy_numbers_are_accepted_and_made_plain() -> None:
    assert type(GeneratorConfig.from_flat({"steps": np.int64(3)}).language.steps) is int
    prior = GeneratorConfig.from_flat({"target_prior": {np.int64(1): np.float32(0.5)}}).measures.target_prior
    assert isinstance(prior, dict)
    assert [(type(label), type(share)) for label, share in prior.items()] == [(int, float)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temprature": 1}, r"unknown setting 'p\.temprature' \(did you mean 'temperature'\?\)"),
        ({"interpolation_ratio": 10.5}, r"interpolation_ratio must be a number between 0\.0 and 10\.0; got 10\.5"),
        ({"categories": "drop"}, r"categories must be one of 'keep', 'neighbour', 'vote'; got 'drop'"),
        ({"interpolated_clauses": "none"}, r"interpolated_clauses must be one of 'all', 'continuous'; got 'none'"),
        ({"k_neighbors": 0}, r"k_neighbors must be a whole number between 1 and 1000; got 0"),
        ({"answer": "first"}, r"answer must be one of 'sampled', 'highest'; got 'first'"),
        ({"candidates_per_row": 0.5}, r"candidates_per_row must be a number between 1\.0 and 10000\.0; got 0\.5"),
        ({"weighting": "inverted"}, r"weighting must be one of .*did you mean 'inverse'"),
        ({"layers": 99}, r"layers must be a whole number between 1 and 24; got 99"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        GeneratorConfig.from_flat(settings, prefix="p.")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("near_copies", value) for value in (-0.1, 0.6, "0.1", True)),
        ("plausibility", float("nan")),
        ("plausibility", 2),
    ],
)
def test_filters_take_shares(name: str, value: object) -> None:
    with pytest.raises(InvalidInputError, match=name):
        GeneratorConfig.from_flat({name: value})
