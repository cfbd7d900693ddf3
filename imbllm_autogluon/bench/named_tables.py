"""Tables that a benchmark is pointed at.

``FILE:LABEL``, ``FILE:LABEL>=VALUE`` for a number cut in two classes, or ``registry:NAME``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from imbllm_autogluon.bench.registry_tables import PREFIX, registry_table
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables.files import read_table
from imbllm_autogluon.tables.labelled import LabelledTable

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED = re.compile(r"(?P<file>.+):(?P<label>[^:]+?)(>=(?P<cut>-?[0-9.]+))?")


def read_named(text: str) -> tuple[str, LabelledTable]:
    """Name and rows of a table.

    Parameters
    ----------
    text
        ``FILE:LABEL`` or ``FILE:LABEL>=VALUE``, CSV or Parquet; or ``registry:NAME``, see
        :data:`imbllm_autogluon.bench.registry_tables.NATURAL` and ``SEVERAL`` beside it.

    Raises
    ------
    InvalidInputError
        No label is named, the label to be cut is no number, or the registry has no such table.
    MissingDependencyError
        The package of the registry's tables is absent.
    TableError
        The file cannot be used.
    """
    if text.startswith(PREFIX):
        return text.removeprefix(PREFIX), registry_table(text)
    named = _NAMED.fullmatch(text)
    if named is None:
        raise InvalidInputError(
            f"a table is named FILE:LABEL, such as patients.csv:diagnosis, or {PREFIX}NAME; got {text!r}."
        )
    file, label, cut = named["file"], named["label"], named["cut"]
    frame = read_table(file)
    if cut is not None:
        if label not in frame.columns or not pd.api.types.is_numeric_dtype(frame[label]):
            raise InvalidInputError(f"{file} has no numeric column {label!r} to be cut at {cut}.")
        frame[label] = np.where(frame[label] >= float(cut), f"at least {cut}", f"below {cut}")
    return Path(file).stem, LabelledTable.of(frame, label, file)


def packaged_and_named(named: Sequence[str], most_rows: int) -> list[tuple[str, LabelledTable]]:
    """The packaged thyroid table, then the named ones, each cut to `most_rows` rows with its class shares.

    Raises
    ------
    InvalidInputError
        A table is not named as it should be, or two tables have one name.
    TableError
        A file cannot be used.
    """
    from imbllm_autogluon.datasets import load_hypothyroid

    X, y = load_hypothyroid()
    packaged = LabelledTable.of(X.assign(**{str(y.name): y}), str(y.name), "hypothyroid")
    tables = [("hypothyroid", packaged), *(read_named(text) for text in named)]
    require_distinct_names([name for name, _ in tables])
    return [(name, _smaller(table, most_rows)) for name, table in tables]


def require_distinct_names(names: Sequence[str]) -> None:
    """Refuse tables under one name: their figures would be taken for one another's.

    Raises
    ------
    InvalidInputError
        Two tables have one name.
    """
    if len(set(names)) < len(names):
        raise InvalidInputError(f"tables must have distinct names; got {', '.join(names)}: rename a file.")


def cells_digest(table: LabelledTable) -> int:
    """Of all cells: other rows under the same name are another measurement."""
    return int(pd.util.hash_pandas_object(table.frame.astype(str), index=False).sum())


def _smaller(table: LabelledTable, most_rows: int) -> LabelledTable:
    """A seeded sample with the class shares of the table, where it has more rows."""
    from sklearn.model_selection import train_test_split

    if len(table.frame) <= most_rows:
        return table
    kept, _ = train_test_split(table.frame, train_size=most_rows, stratify=table.labels, random_state=0)
    return LabelledTable.of(kept.reset_index(drop=True), table.label, table.source)
