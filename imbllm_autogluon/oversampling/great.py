"""GReaT: a language model of the whole table (Borisov et al. 2023, arXiv 2210.06280)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from imbllm_autogluon.oversampling.config import ConditioningConfig
from imbllm_autogluon.oversampling.generator import LanguageGenerator
from imbllm_autogluon.oversampling.prompts import PromptedLearner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imbllm_autogluon.arrays import IntArray
    from imbllm_autogluon.encoding import Clauses, SentenceEncoding
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.oversampling.config import GeneratorConfig
    from imbllm_autogluon.oversampling.generator import EncodedDataset, LearnedTable


class _TableLearner(PromptedLearner):
    """Learns every row with its own label."""

    stage = "whole table"
    choices = {"order": "permute_xy", "column_order_share": 0.0, "temperature": 1.0}  # noqa: RUF012 - of the base class

    def language(self, n_rare: int) -> LanguageConfig:
        """One stage of all steps."""
        del n_rare
        return self.whole_table_language()

    def sampling(self) -> GeneratorConfig:
        """Prompts give the label alone."""
        return replace(super().sampling(), conditioning=ConditioningConfig("y"))

    def validation_classes(self, codes: IntArray, wanted: Iterable[int]) -> Iterable[int]:
        """Every class."""
        del wanted
        return [int(code) for code in np.unique(codes)]

    def training_data(
        self, fold: EncodedDataset, table: LearnedTable, encoding: SentenceEncoding
    ) -> tuple[Clauses, Clauses, Clauses | None]:
        """The whole fold."""
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
