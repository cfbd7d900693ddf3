"""Configuration of the generators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from imbllm_autogluon._config import Config, Range, documented
from imbllm_autogluon.classification.config import DebiasingConfig
from imbllm_autogluon.errors import InvalidInputError
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
class TextConfig(Config):
    """What becomes of columns of free text."""

    texts: Literal["write", "copy", "leave_out"] | None = None
    """`write`: a second model of the same backbone, which must be pretrained and causal, continues what else a row says
    by new texts. `copy`: the texts of the nearest real row, which may be a person's words. `leave_out`: none. `None`:
    `write` for such backbones, `copy` for others."""

    text_tokens: Annotated[int, Range(4, 4096)] = 64
    """Tokens of a text, of about three quarters of a word each, that are learned and written at most; a column of
    shorter texts has a smaller limit of its own."""

    copied_words: Annotated[int, Range(2, 1000)] = 8
    """A written text with as many words in a row as this that a real text of the fold holds too is drawn again, up to
    three times, and then cut before the last of these words. Reviews of different people share 3 to 6."""


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
    texts: TextConfig = field(default_factory=TextConfig)
    measures: DebiasingConfig = field(default_factory=DebiasingConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.language.tuning == "probe":
            raise InvalidInputError("tuning='probe' teaches the backbone nothing, so it writes no rows; use 'lora'.")
        if self.texts.texts == "write" and not self.language.is_pretrained:
            raise InvalidInputError(
                f"texts='write' needs a pretrained backbone such as 'smollm2'; {self.language.backbone!r} copies them "
                "from the nearest real rows (texts='copy'), or leaves them out."
            )

    @property
    def asks_for_texts(self) -> bool:
        """Whether the texts of a table decide which ones written rows have: they are not just copied."""
        return self.texts.texts == "leave_out" or (self.language.is_pretrained and self.texts.texts != "copy")
