"""Twins whose rows come from a model that is asked for their class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from autogluon.tabular import TabularPredictor

from tests.plugin.recording import RecordingModel
from tests.plugin.tables import imbalanced_table
from tests.plugin.test_stage import fitted
from tests.shared import TINY

if TYPE_CHECKING:
    from pathlib import Path

Table = tuple[pd.DataFrame, pd.Series]

MEASURES = {
    "target_ratio": 1.0,
    "target_prior": "uniform",
    "oversampling_cap": 3.0,
    "start": "class",
    "first_stage": "logistic",
}


def test_a_twin_learns_from_real_rows_and_rows_whose_class_was_asked(fold: Table, tmp_path: Path) -> None:
    model = fitted(tmp_path, fold, method="pred_llm", **MEASURES)
    assert RecordingModel.seen["y"].value_counts().to_dict() == {0: 100, 1: 100}
    pd.testing.assert_frame_equal(RecordingModel.seen["X"].iloc[:120], fold[0])
    report = model.imbllm_report["oversampling"]
    assert report["method"] == "pred_llm"
    assert report["classes"][0]["candidates"] >= 80 - report["classes"][0]["by_rank"]


def test_without_a_predictor_classes_are_named_by_their_codes(fold: Table, tmp_path: Path) -> None:
    model = fitted(tmp_path, fold, method="pred_llm", target_prior={0: 0.5, 1: 0.5})
    assert model.imbllm_report["added"] == {"1": 25}


def test_a_whole_fit_shares_one_generator_a_fold_and_original_labels_name_the_classes(tmp_path: Path) -> None:
    table = imbalanced_table(200).assign(note=[f"call number {i} of this long month" for i in range(200)])
    settings = {**TINY, "method": "pred_llm", **MEASURES, "target_prior": {"no": 0.5, "yes": 0.5}}
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
            assert report["oversampling"]["raw_view"]
            assert report["before"]["0"] + report["added"]["0"] == report["before"]["1"]
            generators.add(report["oversampling"]["generator"])
    assert len(generators) == 2
    assert predictor.predict_proba(table).notna().all(axis=None)
