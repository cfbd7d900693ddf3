"""Losses against sums by hand, sentence by sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from imbllm_autogluon.language.losses import ColumnTokens, Loss, SentenceLoss, ValueLoss
from imbllm_autogluon.sentences import PADDING, AutomatonTables, Sentences, draw_orders
from imbllm_autogluon.sentences.automaton import one_of
from tests.language.tables import FUSED, WRITINGS, Writing, random_model, table, written

if TYPE_CHECKING:
    from imbllm_autogluon.sentences import SentenceEncoding
    from tests.language.pretrained import Architecture

ARCHITECTURES: list[Architecture] = ["gpt2", "llama"]
CPU = torch.device("cpu")


def ragged(writing: Writing) -> tuple[SentenceEncoding, Sentences]:
    """Sentences of different lengths, some clauses absent."""
    encoding, clauses = written(table(), writing)
    rows = clauses.take(np.arange(8))
    present = np.random.default_rng(1).random(rows.present.shape) < 0.7
    present[:, 5] = True
    orders = draw_orders(8, 5, "permute_xy", np.random.default_rng(0))
    sentences = encoding.assemble(rows.with_present(present), orders)
    assert not sentences.real.all()
    return encoding, sentences


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_value_loss_is_that_of_each_value_among_the_legal_ones(
    architecture: Architecture, writing: Writing
) -> None:
    encoding, sentences = ragged(writing)
    model = random_model(architecture, encoding)
    expected, count = 0.0, 0
    for ids, real, states in zip(sentences.ids, sentences.real, sentences.states, strict=True):
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids[real].tolist()])).logits[0].double()
        for place in np.flatnonzero(states >= 0).tolist():
            legal = np.flatnonzero(encoding.tables.allowed[states[place]]).tolist()
            shares = torch.log_softmax(logits[place - 1, legal], dim=0)
            expected, count = expected - float(shares[legal.index(ids[place])]), count + 1
    total, n = ValueLoss(encoding.tables, CPU)(model, sentences)
    assert n == count
    assert total.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("writing", [*WRITINGS, *FUSED])
def test_values_among_the_tokens_of_their_column_cost_what_they_cost_among_all(writing: Writing) -> None:
    encoding, sentences = ragged(writing)
    model = random_model("llama", encoding)
    losses, gradients = [], []
    for columns in (ColumnTokens(encoding.tables, CPU), None):
        model.zero_grad()
        loss = ValueLoss(encoding.tables, CPU)
        loss._columns = columns
        values, rows = loss.by_token(model, sentences)
        values.sum().backward()
        losses.append(values.detach())
        gradients.append({name: weight.grad.clone() for name, weight in model.named_parameters()})
        assert rows.tolist() == np.nonzero(sentences.states >= 0)[0].tolist()
    torch.testing.assert_close(*losses, rtol=1e-4, atol=1e-5)
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=1e-3, atol=1e-4)


def test_columns_of_very_different_sizes_share_one_output_layer() -> None:
    def tables_of(*sizes: int) -> AutomatonTables:
        stops = np.cumsum(sizes).tolist()
        automata = [one_of([[token] for token in range(stop - n, stop)]) for n, stop in zip(sizes, stops, strict=True)]
        return AutomatonTables.build(automata, sum(sizes))

    assert ColumnTokens.of(tables_of(30, 20, 25), CPU) is not None
    assert ColumnTokens.of(tables_of(300, *[2] * 20), CPU) is None


@pytest.mark.parametrize("writing", WRITINGS)
def test_the_value_losses_of_the_tokens_say_their_row(writing: Writing) -> None:
    encoding, sentences = ragged(writing)
    model, loss = random_model("gpt2", encoding), ValueLoss(encoding.tables, CPU)
    losses, rows = loss.by_token(model, sentences)
    alone = [loss(model, sentences.take(np.array([row])))[0].item() for row in range(8)]
    summed = np.bincount(rows.numpy(), weights=losses.detach().numpy(), minlength=8)
    assert summed == pytest.approx(alone, rel=1e-4)


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_sentence_loss_is_that_of_every_token_but_the_first_and_of_the_end(
    architecture: Architecture, writing: Writing
) -> None:
    encoding, sentences = ragged(writing)
    model = random_model(architecture, encoding)
    expected, count = 0.0, 0
    for ids, real in zip(sentences.ids, sentences.real, strict=True):
        tokens = [*ids[real].tolist(), PADDING]
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([tokens[:-1]])).logits[0].double()
        shares = torch.log_softmax(logits, dim=1)
        expected -= sum(float(shares[place, token]) for place, token in enumerate(tokens[1:]))
        count += len(tokens) - 1
    total, n = SentenceLoss(CPU)(model, sentences)
    assert n == count
    assert total.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("free", [True, False])
def test_losses_teach_the_model(free: bool) -> None:
    encoding, sentences = ragged("text apart")
    model = random_model("gpt2", encoding)
    loss: Loss = SentenceLoss(CPU) if free else ValueLoss(encoding.tables, CPU)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    before = loss(model, sentences)[0].item()
    for _ in range(20):
        optimiser.zero_grad()
        total, n = loss(model, sentences)
        (total / n).backward()
        optimiser.step()
    assert loss(model, sentences)[0].item() < before / 2
