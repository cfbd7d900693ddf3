"""One bagged AutoGluon fit of many sorts of models, and weighted ensembles over some of them.

Every model of a sort is called after it: the name of its family, then the sort. The plain models have no such end, and
are the same in all ensembles, so that a difference is due to what was added.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.protocol import Option, Options, Spec, Task
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd
    from autogluon.tabular import TabularPredictor


PLAIN, TWICE = "plain", "plain twice"

AGAIN = "Again"
"""Sort of the plain models' second copy, which has another seed: AutoGluon's own is 0."""

BAGGED = {
    "num_stack_levels": 0,
    "dynamic_stacking": False,
    "num_gpus": 0,
    "ag_args_ensemble": {"fold_fitting_strategy": "sequential_local"},
}
"""Arguments of every fit."""

FORESTS = ("RandomForest", "ExtraTrees")
"""How names of models of randomized trees begin."""

FIT_SECONDS, WEIGHT = "fit s", "weight"

Portfolio = dict[str, list[dict[str, Any]]]
"""Settings of the models of a fit, by their AutoGluon keys."""

OPTIONS = {
    "family": Option(list[str], ("GBM", "CAT", "RF"), "AutoGluon model key with a twin; repeatable."),
    "folds": Option(int, 4, "Bagging folds."),
}
"""Options of both protocols."""


def with_settings(methods: Mapping[str, Spec], twins: Iterable[str], options: Options) -> dict[str, Spec]:
    """The methods; those that add twins have the settings that were asked for."""
    own = {"settings": dict(options.settings)} if options.settings else {}
    return {name: {**spec, **own} if set(spec["adds"]) & set(twins) else spec for name, spec in methods.items()}


def plain_models(families: Iterable[str], added: set[str]) -> Portfolio:
    """Every family as it is, and once more with another seed where that is added."""
    again = {"ag_args": {"name_suffix": AGAIN}, "ag_args_ensemble": {"model_random_seed": 1}}
    return {family: [patience(family), *([patience(family) | again] if AGAIN in added else [])] for family in families}


def patience(family: str) -> dict[str, Any]:
    """Settings of boosted trees that end training 50 rounds behind the best one; AutoGluon waits up to 300."""
    return {"ag.early_stop": 50} if family in ("GBM", "XGB", "CAT") else {}


def twin(sort: str, parameters: Mapping[str, Any], ag_args: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Settings of one twin: its sort, parameters of its rebalancing, and AutoGluon's own next to the name."""
    from imbllm_autogluon.plugin.parameters import AUX_PREFIX

    own = {f"ag.{AUX_PREFIX}{name}": value for name, value in parameters.items()}
    return {**own, "ag_args": {"name_suffix": sort, **(ag_args or {})}}


class Fit:
    """All models of a fit, and the ensembles over them."""

    def __init__(self, predictor: TabularPredictor, sorts: Sequence[str], threads: int) -> None:
        self.predictor, self.sorts, self.threads = predictor, sorts, threads

    def models_of(self, *wanted: str) -> list[str]:
        """Names of the models of the wanted sorts; ensembles are none."""
        names: list[str] = self.predictor._trainer.get_model_names(stack_name="core")
        return [name for name in names if sort_of(name, self.sorts) in wanted]

    def added_by(self, spec: Spec) -> list[str]:
        """Names of the models that a method adds; where it has a sort for forests, forests of that sort alone."""
        own = spec.get("forests")
        is_forest = {name: name.startswith(FORESTS) for name in self.models_of(*spec["adds"])}
        return [
            name for name, forest in is_forest.items() if own is None or forest == (sort_of(name, self.sorts) == own)
        ]

    def answering(self, spec: Spec) -> str:
        """Name of the model that answers for a method: a weighted ensemble, fitted now, or the only model's bag."""
        added = self.added_by(spec)
        models = self.models_of(PLAIN) + added
        if spec.get("alone"):
            return added[0]
        suffix = "".join([*spec["adds"], "Forests" * ("forests" in spec)]) or "Plain"
        if spec.get("ensemble") == "ours":
            return self._our_ensemble(models, f"Our{suffix}")
        fitted = self.predictor.fit_weighted_ensemble(base_models=models, name_suffix=suffix, num_cpus=self.threads)
        return str(fitted[-1])

    def _our_ensemble(self, models: list[str], suffix: str) -> str:
        from imbllm_autogluon.plugin.ensemble import fit_ensemble

        fitted = fit_ensemble(self.predictor, models, suffix, self.threads)
        if fitted is None:
            raise InvalidInputError(f"the ensemble over {', '.join(models)} could not be fitted.")
        return fitted

    def costs(self, spec: Spec, ensemble: str) -> dict[str, float]:
        """Seconds of fitting what a method adds, generators included, and percent of its ensemble that this is.

        Of a method that adds nothing the seconds of the plain models.
        """
        models = self.added_by(spec) if spec["adds"] else self.models_of(PLAIN)
        seconds = self.predictor.leaderboard().set_index("model")["fit_time_marginal"]
        found = {FIT_SECONDS: float(seconds[models].sum())}
        if spec["adds"] and not spec.get("alone"):
            weights = self.predictor._trainer.load_model(ensemble)._get_model_weights()
            found[WEIGHT] = 100.0 * float(sum(weights.get(model, 0.0) for model in models))
        return found


def measure_fit(
    task: Task,
    make: Callable[[str], TabularPredictor],
    train: pd.DataFrame,
    portfolio: Portfolio,
    sorts: Sequence[str],
    judge: Callable[[Fit, dict[str, str]], Mapping[str, Mapping[str, float]]],
) -> list[dict[str, Any]]:
    """Fit a portfolio, then an ensemble for each method of the task, and judge them all.

    `make` returns the predictor of a folder, `sorts` are what models are called after, and `judge` returns the figures
    of each method from the fit and the name of each method's model.
    """
    from imbllm_autogluon.jobs.fit import quiet_libraries

    with tempfile.TemporaryDirectory() as folder, quiet_libraries():
        predictor = make(str(Path(folder) / "fit"))
        _fit_models(predictor, train, portfolio, task.options["folds"], task.threads)
        fit = Fit(predictor, sorts, task.threads)
        names = {method: fit.answering(spec) for method, spec in task.methods.items()}
        figures = judge(fit, names)
        costs = {method: fit.costs(spec, names[method]) for method, spec in task.methods.items()}
    return [
        {"method": method, "metric": metric, "value": value}
        for method in task.methods
        for metric, value in {**costs[method], **figures[method]}.items()
    ]


def _fit_models(
    predictor: TabularPredictor, rows: pd.DataFrame, portfolio: Portfolio, folds: int, threads: int
) -> None:
    """Fit every model, without an ensemble; refuse a fit that lacks one, else methods would not hold what they say."""
    wanted = sum(map(len, portfolio.values()))
    own = {"fit_weighted_ensemble": False, "raise_on_model_failure": True}
    predictor.fit(rows, hyperparameters=portfolio, num_bag_folds=folds, num_cpus=threads, **BAGGED, **own)
    names = predictor.model_names()
    fitted = len({_bag_name(name) for name in names})  # all trials of a tuned model are one model of the portfolio
    if fitted != wanted:
        raise InvalidInputError(
            f"AutoGluon fitted {fitted} of {wanted} models ({', '.join(names)}); leave out the families "
            "that it cannot fit on this table (--family)."
        )


def _bag_name(model: str) -> str:
    """Name of a model without what says that it is a bag, or a trial of one."""
    return model.partition("_BAG_L1")[0]


def sort_of(model: str, sorts: Iterable[str]) -> str:
    """What sort a model is by its name: one of `sorts`, or plain.

    Examples
    --------
    >>> sort_of("LightGBM_BAG_L1", ["Smogn"]), sort_of("LightGBMImbSmogn_BAG_L1/T3", ["Smogn"])
    ('plain', 'Smogn')
    """
    return next((sort for sort in sorts if _bag_name(model).endswith(sort)), PLAIN)
