"""One bagged AutoGluon fit of many sorts of models, and weighted ensembles over some of them.

Every model of a sort is called after it: the name of its family, then the sort. The plain models have no such end, and
are the same in all ensembles, so that a difference is due to what was added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.protocol import Option
from imbllm_autogluon.configuration import require_number
from imbllm_autogluon.errors import InvalidInputError, nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import pandas as pd
    from autogluon.tabular import TabularPredictor

    from benchmarks.protocol import Options

PLAIN, TWICE = "plain", "plain twice"

AGAIN = "Again"
"""Sort of the plain models' second copy, which has another seed: AutoGluon's own is 0."""

FIT_SECONDS, WEIGHT = "fit s", "weight"

Portfolio = dict[str, list[dict[str, Any]]]
"""Settings of the models of a fit, by their AutoGluon keys."""

OPTIONS = {
    "family": Option(list[str], ("GBM", "CAT", "RF"), "AutoGluon model key with a twin; repeatable."),
    "folds": Option(int, 4, "Bagging folds."),
}
"""Options of both protocols."""


def check_plan(options: Options) -> None:
    """Refuse fewer than two folds, and families that are unknown, named twice, or have no twin.

    Raises
    ------
    InvalidInputError
        See above.
    """
    from autogluon.tabular.registry import ag_model_registry

    from imbllm_autogluon.plugin.twins import has_twin

    require_number("folds", options["folds"], 2, whole=True)
    families, classes = options["family"], ag_model_registry.key_to_cls_map()
    allowed = sorted(key for key, model_class in classes.items() if has_twin(model_class))
    for family in families:
        if family not in allowed:
            raise InvalidInputError(
                f"{family!r} is no model key with a twin{nearest(family, allowed)}; keys are: {', '.join(allowed)}."
            )
    if len(set(families)) < len(families):
        raise InvalidInputError(f"families must be named once each; got {', '.join(families)}.")


def plain_twice(families: Iterable[str]) -> Portfolio:
    """Every family as it is, and once more with another seed."""
    again = {"ag_args": {"name_suffix": AGAIN}, "ag_args_ensemble": {"model_random_seed": 1}}
    return {family: [{}, dict(again)] for family in families}


def twin_settings(sort: str, parameters: Mapping[str, Any], ag_args: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Settings of one twin: its sort, parameters of its rebalancing, and AutoGluon's own beside the name."""
    from imbllm_autogluon.plugin.parameters import AUX_PREFIX

    own = {f"ag.{AUX_PREFIX}{name}": value for name, value in parameters.items()}
    return {**own, "ag_args": {"name_suffix": sort, **(ag_args or {})}}


def fit_models(predictor: TabularPredictor, rows: pd.DataFrame, portfolio: Portfolio, folds: int, threads: int) -> None:
    """Fit every model of a portfolio, without an ensemble.

    Raises
    ------
    InvalidInputError
        AutoGluon left a model out, so that methods would not hold what they are called after.
    """
    wanted = sum(map(len, portfolio.values()))
    predictor.fit(
        rows,
        hyperparameters=portfolio,
        num_bag_folds=folds,
        num_stack_levels=0,
        dynamic_stacking=False,
        fit_weighted_ensemble=False,
        num_cpus=threads,
        num_gpus=0,
        ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
        raise_on_model_failure=True,
    )
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


def models_of(predictor: TabularPredictor, wanted: Collection[str], sorts: Sequence[str]) -> list[str]:
    """Names of the models of the wanted sorts among all `sorts`; ensembles are none."""
    names: list[str] = predictor._trainer.get_model_names(stack_name="core")
    return [name for name in names if sort_of(name, sorts) in wanted]


def weighted_ensemble(predictor: TabularPredictor, models: list[str], suffix: str, threads: int) -> str:
    """Fit AutoGluon's ensemble on out-of-fold rows; returns its name."""
    made: list[str] = predictor.fit_weighted_ensemble(base_models=models, name_suffix=suffix, num_cpus=threads)
    return made[-1]


def our_ensemble(predictor: TabularPredictor, models: list[str], suffix: str, threads: int) -> str:
    """Fit the ensemble of this package's presets on out-of-fold rows; returns its name.

    Raises
    ------
    InvalidInputError
        It could not be fitted.
    """
    from imbllm_autogluon.plugin.ensemble_model import fit_ensemble

    made = fit_ensemble(predictor, models, suffix, threads)
    if made is None:
        raise InvalidInputError(f"the ensemble over {', '.join(models)} could not be fitted.")
    return made


def fit_seconds(predictor: TabularPredictor, models: list[str]) -> float:
    """Seconds of fitting these models, the generators that they train included."""
    seconds = predictor.leaderboard().set_index("model")["fit_time_marginal"]
    return float(seconds[models].sum())


def percent_of_ensemble(predictor: TabularPredictor, ensemble: str, models: list[str]) -> float:
    """How much of an ensemble these models make up."""
    weights = predictor._trainer.load_model(ensemble)._get_model_weights()
    return 100.0 * float(sum(weights.get(model, 0.0) for model in models))


def rows_of(figures: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """Rows of the frame from the figures of each method."""
    return [
        {"method": method, "metric": metric, "value": value}
        for method, own in figures.items()
        for metric, value in own.items()
    ]
