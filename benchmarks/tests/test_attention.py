"""Attention to the label under each order, against what the order allows and a slow count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.attention import BY_COLUMN, PROTOCOL, attention_to_label
from benchmarks.protocol import Options, run
from imbllm_autogluon.encoding import Clauses, draw_orders
from tests.language.tables import LABEL, clauses_of, random_masked_model, random_model, table, vocabulary_of


@torch.inference_mode()
def slow_row(model: Any, encoding: Any, clauses: Clauses, row: int, order: list[int]) -> pd.DataFrame:
    """For each value token: its clause, what its writing place gives to the label, and whether it can and does."""
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
    weights = torch.stack(model(input_ids=torch.tensor([ids]), output_attentions=True).attentions)[:, 0].mean(
        dim=(0, 1)
    )
    looks = []
    for clause, place in ((clause, place) for clause, own in places.items() if clause != LABEL for place in own):
        writer = place - 1 if causal else place
        sight = range(writer + 1) if causal else range(len(ids))
        labels = [at for at in places[LABEL] if at in sight]
        mass = float(sum(weights[writer, at] for at in labels))
        looks.append((clause, mass, bool(labels), bool(labels) and mass > len(labels) / len(sight)))
    return pd.DataFrame(looks, columns=["clause", "mass", "can", "does"])


CASES: list[tuple[str, Any, Any]] = [
    ("gpt2", "bins", "permute_xy"),
    ("llama", "digits", "fix_y"),
    ("gpt2", "digits", "permute_x"),
    ("distilbert", "bins", "permute_xy"),
]


@pytest.mark.parametrize(("architecture", "numbers", "order"), CASES)
def test_the_numbers_equal_a_slow_count_over_sentences_of_different_lengths(
    architecture: str, numbers: Any, order: Any
) -> None:
    vocabulary = vocabulary_of(table(), numbers)
    encoding, clauses = vocabulary.encoding(), clauses_of(vocabulary, table()).take(np.arange(20))
    present = clauses.present.copy()
    present[::2, 1] = False
    present[:, 3] = False
    clauses, orders = clauses.with_present(present), draw_orders(20, LABEL, order, np.random.default_rng(0))
    model = (random_masked_model if "bert" in architecture else random_model)(architecture, encoding)
    attention = attention_to_label(model, encoding, clauses, orders)
    assert model.config._attn_implementation == "sdpa"
    looks = [slow_row(model, encoding, clauses, row, order_of_row) for row, order_of_row in enumerate(orders.tolist())]
    mass = pd.concat(looks).groupby("clause")["mass"].mean().reindex(range(LABEL + 1)).to_numpy()
    assert np.isnan(mass[[3, LABEL]]).all()
    assert attention.mass == pytest.approx(mass, abs=1e-6, nan_ok=True)
    assert attention.can == pytest.approx([own["can"].mean() for own in looks])
    assert attention.does == pytest.approx([own["does"].mean() for own in looks])


def test_the_protocol_measures_trained_models() -> None:
    own = {"pretrain_steps": 2, "steps": 2, "sentences": 20}
    asked = Options(tables=("seeded:80x4:20",), methods=("causal, permute_x", "masked, fix_y"), own=own)
    tidy = run(PROTOCOL, asked).tidy
    figures = tidy.pivot_table("value", "method", "metric")
    assert figures["can attend"].to_dict() == {"causal, permute_x": 0.0, "masked, fix_y": 1.0}
    assert [name for name in figures if name.startswith(BY_COLUMN)] == [f"{BY_COLUMN}feature {j}" for j in range(4)]
