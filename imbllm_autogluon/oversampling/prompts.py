"""Prompts: what is given of each row to be written (``condition_y`` and ``condition_yx`` of arXiv 2510.09783)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from itertools import tee
from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon._random import child_rng
from imbllm_autogluon.encoding import Clauses
from imbllm_autogluon.language.batches import Prompts
from imbllm_autogluon.tables import EncodedTable

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from imbllm_autogluon.arrays import IntArray
    from imbllm_autogluon.language.decoding import RowWriter
    from imbllm_autogluon.language.model import TableLanguageModel
    from imbllm_autogluon.oversampling.config import ConditioningConfig
    from imbllm_autogluon.tables import Column

# Rows below which a batch is not worth its forward passes: with few rows and many columns, the columns of the
# prompts cycle from batch to batch instead of covering every feature each time.
_SMALLEST_BATCH = 32
_WRITTEN_IN_A_HURRY = 256  # rows written at once where there is a time limit
_DECODED_AT_ONCE = 16_384  # rows whose tokens are held before they become cells


@dataclass(frozen=True, eq=False)
class _PromptBatch:
    """Prompts that share one clause order, and where their given values come from."""

    prompts: Prompts
    sources: IntArray  # row of the pool that each given value was taken from, shape (n, number of given features)
    features: IntArray  # given features, shape (number of given features,)


@dataclass(frozen=True, eq=False)
class PromptPool:
    """Rows that prompts take their values from: the real ones first, then the interpolated ones."""

    cells: EncodedTable
    clauses: Clauses
    n_real: int
    columns: tuple[Column, ...]

    def batches(
        self, n_rows: int, config: ConditioningConfig, most: int, rng: np.random.Generator, *, with_label: bool = True
    ) -> Iterator[_PromptBatch]:
        """Cut `n_rows` prompts into batches of at most `most`, each with a clause order of its own.

        The label clause comes first, or is left out altogether; for ``yx``, k feature clauses follow whose columns
        cycle evenly over all features; the rest follows in a random order.
        """
        n_features = len(self.columns)
        k = min(config.condition_pairs, n_features) if config.conditioning == "yx" else 0
        n_groups = 1 if k == 0 else max(1, min(n_features, n_rows // _SMALLEST_BATCH))
        cycle = _cycle(n_features, n_groups, k, rng)
        for group in range(n_groups):
            size = n_rows // n_groups + (group < n_rows % n_groups)
            for start in range(0, size, most):
                yield self._batch(cycle[group], min(most, size - start), rng, with_label)

    def _batch(self, features: IntArray, n_rows: int, rng: np.random.Generator, with_label: bool) -> _PromptBatch:
        """One batch: values of one row of the pool for all given features, so that they agree with each other."""
        n_features = len(self.columns)
        rest = rng.permutation(np.setdiff1d(np.arange(n_features), features))
        label = [self.clauses.tokens.shape[1] - 1] if with_label else []
        order = np.concatenate([label, features, rest]).astype(np.int64)
        alone = len(features) == 1 and self.columns[int(features[0])].is_category
        # Interpolation can change how often a category occurs; a lone category is drawn as often as in real rows.
        source = rng.integers(0, self.n_real if alone else len(self.clauses.tokens), size=n_rows)
        tokens = self.clauses.tokens[source]
        sources = np.repeat(source[:, None], len(features), axis=1)
        return _PromptBatch(Prompts(order, len(label) + len(features), tokens), sources, features)

    def complete(
        self,
        model: TableLanguageModel,
        batches: Iterable[_PromptBatch],
        counts: Counter[str],
        *,
        seed: int,
        threads: int | None,
        ends: float,
        progress: Callable[[int], Any],
    ) -> EncodedTable:
        """Rows of the batches (at least one), in order, given values put back; adds what happened to `counts`.

        No batch but the first is begun after `ends` (by ``time.perf_counter``). `progress` is called with the number
        of rows just written.
        """
        if ends < math.inf:  # the clock is asked between groups of so many rows
            at_once = min(_WRITTEN_IN_A_HURRY, model.config.generation_batch or 1)
            model = model.with_config(replace(model.config, generation_batch=at_once))
        values, parts = child_rng(seed, "values"), []
        with model.writer(seed=seed, threads=threads) as writer:
            for group, clauses in _completed(writer, _until(ends, batches), progress):
                counts["tokens"] += int((clauses.tokens >= 0).sum())
                cells = model.encoding.decode_features(clauses, values, len(self.columns))
                parts.append(self.restore_given(group, cells))
            counts.update(written_freely=writer.written_freely, illegal=writer.illegal)
        return EncodedTable.concat(parts)

    def restore_given(self, batches: Sequence[_PromptBatch], written: EncodedTable) -> EncodedTable:
        """Put the exact given values of batches in place of the ones decoded from their tokens."""
        values, missing, start = [column.copy() for column in written.values], written.missing.copy(), 0
        for batch in batches:
            rows = slice(start, start + len(batch.sources))
            start = rows.stop
            for place, feature in enumerate(batch.features.tolist()):
                source = batch.sources[:, place]
                gone = self.cells.missing[source, feature]
                missing[rows, feature] = gone
                values[feature][rows] = np.where(gone, 0, self.cells.values[feature][source])
        return EncodedTable(tuple(values), missing)


def _until(ends: float, batches: Iterable[_PromptBatch]) -> Iterator[_PromptBatch]:
    """The first batch, and others as long as there is time."""
    for batch in batches:
        yield batch
        if time.perf_counter() >= ends:
            return


def _completed(
    writer: RowWriter, batches: Iterable[_PromptBatch], progress: Callable[[int], Any]
) -> Iterator[tuple[list[_PromptBatch], Clauses]]:
    """Batches and their rows, some thousand rows at a time."""
    prompted, again = tee(batches)
    group: list[_PromptBatch] = []
    parts: list[Clauses] = []
    for batch, clauses in zip(prompted, writer.complete_all(each.prompts for each in again), strict=True):
        group.append(batch)
        parts.append(clauses)
        progress(len(clauses.tokens))
        if sum(len(part.tokens) for part in parts) >= _DECODED_AT_ONCE:
            yield group, Clauses.concat(parts)
            group, parts = [], []
    if group:
        yield group, Clauses.concat(parts)


def _cycle(n_features: int, n_groups: int, k: int, rng: np.random.Generator) -> IntArray:
    """Given features of each group, shape (n_groups, k): windows of k over a random cycle of all features."""
    places = (np.arange(n_groups)[:, None] + np.arange(k)[None, :]) % n_features
    return np.asarray(rng.permutation(n_features)[places], dtype=np.int64)
