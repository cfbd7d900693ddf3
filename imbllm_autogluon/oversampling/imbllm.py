"""ImbLLM: minority rows written by a language model (arXiv 2510.09783)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from imbllm_autogluon._random import child_rng
from imbllm_autogluon.encoding import Clauses
from imbllm_autogluon.oversampling.generator import LanguageGenerator
from imbllm_autogluon.oversampling.interpolation import interpolate
from imbllm_autogluon.oversampling.prompts import PromptedLearner

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import BoolArray
    from imbllm_autogluon.encoding import SentenceEncoding
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.oversampling.generator import EncodedDataset, LearnedTable
    from imbllm_autogluon.tables import EncodedTable, TableSchema


class _RareLearner(PromptedLearner):
    """Learns the fold, then real and interpolated rows of the classes to be written."""

    choices = {"order": "fix_y", "column_order_share": 0.0, "temperature": 0.7}  # noqa: RUF012 - of the base class
    plausibility = 0.5

    def language(self, n_rare: int) -> LanguageConfig:
        """Steps that suit the real rows of the classes to be written, where none were chosen."""
        return self.config.language.with_defaults(**self.choices).for_rare_rows(n_rare).resolved()

    def pool(
        self, schema: TableSchema, code: int, real: EncodedTable, n_wanted: int
    ) -> tuple[EncodedTable, float | None]:
        """Rows interpolated between those that are learned."""
        config = self.config.interpolation
        n_rows = round(config.interpolation_ratio * n_wanted)
        if not n_rows:
            return super().pool(schema, code, real, n_wanted)
        return interpolate(schema, real, n_rows, config, child_rng(self.seed, "interpolation", code))

    def training_data(
        self, fold: EncodedDataset, table: LearnedTable, encoding: SentenceEncoding
    ) -> tuple[Clauses, Clauses, Clauses | None]:
        """The fold to warm up, then real and interpolated rows of all classes that the language model writes."""
        pretrain = encoding.encode(*fold.rows()) if self.language(table.n_rare).pretrain == "fold" else None
        learned, validation = [], []
        for code, rows in table.learned.items():
            clauses = encoding.encode(rows.pool, np.full(rows.pool.n_rows, code))
            present = clauses.present.copy()
            present[rows.real.n_rows :] &= self._written_of_interpolated(fold.schema)
            clauses = clauses.with_present(present)
            learned.append(clauses.take(np.arange(rows.held_out, rows.pool.n_rows)))
            validation.append(clauses.take(np.arange(rows.held_out)))
        return Clauses.concat(learned), Clauses.concat(validation), pretrain

    def _written_of_interpolated(self, schema: TableSchema) -> BoolArray:
        """Clauses that interpolated rows write, the label last, shape (n_clauses,)."""
        numeric = [column.is_number for column in schema.columns]
        alone = self.config.interpolation.interpolated_clauses == "continuous" and any(numeric)
        return np.array([*(numeric if alone else [True] * len(numeric)), True])


class ImbLLM(LanguageGenerator):
    """A generator of rows for the rare classes of one table.

    A warm-up on the whole fold is followed by the real rows of the classes that need more, and interpolated ones:
    as many as rows are wanted, times `interpolation_ratio`. Rows begin with the label and some feature values. Those
    that look like another class are written again (`plausibility`; our addition). Parameters: see
    :class:`~imbllm_autogluon.oversampling.generator.LanguageGenerator`.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> from imbllm_autogluon.oversampling import GeneratorConfig, ImbLLM
    >>> X, y = load_hypothyroid()
    >>> quick = GeneratorConfig.from_flat({"pretrain_steps": 2, "steps": 2})
    >>> generator = ImbLLM(quick, random_state=0).fit(X, y, {"hypothyroid": 100})
    >>> rows, labels = generator.sample()
    >>> len(rows), set(labels)
    (100, {'hypothyroid'})
    """

    method: ClassVar[str] = "imbllm"
    learner_class = _RareLearner
