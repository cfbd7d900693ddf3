"""``python -m benchmarks NAME``: one command for each protocol, made from it."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks import report
from benchmarks.protocol import Option, Options, Protocol, run
from imbllm_autogluon._config import parse_settings
from imbllm_autogluon.cli.app import _OneLineErrors

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = (
    *("paper", "ablation", "autogluon", "prior", "synthesis", "quality", "learning", "decisions", "verdicts", "texts"),
    *("regression", "regression_autogluon", "regression_features"),
    *("advice", "stage", "overhead", "scale", "speed", "clauses", "attention"),
)

COMMON = {
    "table": Option(list[str], (), "Name of a table, see benchmarks/tables.py; instead of the usual ones; repeatable."),
    "rows": Option(int | None, None, "Most rows of a table."),
    "repeats": Option(int | None, None, "Splits of each table."),
    "seed": Option(int, 0, "Number of the first split; the others follow."),
    "threads": Option(int | None, None, "Threads of every model."),
    "method": Option(list[str], (), "Only this method, or a pattern such as '*'; repeatable. Default: all quick ones."),
    "setting": Option(list[str], (), "KEY=VALUE of ImbLLM, wherever it is compared; repeatable."),
    "processes": Option(int, 1, "Processes that share the work."),
    "fresh": Option(bool, False, "Measure again what this command asks for; other stored runs stay."),
    "results": Option(str, "", "Name of the files that are written. Default: the command's."),
    "folder": Option(Path, report.RESULTS, "Where they are written."),
}
"""Options of every protocol."""


def protocols() -> dict[str, Protocol]:
    """Every protocol by its name."""
    return {name: import_module(f"benchmarks.{name}").PROTOCOL for name in NAMES}


def protocol_of(result: str) -> Protocol:
    """The protocol of a result file, whose name begins with that of the protocol: ``paper_natural``."""
    matching = [protocol for name, protocol in protocols().items() if f"{result}_".startswith(f"{name}_")]
    if not matching:
        raise typer.BadParameter(f"there is no protocol of {result!r}; they are: {', '.join(NAMES)}.")
    return max(matching, key=lambda protocol: len(protocol.name))


def command_of(protocol: Protocol) -> Callable[..., None]:
    """A function whose signature has the common options and those of the protocol, as typer reads them."""

    def command(**given: Any) -> None:
        own = {name: given[name] for name in protocol.options}
        numbers = {name: given[name] for name in ("rows", "repeats", "seed", "threads")}
        tables, methods, settings = tuple(given["table"]), tuple(given["method"]), parse_settings(given["setting"])
        asked = Options(**numbers, tables=tables, methods=methods, settings=settings, own=own)
        result = run(protocol, asked, processes=given["processes"], fresh=given["fresh"])
        typer.echo(report.write_result(result, protocol, given["results"] or protocol.name, given["folder"]))

    parameters = [
        inspect.Parameter(
            *(name, inspect.Parameter.KEYWORD_ONLY),
            annotation=Annotated[option.kind, typer.Option(help=option.help)],
            default=option.default,
        )
        for name, option in {**protocol.options, **COMMON}.items()
    ]
    command.__doc__ = (protocol.about or "").partition("\n")[0]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def write_pages(name: Annotated[list[str] | None, typer.Argument(help="Of results; default: all.")] = None) -> None:
    """Write the pages of stored results again; nothing is measured."""
    for result in name or sorted(path.stem for path in report.RESULTS.glob("*.csv")):
        typer.echo(report.write_page(protocol_of(result), result))


def app() -> typer.Typer:
    """All commands."""
    made = typer.Typer(cls=_OneLineErrors, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
    made.callback()(_benchmarks)
    made.command("report")(write_pages)
    for name, protocol in protocols().items():
        made.command(name.replace("_", "-"))(command_of(protocol))
    return made


def _benchmarks(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False) -> None:
    """Measure speed, memory and quality on this machine; minutes to hours."""


if __name__ == "__main__":
    app()()
