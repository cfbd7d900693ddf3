"""Configuration of the language room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imbllm_autogluon.configuration import require_choices, require_number
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences.orders import Order


@dataclass(frozen=True)
class LanguageConfig:
    """The backbone, its training and its decoding.

    Raises
    ------
    InvalidInputError
        A value is outside the range given under its field.
    """

    backbone: Literal["compact"] = "compact"
    """Which causal language model writes the rows. `compact` needs no download: it is trained on the fold."""

    layers: int = 2
    """Transformer blocks of the compact backbone (1 to 24)."""

    width: int = 64
    """Hidden size of the compact backbone, a multiple of 16 (16 to 1024); heads are 16 wide."""

    numbers: Literal["bins", "digits"] = "bins"
    """A number is one token (a quantile bin) or its digits. Digits make sentences 3 to 6 times as long."""

    max_bins: int = 32
    """Most quantile bins of a column (2 to 1024)."""

    order: Order = "fix_y"
    """Order of the clauses: `fix_y` (label first; ImbLLM), `permute_x` (label last; Pred-LLM), `permute_xy` (GReaT)."""

    warmup: Literal["fold", "none"] = "fold"
    """Train on every row of the fold with its own label first. With 83 minority rows this raised the average
    precision of XGBoost on rebalanced `bank` from 37.4 to 42.5 (three splits)."""

    warmup_steps: int = 400
    """Optimiser steps of the warm-up (0 to 10**6)."""

    steps: int = 200
    """Optimiser steps on the minority and interpolated rows (0 to 10**6)."""

    batch_size: int = 64
    """Sentences in a training step (1 to 65536)."""

    learning_rate: float = 3e-3
    """Peak learning rate of AdamW (above 0, up to 1); it rises over 5 % of a stage and falls to a tenth of it. The
    stage after a warm-up starts at a third of it."""

    time_limit: float | None = None
    """Seconds that training may take; it stops early where they run out, and the report says so. `None`: no limit."""

    temperature: float = 0.7
    """Softmax temperature of decoding (0.01 to 100); 0.7 in the paper. Below 1 rows are more typical, less diverse."""

    generation_batch: int = 1024
    """Most rows that are decoded at once (1 to 10**6); rows of a batch share one column order."""

    def __post_init__(self) -> None:
        require_choices(self)
        for name, low, high in (("layers", 1, 24), ("width", 16, 1024), ("max_bins", 2, 1024)):
            require_number(name, getattr(self, name), low, high, whole=True)
        for name, low, high in (("warmup_steps", 0, 10**6), ("steps", 0, 10**6)):
            require_number(name, getattr(self, name), low, high, whole=True)
        for name, low, high in (("batch_size", 1, 65536), ("generation_batch", 1, 10**6)):
            require_number(name, getattr(self, name), low, high, whole=True)
        require_number("learning_rate", self.learning_rate, 1e-12, 1.0)
        require_number("temperature", self.temperature, 0.01, 100.0)
        if self.time_limit is not None:
            require_number("time_limit", self.time_limit, 0.0)
        if self.width % 16:
            raise InvalidInputError(f"width must be a multiple of 16; got {self.width}.")
