"""Train generators and write rows for a labelled table: the jobs behind ``imbllm train`` and ``imbllm sample``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from imbllm_autogluon._config import require_number
from imbllm_autogluon._storage import kind_of, reading
from imbllm_autogluon.errors import ClassTooSmallError, InvalidInputError, nearest
from imbllm_autogluon.oversampling.methods import generator_of
from imbllm_autogluon.oversampling.storage import KIND, load_generator, save_generator

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    import pandas as pd

    from imbllm_autogluon.oversampling.generator import LanguageGenerator
    from imbllm_autogluon.oversampling.report import OversamplingReport
    from imbllm_autogluon.tables import ColumnName
    from imbllm_autogluon.tables.labeled import LabeledTable

CHECKPOINT = "checkpoint"
"""Folder of unfinished training inside the folder of a generator."""

TABLE_FORM = "table.json"
"""Name of the label and order of the columns, beside a generator."""


def balancing_counts(table: LabeledTable) -> dict[Hashable, int]:
    """Rows that bring every class to the size of the largest.

    Raises
    ------
    InvalidInputError
        All classes have the same size.
    """
    largest = max(table.counts.values())
    counts = {label: largest - n for label, n in table.counts.items() if n < largest}
    if not counts:
        raise InvalidInputError(f"{table.source}: every class has {largest} rows already; there is nothing to balance.")
    return counts


def write_rows(
    table: LabeledTable,
    counts: Mapping[Hashable, int],
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    threads: int | None = None,
) -> tuple[pd.DataFrame, OversamplingReport]:
    """Learn the classes of `counts` and write that many new rows of each.

    Parameters
    ----------
    table
        Rows to learn from.
    counts
        New rows by class (1 or more each).
    settings
        ``method`` and settings of the generator by their flat names, see
        :func:`~imbllm_autogluon.oversampling.methods.generator_of`.
    seed
        Seed of the generator; the same seed on the same machine with the same threads gives the same rows.
    threads
        torch threads; `None`: as the process has it.

    Returns
    -------
    rows, report
        Written rows only, with their label, in the columns, order and dtypes of the table.

    Raises
    ------
    ClassTooSmallError
        A class has a single row.
    InvalidInputError
        A setting or a count is not allowed.

    Examples
    --------
    >>> import pandas as pd
    >>> from imbllm_autogluon.tables.labeled import LabeledTable
    >>> table = LabeledTable.of(pd.DataFrame({"age": range(20), "sick": ["no"] * 14 + ["yes"] * 6}), "sick")
    >>> rows, _ = write_rows(table, {"yes": 3}, {"steps": 1, "warmup_steps": 1})
    >>> rows["sick"].tolist()
    ['yes', 'yes', 'yes']
    """
    generator = train_generator(table, counts, settings, seed=seed, threads=threads)
    rows, labels = generator.sample()
    return in_table_form(rows, labels, table.label, list(table.frame.columns)), generator.report


def train_generator(
    table: LabeledTable,
    counts: Mapping[Hashable, int],
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    threads: int | None = None,
    checkpoint: Path | None = None,
) -> LanguageGenerator:
    """Learn the classes of `counts`.

    Parameters
    ----------
    table, counts, settings, seed, threads
        See :func:`write_rows`.
    checkpoint
        Folder for the progress of training; the same training goes on from there after an interruption.

    Raises
    ------
    ClassTooSmallError
        A class has a single row.
    InvalidInputError
        A setting or a count is not allowed.
    """
    generator = generator_of(settings or {}, random_state=seed, threads=threads)
    for label, n in counts.items():
        require_number(f"the number of rows of {label!r}", n, 1, whole=True)
        if table.counts[label] < 2:
            raise ClassTooSmallError(
                f"{table.source}: class {label!r} of the label {table.label!r} has 1 row; at least 2 are needed to "
                "write more. Collect more rows of it, or ask for another class with --n and --label-value."
            )
    return generator.fit(table.features, table.labels, counts, checkpoint=checkpoint)


def in_table_form(rows: pd.DataFrame, labels: pd.Series, label: str, columns: list[ColumnName]) -> pd.DataFrame:
    """Written rows with their label in the order of the table's columns."""
    return rows.assign(**{label: labels})[columns]


def train_into(
    folder: Path,
    table: LabeledTable,
    counts: Mapping[Hashable, int],
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    threads: int | None = None,
    force: bool = False,
) -> OversamplingReport | None:
    """Train a generator and save it: the job behind ``imbllm train``.

    Interrupted and called again, training goes on where it stopped. Started by ``accelerate launch`` in several
    processes, all of them train one generator and the first one saves it.

    Parameters
    ----------
    folder
        Where to save it.
    table, counts, settings, seed, threads
        See :func:`write_rows`.
    force
        Replace a generator that is there.

    Returns
    -------
    OversamplingReport or None
        What training did; None in all processes but the first.

    Raises
    ------
    InvalidInputError
        The folder holds a generator or other files, or a setting is not allowed.
    """
    from imbllm_autogluon.language.hardware import Processes

    _check_folder(folder, force)
    generator = train_generator(table, counts, settings, seed=seed, threads=threads, checkpoint=folder / CHECKPOINT)
    processes = Processes.of_launch()
    if processes.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        form = {"label": table.label, "columns": list(table.frame.columns)}
        (folder / TABLE_FORM).write_text(json.dumps(form), encoding="utf-8")
        save_generator(generator, folder)
    processes.wait()
    return generator.report if processes.is_first else None


def _check_folder(folder: Path, force: bool) -> None:
    """Refuse a folder with a generator, unless it is to be replaced, and one with anything else."""
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if kind_of(folder) == KIND and not force:
        raise InvalidInputError(f"{folder} holds a trained generator; write rows with it, or train anew with --force.")
    if found and not (kind_of(folder) == KIND or found & {CHECKPOINT, TABLE_FORM}):
        raise InvalidInputError(f"{folder} holds other files ({min(found)}, …); name a new folder.")


def write_from(
    folder: Path, counts: Mapping[str, int] | None, *, seed: int = 0, threads: int | None = None
) -> tuple[pd.DataFrame, OversamplingReport]:
    """Write rows with a generator that :func:`train_into` saved.

    Parameters
    ----------
    folder
        Of the generator.
    counts
        New rows by class, classes as text; None: the counts it was trained for.
    seed, threads
        See :func:`write_rows`.

    Raises
    ------
    StoredStateError
        The folder holds no usable generator.
    InvalidInputError
        A class is unknown to it.
    """
    generator = load_generator(folder)
    generator.threads = threads
    with reading(folder, KIND):
        form = json.loads((folder / TABLE_FORM).read_text(encoding="utf-8"))
    named = None if counts is None else _by_label(generator, counts)
    rows, labels = generator.sample(named, random_state=seed)
    return in_table_form(rows, labels, form["label"], form["columns"]), generator.report


def _by_label(generator: LanguageGenerator, counts: Mapping[str, int]) -> dict[Hashable, int]:
    """Counts by the label itself instead of its text."""
    assert generator.schema.label is not None
    labels = {str(label): label for label in generator.schema.label.categories}
    for name in counts:
        if name not in labels:
            raise InvalidInputError(f"{name!r} is no class of this generator{nearest(name, labels)}: {[*labels]}.")
    return {labels[name]: n for name, n in counts.items()}
