"""Attention to the label under each order, against what the order allows and a slow count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.attention import AttentionMap, attention_to_label
from imbllm_autogluon.sentences import Clauses, draw_orders
from imbllm_autogluon.sentences.orders import ORDERS, Order
from tests.language.masked_models import random_masked_model
from tests.language.tables import LABEL, clauses_of, random_model, table, vocabulary_of

if TYPE_CHECKING:
    from imbllm_autogluon.sentences import SentenceEncoding
    from imbllm_autogluon.sentences.value_codings import Numbers

FRAME = table()


def model_of(architecture: str, encoding: SentenceEncoding) -> Any:
    if architecture in ("bert", "distilbert"):
        return random_masked_model(architecture, encoding)
    return random_model(architecture, encoding)


def rows_of(numbers: Numbers = "bins", n: int = 60) -> tuple[SentenceEncoding, Clauses]:
    vocabulary = vocabulary_of(FRAME, numbers)
    return vocabulary.encoding(), clauses_of(vocabulary, FRAME).take(np.arange(n) % 60)


def measured(architecture: str, order: Order, numbers: Numbers = "bins", n: int = 60) -> AttentionMap:
    encoding, clauses = rows_of(numbers, n)
    orders = draw_orders(n, LABEL, order, np.random.default_rng(0))
    return attention_to_label(model_of(architecture, encoding), encoding, clauses, orders)


@pytest.mark.parametrize("numbers", ["bins", "digits"])
@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_a_label_in_front_is_in_sight_of_every_feature_and_a_label_behind_of_none(
    architecture: str, numbers: Numbers
) -> None:
    first, last = measured(architecture, "fix_y", numbers), measured(architecture, "permute_x", numbers)
    assert first.can.tolist() == [1.0] * 60
    assert last.can.tolist() == last.does.tolist() == [0.0] * 60
    assert last.mass[:LABEL].tolist() == [0.0] * LABEL
    assert (first.mass[:LABEL] > 0).all()


def test_a_label_anywhere_is_in_sight_of_half_the_features() -> None:
    anywhere = measured("gpt2", "permute_xy", n=600)
    assert anywhere.can.mean() == pytest.approx(0.5, abs=0.05)
    assert np.unique(anywhere.can) == pytest.approx(np.arange(6) / 5)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("architecture", ["bert", "distilbert"])
def test_a_bidirectional_model_sees_the_label_wherever_it_stands(architecture: str, order: Order) -> None:
    attention = measured(architecture, order)
    assert attention.can.tolist() == [1.0] * 60
    assert (attention.mass[:LABEL] > 0).all()
    assert attention.writers.tolist() == attention.values.tolist()


@torch.inference_mode()
def slow_row(model: Any, encoding: SentenceEncoding, clauses: Clauses, row: int, order: list[int]) -> tuple[Any, Any]:
    """Attention to the label, and whether it is above an even spread, for each value token of one row by clause."""
    model.set_attn_implementation("eager")
    ids: list[int] = []
    places: dict[int, list[int]] = {}
    for clause in order:
        if clauses.present[row, clause]:
            value = [token for token in clauses.tokens[row, clause].tolist() if token >= 0]
            ids += encoding.prefixes[clause]
            places[clause] = list(range(len(ids), len(ids) + len(value)))
            ids += value
    causal = "Causal" in type(model).__name__ or "GPT2" in type(model).__name__
    layers = model(input_ids=torch.tensor([ids]), output_attentions=True).attentions
    weights = torch.stack(layers)[:, 0].mean(dim=(0, 1))
    mass: dict[int, list[float]] = {}
    above: dict[int, list[bool]] = {}
    for clause, own in places.items():
        for place in own:
            writer = place - 1 if causal else place
            sight = range(writer + 1) if causal else range(len(ids))
            labels = [at for at in places[LABEL] if at in sight]
            mass.setdefault(clause, []).append(float(sum(weights[writer, at] for at in labels)))
            above.setdefault(clause, []).append(bool(labels) and mass[clause][-1] > len(labels) / len(sight))
    return mass, above


@pytest.mark.parametrize("numbers", ["bins", "digits"])
@pytest.mark.parametrize("architecture", ["gpt2", "llama", "bert"])
def test_the_numbers_equal_a_slow_count_over_sentences_of_different_lengths(
    architecture: str, numbers: Numbers
) -> None:
    encoding, clauses = rows_of(numbers, 20)
    present = clauses.present.copy()
    present[::2, 1] = False
    present[:, 3] = False
    clauses = clauses.with_present(present)
    orders = draw_orders(20, LABEL, "permute_xy", np.random.default_rng(0))
    model = model_of(architecture, encoding)
    attention = attention_to_label(model, encoding, clauses, orders)
    counted = [slow_row(model, encoding, clauses, row, order) for row, order in enumerate(orders.tolist())]
    for clause in (0, 1, 2, 4):
        expected = np.mean([m for mass, _ in counted for m in mass.get(clause, [])])
        assert attention.mass[clause] == pytest.approx(expected, abs=1e-6)
    assert np.isnan(attention.mass[[3, LABEL]]).all()
    shares = [np.mean([a for c, above_c in above.items() if c != LABEL for a in above_c]) for _, above in counted]
    assert attention.does == pytest.approx(shares)
    assert 0 < attention.does.mean() < 1


def test_the_first_sentence_is_shown_in_full_with_its_tokens() -> None:
    encoding, clauses = rows_of()
    orders = np.array([[2, LABEL, 0, 1, 3, 4]] * 60)
    shown = attention_to_label(random_model("gpt2", encoding), encoding, clauses, orders)
    assert shown.matrix.shape == (12, 12)
    assert shown.matrix.sum(axis=1) == pytest.approx(np.ones(12))
    assert not np.triu(shown.matrix, 1).any()
    assert shown.names[2:5] == ("bought is", "bought: yes", "balance is")
    assert shown.label.tolist() == [3]
    assert shown.values.tolist() == [1, 3, 5, 7, 9, 11]
    assert shown.writers.tolist() == [0, 2, 4, 6, 8, 10]


def test_the_first_sentence_is_cut_at_its_own_end() -> None:
    encoding, clauses = rows_of()
    present = clauses.present.copy()
    present[0, :3] = False
    orders = np.array([[LABEL, 0, 1, 2, 3, 4]] * 60)
    shown = attention_to_label(random_model("gpt2", encoding), encoding, clauses.with_present(present), orders)
    assert shown.matrix.shape == (6, 6)
    assert len(shown.names) == 6


@pytest.mark.parametrize("architecture", ["gpt2", "bert"])
def test_the_model_computes_attention_in_its_own_way_again_afterwards(architecture: str) -> None:
    encoding, clauses = rows_of()
    model = model_of(architecture, encoding)
    assert model.config._attn_implementation == "sdpa"
    attention_to_label(model, encoding, clauses, draw_orders(60, LABEL, "fix_y", np.random.default_rng(0)))
    assert model.config._attn_implementation == "sdpa"
    model.config._attn_implementation = "eager"
    attention_to_label(model, encoding, clauses, draw_orders(60, LABEL, "fix_y", np.random.default_rng(0)))
    assert model.config._attn_implementation == "eager"


@pytest.mark.parametrize("n", [0, 3])
def test_rows_without_a_label_clause_are_refused(n: int) -> None:
    encoding, clauses = rows_of(n=n)
    present = clauses.present.copy()
    present[1:, LABEL] = False
    orders = draw_orders(n, LABEL, "fix_y", np.random.default_rng(0))
    with pytest.raises(InvalidInputError, match=f"got {n} rows"):
        attention_to_label(random_model("gpt2", encoding), encoding, clauses.with_present(present), orders)
