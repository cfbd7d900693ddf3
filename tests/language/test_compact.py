from __future__ import annotations

import logging

import pytest
import torch

from imbllm_autogluon.language.compact import build_compact
from imbllm_autogluon.language.config import LanguageConfig


@pytest.mark.parametrize(("layers", "width"), [(1, 16), (3, 64)])
def test_the_backbone_has_the_size_asked_for_and_no_dropout(layers: int, width: int) -> None:
    model = build_compact(40, 25, LanguageConfig(layers=layers, width=width))
    config = model.config
    assert (config.n_layer, config.n_embd, config.n_head, config.vocab_size) == (layers, width, width // 16, 40)
    assert [config.resid_pdrop, config.embd_pdrop, config.attn_pdrop] == [0, 0, 0]
    assert config.activation_function == "relu"
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def test_a_sentence_as_long_as_the_longest_fits() -> None:
    model = build_compact(40, 25, LanguageConfig(layers=1, width=16))
    assert model(input_ids=torch.zeros((1, 25), dtype=torch.long)).logits.shape == (1, 25, 40)
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.zeros((1, 26), dtype=torch.long))


@pytest.mark.parametrize("level", [logging.NOTSET, logging.DEBUG, logging.CRITICAL])
def test_nothing_is_logged_or_warned_and_the_log_level_is_given_back(
    level: int, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("transformers")
    before = logger.level
    try:
        logger.setLevel(level)
        build_compact(40, 25, LanguageConfig(layers=1, width=16))
        assert logger.level == level
        assert not caplog.records
    finally:
        logger.setLevel(before)


def test_weights_are_drawn_from_the_global_generator() -> None:
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        model = build_compact(9, 9, LanguageConfig(layers=1, width=16))
        weights.append(model.get_input_embeddings().weight.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
