"""Tables as the commands read them: the label checked, what is left out said on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from imbllm_autogluon.configuration import require_choice

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.tables.labeled import LabeledTable


def read_classes(path: Path, label: str) -> LabeledTable:
    """A table to learn classes from."""
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import LabeledTable

    return _told(LabeledTable.of(read_table(path), label, str(path)))


def read_training(path: Path, label: str, task: str) -> tuple[LabeledTable, str]:
    """A table to learn from, by the task or by what its label holds, and a remark on what was chosen."""
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import CHOICES, LabeledTable, Task, choose_task

    require_choice("task", task, CHOICES)
    frame = read_table(path)
    chosen: Task = "regression" if task == "regression" else "classification"
    remark = ""
    if task == "auto":
        chosen, remark = choose_task(frame, label, str(path))
    return _told(LabeledTable.of(frame, label, str(path), task=chosen, any_number=True)), remark


def read_test(path: Path, like: LabeledTable) -> LabeledTable:
    """A table to score, with the label of a training table; rows without label are left out."""
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import LabeledTable

    return _told(LabeledTable.known_rows(read_table(path), like.label, str(path), task=like.task))


def _told(table: LabeledTable) -> LabeledTable:
    """The table, after telling the user how many of its rows are left out."""
    if table.dropped:
        typer.echo(f"imbllm: {table.source}: {table.dropped} rows without {table.label!r} are left out.", err=True)
    return table
