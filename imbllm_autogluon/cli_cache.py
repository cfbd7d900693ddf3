"""The commands `imbllm cache`: what generators, rows and studies a predictor keeps, and how to be rid of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

cache = typer.Typer(no_args_is_help=True, help="Generators, written rows and studies in the folder of a predictor.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a predictor, or of a cache of its own.")]


@cache.command()
def info(folder: Folder) -> None:
    """Show how many there are and what they take."""
    from imbllm_autogluon.rebalancing.cache import inspect_cache

    root, parts = inspect_cache(folder)
    for part in parts:
        typer.echo(f"{part.name:<12}{part.entries:>6}  {part.bytes / 1e6:>9.1f} MB")
    typer.echo(f"{root}: {sum(part.bytes for part in parts) / 1e6:.1f} MB")


@cache.command()
def clear(folder: Folder) -> None:
    """Delete generators and written rows. The predictor predicts as before; studies stay."""
    from imbllm_autogluon.rebalancing.cache import clear_cache

    typer.echo(f"{clear_cache(folder) / 1e6:.1f} MB deleted.")
