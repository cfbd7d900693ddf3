"""Predictors that leave the process that fitted them: loaded afresh, cloned, or without this package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.rebalancing.cache import clear_cache
from tests.fresh import run_afresh
from tests.plugin.class_fits import eight_families
from tests.plugin.tables import imbalanced_table

if TYPE_CHECKING:
    import subprocess

PREDICT = """
import sys, warnings, pandas as pd
from autogluon.tabular import TabularPredictor
predictor = TabularPredictor.load(sys.argv[1], verbosity=0)
predictor.predict_proba(pd.read_parquet(sys.argv[2])).to_parquet(sys.argv[3])
print([name for name in ("torch", "transformers", "optuna", "imblearn") if name in sys.modules])
"""

WITHOUT_THE_PACKAGE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "imbllm_autogluon":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> TabularPredictor:
    clone = eight_families().clone(str(tmp_path_factory.mktemp("loading") / "p"), return_clone=True)
    clone.set_model_best("LightGBMImb_BAG_L1", save_trainer=True)
    return clone


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return imbalanced_table(40, seed=1).drop(columns="paid")


def run(code: str, path: str, rows: pd.DataFrame, folder: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run a script on a predictor and rows; returns the process and the file it may have written."""
    rows.to_parquet(folder / "rows.parquet")
    process = run_afresh(code, path, folder / "rows.parquet", folder / "out.parquet")
    return process, folder / "out.parquet"


def test_a_fresh_process_that_never_imports_the_package_predicts_the_same_and_loads_no_heavy_library(
    predictor: TabularPredictor, rows: pd.DataFrame, tmp_path: Path
) -> None:
    process, out = run(PREDICT, predictor.path, rows, tmp_path)
    assert process.returncode == 0, process.stderr
    pd.testing.assert_frame_equal(pd.read_parquet(out), predictor.predict_proba(rows))
    assert process.stdout.strip() == "[]"


def test_a_clone_for_deployment_predicts_the_same_in_a_fresh_process_without_generator_and_cache(
    predictor: TabularPredictor, rows: pd.DataFrame, tmp_path: Path
) -> None:
    clone = Path(predictor.clone_for_deployment(str(tmp_path / "clone")))
    assert not list((clone / "models").glob("ImbLLM*"))
    assert clear_cache(clone) > 0  # AutoGluon copies every file below the folder
    process, out = run(PREDICT, str(clone), rows, tmp_path)
    assert process.returncode == 0, process.stderr
    pd.testing.assert_frame_equal(pd.read_parquet(out), predictor.predict_proba(rows))


def test_a_moved_predictor_predicts_the_same(predictor: TabularPredictor, rows: pd.DataFrame, tmp_path: Path) -> None:
    moved = Path(predictor.clone(str(tmp_path / "before"))).rename(tmp_path / "after")
    loaded = TabularPredictor.load(str(moved))
    for name in ("ImbLLM_BAG_L1", "LightGBMImb_BAG_L1", "LinearModelImb_BAG_L1", "WeightedEnsemble_L2"):
        pd.testing.assert_frame_equal(loaded.predict_proba(rows, model=name), predictor.predict_proba(rows, model=name))


def test_without_the_package_the_error_names_what_to_install(
    predictor: TabularPredictor, rows: pd.DataFrame, tmp_path: Path
) -> None:
    process, out = run(WITHOUT_THE_PACKAGE + PREDICT, predictor.path, rows, tmp_path)
    assert process.returncode != 0
    assert process.stderr.strip().splitlines()[-1].startswith("ModuleNotFoundError: No module named 'imbllm_autogluon")
    assert not out.exists()
