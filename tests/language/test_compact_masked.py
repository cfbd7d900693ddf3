from __future__ import annotations

import logging

import pytest
import torch

from imbllm_autogluon.language.compact import build_compact
from imbllm_autogluon.language.masked import build_compact_masked
from imbllm_autogluon.language.config import LanguageConfig


@pytest.mark.parametrize(("layers", "width"), [(1, 16), (3, 64)])
def test_the_backbone_has_the_size_asked_for_one_token_more_and_no_dropout(layers: int, width: int) -> None:
    model = build_compact_masked(40, 25, LanguageConfig(layers=layers, width=width))
    config = model.config
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (layers, width, width // 16)
    assert [config.embedding_dropout, config.attention_dropout, config.mlp_dropout] == [0, 0, 0]
    assert config.hidden_activation == "relu"
    assert model(input_ids=torch.full((1, 25), 40)).logits.shape == (1, 25, 41)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def test_it_is_about_as_large_as_its_causal_counterpart() -> None:
    sizes = [
        sum(weight.numel() for weight in build(300, 60, LanguageConfig()).parameters())
        for build in (build_compact, build_compact_masked)
    ]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.2)


def test_nothing_is_logged_or_warned(caplog: pytest.LogCaptureFixture) -> None:
    model = build_compact_masked(40, 25, LanguageConfig(layers=1, width=16))
    ids = torch.zeros((2, 9), dtype=torch.long)
    model(input_ids=ids, attention_mask=torch.ones_like(ids))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_weights_are_drawn_from_the_global_generator() -> None:
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        model = build_compact_masked(9, 9, LanguageConfig(layers=1, width=16))
        weights.append(model.get_input_embeddings().weight.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
