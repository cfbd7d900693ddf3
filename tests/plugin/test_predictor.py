"""Whole fits of AutoGluon's predictor with the preset, and predictors that leave the process that fitted them."""

from __future__ import annotations

import logging
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor
from autogluon.tabular.registry import ag_model_registry
from sklearn.metrics import f1_score

from imbllm_autogluon.datasets import load_hypothyroid
from imbllm_autogluon.plugin.portfolio import rebalance_hyperparameters
from imbllm_autogluon.rebalancing.cache import clear_cache
from imbllm_autogluon.rebalancing.rows import GENERATORS, ROWS_CACHE
from tests.fresh import run_afresh
from tests.plugin.class_fits import FAMILIES, FOLDS, eight_families, fit, reports
from tests.plugin.tables import QUICK, imbalanced_table
from tests.plugin.test_stage import PRED_LLM
from tests.shared import TINY

if TYPE_CHECKING:
    import subprocess


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return imbalanced_table()


@pytest.fixture
def predictor() -> TabularPredictor:
    return eight_families()


def key_to_name(key: str) -> str:
    name: str = ag_model_registry.key_to_cls(key).ag_name
    return name


def test_every_family_competes_plain_and_rebalanced_and_the_ensemble_sees_both(predictor: TabularPredictor) -> None:
    plain = {key_to_name(key) for key in FAMILIES}
    assert set(predictor.leaderboard()["model"]) == {
        *(f"{name}{twin}_BAG_L1" for name in plain for twin in ("", "Imb")),
        "ImbLLM_BAG_L1",
        "WeightedEnsemble_L2",
    }


def test_one_generator_is_trained_for_each_fold_whatever_the_number_of_families(predictor: TabularPredictor) -> None:
    cache = Path(predictor.path) / "utils" / "imbllm"
    assert len(GENERATORS.keys(cache)) == FOLDS
    assert len(ROWS_CACHE.keys(cache)) == 2 * FOLDS, "forests share rows of SMOTE-NC, all others those of the generator"


def test_out_of_fold_predictions_are_of_every_real_row_and_no_other(
    predictor: TabularPredictor, table: pd.DataFrame
) -> None:
    oof = predictor.predict_proba_oof("RandomForestImb_BAG_L1")
    assert list(oof.index) == list(table.index)
    assert oof.notna().all(axis=None)


def test_each_child_rebalanced_its_own_fold(predictor: TabularPredictor, table: pd.DataFrame) -> None:
    found = reports(predictor, "LightGBMImb_BAG_L1")
    assert len({report["oversampling"]["generator"] for report in found}) == FOLDS
    for report in found:
        # "no", the positive class, has code 1; two in three of the rows are in a fold's training rows.
        before = report["before"]
        assert report["added"]["1"] == before["1"]
        assert sum(report["before"].values()) == len(table) * (FOLDS - 1) / FOLDS


def test_a_second_fit_on_the_same_data_gives_the_same_scores_and_leaves_the_callers_frame_alone(
    predictor: TabularPredictor, tmp_path: Path
) -> None:
    table = imbalanced_table()
    again = fit(tmp_path / "p", table, hyperparameters={"GBM": FAMILIES["GBM"]}, num_bag_folds=FOLDS)
    scores = [p.leaderboard().set_index("model")["score_val"]["LightGBMImb_BAG_L1"] for p in (predictor, again)]
    assert scores[0] == scores[1]
    pd.testing.assert_frame_equal(table, imbalanced_table())


def test_the_preset_adds_to_another_preset(tmp_path: Path, table: pd.DataFrame) -> None:
    predictor = fit(tmp_path / "p", table, presets=["best_quality", "imbllm"], hyperparameters={"LR": {}})
    assert {"LinearModel_BAG_L1", "LinearModelImb_BAG_L1"} <= set(predictor.leaderboard()["model"])


def test_twins_work_without_bagging_and_the_log_names_them(
    tmp_path: Path, table: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("autogluon.imbllm").setLevel(logging.NOTSET)
    with caplog.at_level(20, "autogluon.imbllm"):
        predictor = fit(tmp_path / "p", table, num_bag_folds=0, verbosity=2)
    assert "also compete as twins" in caplog.text
    assert {"LightGBM", "LightGBMImb", "WeightedEnsemble_L2"} <= set(predictor.leaderboard()["model"])
    assert len(GENERATORS.keys(Path(predictor.path) / "utils" / "imbllm")) == 1


def test_stacked_models_learn_from_real_rows_only(tmp_path: Path, table: pd.DataFrame) -> None:
    predictor = fit(
        tmp_path / "p",
        table,
        presets=None,
        hyperparameters={"GBM": FAMILIES["GBM"], "GBM_IMB": FAMILIES["GBM"]},
        num_stack_levels=1,
    )
    report = reports(predictor, "LightGBMImb_BAG_L2")[0]
    assert report["added"] == {}
    assert "real rows only" in report["reason"]


def test_refitting_on_all_rows_rebalances_all_rows(
    predictor: TabularPredictor, tmp_path: Path, table: pd.DataFrame
) -> None:
    clone = predictor.clone(str(tmp_path / "clone"), return_clone=True)
    name = clone.refit_full("LightGBMImb_BAG_L1", num_cpus=1)["LightGBMImb_BAG_L1"]
    (report,) = reports(clone, name)
    assert sum(report["before"].values()) == len(table)
    assert np.isfinite(clone.predict_proba(table, model=name).to_numpy()).all()


def test_several_rare_classes_grow_together(tmp_path: Path) -> None:
    table = imbalanced_table()
    rng = np.random.default_rng(0)
    table["paid"] = np.where((table["paid"] == "yes") & (rng.random(len(table)) < 0.2), "late", table["paid"])
    options = {"eval_metric": "balanced_accuracy", "positive_class": None, "hyperparameters": {"LR": {}}}
    report = reports(fit(tmp_path / "p", table, **options), "LinearModelImb_BAG_L1")[0]
    before = report["before"]
    largest = max(before.values())
    wanted = {label: round(sqrt(n * largest)) - n for label, n in before.items() if n < largest}
    assert len(wanted) == 2
    assert report["added"] == wanted


def test_a_limit_of_autogluon_on_the_number_of_models_leaves_room_for_twins(tmp_path: Path) -> None:
    names = fit(tmp_path / "p", imbalanced_table(120), presets="imbllm_extreme").model_names()
    assert {"LightGBM_BAG_L1", "LightGBMImb_BAG_L1", "ImbLLM_BAG_L1"} <= set(names)


def test_more_twins_can_be_fitted_later_from_the_same_generators(
    predictor: TabularPredictor, tmp_path: Path, table: pd.DataFrame
) -> None:
    later = predictor.clone(str(tmp_path / "clone"), return_clone=True)
    later.fit_extra({"XT_IMB": {"n_estimators": 5, **{f"ag.{key}": value for key, value in QUICK.items()}}}, num_cpus=1)
    new = set(later.model_names()) - set(predictor.model_names())
    (name,) = (each for each in new if each.startswith("ExtraTreesImb"))
    assert all(report["added"] for report in reports(later, name))
    assert not any(report["oversampling"]["trained_here"] for report in reports(later, name))
    assert later.predict_proba(table, model=name).notna().all(axis=None)


def test_distillation_uses_twins_as_teachers_and_its_students_learn_from_what_the_teacher_says(
    predictor: TabularPredictor, tmp_path: Path, table: pd.DataFrame
) -> None:
    clone = predictor.clone(str(tmp_path / "clone"), return_clone=True)
    clone.set_model_best("LinearModelImb_BAG_L1")
    students = {key: {**FAMILIES["GBM"], "ag.num_cpus": 1} for key in ("GBM", "GBM_IMB")}
    names = clone.distill(hyperparameters=students, augment_method=None)
    assert "LightGBM_DSTL" in names
    for name in names:
        report = getattr(clone._trainer.load_model(name), "imbllm_report", None)
        assert report is None or "is not rebalanced" in report["reason"]
        assert clone.predict_proba(table, model=name).notna().all(axis=None)


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
        report = reports(predictor, name)[0]
        sizes.append(sum(report["before"].values()))
        assert report["added"]
    assert sizes[0] < sizes[1]


def test_a_decision_threshold_is_found_for_the_best_model_from_real_rows(tmp_path: Path, table: pd.DataFrame) -> None:
    options = {"eval_metric": "f1", "hyperparameters": {"LR": {}}, "calibrate_decision_threshold": True}
    predictor = fit(tmp_path / "p", table, **options)
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
    with caplog.at_level(logging.WARNING, "autogluon.imbllm"):
        predictor = fit(tmp_path / "p", table, sample_weight=weights, verbosity=2)
    for name in ("LinearModelImb_BAG_L1", "LightGBMImb_BAG_L1"):
        report = reports(predictor, name)[0]
        assert report["oversampling"]["original_features"]
        assert weights not in report["oversampling"]["excluded"]
    assert weights not in predictor.features()
    assert ("rare classes count twice" in caplog.text) == (weights == "balance_weight")


PREDICT = """
import sys, warnings, pandas as pd
from autogluon.tabular import TabularPredictor
of_twin = TabularPredictor.load(sys.argv[1], verbosity=0)
of_twin.predict_proba(pd.read_parquet(sys.argv[2])).to_parquet(sys.argv[3])
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
def of_twin(tmp_path_factory: pytest.TempPathFactory) -> TabularPredictor:
    clone = eight_families().clone(str(tmp_path_factory.mktemp("loading") / "p"), return_clone=True)
    clone.set_model_best("LightGBMImb_BAG_L1", save_trainer=True)
    return clone


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return imbalanced_table(40, seed=1).drop(columns="paid")


def run(code: str, path: str, rows: pd.DataFrame, folder: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run a script on a of_twin and rows; returns the process and the file it may have written."""
    rows.to_parquet(folder / "rows.parquet")
    process = run_afresh(code, path, folder / "rows.parquet", folder / "out.parquet")
    return process, folder / "out.parquet"


def test_a_fresh_process_that_never_imports_the_package_predicts_the_same_and_loads_no_heavy_library(
    of_twin: TabularPredictor, rows: pd.DataFrame, tmp_path: Path
) -> None:
    process, out = run(PREDICT, of_twin.path, rows, tmp_path)
    assert process.returncode == 0, process.stderr
    pd.testing.assert_frame_equal(pd.read_parquet(out), of_twin.predict_proba(rows))
    assert process.stdout.strip() == "[]"


def test_a_clone_for_deployment_predicts_the_same_in_a_fresh_process_without_generator_and_cache(
    of_twin: TabularPredictor, rows: pd.DataFrame, tmp_path: Path
) -> None:
    clone = Path(of_twin.clone_for_deployment(str(tmp_path / "clone")))
    assert not list((clone / "models").glob("ImbLLM*"))
    assert clear_cache(clone) > 0  # AutoGluon copies every file below the folder
    process, out = run(PREDICT, str(clone), rows, tmp_path)
    assert process.returncode == 0, process.stderr
    pd.testing.assert_frame_equal(pd.read_parquet(out), of_twin.predict_proba(rows))


def test_a_moved_predictor_predicts_the_same(of_twin: TabularPredictor, rows: pd.DataFrame, tmp_path: Path) -> None:
    moved = Path(of_twin.clone(str(tmp_path / "before"))).rename(tmp_path / "after")
    loaded = TabularPredictor.load(str(moved))
    for name in ("ImbLLM_BAG_L1", "LightGBMImb_BAG_L1", "LinearModelImb_BAG_L1", "WeightedEnsemble_L2"):
        pd.testing.assert_frame_equal(loaded.predict_proba(rows, model=name), of_twin.predict_proba(rows, model=name))


def test_without_the_package_the_error_names_what_to_install(
    of_twin: TabularPredictor, rows: pd.DataFrame, tmp_path: Path
) -> None:
    process, out = run(WITHOUT_THE_PACKAGE + PREDICT, of_twin.path, rows, tmp_path)
    assert process.returncode != 0
    assert process.stderr.strip().splitlines()[-1].startswith("ModuleNotFoundError: No module named 'imbllm_autogluon")
    assert not out.exists()


OVERRUN = 1.15
"""Seconds of a fit over its time limit, at most."""


def timed_fit(folder: Path, seconds: float) -> tuple[TabularPredictor, float]:
    """A fit of the packaged table, and how long it took."""
    X, y = load_hypothyroid()
    predictor = TabularPredictor(
        str(y.name), eval_metric="average_precision", positive_class="hypothyroid", path=str(folder), verbosity=0
    )
    started = time.perf_counter()
    predictor.fit(
        X.assign(**{str(y.name): y}),
        presets="imbllm",
        hyperparameters={"GBM": {}, "LR": {}, "RF": {}},
        num_bag_folds=2,
        time_limit=seconds,
        num_cpus=1,
        ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
    )
    return predictor, time.perf_counter() - started


def names_fitted(folder: Path, seconds: float) -> list[str]:
    """Models of a fit, for a process in which nothing is loaded yet."""
    return list(timed_fit(folder, seconds)[0].model_names())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of libraries that are stopped early
def test_a_minute_is_exceeded_by_a_seventh_at_most_and_every_family_has_its_twin(tmp_path: Path) -> None:
    predictor, seconds = timed_fit(tmp_path / "p", 60.0)
    assert seconds < 60.0 * OVERRUN
    names = {f"{family}{twin}_BAG_L1" for family in ("LightGBM", "LinearModel", "RandomForest") for twin in ("", "Imb")}
    assert names <= set(predictor.model_names())
    assert predictor.model_failures().empty


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ten_seconds_are_enough_for_a_plain_model(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        names = pool.submit(names_fitted, tmp_path / "p", 10.0).result()
    assert "LightGBM_BAG_L1" in names


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("family", "name"), [("GBM", "LightGBM"), ("XGB", "XGBoost")])
def test_the_log_loss_of_a_corrected_twin_is_near_that_of_its_plain_model(
    family: str, name: str, tmp_path: Path
) -> None:
    X, y = load_hypothyroid()
    predictor = TabularPredictor(
        "diagnosis", eval_metric="log_loss", positive_class="hypothyroid", path=str(tmp_path / "p"), verbosity=0
    )
    predictor.fit(
        X.assign(diagnosis=y), presets="imbllm", hyperparameters={family: {}}, num_bag_folds=4, num_cpus=1, num_gpus=0
    )
    scores = predictor.leaderboard().set_index("model")["score_val"]
    assert scores[f"{name}Imb_BAG_L1"] >= 1.05 * scores[f"{name}_BAG_L1"]


def test_a_whole_fit_shares_one_generator_a_fold_and_original_labels_name_the_classes(tmp_path: Path) -> None:
    table = imbalanced_table(200).assign(note=[f"call number {i} of this long month" for i in range(200)])
    settings = {**TINY, "method": "pred_llm", **PRED_LLM, "target_prior": {"no": 0.5, "yes": 0.5}}
    predictor = TabularPredictor("paid", eval_metric="roc_auc", path=str(tmp_path / "p"), verbosity=0)
    predictor.fit(
        table,
        presets="imbllm",
        hyperparameters={"LR": {}, "GBM": {"num_boost_round": 5}},
        num_bag_folds=2,
        num_cpus=1,
        ag_args_fit={f"imbllm.{key}": value for key, value in settings.items()},
    )
    names = {"LinearModelImb_BAG_L1", "LightGBMImb_BAG_L1"}
    assert names <= set(predictor.model_names())
    generators = set()
    for name in names:
        bag = predictor._trainer.load_model(name)
        for child in bag.models:
            report = bag.load_child(child).imbllm_report
            assert report["oversampling"]["method"] == "pred_llm"
            assert report["oversampling"]["original_features"]
            assert report["before"]["0"] + report["added"]["0"] == report["before"]["1"]
            generators.add(report["oversampling"]["generator"])
    assert len(generators) == 2
    assert predictor.predict_proba(table).notna().all(axis=None)
