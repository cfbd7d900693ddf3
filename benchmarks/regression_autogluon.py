"""What LatentDiff and twins add to AutoGluon's ensemble on rare and common targets (protocol R).

What LatentDiff and twins add to AutoGluon where targets are rare. One predictor on each split fits all models in
bagging folds (metric: mean absolute error): the families as they are (`plain`), the same once more with another seed,
LatentDiff, and twins whose folds get rows by SMOGN or by ImbLLM. Each method is a weighted ensemble over some of these
models, weighted by out-of-fold rows; plain models are the same in all methods, so that a difference is due to what was
added. A quarter of the rows is unseen. Unseen rows are all, and those whose bin of the target has more than 100 (many),
20 to 100 (medium) and fewer than 20 (few) learned rows. MAE is the mean absolute error, MSE the mean squared error, GM
the geometric mean of the absolute errors; lower is better, and differences are in percent. `plain twice` is a control:
what more models of the same sort do; a family that draws nothing, such as LightGBM by default, answers the same under
every seed. `LatentDiff alone` is its bag without an ensemble.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import ensembles, regression
from benchmarks.ensembles import AGAIN, FIT_SECONDS, PLAIN, TWICE, WEIGHT, Fit, twin
from benchmarks.protocol import Claim, Metric, Options, Protocol, Spec, Task
from benchmarks.regression import RegressionSplit, errors_by_shot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autogluon.tabular import TabularPredictor


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
"""Sorts of models that each method has next to the plain ones."""


def together(methods: Mapping[str, Spec]) -> list[Mapping[str, Spec]]:
    """All methods are one fit."""
    return [methods]


def measure(task: Task) -> list[dict[str, Any]]:
    """Fit all models on one split, and judge every method on unseen rows."""
    from autogluon.tabular import TabularPredictor

    split = RegressionSplit.of(task.table, task.split, task.options["bins"])
    label, metric = str(split.real.y.name), "mean_absolute_error"

    def make(path: str) -> TabularPredictor:
        return TabularPredictor(label, problem_type="regression", eval_metric=metric, path=path, verbosity=0)

    def judge(fit: Fit, names: dict[str, str]) -> dict[str, dict[str, float]]:
        predicted = fit.predictor.predict_multi(split.test.X, models=list(names.values()))
        return {method: errors_by_shot(predicted[name].to_numpy(), split) for method, name in names.items()}

    models = portfolio(task.methods, len(split.bins), task.options)
    return ensembles.measure_fit(task, make, split.real.frame, models, SORTS, judge)


def portfolio(methods: Mapping[str, Spec], n_bins: int, options: Options) -> ensembles.Portfolio:
    """Plain models, and what the methods add: the same again, LatentDiff, and twins, with the bins of the split."""
    from imbllm_autogluon.plugin.models import LatentDiffModel
    from imbllm_autogluon.plugin.twins import TWIN_SUFFIX

    families, own = options["family"], {**options.settings, "n_bins": n_bins}
    added = {sort for spec in methods.values() for sort in spec["adds"]}
    twins = [twin(sort, {**own, "method": method}) for sort, method in TWINS.items() if sort in added]
    models = ensembles.plain_models(families, added)
    models |= {f"{family}{TWIN_SUFFIX}": list(twins) for family in families} if twins else {}
    return {**models, **({LatentDiffModel.ag_key: [{"n_bins": n_bins}]} if OF_LATENT_DIFF in added else {})}


PROTOCOL = Protocol(
    name="regression_autogluon",
    about=__doc__,
    methods=partial(ensembles.with_settings, METHODS, tuple(TWINS)),
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
    describe=regression.describe,
    references=(PLAIN,),
    page=tuple(part for part in regression.PAGE if part not in (regression.over_splits, regression.generated_features)),
    claims=(
        Claim(LATENT, "few MAE", PLAIN, mean=3.0, worst=0.0, most=True),
        Claim(LATENT, "all MAE", PLAIN, mean=0.0),
        Claim(LATENT, "few MAE", TWICE, mean=0.0),
        *(Claim(method, "few MAE", PLAIN, worst=0.0, most=True) for method in (TWICE, SMOGN, IMBLLM)),
    ),
)
