"""Save a fitted LatentDiff as safetensors and JSON, never as pickle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from safetensors.torch import load_file, save_file
from torch import as_tensor

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bent_head import BentHead
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.denoiser import Denoiser
from imbllm_autogluon.regression.diffusion import LatentDiffusion
from imbllm_autogluon.regression.encoder import TabularEncoder
from imbllm_autogluon.regression.feature_scale import FeatureScale
from imbllm_autogluon.regression.head import Head
from imbllm_autogluon.regression.latent_model import LatentModel, LatentReport
from imbllm_autogluon.regression.table_matrix import TableMatrix
from imbllm_autogluon.stored_state import read_state, reading
from imbllm_autogluon.tables import TableSchema
from imbllm_autogluon.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    Tensors = dict[str, Tensor]

FORMAT = 1
"""Version of the stored form; raised whenever an older reader could misread it."""

MARKER, WEIGHTS = "latent_diff.json", "latent_diff.safetensors"
"""The marker is written last: a folder without it holds nothing finished."""

SCALER_STATE = {
    "QuantileTransformer": ("quantiles_", "references_"),
    "StandardScaler": ("mean_", "var_", "scale_"),
}
"""What scikit-learn's transformers need to transform."""


def save_model(model: LatentModel, folder: Path, seen: dict[str, Any]) -> Path:
    """Write a fitted model, and what its owner wants back, into `folder`, which is created and returned.

    Raises
    ------
    StoredStateError
        A column holds objects that cannot be stored.
    InvalidInputError
        The folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InvalidInputError(f"{folder} is a file; name a folder to save into.")
    state = {
        "format": FORMAT,
        "version": __version__,
        "config": model.config.flat(),
        "seed": model.seed,
        "schema": model.matrix.schema.to_dict(),
        "scaler": None if model.matrix.scaler is None else type(model.matrix.scaler).__name__,
        "bent": isinstance(model.head, BentHead),
        "report": _report_state(model.report),
        "seen": seen,
    }
    text = json.dumps(state)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).unlink(missing_ok=True)
    save_file({name: part.contiguous() for name, part in _tensors(model).items()}, folder / WEIGHTS)
    (folder / MARKER).write_text(text, encoding="utf-8")
    return folder


def load_model(folder: Path, threads: int | None = None) -> tuple[LatentModel, dict[str, Any]]:
    """Read a model and what its owner gave to :func:`save_model`.

    Parameters
    ----------
    folder
        Where it was saved.
    threads
        torch threads.

    Raises
    ------
    StoredStateError
        A file is absent, broken, or of another format.
    """
    with reading("LatentDiff", folder):
        state = read_state(folder / MARKER, FORMAT)
        tensors: Tensors = load_file(folder / WEIGHTS)
        config = LatentDiffConfig.from_flat(state["config"])
        arrays = {name: part.numpy() for name, part in tensors.items() if "/" not in name}
        model = LatentModel(config, TargetBins(arrays["edges"]), seed=state["seed"], threads=threads)
        model.matrix = TableMatrix(
            TableSchema.from_dict(state["schema"]),
            arrays["medians"],
            _scaler(state["scaler"], tensors),
            arrays["marked"],
        )
        model.encoder = TabularEncoder(model.matrix.n_numbers, model.matrix.cardinalities, config.encoder).double()
        model.encoder.load_state_dict(_part(tensors, "encoder"))
        model.encoder.eval()
        model.scale = FeatureScale(arrays["means"], arrays["deviations"])
        model.centre, model.spread = (float(value) for value in arrays["target"])
        model.start = Head(arrays["start"][:-1], float(arrays["start"][-1]))
        whole = Head(arrays["head"][:-1], float(arrays["head"][-1]))
        model.head = BentHead(model.start, whole) if state["bent"] else whole
        model._held_out = arrays["held_out"]
        model.diffusion = _diffusion(_part(tensors, "denoiser"), arrays, config)
        model.report = _report(state["report"])
        return model, state["seen"]


def _tensors(model: LatentModel) -> Tensors:
    """All numbers of a model by name; parts of networks and of the scaler as ``part/name``."""
    head = model.head.whole if isinstance(model.head, BentHead) else model.head
    arrays: dict[str, Any] = {
        "edges": model.bins.edges,
        "medians": model.matrix.medians,
        "marked": model.matrix.marked,
        "means": model.scale.means,
        "deviations": model.scale.deviations,
        "target": np.array([model.centre, model.spread]),
        "start": np.append(*model.start),
        "head": np.append(*head),
        "held_out": model._held_out,
    }
    scaler = model.matrix.scaler
    arrays |= {f"scaler/{name}": getattr(scaler, name) for name in SCALER_STATE.get(type(scaler).__name__, ())}
    tensors = {name: as_tensor(array) for name, array in arrays.items()}
    tensors |= {f"encoder/{name}": part for name, part in model.encoder.state_dict().items()}
    if model.diffusion is not None:
        diffusion = model.diffusion
        tensors |= {"low": diffusion.low, "high": diffusion.high, "curve": as_tensor(diffusion.curve)}
        tensors |= {f"denoiser/{name}": part for name, part in diffusion.denoiser.state_dict().items()}
    return tensors


def _part(tensors: Tensors, part: str) -> Tensors:
    return {name.removeprefix(f"{part}/"): value for name, value in tensors.items() if name.startswith(f"{part}/")}


def _scaler(name: str | None, tensors: Tensors) -> Any:
    """scikit-learn's transformer as it was fitted."""
    from sklearn import preprocessing

    if name is None:
        return None
    scaler = getattr(preprocessing, name)()
    if name == "QuantileTransformer":
        scaler.set_params(output_distribution="normal", random_state=0)
    for key, part in _part(tensors, "scaler").items():
        setattr(scaler, key, part.numpy())
    scaler.n_features_in_ = next(iter(_part(tensors, "scaler").values())).shape[-1]
    return scaler


def _diffusion(weights: Tensors, arrays: dict[str, Any], config: LatentDiffConfig) -> LatentDiffusion | None:
    if not weights:
        return None
    sizes = config.diffusion
    denoiser = Denoiser(
        len(arrays["low"]), width=sizes.denoiser_width, blocks=sizes.denoiser_blocks, timesteps=sizes.timesteps
    )
    denoiser.load_state_dict(weights)
    bounds = {name: as_tensor(arrays[name]) for name in ("low", "high")}
    return LatentDiffusion(denoiser.eval(), sizes, **bounds, curve=arrays["curve"].tolist())


def _report_state(report: LatentReport) -> dict[str, Any]:
    """A report without its curves and trials."""
    bins = report.bins.astype(object).where(report.bins.notna(), None)
    kept = {name: getattr(report, name) for name in ("seconds", "notes", "ratio")}
    return {"bins": bins.to_dict(orient="list"), **kept}


def _report(state: dict[str, Any]) -> LatentReport:
    columns = {name: pd.Series(values).infer_objects() for name, values in state["bins"].items()}
    kept = {name: state[name] for name in ("seconds", "notes", "ratio")}
    return LatentReport(pd.DataFrame(columns).rename_axis("bin"), **kept)
