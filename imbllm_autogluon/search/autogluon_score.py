"""The objective's model ``"autogluon"``: one bagged fit of twins for each trial."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.errors import ImbLLMError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from imbllm_autogluon.tables.labeled import LabeledTable

FAMILIES = ("GBM",)
"""Keys of the models that are fitted where `model_space` names none."""


def autogluon_score(
    table: LabeledTable,
    settings: dict[str, Any],
    parameters: dict[str, Any],
    *,
    metric: str,
    cv: int,
    positive_class: Hashable = None,
    threads: int = 1,
    cache_dir: Path | None = None,
) -> float:
    """Out-of-fold score of the best model of a predictor whose every model is a twin with these settings.

    Parameters
    ----------
    table
        Features and label.
    settings
        Settings of rebalancing.
    parameters
        Arguments of ``TabularPredictor.fit``; ``hyperparameters`` names plain keys, which are replaced by twins.
    metric
        Of AutoGluon.
    cv
        Folds of the bags.
    positive_class
        Of two classes.
    threads
        ``num_cpus`` of the fit.
    cache_dir
        Folder for generators and rows; None: where twins keep them by default.

    Raises
    ------
    ImbLLMError
        AutoGluon trained no model.
    """
    from autogluon.tabular import TabularPredictor

    plain = parameters.get("hyperparameters", {key: {} for key in FAMILIES})
    # Their registration is the first thing that importing any module of the package does.
    twins = {f"{key}_IMB": config for key, config in plain.items()}
    cache = {} if cache_dir is None else {"imbllm.cache_dir": str(cache_dir)}
    own = {**{f"imbllm.{key}": value for key, value in settings.items()}, **cache}
    with tempfile.TemporaryDirectory(prefix="imbllm-trial-") as folder:
        predictor = TabularPredictor(
            table.label,
            eval_metric=metric,
            positive_class=positive_class,
            path=str(Path(folder) / "predictor"),
            verbosity=0,
        )
        arguments = {"num_bag_folds": cv, "num_cpus": threads, "num_gpus": 0, **parameters}
        arguments |= {"hyperparameters": twins, "ag_args_fit": {**parameters.get("ag_args_fit", {}), **own}}
        try:
            predictor.fit(table.frame, **arguments)
        except (RuntimeError, AssertionError) as error:  # the second says that no time is left to begin
            raise ImbLLMError(f"AutoGluon trained no model: {error}") from error
        scores = predictor.leaderboard()["score_val"]
    return float(scores.max())
