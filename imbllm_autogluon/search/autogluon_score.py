"""The objective's model ``"autogluon"``: one bagged fit of twins for each trial."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.errors import ImbLLMError

if TYPE_CHECKING:
    from imbllm_autogluon.search.objective import RebalanceObjective

FAMILIES = ("GBM",)
"""Keys of the models that are fitted where `model_space` names none."""


def autogluon_score(objective: RebalanceObjective, settings: dict[str, Any], parameters: dict[str, Any]) -> float:
    """Out-of-fold score of the best model of a predictor whose every model is a twin with these settings.

    Parameters
    ----------
    objective
        Table, metric, folds.
    settings
        Settings of rebalancing.
    parameters
        Arguments of ``TabularPredictor.fit``; ``hyperparameters`` names plain keys, which are replaced by twins.

    Raises
    ------
    ImbLLMError
        AutoGluon trained no model.
    """
    from autogluon.tabular import TabularPredictor

    import imbllm_autogluon

    imbllm_autogluon.register()
    plain = parameters.get("hyperparameters", {key: {} for key in FAMILIES})
    twins = {f"{key}_IMB": config for key, config in plain.items()}
    cache = {} if objective.cache_dir is None else {"imbllm.cache_dir": str(objective.cache_dir)}
    own = {**{f"imbllm.{key}": value for key, value in settings.items()}, **cache}
    with tempfile.TemporaryDirectory(prefix="imbllm-trial-") as folder:
        predictor = TabularPredictor(
            objective.table.label,
            eval_metric=objective.metric,
            positive_class=objective.classes[-1] if len(objective.classes) == 2 else None,
            path=str(Path(folder) / "predictor"),
            verbosity=0,
        )
        arguments = {"num_bag_folds": objective.cv, "num_cpus": objective.threads, "num_gpus": 0, **parameters}
        arguments |= {"hyperparameters": twins, "ag_args_fit": {**parameters.get("ag_args_fit", {}), **own}}
        try:
            predictor.fit(objective.table.frame, **arguments)
        except (RuntimeError, AssertionError) as error:  # the second says that no time is left to begin
            raise ImbLLMError(f"AutoGluon trained no model: {error}") from error
        scores = predictor.leaderboard()["score_val"]
    return float(scores.max())
