"""Write rows of one class with a language model: prompts, decoding, no copies, none that looks like another class."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from imbllm_autogluon.oversampling.conditioning import PromptPool
from imbllm_autogluon.oversampling.copies import written_anew
from imbllm_autogluon.oversampling.prompted_rows import written_rows
from imbllm_autogluon.randomness import child_rng, child_seed

if TYPE_CHECKING:
    import numpy as np

    from imbllm_autogluon.language.model import TableLanguageModel
    from imbllm_autogluon.oversampling.class_rows import ClassRows
    from imbllm_autogluon.oversampling.config import ConditioningConfig
    from imbllm_autogluon.oversampling.copies import KnownRows
    from imbllm_autogluon.oversampling.near_copies import NearRows
    from imbllm_autogluon.oversampling.plausibility import ClassPlausibility
    from imbllm_autogluon.tables import Cells, TableSchema


class ClassWriter:
    """Writes new rows of one class.

    Parameters
    ----------
    model
        The trained language model.
    schema
        Columns of the table.
    conditioning
        What prompts give; the model has its own settings of decoding.
    known
        Real rows that must not come out again.
    threads
        torch threads.
    near
        Real rows that no written row may come near to; `None`: only exact copies are refused.
    plausible
        Judge of the rows; `None`: there is none.

    Attributes
    ----------
    counts : Counter
        What happened so far: what :func:`~imbllm_autogluon.oversampling.copies.written_anew` counts, and
        ``written_freely``, ``illegal``, ``tokens``.
    """

    def __init__(
        self,
        model: TableLanguageModel,
        schema: TableSchema,
        conditioning: ConditioningConfig,
        known: KnownRows,
        threads: int | None,
        near: NearRows | None = None,
        plausible: ClassPlausibility | None = None,
    ) -> None:
        self._model = model
        self._schema = schema
        self._conditioning = conditioning
        self._known = known
        self._threads = threads
        self._near = near
        self._plausible = plausible
        self.counts: Counter[str] = Counter()

    def write(self, rows: ClassRows, code: int, n_rows: int, seed: int, rng: np.random.Generator) -> Cells:
        """Exactly `n_rows` cells; copies of real rows are written again, a few times at most.

        Parameters
        ----------
        rows, code
            Rows of the class and its label code.
        n_rows
            Rows to write, 1 or more.
        seed
            Seed of the decoding.
        rng
            Source of the prompts.
        """
        pool = PromptPool(rows.clauses(self._model.encoding, code), rows.real.n_rows, self._schema.columns)
        return written_anew(
            lambda missing, attempt: self._complete_prompts(
                rows.pool, pool, missing, child_seed(seed, "decoding", attempt), rng
            ),
            n_rows,
            self._known,
            self.counts,
            self._near,
            self._plausible,
        )

    def _complete_prompts(
        self, real: Cells, pool: PromptPool, n_rows: int, seed: int, rng: np.random.Generator
    ) -> Cells:
        """One pass of prompting, decoding and restoring the given values, one batch after the other."""
        most = self._model.config.generation_batch
        assert most is not None
        encoding, values = self._model.encoding, child_rng(seed, "values")
        batches = pool.batches(n_rows, self._conditioning, most, rng)
        with self._model.writer(seed=seed, threads=self._threads) as writer:
            return written_rows(writer, batches, lambda rows: encoding.decode(rows, values)[0], real, self.counts)
