"""Losses against sums by hand, sentence by sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.encoding import PADDING, AutomatonTables, Sentences, draw_orders
from imbllm_autogluon.encoding.automata import one_of
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.losses import LabelLoss, LabelObjective, SentenceLoss, ValueLoss, _ColumnTokens
from tests.language.tables import FUSED, WRITINGS, Writing, random_model, table, written
from tests.products import cases

if TYPE_CHECKING:
    from imbllm_autogluon.encoding import SentenceEncoding
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
    for columns in (_ColumnTokens(encoding.tables, CPU), None):
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

    assert _ColumnTokens.of(tables_of(30, 20, 25), CPU) is not None
    assert _ColumnTokens.of(tables_of(300, *[2] * 20), CPU) is None


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


CPU = torch.device("cpu")


def weighed(writing: Writing, weights: np.ndarray | None = None) -> tuple[Any, Any, Sentences]:
    """Model, tables and twelve sentences of the table."""
    encoding, clauses = written(table(), writing)
    rows = clauses.take(np.arange(12))
    rows = rows if weights is None else rows.with_weights(weights)
    orders = draw_orders(12, 5, "permute_x", np.random.default_rng(0))
    return random_model("llama", encoding), encoding.tables, encoding.assemble(rows, orders)


def by_hand(model: Any, tables: Any, sentences: Sentences) -> tuple[np.ndarray, np.ndarray]:
    """Loss of each row's label and of its features."""
    label, features = np.zeros(12), np.zeros(12)
    for row, (ids, real, states) in enumerate(zip(sentences.ids, sentences.real, sentences.states, strict=True)):
        with torch.inference_mode():
            logits = model(input_ids=torch.from_numpy(ids[real])[None]).logits[0].double()
        for place in np.flatnonzero(states >= 0).tolist():
            legal = np.flatnonzero(tables.allowed[states[place]])
            chances = torch.log_softmax(logits[place - 1, legal], dim=0)
            part = label if states[place] >= tables.starts[-1] else features
            part[row] -= float(chances[legal.tolist().index(ids[place])])
    return label, features


@torch.inference_mode()
def loss_of(model: Any, tables: Any, sentences: Sentences, **objective: float) -> float:
    total, rows = LabelLoss(tables, CPU, LabelObjective(**objective))(model, sentences)
    assert rows == len(sentences.ids)
    return float(total)


@pytest.mark.parametrize(("writing", "features", "gamma"), cases(WRITINGS, [0.0, 0.5, 1.0], [0.0, 2.0], together=1))
def test_the_loss_is_that_of_the_formula(writing: Writing, features: float, gamma: float) -> None:
    weights = np.linspace(0, 3, 12)
    model, tables, sentences = weighed(writing, weights)
    label, other = by_hand(model, tables, sentences)
    expected = (weights * (1 - np.exp(-label)) ** gamma * label).sum() + features * other.sum()
    found = loss_of(model, tables, sentences, feature_weight=features, focal_gamma=gamma)
    assert found == pytest.approx(expected, rel=1e-3)


def test_absent_weights_are_ones_and_a_row_of_weight_zero_says_nothing_of_its_label() -> None:
    model, tables, sentences = weighed("bins")
    ones, zeros = (replace(sentences, weights=np.full(12, w)) for w in (1.0, 0.0))
    assert loss_of(model, tables, sentences) == pytest.approx(loss_of(model, tables, ones))
    assert loss_of(model, tables, zeros, feature_weight=0.0) == 0
    assert loss_of(model, tables, zeros) > 0


@pytest.mark.parametrize(("features", "q"), [(0.0, 0.7), (0.5, 0.7), (0.0, 1.0)])
def test_labels_that_may_be_wrong_have_the_generalized_cross_entropy(features: float, q: float) -> None:
    model, tables, sentences = weighed("text apart")
    label, other = by_hand(model, tables, sentences)
    expected = ((1 - np.exp(-q * label)) / q).sum() + features * other.sum()
    found = loss_of(model, tables, sentences, feature_weight=features, robust_q=q)
    assert found == pytest.approx(expected, rel=1e-3)


def test_the_focal_loss_takes_most_from_the_easiest_rows() -> None:
    model, tables, sentences = weighed("bins")
    label, _ = by_hand(model, tables, sentences)
    kept = [
        loss_of(model, tables, sentences.take(np.array([row])), feature_weight=0, focal_gamma=2) / label[row]
        for row in np.argsort(label)
    ]
    assert kept == sorted(kept)
    assert kept[0] < 0.1 < 0.5 < kept[-1] < 1


@pytest.mark.parametrize(
    ("objective", "name"),
    [
        ({"feature_weight": -1}, "feature_weight"),
        ({"feature_weight": 1001}, "feature_weight"),
        ({"focal_gamma": -0.1}, "focal_gamma"),
        ({"focal_gamma": float("nan")}, "focal_gamma"),
        ({"robust_q": 1.1}, "robust_q"),
    ],
)
def test_what_is_out_of_range_is_refused(objective: dict[str, float], name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name} must be a number between 0"):
        LabelObjective(**objective)
