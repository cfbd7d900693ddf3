from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.errors import ClassTooSmallError, ImbLLMError, InvalidInputError, TableError
from imbllm_autogluon.jobs.base_job import with_add_on
from imbllm_autogluon.jobs.contenders import base_models
from imbllm_autogluon.jobs.folders import OF_A_PREDICTOR, left_by_a_fit, prepare_folder
from imbllm_autogluon.jobs.job import FitJob
from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.plugin.portfolio import RebalanceCallback
from imbllm_autogluon.plugin.presets import presets
from imbllm_autogluon.rebalancing.cache import cache_of
from imbllm_autogluon.rebalancing.rows import GENERATORS, POOLS
from imbllm_autogluon.tables.labelled import LabelledTable
from tests.jobs.fits import binary_outcome, labelled, mixed_table, tiny_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

BINARY = {"no": 150, "yes": 30}


BAD_JOBS = {
    "preset": ({"presets": ("best_qualty",)}, r"preset 'best_qualty' \(did you mean 'best_quality'\?\); .*imbllm"),
    "metric": ({"metric": "f_1"}, r"metric 'f_1' for a binary label \(did you mean 'f1'\?\).*average_precision"),
    "metric of regression": ({"metric": "rmse"}, "unknown metric 'rmse' for a binary label: .*--task regression"),
    "metric of rare targets": ({"metric": "few_mae"}, "it is one of regression"),
    "family": ({"families": ("GBMM",)}, r"unknown model family 'GBMM' \(did you mean 'GBM'\?\)"),
    "setting": ({"settings": {"temprature": 1}}, r"setting 'ag.imbllm.temprature' \(did you mean 'temperature'"),
    "value of a setting": ({"settings": {"temperature": -1}}, "temperature must be a number between 0.01 and 100"),
    "folds": ({"folds": 1}, "folds must be a whole number between 2 and 20; got 1"),
    "time limit": ({"time_limit": 0}, "time_limit must be a number at least 0.001; got 0"),
    "threads": ({"threads": 0}, "threads must be"),
    "positive class": ({"positive_class": "yess"}, r"no class 'yess' \(did you mean 'yes'\?\)"),
}


@pytest.mark.parametrize(("options", "message"), BAD_JOBS.values(), ids=BAD_JOBS)
def test_a_bad_option_is_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        FitJob(labelled(BINARY), tmp_path / "fit", **options)
    assert not (tmp_path / "fit").exists()


def test_a_class_of_one_row_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ClassTooSmallError, match=r"rows.csv: class 'yes' of the label 'label' has 1 row; at least 2"):
        FitJob(labelled({"no": 50, "yes": 1}), tmp_path / "fit")


def test_a_test_table_must_hold_the_columns_of_training(tmp_path: Path) -> None:
    test = LabelledTable.of(mixed_table(BINARY).drop(columns=["city", "visits"]), "label", "test.csv")
    with pytest.raises(TableError, match=r"test.csv lacks 2 column\(s\) of rows.csv: visits, city"):
        FitJob(labelled(BINARY), tmp_path / "fit", test=test)


@pytest.mark.parametrize(("labels", "held"), [(["no"] * 180, "'no'"), ([None] * 180, "none")])
def test_a_test_table_must_hold_two_classes(tmp_path: Path, labels: list[object], held: str) -> None:
    test = LabelledTable.known_rows(mixed_table(BINARY).assign(label=labels), "label", "test.csv")
    with pytest.raises(TableError, match=f"test.csv: scores need rows of two classes.*has: {held}"):
        FitJob(labelled(BINARY), tmp_path / "fit", test=test)


def test_a_positive_class_is_refused_for_three_classes(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="for two classes; the label 'label' has 3"):
        FitJob(labelled({"a": 20, "b": 10, "c": 5}), tmp_path / "fit", positive_class="c")


@pytest.mark.parametrize(
    ("sizes", "options", "metric", "positive"),
    [
        ({"no": 50, "yes": 10}, {}, "average_precision", "yes"),
        ({"yes": 50, "no": 10}, {}, "average_precision", "no"),
        ({0: 10, 1: 50}, {"metric": "f1"}, "f1", 0),
        ({"no": 50, "yes": 10}, {"positive_class": "no"}, "average_precision", "no"),
        ({"a": 50, "b": 20, "c": 10}, {}, "balanced_accuracy", None),
    ],
)
def test_the_rarer_class_is_positive_and_the_metric_suits_rare_classes(
    tmp_path: Path, sizes: dict[object, int], options: dict[str, object], metric: str, positive: object
) -> None:
    job = FitJob(labelled(sizes), tmp_path / "fit", **options)
    assert (job.eval_metric, job.positive) == (metric, positive)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), ("imbllm",)),
        (("best_quality",), ("best_quality", "imbllm")),
        (("imbllm",), ("imbllm",)),
        (("imbllm", "high_quality"), ("imbllm", "high_quality")),
        (("good", "ignore_text"), ("good", "ignore_text", "imbllm")),
    ],
)
def test_the_add_on_stands_behind_the_presets_unless_it_is_there(
    tmp_path: Path, given: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert with_add_on(given) == expected
    arguments = FitJob(labelled(BINARY), tmp_path / "fit", presets=given).fit_arguments()
    assert arguments["presets"] == list(expected)
    assert arguments.get("num_bag_folds") == (None if given else 4)


def test_another_preset_of_this_package_needs_no_add_on() -> None:
    for name in presets():
        assert with_add_on((name,)) == (name,)


def test_settings_reach_the_callback_and_families_the_portfolio(tmp_path: Path) -> None:
    arguments = tiny_job(labelled(BINARY), tmp_path / "fit", settings={"temperature": 1.0}).fit_arguments()
    assert arguments["callbacks"] == [[RebalanceCallback, {"temperature": 1.0}]]
    assert arguments["hyperparameters"] == {"KNN": {}, "LR": {}}
    assert (arguments["num_bag_folds"], arguments["num_cpus"]) == (2, 1)


def test_a_folder_in_use_is_refused_without_force(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match="is not empty; name another, replace a fit with --force, or go on"):
        FitJob(labelled(BINARY), tmp_path)
    FitJob(labelled(BINARY), tmp_path, force=True)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_force_removes_what_a_fit_left_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    (tmp_path / "models" / "LightGBM").mkdir(parents=True)
    (tmp_path / "predictor.pkl").write_bytes(b"old")
    prepare_folder(tmp_path, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_below_a_file_is_refused_when_the_job_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match="cannot be written"):
        FitJob(labelled(BINARY), tmp_path / "file" / "fit").run()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInputError, match="is a file; name a folder"):
        FitJob(labelled(BINARY), tmp_path / "file")


@pytest.mark.parametrize(("names", "left"), [(OF_A_PREDICTOR, True), ((), True), (("models", "thesis.txt"), False)])
def test_a_fit_is_recognised_by_what_it_leaves(tmp_path: Path, names: tuple[str, ...], left: bool) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert left_by_a_fit(tmp_path) is left
    assert not left_by_a_fit(tmp_path / "absent")


def test_replacing_and_going_on_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"either replaced \(force\) or gone on with \(resume\); not both"):
        FitJob(labelled(BINARY), tmp_path, force=True, resume=True)


def test_a_folder_of_somebody_else_cannot_be_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match="holds files that no fit left there"):
        FitJob(labelled(BINARY), tmp_path, resume=True)


def test_going_on_where_nothing_can_be_made_is_the_error_of_a_new_fit(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match="cannot be written"):
        FitJob(labelled(BINARY), tmp_path / "file" / "fit", resume=True).run()


@contextlib.contextmanager
def counted_trainings(*, killed_after: int | None = None) -> Iterator[list[int]]:
    """Rows of each generator that is trained; the process is interrupted when that many are."""
    rows: list[int] = []
    fit = ImbLLM.fit

    def counted(self: ImbLLM, X: pd.DataFrame, *arguments: Any, **options: Any) -> Any:
        if len(rows) == killed_after:
            raise KeyboardInterrupt
        rows.append(len(X))
        return fit(self, X, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImbLLM, "fit", counted)
        yield rows
    for shelf in (GENERATORS, POOLS):
        shelf.forget()  # as in a new process


def test_an_interrupted_fit_goes_on_with_the_generators_it_has(tmp_path: Path) -> None:
    job = tiny_job(labelled(BINARY), tmp_path / "fit", families=("LR",))
    with counted_trainings(killed_after=1) as first, pytest.raises(KeyboardInterrupt):
        job.run()
    assert left_by_a_fit(job.out)
    made = GENERATORS.keys(cache_of(job.out))
    assert len(first) == len(made) == 1

    with counted_trainings() as second:
        outcome = replace(job, resume=True).run()
    assert len(second) == 1
    assert outcome.generator_fits == 2
    assert set(made) < set(GENERATORS.keys(cache_of(job.out)))
    assert base_models(outcome.predictor) == (["LinearModel_BAG_L1"], ["LinearModelImb_BAG_L1"])

    with counted_trainings() as third:
        again = replace(job, resume=True).run()
    assert third == []
    assert again.comparison.scores == outcome.comparison.scores


def test_a_failed_attempt_to_go_on_keeps_what_was_made(tmp_path: Path) -> None:
    kept = cache_of(tmp_path / "fit") / "generators" / "entry"
    kept.mkdir(parents=True)
    with pytest.raises(ImbLLMError, match="AutoGluon trained no model"):
        tiny_job(labelled(BINARY), tmp_path / "fit", time_limit=0.001, resume=True).run()
    assert kept.is_dir()


def test_every_family_competes_with_its_twin_and_folds_share_one_generator() -> None:
    outcome = binary_outcome()
    assert base_models(outcome.predictor) == (
        ["KNeighbors_BAG_L1", "LinearModel_BAG_L1"],
        ["KNeighborsImb_BAG_L1", "LinearModelImb_BAG_L1"],
    )
    assert outcome.generator_fits == 2
    assert outcome.predictor.positive_class == "yes"


def test_the_saved_predictor_keeps_the_calibrated_threshold_and_the_model() -> None:
    outcome = binary_outcome()
    loaded = TabularPredictor.load(str(outcome.job.out))
    assert loaded.decision_threshold == outcome.predictor.decision_threshold != 0.5
    assert loaded.model_best == outcome.predictor.model_best
    assert outcome.comparison.contenders.plain in loaded.model_names()


def test_a_time_limit_too_short_for_any_model_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ImbLLMError, match="AutoGluon trained no model"):
        tiny_job(labelled(BINARY), tmp_path / "fit", time_limit=0.001).run()
    assert not (tmp_path / "fit").exists()
