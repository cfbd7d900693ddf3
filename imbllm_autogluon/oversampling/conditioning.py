"""Prompts: what is given of each row to be written (``condition_y`` and ``condition_yx`` of arXiv 2510.09783)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.language.batches import Prompts
from imbllm_autogluon.tables import Cells

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imbllm_autogluon.arrays import IntArray
    from imbllm_autogluon.oversampling.config import ConditioningConfig
    from imbllm_autogluon.sentences import Clauses
    from imbllm_autogluon.tables import Column


SMALLEST_BATCH = 32
"""Rows below which a batch is not worth its forward passes: with few rows and many columns, the columns of the
prompts cycle from batch to batch instead of covering every feature each time."""


@dataclass(frozen=True, eq=False)
class PromptBatch:
    """Prompts that share one clause order, and where their given values come from."""

    prompts: Prompts
    sources: IntArray
    """Row of the pool that each given value was taken from, shape (n, number of given features)."""

    features: IntArray
    """Given features, shape (number of given features,)."""


def restore_given(batches: Sequence[PromptBatch], written: Cells, pool: Cells) -> Cells:
    """Put the exact given values back in place of the ones decoded from their tokens.

    Parameters
    ----------
    batches
        Prompts of the written rows, one batch after the other.
    written
        The rows.
    pool
        Rows that the given values were taken from.
    """
    values, missing, start = [column.copy() for column in written.values], written.missing.copy(), 0
    for batch in batches:
        rows = slice(start, start + len(batch.sources))
        start = rows.stop
        for place, feature in enumerate(batch.features.tolist()):
            source = batch.sources[:, place]
            missing[rows, feature] = pool.missing[source, feature]
            values[feature][rows] = np.where(pool.missing[source, feature], 0, pool.values[feature][source])
    return Cells(tuple(values), missing)


@dataclass(frozen=True, eq=False)
class PromptPool:
    """Rows of one class that prompts take their values from: the real ones first, then the interpolated ones."""

    clauses: Clauses
    n_real: int
    columns: tuple[Column, ...]

    def batches(
        self,
        n_rows: int,
        config: ConditioningConfig,
        most: int,
        rng: np.random.Generator,
        *,
        with_label: bool = True,
    ) -> Iterator[PromptBatch]:
        """Cut `n_rows` prompts into batches of at most `most`, each with a clause order of its own.

        The label clause comes first, or is left out altogether; for ``yx``, k feature clauses follow whose columns
        cycle evenly over all features; the rest follows in a random order.
        """
        n_features = len(self.columns)
        k = min(config.condition_pairs, n_features) if config.conditioning == "yx" else 0
        n_groups = 1 if k == 0 else max(1, min(n_features, n_rows // SMALLEST_BATCH))
        cycle = _cycle(n_features, n_groups, k, rng)
        for group, size in enumerate(_even_sizes(n_rows, n_groups)):
            for start in range(0, size, most):
                yield self._batch(cycle[group], min(most, size - start), rng, with_label)

    def _batch(self, features: IntArray, n_rows: int, rng: np.random.Generator, with_label: bool) -> PromptBatch:
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
        return PromptBatch(Prompts(order, len(label) + len(features), tokens), sources, features)


def _cycle(n_features: int, n_groups: int, k: int, rng: np.random.Generator) -> IntArray:
    """Given features of each group, shape (n_groups, k): windows of k over a random cycle of all features."""
    places = (np.arange(n_groups)[:, None] + np.arange(k)[None, :]) % n_features
    windows: IntArray = rng.permutation(n_features)[places].astype(np.int64)
    return windows


def _even_sizes(total: int, parts: int) -> list[int]:
    """Sizes that differ by at most one and add up to `total`."""
    return [total // parts + (part < total % parts) for part in range(parts)]
