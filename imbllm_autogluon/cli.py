"""The command line: a thin face over the rooms of this package."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from imbllm_autogluon._package import __version__
from imbllm_autogluon.cli_fit import demo, fit, predict
from imbllm_autogluon.cli_rows import cache, models, report, sample, train
from imbllm_autogluon.errors import ImbLLMError

_BAD_INPUT, _UNEXPECTED = 2, 1  # exit codes


class OneLineErrors(TyperGroup):
    """Commands whose errors are one line on stderr: exit code 2 for bad input, 1 for anything else."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run a command."""
        try:
            return super().invoke(ctx)
        except ImbLLMError as error:
            _fail(str(error), _BAD_INPUT, debug=ctx.params["debug"])
        except Exception as error:
            if type(error).__module__.partition(".")[0] in ("typer", "click"):
                raise  # exits, and errors in the usage of options, which typer prints itself
            message = f"unexpected {type(error).__name__}: {error} (imbllm --debug ... shows where)"
            _fail(message, _UNEXPECTED, debug=ctx.params["debug"])


app = typer.Typer(
    cls=OneLineErrors, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)
app.add_typer(cache, name="cache")
app.add_typer(models, name="models")
for _command in (report, demo, fit, predict, train, sample):
    app.command()(_command)


@app.callback()
def _imbllm(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=lambda on: _show_version(on), help="Show the version.")
    ] = False,
) -> None:
    """Rebalance rare classes with rows written by a language model, inside AutoGluon."""


def main() -> None:
    """Entry point of the console script ``imbllm``."""
    app()


def _show_version(on: bool) -> None:
    if on:
        typer.echo(f"imbllm {__version__}")
        raise typer.Exit


def _fail(message: str, code: int, *, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc(file=sys.stderr)
    typer.echo(f"imbllm: {' '.join(message.split())}", err=True)
    raise typer.Exit(code)


if __name__ == "__main__":
    main()
