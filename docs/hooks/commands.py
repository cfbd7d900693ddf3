"""The page of the command line, from its own help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer.main

from imbllm_autogluon.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def page() -> str:
    """The page as Markdown."""
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="imbllm")
    parts = ["# Command line", str(root.help), _table("option", root.params, context), *_commands(root, context)]
    return "\n\n".join(parts) + "\n"


def _commands(group: Any, context: typer.Context) -> Iterator[str]:
    """Sections of the commands of a group, groups of commands unfolded."""
    for name, command in group.commands.items():
        inner = type(context)(command, info_name=name, parent=context)
        if hasattr(command, "commands"):
            yield from _commands(command, inner)
        else:
            yield _command(command, inner)


def _command(command: Any, context: typer.Context) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"## {context.command_path}", str(command.help), f"```console\n$ {usage}\n```"]
    tables = [_table(kind, command.params, context) for kind in ("argument", "option")]
    return "\n\n".join([*parts, *filter(None, tables)])


def _table(kind: str, parameters: list[Any], context: typer.Context) -> str:
    records = [one.get_help_record(context) for one in parameters if one.param_type_name == kind]
    rows = [f"| `{name}` | {text} |" for name, text in (_escaped(record) for record in records if record is not None)]
    return "\n".join([f"| {kind} | meaning |", "| --- | --- |", *rows]) if rows else ""


def _escaped(record: tuple[str, str]) -> tuple[str, str]:
    """Name and help of an option as the cells of a table."""
    name, text = (" ".join(part.split()).replace("|", "\\|") for part in record)
    return name, text.replace("<", "&lt;")
