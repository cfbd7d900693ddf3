"""The generators by the name of their method: made from settings, saved and loaded; never as pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon._config import current_names, refuse_unknown_keys, require_choice
from imbllm_autogluon._storage import reading, writing
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.filters import KnownRows, PlausibilityForest
from imbllm_autogluon.oversampling.generator import ClassRows, LearnedTable
from imbllm_autogluon.oversampling.imbllm import GReaT, ImbLLM
from imbllm_autogluon.oversampling.pred_llm import PredLLMGenerator
from imbllm_autogluon.oversampling.report import OversamplingReport
from imbllm_autogluon.oversampling.texts import TextWriter
from imbllm_autogluon.tables import Column, EncodedTable, TableSchema
from imbllm_autogluon.tables.stored import column_from_dict, column_to_dict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from imbllm_autogluon._random import RandomState
    from imbllm_autogluon._storage import Stored
    from imbllm_autogluon.oversampling.generator import LanguageGenerator

    _Arrays = dict[str, npt.NDArray[Any]]

GENERATORS: Mapping[str, type[LanguageGenerator]] = {
    generator.method: generator for generator in (ImbLLM, GReaT, PredLLMGenerator)
}
"""Every method whose rows a language model writes."""

_KIND = "generator"
_LANGUAGE_MODEL = "language_model"  # subfolder with the language model and what a method stores next to it
_TEXTS = "texts"  # subfolder with the writer of texts, where there is one


def generator_class(method: str) -> type[LanguageGenerator]:
    """Class of a method's generators; an unknown method is an `InvalidInputError`."""
    require_choice("method", method, tuple(GENERATORS))
    return GENERATORS[method]


def generator_of(
    settings: Mapping[str, Any], *, random_state: RandomState = None, threads: int | None = None
) -> LanguageGenerator:
    """An unfitted generator from ``method`` (default ``"imbllm"``) and flat settings of `GeneratorConfig`.

    An unknown setting, for which the nearest known one is suggested, or value is an `InvalidInputError`.
    """
    settings = current_names(settings, GeneratorConfig)
    refuse_unknown_keys(settings, ("method", *GeneratorConfig.flat_keys()))
    own = {key: value for key, value in settings.items() if key != "method"}
    chosen = generator_class(settings.get("method", ImbLLM.method))
    return chosen(GeneratorConfig.from_flat(own), random_state=random_state, threads=threads)


def save_generator(generator: LanguageGenerator, folder: Path) -> None:
    """Write a fitted generator into `folder`, which is created.

    A column of objects that cannot be stored (a user's own class, ...) is a `StoredStateError`.
    """
    table, writer = generator._table, generator._writer
    with writing(folder, _KIND) as draft:
        arrays: _Arrays = {"known": table.known.hashes, "forest.codes": table.forest.codes}
        inside = draft.folder / _LANGUAGE_MODEL
        inside.mkdir()
        own, cells = ({}, {}) if writer is None else writer.save(inside)
        if generator._texts is not None:
            generator._texts.save(draft.folder / _TEXTS)
        for name, rows in {"forest": table.forest.cells, **cells}.items():
            arrays |= _cell_arrays(f"{name}.", rows)
        draft.arrays = arrays
        draft.data = {
            "method": generator.method,
            "config": generator.config.flat(),
            "seed": generator.seed,
            "threads": generator.threads,
            "schema": table.schema.to_dict(),
            "label_name": table.label_name if isinstance(table.label_name, (str, int)) else None,
            "classes": [_class_state(generator, code, arrays) for code in table.classes],
            "report": generator.report.to_dict(),
            "writer": None if writer is None else {"own": own, "cells": list(cells)},
        }


def load_generator(folder: Path) -> LanguageGenerator:
    """Read a generator written by :func:`save_generator`; it writes the same rows as the saved one.

    A file that is absent, broken, or of another format is a `StoredStateError`.
    """
    with reading(folder, _KIND) as stored:
        return _rebuilt(stored)


def _rebuilt(stored: Stored) -> LanguageGenerator:
    state, arrays = stored.data, stored.arrays()
    config, make = GeneratorConfig.from_flat(state["config"]), generator_class(state["method"])
    generator = make(config, random_state=state["seed"], threads=state["threads"])
    schema = TableSchema.from_dict(state["schema"])
    counts = {int(entry["code"]): int(entry["count"]) for entry in state["classes"]}
    learned = _cells_from("forest.", arrays)
    forest = PlausibilityForest(learned, arrays["forest.codes"], generator.seed, generator.threads)
    classes = {int(entry["code"]): _class_rows(entry, arrays) for entry in state["classes"]}
    generator._table = LearnedTable(
        schema, pd.Index(schema.names), state["label_name"], counts, classes, KnownRows(arrays["known"]), forest
    )
    generator.report = OversamplingReport.from_dict(state["report"])
    if state["writer"] is not None:
        cells = {name: _cells_from(f"{name}.", arrays) for name in state["writer"]["cells"]}
        folder = stored.folder / _LANGUAGE_MODEL
        generator._writer = generator._learner.load_writer(folder, state["writer"]["own"], cells)
    if (stored.folder / _TEXTS).is_dir():
        generator._texts = TextWriter.load(stored.folder / _TEXTS)
    return generator


def _class_state(generator: LanguageGenerator, code: int, arrays: _Arrays) -> dict[str, Any]:
    """JSON-able state of one class; its cells are added to `arrays`."""
    rows = generator._table.classes[code]
    arrays |= _cell_arrays(f"{code}.", rows.pool)
    copied = []
    for j, name in enumerate(rows.copied.columns):
        # Whatever its kind, its cells are codes into the values that occur in it.
        column = Column.from_series(rows.copied[name], name, "categorical")
        arrays[f"{code}.{j}.codes"], arrays[f"{code}.{j}.gone"] = column.encode(rows.copied[name])
        copied.append(column_to_dict(column))
    return {
        "code": code,
        "count": generator._table.counts[code],
        "rows": rows.real.n_rows,
        "held_out": rows.held_out,
        "method": rows.method,
        "copied": copied,
    }


def _class_rows(state: dict[str, Any], arrays: _Arrays) -> ClassRows:
    prefix = f"{state['code']}."
    pool = _cells_from(prefix, arrays)
    real = pool.take(np.arange(state["rows"]))
    copied = [
        column_from_dict(part).decode(arrays[f"{prefix}{j}.codes"], arrays[f"{prefix}{j}.gone"])
        for j, part in enumerate(state["copied"])
    ]
    frame = pd.DataFrame({series.name: series for series in copied}, index=range(real.n_rows))
    return ClassRows(real, pool, frame, state["held_out"], state["method"])


def _cell_arrays(prefix: str, cells: EncodedTable) -> _Arrays:
    columns = {f"{prefix}values.{j}": column for j, column in enumerate(cells.values)}
    return {**columns, f"{prefix}missing": cells.missing}


def _cells_from(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> EncodedTable:
    missing = arrays[f"{prefix}missing"]
    return EncodedTable(tuple(arrays[f"{prefix}values.{j}"] for j in range(missing.shape[1])), missing)
