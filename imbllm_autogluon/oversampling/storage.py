"""Save a fitted ImbLLM as safetensors, JSON and (for columns that nothing writes) Parquet; never as pickle."""

from __future__ import annotations

import json

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save_file

from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.oversampling.config import ImbLLMConfig
from imbllm_autogluon.oversampling.copies import KnownRows
from imbllm_autogluon.oversampling.imbllm import ClassRows, ImbLLM
from imbllm_autogluon.oversampling.report import ClassReport, OversamplingReport
from imbllm_autogluon.tables import Cells, TableSchema
from imbllm_autogluon.version import __version__

if TYPE_CHECKING:
    import numpy.typing as npt

    Arrays = dict[str, npt.NDArray[Any]]

FORMAT = 1
"""Version of the stored form; raised whenever an older reader could misread it."""


def save_generator(generator: ImbLLM, folder: Path) -> None:
    """Write a fitted generator into `folder`, which is created.

    Raises
    ------
    StoredStateError
        A column that is copied from real rows cannot be written as Parquet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: Arrays = {"known": generator._known.hashes}
    for code, rows in generator._classes.items():
        arrays |= _cell_arrays(f"{code}.", rows.pool)
        if rows.copied.shape[1]:
            _save_copied(rows.copied, folder / f"copied-{code}.parquet")
    save_file(arrays, folder / "rows.safetensors")
    if generator._model is not None:
        generator._model.save(folder)
    state = {
        "format": FORMAT,
        "version": __version__,
        "config": generator.config.flat(),
        "seed": generator.seed,
        "threads": generator.threads,
        "schema": generator.schema.to_dict(),
        "label_name": generator._label_name if isinstance(generator._label_name, (str, int)) else None,
        "classes": [
            {"code": code, "count": generator._counts[code], "n_real": rows.real.n_rows, "report": vars(generator._reports[code])}
            for code, rows in generator._classes.items()
        ],
        "language_model": generator._model is not None,
        "report": generator.report.to_dict(),
    }
    # Written last: a folder without it is an unfinished one.
    (folder / "generator.json").write_text(json.dumps(state), encoding="utf-8")


def load_generator(folder: Path) -> ImbLLM:
    """Read a generator written by :func:`save_generator`; it writes the same rows as the saved one.

    Raises
    ------
    StoredStateError
        A file is absent, broken, or of another format.
    """
    try:
        state = json.loads((folder / "generator.json").read_text(encoding="utf-8"))
        if state["format"] != FORMAT:
            raise StoredStateError(f"{folder} has format {state['format']}; this version reads format {FORMAT}.")
        return _rebuild(folder, state)
    except StoredStateError:
        raise
    except Exception as error:
        raise StoredStateError(f"no usable generator in {folder}: {error}. Delete the folder and fit again.") from error


def _rebuild(folder: Path, state: dict[str, Any]) -> ImbLLM:
    """Generator from its stored state and the files beside it."""
    from imbllm_autogluon.language.model import TableLanguageModel

    generator = ImbLLM(ImbLLMConfig.from_flat(state["config"]), random_state=state["seed"], threads=state["threads"])
    generator.schema = TableSchema.from_dict(state["schema"])
    generator._label_name = state["label_name"]
    arrays = load_file(folder / "rows.safetensors")
    generator._known = KnownRows(arrays["known"])
    for entry in state["classes"]:
        code = int(entry["code"])
        pool = _cells_from(f"{code}.", arrays, len(generator.schema.columns))
        real = pool.take(np.arange(entry["n_real"]))
        generator._classes[code] = ClassRows(real, pool, _load_copied(folder / f"copied-{code}.parquet", real.n_rows))
        generator._counts[code] = int(entry["count"])
        generator._reports[code] = ClassReport(**entry["report"])
    generator._model = TableLanguageModel.load(folder) if state["language_model"] else None
    generator.report = OversamplingReport.from_dict(state["report"])
    return generator


def _cell_arrays(prefix: str, cells: Cells) -> Arrays:
    values = {f"{prefix}values.{j}": np.ascontiguousarray(column) for j, column in enumerate(cells.values)}
    return {**values, f"{prefix}missing": np.ascontiguousarray(cells.missing)}


def _cells_from(prefix: str, arrays: Arrays, n_columns: int) -> Cells:
    return Cells(tuple(arrays[f"{prefix}values.{j}"] for j in range(n_columns)), arrays[f"{prefix}missing"])


def _save_copied(copied: pd.DataFrame, path: Path) -> None:
    """Columns are numbered on disk, because Parquet wants names of one type."""
    try:
        copied.set_axis([str(j) for j in range(copied.shape[1])], axis=1).to_parquet(path)
        path.with_suffix(".json").write_text(json.dumps(list(copied.columns)), encoding="utf-8")
    except Exception as error:
        raise StoredStateError(f"columns {list(copied.columns)} cannot be stored as Parquet: {error}") from error


def _load_copied(path: Path, n_rows: int) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame(index=range(n_rows))
    names = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return pd.read_parquet(path).set_axis(names, axis=1)
