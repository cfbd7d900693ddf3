"""What can be said about twins: their ``ag.imbllm.*`` parameters, the options of a portfolio, those of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from autogluon.common.space import Space

from imbllm_autogluon._config import Config, Range, current_names, documented, refuse_unknown_keys, require_choice
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.rebalancing.config import RebalanceConfig
from imbllm_autogluon.search.space import SearchSpace, TargetSearchSpace

if TYPE_CHECKING:
    from imbllm_autogluon.tables.labeled import Task

AUX_PREFIX = "imbllm."  # AutoGluon hands `ag.imbllm.temperature` on as the auxiliary parameter `imbllm.temperature`
SEARCHER = "imbllm_optuna"


@documented
@dataclass(frozen=True)
class StageConfig(Config):
    """What a twin does with a rebalanced fold, and around it."""

    prior_correction: Literal["auto", "prior", "holdout", "none"] = "auto"
    """`prior` divides the changed class shares out of the probabilities; `holdout` finds the factors that make the
    validation rows of the fold most likely, starting from these. `auto` is `prior` except for multiclass class
    metrics (balanced accuracy, macro F1 …): AutoGluon tunes no threshold there, and a correction would undo the
    rebalancing. Not read for regression."""

    stack: Literal["off", "copy", "duplicate"] = "off"
    """Models of a higher level see out-of-fold predictions of the lower one, which no written row has. `off`: they
    learn from real rows only. `copy`: a written row gets the predictions of a real row of its class, or bin of the
    target. `duplicate`: real rows are repeated instead of written ones."""

    stopping: Literal["eval_metric", "default"] = "eval_metric"
    """Metric that ends training early. AutoGluon stops some models on log-loss whatever the metric, which is misleading
    where the shares of the classes differ between training and validation rows; `eval_metric` stops on the fit's own
    metric."""

    original_features: bool = True
    """Whether the generator sees the original texts, dates and labels instead of AutoGluon's codes, where the folder of
    the predictor tells them."""

    cache_dir: str | None = None
    """Folder of the shared generators. Default: ``utils/imbllm`` in the predictor's folder; memory where a model
    belongs to no predictor."""

    @property
    def reason_when_stacked(self) -> str:
        """Why nothing is written for models of a higher level; empty where it is."""
        return "stacked models learn from real rows only" if self.stack == "off" else ""


@dataclass(frozen=True)
class TwinParameters(Config):
    """Everything a twin is told about its rebalancing."""

    stage: StageConfig = field(default_factory=StageConfig)
    rebalancing: RebalanceConfig = field(default_factory=RebalanceConfig)

    @classmethod
    def from_flat(cls, values: Mapping[str, Any], *, prefix: str = "ag." + AUX_PREFIX) -> TwinParameters:
        """Build the parameters from a mapping without prefixes; see :class:`~imbllm_autogluon._config.Config`."""
        return super().from_flat(values, prefix=prefix)

    @classmethod
    def among(cls, params_aux: Mapping[str, Any]) -> dict[str, Any]:
        """Settings among auxiliary parameters, without their prefix; a search space stands for its default."""
        own = {
            key[len(AUX_PREFIX) :]: value.default if isinstance(value, Space) else value
            for key, value in params_aux.items()
            if str(key).startswith(AUX_PREFIX)
        }
        return current_names(own, cls, prefix="ag." + AUX_PREFIX)


@documented
@dataclass(frozen=True)
class TuningOptions(Config):
    """How many trials, of what, and how many of them AutoGluon gets, where the searcher is ``imbllm_optuna``."""

    num_trials: Annotated[int, Range(1, 10_000)] = 10
    """Trials of each model, those of an interrupted fit included."""

    top_k: Annotated[int, Range(1, 100)] = 3
    """Best trials that stay as models. More would let the ensemble choose among near-equal scores on few rare rows,
    which over-fits them."""

    prune: bool = True
    """Whether a bagged trial ends after its first fold where that is below the median of earlier trials."""

    seed: Annotated[int, Range(0, 2**32 - 1)] = 0
    """Of the sampler."""

    space: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Choices that replace those of :class:`~imbllm_autogluon.search.space.SearchSpace`, for regression of
    :class:`~imbllm_autogluon.search.space.TargetSearchSpace`, by name; a setting with one choice is fixed. A setting
    that the twin's own hyperparameters name is not searched."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.any_space({})

    @classmethod
    def of(cls, tune_kwargs: object) -> TuningOptions | None:
        """The options of ``hyperparameter_tune_kwargs``, or `None` where another searcher is asked for.

        AutoGluon's scheduler is ignored: trials run one after the other. `InvalidInputError` where a key is unknown or
        a value not allowed.
        """
        given = {"searcher": tune_kwargs} if isinstance(tune_kwargs, str) else tune_kwargs
        if not isinstance(given, Mapping) or given.get("searcher") != SEARCHER:
            return None
        return cls.from_flat({key: value for key, value in given.items() if key not in ("searcher", "scheduler")})

    def search_space(self, fixed: Mapping[str, Any], task: Task = "classification") -> SearchSpace | TargetSearchSpace:
        """What is searched about rebalancing, but for settings that are fixed.

        `InvalidInputError` where `space` has a setting that is not searched for this task, or a choice that is not
        allowed.
        """
        space = SearchSpace if task == "classification" else TargetSearchSpace
        chosen = current_names(self.space, RebalanceConfig, prefix="space.")
        refuse_unknown_keys(chosen, space.dimensions(), prefix="space.")
        choices = {name: tuple(values) if isinstance(values, list) else values for name, values in chosen.items()}
        one = {name: (value,) for name, value in fixed.items() if name in space.dimensions()}
        made: dict[str, Any] = {**choices, **one}
        if fixed.get("rows_per_real_row", "auto") != "auto":
            made["target_ratio"] = (None,)
        return space(**made)

    def any_space(self, fixed: Mapping[str, Any]) -> SearchSpace | TargetSearchSpace:
        """The space of the first task that these choices go with: before a fit its task is not known."""
        try:
            return self.search_space(fixed)
        except InvalidInputError as error:
            try:
                return self.search_space(fixed, "regression")
            except InvalidInputError:
                raise error from None


@documented
@dataclass(frozen=True)
class TwinOptions(Config):
    """Which models of this package join a portfolio, and how they are configured."""

    mode: Literal["both", "only"] = "both"
    """``"both"`` keeps the plain models, ``"only"`` drops those that have a twin."""

    twins: Literal["top", "all"] | Annotated[int, Range(1)] = "top"
    """Which plain models get a twin, once all of them are fitted. ``"top"``: in each family the one that scores best on
    validation rows, unless that gains less than half of what the best model gains over the class shares, or the mean;
    a number: the best so many of each family; ``"all"``: every one. Without a time limit ``"all"`` alone has as many
    as it takes: otherwise those of the best models are fitted, one at least, that together with the generators are
    expected to take no longer than all plain models. ``rebalance_hyperparameters``, a search and
    ``mode="only"`` know no scores and take the first configurations of each family instead."""

    tune: Mapping[str, Any] | None = None
    """Options of :class:`~imbllm_autogluon.plugin.parameters.TuningOptions`: every twin is tuned together with its
    rebalancing, and so are the classifier and LatentDiff. `None`: none is."""

    classifier: bool = False
    """Whether the language model as a classifier, ``IMBLLM_CLF``, joins the first level. For classes only. In a preset
    free texts are then handed on as they are, for it alone."""

    latent_diff: bool | None = None
    """Whether LatentDiff, ``LATENT_DIFF``, joins the first level, with the bins of the twins. For regression only.
    `None`: presets add it wherever the problem is a regression, ``rebalance_hyperparameters``, which does not know the
    problem, does not."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the twins without ``ag.imbllm.``, such as ``temperature``."""

    renamed: ClassVar[Mapping[str, str]] = {"max_per_family": "twins"}

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("classifier", self.classifier, (True, False))
        require_choice("latent_diff", self.latent_diff, (True, False, None))
        assert self.checked_parameters is not None
        if self.tuning is not None:
            self.tuning.any_space(self.parameters)

    @classmethod
    def from_keywords(cls, options: Mapping[str, Any]) -> TwinOptions:
        """Read keyword arguments: what is no option is a parameter of the twins, and refused if it is none of them."""
        options = current_names(options, cls)
        own = {name: value for name, value in options.items() if name in cls.own_keys()}
        return cls(**own, parameters={name: value for name, value in options.items() if name not in own})

    def keywords(self) -> dict[str, Any]:
        """The keyword arguments that differ from the defaults; the inverse of :meth:`from_keywords`."""
        own = {name: value for name, value in self.flat().items() if name != "parameters"}
        changed = {name: value for name, value in own.items() if value != getattr(TwinOptions, name)}
        return {**changed, **self.parameters}

    @cached_property
    def checked_parameters(self) -> TwinParameters:
        """The parameters, checked."""
        return TwinParameters.from_flat(self.parameters)

    @cached_property
    def tuning(self) -> TuningOptions | None:
        """The options of the search, checked."""
        return None if self.tune is None else TuningOptions.of({**self.tune, "searcher": SEARCHER})
