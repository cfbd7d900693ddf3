"""Batches written in step against the decoder that writes them one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.language import decoding
from imbllm_autogluon.language.compact import build_compact
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.decoding import RowWriter, _ConstrainedDecoder, _draw_tokens, _JointDecoder
from imbllm_autogluon.language.losses import NOT_LEGAL
from imbllm_autogluon.language.table_backbone import TableBackbone, _Tuning
from tests.language.tables import LABEL, legal_rows, prompts, random_model, table, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imbllm_autogluon.language.batches import Prompts

ENCODING, CLAUSES = written(table(), "bins, fused")

ORDERS = {
    "label first": [[LABEL, 0, 2, 1, 4, 3], [LABEL, 3, 1, 0, 2, 4], [LABEL, 1, 2, 0, 4, 3]],
    "label last": [[1, 4, 0, 2, 3, LABEL], [0, 1, 2, 3, 4, LABEL], [4, 3, 0, 1, 2, LABEL]],
    "no label": [[1, 4, 0, 2, 3], [0, 1, 2, 3, 4], [4, 3, 2, 0, 1]],
}
SIZES = (4, 1, 7)


def batches(orders: list[list[int]], given: int) -> list[Prompts]:
    return [
        prompts(CLAUSES, order, given, list(range(start, start + size)))
        for start, (order, size) in enumerate(zip(orders, SIZES, strict=True))
    ]


def compact() -> Any:
    torch.manual_seed(1)
    model = build_compact(ENCODING.n_tokens, ENCODING.longest_sentence, LanguageConfig(layers=2, width=32)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.2 * torch.randn_like(weight)
    return model


@pytest.mark.parametrize("architecture", ["compact", "gpt2", "llama"])
@pytest.mark.parametrize("given", [0, 1, 3])
@pytest.mark.parametrize("orders", ORDERS.values(), ids=ORDERS.keys())
def test_the_most_likely_rows_are_those_of_batches_written_alone(
    architecture: Any, given: int, orders: list[list[int]]
) -> None:
    model = compact() if architecture == "compact" else random_model(architecture, ENCODING)
    together = _JointDecoder(model, ENCODING, 0, torch.Generator()).complete(batches(orders, given))
    alone = _ConstrainedDecoder(model, ENCODING, 0, torch.Generator())
    for batch, tokens in zip(batches(orders, given), together, strict=True):
        assert tokens.tolist() == alone.complete(batch).tolist()


def test_drawn_rows_are_legal_and_the_same_seed_draws_them_again() -> None:
    model, drawn = compact(), []
    for seed in (1, 1, 2):
        decoder = _JointDecoder(model, ENCODING, 1.5, torch.Generator().manual_seed(seed))
        drawn.append(np.concatenate(decoder.complete(batches(ORDERS["label first"], 1))))
        assert legal_rows(ENCODING, drawn[-1])
    assert drawn[0].tolist() == drawn[1].tolist()
    assert drawn[0].tolist() != drawn[2].tolist()


def test_only_fused_sentences_of_values_of_one_token_are_in_step() -> None:
    assert _JointDecoder.can_write(ENCODING)
    assert not _JointDecoder.can_write(replace(ENCODING, fused=False))
    assert not _JointDecoder.can_write(written(table(), "digits, fused")[0])


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_tokens_are_drawn_by_their_shares_and_never_an_illegal_one(temperature: float) -> None:
    logits = torch.tensor([[NOT_LEGAL, 0.0, 1.0, NOT_LEGAL, -1.0, NOT_LEGAL]])
    drawn = _draw_tokens(logits.expand(40_000, -1), temperature, torch.Generator().manual_seed(0))
    shares = torch.softmax(logits[0] / temperature, dim=0)
    counts = torch.bincount(drawn, minlength=6) / 40_000
    assert not counts[[0, 3, 5]].any()
    torch.testing.assert_close(counts, shares, rtol=0, atol=0.01)


def test_the_largest_uniform_number_draws_the_last_legal_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.ones(shape))
    logits = torch.tensor([[0.0, 0.3, NOT_LEGAL], [NOT_LEGAL, 0.1, NOT_LEGAL]])
    assert _draw_tokens(logits, 1.0, torch.Generator()).tolist() == [1, 1]


def row_writer(rows_at_once: int) -> RowWriter:
    config = LanguageConfig(generation_batch=rows_at_once, layers=2, width=32).resolved()
    model = compact()
    return RowWriter(TableBackbone(model, ENCODING, _Tuning(model, config), "causal", None), config, seed=0)


def sizes_together(monkeypatch: pytest.MonkeyPatch, rows_at_once: int, asked: list[Prompts], most: int) -> list[int]:
    """Rows that each pass holds, where memory holds `most`; all batches must come out in order."""
    passes, complete = [], _JointDecoder.complete

    def noted(self: _JointDecoder, group: list[Prompts]) -> Any:
        passes.append(sum(len(batch.tokens) for batch in group))
        if passes[-1] > most:
            raise MemoryError
        return complete(self, group)

    monkeypatch.setattr(_JointDecoder, "complete", noted)
    monkeypatch.setattr(decoding, "release_memory", lambda: None)
    found = list(row_writer(rows_at_once).complete_all(iter(asked)))
    for batch, clauses in zip(asked, found, strict=True):
        given = batch.order[: batch.given]
        assert clauses.tokens[:, given].tolist() == batch.tokens[:, given].tolist()
        assert clauses.present.sum() == len(batch.order) * len(batch.tokens)
    return passes


def of_two_forms() -> Iterator[Prompts]:
    """Three batches of 4, 1 and 7 rows with the label, and three of the same sizes without."""
    yield from batches(ORDERS["label first"], 1)
    yield from batches(ORDERS["no label"], 1)


@pytest.mark.parametrize(
    ("rows_at_once", "most", "passes"),
    [(100, 100, [12, 12]), (6, 100, [5, 5]), (100, 6, [12, 5]), (12, 100, [12, 12])],
)
def test_batches_of_one_form_go_together_as_far_as_memory_holds_them(
    rows_at_once: int, most: int, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of 7 rows are too large for 6 at once, and are written alone, in parts where they must be."""
    assert sizes_together(monkeypatch, rows_at_once, list(of_two_forms()), most) == passes
