"""Whole fits of AutoGluon's predictor with the preset."""

from __future__ import annotations

import logging
import subprocess
import sys
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor
from sklearn.metrics import f1_score

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.hyperparameters import rebalance_hyperparameters
from imbllm_autogluon.rebalancing.fold_rows import GENERATORS, POOLS
from tests.plugin.tables import QUICK, imbalanced_table

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
        before = report["before"]
        assert before["1"] + report["added"]["1"] == round(sqrt(before["1"] * before["0"]))
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
    before = report["before"]
    largest = max(before.values())
    wanted = {label: round(sqrt(n * largest)) - n for label, n in before.items() if n < largest}
    assert len(wanted) == 2
    assert report["added"] == wanted


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


def test_a_limit_of_autogluon_on_the_number_of_models_leaves_room_for_twins(tmp_path: Path) -> None:
    names = fit(tmp_path / "p", imbalanced_table(120), presets="imbllm_extreme", num_bag_folds=2).model_names()
    assert {"LightGBM_BAG_L1", "LightGBMImb_BAG_L1", "ImbLLM_BAG_L1"} <= set(names)


def test_more_twins_can_be_fitted_later_from_the_same_generators(
    predictor: TabularPredictor, tmp_path: Path, table: pd.DataFrame
) -> None:
    later = predictor.clone(str(tmp_path / "clone"), return_clone=True)
    later.fit_extra({"XT_IMB": {"n_estimators": 5, **{f"ag.{key}": value for key, value in QUICK.items()}}}, num_cpus=1)
    bag = later._trainer.load_model("ExtraTreesImb_BAG_L1")
    reports = [bag.load_child(child).imbllm_report for child in bag.models]
    assert all(report["added"] for report in reports)
    assert not any(report["oversampling"]["trained_here"] for report in reports)
    assert later.predict_proba(table, model="ExtraTreesImb_BAG_L1").notna().all(axis=None)


def test_distillation_uses_twins_as_teachers_and_its_students_learn_from_what_the_teacher_says(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    predictor = fit(tmp_path / "p", table, hyperparameters={"LR": {}}, num_bag_folds=2)
    names = predictor.distill(
        hyperparameters={"GBM": {"num_boost_round": 5}, "GBM_IMB": {"num_boost_round": 5}}, augment_method=None
    )
    assert "LightGBM_DSTL" in names
    for name in names:
        report = getattr(predictor._trainer.load_model(name), "imbllm_report", None)
        assert report is None or "is not rebalanced" in report["reason"]
        assert predictor.predict_proba(table, model=name).notna().all(axis=None)


def test_pseudo_labelled_rows_are_part_of_the_folds_that_twins_rebalance(tmp_path: Path, table: pd.DataFrame) -> None:
    known, unknown = table.iloc[:200], table.iloc[200:]
    predictor = TabularPredictor("paid", eval_metric="roc_auc", path=str(tmp_path / "p"), verbosity=0)
    # AutoGluon hands no callbacks to the second fit, so the twins stand in the portfolio themselves.
    options = {"hyperparameters": rebalance_hyperparameters({"LR": {}}), "num_bag_folds": 2, "num_cpus": 1}
    predictor.fit_pseudolabel(unknown, train_data=known, max_iter=1, ag_args_fit=QUICK, **options)
    names = [name for name in predictor.model_names() if name.startswith("LinearModelImb")]
    assert len(names) == 2
    sizes = []
    for name in names:
        bag = predictor._trainer.load_model(name)
        report = bag.load_child(bag.models[0]).imbllm_report
        sizes.append(sum(report["before"].values()))
        assert report["added"]
    assert sizes[0] < sizes[1]


def test_a_decision_threshold_is_found_for_the_best_model_from_real_rows(tmp_path: Path, table: pd.DataFrame) -> None:
    predictor = TabularPredictor("paid", eval_metric="f1", positive_class="no", path=str(tmp_path / "p"), verbosity=0)
    options: dict[str, Any] = {"presets": "imbllm", "num_bag_folds": 2, "num_cpus": 1, "ag_args_fit": QUICK}
    predictor.fit(table, hyperparameters={"LR": {}}, calibrate_decision_threshold=True, **options)
    threshold = predictor.calibrate_decision_threshold(model="LinearModelImb_BAG_L1", verbose=False)
    assert 0 < threshold < 1
    found = predictor.predict_from_proba(predictor.predict_proba_oof("LinearModelImb_BAG_L1"), threshold)
    usual = predictor.predict_from_proba(predictor.predict_proba_oof("LinearModelImb_BAG_L1"), 0.5)
    assert f1_score(table["paid"], found, pos_label="no") >= f1_score(table["paid"], usual, pos_label="no")


@pytest.mark.parametrize("weights", ["weight", "balance_weight"])
def test_weights_reach_twins_and_are_no_feature(
    weights: str, tmp_path: Path, table: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    if weights == "weight":
        table = table.assign(weight=np.linspace(0.5, 1.5, len(table)))
    predictor = TabularPredictor(
        "paid", eval_metric="roc_auc", sample_weight=weights, path=str(tmp_path / "p"), verbosity=2
    )
    options: dict[str, Any] = {"presets": "imbllm", "num_bag_folds": 2, "num_cpus": 1, "ag_args_fit": QUICK}
    with caplog.at_level(logging.WARNING, "autogluon.imbllm"):
        predictor.fit(table, hyperparameters={"LR": {}, "GBM": {"num_boost_round": 5}}, **options)
    for name in ("LinearModelImb_BAG_L1", "LightGBMImb_BAG_L1"):
        bag = predictor._trainer.load_model(name)
        report = bag.load_child(bag.models[0]).imbllm_report
        assert report["oversampling"]["raw_view"]
        assert weights not in report["oversampling"]["set_aside"]
    assert weights not in predictor.features()
    assert ("rare classes count twice" in caplog.text) == (weights == "balance_weight")
