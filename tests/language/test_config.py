from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language import LanguageConfig


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("backbone", "gpt5", r"backbone must be one of 'compact'; got 'gpt5'"),
        ("layers", 0, r"layers must be a whole number between 1 and 24; got 0"),
        ("layers", 2.5, r"layers must be a whole number between 1 and 24; got 2\.5"),
        ("width", 8, r"width must be a whole number between 16 and 1024; got 8"),
        ("width", 40, r"width must be a multiple of 16; got 40"),
        ("numbers", "bin", r"numbers must be one of 'bins', 'digits'; got 'bin' \(did you mean 'bins'\?\)"),
        ("max_bins", 1, r"max_bins must be a whole number between 2 and 1024; got 1"),
        ("order", "fix_x", r"order must be one of 'fix_y', 'permute_x', 'permute_xy'; got 'fix_x'"),
        ("warmup", True, r"warmup must be one of 'fold', 'none'; got True"),
        ("warmup_steps", -1, r"warmup_steps must be a whole number between 0 and 1000000; got -1"),
        ("steps", "9", r"steps must be a whole number between 0 and 1000000; got '9'"),
        ("batch_size", 0, r"batch_size must be a whole number between 1 and 65536; got 0"),
        ("learning_rate", 0.0, r"learning_rate must be a number between 1e-12 and 1\.0; got 0\.0"),
        ("time_limit", -1, r"time_limit must be a number at least 0\.0; got -1"),
        ("temperature", 0, r"temperature must be a number between 0\.01 and 100\.0; got 0"),
        ("generation_batch", 0, r"generation_batch must be a whole number between 1 and 1000000; got 0"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name_with_what_is_allowed(key: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        LanguageConfig(**{key: value})


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"layers": 24, "width": 1024},
        {"width": 16, "steps": 0, "warmup_steps": 0},
        {"time_limit": 0},
        {"time_limit": 2.5},
    ],
)
def test_values_at_the_limits_are_accepted(settings: dict[str, Any]) -> None:
    config = LanguageConfig(**settings)
    assert {key: getattr(config, key) for key in settings} == settings


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        LanguageConfig().steps = 3  # type: ignore[misc]
