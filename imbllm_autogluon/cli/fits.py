"""Commands that fit, report and predict: ``report``, ``demo``, ``fit`` and ``predict``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from imbllm_autogluon._config import parse_settings, require_choice
from imbllm_autogluon._storage import require_writable
from imbllm_autogluon.cli.app import (
    _QUICK,
    _Label,
    _Missing,
    _refuse,
    _say,
    _say_dropped,
    _Threads,
    _Training,
    _write_new_table,
    app,
)
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.jobs.fit import FitJob
    from imbllm_autogluon.tables.labeled import LabeledTable, Task

_QUICK_FAMILIES = ("RF", "LR")
# What settings of LatentDiff and of the language-model classifier begin with; the others are of the twins.
_LATENT_DIFF, _CLASSIFIER = "latent_diff.", "classifier."
_REPORT_FOLDER = Path("imbllm-quality")
_DEMO_FOLDER = Path("imbllm-demo")

_Cost = Annotated[
    str | None,
    typer.Option(
        metavar="miss=N,alarm=N|FILE",
        help="Decide for the least cost; FILE for several classes: the true one (first column) by decided ones.",
    ),
]
_MinPrecision = Annotated[float | None, typer.Option(help="Decide for a precision of at least this: above 0, up to 1.")]
_MinRecall = Annotated[float | None, typer.Option(help="Decide for a recall of at least this: above 0, up to 1.")]
_Alarms = Annotated[float | None, typer.Option(help="Decide for at most so many alarms per 1,000 rows: above 0.")]
_Id = Annotated[
    str | None,
    typer.Option("--id", metavar="COLUMN", help="Column of ids: not learned from, nor written; predictions have it."),
]


@app.command("report")
def _report(
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
    seed: Annotated[int, typer.Option(help="0 or more; of the rows drawn from large tables, and of the judges.")] = 0,
    missing: _Missing = None,
) -> None:
    """Judge written rows, of a fit or of two files: measures with their ranges, and a page with pictures."""
    require_writable(out or folder or _REPORT_FOLDER)
    if folder is not None:
        two = {"real": real, "synthetic": synthetic, "holdout": holdout, "label": label, "seed": seed}
        _refuse("belongs to two files; the folder of a fit holds its own rows.", **two, missing=missing)
        from imbllm_autogluon.jobs.report import report_again

        typer.echo(f"Report: {report_again(folder, out)}")
    elif real is None or synthetic is None:
        raise InvalidInputError(
            "say what to report: the folder of a fit, or --real FILE with real rows and --synthetic FILE with written "
            "ones."
        )
    else:
        _report_files(real, synthetic, holdout, label, out or _REPORT_FOLDER, seed, missing or ())


@app.command("demo")
def _demo(
    out: Annotated[Path, typer.Option(help="Folder of the page; an earlier one there is replaced.")] = _DEMO_FOLDER,
    table: Annotated[
        list[str] | None, typer.Option(metavar="hypothyroid|yeast", help="Packaged table; repeatable. Default: both.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two folds, few steps: only to see it run.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of each model, 1 to 1024; on a busy machine 1 is fastest.")] = 1,
) -> None:
    """Judge plain models beside twins by duplicated rows, SMOTE-NC and ImbLLM on two packaged tables."""
    from imbllm_autogluon.jobs.demo import Demo, DemoResult

    require_writable(out)
    demo = Demo(_QUICK_FAMILIES, 2, _QUICK, threads) if quick else Demo(threads=threads)
    names, results = table or list(Demo.tables), []
    for name in names:
        require_choice("table", name, tuple(Demo.tables))
    for name in names:
        typer.echo(f"Fitting {name}, one half of its rows after the other; this takes a minute or two.", err=True)
        results.append(demo.run(name))
        typer.echo(f"{results[-1].to_text()}\n")
    typer.echo(f"Report: {DemoResult.write_page(results, out)}")


@app.command("fit")
def _fit(
    train: _Training,
    label: _Label,
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
    time_limit: Annotated[float | None, typer.Option(help="Seconds, above 0. Default: no limit.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Default: average_precision (two classes), balanced_accuracy (more) or mean_absolute_error (numbers); "
            "AutoGluon's, also as auc, ap, f1, bacc, logloss, qwk, rmse, ...; "
            "few_mae, medium_mae and many_mae are errors of targets by how rare they are; of "
            "classes also geometric_mean, brier_score and, of two, recall_at_precision=0.8, precision_at_k=50 and such."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of predictor and report. Default: TRAIN-imbllm.")] = None,
    id_column: _Id = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Not learned from, nor written; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="0 or more; the same seed, the same folds, models and rows.")] = 0,
    folds: Annotated[int | None, typer.Option(help="Bagging folds, 2 to 20; 0: none. Default: 4.")] = None,
    bag_sets: Annotated[
        int | None, typer.Option(help="Repeats of bagging with other folds, 1 to 20. Default: 1.")
    ] = None,
    positive_class: Annotated[
        str | None, typer.Option(help="Of two classes (default: the rarer one), or of what to decide for.")
    ] = None,
    cost: _Cost = None,
    min_precision: _MinPrecision = None,
    min_recall: _MinRecall = None,
    alarms: _Alarms = None,
    test: Annotated[Path | None, typer.Option(help="Table kept out of the fit, for an honest comparison.")] = None,
    noisy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="More rows of the columns of TRAIN, some of whose labels are wrong: --family IMBLLM_CLF, the "
            "language-model classifier, learns them before those of TRAIN; nothing is validated on them.",
        ),
    ] = None,
    family: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="AutoGluon model key such as GBM; repeatable.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--setting",
            metavar="KEY=VALUE",
            help="Of the generator, twins=all, top or a number of each family, of LatentDiff with a key such as "
            "latent_diff.guidance, of the family IMBLLM_CLF with one such as classifier.tuning; repeatable.",
        ),
    ] = None,
    threads: _Threads = None,
    duplicates: Annotated[
        bool | None,
        typer.Option(
            help="Fit the best twin once more with duplicated rows, to compare with. Default: one that takes a "
            "twentieth of the time of the fit, or a few seconds."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what an earlier fit left in the folder.")] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an interrupted fit, or fit a finished one anew with a larger --time-limit or more "
            "--bag-sets: generators and trials are used again.",
        ),
    ] = False,
    verbosity: Annotated[int, typer.Option(min=0, max=4, help="AutoGluon's.")] = 2,
    missing: _Missing = None,
) -> None:
    """Fit AutoGluon on a table; the best models also compete as twins fitted on rebalanced folds.

    A label of numbers is fitted as regression: rare targets take the place of rare classes, and LatentDiff joins in.
    """
    from imbllm_autogluon.jobs.fit import FitJob

    left_out = [*([id_column] if id_column else []), *(ignore or ())]
    table, remark = _read_training(train, label, task, missing or (), left_out)
    settings = parse_settings(setting or [])
    # For classes there is no LatentDiff: its settings are unknown ones of the twins.
    latent_diff = [key for key in settings if key.startswith(_LATENT_DIFF) and table.task == "regression"]
    classifier = [key for key in settings if key.startswith(_CLASSIFIER)]
    job = FitJob(
        table,
        out or Path(f"{train.stem}-imbllm"),
        None if test is None else _read_more(test, table, missing or ()),
        noisy=None if noisy is None else _read_more(noisy, table, missing or ()),
        presets=tuple(preset or ()),
        metric=metric,
        time_limit=time_limit,
        folds=folds,
        families=tuple(family or ()),
        latent_diff={key.removeprefix(_LATENT_DIFF): settings.pop(key) for key in latent_diff},
        classifier={key.removeprefix(_CLASSIFIER): settings.pop(key) for key in classifier},
        settings=settings,
        positive_class=positive_class,
        wish=_wish(cost, precision=min_precision, recall=min_recall, budget=alarms),
        force=force,
        resume=resume,
        threads=threads,
        duplicates=duplicates,
        verbosity=verbosity,
        seed=seed,
        bag_sets=bag_sets,
        id_column=id_column,
        ignored=tuple(ignore or ()),
    )
    _say(remark)
    if metric is not None and metric != job.task.eval_metric:
        _say(f"the metric {metric!r} is taken for {job.task.eval_metric}.")
    _say_ids(table)
    finished = resume and job.is_reported and not job.goes_further
    if finished and job.wish:
        from imbllm_autogluon.jobs.report import report_again

        typer.echo(f"Nothing is fitted, and decided anew. Report: {report_again(job.out, wish=job.decision_arguments)}")
    elif finished:
        more = "a larger --time-limit or more --bag-sets fit it anew"
        _say(f"this fit is finished in {job.out}; nothing is left to do ({more}).")
    else:
        if resume and job.is_reported:
            _say(f"the fit in {job.out} is made anew; its generators and trials are used again.")
        _run(job)


@app.command("predict")
def _predict(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a fit; load only what you trust.")],
    test: Annotated[Path, typer.Argument(metavar="TEST", help="Rows to predict: .csv, .parquet or .pq.")],
    out: Annotated[Path | None, typer.Option(help="File: .csv, .parquet or .pq. Default: CSV to stdout.")] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Probabilities of all classes.")] = False,
    sample: Annotated[
        Path | None,
        typer.Option(
            "--submission",
            metavar="SAMPLE",
            help="A competition's sample submission: its ids, columns and order of rows are kept, and its cells say "
            "whether classes or probabilities are asked for.",
        ),
    ] = None,
    classes: Annotated[
        bool, typer.Option("--classes", help="With --submission: classes, whatever its cells say.")
    ] = False,
    id_column: _Id = None,
    cost: _Cost = None,
    min_precision: _MinPrecision = None,
    min_recall: _MinRecall = None,
    alarms: _Alarms = None,
    positive_class: Annotated[str | None, typer.Option(help="Of several classes, what to decide for.")] = None,
    missing: _Missing = None,
) -> None:
    """Predict the rows of a table, in their order, by the decision of the fit or by another one that is not kept."""
    from imbllm_autogluon.jobs.predict import load_predictor, predict_table, read_rows, with_ids
    from imbllm_autogluon.jobs.submission import submission
    from imbllm_autogluon.tables.io import check_target, read_table, to_csv

    for source in [test] if sample is None else [test, sample]:
        if out is not None:
            check_target(out, source)
    wish = _wish(cost, precision=min_precision, recall=min_recall, budget=alarms)
    if positive_class is not None and not wish:
        raise InvalidInputError("--positive-class is for --min-precision, --min-recall or --alarms: give one of them.")
    if classes and (sample is None or proba):
        raise InvalidInputError("--classes is for --submission, in the place of --proba; without either, leave it out.")
    if wish and proba:
        raise InvalidInputError("--proba asks for probabilities, and a wish decides between answers: give one of them.")
    predictor = load_predictor(folder)
    table = read_rows(predictor, test, missing or ())
    wish = wish and {**wish, "positive_class": positive_class}
    if sample is None:
        predicted = predict_table(predictor, table, proba=proba, source=str(test), wish=wish)
        predicted = with_ids(predictor, table, predicted, id_column, source=str(test))
    else:
        asked: Any = {"answers": "proba" if proba else "classes" if classes else "auto", "id_column": id_column}
        form, sources = read_table(sample, missing or ()), (str(test), str(sample))
        predicted, content = submission(predictor, table, form, wish=wish, sources=sources, **asked)
        _say(content)
    if out is None:
        typer.echo(to_csv(predicted), nl=False)
    else:
        _write_new_table(predicted, out)


def _wish(cost: str | None, **given: float | None) -> dict[str, Any]:
    """What a decision is asked for, as :func:`imbllm_autogluon.plugin.decisions.decide` calls it."""
    wish: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if cost is not None:
        from imbllm_autogluon.tables.io import read_table

        table = None if "=" in cost else read_table(Path(cost))
        by_label = None if table is None else table.set_index(table.columns[0])
        wish["cost_matrix"] = parse_settings(cost.split(",")) if by_label is None else by_label
    return wish


def _say_ids(table: LabeledTable) -> None:
    """Warn of columns that look like ids and are learned from."""
    from imbllm_autogluon.jobs.suspects import identifiers

    found = [one["column"] for one in identifiers(table.features) if one["finding"] == "identifier"]
    if found:
        _say(
            f"{table.source}: {', '.join(map(repr, found))} may be ids, and are learned from and written like other "
            f"columns. If they only say which row it is: --id {found[0]} (or --ignore {found[0]})."
        )


def _run(job: FitJob) -> None:
    """Fit, report, and print what came of it."""
    from imbllm_autogluon.jobs.report import report_fit

    report = report_fit(job.run())
    typer.echo(report.to_text(report.write(job.out)))


def _read_training(
    path: Path, label: str, task: str, missing: Iterable[str], left_out: Iterable[str]
) -> tuple[LabeledTable, str]:
    """A table to learn from, by the task or by what its label holds, and a remark on what was chosen."""
    from imbllm_autogluon.tables.dtypes import as_numpy
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import LabeledTable, Task, choose_task, without_columns

    require_choice("task", task, ("auto", *get_args(Task)))
    frame, remark = as_numpy(read_table(path, missing, label=label, finite=True)), ""
    frame = without_columns(frame, left_out, label, str(path))
    chosen: Task = "regression" if task == "regression" else "classification"
    if task == "auto":
        chosen, remark = choose_task(frame, label, str(path))
    return _say_dropped(LabeledTable.from_frame(frame, label, str(path), task=chosen, any_number=True)), remark


def _read_more(path: Path, like: LabeledTable, missing: Iterable[str]) -> LabeledTable:
    """More rows with the label of a training table; those without label are left out."""
    from imbllm_autogluon.tables.dtypes import as_numpy
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import LabeledTable

    frame = as_numpy(read_table(path, missing, dict(like.frame.dtypes), finite=True))
    return _say_dropped(LabeledTable.known_rows(frame, like.label, str(path), task=like.task))


def _read_rows(path: Path, label: str | None, missing: Iterable[str], like: dict[Any, Any]) -> pd.DataFrame:
    """A table; the label is checked at once, so that the error names the file."""
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import check_label_column

    frame = read_table(path, missing, like, label, finite=True)
    if label is not None:
        check_label_column(frame, label, str(path))
    return frame


def _report_files(
    real: Path, synthetic: Path, holdout: Path | None, label: str | None, out: Path, seed: int, missing: Iterable[str]
) -> None:
    from imbllm_autogluon.quality.reports import report

    first = _read_rows(real, label, missing, {})
    form = dict(first.dtypes)
    made = report(
        first,
        _read_rows(synthetic, label, missing, form),
        label=label,
        holdout=None if holdout is None else _read_rows(holdout, label, missing, form),
        seed=seed,
        title=f"{synthetic.name} next to {real.name}",
    )
    page, facts = made.write(out), made.to_dict()
    for measure in facts["measures"]:
        value = "-" if measure["value"] is None else f"{measure['value']:.3f}"
        typer.echo(f"{measure['name']:<36}{value:>10}  {measure['verdict']}")
    typer.echo(f"{facts['headline']}\nReport: {page}")
