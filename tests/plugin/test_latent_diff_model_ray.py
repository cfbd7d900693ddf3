"""LatentDiff and its metrics where AutoGluon fits folds in Ray workers; needs the extra `[ray]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from imbllm_autogluon.plugin.scorers import shot_scorer
from imbllm_autogluon.regression.bins import TargetBins
from tests.plugin.regression_fits import BAG, fit
from tests.regression.frames import skewed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ray = pytest.importorskip("ray", reason="the extra [ray] is not installed")


@pytest.mark.filterwarnings("ignore")
def test_folds_of_workers_are_those_of_one_process(tmp_path: Path) -> None:
    X, y = skewed()
    bins = TargetBins.fit(y, n_bins=8)
    found = {}
    for strategy in ("sequential_local", "parallel_local"):
        options = {"num_bag_folds": 2, "num_cpus": 2, "ag_args_ensemble": {"fold_fitting_strategy": strategy}}
        settings = {"ag_args_fit": {"num_cpus": 1}}
        metric = shot_scorer(bins, bins.counts(y))
        predictor = fit(tmp_path / strategy, X.assign(price=y), settings, eval_metric=metric, **options)
        assert predictor.leaderboard().set_index("model").loc[BAG, "score_val"] < 0
        found[strategy] = predictor.predict_oof(BAG)
    pd.testing.assert_series_equal(*found.values(), rtol=1e-4)
