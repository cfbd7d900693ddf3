"""Candidate rows of Pred-LLM: features written from a marginal start, the class asked of the model afterwards."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from imbllm_autogluon.oversampling.acceptance import Asked
from imbllm_autogluon.oversampling.conditioning import PromptPool
from imbllm_autogluon.oversampling.config import ConditioningConfig
from imbllm_autogluon.oversampling.copies import written_anew
from imbllm_autogluon.oversampling.prompted_rows import written_rows
from imbllm_autogluon.randomness import child_rng, child_seed

if TYPE_CHECKING:
    from imbllm_autogluon.classification.label_model import LabelModel
    from imbllm_autogluon.oversampling.copies import KnownRows
    from imbllm_autogluon.tables import Cells, TableSchema


ONE_VALUE = ConditioningConfig(conditioning="yx", condition_pairs=1)
"""A row begins with the value of one feature; the features take turns."""


class CandidateWriter:
    """Writes rows without a class and asks for it.

    Parameters
    ----------
    model
        The fitted language model of the table, its label query and calibration.
    schema
        Columns of the table, without the hints that the model may have beside them.
    starts
        Rows that the first values are drawn from.
    known
        Real rows that must not come out.
    answer
        ``"sampled"`` draws a class from its probabilities, ``"highest"`` takes the one the model decides for.
    threads
        torch threads.

    Attributes
    ----------
    counts : Counter
        What happened so far: ``copies_dropped``, ``copies_kept``, ``tokens``, ``written_freely``, ``illegal``.
    """

    def __init__(
        self,
        model: LabelModel,
        schema: TableSchema,
        starts: Cells,
        known: KnownRows,
        answer: Literal["sampled", "highest"],
        threads: int | None,
    ) -> None:
        self._model = model
        self._schema = schema
        self._starts = starts
        self._known = known
        self._answer = answer
        self._threads = threads
        self.counts: Counter[str] = Counter()

    def write(self, n_rows: int, seed: int) -> Asked:
        """Exactly `n_rows` rows, in random order, and their classes.

        Copies of real rows are written again, a few times at most.
        """
        cells = written_anew(
            lambda missing, attempt: self._written(missing, child_seed(seed, "decoding", attempt)),
            n_rows,
            self._known,
            self.counts,
        )
        # Batches begin with one feature each: the first rows of a class must not all begin with the same one.
        cells = cells.take(child_rng(seed, "order", "candidates").permutation(n_rows))
        probabilities = self._model.probabilities(self._frame(cells))
        if self._answer == "highest":
            return Asked(cells, probabilities, self._model.decide(probabilities))
        draws = child_rng(seed, "decoding", "classes").random((cells.n_rows, 1))
        answers = (probabilities.cumsum(axis=1) < draws).sum(axis=1).clip(max=probabilities.shape[1] - 1)
        return Asked(cells, probabilities, answers.astype(np.int64))

    def _written(self, n_rows: int, seed: int) -> Cells:
        """Features only, batch by batch, given values restored."""
        language, m = self._model.language_model, len(self._schema.columns)
        most = language.config.generation_batch
        assert most is not None
        pool = PromptPool(
            self._model.reader.feature_clauses(language.encoding, self._starts),
            self._starts.n_rows,
            self._schema.columns,
        )
        encoding, values = language.encoding, child_rng(seed, "values")
        batches = pool.batches(n_rows, ONE_VALUE, most, child_rng(seed, "prompts"), with_label=False)
        with language.writer(seed=seed, threads=self._threads) as writer:
            return written_rows(
                writer, batches, lambda rows: encoding.decode_features(rows, values, m), self._starts, self.counts
            )

    def _frame(self, cells: Cells) -> pd.DataFrame:
        """Written columns alone: what nothing writes is not asked about either."""
        columns = enumerate(self._schema.columns)
        return pd.DataFrame({c.name: c.decode(cells.values[j], cells.missing[:, j]) for j, c in columns})
