"""What LatentDiff and twins add to AutoGluon's ensemble on rare and common targets (protocol R).

One predictor on each split; methods are weighted ensembles over subsets of its models.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmarks import ensembles, regression
from benchmarks.ensembles import AGAIN, FIT_SECONDS, PLAIN, TWICE, WEIGHT
from benchmarks.protocol import Claim, Metric, Options, Protocol, Task
from benchmarks.regression import RegressionSplit, errors_by_shot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autogluon.tabular import TabularPredictor

    from benchmarks.protocol import Spec
    from benchmarks.tables import Table

LATENT, ALONE = "plain + LatentDiff", "LatentDiff alone"
SMOGN, IMBLLM, ALL_THREE = "plain + SMOGN twins", "plain + ImbLLM twins", "plain + all three"

OF_LATENT_DIFF = "LatentDiff"
"""End of the name of its model."""

TWINS: Mapping[str, str] = {"Smogn": "smogn", "ImbLLM": "imbllm"}
"""How the twins of each sort rebalance."""

SORTS = (AGAIN, OF_LATENT_DIFF, *TWINS)

METHODS: Mapping[str, Spec] = {
    PLAIN: {"adds": []},
    TWICE: {"adds": [AGAIN]},
    LATENT: {"adds": [OF_LATENT_DIFF]},
    SMOGN: {"adds": ["Smogn"]},
    IMBLLM: {"adds": ["ImbLLM"]},
    ALL_THREE: {"adds": [OF_LATENT_DIFF, *TWINS]},
    ALONE: {"adds": [OF_LATENT_DIFF], "alone": True},
}
"""Sorts of models that each method has beside the plain ones."""


def methods_of(options: Options) -> dict[str, Spec]:
    """The methods; those with twins with the settings that were asked for."""
    own = {"settings": dict(options.settings)} if options.settings else {}
    return {name: {**spec, **own} if set(spec["adds"]) & set(TWINS) else spec for name, spec in METHODS.items()}


def describe(table: Table, options: Options) -> str:
    """Bins of the first split."""
    ensembles.check_plan(options)
    return regression.describe(table, options)


def together(methods: Mapping[str, Spec]) -> list[Mapping[str, Spec]]:
    """All methods are one fit."""
    return [methods]


def measure(task: Task) -> list[dict[str, Any]]:
    """Fit all models on one split, and judge every method on unseen rows."""
    from imbllm_autogluon.jobs.base_job import quiet_libraries

    split = RegressionSplit.of(task.table, task.split, task.options["bins"])
    with tempfile.TemporaryDirectory() as folder, quiet_libraries():
        predictor = _fit(task, split, Path(folder) / "fit")
        names = {method: _answering(predictor, spec, task.threads) for method, spec in task.methods.items()}
        predicted = predictor.predict_multi(split.unseen_X, models=list(names.values()))
        return ensembles.rows_of(
            {
                method: {**errors_by_shot(predicted[name].to_numpy(), split), **_costs(predictor, method, name)}
                for method, name in names.items()
            }
        )


def _fit(task: Task, split: RegressionSplit, path: Path) -> TabularPredictor:
    """Fit all models of all methods, without an ensemble."""
    from autogluon.tabular import TabularPredictor

    label = str(split.y.name)
    predictor = TabularPredictor(
        label, problem_type="regression", eval_metric="mean_absolute_error", path=str(path), verbosity=0
    )
    rows, models = pd.concat([split.X, split.y], axis=1), portfolio(task.methods, len(split.bins), task.options)
    ensembles.fit_models(predictor, rows, models, task.options["folds"], task.threads)
    return predictor


def portfolio(methods: Mapping[str, Spec], n_bins: int, options: Options) -> ensembles.Portfolio:
    """Plain models, and what the methods add: the same again, LatentDiff, and twins, with the bins of the split."""
    from imbllm_autogluon.plugin.latent_diff_model import KEY
    from imbllm_autogluon.plugin.twins import KEY_SUFFIX

    families = options["family"]
    added = {sort for spec in methods.values() for sort in spec["adds"]}
    twins = [
        ensembles.twin_settings(sort, {**options.settings, "method": method, "n_bins": n_bins})
        for sort, method in TWINS.items()
        if sort in added
    ]
    models = ensembles.plain_twice(families) if AGAIN in added else {family: [{}] for family in families}
    if twins:
        models |= {f"{family}{KEY_SUFFIX}": list(twins) for family in families}
    return {**models, **({KEY: [{"n_bins": n_bins}]} if OF_LATENT_DIFF in added else {})}


def _answering(predictor: TabularPredictor, spec: Spec, threads: int) -> str:
    """Name of the model that answers for a method: its weighted ensemble, fitted now, or LatentDiff's own bag."""
    if spec.get("alone"):
        return ensembles.models_of(predictor, spec["adds"], SORTS)[0]
    models = ensembles.models_of(predictor, (PLAIN, *spec["adds"]), SORTS)
    return ensembles.weighted_ensemble(predictor, models, "".join(spec["adds"]) or "Plain", threads)


def _costs(predictor: TabularPredictor, method: str, name: str) -> dict[str, float]:
    """Seconds of fitting what is added (else the plain models), and percent of the ensemble that this is."""
    models = ensembles.models_of(predictor, METHODS[method]["adds"] or (PLAIN,), SORTS)
    figures = {FIT_SECONDS: ensembles.fit_seconds(predictor, models)}
    if method in (PLAIN, ALONE):
        return figures
    return {**figures, WEIGHT: ensembles.percent_of_ensemble(predictor, name, models)}


PROTOCOL = Protocol(
    name="regression_autogluon",
    about=f"""What LatentDiff and twins add to AutoGluon where targets are rare. One predictor on each split fits all \
models in bagging folds (metric: mean absolute error): the families as they are (`{PLAIN}`), the same once more with \
another seed, LatentDiff, and twins whose folds get rows by SMOGN or by ImbLLM. Each method is a weighted ensemble over \
some of these models, weighted by out-of-fold rows; plain models are the same in all methods, so that a difference is \
due to what was added. A quarter of the rows is unseen. {regression.ABOUT_ERRORS} `{TWICE}` is a control: what more \
models of the same sort do; a family that draws nothing, such as LightGBM by default, answers the same under every \
seed. `{ALONE}` is its bag without an ensemble.""",
    methods=methods_of,
    always=(PLAIN,),
    together=together,
    measure=measure,
    metrics=(
        *regression.SHOT_METRICS,
        Metric(WEIGHT, "percent of the ensemble that what was added makes up", ""),
        Metric(FIT_SECONDS, "seconds of fitting what was added, and of the plain models", ""),
    ),
    tables=("diabetes",),
    rows=4000,
    options={**ensembles.OPTIONS, **regression.BINS},
    number=True,
    describe=describe,
    references=(PLAIN,),
    page=regression.PAGE[:-1],
    claims=tuple(Claim(method, "few MAE", PLAIN, worst=0.0, most=True) for method in (LATENT, TWICE, SMOGN, IMBLLM)),
)
