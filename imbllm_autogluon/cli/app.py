"""The command itself: its one-line errors, and the options and steps that several commands share."""

from __future__ import annotations

import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from imbllm_autogluon._config import shows_progress
from imbllm_autogluon._package import __version__
from imbllm_autogluon.errors import ImbLLMError, InvalidInputError

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.tables.labeled import LabeledTable

_QUICK = {"steps": 20, "pretrain_steps": 40}  # training cut to seconds, to try a command: rows are legal, but not good
_AFTER_A_STOP = {
    "fit": " What was made is kept: the same command with --resume goes on with it.",
    "train": " What was learned is kept, up to the last minute: the same command goes on with it.",
}

_Label = Annotated[str, typer.Option(help="Name of the label column.")]
_Threads = Annotated[
    int | None, typer.Option(help="Threads, 1 to 1024; on a busy machine 1 is fastest. Default: all cores.")
]
_Missing = Annotated[
    list[str] | None,
    typer.Option("--missing", metavar="WORD", help="CSV cells that are missing, beside empty ones; repeatable."),
]
_Training = Annotated[Path, typer.Argument(metavar="TRAIN", help="Training table: .csv, .parquet or .pq.")]


class _Terminated(KeyboardInterrupt):
    """SIGTERM, of which a command dies as of Ctrl-C."""


class _OneLineErrors(TyperGroup):
    """Commands whose errors are one line on stderr: exit code 2 for bad input, 1 for anything else."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run a command."""
        try:
            shows_progress()  # refuses a wrong word before anything is read
            return super().invoke(ctx)
        except ImbLLMError as error:
            _fail(str(error), 2, debug=ctx.params["debug"])
        except KeyboardInterrupt as stop:
            remedy = _AFTER_A_STOP.get(str(ctx.invoked_subcommand), "")
            _fail(f"interrupted.{remedy}", 143 if isinstance(stop, _Terminated) else 130, debug=ctx.params["debug"])
        except Exception as error:
            if isinstance(error, BrokenPipeError) or type(error).__module__.partition(".")[0] in ("typer", "click"):
                raise  # readers that go, exits, and errors in the usage of options: typer deals with them itself
            message = f"unexpected {type(error).__name__}: {error} (imbllm --debug ... shows where)"
            _fail(message, 1, debug=ctx.params["debug"])


app = typer.Typer(
    cls=_OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


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
    signal.signal(signal.SIGTERM, _terminate)
    app()


def _terminate(number: int, _: object) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
    raise _Terminated


def _say(remark: str) -> None:
    """A remark on stderr, if there is one."""
    if remark:
        typer.echo(f"imbllm: {remark}", err=True)


def _say_dropped(table: LabeledTable) -> LabeledTable:
    """The table, after saying on stderr how many of its rows are left out."""
    if table.dropped:
        _say(f"{table.source}: {table.dropped} rows without {table.label!r} are left out.")
    return table


def _write_new_table(frame: pd.DataFrame, out: Path) -> None:
    """Write a table and say so on stderr."""
    from imbllm_autogluon.tables.io import write_table

    write_table(frame, out)
    typer.echo(f"{len(frame)} rows written to {out}.", err=True)


def _refuse(why: str, **given: object) -> None:
    """Refuse options that something else has settled."""
    for name, value in given.items():
        if value:
            raise InvalidInputError(f"--{name} {why}")


def _show_version(on: bool) -> None:
    if on:
        typer.echo(f"imbllm {__version__}")
        raise typer.Exit


def _fail(message: str, code: int, *, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc(file=sys.stderr)
    typer.echo(f"imbllm: {' '.join(message.split())}", err=True)
    raise typer.Exit(code)
