"""The commands `imbllm demo`, `fit` and `predict`: what AutoGluon is needed for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imbllm_autogluon._config import require_choice
from imbllm_autogluon.cli_rows import QUICK, Label, Threads, parse_settings, say_dropped, write_new_table

if TYPE_CHECKING:
    from imbllm_autogluon.jobs.fit import FitJob
    from imbllm_autogluon.tables.labeled import LabeledTable, Task

_DEMO_FAMILIES, _QUICK_FAMILIES = ("GBM", "CAT", "XGB", "RF", "LR"), ("GBM", "LR")
_DEMO_SEED = 0
_DEMO_FOLDER = Path("imbllm-demo")
_DEMO_THREADS = 1
"""Measured on two cores with another process at work: 171 s with one thread, 502 s with two, because waiting threads of
OpenMP spin (XGBoost: 6 s and 199 s)."""

_LATENT_DIFF = "latent_diff."  # what settings of LatentDiff begin with; the others are of the twins


def demo(
    out: Annotated[
        Path, typer.Option(help="Folder of predictor and report; an earlier demo there is replaced.")
    ] = _DEMO_FOLDER,
    quick: Annotated[bool, typer.Option("--quick", help="Two families, two folds, few steps: to see it run.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of each model.")] = _DEMO_THREADS,
) -> None:
    """Fit the packaged thyroid table with and without twins, and say which was better."""
    from sklearn.model_selection import train_test_split

    from imbllm_autogluon.datasets import load_hypothyroid
    from imbllm_autogluon.jobs.fit import FitJob, left_by_a_fit
    from imbllm_autogluon.tables.labeled import LabeledTable

    X, y = load_hypothyroid()
    label = str(y.name)
    table = X.assign(**{label: y})
    train, test = train_test_split(table, test_size=0.3, stratify=y, random_state=_DEMO_SEED)
    source = "the UCI hypothyroid table"
    job = FitJob(
        LabeledTable.from_frame(train, label, source),
        out,
        LabeledTable.known_rows(test, label, source),
        folds=2 if quick else 4,
        families=_QUICK_FAMILIES if quick else _DEMO_FAMILIES,
        settings=QUICK if quick else {},
        force=left_by_a_fit(out),
        threads=threads,
        verbosity=1,
    )
    typer.echo(f"Fitting {len(job.families)} families and their twins on {source}; this takes minutes.", err=True)
    _run(job)


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
    force: Annotated[bool, typer.Option("--force", help="Replace what an earlier fit left in the folder.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted fit: its generators and trials are used again.")
    ] = False,
    verbosity: Annotated[int, typer.Option(min=0, max=4, help="AutoGluon's.")] = 2,
) -> None:
    """Fit AutoGluon on a table; every model also competes as a twin fitted on rebalanced folds.

    A label of numbers is fitted as regression: rare targets take the place of rare classes, and LatentDiff joins in.
    """
    from imbllm_autogluon.jobs.fit import FitJob

    table, remark = _read_training(train, label, task)
    settings = parse_settings(setting or [])
    # For classes there is no LatentDiff: its settings are unknown ones of the twins.
    latent_diff = [key for key in settings if key.startswith(_LATENT_DIFF) and table.task == "regression"]
    job = FitJob(
        table,
        out or Path(f"{train.stem}-imbllm"),
        None if test is None else _read_test(test, table),
        presets=tuple(preset or ()),
        metric=metric,
        time_limit=time_limit,
        folds=folds,
        families=tuple(family or ()),
        latent_diff={key.removeprefix(_LATENT_DIFF): settings.pop(key) for key in latent_diff},
        settings=settings,
        positive_class=positive_class,
        force=force,
        resume=resume,
        threads=threads,
        verbosity=verbosity,
    )
    if remark:
        typer.echo(f"imbllm: {remark}", err=True)
    _run(job)


def predict(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a fit; load only what you trust.")],
    test: Annotated[Path, typer.Argument(metavar="TEST", help="Rows to predict: .csv, .parquet or .pq.")],
    out: Annotated[Path | None, typer.Option(help="File: .csv, .parquet or .pq. Default: CSV to stdout.")] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Probabilities of all classes.")] = False,
) -> None:
    """Predict the rows of a table, in their order."""
    from imbllm_autogluon.jobs.predict import load_predictor, predict_table
    from imbllm_autogluon.tables.io import check_target, read_table, to_csv

    if out is not None:
        check_target(out)
    table = read_table(test)
    predicted = predict_table(load_predictor(folder), table, proba=proba, source=str(test))
    if out is None:
        typer.echo(to_csv(predicted), nl=False)
    else:
        write_new_table(predicted, out)


def _run(job: FitJob) -> None:
    """Fit, report, and print what came of it."""
    from imbllm_autogluon.jobs.report import report_fit

    report = report_fit(job.run())
    typer.echo(report.to_text(report.write(job.out)))


def _read_training(path: Path, label: str, task: str) -> tuple[LabeledTable, str]:
    """A table to learn from, by the task or by what its label holds, and a remark on what was chosen."""
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import CHOICES, LabeledTable, choose_task

    require_choice("task", task, CHOICES)
    frame, remark = read_table(path), ""
    chosen: Task = "regression" if task == "regression" else "classification"
    if task == "auto":
        chosen, remark = choose_task(frame, label, str(path))
    return say_dropped(LabeledTable.from_frame(frame, label, str(path), task=chosen, any_number=True)), remark


def _read_test(path: Path, like: LabeledTable) -> LabeledTable:
    """A table to score, with the label of a training table; rows without label are left out."""
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import LabeledTable

    return say_dropped(LabeledTable.known_rows(read_table(path), like.label, str(path), task=like.task))
