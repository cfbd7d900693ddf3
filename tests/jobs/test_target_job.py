from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.jobs.contenders import base_models, is_latent_diff, is_twin
from imbllm_autogluon.jobs.target_job import TargetJob
from imbllm_autogluon.plugin.portfolio import RebalanceCallback
from imbllm_autogluon.tables.target import TargetTable
from tests.jobs.target_fits import houses, target_outcome, target_table, tiny_target_job, unbagged_outcome

if TYPE_CHECKING:
    from pathlib import Path

BAD_JOBS = {
    "metric": ({"metric": "mean_abs_error"}, r"'mean_abs_error' for a regression label \(did you mean.*few_mae"),
    "metric of classes": ({"metric": "f1"}, "unknown metric 'f1' for a regression label: .*--task classification"),
    "metric of no target": (
        {"metric": "many_mae", "settings": {"n_bins": 50}},
        r"'many_mae' is about targets that houses.csv does not have.*is many-shot \(over 100 rows\); there are: few",
    ),
    "method of classes": ({"settings": {"method": "smote_nc"}}, "method 'smote_nc' is none for regression"),
    "setting": ({"settings": {"n_bin": 3}}, r"setting 'ag.imbllm.n_bin' \(did you mean 'n_bins'"),
    "folds": ({"folds": 1}, "folds must be a whole number between 2 and 20; got 1"),
}


@pytest.mark.parametrize(("options", "message"), BAD_JOBS.values(), ids=BAD_JOBS)
def test_a_bad_option_is_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        TargetJob(target_table(), tmp_path / "fit", **options)
    assert not (tmp_path / "fit").exists()


def test_a_test_table_must_hold_the_columns_of_training_and_a_target(tmp_path: Path) -> None:
    without = TargetTable.known_rows(houses().drop(columns="city"), "price", "test.csv")
    with pytest.raises(TableError, match=r"test.csv lacks 1 column\(s\) of houses.csv: city"):
        TargetJob(target_table(), tmp_path / "fit", test=without)
    unknown = TargetTable.known_rows(houses().assign(price=np.nan), "price", "test.csv")
    with pytest.raises(TableError, match=r"test.csv: the label 'price' is missing in every row"):
        TargetJob(target_table(), tmp_path / "fit", test=unknown)


def test_the_metric_is_the_mean_absolute_error_unless_another_is_named(tmp_path: Path) -> None:
    job = TargetJob(target_table(), tmp_path / "fit")
    assert (job.problem_type, job.eval_metric, job.scorer) == (
        "regression",
        "mean_absolute_error",
        "mean_absolute_error",
    )
    assert TargetJob(target_table(), tmp_path / "fit", metric="rmse").scorer == "rmse"
    named = TargetJob(target_table(), tmp_path / "fit", metric="geometric_mean_error")
    assert named.scorer.name == "geometric_mean_error"


def test_few_shot_errors_are_of_targets_that_are_few_in_the_training_table(tmp_path: Path) -> None:
    job = TargetJob(target_table(), tmp_path / "fit", metric="few_mae", settings={"n_bins": 4})
    counts = job.bins.counts(job.train.targets)
    rare = job.bins.centres[np.flatnonzero(counts < 20)[-1]]
    common = job.bins.centres[counts.argmax()]
    # Alone, each of these rows would be a few-shot one.
    assert float(job.scorer(np.array([rare, common]), np.array([rare + 7, common + 500]))) == pytest.approx(-7)


def test_settings_reach_the_callback_and_the_bins(tmp_path: Path) -> None:
    job = tiny_target_job(target_table(), tmp_path / "fit", settings={"n_bins": 5, "bins": "quantile"})
    assert job.fit_arguments()["callbacks"] == [[RebalanceCallback, {"n_bins": 5, "bins": "quantile"}]]
    assert job.bin_counts.tolist() == [30] * 5


def test_plain_models_compete_with_twins_and_latent_diff() -> None:
    predictor = target_outcome().predictor
    plain, ours = base_models(predictor)
    assert plain == ["KNeighbors_BAG_L1"]
    assert sorted(ours) == ["KNeighborsImb_BAG_L1", "LatentDiff_BAG_L1"]
    assert [name for name in ours if is_twin(predictor, name)] == ["KNeighborsImb_BAG_L1"]
    assert [name for name in ours if is_latent_diff(predictor, name)] == ["LatentDiff_BAG_L1"]
    assert predictor.problem_type == "regression"
    assert target_outcome().comparison.contenders.ours == "twins and LatentDiff"


def test_the_saved_predictor_keeps_model_metric_and_targets_with_fractions() -> None:
    outcome = unbagged_outcome()
    loaded = TabularPredictor.load(str(outcome.job.out))
    assert loaded.model_best == outcome.predictor.model_best
    assert loaded.eval_metric.name == "few_mae"
    answers = loaded.predict(houses(20, seed=3))
    assert answers.dtype.kind == "f"
    assert (answers % 1 != 0).any()
