"""The generator as a model of its own: it trains first, so that no family pays for what all of them use.

On the leaderboard its row shows what writing cost; its predictions are the class shares, or the mean target.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from autogluon.core.models import DummyModel

from imbllm_autogluon.plugin.fold_writer import FoldWriter

if TYPE_CHECKING:
    import pandas as pd

KEY = "IMBLLM"


class GeneratorModel(FoldWriter, DummyModel):  # type: ignore[misc]
    """Trains the generator of a fold and writes its rows; twins that are fitted later find both in the cache.

    Takes the ``ag.imbllm.*`` parameters of the twins. Those that differ in a setting of training train their own.
    """

    ag_key = KEY
    ag_name = "ImbLLM"
    ag_priority = 1000
    _supported_problem_types = ["binary", "multiclass", "regression"]  # noqa: RUF012 - AutoGluon asks for a list

    @classmethod
    def _get_default_ag_args(cls) -> dict[str, Any]:
        """On a higher level there is nothing to write."""
        return {**super()._get_default_ag_args(), "valid_stacker": False}

    def _fit(self, X: pd.DataFrame, y: pd.Series, time_limit: float | None = None, **kwargs: Any) -> None:
        started = time.time()
        plan = self._plan(X, y)
        rows = self._written_rows(X, y, plan, kwargs.get("num_cpus"), time_limit) if plan.counts else None
        self._note(plan, rows, time.time() - started)
        super()._fit(X=X, y=y, time_limit=time_limit, **kwargs)
