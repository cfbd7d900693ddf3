"""What one oversampling did: the figures behind every claim about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imbllm_autogluon.language.model import TableLanguageModel


@dataclass(frozen=True)
class ClassReport:
    """How the rows of one class were made."""

    label: str
    """The class, as text."""
    rows: int
    """Real rows of the class."""
    method: str
    """`language model`; `interpolation` for classes of 2 to 5 rows; `duplication` where no feature can be written."""
    interpolated: int = 0
    """Interpolated rows that the language model learned from."""
    low_density_share: float | None = None
    """Share of interpolated rows in low-density regions (range 0 to 1; near 0 inside one mode)."""
    requested: int = 0
    """Rows asked for so far."""
    made: int = 0
    """Rows returned so far (Pred-LLM: fewer than requested where the model gave too few candidates this class)."""
    copies_dropped: int = 0
    """Rows equal to a real row, written again (Pred-LLM: while this class lacked most rows)."""
    copies_kept: int = 0
    """Generated rows equal to a real row that had to stay, because only copies came in several rounds."""
    near_copies_dropped: int = 0
    """Rows nearer to a real row than `near_copies` allows, written again (Pred-LLM: candidates of this class)."""
    near_copies_kept: int = 0
    """Such rows that had to stay after several rounds (Pred-LLM: none)."""
    implausible_dropped: int = 0
    """Generated rows that looked like another class (``plausibility``), dropped and written again."""
    implausible_kept: int = 0
    """Such rows that had to stay after several rounds: the most plausible of them."""
    held_out: int = 0
    """Real rows that were not learned: they gave the held-out loss."""
    written_freely: int = 0
    """Rows decoded without automata (``constrained=False``)."""
    illegal: int = 0
    """Rows among those that were not legal, and were written again under the automata."""
    texts_written: int = 0
    """Texts of its rows that a language model wrote."""
    texts_redrawn: int = 0
    """Times that texts were drawn again, because they had no word or shared too many in a row with a real text."""
    texts_cut: int = 0
    """Texts that were cut, after several draws, before they shared too many words in a row (``copied_words``)."""
    texts_copied: int = 0
    """Texts that are a real row's all the same: no draw had a word, or time ran out."""
    candidates: int = 0
    """Rows written without a class and looked at until this one had its rows (Pred-LLM)."""

    @property
    def acceptance_rate(self) -> float | None:
        """Share of the candidates that became rows of this class by the model's answer; None without candidates."""
        return self.made / self.candidates if self.candidates else None

    @property
    def illegal_share(self) -> float | None:
        """Share of freely written rows that were not legal (0 to 1); None where decoding was constrained."""
        return self.illegal / self.written_freely if self.written_freely else None

    def describe(self) -> str:
        """A few words for a log."""
        rate = self.acceptance_rate
        accepted = "" if rate is None else f", {rate:.1%} of the candidates accepted"
        wanted = f" of {self.requested} asked for" if self.made < self.requested else ""
        return f"{self.label}: {self.rows} rows + {self.made}{wanted} by {self.method}{accepted}"


@dataclass(frozen=True)
class OversamplingReport:
    """What one generator did, from fitting to sampling."""

    method: str = ""
    """Name of the generator's method, such as ``"imbllm"``."""
    classes: tuple[ClassReport, ...] = ()
    """One entry for each oversampled class."""
    excluded: Mapping[str, str] = field(default_factory=dict)
    """Columns that the language model does not write, and why."""
    parameters: int = 0
    """Weights of the language model (0: none was trained)."""
    learning: int = 0
    """Weights of it that training changed."""
    losses: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Loss curve of each training stage: nats for each value token, by step."""
    stopped_by: Mapping[str, str] = field(default_factory=dict)
    """What ended each training stage: ``"steps"``, ``"time limit"`` or ``"held-out loss"``."""
    held_out_losses: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    """Steps done and held-out loss (nats for each value token) of the stages that were validated."""
    tokens_per_second: Mapping[str, float] = field(default_factory=dict)
    """Tokens through the model in a second of each training stage."""
    training_tokens: int = 0
    """Value tokens learned from."""
    loading_seconds: float = 0.0
    """Wall-clock time of building the backbone, part of `training_seconds`."""
    training_seconds: float = 0.0
    """Wall-clock time of fitting, interpolation included."""
    sampling_tokens: int = 0
    """Value tokens written."""
    sampling_seconds: float = 0.0
    """Wall-clock time of sampling so far."""
    shared_words: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By column of text: words of the longest run of each written text that a real text of the fold holds too."""

    def counted(self, place: int, counts: Mapping[str, int]) -> OversamplingReport:
        """The same report with counters added to those of the class at `place`, and ``tokens`` to the written ones."""
        entry, added = self.classes[place], dict(counts)
        tokens = self.sampling_tokens + added.pop("tokens", 0)
        entry = replace(entry, **{name: getattr(entry, name) + n for name, n in added.items()})
        classes = (*self.classes[:place], entry, *self.classes[place + 1 :])
        return replace(self, classes=classes, sampling_tokens=tokens)

    def with_training(self, *models: TableLanguageModel) -> OversamplingReport:
        """The same report, with the figures of trained models: of rows, and of their texts."""
        curves = {name: curve for model in models for name, curve in model.curves.items()}
        return replace(
            self,
            parameters=sum(model.n_parameters for model in models),
            learning=sum(model.n_learning for model in models),
            loading_seconds=sum(model.loading_seconds for model in models),
            losses={name: curve.losses for name, curve in curves.items()},
            stopped_by={name: curve.stopped_by for name, curve in curves.items()},
            held_out_losses={name: curve.held_out for name, curve in curves.items() if curve.held_out},
            tokens_per_second={name: curve.tokens_per_second for name, curve in curves.items()},
            training_tokens=sum(curve.tokens for curve in curves.values()),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> OversamplingReport:
        """Rebuild the report from :meth:`to_dict`, lists becoming tuples again."""
        classes = tuple(ClassReport(**entry) for entry in state["classes"])
        losses = {name: tuple(curve) for name, curve in state["losses"].items()}
        held_out = {name: tuple(map(tuple, curve)) for name, curve in state["held_out_losses"].items()}
        shared = {name: tuple(words) for name, words in state["shared_words"].items()}
        read = {"classes": classes, "losses": losses, "held_out_losses": held_out, "shared_words": shared}
        return cls(**{**state, **read})

    def describe(self) -> str:
        """One line for a log."""
        made = ", ".join(entry.describe() for entry in self.classes)
        seconds = f"{self.training_seconds:.1f} s training, {self.sampling_seconds:.1f} s writing"
        return f"{made or 'nothing to make'} ({seconds})"


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first names, with dots for the rest: ``a, b, ...``."""
    return ", ".join([*names[:most], *(["..."] if len(names) > most else [])])
