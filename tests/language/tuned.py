"""Language models of the small table over tiny pretrained folders."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.model import TableLanguageModel
from tests.language.tables import LABEL, prompts, table, vocabulary_of
from tests.products import cases

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.sentences import Clauses

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
    return trained(backbone, tuning=tuning, clauses=clauses, held_out=0.2)


def written(model: TableLanguageModel, rows: int = 12) -> list[Any]:
    """Rows written from the label alone."""
    batch = prompts(everyone(model), [LABEL, 0, 1, 2, 3, 4], 1, [0] * rows)
    return [clauses.tokens.tolist() for clauses in model.complete([batch], seed=0)]
