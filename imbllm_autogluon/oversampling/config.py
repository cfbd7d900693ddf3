"""Configuration of the generators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from imbllm_autogluon._config import Config, Range, documented
from imbllm_autogluon.classification.config import DebiasingConfig
from imbllm_autogluon.language.config import LanguageConfig


@documented
@dataclass(frozen=True)
class InterpolationConfig(Config):
    """How minority rows are interpolated before fine-tuning (ImbLLM, arXiv 2510.09783)."""

    renamed: ClassVar[dict[str, str]] = {"neighbours": "k_neighbors"}

    interpolation_ratio: Annotated[float, Range(0.0, 10.0)] = 1.0
    """r: interpolated rows for each row to generate; the paper studies 0 to 1 and uses 1."""

    interpolation: Literal["linear", "adaptive"] = "linear"
    """`linear` goes towards any of the k nearest rows of the class; `adaptive` only towards mutual neighbors at a
    local distance, so that no straight line crosses the gap between two modes."""

    categories: Literal["keep", "neighbour", "vote"] = "keep"
    """Categories of an interpolated row: the parent's, the neighbour's with probability epsilon, or the majority of the
    k neighbors (SMOTE-NC)."""

    interpolated_clauses: Literal["all", "continuous"] = "all"
    """Write interpolated rows in full, or as label and numeric clauses alone, as the authors' code does."""

    k_neighbors: Annotated[int, Range(1, 1000)] = 5
    """k of the nearest-neighbor search; fewer where a class has fewer rows."""


@documented
@dataclass(frozen=True)
class ConditioningConfig(Config):
    """What a prompt gives of a row to be written."""

    conditioning: Literal["y", "yx"] = "yx"
    """`y`: the label alone. `yx`: the label and some feature values; their columns cycle over all features."""

    condition_pairs: Annotated[int, Range(1, 100)] = 1
    """How many feature values a `yx` prompt gives; fewer where a table has fewer columns."""


@documented
@dataclass(frozen=True)
class QueryConfig(Config):
    """How Pred-LLM begins rows and asks for their class (arXiv 2410.21717)."""

    start: Literal["table", "class"] | None = None
    """Where the first value of a row is drawn from: all rows, as in the paper, or those of the class that lacks most
    rows, which makes rare classes more frequent among the candidates. `None`: `class` for a class with less than a
    twentieth of the rows of the largest one, `table` for others."""

    answer: Literal["sampled", "highest"] = "sampled"
    """The class of a candidate: drawn from its probabilities, or the one the model decides for."""

    candidates_per_row: Annotated[float, Range(1.0, 10_000.0)] = 50.0
    """Candidates for each wanted row, at most. Fewer rows than wanted are returned, with a warning, where too few of
    them were given the class by the model."""


@documented
@dataclass(frozen=True)
class FilterConfig(Config):
    """Which written rows are rejected and written again. Exact copies of real rows always are."""

    near_copies: Annotated[float, Range(0.0, 0.5)] = 0.0
    """Rows nearer to a real row of their class than this share of the real rows are to each other are written again (0:
    off). With 0.05 the limit is the distance under which one real row in twenty has its nearest neighbor. It costs
    rows written in vain, at most nine times over, and promises no privacy."""

    plausibility: Annotated[float, Range(0.0, 1.0)] | None = None
    """Rows whose likelihood under their class is less than this share of their likelihood under another one are written
    again (0: off), at most nine times over; a random forest of the fold's real rows tells both, all classes having the
    same weight. `None`: 0.5 for ImbLLM on classes, 0 for GReaT and on bins of a target; Pred-LLM, which asks its
    language model for the class, does not read it."""


@documented
@dataclass(frozen=True)
class GeneratorConfig(Config):
    """Everything that shapes written rows; each method uses its part.

    Examples
    --------
    >>> GeneratorConfig.from_flat({"temperature": 1.0, "conditioning": "y"}).conditioning.conditioning
    'y'
    """

    interpolation: InterpolationConfig = field(default_factory=InterpolationConfig)
    conditioning: ConditioningConfig = field(default_factory=ConditioningConfig)
    query: QueryConfig = field(default_factory=QueryConfig)
    filters: FilterConfig = field(default_factory=FilterConfig)
    measures: DebiasingConfig = field(default_factory=DebiasingConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)
