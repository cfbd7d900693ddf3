"""Save a fitted generator as safetensors and JSON; never as pickle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save_file

from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.oversampling.cell_files import cell_arrays, cells_from
from imbllm_autogluon.oversampling.class_rows import ClassRows
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.copies import KnownRows
from imbllm_autogluon.oversampling.methods import generator_class
from imbllm_autogluon.oversampling.plausibility import PlausibilityJudge
from imbllm_autogluon.oversampling.report import ClassReport, OversamplingReport
from imbllm_autogluon.stored_state import read_state, reading
from imbllm_autogluon.tables import Column, TableSchema
from imbllm_autogluon.tables.storage import column_from_dict, column_to_dict
from imbllm_autogluon.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from imbllm_autogluon.oversampling.generator import LanguageGenerator

    Arrays = dict[str, npt.NDArray[Any]]

FORMAT = 5
"""Version of the stored form; raised whenever an older reader could misread it."""

MARKER = "generator.json"
"""Written last: a folder without it holds an unfinished generator."""


def save_generator(generator: LanguageGenerator, folder: Path) -> None:
    """Write a fitted generator into `folder`, which is created.

    Raises
    ------
    StoredStateError
        A column holds objects that cannot be stored (tuples, a user's own class, ...).
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).unlink(missing_ok=True)
    try:
        state = _write_arrays(generator, folder)
    except InvalidInputError as error:
        raise StoredStateError(f"the generator cannot be stored: {error}") from error
    (folder / MARKER).write_text(json.dumps(state), encoding="utf-8")


def _write_arrays(generator: LanguageGenerator, folder: Path) -> dict[str, Any]:
    """Write cells and weights; return the state that goes with them."""
    arrays: Arrays = {"known": generator._known.hashes, **generator._judge.arrays()}
    for code, rows in generator._classes.items():
        arrays |= cell_arrays(f"{code}.", rows.pool)
    classes = [_class_state(generator, code, arrays) for code in generator._classes]
    save_file(arrays, folder / "rows.safetensors")
    if generator._model is not None:
        generator._model.save(folder)
    return {
        "format": FORMAT,
        "version": __version__,
        "method": generator.method,
        "config": generator.config.flat(),
        "seed": generator.seed,
        "threads": generator.threads,
        "schema": generator.schema.to_dict(),
        "label_name": generator._label_name if isinstance(generator._label_name, (str, int)) else None,
        "classes": classes,
        "language_model": generator._model is not None,
        "report": generator.report.to_dict(),
        "own": generator._save_own(folder),
    }


def load_generator(folder: Path) -> LanguageGenerator:
    """Read a generator written by :func:`save_generator`; it writes the same rows as the saved one.

    Raises
    ------
    StoredStateError
        A file is absent, broken, or of another format.
    """
    with reading("generator", folder):
        return _rebuild(folder, read_state(folder / MARKER, FORMAT))


def _rebuild(folder: Path, state: dict[str, Any]) -> LanguageGenerator:
    """Generator from its stored state and the files beside it."""
    from imbllm_autogluon.language.model import TableLanguageModel

    config, make = GeneratorConfig.from_flat(state["config"]), generator_class(state["method"])
    generator = make(config, random_state=state["seed"], threads=state["threads"])
    generator.schema = TableSchema.from_dict(state["schema"])
    generator._label_name = state["label_name"]
    arrays = load_file(folder / "rows.safetensors")
    generator._known = KnownRows(arrays["known"])
    generator._judge = PlausibilityJudge.from_arrays(arrays, generator.seed, generator.threads)
    for entry in state["classes"]:
        code = int(entry["code"])
        pool = cells_from(f"{code}.", arrays)
        real = pool.take(np.arange(entry["n_real"]))
        copied = [_copied_column(f"{code}.{j}.", part, arrays) for j, part in enumerate(entry["copied"])]
        frame = pd.DataFrame({series.name: series for series in copied}, index=range(real.n_rows))
        generator._classes[code] = ClassRows(real, pool, frame, entry["report"]["held_out"])
        generator._counts[code] = int(entry["count"])
        generator._reports[code] = ClassReport(**entry["report"])
    generator._model = TableLanguageModel.load(folder) if state["language_model"] else None
    generator.report = OversamplingReport.from_dict(state["report"])
    generator._load_own(folder, state["own"])
    return generator


def _class_state(generator: LanguageGenerator, code: int, arrays: Arrays) -> dict[str, Any]:
    """JSON-able state of one class; the cells of its copied columns are added to `arrays`."""
    rows = generator._classes[code]
    copied = [_copied_state(rows.copied[name], f"{code}.{j}.", arrays) for j, name in enumerate(rows.copied.columns)]
    return {
        "code": code,
        "count": generator._counts[code],
        "n_real": rows.real.n_rows,
        "report": vars(generator._reports[code]),
        "copied": copied,
    }


def _copied_state(series: pd.Series, prefix: str, arrays: Arrays) -> dict[str, Any]:
    """State of one copied column: whatever its kind, its cells are codes into the values that occur in it."""
    name: Any = series.name
    column = Column.from_series(series, name, "categorical")
    arrays[f"{prefix}codes"], arrays[f"{prefix}gone"] = column.encode(series)
    return column_to_dict(column)


def _copied_column(prefix: str, state: dict[str, Any], arrays: Arrays) -> pd.Series:
    """Column that :func:`_copied_state` stored."""
    return column_from_dict(state).decode(arrays[f"{prefix}codes"], arrays[f"{prefix}gone"])
