"""How a training fold is rebalanced: by which method, how far, and with which settings of the generator.

A fold with a continuous target has its own settings: its bins, and how many rows of rare targets are made.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from imbllm_autogluon._config import Config, Range, documented
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.methods import GENERATORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.tables.labeled import Task


_Method = Literal["imbllm", "great", "pred_llm", "smote_nc", "smogn", "random", "none"]

# The methods of a task: the others need classes, or bins of a target.
_METHODS: Mapping[Task, tuple[_Method, ...]] = {
    "classification": ("imbllm", "great", "pred_llm", "smote_nc", "random", "none"),
    "regression": ("imbllm", "smogn", "random", "none"),
}

# Settings that change the rows a trained generator writes, but not the generator.
_SAMPLING_KEYS = (
    "conditioning", "condition_pairs", "start", "answer", "candidates_per_row", "temperature", "precision",
    "generation_batch", "near_copies", "plausibility", "copied_words",
)  # fmt: skip
# Settings of training that only matter after the warm-up on the whole fold.
_AFTER_WARMUP_KEYS = (
    "interpolation_ratio", "interpolation", "categories", "interpolated_clauses", "k_neighbors", "steps", "epochs",
    "patience", "texts", "text_tokens",
)  # fmt: skip


@documented
@dataclass(frozen=True)
class _TargetsConfig(Config):
    """Bins of the target of a regression and the rows made for them; read for regression only."""

    n_bins: Annotated[int, Range(2, 10_000)] = 20
    """Bins of the target, laid on the targets of each fold. `quantile` lays fewer where targets repeat, `unit` does not
    read it."""

    bins: Literal["equal_width", "quantile", "unit"] = "equal_width"
    """`equal_width`: between the lowest and the highest target; `quantile`: of about equal counts, so that no target is
    rare; `unit`: one for each whole number, as for ages in years."""

    generation_ratio: Annotated[float, Range(0.0, 10.0)] = 0.5
    """New rows for each real one, the more for a bin the fewer rows it holds; `max_growth` limits them."""

    clause: Literal["bin", "value"] = "bin"
    """What a row of `imbllm` begins with: the `bin` of its target, or the `value` where its bin is not crowded."""


@documented
@dataclass(frozen=True)
class RebalanceConfig(Config):
    """How far a fold is rebalanced, and by what.

    Examples
    --------
    >>> config = RebalanceConfig.from_flat({"target_ratio": 0.5, "temperature": 1.0})
    >>> config.target_ratio, config.generator.language.temperature
    (0.5, 1.0)
    """

    method: _Method = "imbllm"
    """`imbllm`: rows written by a language model that learned rare rows and interpolated ones. `great`: by one that
    learned the whole fold. `pred_llm`: by one that learned it with the label last and is asked for the class of its
    rows. `smote_nc`, `random`: the usual peers, SMOTE-NC and duplicated rows, from imbalanced-learn. `none`: the fold
    stays as it is, so that a search can choose it. Presets take `smote_nc` for forests of two classes unless a method
    is named. For regression, where bins of the target take the place of classes: `imbllm`, `smogn` (SMOTE for
    regression with Gaussian noise), `random` and `none`."""

    rows_per_real_row: Annotated[float, Range(0.0, 100.0, above=True)] | Literal["auto"] = "auto"
    """New rows for each real row of a rarer class, at most up to the size of the largest class. `auto`: one where two
    classes are judged by their probabilities (average precision, ROC AUC, log-loss …); for metrics of decided classes,
    and for more classes, half way to the largest class on a logarithmic scale: 10 rows next to 1,000 become 100. Not
    read where `target_ratio` is given, nor for regression."""

    target_ratio: Annotated[float, Range(0.0, 1.0, above=True)] | None = None
    """Rows of each rarer class afterwards, as a share of the largest class, instead of `rows_per_real_row`. A class
    that already has that share is left as it is. `None`: `rows_per_real_row` decides. Not read for regression."""

    balanced_below: Annotated[float, Range(1.0, 1000.0)] = 1.5
    """Largest class over smallest class under which a fold counts as balanced and is left alone. Not read for
    regression."""

    max_growth: Annotated[float, Range(1.0, 100.0)] = 4.0
    """Rows afterwards over rows before, at most; new rows of all classes, or bins, are cut in proportion."""

    majority_ratio: Annotated[float, Range(1.0, 1e6)] | Literal["auto"] | None = "auto"
    """Real rows of a class that a twin learns from, at most, as a multiple of the rows of the smallest class that gets
    new ones, those included. Each fold leaves other rows out; probabilities are corrected for it. `auto`: 5, but 40 for
    each real row of that class at least, where the largest class has more than 50 times its rows; else `None`, all
    rows. Not read for regression, where no bin is the majority."""

    random_state: Annotated[int, Range(0, 2**32 - 1)] = 0
    """Seed of the generators; all models of a fold share one generator, so it is no model's seed."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    """Settings of the language model and what it learns from."""

    targets: _TargetsConfig = field(default_factory=_TargetsConfig)
    """Bins of the target and rows made for them, for regression."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target_ratio is not None and self.rows_per_real_row != "auto":
            raise InvalidInputError(
                f"target_ratio={self.target_ratio} and rows_per_real_row={self.rows_per_real_row} both say how many "
                "rows are made; leave out rows_per_real_row for a share of the largest class, or target_ratio for a "
                "number of new rows for each real one."
            )

    def rows_wanted(self, rows: int, largest: int, auto: float) -> int:
        """Rows that a class of so many should have next to the largest class; `auto` is what that dose stands for."""
        if self.target_ratio is not None:
            return round(self.target_ratio * largest)
        dose = auto if self.rows_per_real_row == "auto" else self.rows_per_real_row
        return min(largest, round(rows * (1.0 + dose)))

    def require_method(self, task: Task) -> None:
        """Raise `InvalidInputError` if the method is one of the other task."""
        if self.method not in _METHODS[task]:
            allowed = ", ".join(map(repr, _METHODS[task]))
            raise InvalidInputError(f"method {self.method!r} is none for {task}; the methods for it are: {allowed}.")

    @property
    def writes_with_a_language_model(self) -> bool:
        """Whether the method trains a generator."""
        return self.method in GENERATORS

    def training_settings(self) -> dict[str, Any]:
        """Settings that decide what the generator learns: with the fold's rows, its identity."""
        learning = {key: value for key, value in self.generator.flat().items() if key not in _SAMPLING_KEYS}
        return {**learning, "method": self.method, "random_state": self.random_state}

    def warmup_settings(self) -> dict[str, Any]:
        """Settings that decide what the warm-up learns: generators that differ in others share it."""
        return {k: v for k, v in self.training_settings().items() if k not in _AFTER_WARMUP_KEYS}

    def writing(self, defaults: Mapping[str, Any]) -> RebalanceConfig:
        """The same settings, those of the generator that are None replaced by defaults, where there are any."""
        flat = self.generator.flat()
        filled = {name: value if flat[name] is None else flat[name] for name, value in defaults.items()}
        return replace(self, generator=GeneratorConfig.from_flat({**flat, **filled}))

    def sampling_settings(self) -> dict[str, Any]:
        """Settings that decide what rows a trained generator writes."""
        flat = self.generator.flat()
        if flat["temperature"] is None and self.writes_with_a_language_model:
            flat["temperature"] = GENERATORS[self.method].learner_class.choices["temperature"]
        return {key: flat[key] for key in _SAMPLING_KEYS}
