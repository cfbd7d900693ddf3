from __future__ import annotations

import copy
import hashlib
import logging
import random
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from autogluon.core.metrics import get_metric
from autogluon.core.utils.exceptions import ConstraintViolationError, TimeLimitExceeded
from autogluon.tabular.models import LGBModel

import imbllm_autogluon
from imbllm_autogluon.errors import BackboneError, InvalidInputError, OutOfTimeError
from imbllm_autogluon.language import compact
from imbllm_autogluon.plugin.stage import (
    _splits_internally,
    _with_validation_rows,
    answers_by_highest_probability,
    plan_for,
    predictor_folder,
    skipped_by_autogluon,
    task_of,
)
from imbllm_autogluon.plugin.twins import twin_of
from imbllm_autogluon.rebalancing import RebalanceConfig
from imbllm_autogluon.rebalancing.rows import GENERATORS
from tests.plugin.recording import RecordingModel, SplittingModel
from tests.shared import TINY

Table = tuple[pd.DataFrame, pd.Series]
PACKAGE = str(Path(imbllm_autogluon.__file__).parent)


def twin(tmp_path: Path, model_class: type = RecordingModel, *, eval_metric: str = "roc_auc", **settings: Any) -> Any:
    hyperparameters = {f"ag.imbllm.{key}": value for key, value in {**TINY, **settings}.items()}
    problem_type = "multiclass" if eval_metric.endswith("macro") or eval_metric == "balanced_accuracy" else "binary"
    return twin_of(model_class)(
        path=str(tmp_path),
        name="m",
        problem_type=problem_type,
        eval_metric=eval_metric,
        hyperparameters=hyperparameters,
    )


def fitted(tmp_path: Path, table: Table, *, fit: dict[str, Any] | None = None, **settings: Any) -> Any:
    X, y = table
    model = twin(tmp_path, **settings)
    model.fit(X=X, y=y, num_cpus=1, num_gpus=0, **(fit or {}))
    return model


def digest(table: pd.DataFrame | pd.Series) -> str:
    hashes = pd.util.hash_pandas_object(table, index=True).to_numpy().tobytes()
    return hashlib.sha256(hashes + str(getattr(table, "dtypes", None)).encode()).hexdigest()


def test_the_model_learns_from_real_rows_followed_by_written_ones(fold: Table, tmp_path: Path) -> None:
    model = fitted(tmp_path, fold)
    X, y = RecordingModel.seen["X"], RecordingModel.seen["y"]
    assert y.value_counts().to_dict() == {0: 100, 1: 40}
    pd.testing.assert_frame_equal(X.iloc[:120], fold[0])
    pd.testing.assert_series_equal(y.iloc[:120], fold[1])
    assert X.dtypes.equals(fold[0].dtypes)
    assert X.index.is_unique
    assert (X.index == y.index).all()
    assert model.imbllm_report["added"] == {"1": 20}


def test_the_frames_of_the_caller_and_the_validation_rows_are_untouched(fold: Table, tmp_path: Path) -> None:
    X, y = fold
    X_val, y_val = X.iloc[::3].copy(), y.iloc[::3].copy()
    before = [digest(part) for part in (X, y, X_val, y_val)]
    fitted(tmp_path, fold, fit={"X_val": X_val, "y_val": y_val})
    assert [digest(part) for part in (X, y, X_val, y_val)] == before
    assert digest(RecordingModel.seen["X_val"]) == before[2]
    assert digest(RecordingModel.seen["y_val"]) == before[3]


def test_written_rows_weigh_as_much_as_real_ones_on_average(fold: Table, tmp_path: Path) -> None:
    weights = np.linspace(0.5, 1.5, 120)
    fitted(tmp_path, fold, fit={"sample_weight": weights})
    seen = RecordingModel.seen["sample_weight"]
    assert seen[:120].tolist() == weights.tolist()
    assert seen[120:] == pytest.approx(np.full(20, weights.mean()))


def test_parameters_of_ours_without_their_prefix_are_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = {"method": "random", "temperature": 1.0, "learning_rate": 0.1, "ag.imbllm.target_ratio": 1.0}
    with caplog.at_level(30, "autogluon.imbllm"):
        model = twin_of(LGBModel)(path=str(tmp_path), name="T", hyperparameters=given)
        copy.deepcopy(model)  # as for every fold
    assert [record.getMessage() for record in caplog.records] == [
        f"imbllm: {name!r} of T goes to the model itself; its rebalancing is told with 'ag.imbllm.{name}'."
        for name in ("method", "temperature")
    ]


def test_a_balanced_fold_is_left_alone_and_says_so(fold: Table, tmp_path: Path) -> None:
    X, _ = fold
    y = pd.Series(np.tile([0, 1], 60).astype("uint8"), index=X.index)
    model = fitted(tmp_path, (X, y))
    assert len(RecordingModel.seen["X"]) == 120
    assert "balanced" in model.imbllm_report["reason"]
    assert model._imbllm_factors is None


@pytest.mark.parametrize("problem_type", ["softclass", "quantile"])
def test_other_problem_types_pass_through(fold: Table, tmp_path: Path, problem_type: str) -> None:
    model = twin(tmp_path)
    model.problem_type = problem_type
    plan = model.plan_rows(*fold)
    assert not plan.counts
    assert problem_type in plan.reason


def test_probabilities_are_corrected_to_the_real_class_shares(fold: Table, tmp_path: Path) -> None:
    corrected = fitted(tmp_path / "a", fold).predict_proba(fold[0])
    raw = fitted(tmp_path / "b", fold, prior_correction="none").predict_proba(fold[0])
    assert raw == pytest.approx(np.full(120, 40 / 140))
    assert corrected == pytest.approx(np.full(120, 20 / 120))


@pytest.mark.parametrize(
    ("eval_metric", "choice", "corrects"),
    [
        ("balanced_accuracy", "auto", False),
        ("f1_macro", "auto", False),
        ("balanced_accuracy", "prior", True),
        ("roc_auc", "auto", True),
        ("f1", "auto", True),
        ("log_loss", "auto", True),
        ("log_loss", "none", False),
    ],
)
def test_auto_corrects_except_for_multiclass_class_metrics(
    fold: Table, tmp_path: Path, eval_metric: str, choice: str, corrects: bool
) -> None:
    X, y = fold
    if eval_metric in ("balanced_accuracy", "f1_macro"):
        y = pd.Series(np.repeat([0, 1, 2], [80, 25, 15]).astype("uint8"), index=X.index)
    model = fitted(tmp_path, (X, y), eval_metric=eval_metric, prior_correction=choice)
    assert (model._imbllm_factors is not None) == corrects


def test_multiclass_probabilities_are_corrected_for_every_class(fold: Table, tmp_path: Path) -> None:
    X, _ = fold
    y = pd.Series(np.repeat([0, 1, 2], [80, 25, 15]).astype("uint8"), index=X.index)
    model = fitted(tmp_path, (X, y), eval_metric="f1_macro", prior_correction="prior")
    assert model.predict_proba(X)[0] == pytest.approx(np.array([80, 25, 15]) / 120, abs=1e-6)


def test_a_fit_of_a_twin_is_few_calls_away_from_the_language_model(fold: Table, tmp_path: Path) -> None:
    hops: dict[bool, int] = {}

    def count(module: torch.nn.Module, _: object) -> None:
        files = [frame.f_code.co_filename for frame, _ in traceback.walk_stack(None)]
        own = [file for file in files if file.startswith(PACKAGE) and file != compact.__file__]
        hops[module.training] = max(len(own), hops.get(module.training, 0))

    with torch.nn.modules.module.register_module_forward_pre_hook(count):
        fitted(tmp_path, fold)
    assert set(hops) == {True, False}, "the generator is trained, and it writes"
    assert max(hops.values()) <= 22


def test_all_families_of_a_fold_share_one_generator(fold: Table, tmp_path: Path) -> None:
    (tmp_path / "learner.pkl").touch()
    reports = [fitted(tmp_path / "models" / name, fold).imbllm_report["oversampling"] for name in ("A", "B", "C")]
    assert [report["trained_here"] for report in reports] == [True, False, False]
    assert len({report["generator"] for report in reports}) == 1
    assert len(GENERATORS.keys(tmp_path / "utils" / "imbllm")) == 1


def test_a_model_of_its_own_leaves_no_cache_folder(fold: Table, tmp_path: Path) -> None:
    fitted(tmp_path / "models" / "A", fold)
    assert predictor_folder(str(tmp_path / "models" / "A")) is None
    assert not list(tmp_path.rglob("generators"))


def test_a_chosen_cache_folder_is_used(fold: Table, tmp_path: Path) -> None:
    fitted(tmp_path / "model", fold, cache_dir=str(tmp_path / "mine"))
    assert len(GENERATORS.keys(tmp_path / "mine")) == 1


def test_an_unwritable_cache_folder_warns_and_the_fit_goes_on(
    fold: Table, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING, "autogluon.imbllm"):
        model = fitted(tmp_path / "model", fold, cache_dir=str(tmp_path / "file"))
    assert "kept in memory" in caplog.text
    assert model.imbllm_report["added"] == {"1": 20}


def test_an_unknown_parameter_is_refused_before_any_fit(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'target_ratio'"):
        twin(tmp_path, target_ration=1.0)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(fold: Table, tmp_path: Path) -> None:
    def rows(name: str, seed: int) -> pd.DataFrame:
        fitted(tmp_path / name, fold, random_state=seed, cache_dir=str(tmp_path / name))
        frame: pd.DataFrame = RecordingModel.seen["X"]
        return frame

    first, second, other = rows("a", 1), rows("b", 1), rows("c", 2)
    pd.testing.assert_frame_equal(first, second)
    assert not first.equals(other)


def test_global_state_is_unchanged_after_a_fit(fold: Table, tmp_path: Path) -> None:
    def state() -> list[Any]:
        loggers = [logging.getLogger(name).level for name in (None, "transformers", "autogluon", "imbllm_autogluon")]
        numpy_state = np.random.get_state()[1].tolist()  # noqa: NPY002
        return [random.getstate(), numpy_state, torch.get_rng_state().tolist(), torch.get_num_threads(), loggers]

    before = state()
    fitted(tmp_path, fold)
    assert state() == before


def test_when_writing_rows_takes_the_whole_time_the_model_is_skipped(fold: Table, tmp_path: Path) -> None:
    model = twin(tmp_path)
    with pytest.raises(TimeLimitExceeded):
        model.fit(X=fold[0], y=fold[1], num_cpus=1, num_gpus=0, time_limit=0.05)


def test_without_its_language_model_a_twin_is_skipped_with_the_reason(fold: Table, tmp_path: Path) -> None:
    model = twin(tmp_path, backbone="smollm2")
    with pytest.raises(ConstraintViolationError, match="imbllm models fetch smollm2") as caught:
        model.fit(X=fold[0], y=fold[1], num_cpus=1, num_gpus=0)
    assert "imbllm models fetch smollm2" in caught.value.reason


def test_the_time_of_the_stage_is_taken_off_the_model_and_training_gets_half(fold: Table, tmp_path: Path) -> None:
    model = fitted(tmp_path, fold, fit={"time_limit": 60.0})
    assert RecordingModel.seen["time_limit"] < 60.0 - model.imbllm_report["seconds"] + 0.5


def test_families_that_cut_validation_rows_get_real_ones(fold: Table, tmp_path: Path) -> None:
    X, y = fold
    model = twin(tmp_path, SplittingModel)
    model.fit(X=X, y=y, num_cpus=1, num_gpus=0)
    seen = SplittingModel.seen
    assert len(seen["X_val"]) == 24
    assert set(seen["X_val"].index) <= set(X.index)
    real = seen["X"].iloc[:96]
    assert not set(real.index) & set(seen["X_val"].index)
    assert seen["y"].value_counts().to_dict() == {0: 80, 1: 32}


def test_memory_estimates_grow_with_the_fold(fold: Table, tmp_path: Path) -> None:
    X, y = fold
    plain = LGBModel(path=str(tmp_path), name="p", problem_type="binary")
    imb = twin(tmp_path, LGBModel)
    for model in (plain, imb):
        model.initialize(X=X, y=y)
    ratio = imb.estimate_memory_usage(X=X, y=y) / plain.estimate_memory_usage(X=X, y=y)
    assert ratio == pytest.approx(140 / 120, rel=0.01)


def test_the_report_is_part_of_the_models_information(fold: Table, tmp_path: Path) -> None:
    info = fitted(tmp_path, fold).get_info()
    assert info["imbllm"]["before"] == {"0": 100, "1": 20}
    assert info["imbllm"]["oversampling"]["classes"][0]["made"] == 20


def test_factors_are_fitted_to_the_validation_rows_of_the_fold(fold: Table, tmp_path: Path) -> None:
    X, y = fold
    # Validation rows of which half are of the rare class: the recording model predicts one half for every row.
    half = pd.concat([y[y == 0].head(20), y[y == 1].head(20)])
    validation = {"X_val": X.loc[half.index], "y_val": half}
    held_out = fitted(
        tmp_path / "a", fold, fit=validation, prior_correction="holdout", target_ratio=1.0
    )._imbllm_factors
    by_shares = fitted(tmp_path / "b", fold, fit=validation, prior_correction="prior", target_ratio=1.0)._imbllm_factors
    assert held_out[1] / held_out[0] > 2 * by_shares[1] / by_shares[0]
    assert by_shares[1] / by_shares[0] == pytest.approx(20 / 100)


def test_without_validation_rows_the_class_shares_decide(fold: Table, tmp_path: Path) -> None:
    model = fitted(tmp_path, fold, prior_correction="holdout")
    assert model.imbllm_report["prior_factors"] == pytest.approx([(100 / 120) / (100 / 140), (20 / 120) / (40 / 140)])


def test_majority_rows_are_left_out_with_their_weights_and_counted_in_the_factors(fold: Table, tmp_path: Path) -> None:
    X, y = fold
    weights = np.where(y == 0, 1.0, 3.0)
    given = {"sample_weight": weights, "X_val": X.iloc[::3], "y_val": y.iloc[::3]}
    model = fitted(tmp_path, fold, fit=given, majority_ratio=1.5)
    seen = RecordingModel.seen
    assert seen["y"].value_counts().to_dict() == {0: 60, 1: 40}  # of 100 and 20
    assert set(seen["X"].index[:80]) <= set(X.index)
    assert seen["sample_weight"][:80].tolist() == np.where(seen["y"].iloc[:80] == 0, 1.0, 3.0).tolist()
    assert len(seen["X_val"]) == 40
    assert model.imbllm_report["prior_factors"] == pytest.approx([(100 / 120) / (60 / 100), (20 / 120) / (40 / 100)])
    assert "60 of 100 rows of class 0 are learned (majority_ratio)" in model.imbllm_report["notes"]


@pytest.mark.parametrize(
    ("eval_metric", "stopping", "expected"),
    [
        ("roc_auc", "eval_metric", "roc_auc"),
        ("roc_auc", "default", "log_loss"),
        ("f1", "eval_metric", "f1"),
        ("f1", "default", "f1"),
    ],
)
def test_training_stops_on_the_metric_of_the_fit_unless_told_otherwise(
    eval_metric: str, stopping: str, expected: str, tmp_path: Path
) -> None:
    model = twin(tmp_path, LGBModel, eval_metric=eval_metric, stopping=stopping)
    model.initialize()
    assert model.stopping_metric.name == expected


def test_a_plain_model_keeps_autogluons_choice_and_an_own_one_wins(tmp_path: Path) -> None:
    plain = LGBModel(path=str(tmp_path), name="p", problem_type="binary", eval_metric="roc_auc")
    plain.initialize()
    assert plain.stopping_metric.name == "log_loss"
    model = twin_of(LGBModel)(
        path=str(tmp_path),
        name="t",
        problem_type="binary",
        eval_metric="roc_auc",
        hyperparameters={"ag.stopping_metric": "average_precision"},
    )
    model.initialize()
    assert model.stopping_metric.name == "average_precision"


def test_the_cut_is_stratified_disjoint_and_carries_the_weights_along() -> None:
    X = pd.DataFrame({"a": np.arange(100)})
    y = pd.Series([1] * 20 + [0] * 80)
    weights = np.arange(100.0)
    X_train, y_train, X_val, y_val, train_weights = _with_validation_rows(X, y, weights, 0)
    assert sorted([*X_train.index, *X_val.index]) == list(range(100))
    assert y_val.sum() == 4
    assert train_weights is not None
    assert train_weights.tolist() == X_train["a"].tolist()
    assert (y_train.index == X_train.index).all()


def test_a_lone_row_of_a_class_does_not_stop_the_cut() -> None:
    X = pd.DataFrame({"a": np.arange(20)})
    _, y_train, _, y_val, weights = _with_validation_rows(X, pd.Series([1] + [0] * 19), None, 0)
    assert len(y_train) + len(y_val) == 20
    assert weights is None


def test_targets_of_all_sizes_are_in_both_parts() -> None:
    y = pd.Series(np.random.default_rng(0).exponential(1.0, 100))
    for seed in range(5):
        _, train, _, validation, _ = _with_validation_rows(pd.DataFrame({"a": y}), y, None, seed, targets=True)
        top = y.nlargest(10).index
        assert len(validation.index.intersection(top)) == 2
        assert len(train.index.intersection(top)) == 8


@pytest.mark.parametrize("n_rows", [3, 11])
def test_few_targets_are_cut_at_random(n_rows: int) -> None:
    y = pd.Series(np.arange(n_rows, dtype=float))
    _, train, _, validation, _ = _with_validation_rows(pd.DataFrame({"a": y}), y, None, 0, targets=True)
    assert len(train) + len(validation) == n_rows


def test_only_the_named_families_are_cut() -> None:
    assert _splits_internally(twin_of(SplittingModel))
    assert not _splits_internally(twin_of(RecordingModel))


Y = pd.Series([0] * 60 + [1] * 20)


def test_the_same_column_is_planned_by_class_or_by_bin() -> None:
    tasks = {name: task_of(name) for name in ("binary", "multiclass", "regression", "quantile", "softclass", None)}
    assert list(tasks.values()) == ["classification", "classification", "regression", None, None, None]
    assert plan_for("binary", Y, RebalanceConfig()).counts == {1: 15}
    metrics = ("average_precision", "roc_auc", "log_loss", "f1", "balanced_accuracy")
    plans = [plan_for("binary", Y, RebalanceConfig(), get_metric(name, "binary")) for name in metrics]
    assert [plan.counts[1] for plan in plans] == [20, 20, 20, 15, 15]
    assert plan_for("regression", Y, RebalanceConfig()).counts == {19: 40}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BackboneError("there is no model"), ConstraintViolationError),
        (OutOfTimeError("no time"), TimeLimitExceeded),
        (InvalidInputError("a fault"), InvalidInputError),
    ],
)
def test_what_cannot_run_here_is_skipped_and_a_fault_is_not(error: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected) as caught, skipped_by_autogluon("Model"):
        raise error
    assert caught.value is error or caught.value.__cause__ is error


def test_the_reason_names_the_model(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConstraintViolationError, match="Model: there is no model"), skipped_by_autogluon("Model"):
        raise BackboneError("there is no model")
    with (
        caplog.at_level(logging.INFO, "autogluon.imbllm"),
        pytest.raises(TimeLimitExceeded),
        skipped_by_autogluon("Model"),
    ):
        raise OutOfTimeError("no time")
    assert "Model is skipped: no time" in caplog.text


@pytest.mark.parametrize(
    ("problem_type", "metric", "expected"),
    [
        ("multiclass", "balanced_accuracy", True),
        ("multiclass", "f1_macro", True),
        ("multiclass", "log_loss", False),
        ("binary", "balanced_accuracy", False),
        ("binary", "roc_auc", False),
    ],
)
def test_only_metrics_of_more_than_two_classes_have_no_threshold(
    problem_type: str, metric: str, expected: bool
) -> None:
    assert answers_by_highest_probability(problem_type, get_metric(metric, problem_type)) is expected


PRED_LLM = {
    "target_ratio": 1.0,
    "target_prior": "uniform",
    "oversampling_cap": 3.0,
    "start": "class",
    "first_stage": "logistic",
}


def test_a_twin_learns_from_real_rows_and_rows_whose_class_was_asked(fold: Table, tmp_path: Path) -> None:
    model = fitted(tmp_path, fold, method="pred_llm", **PRED_LLM)
    assert RecordingModel.seen["y"].value_counts().to_dict() == {0: 100, 1: 100}
    pd.testing.assert_frame_equal(RecordingModel.seen["X"].iloc[:120], fold[0])
    report = model.imbllm_report["oversampling"]
    assert report["method"] == "pred_llm"
    assert report["classes"][0]["candidates"] >= 80


@pytest.mark.parametrize("n_given", [0, 7])
def test_a_twin_learns_from_the_rows_that_were_given_their_class_and_is_corrected_for_those(
    n_given: int, fold: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "imbllm_autogluon.oversampling.pred_llm._CandidateWriter._answers",
        lambda writer, cells, *given: (np.arange(cells.n_rows) < n_given).astype(np.int64),
    )
    model = fitted(tmp_path, fold, method="pred_llm", candidates_per_row=1.0)
    assert RecordingModel.seen["y"].value_counts().to_dict() == {0: 100, 1: 20 + n_given}
    assert model.imbllm_report["added"] == ({"1": 7} if n_given else {})
    shares = [100 / 120, 20 / 120], [100 / (120 + n_given), (20 + n_given) / (120 + n_given)]
    factors = [real / rebalanced for real, rebalanced in zip(*shares, strict=True)]
    assert (model.imbllm_report.get("prior_factors") or [1, 1]) == pytest.approx(factors)


def test_without_a_predictor_classes_are_named_by_their_codes(fold: Table, tmp_path: Path) -> None:
    model = fitted(tmp_path, fold, method="pred_llm", target_prior={0: 0.5, 1: 0.5})
    assert model.imbllm_report["added"] == {"1": 20}
