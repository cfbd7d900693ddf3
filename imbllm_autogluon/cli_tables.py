"""Tables as the commands read them: the label checked, what is left out said on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from imbllm_autogluon._config import require_choice

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.tables.labelled import LabelledTable
    from imbllm_autogluon.tables.target import TargetTable

    Table = LabelledTable | TargetTable


def read_classes(path: Path, label: str) -> LabelledTable:
    """A table to learn classes from."""
    from imbllm_autogluon.tables.files import read_table
    from imbllm_autogluon.tables.labelled import LabelledTable

    table = LabelledTable.of(read_table(path), label, str(path))
    _say_dropped(table, path)
    return table


def read_training(path: Path, label: str, task: str) -> tuple[Table, str]:
    """A table to learn from, by the task or by what its label holds, and a remark on what was chosen."""
    from imbllm_autogluon.tables.files import read_table
    from imbllm_autogluon.tables.labelled import LabelledTable
    from imbllm_autogluon.tables.target import TargetTable
    from imbllm_autogluon.tables.tasks import CHOICES, choose_task

    require_choice("task", task, CHOICES)
    frame, remark = read_table(path), ""
    chosen = task
    if task == "auto":
        choice = choose_task(frame, label, str(path))
        chosen, remark = choice.task, choice.remark
    table: Table
    if chosen == "regression":
        table = TargetTable.of(frame, label, str(path))
    else:
        table = LabelledTable.of(frame, label, str(path), any_number=True)
    _say_dropped(table, path)
    return table, remark


def read_test(path: Path, like: Table) -> Table:
    """A table to score, with the label of a training table; rows without label are left out."""
    from imbllm_autogluon.tables.files import read_table
    from imbllm_autogluon.tables.labelled import check_label_column

    frame = read_table(path)
    check_label_column(frame, like.label, str(path))
    table = type(like).known_rows(frame, like.label, str(path))
    _say_dropped(table, path)
    return table


def _say_dropped(table: Table, path: Path) -> None:
    if table.dropped:
        typer.echo(f"imbllm: {path}: {table.dropped} rows without {table.label!r} are left out.", err=True)
