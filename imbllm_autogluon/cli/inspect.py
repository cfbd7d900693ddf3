"""The command ``inspect``: advice on a table before the hours of a fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from imbllm_autogluon.cli.app import _Label, _Missing, _Training, app


@app.command("inspect")
def _inspect(
    train: _Training,
    label: _Label,
    task: Annotated[
        str, typer.Option(metavar="auto|classification|regression", help="What the label holds, as for fit.")
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print values instead of text.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page, too; one there is replaced.")] = None,
    missing: _Missing = None,
) -> None:
    """Say in seconds what a table holds, what gives its label away, what is worth trying, and how long a fit takes."""
    from imbllm_autogluon._storage import require_writable, write_texts
    from imbllm_autogluon.jobs.advice import advise
    from imbllm_autogluon.tables.io import read_table

    if html is not None:
        require_writable(html.parent)
    found = advise(read_table(train, missing or (), label=label, finite=True), label, task=task, source=str(train))
    if html is not None:
        write_texts(html.parent, {html.name: found.to_html()})
    typer.echo(json.dumps(found.facts, indent=1, ensure_ascii=False) if as_json else found.to_text())
