from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor
from autogluon.tabular.models import LGBModel

from imbllm_autogluon.errors import BackboneError, ClassTooSmallError, ImbLLMError, InvalidInputError, TableError
from imbllm_autogluon.jobs import predict
from imbllm_autogluon.jobs.compare import base_models, model_kind
from imbllm_autogluon.jobs.fit import FitJob
from imbllm_autogluon.jobs.predict import predict_table
from imbllm_autogluon.jobs.task import Task
from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.plugin.ensemble import calibrated_probabilities
from imbllm_autogluon.plugin.portfolio import RebalanceCallback
from imbllm_autogluon.plugin.presets import presets
from imbllm_autogluon.rebalancing import RebalanceConfig
from imbllm_autogluon.rebalancing.cache import cache_of
from imbllm_autogluon.rebalancing.rows import GENERATORS, ROWS_CACHE
from imbllm_autogluon.tables.labeled import LabeledTable
from tests.jobs.fits import (
    begun,
    binary_outcome,
    houses,
    labelled,
    mixed_table,
    multiclass_outcome,
    target_outcome,
    target_table,
    tiny_job,
    tiny_target_job,
    unbagged_outcome,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BINARY = {"no": 150, "yes": 30}


BAD_CLASS_JOBS = {
    "preset": ({"presets": ("best_qualty",)}, r"preset 'best_qualty' \(did you mean 'best_quality'\?\); .*imbllm"),
    "metric": ({"metric": "f1x"}, r"metric 'f1x' for a binary label \(did you mean 'f1'\?\).*average_precision"),
    "metric at a number": ({"metric": "recall_at_precision=80"}, "precision must be a number between"),
    "metric without a number": ({"metric": "precision_at_k"}, "the metrics are: .*brier_score.*precision_at_k=NUMBER"),
    "metric at a word": ({"metric": "precision_at_k=few"}, "k must be a number"),
    "metric of regression": ({"metric": "rmse"}, "unknown metric 'rmse' for a binary label: .*--task regression"),
    "metric of rare targets": ({"metric": "few_mae"}, "it is one of regression"),
    "family": ({"families": ("GBMM",)}, r"unknown model family 'GBMM' \(did you mean 'GBM'\?\)"),
    "setting": ({"settings": {"temprature": 1}}, r"setting 'ag.imbllm.temprature' \(did you mean 'temperature'"),
    "value of a setting": ({"settings": {"temperature": -1}}, "temperature must be a number between 0.01 and 100"),
    "steps": ({"settings": {"steps": 0}}, "steps must be a whole number between 1 and 1000000; got 0"),
    "seed": ({"settings": {"random_state": -1}}, "random_state must be a whole number between 0 and"),
    "device": ({"settings": {"device": "cuda:99"}}, "device='cuda:99' is not on this machine"),
    "folds": ({"folds": 1}, "folds must be a whole number between 2 and 20; got 1"),
    "bag sets": ({"bag_sets": 0}, "bag_sets must be a whole number between 1 and 20; got 0"),
    "bag sets without folds": ({"bag_sets": 2, "folds": 0}, "2 bag sets repeat bagging, and 0 folds are none"),
    "a seed below 0": ({"seed": -1}, "seed must be a whole number between 0 and"),
    "time limit": ({"time_limit": 0}, "time_limit must be a number at least 0.001; got 0"),
    "no time limit": ({"time_limit": float("nan")}, "time_limit must be a number at least 0.001; got nan"),
    "threads": ({"threads": 0}, "threads must be"),
    "positive class": ({"positive_class": "yess"}, r"no class 'yess' \(did you mean 'yes'\?\)"),
    "settings of LatentDiff": (
        {"latent_diff": {"guidance": 2}},
        r"\(guidance\) are for numbers; the label holds classes",
    ),
    "method of numbers": ({"settings": {"method": "smogn"}}, "method 'smogn' is none for classification"),
}


BAD_TARGET_JOBS = {
    "metric": ({"metric": "mean_abs_error"}, r"'mean_abs_error' for a regression label \(did you mean.*few_mae"),
    "metric of classes": ({"metric": "f1"}, "unknown metric 'f1' for a regression label: .*--task classification"),
    "metric of no target": (
        {"metric": "many_mae", "settings": {"n_bins": 50}},
        r"'many_mae' is about targets that houses.csv does not have.*is many-shot \(over 100 rows\); there are: few",
    ),
    "method of classes": ({"settings": {"method": "smote_nc"}}, "method 'smote_nc' is none for regression"),
    "setting": ({"settings": {"n_bin": 3}}, r"setting 'ag.imbllm.n_bin' \(did you mean 'n_bins'"),
    "folds": ({"folds": 1}, "folds must be a whole number between 2 and 20; got 1"),
    "positive class": ({"positive_class": "yes"}, "a positive class is for two classes; the label 'price' is a number"),
    "no families": ({"latent_diff": {"guidance": 2}}, "need the other models by name: give families"),
}


@pytest.mark.parametrize(
    ("is_target", "options", "message"),
    [(False, *case) for case in BAD_CLASS_JOBS.values()] + [(True, *case) for case in BAD_TARGET_JOBS.values()],
    ids=[*BAD_CLASS_JOBS, *(f"numbers: {name}" for name in BAD_TARGET_JOBS)],
)
def test_a_bad_option_is_refused_before_anything_is_written(
    tmp_path: Path, is_target: bool, options: dict[str, Any], message: str
) -> None:
    train = target_table() if is_target else labelled(BINARY)
    with pytest.raises(InvalidInputError, match=message):
        FitJob(train, tmp_path / "fit", **options)
    assert not (tmp_path / "fit").exists()


@pytest.mark.parametrize(
    ("called", "metrics"),
    [
        ("AUC", ("roc_auc", "roc_auc_ovo", None)),
        ("PR-AUC", ("average_precision", None, None)),
        ("ap", ("average_precision", None, None)),
        ("f1", ("f1", "f1_macro", None)),
        ("F1-macro", ("f1_macro", "f1_macro", None)),
        ("acc", ("accuracy", "accuracy", None)),
        ("bacc", ("balanced_accuracy", "balanced_accuracy", None)),
        ("logloss", ("log_loss", "log_loss", None)),
        ("qwk", ("quadratic_kappa", "quadratic_kappa", None)),
        ("brier", ("brier_score", "brier_score", None)),
        ("RMSE", (None, None, "root_mean_squared_error")),
        ("few_mae", (None, None, "few_mae")),
    ],
)
def test_metrics_have_the_usual_names_too(called: str, metrics: tuple[str | None, ...]) -> None:
    trains = (labelled(BINARY), labelled({"a": 9, "b": 9, "c": 9}), target_table())
    for train, metric in zip(trains, metrics, strict=True):
        task = Task(train, called, RebalanceConfig(), None)
        with contextlib.nullcontext() if metric else pytest.raises(InvalidInputError, match="unknown metric"):
            assert task.eval_metric == metric


@pytest.mark.slow
@pytest.mark.parametrize("folds", [0, 2])
def test_a_seed_makes_folds_models_and_rows_and_another_one_others(tmp_path: Path, folds: int) -> None:
    def answers(name: str, seed: int) -> pd.DataFrame:
        job = tiny_job(labelled(BINARY), tmp_path / name, seed=seed, folds=folds, families=("RF",))
        predictor, unseen = job.run().predictor, mixed_table(BINARY, seed=1)
        models = ("RandomForest", "RandomForestImb")
        names = [f"{model}_BAG_L1" if folds else model for model in models]
        return pd.DataFrame({name: predictor.predict_proba(unseen, model=name)["yes"] for name in names})

    first, again, other = answers("first", 5), answers("again", 5), answers("other", 6)
    pd.testing.assert_frame_equal(first, again)
    assert all((first[model] != other[model]).any() for model in first)


def test_a_seed_reaches_whatever_is_random(tmp_path: Path) -> None:
    arguments = tiny_job(labelled(BINARY), tmp_path / "fit", seed=7, presets=("imbllm_tuned",)).fit_arguments()
    assert arguments["ag_args_ensemble"]["model_random_seed"] == 7
    (_, options), *_ = (made for made in arguments["callbacks"] if made[0] is RebalanceCallback)
    assert (options["random_state"], options["tune"]["seed"]) == (7, 7)


def test_a_backbone_that_is_not_here_is_refused_before_the_fit(tmp_path: Path) -> None:
    with pytest.raises(
        BackboneError, match=r"the backbone 'smollm2' is not on this machine.*imbllm models fetch smollm2"
    ):
        FitJob(labelled(BINARY), tmp_path / "fit", settings={"backbone": "smollm2"})


def test_a_class_of_one_row_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ClassTooSmallError, match=r"rows.csv: class 'yes' of the label 'label' has 1 row; at least 2"):
        FitJob(labelled({"no": 50, "yes": 1}), tmp_path / "fit")


def test_a_test_table_must_hold_the_columns_of_training(tmp_path: Path) -> None:
    test = LabeledTable.from_frame(mixed_table(BINARY).drop(columns=["city", "visits"]), "label", "test.csv")
    with pytest.raises(TableError, match=r"test.csv lacks 2 column\(s\) of rows.csv: visits, city"):
        FitJob(labelled(BINARY), tmp_path / "fit", test=test)


NUMBERED = {0: 40, 1: 20}

UNKNOWN_LABELS: dict[str, tuple[dict[object, int], dict[object, object], str]] = {
    "written otherwise": (
        BINARY,
        {"yes": "Yes"},
        r"30 rows hold .*: 'Yes' \(did you mean 'yes'\?\). Its classes are: 'no'",
    ),
    "one more": (
        {"a": 40, "b": 20, "c": 9},
        {"b": "fourth"},
        "20 rows hold .*: 'fourth'. Its classes are: 'a', 'b', 'c'",
    ),
    "text for numbers": (NUMBERED, {0: "0", 1: "1"}, r"60 rows .*: '0' \(there it is 0, of another type\), '1' "),
    "text among numbers": (NUMBERED, {1: "one"}, "20 rows hold .* does not have: 'one'. Its classes are: 0, 1. Write"),
}


@pytest.mark.parametrize(("sizes", "written", "message"), UNKNOWN_LABELS.values(), ids=UNKNOWN_LABELS)
def test_labels_of_a_test_table_that_training_does_not_have_are_named_before_the_fit(
    tmp_path: Path, sizes: dict[object, int], written: dict[object, object], message: str
) -> None:
    frame = mixed_table(sizes, seed=1)
    test = LabeledTable.known_rows(frame.assign(label=[written.get(y, y) for y in frame["label"]]), "label", "test.csv")
    with pytest.raises(TableError, match=message):
        FitJob(labelled(sizes), tmp_path / "fit", test=test)


def test_text_among_the_numbers_of_a_test_table_is_shown_before_the_fit(tmp_path: Path) -> None:
    frame = mixed_table(BINARY, seed=1).astype({"visits": object, "amount": object}).assign(city=None)
    frame.loc[3:5, "amount"] = None
    FitJob(labelled(BINARY), tmp_path / "fit", test=LabeledTable.known_rows(frame, "label", "test.csv"))
    frame.loc[7, "visits"] = "six"
    with pytest.raises(TableError, match=r"test.csv: column 'visits' holds 'six', but numbers in rows.csv"):
        FitJob(labelled(BINARY), tmp_path / "fit", test=LabeledTable.known_rows(frame, "label", "test.csv"))


def test_a_test_table_must_hold_two_classes(tmp_path: Path) -> None:
    test = LabeledTable.known_rows(mixed_table(BINARY).assign(label="no"), "label", "test.csv")
    with pytest.raises(TableError, match=r"test.csv: scores need rows of two classes.*has: 'no'\."):
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
        ({0: 10, 1: 50}, {"metric": "precision_at_k=5"}, "precision_at_k=5", 0),
        ({"a": 50, "b": 10, "c": 5}, {"metric": "geometric_mean"}, "geometric_mean", None),
        ({"no": 50, "yes": 10}, {"positive_class": "no"}, "average_precision", "no"),
        ({"a": 50, "b": 20, "c": 10}, {}, "balanced_accuracy", None),
    ],
)
def test_the_rarer_class_is_positive_and_the_metric_suits_rare_classes(
    tmp_path: Path, sizes: dict[object, int], options: dict[str, object], metric: str, positive: object
) -> None:
    job = FitJob(labelled(sizes), tmp_path / "fit", **options)
    assert (job.task.eval_metric, job.task.positive) == (metric, positive)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), ("imbllm",)),
        (("best_quality",), ("best_quality", "imbllm")),
        (("imbllm", "high_quality"), ("imbllm", "high_quality")),
        (("good", "ignore_text"), ("good", "ignore_text", "imbllm")),
        *(((name,), (name,)) for name in presets()),
    ],
)
def test_the_add_on_stands_behind_the_presets_unless_it_is_there(
    tmp_path: Path, given: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    arguments = FitJob(labelled(BINARY), tmp_path / "fit", presets=given).fit_arguments()
    assert arguments["presets"] == list(expected)
    assert arguments.get("num_bag_folds") == (None if given else 4)


def test_settings_reach_the_callback_and_families_the_portfolio(tmp_path: Path) -> None:
    settings = {"temperature": 1.0, "twins": 2}
    arguments = tiny_job(labelled(BINARY), tmp_path / "fit", settings=settings).fit_arguments()
    assert arguments["callbacks"] == [[RebalanceCallback, settings]]
    with pytest.raises(InvalidInputError, match="twins"):
        tiny_job(labelled(BINARY), tmp_path / "fit", settings={"twins": 0})
    assert arguments["hyperparameters"] == {"KNN": {}, "LR": {}}
    assert (arguments["num_bag_folds"], arguments["num_cpus"]) == (2, 1)


def test_replacing_and_going_on_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"either replaced \(force\) or gone on with \(resume\); not both"):
        FitJob(labelled(BINARY), tmp_path, force=True, resume=True)


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
    for shelf in (GENERATORS, ROWS_CACHE):
        shelf.forget()  # as in a new process


def test_an_interrupted_fit_goes_on_with_the_generators_it_has(tmp_path: Path) -> None:
    job = tiny_job(labelled(BINARY), tmp_path / "fit", families=("LR",))
    with counted_trainings(killed_after=1) as first, pytest.raises(KeyboardInterrupt):
        job.run()
    assert job.folder.is_of_a_fit
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
    job = tiny_job(labelled(BINARY), tmp_path / "fit", time_limit=0.001)
    kept = cache_of(job.out) / "generators" / "entry"
    kept.mkdir(parents=True)
    begun(job.out, job)
    with pytest.raises(ImbLLMError, match="AutoGluon trained no model"):
        replace(job, resume=True).run()
    assert kept.is_dir()


def test_families_compete_with_their_twins_and_folds_share_one_generator() -> None:
    outcome = binary_outcome()
    assert base_models(outcome.predictor) == (  # KNN is far from the best
        ["KNeighbors_BAG_L1", "LinearModel_BAG_L1"],
        ["LinearModelImb_BAG_L1"],
    )
    assert outcome.generator_fits == 2
    assert outcome.predictor.positive_class == "yes"


def test_the_saved_predictor_keeps_the_calibrated_threshold_and_the_model() -> None:
    outcome = binary_outcome()
    loaded = TabularPredictor.load(str(outcome.job.out))
    assert loaded.decision_threshold == outcome.predictor.decision_threshold != 0.5
    assert loaded.model_best == outcome.predictor.model_best
    assert outcome.comparison.pair.plain in loaded.model_names()


def test_a_time_limit_too_short_for_any_model_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ImbLLMError, match="AutoGluon trained no model"):
        tiny_job(labelled(BINARY), tmp_path / "fit", time_limit=0.001).run()
    assert not (tmp_path / "fit").exists()


@pytest.mark.parametrize("resume", [False, True])
def test_a_fit_whose_models_all_fail_names_the_reason_of_each_and_leaves_nothing_to_predict_with(
    resume: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(self: object, **kwargs: object) -> None:
        raise ImportError("a library is absent")

    monkeypatch.setattr(LGBModel, "_fit", absent)
    job = tiny_job(labelled(BINARY), tmp_path / "fit", families=("GBM",), settings={"method": "random"}, resume=resume)
    names = "LightGBM_BAG_L1: ImportError: a library is absent. LightGBMImb_BAG_L1: the plain model was not fitted."
    with pytest.raises(ImbLLMError, match=names):
        job.run()
    assert job.out.exists() is resume
    assert not job.folder.is_finished


def test_a_test_table_must_hold_the_columns_of_training_and_a_target(tmp_path: Path) -> None:
    without = LabeledTable.known_rows(houses().drop(columns="city"), "price", "test.csv", task="regression")
    with pytest.raises(TableError, match=r"test.csv lacks 1 column\(s\) of houses.csv: city"):
        FitJob(target_table(), tmp_path / "fit", test=without)
    classes = LabeledTable.known_rows(houses().assign(price="dear"), "price", "test.csv")
    with pytest.raises(TableError, match=r"test.csv is read for classification, houses.csv for regression"):
        FitJob(target_table(), tmp_path / "fit", test=classes)
    unknown = LabeledTable.known_rows(houses().assign(price=np.nan), "price", "test.csv", task="regression")
    with pytest.raises(TableError, match=r"test.csv: the label 'price' is missing in every row"):
        FitJob(target_table(), tmp_path / "fit", test=unknown)


def test_the_metric_is_the_mean_absolute_error_unless_another_is_named(tmp_path: Path) -> None:
    job = FitJob(target_table(), tmp_path / "fit")
    assert (job.task.problem_type, job.task.eval_metric, job.task.scorer) == (
        "regression",
        "mean_absolute_error",
        "mean_absolute_error",
    )
    assert FitJob(target_table(), tmp_path / "fit", metric="rmse").task.scorer == "root_mean_squared_error"
    named = FitJob(target_table(), tmp_path / "fit", metric="geometric_mean_error")
    assert named.task.scorer.name == "geometric_mean_error"


def test_few_shot_errors_are_of_targets_that_are_few_in_the_training_table(tmp_path: Path) -> None:
    job = FitJob(target_table(), tmp_path / "fit", metric="few_mae", settings={"n_bins": 4})
    counts = job.task.bins.counts(job.train.targets)
    rare = job.task.bins.centres[np.flatnonzero(counts < 20)[-1]]
    common = job.task.bins.centres[counts.argmax()]
    # Alone, each of these rows would be a few-shot one.
    assert float(job.task.scorer(np.array([rare, common]), np.array([rare + 7, common + 500]))) == pytest.approx(-7)


def test_settings_reach_the_callback_and_the_bins(tmp_path: Path) -> None:
    job = tiny_target_job(target_table(), tmp_path / "fit", settings={"n_bins": 5, "bins": "quantile"})
    assert job.fit_arguments()["callbacks"] == [[RebalanceCallback, {"n_bins": 5, "bins": "quantile"}]]
    assert job.task.bin_counts.tolist() == [30] * 5


def test_plain_models_compete_with_twins_and_latent_diff() -> None:
    predictor = target_outcome().predictor
    plain, ours = base_models(predictor)
    assert plain == ["KNeighbors_BAG_L1"]
    assert sorted(ours) == ["KNeighborsImb_BAG_L1", "LatentDiff_BAG_L1"]
    assert {name: model_kind(predictor, name) for name in ours} == {
        "KNeighborsImb_BAG_L1": "twin",
        "LatentDiff_BAG_L1": "latent_diff",
    }
    assert predictor.problem_type == "regression"
    assert target_outcome().comparison.pair.ours == "twins and LatentDiff"


def test_the_saved_predictor_keeps_model_metric_and_targets_with_fractions() -> None:
    outcome = unbagged_outcome()
    loaded = TabularPredictor.load(str(outcome.job.out))
    assert loaded.model_best == outcome.predictor.model_best
    assert loaded.eval_metric.name == "few_mae"
    answers = loaded.predict(houses(20, seed=3))
    assert answers.dtype.kind == "f"
    assert (answers % 1 != 0).any()


@pytest.mark.parametrize("at_once", [50_000, 25])
def test_predicted_probabilities_are_calibrated_and_classes_are_the_decided_ones(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "_ROWS_AT_ONCE", at_once)
    outcome = multiclass_outcome()
    rows = outcome.job.train.frame
    chances = predict_table(outcome.predictor, rows, proba=True)
    expected = calibrated_probabilities(outcome.predictor, rows)
    pd.testing.assert_frame_equal(chances, expected.rename(columns=str))
    decided = predict_table(outcome.predictor, rows)["label"]
    answers = outcome.predictor.predict_proba(rows)
    assert decided.tolist() == answers.idxmax(axis=1).tolist()
    assert not outcome.predictor.model_names(persisted=True)


def test_cells_that_training_did_not_have_cost_no_other_row_its_prediction(caplog: pytest.LogCaptureFixture) -> None:
    outcome = multiclass_outcome()
    rows = outcome.job.train.frame.head(8).drop(columns="label")
    odd = rows.astype(object)
    odd.iloc[0, 0], odd.iloc[1, 0], odd.iloc[2, 1], odd.iloc[3, 1], odd.iloc[4, 2] = np.inf, "much", 2.5, "x", 7
    found, plain = (predict_table(outcome.predictor, frame, proba=True) for frame in (odd, rows))
    assert found.notna().all(axis=None)
    pd.testing.assert_frame_equal(found.iloc[5:], plain.iloc[5:])
    assert sum("'amount': 2 of 8 cells are not as in training" in message for message in caplog.messages) == 1
    with pytest.raises(TableError, match=r"lacks 1 column.*: city"):
        predict_table(outcome.predictor, odd.drop(columns="city"))


def test_a_wish_is_no_part_of_what_is_fitted_and_names_one_of_several_classes(tmp_path: Path) -> None:
    train = labelled({"a": 40, "b": 30, "c": 20})
    job = tiny_job(train, tmp_path, wish={"recall": 0.8}, positive_class="c")
    assert job.identity == tiny_job(train, tmp_path).identity
    assert job.decision_arguments == {"recall": 0.8, "positive_class": "c"}
    by_costs = tiny_job(train, tmp_path, wish={"cost_matrix": np.ones((3, 3))})
    assert by_costs.decision_arguments["positive_class"] is None
    for options, message in (
        ({"wish": {"recall": 0.8}}, "which of the classes a, b, c is to be found"),
        ({"wish": {"recall": 0.8}, "positive_class": "d"}, "no class 'd'"),
        ({"wish": {"recall": 8}}, "recall must be a number"),
        ({"wish": {"cost_matrix": np.ones((2, 2))}}, "a cost for each|3 each"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            tiny_job(train, tmp_path, **options)
