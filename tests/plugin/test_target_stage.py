"""What a model learns in a fold of a regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.models import GeneratorModel
from imbllm_autogluon.plugin.stage import OversamplingMixin
from imbllm_autogluon.plugin.twins import twin_of
from tests.plugin.recording import RecordingModel, SplittingModel
from tests.regression.frames import skewed
from tests.shared import TINY

if TYPE_CHECKING:
    from pathlib import Path

    from autogluon.core.models import AbstractModel

METHODS = ("imbllm", "smogn", "random")
SMALL = {**TINY, "n_bins": 8}
N_ROWS = 120


def table(dtype: str = "float64") -> tuple[pd.DataFrame, pd.Series]:
    """A fold as a model sees it: numbers and categories, an index of its own."""
    X, y = skewed(N_ROWS)
    X = X.drop(columns="built").assign(garden=X["garden"].astype("int8"))
    index = pd.Index(range(500, 500 + N_ROWS))
    y = y.round() if dtype.startswith("int") else y
    return X.set_index(index), y.set_axis(index).astype(dtype)


def twin(tmp_path: Path, model_class: type[AbstractModel] = RecordingModel, name: str = "m", **settings: Any) -> Any:
    return twin_of(model_class)(
        path=str(tmp_path),
        name=name,
        problem_type="regression",
        eval_metric="mean_absolute_error",
        hyperparameters={f"ag.imbllm.{key}": value for key, value in {**SMALL, **settings}.items()},
    )


def fitted(
    tmp_path: Path, *, dtype: str = "float64", fit: dict[str, Any] | None = None, **settings: Any
) -> tuple[Any, dict[str, Any]]:
    X, y = table(dtype)
    model = twin(tmp_path, **settings)
    model.fit(X=X, y=y, num_cpus=1, num_gpus=0, **(fit or {}))
    return model, dict(RecordingModel.seen)


@pytest.mark.parametrize("method", METHODS)
def test_the_model_learns_from_real_rows_followed_by_rows_of_rare_targets(method: str, tmp_path: Path) -> None:
    model, seen = fitted(tmp_path, method=method)
    X, y = table()
    pd.testing.assert_frame_equal(seen["X"].iloc[:N_ROWS], X)
    pd.testing.assert_series_equal(seen["y"].iloc[:N_ROWS], y)
    assert len(seen["y"]) == N_ROWS * 1.5
    assert seen["X"].dtypes.equals(X.dtypes)
    assert seen["X"].index.is_unique
    assert (seen["X"].index == seen["y"].index).all()
    assert seen["y"].iloc[N_ROWS:].mean() > y.mean() + 0.2 * y.std()
    report = model.imbllm_report
    assert sum(report["added"].values()) == N_ROWS / 2
    assert sum(report["before"].values()) == N_ROWS
    assert len(report["edges"]) == 9
    assert "prior_factors" not in report


@pytest.mark.parametrize("dtype", ["int64", "int16"])
def test_targets_of_whole_numbers_are_never_cut(dtype: str, tmp_path: Path) -> None:
    _, seen = fitted(tmp_path, dtype=dtype, method="smogn")
    y = table(dtype)[1]
    assert seen["y"].dtype == "float64"
    assert seen["y"].iloc[:N_ROWS].tolist() == y.tolist()
    assert (seen["y"].iloc[N_ROWS:] % 1 != 0).any()


@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_written_targets_reach_the_model_as_they_were_made(
    dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[float] = []
    rows_of = OversamplingMixin.write_rows

    def watch(self: Any, *args: Any) -> Any:
        rows = rows_of(self, *args)
        made.extend(rows.y)
        return rows

    monkeypatch.setattr(OversamplingMixin, "write_rows", watch)
    _, seen = fitted(tmp_path, dtype=dtype, method="smogn")
    assert seen["y"].iloc[N_ROWS:].tolist() == made


def test_without_new_rows_a_target_keeps_its_dtype(tmp_path: Path) -> None:
    _, seen = fitted(tmp_path, dtype="int64", method="none")
    pd.testing.assert_series_equal(seen["y"], table("int64")[1])


def test_families_that_cut_validation_rows_get_real_ones_of_all_targets(tmp_path: Path) -> None:
    X, y = table()
    twin(tmp_path, SplittingModel, method="random").fit(X=X, y=y, num_cpus=1, num_gpus=0)
    seen = SplittingModel.seen
    validation = seen["y_val"]
    assert len(validation) == 24
    assert set(validation.index) <= set(X.index)
    assert not set(seen["X"].index[:96]) & set(validation.index)
    assert (validation > y.quantile(0.9)).sum() in (2, 3)


def test_the_generator_model_trains_what_twins_use_and_predicts_one_number(tmp_path: Path) -> None:
    (tmp_path / "learner.pkl").touch()
    X, y = table()
    settings = {f"ag.imbllm.{key}": value for key, value in SMALL.items()}
    generator = GeneratorModel(
        path=str(tmp_path / "models"), name="g", problem_type="regression", hyperparameters=settings
    )
    generator.fit(X=X, y=y, num_cpus=1, num_gpus=0)
    assert generator.imbllm_report["oversampling"]["trained_here"]
    np.testing.assert_allclose(generator.predict(X), y.mean(), rtol=1e-6)
    model, _ = fitted(tmp_path / "models" / "A")
    assert not model.imbllm_report["oversampling"]["written_here"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda y: y * 0 + 3, "at least 2 distinct values"),
        (lambda y: y.where(y.index != 510, np.inf), "must be finite"),
        (lambda y: y.head(12), "12 rows, and 20 are needed"),
    ],
)
def test_a_fold_of_which_nothing_can_be_made_is_learned_as_it_is(change: Any, reason: str, tmp_path: Path) -> None:
    X, y = table()
    y = change(y)
    model = twin(tmp_path)
    plan = model.plan_rows(X.loc[y.index], y)
    assert not plan.counts
    assert reason in plan.reason


def test_a_student_learns_what_its_teacher_says(tmp_path: Path) -> None:
    student = twin(tmp_path, name="LightGBMImb_DSTL")
    plan = student.plan_rows(*table())
    assert not plan.counts
    assert "teacher" in plan.reason


@pytest.mark.parametrize("method", ["great", "pred_llm", "smote_nc"])
def test_a_method_for_classes_is_refused_in_the_fit(method: str, tmp_path: Path) -> None:
    X, y = table()
    with pytest.raises(InvalidInputError, match=f"'{method}' is none for regression.*'imbllm', 'smogn', 'random'"):
        twin(tmp_path, method=method).fit(X=X, y=y, num_cpus=1, num_gpus=0)
