"""The command `imbllm report`: whether written rows look real, vary, are new and are useful."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    import pandas as pd

REPORT_FOLDER = Path("imbllm-quality")


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
        Path | None, typer.Option(help=f"Folder for page, Markdown and JSON. Default: DIR, or {REPORT_FOLDER}.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the rows drawn from large tables, and of the judges.")] = 0,
) -> None:
    """Judge written rows, of a fit or of two files: measures with their ranges, and a page with pictures."""
    _check_folder(out)
    if folder is not None:
        _refuse_beside_folder(real=real, synthetic=synthetic, holdout=holdout, label=label, seed=seed)
        _report_fit(folder, out)
    elif real is None or synthetic is None:
        raise InvalidInputError(
            "say what to report: the folder of a fit, or --real FILE with real rows and --synthetic FILE with written "
            "ones."
        )
    else:
        _report_files(real, synthetic, holdout, label, out or REPORT_FOLDER, seed)


def _report_fit(folder: Path, out: Path | None) -> None:
    from imbllm_autogluon.jobs.report_again import report_of

    typer.echo(f"Report: {report_of(folder, out)}")


def _report_files(real: Path, synthetic: Path, holdout: Path | None, label: str | None, out: Path, seed: int) -> None:
    from imbllm_autogluon.quality.reports import report as quality_report

    made = quality_report(
        _read(real, label),
        _read(synthetic, label),
        label=label,
        holdout=None if holdout is None else _read(holdout, label),
        seed=seed,
        title=f"{synthetic.name} beside {real.name}",
    )
    page, facts = made.write(out), made.to_dict()
    for measure in facts["measures"]:
        value = "-" if measure["value"] is None else f"{measure['value']:.3f}"
        typer.echo(f"{measure['name']:<36}{value:>10}  {measure['verdict']}")
    typer.echo(f"{facts['headline']}\nReport: {page}")


def _read(path: Path, label: str | None) -> pd.DataFrame:
    """A table; the label is checked at once, so that the error names the file."""
    from imbllm_autogluon.tables.files import read_table
    from imbllm_autogluon.tables.labeled import check_label_column

    frame = read_table(path)
    if label is not None:
        check_label_column(frame, label, str(path))
    return frame


def _refuse_beside_folder(**given: object) -> None:
    """Refuse options that the folder of a fit answers itself."""
    for name, value in given.items():
        if value:
            raise InvalidInputError(f"--{name} belongs to two files; the folder of a fit holds its own rows.")


def _check_folder(out: Path | None) -> None:
    if out is not None and out.exists() and not out.is_dir():
        raise InvalidInputError(f"{out} is a file; name a folder for the report with --out.")
