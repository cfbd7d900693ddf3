"""ImbLLM (arXiv 2510.09783) and GReaT (arXiv 2210.06280): language models that write rows behind their label."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from imbllm_autogluon._random import child_rng
from imbllm_autogluon.encoding import Clauses, SchemaVocabulary
from imbllm_autogluon.oversampling.config import ConditioningConfig
from imbllm_autogluon.oversampling.filters import reject_until
from imbllm_autogluon.oversampling.generator import LanguageGenerator, Learner, SyntheticRows, Writer
from imbllm_autogluon.oversampling.interpolation import interpolate
from imbllm_autogluon.oversampling.prompts import PromptPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.encoding import SentenceEncoding
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.oversampling.config import GeneratorConfig
    from imbllm_autogluon.oversampling.generator import EncodedDataset, LearnedTable, SampleRequest
    from imbllm_autogluon.tables import EncodedTable, TableSchema


class _PromptedWriter(Writer):
    """Writes the rows of each class behind its label, and behind some feature values of its rows."""

    def write(self, request: SampleRequest, wanted: Mapping[int, int]) -> dict[int, SyntheticRows]:
        written, left = {}, sum(wanted.values())
        for code, n_rows in wanted.items():
            counts: Counter[str] = Counter()
            own = request.part(code, share=n_rows / left)
            rows = reject_until(self._draft(own, code, counts), n_rows, own.filters(code), counts, ends=own.ends)
            written[code], left = SyntheticRows(rows, counts), left - n_rows
        return written

    def _draft(self, request: SampleRequest, code: int, counts: Counter[str]) -> Callable[[int, int], EncodedTable]:
        rows, rng = request.table.classes[code], child_rng(request.seed, "prompts")
        clauses = self.model.encoding.encode(rows.pool, np.full(rows.pool.n_rows, code))
        pool = PromptPool(rows.pool, clauses, rows.real.n_rows, request.table.schema.columns)

        def write(n_rows: int, attempt: int) -> EncodedTable:
            batches = pool.batches(n_rows, request.config.conditioning, self.rows_at_once, rng)
            return pool.complete(self.model, batches, counts, **request.options(n_rows, attempt))

        return write


class _PromptedLearner(Learner):
    """A learner whose model writes rows behind their label."""

    stage: ClassVar[str] = "minority"  # name of the last stage of training

    @abstractmethod
    def training_data(
        self, fold: EncodedDataset, table: LearnedTable, encoding: SentenceEncoding
    ) -> tuple[Clauses, Clauses, Clauses | None]:
        """Rows of the last stage, rows whose loss ends it early, and rows of a stage before it, if there is one."""

    def train(self, fold: EncodedDataset, table: LearnedTable, **limits: Any) -> _PromptedWriter:
        from imbllm_autogluon.language.model import TableLanguageModel

        language = self.language(table.n_rare)
        assert language.numbers is not None
        vocabulary = SchemaVocabulary.fit(
            fold.schema, *fold.known_rows(), numbers=language.numbers, max_bins=language.max_bins
        )
        model = TableLanguageModel(vocabulary, language, self.seed)
        rows, validation, pretrain = self.training_data(fold, table, model.encoding)
        options = {"pretrain": pretrain, "held_out": validation, "threads": self.threads, "stage": self.stage, **limits}
        model.train(rows, **options)
        return _PromptedWriter(model)

    def load_writer(self, folder: Path, state: Mapping[str, Any], cells: Mapping[str, EncodedTable]) -> _PromptedWriter:
        from imbllm_autogluon.language.model import TableLanguageModel

        del state, cells
        return _PromptedWriter(TableLanguageModel.load(folder))


class _RareLearner(_PromptedLearner):
    """Learns the fold, then real and interpolated rows of the classes to be written."""

    choices = {"order": "fix_y", "column_order_share": 0.0, "temperature": 0.7}  # noqa: RUF012 - of the base class
    plausibility = 0.5

    def language(self, n_rare: int) -> LanguageConfig:
        """Steps that suit the real rows of the classes to be written, where none were chosen."""
        return self.config.language.with_defaults(**self.choices).for_rare_rows(n_rare).resolved()

    def pool(
        self, schema: TableSchema, code: int, real: EncodedTable, n_wanted: int
    ) -> tuple[EncodedTable, float | None]:
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


class _TableLearner(_PromptedLearner):
    """Learns every row with its own label."""

    stage = "whole table"
    choices = {"order": "permute_xy", "column_order_share": 0.0, "temperature": 1.0}  # noqa: RUF012 - of the base class

    def language(self, n_rare: int) -> LanguageConfig:
        del n_rare
        return self.whole_table_language()

    def sampling(self) -> GeneratorConfig:
        return replace(super().sampling(), conditioning=ConditioningConfig("y"))

    def validation_classes(self, codes: IntArray, wanted: Iterable[int]) -> Iterable[int]:
        del wanted
        return [int(code) for code in np.unique(codes)]

    def training_data(
        self, fold: EncodedDataset, table: LearnedTable, encoding: SentenceEncoding
    ) -> tuple[Clauses, Clauses, Clauses | None]:
        del table
        return encoding.encode(*fold.rows()), encoding.encode(*fold.rows(held_out=True)), None


class GReaT(LanguageGenerator):
    """A generator that learns every row of a table with its own label, clauses in any order, and writes all classes.

    Rows begin with the label alone, so that each class gets its exact count without rejection. The one stage of
    training has `pretrain_steps` + `steps` steps, or `epochs` passes over the table, from random weights. Settings of
    interpolation only matter for classes of 2 to 5 rows; `conditioning` and `pretrain` do not matter. Parameters: see
    :class:`~imbllm_autogluon.oversampling.generator.LanguageGenerator`.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> from imbllm_autogluon.oversampling import GeneratorConfig, GReaT
    >>> X, y = load_hypothyroid()
    >>> quick = GeneratorConfig.from_flat({"pretrain_steps": 2, "steps": 2})
    >>> generator = GReaT(quick, random_state=0).fit(X, y, {"hypothyroid": 3, "negative": 4})
    >>> generator.sample()[1].value_counts().to_dict()
    {'negative': 4, 'hypothyroid': 3}
    """

    method: ClassVar[str] = "great"
    learner_class = _TableLearner
