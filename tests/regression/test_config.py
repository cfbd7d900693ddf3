"""Settings of imbalanced regression: ranges, choices, messages."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.config import EncoderConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "resnett"}, "architecture must be one of 'resnet', 'mlp'; got 'resnett' (did you mean"),
        ({"number_scaling": "rank"}, "number_scaling must be one of"),
        ({"number_embedding": "sine"}, "number_embedding must be one of"),
        ({"feature_size": 1}, "feature_size must be a whole number between 2 and 2048; got 1"),
        ({"encoder_width": 2.5}, "encoder_width must be a whole number"),
        ({"encoder_depth": 0}, "encoder_depth must be a whole number between 1 and 16"),
        ({"encoder_epochs": 0}, "encoder_epochs must be"),
        ({"encoder_batch": 1}, "encoder_batch must be"),
        ({"encoder_patience": 0}, "encoder_patience must be"),
        ({"encoder_dropout": 1.0}, "encoder_dropout must be a number between 0.0 and 0.9; got 1.0"),
        ({"encoder_learning_rate": 0}, "encoder_learning_rate must be"),
        ({"encoder_weight_decay": -1}, "encoder_weight_decay must be"),
        ({"held_out_share": 0.6}, "held_out_share must be"),
    ],
)
def test_encoder_settings_out_of_range_are_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        EncoderConfig(**settings)


def test_every_encoder_setting_is_checked() -> None:
    for field in fields(EncoderConfig):
        with pytest.raises(InvalidInputError, match=field.name):
            EncoderConfig(**{field.name: -1e12})
