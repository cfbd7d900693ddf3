"""The label query: a language model is asked for the class of rows by scoring every class's tokens, in batches.

Pred-LLM's query (arXiv 2410.21717, section 3.3) with probabilities instead of free generation: the prompt is the row's
clauses followed by ``Y is``; each class is scored behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.language.prompts import Prompts
from imbllm_autogluon.randomness import child_rng

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.language.model import TableLanguageModel
    from imbllm_autogluon.sentences import Clauses


ROWS_ON_CPU = 128
"""Rows asked about at once without an accelerator: with 1,024 the compact model's activations leave the caches, and it
takes 1.7 times as long."""


class LabelQuery:
    """Asks a trained language model for the class of rows.

    Parameters
    ----------
    model
        A causal language model of a table.
    n_classes
        Classes of the label.
    orders
        Orders of the clauses in which each row is asked about: that of the columns, then drawn ones.
    threads
        torch threads.
    """

    def __init__(
        self, model: TableLanguageModel, n_classes: int, *, orders: int = 1, threads: int | None = None
    ) -> None:
        self._model = model
        self._n_features = model.encoding.n_clauses - 1
        codes = np.arange(n_classes)
        self._values = model.encoding.codings[-1].encode(codes, np.zeros(n_classes, dtype=bool))
        rng = child_rng(model.seed, "order", "query")
        drawn = [rng.permutation(self._n_features) for _ in range(orders - 1)]
        self._orders = [np.arange(self._n_features), *drawn]
        self._threads = threads

    def log_probabilities(self, clauses: Clauses) -> FloatArray:
        """Log-probability of every class, shape (n, k), float64; absent clauses are not written.

        Raises
        ------
        InvalidInputError
            The backbone is a masked language model.
        """
        # Where no clause is known every class is as likely as any other.
        logs = np.full((len(self._orders), len(clauses.tokens), len(self._values)), -np.log(len(self._values)))
        batches = list(self._batches(clauses))
        prompts = (Prompts(order, len(order) - 1, clauses.tokens[rows]) for _, rows, order in batches)
        scores = self._model.score_all(prompts, self._n_features, self._values, as_written=True, threads=self._threads)
        for (place, rows, _), score in zip(batches, scores, strict=True):
            logs[place, rows] = score
        mean: FloatArray = np.logaddexp.reduce(logs, axis=0) - np.log(len(self._orders))
        return mean

    def _batches(self, clauses: Clauses) -> Iterator[tuple[int, IntArray, IntArray]]:
        """Of each batch the number of its order, its rows, and the clauses that they all have, the label last."""
        present = clauses.present[:, : self._n_features]
        most = self._model.config.generation_batch or len(present)
        most = min(most, ROWS_ON_CPU) if self._model.on_cpu else most
        patterns, groups = np.unique(present, axis=0, return_inverse=True)
        for pattern, holds in enumerate(patterns):
            rows = np.flatnonzero(groups.reshape(-1) == pattern)
            for place, order in enumerate(self._orders if holds.any() else ()):
                written = np.append(order[holds[order]], self._n_features)
                for start in range(0, len(rows), most):
                    yield place, rows[start : start + most], written
