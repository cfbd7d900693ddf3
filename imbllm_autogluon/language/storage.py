"""Save a language model of a table as safetensors and JSON: what learned, never the base weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file

from imbllm_autogluon.configuration import from_mapping
from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.language.training_state import TrainingCurve
from imbllm_autogluon.sentences import SchemaVocabulary
from imbllm_autogluon.stored_state import read_state, reading

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

FORMAT = 3
"""Version of the stored form; raised whenever an older reader could misread it."""


def save_model(model: TableLanguageModel, folder: Path) -> None:
    """Write a model into an existing folder.

    ``language.json`` holds settings, vocabulary, training curves and the base model's place, revision and
    fingerprint; ``model.safetensors`` the weights that learned; ``adapter/`` LoRA adapters in peft's own form.
    """
    base = model._backbone.base
    location, revision = (base.location, base.revision) if base else ("", None)
    save_file(model._backbone.tuning.save(folder, location, revision), folder / "model.safetensors")
    state = {
        "format": FORMAT,
        "config": vars(model.config),
        "seed": model.seed,
        "vocabulary": model.vocabulary.to_dict(),
        "curves": {name: vars(curve) for name, curve in model.curves.items()},
        "base": vars(base) if base else None,
    }
    (folder / "language.json").write_text(json.dumps(state), encoding="utf-8")


def load_model(folder: Path) -> TableLanguageModel:
    """Read a model written by :func:`save_model`; it writes the same rows as the saved one.

    Raises
    ------
    StoredStateError
        A file is absent, broken, or of another format, or the base model is not the one it was trained on.
    """
    with reading("language model", folder):
        state = read_state(folder / "language.json", FORMAT)
        config = from_mapping(LanguageConfig, state["config"])
        model = TableLanguageModel(SchemaVocabulary.from_dict(state["vocabulary"]), config, int(state["seed"]))
        _require_same_base(model, state["base"])
        tuning = model._backbone.tuning
        tuning.load(folder)
        _fill(tuning.own_weights(), load_file(folder / "model.safetensors"))
        tuning.merge()
        model.curves = {name: TrainingCurve.from_dict(values) for name, values in state["curves"].items()}
    return model


def _require_same_base(model: TableLanguageModel, stored: dict[str, Any] | None) -> None:
    base = model._backbone.base
    if base is not None and stored is not None and base.fingerprint != stored["fingerprint"]:
        raise StoredStateError(
            f"the base model at {base.location!r} is not the one that was fine-tuned (its weights differ); give the "
            f"same files, or revision {stored['revision']!r}, or fit again."
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
