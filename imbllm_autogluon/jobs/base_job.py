"""What every job has in common: options, their checks, the fit, the comparison, whatever the label holds."""

from __future__ import annotations

import contextlib
import time
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.configuration import require_number
from imbllm_autogluon.errors import ImbLLMError, InvalidInputError
from imbllm_autogluon.jobs.checks import check_families, check_folds, check_presets
from imbllm_autogluon.jobs.folders import check_folder, clear_folder, prepare_folder
from imbllm_autogluon.plugin.parameters import TwinParameters
from imbllm_autogluon.plugin.portfolio import RebalanceCallback
from imbllm_autogluon.plugin.presets import presets as own_presets

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from autogluon.core.metrics import Scorer
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.jobs.comparison import Comparison
    from imbllm_autogluon.jobs.contenders import Contenders
    from imbllm_autogluon.tables.labelled import LabelledTable
    from imbllm_autogluon.tables.target import TargetTable

FOLDS = 4
"""Bagging folds where neither folds nor another preset are named: each fold keeps 75 % of a rare class for training."""

ADD_ON = "imbllm"
"""Preset that adds the twins."""

NOISY = "autogluon|sklearn|lightgbm|catboost|xgboost|pandas|numpy"
"""Libraries whose warnings are hidden during a fit."""


@dataclass(frozen=True, eq=False)
class BaseJob(ABC):
    """What to fit, checked when it is made: nothing is written before :meth:`run`.

    Raises
    ------
    InvalidInputError
        A name or number is not allowed; the message lists what is.
    TableError
        The test table lacks a column of the training table.
    """

    train: LabelledTable | TargetTable
    """Rows to learn from."""

    out: Path
    """Folder of the predictor: new, empty, or (with `force`) that of an earlier fit."""

    test: LabelledTable | TargetTable | None = None
    """Rows for the comparison that take no part in the fit; without them, out-of-fold rows are used."""

    presets: tuple[str, ...] = ()
    """AutoGluon presets; ``imbllm`` is put behind them unless one of this package's is among them."""

    metric: str | None = None
    """Metric that AutoGluon optimises; default: what suits rare classes or targets."""

    time_limit: float | None = None
    """Seconds for the fit (above 0)."""

    folds: int | None = None
    """Bagging folds (0: none; 2 to 20). Default: 4, or what the presets say."""

    families: tuple[str, ...] = ()
    """AutoGluon model keys such as ``GBM``; default: the portfolio of the presets."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """``ag.imbllm.*`` parameters without their prefix."""

    force: bool = False
    """Whether the folder of an earlier fit may be replaced."""

    resume: bool = False
    """Go on in the folder of a fit that was interrupted: generators, written rows and finished trials are used again,
    models are fitted anew."""

    threads: int | None = None
    """Threads of each model (1 to 1024); default: all cores. On a machine that is busy with other work, one thread is
    many times faster than two: waiting threads of OpenMP spin."""

    verbosity: int = 2
    """AutoGluon's verbosity (0 to 4)."""

    def __post_init__(self) -> None:
        check_presets(self.presets)
        check_families(self.families)
        TwinParameters.from_flat(self.settings)
        self._check_metric()
        check_folds(self.folds)
        if self.time_limit is not None:
            require_number("time_limit", self.time_limit, 1e-3)
        if self.threads is not None:
            require_number("threads", self.threads, 1, 1024, whole=True)
        self._check_tables()
        if self.force and self.resume:
            raise InvalidInputError("an earlier fit is either replaced (force) or gone on with (resume); not both.")
        check_folder(self.out, force=self.force, resume=self.resume)

    @property
    @abstractmethod
    def problem_type(self) -> str:
        """AutoGluon's name of it."""

    @property
    @abstractmethod
    def eval_metric(self) -> str:
        """Name of the metric in force."""

    @property
    def scorer(self) -> str | Scorer:
        """The metric in force as AutoGluon takes it."""
        return self.eval_metric

    @property
    def positive(self) -> Hashable:
        """Positive class of two; `None` for any other label."""
        return None

    @abstractmethod
    def compared(self, predictor: TabularPredictor, models: Contenders) -> Comparison:
        """Both ensembles of a predictor, scored on the rows of this job."""

    @abstractmethod
    def _check_metric(self) -> None:
        """Refuse a metric that there is not for this label."""

    @abstractmethod
    def _check_tables(self) -> None:
        """Refuse tables that cannot be learned from or scored."""

    def fit_arguments(self) -> dict[str, Any]:
        """Keyword arguments of ``TabularPredictor.fit`` besides the data."""
        arguments: dict[str, Any] = {"presets": list(with_add_on(self.presets)), "time_limit": self.time_limit}
        folds = FOLDS if self.folds is None and not self.presets else self.folds
        if folds is not None:
            arguments["num_bag_folds"] = folds
        if self.threads is not None:
            arguments["num_cpus"] = self.threads
        if self.families:
            arguments["hyperparameters"] = {family: {} for family in self.families}
        if self.settings:
            arguments["callbacks"] = _callbacks_with(self.presets, self.settings)
        if find_spec("ray") is None:
            # AutoGluon's default tries Ray first and warns for every model where it is not installed.
            arguments["ag_args_ensemble"] = {"fold_fitting_strategy": "sequential_local"}
        return arguments

    def run(self) -> FitOutcome:
        """Fit the predictor, compare its ensembles, write the report into its folder.

        Raises
        ------
        ImbLLMError
            AutoGluon trained no model at all (as a rule, the time limit was too short).
        TableError
            The folder cannot be written.
        """
        from imbllm_autogluon.jobs.class_comparison import label_threshold
        from imbllm_autogluon.jobs.contenders import contenders

        started = time.time()
        if not self.resume or not self.out.exists():
            prepare_folder(self.out, force=self.force)
        with quiet_libraries():
            predictor = self._fitted()
            models = contenders(predictor)
            comparison = self.compared(predictor, models)
            threshold = label_threshold(predictor, predictor.model_best)
            if threshold is not None:
                predictor.set_decision_threshold(threshold)
            predictor.save(silent=True)
        return FitOutcome(self, predictor, comparison, time.time() - started)

    def _fitted(self) -> TabularPredictor:
        from autogluon.tabular import TabularPredictor

        predictor = TabularPredictor(
            self.train.label,
            problem_type=self.problem_type,
            eval_metric=self.scorer,
            positive_class=self.positive,
            path=str(self.out),
            verbosity=self.verbosity,
        )
        try:
            return predictor.fit(self.train.frame, **self.fit_arguments())
        except (RuntimeError, AssertionError) as error:  # AutoGluon's ways to say that no model could be trained
            if not self.resume:
                clear_folder(self.out)
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ImbLLMError(f"AutoGluon trained no model: {reason} Give it more time or other models.") from error


@dataclass(frozen=True, eq=False)
class FitOutcome:
    """What a job led to."""

    job: BaseJob
    predictor: TabularPredictor
    comparison: Comparison
    seconds: float
    """Wall-clock time of fit and comparison."""

    @property
    def generator_fits(self) -> int:
        """How many generators were trained: one for each fold, shared by all families."""
        from imbllm_autogluon.rebalancing.cache import cache_of
        from imbllm_autogluon.rebalancing.rows import GENERATORS

        return len(GENERATORS.keys(cache_of(Path(self.predictor.path))))


def with_add_on(presets: tuple[str, ...]) -> tuple[str, ...]:
    """Presets with ``imbllm`` behind them, unless one of this package's is among them."""
    return presets if any(name in own_presets() for name in presets) else (*presets, ADD_ON)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide warnings that AutoGluon 1.6.3 provokes in newer libraries and that no user can act on."""
    with warnings.catch_warnings():
        for category in (FutureWarning, UserWarning, DeprecationWarning, RuntimeWarning):
            warnings.filterwarnings("ignore", category=category, module=rf"({NOISY})(\.|$)")
        yield


def _callbacks_with(presets: tuple[str, ...], settings: Mapping[str, Any]) -> list[Any]:
    """Callbacks of the last of this package's presets, the twins' settings changed."""
    name = next((name for name in reversed(with_add_on(presets)) if name in own_presets()), ADD_ON)
    return [
        [made, {**options, **settings}] if made is RebalanceCallback else [made, options]
        for made, options in own_presets()[name]["callbacks"]
    ]
