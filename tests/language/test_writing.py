"""The writer of rows: less at once where memory runs out, all rows, in their order; illegal rows written again."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.language import decoding
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.decoding import RowWriter, _ConstrainedDecoder
from imbllm_autogluon.language.table_backbone import TableBackbone, _Tuning
from tests.language.tables import LABEL, legal_rows, prompts, random_model, table, written

if TYPE_CHECKING:
    from imbllm_autogluon.encoding import SentenceEncoding
    from imbllm_autogluon.language.batches import Prompts

ENCODING, CLAUSES = written(table(), "text apart")
CONFIG = LanguageConfig(
    pretrained=False,
).resolved()
ORDER = [LABEL, 0, 2, 1, 4, 3]


def backbone() -> TableBackbone:
    model = random_model("gpt2", ENCODING)
    return TableBackbone(model, ENCODING, _Tuning(model, CONFIG), "causal", None)


def given_alone(encoding: SentenceEncoding, batch: Prompts) -> Any:
    """Rows that hold what is given, in the width of the longest of it, and one token everywhere else."""
    tokens = np.where(np.isin(np.arange(6), ORDER[: batch.given])[:, None], batch.tokens, -1)
    tokens[:, ORDER[batch.given :], 0] = 1
    return tokens[:, :, : int((tokens >= 0).sum(axis=2).max())]


class Small:
    """A decoder with memory for a few rows; remembers the sizes that were tried, and 0 where memory was released."""

    def __init__(self, most: int, error: Exception) -> None:
        self.most, self.error, self.sizes = most, error, list[int]()

    def __call__(self, *_: Any) -> Small:
        return self

    def complete(self, batch: Prompts) -> Any:
        self.sizes.append(len(batch.tokens))
        if len(batch.tokens) > self.most:
            raise self.error
        return given_alone(ENCODING, batch)


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:115] DefaultCPUAllocator: can't allocate memory: you tried ..."),
    MemoryError(),
]


def writer_with(decoder: Small, monkeypatch: pytest.MonkeyPatch) -> RowWriter:
    monkeypatch.setattr(decoding, "_ConstrainedDecoder", decoder)
    monkeypatch.setattr(decoding, "release_memory", lambda: decoder.sizes.append(0))
    return RowWriter(backbone(), CONFIG, 0)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("most", "sizes"), [(20, [20]), (10, [20, 0, 10, 10]), (7, [20, 0, 10, 0, 5, 5, 5, 5]), (1, None)]
)
def test_rows_are_complete_and_in_order_where_memory_runs_out(
    error: Exception, most: int, sizes: list[int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder, batch = Small(most, error), prompts(CLAUSES, ORDER, 3, list(range(20)))
    rows = writer_with(decoder, monkeypatch).complete(batch)
    assert rows.tokens.tolist() == given_alone(ENCODING, batch).tolist()
    assert rows.present.all()
    assert rows.present.shape == (20, 6)
    assert sizes is None or decoder.sizes == sizes


def test_less_at_once_is_logged_with_the_numbers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        writer_with(Small(5, MemoryError()), monkeypatch).complete(prompts(CLAUSES, ORDER, 3, list(range(10))))
    assert [record.getMessage() for record in caplog.records] == [
        "Out of memory with 10 rows at once; going on with 5."
    ]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_memory_too_small_for_one_row_is_an_error(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Small(0, error)
    with pytest.raises(type(error)):
        writer_with(decoder, monkeypatch).complete(prompts(CLAUSES, ORDER, 3, list(range(4))))
    assert decoder.sizes == [4, 0, 2, 0, 1]


@pytest.mark.parametrize("error", [RuntimeError("size mismatch"), KeyError("x"), ValueError("not enough rows")])
def test_other_errors_pass_through_at_once(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Small(2, error)
    with pytest.raises(type(error)) as caught:
        writer_with(decoder, monkeypatch).complete(prompts(CLAUSES, ORDER, 3, list(range(4))))
    assert caught.value is error
    assert decoder.sizes == [4]


def test_a_writer_writes_what_its_decoder_would() -> None:
    batch = prompts(CLAUSES, ORDER, 2, list(range(12)))
    one = backbone()
    rows = RowWriter(one, CONFIG, 7).complete(batch)
    decoder = _ConstrainedDecoder(one.model, ENCODING, CONFIG.temperature, torch.Generator().manual_seed(7))
    assert rows.tokens.tolist() == decoder.complete(batch).tolist()


def test_free_rows_that_are_not_legal_are_written_again_in_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, legal = prompts(CLAUSES, ORDER, 2, list(range(6))), np.array([True, False, True, True, False, True])

    class Half:
        def __init__(self, *_: Any) -> None: ...

        def complete(self, _: Prompts) -> Any:
            return np.where(legal[:, None, None], CLAUSES.tokens[:6], -1), legal

    monkeypatch.setattr(decoding, "_FreeDecoder", Half)
    writer = RowWriter(backbone(), dataclasses.replace(CONFIG, constrained=False), 0)
    rows = writer.complete(batch)
    assert legal_rows(ENCODING, rows.tokens)
    assert rows.tokens[legal][:, :, : CLAUSES.tokens.shape[2]].tolist() == CLAUSES.tokens[:6][legal].tolist()
    for clause in ORDER[:2]:
        width = CLAUSES.tokens.shape[2]
        assert rows.tokens[:, clause, :width].tolist() == CLAUSES.tokens[:6, clause].tolist()
    assert (writer.written_freely, writer.illegal) == (6, 2)
    writer.complete(batch)
    assert (writer.written_freely, writer.illegal) == (12, 4)


def test_an_untrained_model_writes_freely_and_every_row_is_legal_in_the_end() -> None:
    writer = RowWriter(backbone(), dataclasses.replace(CONFIG, constrained=False), 0)
    rows = writer.complete(prompts(CLAUSES, ORDER, 1, [0, 4, 8, 12]))
    assert legal_rows(ENCODING, rows.tokens)
    assert (writer.written_freely, writer.illegal) == (4, 4)
