"""The settings of a language model: what is refused, and what the backbone decides."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language import LanguageConfig
from imbllm_autogluon.language.config import OWN_DEFAULTS


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("backbone", "", r"backbone must be 'compact', 'smollm2', a Hub id or a folder; got ''"),
        ("backbone", None, r"backbone must be 'compact', 'smollm2', a Hub id or a folder; got None"),
        ("backbone", 3, r"backbone must be 'compact', 'smollm2', a Hub id or a folder; got 3"),
        ("clauses", "texts", r"clauses must be one of 'text', 'tokens', None; got 'texts' \(did you mean 'text'\?\)"),
        ("layers", 0, r"layers must be a whole number between 1 and 24; got 0"),
        ("layers", 2.5, r"layers must be a whole number between 1 and 24; got 2\.5"),
        ("width", 8, r"width must be a whole number between 16 and 1024; got 8"),
        ("width", 40, r"width must be a multiple of 16; got 40"),
        ("numbers", "bin", r"numbers must be one of 'bins', 'digits', None; got 'bin' \(did you mean 'bins'\?\)"),
        ("max_bins", 1, r"max_bins must be a whole number between 2 and 1024; got 1"),
        ("order", "fix_x", r"order must be one of 'fix_y', 'permute_x', 'permute_xy', None; got 'fix_x'"),
        ("tuning", "Lora", r"tuning must be one of 'full', 'lora', 'top_blocks', None; got 'Lora'"),
        ("lora_rank", 0, r"lora_rank must be a whole number between 1 and 1024; got 0"),
        ("top_blocks", 0, r"top_blocks must be a whole number between 1 and 1000; got 0"),
        ("warmup", True, r"warmup must be one of 'fold', 'none', None; got True"),
        ("warmup_steps", -1, r"warmup_steps must be a whole number between 0 and 1000000; got -1"),
        ("steps", "9", r"steps must be a whole number between 0 and 1000000; got '9'"),
        ("epochs", 0, r"epochs must be a number above 0.0 and at most 10000.0; got 0"),
        ("epochs", 10_001, r"epochs must be a number above 0.0 and at most 10000.0; got 10001"),
        ("epochs", "5", r"epochs must be a number above 0.0 and at most 10000.0; got '5'"),
        ("epochs", float("nan"), r"epochs must be a number above 0.0 and at most 10000.0; got nan"),
        ("batch_size", 0, r"batch_size must be a whole number between 1 and 65536; got 0"),
        ("micro_batch", 0, r"micro_batch must be a whole number between 1 and 65536; got 0"),
        ("learning_rate", 0.0, r"learning_rate must be a number above 0.0 and at most 1\.0; got 0\.0"),
        ("held_out", 0.6, r"held_out must be a number between 0\.0 and 0\.5; got 0\.6"),
        ("patience", 0, r"patience must be a whole number between 1 and 1000; got 0"),
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
        {"held_out": 0},
        {"held_out": 0.5, "patience": 1},
        {"backbone": "anything/at-all", "revision": "main", "tuning": "top_blocks", "top_blocks": 1000},
        {"backbone": "./a folder", "clauses": "text", "numbers": "digits", "micro_batch": 1},
        {"backbone": "compact_masked"},
        {"epochs": 10_000},
        {"epochs": 0.01, "steps": 0},
    ],
)
def test_values_at_the_limits_are_accepted(settings: dict[str, Any]) -> None:
    config = LanguageConfig(**settings)
    assert {key: getattr(config, key) for key in settings} == settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"clauses": "text"}, r"clauses='text' needs a pretrained backbone; 'compact' has no tokenizer"),
        ({"backbone": "compact_masked", "clauses": "text"}, r"'compact_masked' has no tokenizer"),
        ({"tuning": "lora"}, r"tuning='lora' needs a pretrained backbone; 'compact' starts from random weights"),
        ({"tuning": "top_blocks"}, r"tuning='top_blocks' needs a pretrained backbone"),
        (
            {"backbone": "smollm2", "clauses": "text", "numbers": "bins"},
            r"numbers='bins' needs tokens of its own; use clauses='tokens' or numbers='digits'",
        ),
    ],
)
def test_settings_that_exclude_each_other_are_refused_with_the_reason(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        LanguageConfig(**settings)


@pytest.mark.parametrize(
    ("backbone", "sort"),
    [("compact", "compact"), ("compact_masked", "compact"), ("smollm2", "pretrained"), ("./folder", "pretrained")],
)
def test_what_is_left_open_is_chosen_by_the_sort_of_backbone(backbone: str, sort: str) -> None:
    resolved = LanguageConfig(backbone=backbone, pretrained=False).resolved()
    assert {key: getattr(resolved, key) for key in OWN_DEFAULTS[sort]} == OWN_DEFAULTS[sort]
    assert resolved.is_pretrained == (sort == "pretrained")


def test_nothing_but_true_options_is_open_in_a_resolved_configuration() -> None:
    options = {"epochs", "revision", "token_variable", "device", "micro_batch", "time_limit", "precision"}
    for backbone in ("compact", "compact_masked", "smollm2"):
        resolved = LanguageConfig(backbone=backbone).resolved()
        assert {key for key, value in vars(resolved).items() if value is None} == options


@pytest.mark.parametrize(
    "settings",
    [
        {"clauses": "text", "numbers": "digits", "tuning": "full", "warmup": "fold", "batch_size": 3},
        {"learning_rate": 0.2, "held_out": 0.0, "generation_batch": 7},
    ],
)
def test_what_is_set_stays(settings: dict[str, Any]) -> None:
    resolved = LanguageConfig(backbone="smollm2", **settings).resolved()
    assert {key: getattr(resolved, key) for key in settings} == settings


def test_resolving_twice_changes_nothing() -> None:
    for backbone in ("compact", "smollm2"):
        resolved = LanguageConfig(backbone=backbone).resolved()
        assert resolved.resolved() == resolved


@pytest.mark.parametrize(("tuning", "rate"), [(None, 1e-3), ("lora", 1e-3), ("top_blocks", 1e-4), ("full", 5e-5)])
def test_the_learning_rate_of_a_pretrained_backbone_follows_what_learns(tuning: Any, rate: float) -> None:
    assert LanguageConfig(backbone="smollm2", tuning=tuning).resolved().learning_rate == rate


@pytest.mark.parametrize(
    ("settings", "rows", "steps"),
    [
        ({}, 1000, 150),
        ({"steps": 7}, 1000, 7),
        ({"epochs": 1, "batch_size": 64}, 640, 10),
        ({"epochs": 1, "batch_size": 64}, 641, 11),
        ({"epochs": 2.5, "batch_size": 10}, 100, 25),
        ({"epochs": 3, "batch_size": 64}, 5, 3),  # fewer rows than a batch: one step sees them all
        ({"epochs": 0.01, "batch_size": 64}, 5, 1),
        ({"epochs": 50, "batch_size": 32, "steps": 1}, 64, 100),
    ],
)
def test_epochs_replace_steps_and_count_how_often_each_row_is_learned(
    settings: dict[str, Any], rows: int, steps: int
) -> None:
    assert LanguageConfig(**settings).resolved().steps_for(rows) == steps


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        LanguageConfig().steps = 3  # type: ignore[misc]
