"""Whole fits of AutoGluon's predictor with the preset."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.rebalancing.fold_rows import GENERATORS, POOLS
from tests.plugin.tables import imbalanced_table

QUICK = {"imbllm.steps": 2, "imbllm.warmup_steps": 2}
FOLDS = 3


def fit(path: Path, table: pd.DataFrame, **options: Any) -> TabularPredictor:
    defaults: dict[str, Any] = {"presets": "imbllm", "hyperparameters": {"GBM": {}, "LR": {}}, "num_bag_folds": FOLDS}
    predictor = TabularPredictor(
        "paid", eval_metric="average_precision", positive_class="no", path=str(path), verbosity=0
    )
    return predictor.fit(table, num_cpus=1, ag_args_fit=QUICK, **{**defaults, **options})


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return imbalanced_table()


@pytest.fixture(scope="module")
def predictor(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> TabularPredictor:
    path = tmp_path_factory.mktemp("predictor") / "p"
    return fit(path, table, hyperparameters={"GBM": {}, "RF": {}, "LR": {}, "KNN": {}})


def test_every_family_competes_plain_and_rebalanced_and_the_ensemble_sees_both(predictor: TabularPredictor) -> None:
    assert set(predictor.leaderboard()["model"]) == {
        *(f"{name}{twin}_BAG_L1" for name in ("LightGBM", "RandomForest", "LinearModel") for twin in ("", "Imb")),
        *(f"KNeighbors{twin}_BAG_L1" for twin in ("", "Imb")),
        "ImbLLM_BAG_L1",
        "WeightedEnsemble_L2",
    }


def test_one_generator_is_trained_for_each_fold_whatever_the_number_of_families(predictor: TabularPredictor) -> None:
    cache = Path(predictor.path) / "utils" / "imbllm"
    assert len(GENERATORS.keys(cache)) == FOLDS
    assert len(POOLS.keys(cache)) == FOLDS


def test_out_of_fold_predictions_are_of_every_real_row_and_no_other(
    predictor: TabularPredictor, table: pd.DataFrame
) -> None:
    oof = predictor.predict_proba_oof("RandomForestImb_BAG_L1")
    assert list(oof.index) == list(table.index)
    assert oof.notna().all(axis=None)


def test_each_child_rebalanced_its_own_fold(predictor: TabularPredictor, table: pd.DataFrame) -> None:
    bag = predictor._trainer.load_model("LightGBMImb_BAG_L1")
    reports = [bag.load_child(child).imbllm_report for child in bag.models]
    assert len({report["oversampling"]["generator"] for report in reports}) == FOLDS
    for report in reports:
        # "no", the positive class, has code 1; four in five of the rows of a fold are its training rows.
        assert report["before"]["1"] + report["added"]["1"] == report["before"]["0"]
        assert sum(report["before"].values()) == len(table) * (FOLDS - 1) / FOLDS


def test_the_frame_of_the_caller_is_unchanged(tmp_path: Path) -> None:
    table = imbalanced_table(120)
    copy = table.copy(deep=True)
    fit(tmp_path / "p", table, hyperparameters={"GBM": {}}, num_bag_folds=2)
    pd.testing.assert_frame_equal(table, copy)


def test_a_fresh_process_loads_the_predictor_and_predicts_the_same(
    predictor: TabularPredictor, table: pd.DataFrame, tmp_path: Path
) -> None:
    table.to_parquet(tmp_path / "rows.parquet")
    code = (
        "import sys, pandas as pd\n"
        "from autogluon.tabular import TabularPredictor\n"
        "predictor = TabularPredictor.load(sys.argv[1], verbosity=0)\n"
        "rows = pd.read_parquet(sys.argv[2])\n"
        "predictor.predict_proba(rows, model='LightGBMImb_BAG_L1').to_parquet(sys.argv[3])\n"
    )
    arguments = [predictor.path, str(tmp_path / "rows.parquet"), str(tmp_path / "out.parquet")]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    here = predictor.predict_proba(table, model="LightGBMImb_BAG_L1")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), here)


def test_a_second_fit_on_the_same_data_gives_the_same_scores(predictor: TabularPredictor, tmp_path: Path) -> None:
    again = fit(tmp_path / "p", imbalanced_table(), hyperparameters={"GBM": {}})
    scores = [p.leaderboard().set_index("model")["score_val"]["LightGBMImb_BAG_L1"] for p in (predictor, again)]
    assert scores[0] == scores[1]


def test_balanced_data_is_left_alone_and_the_log_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(20, "autogluon.imbllm"):
        predictor = TabularPredictor("paid", path=str(tmp_path / "p"), verbosity=2)
        predictor.fit(imbalanced_table(rare=0.5), presets="imbllm", hyperparameters={"LR": {}}, num_cpus=1)
    assert "LinearModelImb" not in set(predictor.leaderboard()["model"])
    assert "classes are balanced" in caplog.text


@pytest.mark.parametrize("base", ["medium_quality", "best_quality"])
def test_the_preset_adds_to_another_preset(base: str, tmp_path: Path, table: pd.DataFrame) -> None:
    predictor = fit(tmp_path / "p", table, presets=[base, "imbllm"], hyperparameters={"LR": {}}, num_bag_folds=2)
    assert {"LinearModel_BAG_L1", "LinearModelImb_BAG_L1"} <= set(predictor.leaderboard()["model"])


def test_twins_work_without_bagging_and_validation_rows_stay_real(tmp_path: Path, table: pd.DataFrame) -> None:
    predictor = fit(tmp_path / "p", table, num_bag_folds=0)
    assert {"LightGBM", "LightGBMImb", "WeightedEnsemble_L2"} <= set(predictor.leaderboard()["model"])
    assert len(GENERATORS.keys(Path(predictor.path) / "utils" / "imbllm")) == 1


def test_stacked_models_learn_from_real_rows_only(tmp_path: Path, table: pd.DataFrame) -> None:
    predictor = fit(
        tmp_path / "p",
        table,
        presets=None,
        hyperparameters={"GBM": {}, "GBM_IMB": {}},
        num_stack_levels=1,
        num_bag_folds=2,
    )
    bag = predictor._trainer.load_model("LightGBMImb_BAG_L2")
    report = bag.load_child(bag.models[0]).imbllm_report
    assert report["added"] == {}
    assert "real rows only" in report["reason"]


def test_refitting_on_all_rows_rebalances_all_rows(tmp_path: Path, table: pd.DataFrame) -> None:
    predictor = fit(tmp_path / "p", table, hyperparameters={"GBM": {}}, num_bag_folds=2)
    names = predictor.refit_full(num_cpus=1)
    model = predictor._trainer.load_model(names["LightGBMImb_BAG_L1"])
    child = model.load_child(model.models[0]) if hasattr(model, "models") else model
    assert sum(child.imbllm_report["before"].values()) == len(table)
    assert np.isfinite(predictor.predict_proba(table, model=names["LightGBMImb_BAG_L1"]).to_numpy()).all()


def test_several_rare_classes_grow_together(tmp_path: Path) -> None:
    table = imbalanced_table()
    rng = np.random.default_rng(0)
    table["paid"] = np.where((table["paid"] == "yes") & (rng.random(len(table)) < 0.2), "late", table["paid"])
    predictor = TabularPredictor("paid", eval_metric="balanced_accuracy", path=str(tmp_path / "p"), verbosity=0)
    predictor.fit(table, presets="imbllm", hyperparameters={"GBM": {}}, num_bag_folds=2, num_cpus=1, ag_args_fit=QUICK)
    bag = predictor._trainer.load_model("LightGBMImb_BAG_L1")
    report = bag.load_child(bag.models[0]).imbllm_report
    totals = {label: n + report["added"].get(label, 0) for label, n in report["before"].items()}
    assert len(set(totals.values())) == 1


def test_an_unknown_twin_parameter_stops_the_fit_with_the_nearest_name(tmp_path: Path, table: pd.DataFrame) -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'temperature'"):
        fit(tmp_path / "p", table, presets=None, hyperparameters={"GBM_IMB": {"ag.imbllm.temprature": 1.0}})


def test_the_log_of_a_fit_names_the_twins(
    tmp_path: Path, table: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("autogluon.imbllm").setLevel(logging.NOTSET)
    predictor = TabularPredictor("paid", path=str(tmp_path / "p"), verbosity=2)
    with caplog.at_level(20, "autogluon.imbllm"):
        predictor.fit(table, presets="imbllm", hyperparameters={"LR": {}}, num_cpus=1, ag_args_fit=QUICK)
    assert "also competes as a twin" in caplog.text
