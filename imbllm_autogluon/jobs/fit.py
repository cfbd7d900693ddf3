"""One job from a table with a label to a fitted predictor and a comparison of its ensembles."""

from __future__ import annotations

import contextlib
import time
import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon._config import require_number, require_threads
from imbllm_autogluon._storage import fingerprint, first_line
from imbllm_autogluon.errors import ImbLLMError, InvalidInputError, nearest
from imbllm_autogluon.jobs.compare import Comparison, calibrated_threshold, pair_ensembles
from imbllm_autogluon.jobs.folder import FitFolder
from imbllm_autogluon.jobs.task import Task
from imbllm_autogluon.jobs.twins import compare_models, confusion
from imbllm_autogluon.plugin.classifier_model import ClassifierModel
from imbllm_autogluon.plugin.decisions import _Wish, decide
from imbllm_autogluon.plugin.fit_hooks import GeneratorCallback
from imbllm_autogluon.plugin.models import LatentDiffModel
from imbllm_autogluon.plugin.parameters import TwinOptions
from imbllm_autogluon.plugin.portfolio import RebalanceCallback
from imbllm_autogluon.plugin.presets import presets as own_presets
from imbllm_autogluon.plugin.twins import TWIN_SUFFIX
from imbllm_autogluon.rebalancing.cache import cache_of
from imbllm_autogluon.rebalancing.rows import GENERATORS
from imbllm_autogluon.regression.config import LatentDiffConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.rebalancing import RebalanceConfig
    from imbllm_autogluon.tables.labeled import LabeledTable

_FOLDS = 4  # bagging folds where neither folds nor a preset are named: each keeps 75 % of a rare class for training
_ADD_ON = "imbllm"  # preset that adds the twins
_RANKING_THRESHOLD_METRIC = "f1"  # its threshold is used for labels where the predictor's metric does not look at them
_NOISY = "autogluon|sklearn|lightgbm|catboost|xgboost|pandas|numpy"  # libraries whose warnings are hidden during a fit


@dataclass(frozen=True, eq=False)
class FitJob:
    """What to fit, checked when it is made: nothing is written before :meth:`run`.

    Names and numbers that are not allowed are an `InvalidInputError` that lists what is; tables that cannot be learned
    from or scored a `TableError`, or a `ClassTooSmallError` where a class has a single row.
    """

    train: LabeledTable  # rows to learn from: their label is classes or a number
    out: Path  # folder of the predictor: new, empty, or (with `force`) that of an earlier fit
    # Rows for the comparison that take no part in the fit; without them, out-of-fold rows are used
    test: LabeledTable | None = None
    # Rows whose labels may be wrong, which the fit's language-model classifiers learn before those of each fold
    noisy: LabeledTable | None = None
    # AutoGluon presets; `imbllm` is put behind them unless one of this package's is among them
    presets: tuple[str, ...] = ()
    metric: str | None = None  # metric that AutoGluon optimises; default: what suits rare classes or targets
    time_limit: float | None = None  # seconds for the fit (above 0)
    folds: int | None = None  # bagging folds (0: none; 2 to 20). Default: 4, or what the presets say.
    bag_sets: int | None = None  # repeats of bagging with other folds (1 to 20). Default: 1, or what the presets say.
    families: tuple[str, ...] = ()  # AutoGluon model keys such as `GBM`; default: the portfolio of the presets
    # `ag.imbllm.*` parameters without their prefix, and `twins`: which plain models get one
    settings: Mapping[str, Any] = field(default_factory=dict)
    # Settings of LatentDiff, for numbers; they need `families`, because a preset's portfolio takes none
    latent_diff: Mapping[str, Any] = field(default_factory=dict)
    # Positive class of two, as text, by default the rarer one; of several classes that of the wish
    positive_class: str | None = None
    # What rows are decided by, as `decide` takes it: no part of what is fitted
    wish: Mapping[str, Any] = field(default_factory=dict)
    # Whether the best twin is fitted once more with duplicated rows, to compare with; None: if a quick one is there
    duplicates: bool | None = None
    force: bool = False  # whether the folder of an earlier fit may be replaced
    # Go on in the folder of an interrupted fit: generators, written rows and finished trials are used again
    resume: bool = False
    # Threads of each model (1 to 1024); default: all cores. On a busy machine one is many times faster: OpenMP spins.
    threads: int | None = None
    verbosity: int = 2  # AutoGluon's verbosity (0 to 4)
    seed: int = 0  # of folds, models, generators and trials
    # Columns that the table no longer has: that of ids, which predictions are given with, and others
    id_column: str | None = None
    ignored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_names(self.presets, self.families)
        if self.folds is not None and self.folds != 0:
            require_number("folds", self.folds, 2, 20, whole=True)
        if self.bag_sets is not None:
            require_number("bag_sets", self.bag_sets, 1, 20, whole=True)
        if self.bag_sets is not None and self.bag_sets > 1 and self.folds == 0:
            raise InvalidInputError(f"{self.bag_sets} bag sets repeat bagging, and 0 folds are none: give folds.")
        if self.time_limit is not None:
            require_number("time_limit", self.time_limit, 1e-3)
        require_number("seed", self.seed, 0, 2**31 - 1, whole=True)
        require_threads(self.threads)
        self._check_latent_diff()
        language = self.rebalancing.generator.language
        if language.device is not None or language.is_pretrained:
            from imbllm_autogluon.language.table_backbone import require_here  # torch takes seconds

            require_here(language)
        self.task.check()
        self._check_wish()
        if self.test is not None:
            self.task.check_test(self.test)
        if self.noisy is not None:
            self._check_noisy(self.noisy)
        if self.force and self.resume:
            raise InvalidInputError("an earlier fit is either replaced (force) or gone on with (resume); not both.")
        self.folder.check(self.identity, force=self.force, resume=self.resume)

    @property
    def folder(self) -> FitFolder:
        """The folder of the predictor, and what it says of fits."""
        return FitFolder(self.out)

    @cached_property
    def task(self) -> Task:
        """What the label holds, and what follows from it."""
        return Task(self.train, self.metric, self.rebalancing, None if self._of_a_class else self.positive_class)

    @cached_property
    def rebalancing(self) -> RebalanceConfig:
        """Settings of the twins' rebalancing."""
        parameters, chosen = {**self._seeded_settings}, TwinOptions()
        chosen = replace(chosen, twins=parameters.pop("twins", chosen.twins), parameters=parameters)
        return chosen.checked_parameters.rebalancing

    @property
    def _seeded_settings(self) -> dict[str, Any]:
        """Settings of the twins, the seed among them unless it is the usual one."""
        return {**({"random_state": self.seed} if self.seed else {}), **self.settings}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What is fitted; effort, threads and test table may change when the fit is gone on with."""
        arguments = self.fit_arguments()
        return {
            "table": _in_short(self.train.frame),
            "label": self.train.label,
            "task": self.task.problem_type,
            "metric": self.task.eval_metric,
            "positive class": self.task.positive,
            "presets": arguments["presets"],
            "folds": arguments.get("num_bag_folds"),
            "families": self.families,
            "settings": self.settings,
            "settings of LatentDiff": self.latent_diff,
            **({"seed": self.seed} if self.seed else {}),
            **({"ids": self.id_column} if self.id_column else {}),
            **({"ignored columns": self.ignored} if self.ignored else {}),
            **({"noisy rows": _in_short(self.noisy.frame)} if self.noisy else {}),
        }

    @property
    def effort(self) -> dict[str, Any]:
        """How much is fitted, and whether somebody chose the metric."""
        return {"time limit": self.time_limit, "bag sets": self.bag_sets, "metric chosen": self.metric is not None}

    @property
    def _of_a_class(self) -> bool:
        """Whether the wish is about one of several classes."""
        return bool(self.wish) and "cost_matrix" not in self.wish and len(self.train.counts) > 2

    @property
    def decision_arguments(self) -> dict[str, Any]:
        """Keyword arguments of `decide`."""
        return {**self.wish, "positive_class": self.positive_class if self._of_a_class else None}

    @property
    def is_reported(self) -> bool:
        """Whether a fit in the folder came to its end, and has its report."""
        return bool(self.folder.is_finished) and (self.out / "imbllm_report.json").is_file()

    @property
    def goes_further(self) -> bool:
        """Whether more seconds or bag sets are asked for than the fit in the folder had."""
        had = self.folder.record.get("effort", {})
        longer = (self.time_limit or 0) > (had.get("time limit") or float("inf"))
        return longer or (self.bag_sets or 1) > (had.get("bag sets") or 1)

    def fit_arguments(self) -> dict[str, Any]:
        """Keyword arguments of ``TabularPredictor.fit`` besides the data."""
        arguments: dict[str, Any] = {"presets": list(_with_add_on(self.presets)), "time_limit": self.time_limit}
        folds = _FOLDS if self.folds is None and not self.presets else self.folds
        if folds is not None:
            arguments["num_bag_folds"] = folds
        if self.bag_sets is not None:
            arguments["num_bag_sets"] = self.bag_sets
        if self.threads is not None:
            arguments["num_cpus"] = self.threads
        if self.families:
            own = {LatentDiffModel.ag_key: dict(self.latent_diff)} if self.latent_diff else {}
            if self.noisy is not None:
                own[ClassifierModel.ag_key] = {"noisy": self.noisy.frame[list(self.train.frame.columns)]}
            arguments["hyperparameters"] = {**{family: {} for family in self.families}, **own}
        if self._seeded_settings:
            arguments["callbacks"] = _callbacks_with(self.presets, self._seeded_settings, self.seed)
        if self.rebalancing.generator.asks_for_texts:
            arguments["_feature_generator_kwargs"] = {"enable_raw_text_features": True}
        # AutoGluon's default tries Ray first and warns for every model where it is not installed.
        strategy = {"fold_fitting_strategy": "sequential_local"} if find_spec("ray") is None else {}
        arguments["ag_args_ensemble"] = {**strategy, **({"model_random_seed": self.seed} if self.seed else {})}
        return arguments

    def run(self) -> FitOutcome:
        """Fit the predictor and compare its ensembles.

        `ImbLLMError`: AutoGluon trained no model at all. `TableError`: the folder cannot be written.
        """
        started = time.time()
        with quiet_libraries():
            with self.folder.claimed(self.identity, force=self.force, resume=self.resume, effort=self.effort):
                predictor = self._fitted()
                pair = pair_ensembles(predictor)
                _calibrate(predictor)
                predictor.save(silent=True)
                test, spent = None if self.test is None else self.test.frame, time.time() - started
                comparison, answers = compare_models(self.task, predictor, pair, test, spent, self._trying(spent))
            if self.wish:
                decide(predictor, **self.decision_arguments)
            answers["confusion"] = confusion(predictor, test)
        return FitOutcome(self, predictor, comparison, time.time() - started, answers)

    def _trying(self, seconds: float) -> dict[str, Any] | None:
        """Arguments for duplicates, those of AutoGluon among them, after so many seconds; `None`: there are none."""
        if self.duplicates is False:
            return None
        names, arguments = ("num_cpus", "ag_args_ensemble"), self.fit_arguments()
        own = {name: arguments[name] for name in names if name in arguments}
        left = None if self.time_limit is None else self.time_limit - seconds
        return {"seconds": float("inf") if self.duplicates else seconds, "limit": left, **own}

    def _fitted(self) -> TabularPredictor:
        from autogluon.tabular import TabularPredictor

        predictor = TabularPredictor(
            self.train.label,
            problem_type=self.task.problem_type,
            eval_metric=self.task.scorer,
            positive_class=self.task.positive,
            path=str(self.out),
            verbosity=0,  # it would warn of a folder that exists; this one is checked and locked
            learner_kwargs={"random_state": self.seed},  # of the folds
        )
        predictor.verbosity = self.verbosity
        try:
            return predictor.fit(self.train.frame, **self.fit_arguments())
        except (RuntimeError, AssertionError) as error:  # AutoGluon's ways to say that no model could be trained
            if not self.resume:
                self.folder.clear()
            trainer = getattr(predictor, "_trainer", None)
            reason = (trainer and GeneratorCallback.reasons(trainer)) or f"{first_line(error)}."
            raise ImbLLMError(f"AutoGluon trained no model: {reason} Give it more time or other models.") from error

    def _check_wish(self) -> None:
        if self.wish and self.train.task == "regression":
            raise InvalidInputError(f"decisions are about classes; the label {self.train.label!r} holds numbers.")
        if self.wish:
            _Wish.checked(list(self.train.counts), **self.wish)
        if self._of_a_class and self.positive_class is None:
            raise InvalidInputError(
                f"say which of the classes {', '.join(map(str, self.train.counts))} is to be found: --positive-class."
            )
        if self._of_a_class:
            self.train.class_named(str(self.positive_class))

    def _check_noisy(self, noisy: LabeledTable) -> None:
        if self.train.task == "regression":
            raise InvalidInputError(f"noisy labels are classes; the label {self.train.label!r} holds numbers.")
        if ClassifierModel.ag_key not in self.families:
            raise InvalidInputError(
                f"the rows of {noisy.source} are for a language-model classifier, and this fit has none: name it among "
                f"the families, as in --family GBM --family {ClassifierModel.ag_key}."
            )
        self.task.check_rows(noisy)

    def _check_latent_diff(self) -> None:
        if not self.latent_diff:
            return
        listed = ", ".join(self.latent_diff)
        if self.train.task == "classification":
            raise InvalidInputError(f"settings of LatentDiff ({listed}) are for numbers; the label holds classes.")
        LatentDiffConfig.from_flat(self.latent_diff)
        if not self.families:
            raise InvalidInputError(
                f"settings of LatentDiff ({listed}) need the other models by name: give families, such as --family GBM "
                "--family CAT."
            )


@dataclass(frozen=True, eq=False)
class FitOutcome:
    """What a job led to."""

    job: FitJob
    predictor: TabularPredictor
    comparison: Comparison
    seconds: float  # wall-clock time of fit and comparison
    # The table of answers (`confusion`), the rows `changed` by twins, and the `importance` of columns
    answers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def generator_fits(self) -> int:
        """How many generators were trained: one for each fold, shared by all families."""
        return len(GENERATORS.keys(cache_of(Path(self.predictor.path))))


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide warnings that AutoGluon 1.6.3 provokes in newer libraries and that no user can act on."""
    with warnings.catch_warnings():
        for category in (FutureWarning, UserWarning, DeprecationWarning, RuntimeWarning):
            warnings.filterwarnings("ignore", category=category, module=rf"({_NOISY})(\.|$)")
        yield


def _in_short(frame: pd.DataFrame) -> str:
    columns = {str(name): str(dtype) for name, dtype in frame.dtypes.items()}
    cells = fingerprint(columns, [pd.util.hash_pandas_object(frame, index=False).to_numpy()])
    return f"{len(frame)} rows, {len(columns)} columns, {cells[:12]}"


def _check_names(presets: tuple[str, ...], families: tuple[str, ...]) -> None:
    """Refuse names of presets and model keys that AutoGluon does not know."""
    from autogluon.tabular.configs.presets_configs import tabular_presets_alias, tabular_presets_dict
    from autogluon.tabular.registry import ag_model_registry

    keys = list(ag_model_registry.key_to_cls_map())
    plain_keys = [key for key in keys if not key.endswith(TWIN_SUFFIX)]
    for kind, plural, given, known, listed in (
        ("preset", "presets", presets, [*tabular_presets_dict, *tabular_presets_alias], tabular_presets_dict),
        ("model family", "families", families, keys, plain_keys),
    ):
        for name in given:
            if name not in known:
                raise InvalidInputError(
                    f"unknown {kind} {name!r}{nearest(name, known)}; the {plural} are: {', '.join(sorted(listed))}."
                )


def _with_add_on(presets: tuple[str, ...]) -> tuple[str, ...]:
    """Presets with ``imbllm`` behind them, unless one of this package's is among them."""
    return presets if any(name in own_presets() for name in presets) else (*presets, _ADD_ON)


def _callbacks_with(presets: tuple[str, ...], settings: Mapping[str, Any], seed: int) -> list[Any]:
    """Callbacks of the last of this package's presets, the twins' settings and the seed of trials changed."""
    name = next(name for name in reversed(_with_add_on(presets)) if name in own_presets())
    made: list[list[Any]] = []
    for callback, options in own_presets()[name]["callbacks"]:
        tuned = {"tune": {"seed": seed, **options["tune"]}} if "tune" in options else {}
        made.append([callback, {**options, **tuned, **settings} if callback is RebalanceCallback else options])
    return made


def _calibrate(predictor: TabularPredictor) -> None:
    """Set the threshold of the positive label that is best for the predictor's metric, or for F1 if that ranks."""
    if predictor.problem_type == "binary":
        own = predictor.eval_metric
        metric = own if own.needs_pred else _RANKING_THRESHOLD_METRIC
        predictor.set_decision_threshold(calibrated_threshold(predictor, predictor.model_best, metric))
