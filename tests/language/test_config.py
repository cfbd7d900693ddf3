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
        ("backbone", 3, r"backbone must be 'compact', 'smollm2', a Hub id or a folder; got 3"),
        ("clauses", "texts", r"clauses must be one of 'text', 'tokens', None; got 'texts' \(did you mean 'text'\?\)"),
        ("layers", 2.5, r"layers must be a whole number between 1 and 24; got 2\.5"),
        ("width", 40, r"width must be a multiple of 16; got 40"),
        ("numbers", "bin", r"numbers must be one of 'bins', 'digits', None; got 'bin' \(did you mean 'bins'\?\)"),
        ("order", "fix_x", r"order must be one of 'fix_y', 'permute_x', 'permute_xy', None; got 'fix_x'"),
        ("pretrain", True, r"pretrain must be one of 'fold', 'none', None; got True"),
        ("steps", "9", r"steps must be a whole number between 1 and 1000000; got '9'"),
        ("steps", 0, "steps must be a whole number between 1 and 1000000; got 0"),
        ("epochs", 0, r"epochs must be a number above 0.0 and at most 10000.0; got 0"),
        ("epochs", float("nan"), r"epochs must be a number above 0.0 and at most 10000.0; got nan"),
        ("learning_rate", 0.0, r"learning_rate must be a number above 0.0 and at most 1\.0; got 0\.0"),
        ("time_limit", -1, r"time_limit must be a number above 0\.0; got -1"),
        ("time_limit", 0, r"time_limit must be a number above 0\.0; got 0"),
        ("temperature", 0, r"temperature must be a number between 0\.01 and 100\.0; got 0"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name_with_what_is_allowed(key: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        LanguageConfig(**{key: value})


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"width": 16, "steps": 1, "pretrain_steps": 0},
        {"time_limit": 1e-9},
        {"backbone": "anything/at-all", "revision": "main", "tuning": "top_blocks", "top_blocks": 1000},
        {"backbone": "./a folder", "clauses": "text", "numbers": "digits", "micro_batch": 1},
        {"epochs": 0.01, "steps": 1},
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
    options = {
        "epochs",
        "revision",
        "token_variable",
        "device",
        "micro_batch",
        "time_limit",
        "precision",
        "lora_blocks",
    }
    for backbone in ("compact", "compact_masked", "smollm2"):
        resolved = LanguageConfig(backbone=backbone).resolved()
        assert {key for key, value in vars(resolved).items() if value is None} == options


@pytest.mark.parametrize(
    "settings",
    [
        {"clauses": "text", "numbers": "digits", "tuning": "full", "pretrain": "fold", "batch_size": 3},
        {"learning_rate": 0.2, "validation_fraction": 0.0, "generation_batch": 7},
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
