"""A trimmed model says of the table's tokens what the whole model says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from imbllm_autogluon.language.table_backbone import base_fingerprint, trim_vocabulary
from imbllm_autogluon.sentences import draw_orders
from tests.language.pretrained import SPACES_OF, Architecture, causal_model, tokenizer
from tests.language.tables import clauses_of, table, text_vocabulary_of

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS: list[tuple[Architecture, bool]] = [("gpt2", True), ("gpt2", False), ("llama", True), ("llama", False)]
SOURCES = [[], [7], [3, 5, 3], [0, 9]]


def means(weights: torch.Tensor, sources: Sequence[Sequence[int]]) -> list[list[float]]:
    rows = [weights[list(source)].sum(dim=0) / max(1, len(source)) for source in sources]
    return torch.stack(rows).tolist()


def with_bias() -> Any:
    """A masked model, whose output layer has a bias."""
    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = BertForMaskedLM(BertConfig(vocab_size=30, pad_token_id=0, **size)).eval()
    with torch.no_grad():
        model.get_output_embeddings().bias.normal_()
    return model


@pytest.mark.parametrize(("architecture", "tied"), KINDS)
def test_a_new_token_begins_at_the_mean_of_those_it_stands_for(architecture: Architecture, tied: bool) -> None:
    model = causal_model(architecture, 30, 20, tied=tied)
    old, old_head = (weight.detach().clone() for weight in weights(model))
    trim_vocabulary(model, SOURCES)
    new, head = weights(model)
    assert torch.allclose(new, torch.tensor(means(old, SOURCES)))
    assert torch.allclose(head, torch.tensor(means(old_head, SOURCES)))
    assert (head is new) == tied
    assert new.requires_grad
    assert head.requires_grad


def weights(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return model.get_input_embeddings().weight, model.get_output_embeddings().weight


def test_the_bias_of_the_output_layer_is_trimmed_too() -> None:
    model = with_bias()
    old = model.get_output_embeddings().bias.detach().clone()
    trim_vocabulary(model, SOURCES)
    bias = model.get_output_embeddings().bias
    assert torch.allclose(bias, torch.tensor(means(old[:, None], SOURCES))[:, 0])


def test_a_model_with_bias_says_the_same_of_the_tokens_that_stay() -> None:
    model = with_bias()
    kept = [4, 2, 20, 9]
    ids = torch.tensor([[2, 9, 4, 4, 20]])
    with torch.inference_mode():
        whole = model(input_ids=ids).logits[:, :, kept]
        trim_vocabulary(model, [[token] for token in kept])
        trimmed = model(input_ids=torch.tensor([[kept.index(token) for token in ids[0].tolist()]])).logits
    assert torch.allclose(trimmed, whole, atol=1e-5)


@pytest.mark.parametrize(("architecture", "tied"), KINDS)
def test_a_trimmed_model_reads_text_as_the_whole_model_does(architecture: Architecture, tied: bool) -> None:
    frame, spaces = table(), SPACES_OF[architecture]
    vocabulary = text_vocabulary_of(frame, spaces)
    encoding, ids = vocabulary.encoding(), np.array(vocabulary.token_ids)
    rows = clauses_of(vocabulary, frame).take(np.arange(4))
    sentences = encoding.assemble(rows, draw_orders(4, 5, "permute_xy", np.random.default_rng(0)))
    model, trimmed = (causal_model(architecture, len(tokenizer(spaces)), 512, tied=tied) for _ in range(2))
    trim_vocabulary(trimmed, [[], *([token] for token in vocabulary.token_ids[1:])])
    for row, real in zip(sentences.ids, sentences.real, strict=True):
        with torch.inference_mode():
            whole = model(input_ids=torch.from_numpy(ids[row[real]])[None]).logits[0, :, ids[1:]]
            said = trimmed(input_ids=torch.from_numpy(row[real])[None]).logits[0]
        assert said.shape[1] == encoding.n_tokens
        assert torch.allclose(said[:, 1:], whole, atol=1e-4)
        assert (said[:, 0] == 0).all()


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_the_configuration_knows_the_new_vocabulary_and_no_old_ids(architecture: Architecture) -> None:
    model = causal_model(architecture, 30, 20)
    trim_vocabulary(model, SOURCES)
    assert model.config.vocab_size == 4
    assert [getattr(model.config, f"{name}_token_id") for name in ("bos", "eos", "pad")] == [None] * 3


def test_training_a_trimmed_tied_model_changes_both_ends_together() -> None:
    model = causal_model("gpt2", 30, 20, tied=True)
    trim_vocabulary(model, SOURCES)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    model(input_ids=torch.tensor([[1, 2, 3]])).logits.sum().backward()
    optimiser.step()
    new, head = weights(model)
    assert new is head
    assert sum(1 for name, _ in model.named_parameters() if "wte" in name or "lm_head" in name) == 1


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_the_fingerprint_is_that_of_the_weights(architecture: Architecture) -> None:
    first, again, other = (base_fingerprint(causal_model(architecture, 30, 20, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_each_block_and_the_embeddings_tell_in_the_fingerprint(architecture: Architecture) -> None:
    before = base_fingerprint(causal_model(architecture, 30, 20))
    blocks = [f".{block}." for block in range(2)]
    names = [name for name, _ in causal_model(architecture, 30, 20).named_parameters()]
    firsts = [names[0], *(next(name for name in names if block in name) for block in blocks)]
    for changed in firsts:
        model = causal_model(architecture, 30, 20)
        with torch.no_grad():
            dict(model.named_parameters())[changed].view(-1)[0] += 1
        assert base_fingerprint(model) != before
