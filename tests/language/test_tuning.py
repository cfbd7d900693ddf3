"""What learns, and nothing else; adapters go into the weights and out again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.batches import fixed_sentences
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.losses import hidden_states
from imbllm_autogluon.language.table_backbone import Tuning
from tests.language.trainers import same_weights, weights_of
from tests.language.tuned import WAYS, everyone, model_over, trained, written
from tests.products import cases

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.language.model import TableLanguageModel


def weights(model: TableLanguageModel) -> dict[str, torch.Tensor]:
    return weights_of(model._backbone.model)


def changed_by_training(model: TableLanguageModel) -> set[str]:
    """Weights that are others after training, adapters taken out."""
    before = weights(model)
    model.train(everyone(model))
    model._backbone.tuning.unmerge()
    after = weights(model)
    # Merging and unmerging adapters rounds; what learned has moved by far more.
    return {name for name in before if (after[name] - before[name]).abs().max() > 1e-4}


def is_embedding(name: str) -> bool:
    return bool(re.search(r"wte|embed_tokens|lm_head", name))


def test_lora_over_text_changes_the_adapters_alone(folder: Path) -> None:
    model = model_over(folder, tuning="lora", clauses="text")
    changed = changed_by_training(model)
    assert all("lora_" in name for name in changed)
    assert changed == set(model._backbone.tuning.learning())
    assert model._backbone.tuning.own_weights() == {}


def test_lora_over_new_tokens_changes_adapters_and_embeddings(folder: Path) -> None:
    model = model_over(folder, tuning="lora", clauses="tokens")
    changed = changed_by_training(model)
    assert {name for name in changed if "lora_" not in name} == {name for name in weights(model) if is_embedding(name)}
    assert set(model._backbone.tuning.own_weights()) == {name for name in weights(model) if is_embedding(name)}


@pytest.mark.parametrize(
    ("folder", "clauses"), cases(["gpt2", "llama"], ["text", "tokens"], together=1), indirect=["folder"]
)
def test_every_linear_layer_but_the_output_has_an_adapter_of_the_rank_asked_for(folder: Path, clauses: str) -> None:
    model = model_over(folder, tuning="lora", clauses=clauses, lora_rank=3)
    adapters = {name: weight for name, weight in model._backbone.tuning.learning().items() if "lora_" in name}
    linear = {"gpt2": 4, "llama": 7}["gpt2" if "gpt2" in str(folder) else "llama"]
    assert len(adapters) == 2 * 2 * linear  # blocks, A and B
    assert {min(weight.shape) for weight in adapters.values()} == {3}
    assert model.n_learning == sum(weight.numel() for weight in model._backbone.tuning.learning().values())
    assert model.n_learning < model.n_parameters


@pytest.mark.parametrize(
    ("folder", "top", "blocks"),
    cases(["gpt2", "llama"], [(1, {1}), (2, {0, 1}), (9, {0, 1})], together=1),
    indirect=["folder"],
)
def test_top_blocks_change_the_last_blocks_and_the_final_norm(folder: Path, top: int, blocks: set[int]) -> None:
    model = model_over(folder, tuning="top_blocks", clauses="text", top_blocks=top)
    learning = set(model._backbone.tuning.learning())
    found = {int(match.group(1)) for name in learning if (match := re.search(r"\.(\d+)\.", name))}
    assert found == blocks
    assert {name for name in learning if not re.search(r"\.\d+\.", name)} <= {
        *("transformer.ln_f.weight", "transformer.ln_f.bias", "model.norm.weight")
    }
    assert changed_by_training(model) <= learning
    assert any("norm" in name or "ln_f" in name for name in learning)


def test_top_blocks_over_new_tokens_change_the_embeddings_too(folder: Path) -> None:
    model = model_over(folder, tuning="top_blocks", clauses="tokens")
    learning = set(model._backbone.tuning.learning())
    assert {name for name in learning if is_embedding(name)} == {name for name in weights(model) if is_embedding(name)}
    assert not any(".0." in name or "wpe" in name for name in learning)


def test_full_tuning_changes_everything(folder: Path) -> None:
    model = model_over(folder, tuning="full", clauses="text")
    assert set(model._backbone.tuning.learning()) == set(weights(model))
    assert model.n_learning == model.n_parameters


def test_a_model_without_numbered_blocks_has_no_top() -> None:
    class Flat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)

    config = LanguageConfig(backbone="x", tuning="top_blocks").resolved()
    with pytest.raises(InvalidInputError, match="Flat has no numbered blocks; use tuning='lora' or 'full'"):
        Tuning(Flat(), config)


def logits(model: TableLanguageModel) -> torch.Tensor:
    sentences = fixed_sentences(model.encoding, everyone(model), "fix_y", seed=0)
    inner: Any = model._backbone.model
    with torch.inference_mode():
        states = hidden_states(inner, sentences, torch.device("cpu"))
        output: torch.Tensor = inner.get_output_embeddings()(states)
    return output[torch.from_numpy(sentences.real)]


@pytest.mark.parametrize(
    ("folder", "clauses"), cases(["gpt2", "llama"], ["text", "tokens"], together=1), indirect=["folder"]
)
def test_merged_adapters_say_what_adapters_beside_the_weights_say(folder: Path, clauses: str) -> None:
    model = trained(folder, tuning="lora", clauses=clauses, learning_rate=5e-2)
    merged = logits(model)
    model._backbone.tuning.unmerge()
    beside = logits(model)
    torch.testing.assert_close(merged, beside, rtol=1e-3, atol=1e-3)
    untrained = model_over(folder, tuning="lora", clauses=clauses)
    assert (merged - logits(untrained)).abs().max() > 0.5


def test_merging_and_unmerging_twice_is_doing_it_once(folder: Path) -> None:
    model = trained(folder, tuning="lora", clauses="text")
    tuning, merged = model._backbone.tuning, weights(model)
    tuning.merge()
    assert same_weights(weights(model), merged)
    tuning.unmerge()
    apart = weights(model)
    tuning.unmerge()
    assert same_weights(weights(model), apart)
    tuning.merge()
    for name, weight in weights(model).items():
        torch.testing.assert_close(weight, merged[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("folder", "tuning", "clauses"), WAYS, indirect=["folder"])
def test_training_goes_on_after_rows_were_written(folder: Path, tuning: str, clauses: str) -> None:
    model = trained(folder, tuning=tuning, clauses=clauses, steps=12)
    first = model.curves["minority"].losses
    written(model)
    model.train(everyone(model).take(np.arange(0, 60, 4)))
    second = model.curves["minority"].losses
    assert second[0] < 0.9 * first[0]
    assert len(written(model)[0]) == 12
