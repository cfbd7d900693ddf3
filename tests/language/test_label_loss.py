"""The loss of a label that counts on its own: by hand, row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.losses import LabelLoss, LabelObjective
from imbllm_autogluon.language.losses import ValueLoss
from imbllm_autogluon.sentences import Sentences, draw_orders
from tests.language.tables import WRITINGS, Writing, random_model, table, written
from tests.products import cases

CPU = torch.device("cpu")


def batch(writing: Writing, weights: np.ndarray | None = None) -> tuple[Any, Any, Sentences]:
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
    model, tables, sentences = batch(writing, weights)
    label, other = by_hand(model, tables, sentences)
    expected = (weights * (1 - np.exp(-label)) ** gamma * label).sum() + features * other.sum()
    found = loss_of(model, tables, sentences, feature_weight=features, focal_gamma=gamma)
    assert found == pytest.approx(expected, rel=1e-3)


def test_with_equal_parts_it_is_the_loss_of_all_values() -> None:
    model, tables, sentences = batch("text joined")
    with torch.inference_mode():
        total, _ = ValueLoss(tables, CPU)(model, sentences)
    assert loss_of(model, tables, sentences) == pytest.approx(float(total), rel=1e-5)


def test_absent_weights_are_ones_and_a_row_of_weight_zero_says_nothing_of_its_label() -> None:
    model, tables, sentences = batch("bins")
    ones, zeros = (replace(sentences, weights=np.full(12, w)) for w in (1.0, 0.0))
    assert loss_of(model, tables, sentences) == pytest.approx(loss_of(model, tables, ones))
    assert loss_of(model, tables, zeros, feature_weight=0.0) == 0
    assert loss_of(model, tables, zeros) > 0


def test_parts_of_a_batch_add_up() -> None:
    model, tables, sentences = batch("text apart", np.linspace(0, 3, 12))
    parts = [sentences.take(slice(start, start + 5)) for start in (0, 5, 10)]
    objective = {"feature_weight": 0.3, "focal_gamma": 1.5}
    total = sum(loss_of(model, tables, part, **objective) for part in parts)
    assert total == pytest.approx(loss_of(model, tables, sentences, **objective), rel=1e-4)


def test_the_focal_loss_takes_most_from_the_easiest_rows() -> None:
    model, tables, sentences = batch("bins")
    label, _ = by_hand(model, tables, sentences)
    kept = [
        loss_of(model, tables, sentences.take(np.array([row])), feature_weight=0, focal_gamma=2) / label[row]
        for row in np.argsort(label)
    ]
    assert kept == sorted(kept)
    assert kept[0] < 0.1 < 0.5 < kept[-1] < 1


def test_gradients_are_finite_where_a_label_is_certain() -> None:
    model, tables, sentences = batch("bins")
    for weight in model.parameters():
        weight.data *= 20
    total, _ = LabelLoss(tables, CPU, LabelObjective(0.0, 0.5))(model, sentences)
    total.backward()
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters() if weight.grad is not None)


@pytest.mark.parametrize(
    ("objective", "name"),
    [
        ({"feature_weight": -1}, "feature_weight"),
        ({"feature_weight": 1001}, "feature_weight"),
        ({"focal_gamma": -0.1}, "focal_gamma"),
        ({"focal_gamma": float("nan")}, "focal_gamma"),
    ],
)
def test_what_is_out_of_range_is_refused(objective: dict[str, float], name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name} must be a number between 0"):
        LabelObjective(**objective)
