"""Trainers of tiny models on a small table, losses that fail on purpose, models over pretrained folders."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from imbllm_autogluon.language.batches import Batches
from imbllm_autogluon.language.compact import build_compact
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.losses import ValueLoss
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.language.training import Stage, Trainer
from tests.language.tables import LABEL, TINY, clauses_of, completed, prompts, table, vocabulary_of
from tests.products import cases

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.encoding import Clauses, SentenceEncoding, Sentences
    from imbllm_autogluon.encoding.values import Numbers

FRAME = table()
CPU = torch.device("cpu")


def tiny_model(encoding: SentenceEncoding) -> Any:
    torch.manual_seed(0)
    return build_compact(encoding.n_tokens, encoding.longest_sentence, TINY)


def weights_of(model: Any) -> dict[str, torch.Tensor]:
    """Copies of all weights."""
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether weights are equal bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def expect_close(one: Any, other: Any) -> None:
    """Two models have the same weights but for rounding."""
    weights = weights_of(other)
    for name, weight in weights_of(one).items():
        # A bias of the keys changes nothing; its gradient is rounding alone, which Adam makes large.
        if not name.endswith("c_attn.bias"):
            torch.testing.assert_close(weight, weights[name], rtol=1e-4, atol=1e-5)


class SmallTable:
    """Batches of a small table, and trainers of models over its tokens."""

    def __init__(self, numbers: Numbers = "bins", n_absent: int = 0) -> None:
        self.vocabulary = vocabulary_of(FRAME, numbers)
        self.encoding: SentenceEncoding = self.vocabulary.encoding()
        clauses = clauses_of(self.vocabulary, FRAME)
        present = clauses.present.copy()
        present[::2, :n_absent] = False
        self.clauses = clauses.with_present(present)

    @property
    def loss(self) -> ValueLoss:
        return ValueLoss(self.encoding.tables, CPU)

    def rows(self, start: int, stop: int) -> Clauses:
        return self.clauses.take(np.arange(start, stop))

    def stage(self, steps: int, *, rate: float = 3e-3, size: int = 60, name: str = "test", **limits: Any) -> Stage:
        return Stage(name, Batches(self.encoding, self.clauses, size, "fix_y", seed=4), steps, rate, **limits)

    def held_out(self, rows: int = 12) -> Sentences:
        return Batches.fixed(self.encoding, self.rows(0, rows), "fix_y", seed=4)

    def trainer(self, model: Any, **options: Any) -> Trainer:
        loss = options.pop("loss", self.loss)
        return Trainer(model, dict(model.named_parameters()), loss, **options)


class Hungry:
    """A loss that has no memory for more than some rows at once."""

    def __init__(self, loss: Any, most: int, error: Exception | type[Exception]) -> None:
        self._loss, self._most, self._error = loss, most, error
        self.sizes: list[int] = []

    def __call__(self, model: Any, sentences: Sentences) -> tuple[torch.Tensor, int]:
        self.sizes.append(len(sentences.ids))
        if len(sentences.ids) > self._most:
            raise self._error
        result: tuple[torch.Tensor, int] = self._loss(model, sentences)
        return result


class Killed(Exception):  # noqa: N818 - stands for a signal
    """What a test ends a training with."""


class KilledAfter:
    """Progress callback that ends the training after some steps."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def __call__(self, steps: int) -> None:
        self._left -= steps
        if self._left <= 0:
            raise Killed


FRAME = table()

WAYS = cases(["gpt2", "llama"], ["full", "lora", "top_blocks"], ["text", "tokens"], together=1)
"""The backbone, what learns, and in which tokens."""


def model_over(backbone: Path | str, *, seed: int = 0, **settings: Any) -> TableLanguageModel:
    """An untrained model."""
    quick = {"steps": 3, "batch_size": 8, "learning_rate": 1e-2, "lora_rank": 4, "top_blocks": 1}
    config = LanguageConfig(backbone=str(backbone), **{**quick, **settings})
    return TableLanguageModel(vocabulary_of(FRAME, "digits"), config, seed)


def everyone(model: TableLanguageModel) -> Clauses:
    """All rows in the model's tokens."""
    schema = model.vocabulary.schema
    return model.encoding.encode(schema.encode(FRAME), schema.encode_label(FRAME["bought"]))


def trained(backbone: Path | str, *, seed: int = 0, **settings: Any) -> TableLanguageModel:
    model = model_over(backbone, seed=seed, **settings)
    model.train(everyone(model).take(np.arange(0, 60, 4)))
    return model


@functools.cache
def learned(backbone: Path, tuning: str, clauses: str) -> TableLanguageModel:
    """A trained model with held-out rows, made once; not to be changed."""
    return trained(backbone, tuning=tuning, clauses=clauses, validation_fraction=0.2)


def written(model: TableLanguageModel, rows: int = 12) -> list[Any]:
    """Rows written from the label alone."""
    batch = prompts(everyone(model), [LABEL, 0, 1, 2, 3, 4], 1, [0] * rows)
    return [clauses.tokens.tolist() for clauses in completed(model, [batch])]
