"""One job from a labelled table to a fitted predictor, a comparison of its ensembles, and a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.jobs.base_job import BaseJob
from imbllm_autogluon.jobs.checks import check_classes, check_columns, check_metric, check_test_classes

if TYPE_CHECKING:
    from collections.abc import Hashable

    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.jobs.comparison import Comparison
    from imbllm_autogluon.jobs.contenders import Contenders
    from imbllm_autogluon.tables.labeled import LabeledTable


@dataclass(frozen=True, eq=False)
class FitJob(BaseJob):
    """A job for a label of classes.

    Its metric is by default average precision for two classes and balanced accuracy for more, because accuracy,
    AutoGluon's own default, is high for a model that never predicts a rare class.

    Raises
    ------
    InvalidInputError
        A name or number is not allowed; the message lists what is.
    TableError
        The test table lacks a column of the training table.
    ClassTooSmallError
        A class cannot be continued because it has a single row.
    """

    train: LabeledTable
    """Rows to learn from."""

    test: LabeledTable | None = None
    """Rows for the comparison that take no part in the fit; without them, out-of-fold rows are used."""

    positive_class: str | None = None
    """Positive class of two, as text; default: the rarer one."""

    @property
    def problem_type(self) -> str:
        """``binary`` or ``multiclass``."""
        return "binary" if len(self.train.counts) == 2 else "multiclass"

    @property
    def eval_metric(self) -> str:
        """The metric in force."""
        return self.metric or ("average_precision" if self.problem_type == "binary" else "balanced_accuracy")

    @property
    def positive(self) -> Hashable:
        """Positive class of two; `None` for more classes.

        Left alone, AutoGluon takes the alphabetically last class, which is as often as not the frequent one: F1 and
        average precision would then describe the class nobody looks for.
        """
        if self.problem_type != "binary":
            return None
        return self.train.rarest if self.positive_class is None else self.train.class_named(self.positive_class)

    def compared(self, predictor: TabularPredictor, models: Contenders) -> Comparison:
        """Both ensembles of a predictor, scored by metrics of classes."""
        from imbllm_autogluon.jobs.class_comparison import compare

        return compare(predictor, models, self.train.frame, None if self.test is None else self.test.frame)

    def _check_metric(self) -> None:
        check_metric(self.metric, self.problem_type)

    def _check_tables(self) -> None:
        check_classes(self.train)
        if self.positive_class is not None:
            self._check_positive_class(self.positive_class)
        if self.test is not None:
            check_columns(self.train, self.test)
            check_test_classes(self.test)

    def _check_positive_class(self, positive_class: str) -> None:
        if self.problem_type != "binary":
            raise InvalidInputError(
                f"a positive class is for two classes; the label {self.train.label!r} has {len(self.train.counts)}."
            )
        self.train.class_named(positive_class)
