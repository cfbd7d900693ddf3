"""Candidate rows of Pred-LLM: features written from a marginal start, the class asked of the model afterwards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from imbllm_autogluon.oversampling.conditioning import PromptPool
from imbllm_autogluon.oversampling.config import ConditioningConfig
from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.tables import Cells

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.classification.label_model import LabelModel
    from imbllm_autogluon.oversampling.copies import KnownRows
    from imbllm_autogluon.tables import TableSchema

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]

ONE_VALUE = ConditioningConfig(conditioning="yx", condition_pairs=1)
"""A row begins with the value of one feature; the features take turns."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Written rows and what the model says of their classes."""

    cells: Cells
    probabilities: FloatArray
    """Shape (n, k)."""

    answers: IntArray
    """Shape (n,)."""


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
        What happened so far: ``copies_dropped``, ``tokens``, ``written_freely``, ``illegal``.
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
        """At most `n_rows` rows (copies of real ones are dropped) and their classes."""
        cells = self._written(n_rows, seed)
        copies = self._known.copies(cells)
        self.counts["copies_dropped"] += int(copies.sum())
        cells = cells.take(~copies)
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
        codes = np.zeros(self._starts.n_rows, dtype=np.int64)
        pool = PromptPool(self._model.feature_clauses(self._starts, codes), self._starts.n_rows, self._schema.columns)
        values, rng, parts = child_rng(seed, "values"), child_rng(seed, "prompts"), []
        with language.writer(seed=seed, threads=self._threads) as writer:
            for batch in pool.batches(n_rows, ONE_VALUE, most, rng, label_first=False):
                clauses = writer.complete(batch.prompts)
                cells = language.encoding.decode_features(clauses, values, m)
                parts.append(batch.restore_given(cells, self._starts))
                self.counts["tokens"] += int((clauses.tokens >= 0).sum())
        self.counts.update(written_freely=writer.written_freely, illegal=writer.illegal)
        return Cells.concat(parts)

    def _frame(self, cells: Cells) -> pd.DataFrame:
        """Written columns alone: what nothing writes is not asked about either."""
        columns = enumerate(self._schema.columns)
        return pd.DataFrame({c.name: c.decode(cells.values[j], cells.missing[:, j]) for j, c in columns})
