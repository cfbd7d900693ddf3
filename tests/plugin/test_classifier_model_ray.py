"""The classifier where AutoGluon fits its folds in Ray workers; needs the extra `[ray]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from tests.plugin.classifier_fits import NAME, children, fit, with_notes

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ray = pytest.importorskip("ray", reason="the extra [ray] is not installed")


@pytest.mark.filterwarnings("ignore")
def test_folds_of_workers_are_those_of_one_process(tmp_path: Path) -> None:
    found = {}
    for strategy in ("sequential_local", "parallel_local"):
        options = {"num_bag_folds": 2, "num_cpus": 2, "ag_args_ensemble": {"fold_fitting_strategy": strategy}}
        predictor = fit(tmp_path / strategy, with_notes(), {"ag_args_fit": {"num_cpus": 1}}, **options)
        reports = [child.imbllm_report for child in children(predictor, f"{NAME}_BAG_L1")]
        assert [report["original_columns"] for report in reports] == [True, True]
        found[strategy] = predictor.predict_proba_oof(f"{NAME}_BAG_L1")
    pd.testing.assert_frame_equal(*found.values(), atol=1e-5)
