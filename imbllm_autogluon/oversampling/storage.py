"""Save a fitted generator; never as pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon._storage import reading, writing
from imbllm_autogluon.oversampling.cell_files import cell_arrays, cells_from
from imbllm_autogluon.oversampling.class_rows import ClassRows
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.copies import KnownRows
from imbllm_autogluon.oversampling.methods import generator_class
from imbllm_autogluon.oversampling.plausibility import PlausibilityJudge
from imbllm_autogluon.oversampling.report import ClassReport, OversamplingReport
from imbllm_autogluon.tables import Column, TableSchema
from imbllm_autogluon.tables.stored import column_from_dict, column_to_dict

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from imbllm_autogluon._storage import Stored
    from imbllm_autogluon.oversampling.generator import LanguageGenerator

    Arrays = dict[str, npt.NDArray[Any]]

KIND = "generator"

_LANGUAGE_MODEL = "language_model"
"""Subfolder with the language model and what a method stores beside it."""


def save_generator(generator: LanguageGenerator, folder: Path) -> None:
    """Write a fitted generator into `folder`, which is created.

    Raises
    ------
    StoredStateError
        The folder cannot be written, or a column holds objects that cannot be stored (a user's own class, ...).
    """
    with writing(folder, KIND) as draft:
        arrays: Arrays = {"known": generator._known.hashes, **generator._judge.arrays()}
        for code, rows in generator._classes.items():
            arrays |= cell_arrays(f"{code}.", rows.pool)
        inside = draft.folder / _LANGUAGE_MODEL
        inside.mkdir()
        if generator._model is not None:
            generator._model.save(inside)
        draft.arrays = arrays
        draft.data = {
            "method": generator.method,
            "config": generator.config.flat(),
            "seed": generator.seed,
            "threads": generator.threads,
            "schema": generator.schema.to_dict(),
            "label_name": generator._label_name if isinstance(generator._label_name, (str, int)) else None,
            "classes": [_class_state(generator, code, arrays) for code in generator._classes],
            "language_model": generator._model is not None,
            "report": generator.report.to_dict(),
            "own": generator._save_own(inside),
        }


def load_generator(folder: Path) -> LanguageGenerator:
    """Read a generator written by :func:`save_generator`; it writes the same rows as the saved one.

    Raises
    ------
    StoredStateError
        A file is absent, broken, or of another format.
    """
    with reading(folder, KIND) as stored:
        return _rebuild(stored)


def _rebuild(stored: Stored) -> LanguageGenerator:
    from imbllm_autogluon.language.model import TableLanguageModel

    state, arrays, inside = stored.data, stored.arrays(), stored.folder / _LANGUAGE_MODEL
    config, make = GeneratorConfig.from_flat(state["config"]), generator_class(state["method"])
    generator = make(config, random_state=state["seed"], threads=state["threads"])
    generator.schema = TableSchema.from_dict(state["schema"])
    generator._label_name = state["label_name"]
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
    generator._model = TableLanguageModel.load(inside) if state["language_model"] else None
    generator.report = OversamplingReport.from_dict(state["report"])
    generator._load_own(inside, state["own"])
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
