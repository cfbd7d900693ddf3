"""Configuration of the language room."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from imbllm_autogluon._config import Config, Range, documented
from imbllm_autogluon.encoding.orders import Order
from imbllm_autogluon.errors import InvalidInputError

COMPACT = ("compact", "compact_masked")  # built from a configuration and trained on the fold; others are pretrained

_SHIPPED_LAYERS, _SHIPPED_WIDTH = 2, 64  # of the weights of `compact` that have seen other tables

# What a setting of `None` means for the two sorts of backbones.
OWN_DEFAULTS: dict[str, dict[str, Any]] = {
    "compact": {
        "clauses": "tokens",
        "numbers": "bins",
        "tuning": "full",
        "pretrain": "fold",
        "pretrain_steps": 300,
        "steps": 150,
        "batch_size": 16,
        "learning_rate": 3e-3,
        "validation_fraction": 0.0,
        "generation_batch": 1024,
    },
    "pretrained": {
        "clauses": "tokens",
        "numbers": "digits",
        "tuning": "lora",
        "pretrain": "none",
        "pretrain_steps": 400,
        "steps": 200,
        "batch_size": 16,
        "validation_fraction": 0.1,
        "generation_batch": 128,
    },
}

# For the compact backbone that has seen other tables.
_SEEN_DEFAULTS: dict[str, Any] = {"pretrain_steps": 150, "learning_rate": 6e-3}

# Where no method has chosen it.
_OF_NO_METHOD: dict[str, Any] = {"order": "fix_y", "column_order_share": 0.0, "temperature": 0.7}

# Peak learning rate of a pretrained backbone by what is tuned; 5e-5 is the paper's.
_PRETRAINED_RATES = {"lora": 1e-3, "full": 5e-5, "top_blocks": 1e-4, "probe": 1e-3}

# Steps of a compact backbone on rare rows, at least. Beyond these it takes one for each real row: more of them spoil
# what it knows of unseen rows.
_FEWEST_STEPS = 20


@documented
@dataclass(frozen=True)
class LanguageConfig(Config):
    """The backbone, its training and its decoding; `None` leaves a choice to the backbone (:meth:`resolved`)."""

    most_learned: ClassVar[int] = 50_000  # rows that training draws from
    renamed: ClassVar[dict[str, str]] = {
        "warmup": "pretrain",
        "warmup_steps": "pretrain_steps",
        "held_out": "validation_fraction",
    }

    backbone: str = "compact"
    """Which language model writes the rows: `compact` (trained on the fold, no download), `smollm2`, `distilgpt2`, a
    Hub id, or a folder with a causal or masked model; `compact_masked` is `compact` reading in both directions."""

    revision: str | None = None
    """Branch, tag or commit of a Hub id. `None`: its main branch."""

    local_files_only: bool = False
    """Never ask the Hub; use what is on this machine."""

    token_variable: str | None = None
    """Name of the environment variable that holds an access token for the Hub; the token itself is stored nowhere."""

    device: str | None = None
    """torch device such as `cpu` or `cuda:0`. `None`: the GPU for pretrained backbones where there is one, else CPU."""

    clauses: Literal["text", "tokens"] | None = None
    """`text` writes the paper's sentence in the tokens of the backbone; `tokens` gives each column clause and each
    category a token of its own, started at the mean embedding of its text: half as many tokens. `None`: `tokens`."""

    layers: Annotated[int, Range(1, 24)] = 2
    """Transformer blocks of the compact backbones."""

    width: Annotated[int, Range(16, 1024)] = 64
    """Hidden size of the compact backbones, a multiple of 16; heads are 16 wide."""

    pretrained: bool | None = None
    """Start `compact` from weights that have seen other tables (0.2 MB, in the package) instead of random ones. `None`:
    where `layers`, `width` and `constrained` have their defaults, which these weights need, and numbers are bins."""

    numbers: Literal["bins", "digits"] | None = None
    """A number is one token (a quantile bin) or its digits on the column's grid. Digits make sentences 2 to 4 times
    as long. `None`: `bins` for compact backbones, `digits` for pretrained ones."""

    max_bins: Annotated[int, Range(2, 1024)] = 32
    """Most quantile bins of a column."""

    max_columns: Annotated[int, Range(1, 10_000)] = 256
    """Most feature columns that are learned and written. Of wider tables those that tell most of the class, each by
    itself; written rows copy all others together from their nearest real row. Twice as many take four times as long."""

    order: Order | None = None
    """Order of the clauses: `fix_y` (label first; ImbLLM), `permute_x` (label last; Pred-LLM), `permute_xy` (GReaT).
    `None`: the order of the method, `fix_y` where there is none."""

    column_order_share: Annotated[float, Range(0.0, 1.0)] | None = None
    """Share of the sentences whose features stand in the order of the columns instead of a drawn one; with 0.5 a table
    is learned in both forms, as Pred-LLM does. `None`: the share of the method, 0 where there is none."""

    tuning: Literal["full", "lora", "top_blocks", "probe"] | None = None
    """What learns: all weights, LoRA adapters of all linear layers, or the last blocks alone; with clauses="tokens" the
    new tokens' embeddings always learn. `probe`, of classifiers alone: no weight of the backbone, but a logistic
    regression on its hidden states. `None`: `full` for compact backbones, `lora` for pretrained ones."""

    lora_rank: Annotated[int, Range(1, 1024)] = 16
    """Rank of the LoRA adapters; their scale alpha is twice the rank."""

    lora_blocks: Annotated[int, Range(1, 1000)] | None = None
    """Last blocks that get LoRA adapters; `None`: all. A classifier with clauses="text" computes what lies below the
    first block that learns once for each row: epochs over two of thirty blocks cost a tenth."""

    top_blocks: Annotated[int, Range(1, 1000)] = 2
    """Blocks that `tuning="top_blocks"` trains."""

    pretrain: Literal["fold", "none"] | None = None
    """Train on every row of the fold with its own label first. With 83 minority rows this raised the average precision
    of XGBoost on rebalanced `bank` from 37.4 to 42.5 (three splits). `None`: `fold` for the compact ones."""

    pretrain_steps: Annotated[int, Range(0, 10**6)] | None = None
    """Optimiser steps of the warm-up; 0: there is none. `None`: 150 for the compact backbone that has seen other
    tables, 300 without and for `compact_masked`, 400 for pretrained ones."""

    steps: Annotated[int, Range(1, 10**6)] | None = None
    """Optimiser steps on the minority and interpolated rows. `None`: for compact backbones one for each real row of the
    classes that are written, 20 to 150 of them; 200 for pretrained ones."""

    epochs: Annotated[float, Range(0.0, 10_000.0, above=True)] | None = None
    """How often each minority and interpolated row is learned, instead of `steps`. `None`: what the steps come to."""

    batch_size: Annotated[int, Range(1, 65_536)] | None = None
    """Sentences in a training step. `None`: 16."""

    micro_batch: Annotated[int, Range(1, 65_536)] | None = None
    """Most sentences that go through the model at once; gradients of a step are accumulated. Halved where memory runs
    out. `None`: the whole batch."""

    learning_rate: Annotated[float, Range(0.0, 1.0, above=True)] | None = None
    """Peak learning rate of AdamW; it rises over 5 % of a stage and falls to a tenth of it. The stage after a warm-up
    starts at a third of it. `None`: 6e-3 for the compact backbone that has seen other tables, 3e-3 for other
    compact ones; 1e-3 for LoRA, 1e-4 for top blocks and 5e-5 for all weights of a pretrained one."""

    validation_fraction: Annotated[float, Range(0.0, 0.5)] | None = None
    """Share of a class's real rows, where it has 20 or more, that is not learned but tells the held-out loss and stops
    training early. `None`: 0 for compact backbones, 0.1 for pretrained ones."""

    patience: Annotated[int, Range(1, 1000)] = 3
    """Evaluations of the held-out loss (ten in a stage) without a better one after which a stage ends."""

    time_limit: Annotated[float, Range(0.0, above=True)] | None = None
    """Seconds that training may take; it stops early where they run out, and the report says so. `None`: no limit."""

    temperature: Annotated[float, Range(0.01, 100.0)] | None = None
    """Softmax temperature of decoding. Below 1 rows are more typical, less diverse. `None`: the method's, 0.7 for
    ImbLLM as in its paper, 1 for methods that write whole tables."""

    constrained: bool = True
    """Decode under the automata of the columns. False, an ablation: learn every token of the sentence, sample freely,
    count the rows that are not legal, and write those again under the automata."""

    precision: Literal["float32", "bfloat16"] | None = None
    """Arithmetic of writing rows on a CPU; `None`: `bfloat16` for pretrained backbones where the CPU has instructions
    for it (twice as fast there, slower elsewhere), else `float32`. Training stays in float32 on CPUs; GPUs use bfloat16
    for both where they have it."""

    generation_batch: Annotated[int, Range(1, 10**6)] | None = None
    """Most rows that are decoded at once; rows of a batch share one column order; halved where memory runs out. `None`:
    1024 for compact backbones, 128 for pretrained ones."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % 16:
            raise InvalidInputError(f"width must be a multiple of 16; got {self.width}.")
        if not isinstance(self.backbone, str) or not self.backbone:
            expected = "backbone must be 'compact', 'smollm2', a Hub id or a folder"
            raise InvalidInputError(f"{expected}; got {self.backbone!r}.")
        self._refuse_contradictions()

    def _refuse_contradictions(self) -> None:
        if not self.is_pretrained and self.clauses == "text":
            raise InvalidInputError(f"clauses='text' needs a pretrained backbone; {self.backbone!r} has no tokenizer.")
        if not self.is_pretrained and self.tuning not in (None, "full"):
            raise InvalidInputError(
                f"tuning={self.tuning!r} needs a pretrained backbone; {self.backbone!r} starts from random weights, "
                "all of which must learn."
            )
        if self.tuning == "probe" and self.clauses == "tokens":
            raise InvalidInputError("tuning='probe' learns no new tokens; use clauses='text', its default.")
        if self.pretrained and not self.has_shipped_shape:
            raise InvalidInputError(
                f"pretrained=True needs backbone='compact' with layers={_SHIPPED_LAYERS}, width={_SHIPPED_WIDTH} and "
                f"constrained=True; got backbone={self.backbone!r}, layers={self.layers}, width={self.width}, "
                f"constrained={self.constrained}. Leave it out to start from random weights."
            )
        if self.clauses == "text" and self.numbers == "bins":
            raise InvalidInputError("numbers='bins' needs tokens of its own; use clauses='tokens' or numbers='digits'.")

    @property
    def has_shipped_shape(self) -> bool:
        """Whether the weights that have seen other tables fit this backbone."""
        shape = (self.backbone, self.layers, self.width, self.constrained)
        return shape == ("compact", _SHIPPED_LAYERS, _SHIPPED_WIDTH, True)

    @property
    def is_pretrained(self) -> bool:
        """Whether the backbone comes with weights and a tokenizer."""
        return self.backbone not in COMPACT

    def for_rare_rows(self, n_rows: int) -> LanguageConfig:
        """The same settings, with the steps on so many real rare rows where none were chosen.

        >>> [LanguageConfig().for_rare_rows(n).steps for n in (8, 50, 1000)]
        [20, 50, 150]
        >>> LanguageConfig(steps=60).for_rare_rows(8).steps
        60
        """
        if self.is_pretrained or self.steps is not None or self.epochs is not None:
            return self
        return dataclasses.replace(self, steps=min(OWN_DEFAULTS["compact"]["steps"], max(_FEWEST_STEPS, n_rows)))

    def rows_learned(self, n_rows: int) -> int:
        """Rows of a table that training draws from: of large ones a choice, unless all are to be passed (`epochs`)."""
        return n_rows if self.epochs else min(n_rows, self.most_learned)

    def steps_for(self, n_rows: int) -> int:
        """Optimiser steps on so many minority and interpolated rows, of a resolved configuration."""
        assert self.batch_size is not None
        assert self.steps is not None
        return self.steps if self.epochs is None else math.ceil(self.epochs * n_rows / min(self.batch_size, n_rows))

    @property
    def chosen_order(self) -> Order:
        """Order of the clauses, of a resolved configuration."""
        assert self.order is not None
        return self.order

    def with_defaults(self, **defaults: Any) -> LanguageConfig:
        """The same settings, those that are `None` replaced by a method's own choices."""
        return dataclasses.replace(self, **{k: v for k, v in defaults.items() if getattr(self, k) is None})

    def resolved(self) -> LanguageConfig:
        """The same settings with every `None` that is a choice of the backbone filled in.

        >>> LanguageConfig().resolved().numbers, LanguageConfig(backbone="smollm2").resolved().numbers
        ('bins', 'digits')
        """
        defaults = OWN_DEFAULTS["pretrained" if self.is_pretrained else "compact"] | _OF_NO_METHOD
        # They know nothing of digits.
        defaults["pretrained"] = self.has_shipped_shape and self.numbers != "digits"
        if defaults["pretrained"] if self.pretrained is None else self.pretrained:
            defaults |= _SEEN_DEFAULTS
        if self.tuning == "probe":
            defaults["clauses"] = "text"
        chosen = {key: value for key, value in defaults.items() if getattr(self, key) is None}
        if self.is_pretrained and self.learning_rate is None:
            chosen["learning_rate"] = _PRETRAINED_RATES[self.tuning or defaults["tuning"]]
        return dataclasses.replace(self, **chosen)
