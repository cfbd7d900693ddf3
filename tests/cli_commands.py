"""Commands as tests run them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.testing import CliRunner

from imbllm_autogluon import cli

if TYPE_CHECKING:
    from click.testing import Result


def imbllm(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
