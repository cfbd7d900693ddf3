"""The command line: a thin face over the rooms of this package."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from imbllm_autogluon.cli_cache import cache
from imbllm_autogluon.cli_models import models
from imbllm_autogluon.cli_report import report
from imbllm_autogluon.cli_tables import read_classes, read_test, read_training
from imbllm_autogluon.errors import ImbLLMError, InvalidInputError
from imbllm_autogluon.version import __version__

BAD_INPUT, UNEXPECTED = 2, 1
"""Exit codes."""

QUICK = {"steps": 20, "warmup_steps": 40}
"""Training cut to seconds, to try a command out: the rows are legal, but not good."""

DEMO_FAMILIES, QUICK_FAMILIES = ("GBM", "CAT", "XGB", "RF", "LR"), ("GBM", "LR")
DEMO_SEED = 0
DEMO_FOLDER = Path("imbllm-demo")
DEMO_THREADS = 1
"""Measured on two cores with another process at work: 171 s with one thread, 502 s with two, because waiting threads of
OpenMP spin (XGBoost: 6 s and 199 s)."""

LATENT_DIFF = "latent_diff."
"""What settings of LatentDiff begin with; the others are of the twins."""

Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what an earlier fit left in the folder.")]
Label = Annotated[str, typer.Option(help="Name of the label column.")]
Setting = Annotated[
    list[str] | None, typer.Option("--setting", metavar="KEY=VALUE", help="Of the generator; repeatable.")
]
NewRows = Annotated[int | None, typer.Option("--n", help="Rows to write, of the class --label-value.")]
LabelValue = Annotated[str | None, typer.Option(help="Class to write rows of.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same rows.")]
Quick = Annotated[bool, typer.Option("--quick", help="A few training steps: only to see it run.")]
Threads = Annotated[int | None, typer.Option(help="Threads; on a busy machine 1 is fastest. Default: all cores.")]


class OneLineErrors(TyperGroup):
    """Commands whose errors are one line on stderr: exit code 2 for bad input, 1 for anything else."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run a command."""
        try:
            return super().invoke(ctx)
        except ImbLLMError as error:
            _fail(str(error), BAD_INPUT, debug=ctx.params["debug"])
        except Exception as error:
            if type(error).__module__.partition(".")[0] in ("typer", "click"):
                raise  # exits, and errors in the usage of options, which typer prints itself
            message = f"unexpected {type(error).__name__}: {error} (imbllm --debug ... shows where)"
            _fail(message, UNEXPECTED, debug=ctx.params["debug"])


app = typer.Typer(
    cls=OneLineErrors, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)
app.add_typer(cache, name="cache")
app.add_typer(models, name="models")
app.command()(report)


@app.callback()
def imbllm(
    debug: Debug = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=lambda on: _show_version(on), help="Show the version.")
    ] = False,
) -> None:
    """Rebalance rare classes with rows written by a language model, inside AutoGluon."""


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(help="Folder of predictor and report; an earlier demo there is replaced.")
    ] = DEMO_FOLDER,
    quick: Annotated[bool, typer.Option("--quick", help="Two families, two folds, few steps: to see it run.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of each model.")] = DEMO_THREADS,
) -> None:
    """Fit the packaged thyroid table with and without twins, and say which was better."""
    from sklearn.model_selection import train_test_split

    from imbllm_autogluon.datasets import load_hypothyroid
    from imbllm_autogluon.jobs.folders import left_by_a_fit
    from imbllm_autogluon.jobs.job import FitJob
    from imbllm_autogluon.tables.labeled import LabeledTable

    X, y = load_hypothyroid()
    label = str(y.name)
    table = X.assign(**{label: y})
    train, test = train_test_split(table, test_size=0.3, stratify=y, random_state=DEMO_SEED)
    source = "the UCI hypothyroid table"
    job = FitJob(
        LabeledTable.of(train, label, source),
        out,
        LabeledTable.known_rows(test, label, source),
        folds=2 if quick else 4,
        families=QUICK_FAMILIES if quick else DEMO_FAMILIES,
        settings=QUICK if quick else {},
        force=left_by_a_fit(out),
        threads=threads,
        verbosity=1,
    )
    typer.echo(f"Fitting {len(job.families)} families and their twins on {source}; this takes minutes.", err=True)
    _finish(job)


@app.command()
def fit(
    train: Annotated[Path, typer.Argument(metavar="TRAIN", help="Training table: .csv, .parquet or .pq.")],
    label: Label,
    task: Annotated[
        str,
        typer.Option(
            metavar="auto|classification|regression",
            help="What the label holds; auto: numbers with fractions, or many different ones, are regression.",
        ),
    ] = "auto",
    preset: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="AutoGluon preset; repeatable. Default: imbllm with 4 bagging folds."),
    ] = None,
    time_limit: Annotated[float | None, typer.Option(help="Seconds.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Default: average_precision (two classes), balanced_accuracy (more) or mean_absolute_error (numbers); "
            "few_mae, medium_mae and many_mae are errors of targets by how rare they are."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of predictor and report. Default: TRAIN-imbllm.")] = None,
    folds: Annotated[int | None, typer.Option(help="Bagging folds; 0: none.")] = None,
    positive_class: Annotated[str | None, typer.Option(help="Of two classes. Default: the rarer one.")] = None,
    test: Annotated[Path | None, typer.Option(help="Table kept out of the fit, for an honest comparison.")] = None,
    family: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="AutoGluon model key such as GBM; repeatable.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--setting",
            metavar="KEY=VALUE",
            help="Of the generator, or with a key such as latent_diff.guidance, of LatentDiff; repeatable.",
        ),
    ] = None,
    threads: Threads = None,
    force: Force = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted fit: its generators and trials are used again.")
    ] = False,
    verbosity: Annotated[int, typer.Option(min=0, max=4, help="AutoGluon's.")] = 2,
) -> None:
    """Fit AutoGluon on a table; every model also competes as a twin fitted on rebalanced folds.

    A label of numbers is fitted as regression: rare targets take the place of rare classes, and LatentDiff joins in.
    """
    table, remark = read_training(train, label, task)
    job = _job(
        table,
        out or Path(f"{train.stem}-imbllm"),
        None if test is None else read_test(test, table),
        positive_class,
        presets=tuple(preset or ()),
        metric=metric,
        time_limit=time_limit,
        folds=folds,
        families=tuple(family or ()),
        settings=_settings(setting),
        force=force,
        resume=resume,
        threads=threads,
        verbosity=verbosity,
    )
    if remark:
        typer.echo(f"imbllm: {remark}", err=True)
    _finish(job)


@app.command()
def predict(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a fit; load only what you trust.")],
    test: Annotated[Path, typer.Argument(metavar="TEST", help="Rows to predict: .csv, .parquet or .pq.")],
    out: Annotated[Path | None, typer.Option(help="File: .csv, .parquet or .pq. Default: CSV to stdout.")] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Probabilities of all classes.")] = False,
) -> None:
    """Predict the rows of a table, in their order."""
    from imbllm_autogluon.jobs.prediction import load_predictor, predict_table
    from imbllm_autogluon.tables.io import read_table, to_csv

    _check_target(out)
    table = read_table(test)
    predicted = predict_table(load_predictor(folder), table, proba=proba, source=str(test))
    if out is None:
        typer.echo(to_csv(predicted), nl=False)
    else:
        _write(predicted, out)


@app.command()
def train(
    table: Annotated[Path, typer.Argument(metavar="TRAIN", help="Training table: .csv, .parquet or .pq.")],
    label: Label,
    out: Annotated[Path, typer.Option(help="Folder for the generator; interrupted training goes on from there.")],
    n: NewRows = None,
    label_value: LabelValue = None,
    seed: Seed = 0,
    quick: Quick = False,
    setting: Setting = None,
    threads: Threads = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a generator that is there.")] = False,
) -> None:
    """Train a generator and keep it; `imbllm sample` then writes rows with it.

    Several GPUs: accelerate launch -m imbllm_autogluon.cli train ...; several CPU processes: torchrun
    --nproc_per_node 2 -m imbllm_autogluon.cli train ...
    """
    from imbllm_autogluon.oversampling.writing import train_into

    source = read_classes(table, label)
    counts = _wanted(source, n, label_value)
    settings = {**(QUICK if quick else {}), **_settings(setting)}
    report = train_into(out, source, counts, settings, seed=seed, threads=threads, force=force)
    if report is not None:
        typer.echo(f"{out}: {report.describe()}", err=True)


@app.command()
def sample(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Training table (.csv, .parquet, .pq) or a generator's folder.")
    ],
    out: Annotated[Path, typer.Option(help="File for the written rows: .csv, .parquet or .pq.")],
    label: Annotated[str | None, typer.Option(help="Name of the label column; a generator knows its own.")] = None,
    n: NewRows = None,
    label_value: LabelValue = None,
    balance: Annotated[bool, typer.Option("--balance", help="Bring every class to the size of the largest.")] = False,
    seed: Seed = 0,
    quick: Quick = False,
    setting: Setting = None,
    threads: Threads = None,
) -> None:
    """Write synthetic rows of the rare classes to a file."""
    from imbllm_autogluon.oversampling.writing import write_from, write_rows

    if balance == (n is not None) or (n is None) != (label_value is None):
        raise InvalidInputError("say what to write: either --balance, or --n together with --label-value.")
    _check_target(out)
    if source.is_dir():
        _refuse_with_generator(label=label, setting=setting, quick=quick)
        named = None if n is None else {str(label_value): n}
        rows, report = write_from(source, named, seed=seed, threads=threads)
    elif label is None:
        raise InvalidInputError(f"{source} is a table: name its label column with --label.")
    else:
        table = read_classes(source, label)
        settings = {**(QUICK if quick else {}), **_settings(setting)}
        rows, report = write_rows(table, _wanted(table, n, label_value), settings, seed=seed, threads=threads)
    _write(rows, out)
    typer.echo(report.describe(), err=True)


def main() -> None:
    """Entry point of the console script ``imbllm``."""
    app()


def _job(table: Any, out: Path, test: Any, positive_class: str | None, **options: Any) -> Any:
    """The job that suits a table."""
    from imbllm_autogluon.cli_settings import split_settings
    from imbllm_autogluon.jobs.job import FitJob
    from imbllm_autogluon.jobs.target_job import TargetJob

    if table.task == "classification":
        return FitJob(table, out, test, positive_class=positive_class, **options)
    if positive_class is not None:
        raise InvalidInputError(f"--positive-class is for two classes; the label {table.label!r} is a number.")
    latent_diff, settings = split_settings(options.pop("settings"), LATENT_DIFF)
    return TargetJob(table, out, test, latent_diff=latent_diff, settings=settings, **options)


def _finish(job: Any) -> None:
    from imbllm_autogluon.jobs.fit_report import write_report
    from imbllm_autogluon.jobs.summary import summary

    outcome = job.run()
    typer.echo(summary(outcome, write_report(outcome)))


def _wanted(table: Any, n: int | None, label_value: str | None) -> dict[Any, int]:
    """New rows by class: those asked for, or as many as balance the table."""
    from imbllm_autogluon.oversampling.writing import balancing_counts

    if (n is None) != (label_value is None):
        raise InvalidInputError("--n and --label-value belong together; without both, every class is balanced.")
    return balancing_counts(table) if n is None else {table.class_named(str(label_value)): n}


def _refuse_with_generator(**given: Any) -> None:
    """Refuse options that a trained generator cannot follow any more."""
    for name, value in given.items():
        if value:
            raise InvalidInputError(f"--{name} belongs to training; a generator's folder was trained already.")


def _settings(pairs: list[str] | None) -> dict[str, Any]:
    from imbllm_autogluon.cli_settings import parse_settings

    return parse_settings(pairs or [])


def _check_target(out: Path | None) -> None:
    """Refuse a file that could not be written before minutes are spent on its content."""
    from imbllm_autogluon.tables.io import check_target

    if out is not None:
        check_target(out)


def _write(frame: Any, out: Path) -> None:
    from imbllm_autogluon.tables.io import write_table

    write_table(frame, out)
    typer.echo(f"{len(frame)} rows written to {out}.", err=True)


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
