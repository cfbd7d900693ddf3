"""The commands `imbllm bench`: speed, memory and quality, measured on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

bench = typer.Typer(no_args_is_help=True, help="Measure speed, memory and quality; minutes to hours.")

Backbone = Annotated[str, typer.Option(help="A pretrained causal model: smollm2, a Hub id or a folder.")]
Tables = Annotated[
    list[str] | None, typer.Option("--table", metavar="FILE:LABEL", help="Own table instead of the packaged ones.")
]
Trained = Annotated[str, typer.Option(help="compact, or a pretrained causal model: smollm2, a Hub id or a folder.")]
Beside = Annotated[
    list[str] | None,
    typer.Option("--table", metavar="FILE:LABEL", help="Beside the packaged one; FILE:LABEL>=VALUE cuts a number."),
]
MostRows = Annotated[int, typer.Option(help="Most rows of a table.")]
Steps = Annotated[int | None, typer.Option(help="Training steps. Default: the method's.")]
BesideDiabetes = Annotated[
    list[str] | None, typer.Option("--table", metavar="FILE:TARGET", help="Beside scikit-learn's diabetes; repeatable.")
]
MostBins = Annotated[int, typer.Option(help="Most bins of a target; small tables have fewer.")]
Splits = Annotated[int, typer.Option(help="Splits of each table.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Measure anew what an earlier run has stored.")]
Setting = Annotated[
    list[str] | None, typer.Option("--setting", metavar="KEY=VALUE", help="Of ImbLLM; repeatable. Default: its own.")
]
Family = Annotated[
    list[str] | None, typer.Option(metavar="KEY", help="AutoGluon model key; repeatable. Default: GBM, CAT, RF.")
]
Folds = Annotated[int, typer.Option(help="Bagging folds.")]


@bench.command()
def stage(rows: int = 3000, columns: int = 15, minority: int = 80, threads: int = 2) -> None:
    """Time, memory and validity of rebalancing one fold."""
    from imbllm_autogluon.bench.stage import run

    typer.echo(run(rows=rows, columns=columns, minority=minority, threads=threads))


@bench.command()
def speed(
    backbone: Backbone = "smollm2",
    against: Annotated[str, typer.Option(help="The peer; be_great is the only one.")] = "be_great",
    table: Tables = None,
    rows: Annotated[int, typer.Option(help="Most rows of the rare class that are learned.")] = 100,
    epochs: int = 1,
    generate: Annotated[int, typer.Option(help="Rows to write.")] = 100,
    budget: Annotated[float, typer.Option(help="Seconds after which the peer begins no further batch.")] = 240.0,
    repeats: int = 3,
    threads: int = 2,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: the GPU where there is one.")] = "auto",
    great_python: Annotated[
        Path | None, typer.Option(metavar="PYTHON", help="Interpreter with be_great. Default: an environment is made.")
    ] = None,
    fresh: Fresh = False,
) -> None:
    """Rows per second, seconds per epoch, validity and memory against be_great on the same model."""
    from imbllm_autogluon.bench.speed.run import run

    page = run(
        backbone=backbone,
        against=against,
        tables=table or (),
        rows=rows,
        epochs=epochs,
        generate=generate,
        budget=budget,
        repeats=repeats,
        threads=threads,
        device=device,
        great_python=great_python,
        fresh=fresh,
    )
    typer.echo(page)


@bench.command()
def clauses(
    backbone: Backbone = "smollm2",
    table: Tables = None,
    steps: int = 200,
    batch_size: int = 8,
    rows: Annotated[int, typer.Option(help="Most rows of the rare class; half of them is never seen.")] = 200,
    generate: Annotated[int, typer.Option(help="Rows to write.")] = 200,
    repeats: Annotated[int, typer.Option(help="Splits of each table.")] = 1,
    threads: int = 2,
    fresh: Fresh = False,
) -> None:
    """Sentences as text against a token for each clause and category: speed and quality."""
    from imbllm_autogluon.bench.clauses import run

    page = run(
        backbone=backbone,
        tables=table or (),
        steps=steps,
        batch_size=batch_size,
        rows=rows,
        generate=generate,
        repeats=repeats,
        threads=threads,
        fresh=fresh,
    )
    typer.echo(page)


@bench.command()
def attention(rows: int = 151, threads: int = 1) -> None:
    """Share of feature tokens that attend to the label under each order, as numbers and as a picture."""
    from imbllm_autogluon.bench.attention import run

    typer.echo(run(rows=rows, threads=threads))


@bench.command()
def overhead(
    family: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="AutoGluon model key; repeatable. Default: five families.")
    ] = None,
    folds: int = 4,
    repeats: Annotated[int, typer.Option(help="Fits of each arm on each table.")] = 1,
    threads: int = 1,
    fresh: Fresh = False,
) -> None:
    """Seconds of a whole fit with twins over seconds of the fit without them."""
    from imbllm_autogluon.bench.overhead import FAMILIES, run

    typer.echo(run(families=family or FAMILIES, folds=folds, repeats=repeats, threads=threads, fresh=fresh))


@bench.command()
def prior(
    backbone: Trained = "compact",
    table: Beside = None,
    rows: MostRows = 5000,
    steps: Steps = None,
    repeats: Splits = 3,
    threads: int = 1,
    fresh: Fresh = False,
) -> None:
    """Whether a decoder copies the class shares of its training set, and what helps against it."""
    from imbllm_autogluon.bench.prior.run import run

    page = run(
        backbone=backbone,
        tables=table or (),
        rows=rows,
        steps=steps,
        repeats=repeats,
        threads=threads,
        fresh=fresh,
    )
    typer.echo(page)


@bench.command()
def synthesis(
    backbone: Trained = "compact",
    table: Beside = None,
    rows: MostRows = 3000,
    steps: Steps = None,
    repeats: Splits = 2,
    threads: int = 1,
    fresh: Fresh = False,
) -> None:
    """Whole tables written by Pred-LLM and by GReaT, judged on real rows that neither has seen."""
    from imbllm_autogluon.bench.synthesis.run import run

    page = run(
        backbone=backbone,
        tables=table or (),
        rows=rows,
        steps=steps,
        repeats=repeats,
        threads=threads,
        fresh=fresh,
    )
    typer.echo(page)


@bench.command()
def quality(
    table: Beside = None,
    rows: MostRows = 3000,
    repeats: Splits = 3,
    threads: int = 1,
    seed: Annotated[int, typer.Option(help="Of the first split; the others follow.")] = 0,
    slow_arms: Annotated[bool, typer.Option("--slow-arms", help="GReaT and Pred-LLM too.")] = False,
    fresh: Fresh = False,
) -> None:
    """All measures of rows of rare classes written by default settings, beside the usual peers."""
    from imbllm_autogluon.bench.quality.run import run

    page = run(
        tables=table or (),
        rows=rows,
        repeats=repeats,
        threads=threads,
        seed=seed,
        slow_arms=slow_arms,
        fresh=fresh,
    )
    typer.echo(page)


@bench.command()
def paper(
    table: Beside = None,
    rows: MostRows = 5000,
    repeats: Splits = 5,
    threads: int = 1,
    setting: Setting = None,
    arm: Annotated[
        list[str] | None,
        typer.Option("--arm", help="Only this arm beside the quick ones; 'CTGAN' and 'ImbLLM, SmolLM2' are slow."),
    ] = None,
    kept: Annotated[float, typer.Option(help="Share of the rarest class's rows that is learned; 1: all.")] = 0.2,
    results: Annotated[str, typer.Option(help="Name of the result files.")] = "paper",
    quick: Annotated[
        bool,
        typer.Option("--quick", help="At most 2 splits and 1000 rows, without GReaT, Pred-LLM and SMOTE on codes."),
    ] = False,
    fresh: Fresh = False,
) -> None:
    """The paper's comparison: a classifier that learns the rows of each method; several processes share the work."""
    from imbllm_autogluon.bench.paper.run import run
    from imbllm_autogluon.cli_settings import parse_settings

    page = run(
        tables=table or (),
        rows=rows,
        repeats=repeats,
        threads=threads,
        settings=parse_settings(setting or ()),
        arms=arm or (),
        kept=kept,
        name=results,
        quick=quick,
        fresh=fresh,
    )
    typer.echo(page)


@bench.command()
def ablation(
    table: Beside = None,
    rows: MostRows = 5000,
    repeats: Splits = 5,
    threads: int = 1,
    axis: Annotated[
        list[str] | None,
        typer.Option(help="What is changed, such as temperature or order; repeatable. Default: everything."),
    ] = None,
    setting: Setting = None,
    slow_arms: Annotated[bool, typer.Option("--slow-arms", help="The backbone smollm2 too.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="One split and at most 1000 rows.")] = False,
    fresh: Fresh = False,
) -> None:
    """ImbLLM with one thing changed at a time, beside what is expected; several processes share the work."""
    from imbllm_autogluon.bench.ablation.run import run
    from imbllm_autogluon.cli_settings import parse_settings

    page = run(
        tables=table or (),
        rows=rows,
        repeats=repeats,
        threads=threads,
        axes=axis or (),
        settings=parse_settings(setting or ()),
        slow_arms=slow_arms,
        quick=quick,
        fresh=fresh,
    )
    typer.echo(page)


@bench.command()
def autogluon(
    table: Beside = None,
    rows: MostRows = 3000,
    repeats: Splits = 3,
    folds: Folds = 4,
    threads: int = 1,
    family: Family = None,
    tuned: Annotated[bool, typer.Option("--tuned", help="Twins tuned by Optuna, too; hours.")] = False,
    fresh: Fresh = False,
) -> None:
    """What twins add to AutoGluon's ensemble where a class is rare; several processes share the work."""
    from imbllm_autogluon.bench.autogluon.run import run
    from imbllm_autogluon.bench.one_fit import FAMILIES

    page = run(
        tables=table or (),
        rows=rows,
        repeats=repeats,
        folds=folds,
        threads=threads,
        families=family or FAMILIES,
        tuned=tuned,
        fresh=fresh,
    )
    typer.echo(page)


@bench.command()
def regression(
    table: BesideDiabetes = None,
    rows: MostRows = 4000,
    bins: MostBins = 50,
    repeats: Splits = 3,
    threads: int = 1,
    slow_arms: Annotated[bool, typer.Option("--slow-arms", help="Rows written by ImbLLM too.")] = False,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="LatentDiff with one setting changed at a time too.")
    ] = False,
    fresh: Fresh = False,
) -> None:
    """Errors on rare and common targets: LatentDiff beside its peers on the same encoder."""
    from imbllm_autogluon.bench.regression.run import run

    page = run(
        tables=table or (),
        rows=rows,
        bins=bins,
        repeats=repeats,
        threads=threads,
        slow_arms=slow_arms,
        ablations=ablations,
        fresh=fresh,
    )
    typer.echo(page)


@bench.command("regression-autogluon")
def regression_autogluon(
    table: BesideDiabetes = None,
    rows: MostRows = 4000,
    bins: MostBins = 50,
    repeats: Splits = 3,
    folds: Folds = 4,
    threads: int = 1,
    family: Family = None,
    fresh: Fresh = False,
) -> None:
    """What LatentDiff and twins add to AutoGluon's ensemble on rare and common targets."""
    from imbllm_autogluon.bench.one_fit import FAMILIES
    from imbllm_autogluon.bench.regression_autogluon.run import run

    page = run(
        tables=table or (),
        rows=rows,
        bins=bins,
        repeats=repeats,
        folds=folds,
        threads=threads,
        families=family or FAMILIES,
        fresh=fresh,
    )
    typer.echo(page)


@bench.command()
def readme(
    file: Annotated[Path, typer.Option(help="The page with the blocks.")] = Path("README.md"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where the page differs.")] = False,
) -> None:
    """Write the measured figures of README.md from the result files."""
    from imbllm_autogluon.bench.readme.document import run

    typer.echo(run(file, check=check))
