"""Rows written for prompts: completed by the model, decoded many at a time, the given values put back."""

from __future__ import annotations

from itertools import tee
from typing import TYPE_CHECKING

from imbllm_autogluon.oversampling.conditioning import restore_given
from imbllm_autogluon.sentences import Clauses
from imbllm_autogluon.tables import Cells

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator

    from imbllm_autogluon.language.writing import RowWriter
    from imbllm_autogluon.oversampling.conditioning import PromptBatch

DECODED_AT_ONCE = 16_384
"""Rows whose tokens are held before they become cells."""


def written_rows(
    writer: RowWriter,
    batches: Iterable[PromptBatch],
    decode: Callable[[Clauses], Cells],
    pool: Cells,
    counts: Counter[str],
) -> Cells:
    """Cells of all rows of the batches, in their order.

    Parameters
    ----------
    writer
        Completes the prompts.
    batches
        At least one.
    decode
        Makes cells of whole rows.
    pool
        Rows that the given values were taken from.
    counts
        ``tokens``, ``written_freely`` and ``illegal`` are added to it.
    """
    parts = []
    for group, clauses in _completed(writer, batches):
        counts["tokens"] += int((clauses.tokens >= 0).sum())
        parts.append(restore_given(group, decode(clauses), pool))
    counts.update(written_freely=writer.written_freely, illegal=writer.illegal)
    return Cells.concat(parts)


def _completed(writer: RowWriter, batches: Iterable[PromptBatch]) -> Iterator[tuple[list[PromptBatch], Clauses]]:
    """Batches and their rows, some thousand rows at a time."""
    prompted, again = tee(batches)
    group: list[PromptBatch] = []
    parts: list[Clauses] = []
    for batch, clauses in zip(prompted, writer.complete_all(each.prompts for each in again), strict=True):
        group.append(batch)
        parts.append(clauses)
        if sum(len(part.tokens) for part in parts) >= DECODED_AT_ONCE:
            yield group, Clauses.concat(parts)
            group, parts = [], []
    if group:
        yield group, Clauses.concat(parts)
