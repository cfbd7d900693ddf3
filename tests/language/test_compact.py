from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from transformers import DynamicCache, GPT2LMHeadModel

from imbllm_autogluon.language.compact import CompactModel, build_compact
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.session import _cache_name


@pytest.mark.parametrize(("layers", "width"), [(1, 16), (3, 64)])
def test_the_backbone_has_the_size_asked_for_and_no_dropout(layers: int, width: int) -> None:
    model = build_compact(40, 25, LanguageConfig(layers=layers, width=width))
    config, ids = model.config, torch.arange(20)[None]
    assert (config.n_layer, config.n_embd, config.n_head, config.vocab_size) == (layers, width, width // 16, 40)
    assert torch.equal(model.train()(input_ids=ids).logits, model.eval()(input_ids=ids).logits)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def test_a_sentence_as_long_as_the_longest_fits() -> None:
    model = build_compact(40, 25, LanguageConfig(layers=1, width=16))
    assert model(input_ids=torch.zeros((1, 25), dtype=torch.long)).logits.shape == (1, 25, 40)
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.zeros((1, 26), dtype=torch.long))


def distinct() -> CompactModel:
    """A model all of whose weights differ from their first values, so that each of them matters."""
    torch.manual_seed(0)
    model = build_compact(50, 20, LanguageConfig()).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return model


def test_it_is_the_gpt2_of_transformers() -> None:
    model, ids = distinct(), torch.randint(0, 50, (5, 18))
    theirs = model.to_transformers()
    torch.testing.assert_close(model(input_ids=ids).logits, theirs(input_ids=ids).logits)
    model(input_ids=ids).logits.square().mean().backward()
    theirs(input_ids=ids).logits.square().mean().backward()
    gradients = {name: weight.grad for name, weight in theirs.named_parameters()}
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, gradients[name], rtol=1e-4, atol=1e-6)


def test_a_seed_gives_the_first_weights_that_transformers_gives() -> None:
    torch.manual_seed(3)
    model = build_compact(50, 20, LanguageConfig(layers=3))
    architecture = model.to_transformers().config
    torch.manual_seed(3)
    theirs = dict(GPT2LMHeadModel(architecture).named_parameters())
    assert all(torch.equal(weight, theirs[name]) for name, weight in model.named_parameters())


def read_in_pieces(model: Any, cache: Any, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Hidden states of sentences that go through a model piece by piece."""
    states, start = [], 0
    for length in (3, 1, 5, 2, 1):
        stop = start + length
        seen = None if mask is None else mask[:, :stop].long()
        places = None if seen is None else (seen.cumsum(dim=1) - 1).clamp(min=0)[:, start:]
        read = {"attention_mask": seen, "position_ids": places, _cache_name(model): cache, "use_cache": True}
        states.append(model.base_model(input_ids=ids[:, start:stop], **read).last_hidden_state)
        start = stop
    return torch.cat(states, dim=1)


@pytest.mark.parametrize("has_gaps", [False, True])
@torch.inference_mode()
def test_its_cache_is_as_good_as_that_of_transformers(has_gaps: bool) -> None:
    model, ids = distinct(), torch.randint(0, 50, (6, 12))
    mask = torch.rand(6, 12) > 0.4
    mask[:, 0] = True
    theirs = model.to_transformers()
    given = mask if has_gaps else None
    own = read_in_pieces(model, model.new_cache(), ids, given)
    expected = read_in_pieces(theirs, DynamicCache(config=theirs.config), ids, given)
    used = mask if has_gaps else torch.ones_like(mask)
    assert not mask.all()
    torch.testing.assert_close(own[used], expected[used], rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_a_cache_is_repeated_for_many_rows_and_forgets_its_last_places() -> None:
    model, ids = distinct(), torch.randint(0, 50, (4, 6))
    ids[:, :2] = ids[:1, :2]
    whole = model.base_model(input_ids=ids).last_hidden_state
    cache = model.new_cache()
    model.base_model(input_ids=ids[:1, :2], cache=cache)
    cache.batch_repeat_interleave(4)
    model.base_model(input_ids=torch.zeros((4, 3), dtype=torch.long), cache=cache)
    cache.crop(-3)
    behind = model.base_model(input_ids=ids[:, 2:], cache=cache).last_hidden_state
    torch.testing.assert_close(behind, whole[:, 2:], rtol=1e-4, atol=1e-5)


def test_the_compact_backbone_needs_no_transformers() -> None:
    """Their import takes seconds and 100 MiB in every process that writes rows."""
    rows = "pd.DataFrame({'a': range(40), 'y': ['no'] * 30 + ['yes'] * 10})"
    script = (
        "import sys, pandas as pd; from imbllm_autogluon.oversampling.imbllm import ImbLLM; "
        f"from imbllm_autogluon.oversampling.config import GeneratorConfig; rows = {rows}; "
        "config = GeneratorConfig.from_flat({'steps': 1, 'pretrain_steps': 1}); "
        "ImbLLM(config, random_state=0).fit(rows[['a']], rows['y'], {'yes': 3}).sample(); "
        "assert not {'transformers', 'torch._dynamo'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
