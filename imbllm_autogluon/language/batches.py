"""Batches of rows: whole ones to learn from, and prompts whose rows are to be completed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon._random import child_rng
from imbllm_autogluon.encoding import Sentences, draw_orders

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import IntArray
    from imbllm_autogluon.encoding import Clauses, Order, SentenceEncoding

_SORTED_BATCHES = 16  # whose rows are sorted by length together: enough to save padding, few enough to stay random


@dataclass(frozen=True, eq=False)
class Prompts:
    """What is given of the rows of one batch that a language model is to complete."""

    order: IntArray  # clause indices in the order of writing, of all rows; a clause that is left out is not written
    given: int  # how many clauses, from the first of `order`, are given
    tokens: IntArray  # of values, shape (n, n_clauses, longest); those of given clauses are read, others ignored

    def with_tokens(self, tokens: IntArray) -> Prompts:
        """Other rows of the same form."""
        return Prompts(self.order, self.given, tokens)


class Batches:
    """Endless batches of one stage of training: shuffled in each epoch, rows of similar length together.

    Every row occurs once in an epoch; epochs follow each other without a gap, so all batches have one size. A batch
    follows from its number alone, so training can be resumed, and several processes can share a batch. The order of the
    clauses is drawn for each row of each batch, but for `column_order_share` of them, which keep that of the columns.
    """

    def __init__(
        self,
        encoding: SentenceEncoding,
        rows: Clauses,
        size: int,
        order: Order,
        seed: int,
        column_order_share: float = 0.0,
    ) -> None:
        self._encoding = encoding
        self._rows = rows
        self._order = order
        self._column_order_share = column_order_share
        self._seed = seed
        self._lengths = encoding.lengths(rows)
        self.size = min(size, len(self._lengths))
        self._epoch = lru_cache(maxsize=4)(self._shuffled)
        self._group = lru_cache(maxsize=1)(self._sorted_group)

    def __call__(self, number: int) -> Sentences:
        """Batch of the given number (0, 1, 2, …)."""
        group, place = divmod(number, _SORTED_BATCHES)
        picked = self._group(group)[place]
        rng = child_rng(self._seed, "order", number)
        orders = _mixed_orders(len(picked), self._encoding.n_clauses - 1, self._order, self._column_order_share, rng)
        return self._encoding.assemble(self._rows.take(picked), orders)

    @staticmethod
    def fixed(
        encoding: SentenceEncoding, rows: Clauses, order: Order, seed: int, column_order_share: float = 0.0
    ) -> Sentences:
        """Write rows once, each in one drawn order: the same sentences whenever they are judged."""
        rng = child_rng(seed, "order", "held out")
        orders = _mixed_orders(len(rows.tokens), encoding.n_clauses - 1, order, column_order_share, rng)
        return encoding.assemble(rows, orders)

    def _sorted_group(self, group: int) -> list[IntArray]:
        """Rows of `_SORTED_BATCHES` batches, those of a batch of similar length, the batches in random order."""
        width = _SORTED_BATCHES * self.size
        rows = self._stream(group * width, (group + 1) * width)
        if self._lengths.min() < self._lengths.max():
            rows = rows[np.argsort(self._lengths[rows], kind="stable")]
        shuffled = child_rng(self._seed, "order", "group", group).permutation(_SORTED_BATCHES)
        return [rows[i * self.size : (i + 1) * self.size] for i in shuffled.tolist()]

    def _stream(self, start: int, stop: int) -> IntArray:
        """Rows at places `start` to `stop` of the epochs written one behind the other."""
        n = len(self._lengths)
        first, last = start // n, (stop - 1) // n
        rows = np.concatenate([self._epoch(epoch) for epoch in range(first, last + 1)])
        return rows[start - first * n : stop - first * n]

    def _shuffled(self, epoch: int) -> IntArray:
        return child_rng(self._seed, "order", "epoch", epoch).permutation(len(self._lengths)).astype(np.int64)


def _mixed_orders(
    n_rows: int, n_features: int, order: Order, column_order_share: float, rng: np.random.Generator
) -> IntArray:
    """Orders of n rows, about a share of them in the order of the columns, shape (n, n_features + 1)."""
    drawn = draw_orders(n_rows, n_features, order, rng)
    if column_order_share > 0:
        fixed = rng.random(n_rows) < column_order_share
        drawn[fixed] = draw_orders(int(fixed.sum()), n_features, order, rng, in_column_order=True)
    return drawn
