"""What a language model of a table stores, as safetensors and JSON: what learned, never the base weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file

from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.table_backbone import BaseModel
from imbllm_autogluon.language.training_state import TrainingCurve
from imbllm_autogluon.sentences import SchemaVocabulary
from imbllm_autogluon.stored_state import read_state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imbllm_autogluon.language.table_backbone import TableBackbone
    from imbllm_autogluon.language.tuning import Tuning

FORMAT = 4
"""Version of the stored form; raised whenever an older reader could misread it."""


@dataclass(frozen=True, eq=False)
class ModelState:
    """What is stored of a language model beside the weights that learned."""

    vocabulary: SchemaVocabulary
    config: LanguageConfig
    seed: int
    curves: Mapping[str, TrainingCurve]
    """Of each finished training stage, by name."""

    base: BaseModel | None
    """Where the other weights come from; None for a compact backbone, whose weights are all its own."""


def save_state(state: ModelState, tuning: Tuning, folder: Path) -> None:
    """Write a state and the weights that learned into an existing folder.

    ``language.json`` holds settings, vocabulary, training curves and the base model's place, revision and
    fingerprint; ``model.safetensors`` the weights that learned; ``adapter/`` LoRA adapters in peft's own form.
    """
    location, revision = (state.base.location, state.base.revision) if state.base else ("", None)
    save_file(tuning.save(folder, location, revision), folder / "model.safetensors")
    stored = {
        "format": FORMAT,
        "config": vars(state.config),
        "seed": state.seed,
        "vocabulary": state.vocabulary.to_dict(),
        "curves": {name: vars(curve) for name, curve in state.curves.items()},
        "base": vars(state.base) if state.base else None,
    }
    (folder / "language.json").write_text(json.dumps(stored), encoding="utf-8")


def load_state(folder: Path) -> ModelState:
    """Read a state written by :func:`save_state`; call it inside :func:`~imbllm_autogluon.stored_state.reading`.

    Raises
    ------
    StoredStateError
        The file is of another format.
    """
    stored = read_state(folder / "language.json", FORMAT)
    return ModelState(
        SchemaVocabulary.from_dict(stored["vocabulary"]),
        LanguageConfig.from_flat(stored["config"]),
        int(stored["seed"]),
        {name: TrainingCurve.from_dict(values) for name, values in stored["curves"].items()},
        BaseModel(**stored["base"]) if stored["base"] else None,
    )


def load_weights(state: ModelState, backbone: TableBackbone, folder: Path) -> None:
    """Give a backbone that was built for a state the weights that learned.

    Raises
    ------
    StoredStateError
        The base model is not the one that was fine-tuned, or the weights do not fit.
    """
    _require_same_base(backbone.base, state.base)
    backbone.tuning.load(folder)
    _fill(backbone.tuning.own_weights(), load_file(folder / "model.safetensors"))
    backbone.tuning.merge()


def _require_same_base(base: BaseModel | None, stored: BaseModel | None) -> None:
    if base is not None and stored is not None and base.fingerprint != stored.fingerprint:
        raise StoredStateError(
            f"the base model at {base.location!r} is not the one that was fine-tuned (its weights differ); give the "
            f"same files, or revision {stored.revision!r}, or fit again."
        )


def _fill(expected: dict[str, torch.nn.Parameter], weights: dict[str, torch.Tensor]) -> None:
    """Give a model its stored weights."""
    # copy_ would repeat a smaller weight until it fits.
    differing = {(n, w.shape) for n, w in weights.items()} ^ {(n, w.shape) for n, w in expected.items()}
    if differing:
        raise StoredStateError(f"the stored weights do not fit the model: {sorted({name for name, _ in differing})}")
    with torch.no_grad():
        for name, weight in expected.items():
            weight.copy_(weights[name])
