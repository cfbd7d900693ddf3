"""Settings of imbalanced regression: ranges, choices, messages."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.config import EncoderConfig, LatentDiffConfig


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
        ({"encoder_folds": 1}, "encoder_folds must be a whole number between 2 and 10; got 1"),
        ({"validation_fraction": 0.6}, "validation_fraction must be"),
    ],
)
def test_encoder_settings_out_of_range_are_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        EncoderConfig(**settings)


def test_every_encoder_setting_is_checked() -> None:
    for field in fields(EncoderConfig):
        with pytest.raises(InvalidInputError, match=field.name):
            EncoderConfig(**{field.name: -1e12})


def test_flat_settings_make_the_configuration_they_came_from() -> None:
    config = LatentDiffConfig.from_flat({"method": "lds", "guidance": 1.5, "gate": "none", "feature_size": 24})
    assert LatentDiffConfig.from_flat(config.flat()) == config
    assert (config.imbalance.method, config.diffusion.guidance, config.gate.gate) == ("lds", 1.5, "none")


def test_no_name_occurs_in_two_parts() -> None:
    keys = LatentDiffConfig.flat_keys()
    assert len(set(keys)) == len(keys)
    assert set(LatentDiffConfig().flat()) == set(keys)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"guidence": 1.0}, "unknown setting 'guidence' (did you mean 'guidance'?)"),
        ({"method": "latentdiff"}, "method must be one of 'latent_diff', 'none'"),
        ({"encoder_method": "rank_sim"}, "encoder_method must be one of 'none', 'lds', 'fds', 'dense_weight'"),
        ({"error_weight": 1.1}, "error_weight must be a number between 0.0 and 1.0; got 1.1"),
        ({"generation_ratio": -0.1}, "generation_ratio must be a number between 0.0 and 10.0; got -0.1"),
        (
            {"generation_ratio": "much"},
            "generation_ratio must be 'auto' or a number between 0.0 and 10.0; got 'much'",
        ),
        ({"overall_budget": -0.1}, "overall_budget must be a number between 0.0 and 10.0; got -0.1"),
        ({"gate_quantile": 2}, "gate_quantile must be a number between 0.0 and 1.0; got 2"),
        ({"pooled_below": 1}, "pooled_below must be a whole number between 2 and 1000; got 1"),
        ({"gate_rounds": 0}, "gate_rounds must be a whole number between 1 and 100; got 0"),
        ({"denoiser_width": 64.5}, "denoiser_width must be a whole number between 8 and 4096; got 64.5"),
        ({"ema_decay": 1.0}, "ema_decay must be a number between 0.0 and 0.99999; got 1.0"),
        ({"n_bins": 0}, "n_bins must be a whole number between 1 and 10000; got 0"),
        ({"head_shrinkage": -1}, "head_shrinkage must be a number between 0.0 and 1000.0; got -1"),
    ],
)
def test_wrong_settings_are_refused_with_what_is_allowed(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        LatentDiffConfig.from_flat(settings)
