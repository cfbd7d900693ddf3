"""One job from a table with a continuous target to a fitted predictor, a comparison of its ensembles, and a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.jobs.base_job import BaseJob
from imbllm_autogluon.jobs.checks import check_columns, check_metric, check_test_targets
from imbllm_autogluon.plugin.latent_diff_model import KEY as LATENT_DIFF
from imbllm_autogluon.plugin.parameters import TwinParameters
from imbllm_autogluon.regression.bins import FEW_BELOW, MANY_ABOVE, SHOTS, TargetBins, shots
from imbllm_autogluon.regression.config import LatentDiffConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    from autogluon.core.metrics import Scorer
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.jobs.comparison import Comparison
    from imbllm_autogluon.jobs.contenders import Contenders
    from imbllm_autogluon.regression.bins import Shot
    from imbllm_autogluon.tables.target import TargetTable

SHOT_METRICS: Mapping[str, Shot] = {f"{shot}_mae": shot for shot in SHOTS}
"""Metrics of targets of one sort."""

MEANING = {
    "few": f"under {FEW_BELOW} rows",
    "medium": f"{FEW_BELOW} to {MANY_ABOVE} rows",
    "many": f"over {MANY_ABOVE} rows",
}
"""Rows in a bin of each sort."""

GEOMETRIC = "geometric_mean_error"


@dataclass(frozen=True, eq=False)
class TargetJob(BaseJob):
    """A job for a continuous target.

    Its metric is by default the mean absolute error. AutoGluon's own default, the root mean squared error, is ruled by
    the few largest errors: one row can decide which model is best.

    Which targets are few-, medium- and many-shot follows from the rows of the training table, in bins laid by the
    settings `n_bins` and `bins`; every fold is judged by these.

    Raises
    ------
    InvalidInputError
        A name or number is not allowed, or a metric is about targets that the training table does not have.
    TableError
        The test table lacks a column of the training table, or any target.
    """

    train: TargetTable
    """Rows to learn from."""

    test: TargetTable | None = None
    """Rows for the comparison that take no part in the fit; without them, out-of-fold rows are used."""

    latent_diff: Mapping[str, Any] = field(default_factory=dict)
    """Settings of LatentDiff; they need `families`, because a preset's portfolio takes none."""

    @property
    def problem_type(self) -> str:
        """``regression``."""
        return "regression"

    @property
    def eval_metric(self) -> str:
        """Name of the metric in force."""
        return self.metric or "mean_absolute_error"

    @property
    def scorer(self) -> str | Scorer:
        """The metric in force; those of shots remember the training table, whatever part of it a fold trains on."""
        from imbllm_autogluon.plugin import regression_scorers

        if self.eval_metric == GEOMETRIC:
            return regression_scorers.geometric_mean_error
        if self.eval_metric in SHOT_METRICS:
            return regression_scorers.shot_scorer(self.bins, self.bin_counts, SHOT_METRICS[self.eval_metric])
        return self.eval_metric

    @cached_property
    def bins(self) -> TargetBins:
        """Bins of the target, laid on the training table."""
        targets = TwinParameters.from_flat(self.settings).rebalancing.targets
        return TargetBins.fit(self.train.targets, targets.n_bins, targets.bins)

    @property
    def bin_counts(self) -> npt.NDArray[np.int64]:
        """Training rows of each bin, shape (n_bins,)."""
        return self.bins.counts(self.train.targets)

    def fit_arguments(self) -> dict[str, Any]:
        """Keyword arguments of ``TabularPredictor.fit`` besides the data."""
        arguments = super().fit_arguments()
        if self.latent_diff:
            arguments["hyperparameters"][LATENT_DIFF] = dict(self.latent_diff)
        return arguments

    def compared(self, predictor: TabularPredictor, models: Contenders) -> Comparison:
        """Both ensembles of a predictor, scored by errors over all targets and over rare ones."""
        from imbllm_autogluon.jobs.target_comparison import compare_targets

        test = None if self.test is None else self.test.frame
        return compare_targets(predictor, models, self.bins, self.train.frame, test)

    def _check_metric(self) -> None:
        check_metric(self.metric, self.problem_type)
        shot, counts = SHOT_METRICS.get(self.eval_metric), self.bin_counts
        found = sorted(set(shots(counts[counts > 0]).tolist()))
        if shot is not None and shot not in found:
            raise InvalidInputError(
                f"the metric {self.eval_metric!r} is about targets that {self.train.source} does not have: of the "
                f"{len(self.bins)} bins of {self.train.label!r} none with rows is {shot}-shot ({MEANING[shot]}); there "
                f"are: {', '.join(found)}. Name another metric, or lay other bins with the setting n_bins."
            )

    def _check_tables(self) -> None:
        LatentDiffConfig.from_flat(self.latent_diff)
        if self.latent_diff and not self.families:
            raise InvalidInputError(
                f"settings of LatentDiff ({', '.join(self.latent_diff)}) need the other models by name: give families, "
                "such as --family GBM --family CAT."
            )
        TwinParameters.from_flat(self.settings).rebalancing.require_method("regression")
        if self.test is not None:
            check_columns(self.train, self.test)
            check_test_targets(self.test)
