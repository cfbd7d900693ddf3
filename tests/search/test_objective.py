from __future__ import annotations

from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.trial import FixedTrial, TrialState
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.rebalancing.rows import GENERATORS, ROWS_CACHE
from imbllm_autogluon.search import SearchSpace, TargetSearchSpace, objective, open_study
from imbllm_autogluon.search.objective import _CategoryColumns, _encoder
from tests.products import cases
from tests.search.tables import every_kind, quick_objective
from tests.shared import TINY

RANDOM = {"method": "random", "target_ratio": 1.0}
NONE = {"method": "none"}
# The tables have half as many rare rows as frequent ones, which is the default already.
IMBLLM = {**SearchSpace().first(), "target_ratio": 1.0}


class ConstantModel:
    """Predicts the class shares of what it was fitted on."""

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> ConstantModel:
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares = counts / counts.sum()
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return np.tile(self.shares, (len(X), 1))

    def __sklearn_tags__(self) -> Any:
        return LogisticRegression().__sklearn_tags__()


def depth(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    return {"max_depth": trial.suggest_int("max_depth", 1, 4)}


MODELS = ("xgboost", LogisticRegression(max_iter=200))
METHODS = (IMBLLM, RANDOM, {"method": "smote_nc", "target_ratio": 1.0}, NONE)


@pytest.mark.parametrize(("model", "n_classes", "parameters"), cases(MODELS, (2, 3), METHODS))
def test_every_method_and_model_scores_a_table_of_every_kind(
    model: Any, n_classes: int, parameters: dict[str, Any]
) -> None:
    value = quick_objective(every_kind(n_classes=n_classes), model=model)(FixedTrial(parameters))
    assert 1 / n_classes - 0.1 < value <= 1.0


def test_a_pipeline_is_fitted_as_it_is() -> None:
    table = every_kind()
    pipeline = make_pipeline(_CategoryColumns(), _encoder(), RandomForestClassifier(10, random_state=0))
    assert 0.3 < quick_objective(table, model=pipeline)(FixedTrial(RANDOM)) <= 1.0


@pytest.mark.parametrize("kind", ["bool", "category", "Int64"])
def test_labels_may_be_booleans_categories_and_nullable_numbers(kind: str) -> None:
    table = every_kind()
    table["label"] = (table["label"] == "c1").astype(int).astype(kind)
    assert 0.3 < quick_objective(table)(FixedTrial(IMBLLM)) <= 1.0


def test_the_same_seed_gives_the_same_value_and_another_seed_another() -> None:
    values = [quick_objective(seed=seed)(FixedTrial(IMBLLM)) for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]


def test_models_learn_from_rebalanced_folds_and_are_judged_on_real_rows_they_have_not_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fitted, judged = [], []

    class Recording(ConstantModel):
        def fit(self, X: pd.DataFrame, y: np.ndarray) -> ConstantModel:
            fitted.append((X, y))
            return super().fit(X, y)

        def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
            judged.append(X)
            return super().predict_proba(X)

    table = every_kind()
    monkeypatch.setattr(objective, "_estimator_for", lambda *args, **kwargs: Recording())
    quick_objective(table)(FixedTrial(IMBLLM))
    features = table.drop(columns="label")
    assert sorted(row for X in judged for row in X.index) == list(range(len(table)))
    for (X, y), validation in zip(fitted, judged, strict=True):
        pd.testing.assert_frame_equal(validation, features.loc[validation.index])
        assert np.bincount(y)[0] == np.bincount(y)[1]
        assert (X.dtypes == features.dtypes).all()
        train = features.drop(index=validation.index).reset_index(drop=True)
        pd.testing.assert_frame_equal(X.iloc[: len(train)], train)


def test_trials_share_generators_through_the_cache_folder(tmp_path: Any) -> None:
    tuned = quick_objective(cache_dir=tmp_path, space=SearchSpace(target_ratio=(1.0, 0.8), fixed=TINY))
    tuned(FixedTrial(IMBLLM))
    tuned(FixedTrial({**IMBLLM, "temperature": 1.0, "target_ratio": 0.8}))
    assert len(GENERATORS.keys(tmp_path)) == 2  # one for each fold
    assert len(ROWS_CACHE.keys(tmp_path)) == 4
    tuned(FixedTrial({**IMBLLM, "interpolation_ratio": 0.5}))
    assert len(GENERATORS.keys(tmp_path)) == 4


def test_another_process_would_train_no_generator_again(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = quick_objective(cache_dir=tmp_path)(FixedTrial(IMBLLM))
    GENERATORS.forget()
    ROWS_CACHE.forget()
    monkeypatch.setattr("imbllm_autogluon.oversampling.imbllm.ImbLLM.fit", None)
    assert quick_objective(cache_dir=tmp_path)(FixedTrial(IMBLLM)) == first


def test_metrics_of_probabilities_see_the_real_class_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objective, "_estimator_for", lambda *args, **kwargs: ConstantModel())
    scored = {
        method: quick_objective(metric="neg_log_loss")(FixedTrial(parameters))
        for method, parameters in {"none": NONE, "random": RANDOM}.items()
    }
    assert scored["random"] == pytest.approx(scored["none"])
    monkeypatch.setattr(objective, "_PROBABILITY_METRICS", ())
    assert quick_objective(metric="neg_log_loss")(FixedTrial(RANDOM)) < scored["none"] - 0.02


@pytest.mark.parametrize("metric", ["neg_log_loss", "neg_brier_score", "roc_auc", "f1", "balanced_accuracy"])
def test_usual_metrics_work(metric: str) -> None:
    assert np.isfinite(quick_objective(metric=metric)(FixedTrial(RANDOM)))


def test_several_classes_have_prior_corrected_log_loss() -> None:
    value = quick_objective(every_kind(n_classes=3), metric="neg_log_loss")(FixedTrial(RANDOM))
    assert -2.0 < value < 0.0


class PruneAt(optuna.pruners.BasePruner):
    def __init__(self, step: int) -> None:
        self.step = step

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return trial.last_step == self.step


@pytest.mark.parametrize(
    ("step", "state", "folds"), [(0, TrialState.PRUNED, 1), (1, TrialState.PRUNED, 2), (2, TrialState.COMPLETE, 3)]
)
def test_a_hopeless_trial_ends_between_two_folds_and_never_after_the_last(
    step: int, state: TrialState, folds: int
) -> None:
    study = optuna.create_study(direction="maximize", pruner=PruneAt(step))
    study.enqueue_trial(NONE)
    study.optimize(quick_objective(cv=3), n_trials=1)
    assert study.trials[0].state == state
    assert len(study.trials[0].intermediate_values) == folds


def test_a_study_searches_model_and_rebalancing_together() -> None:
    tuned = quick_objective(model_space=depth, space=SearchSpace(method=("random", "none"), fixed=TINY))
    study = open_study(tuned.study_name, first=[tuned.first()])
    study.optimize(tuned, n_trials=3)
    assert study.trials[0].params["method"] == "random"
    assert study.trials[0].params["target_ratio"] is None
    assert all("max_depth" in trial.params for trial in study.trials)


def test_the_rarer_of_two_classes_is_positive_unless_named() -> None:
    assert quick_objective().classes == ["c0", "c1"]
    assert quick_objective(positive_class="c0").classes == ["c1", "c0"]


def test_more_classes_are_judged_by_balanced_accuracy() -> None:
    assert quick_objective().metric == "average_precision"
    assert quick_objective(every_kind(n_classes=3)).metric == "balanced_accuracy"


def test_other_conditions_are_another_study() -> None:
    others: list[dict[str, Any]] = [
        {},
        {"data": every_kind(seed=1)},
        {"metric": "roc_auc"},
        {"cv": 3},
        {"seed": 1},
        {"positive_class": "c0"},
        {"model": LogisticRegression()},
        {"model": LogisticRegression(C=2.0)},
        {"model_space": depth},
        {"space": SearchSpace()},
        {"space": SearchSpace(temperature=(0.7, 0.5))},
        {"space": SearchSpace(temperature=(0.5, 0.7, 1.0))},
        {"space": SearchSpace(method=("imbllm",))},
    ]
    names = [quick_objective(**options).study_name for options in others]
    assert len(set(names)) == len(names)
    assert quick_objective().study_name == names[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "accuracie"}, "'accuracie' is no scorer of scikit-learn"),
        ({"model": "lightgbm"}, "got 'lightgbm'"),
        ({"model": LinearRegression()}, "scikit-learn classifier; got LinearRegression"),
        ({"model": LogisticRegression}, "scikit-learn classifier; got <class"),
        ({"model": 3}, "scikit-learn classifier; got 3"),
        ({"space": TargetSearchSpace()}, "space must be a SearchSpace, for classes; got TargetSearchSpace"),
        ({"cv": 1}, "cv must be a whole number between 2 and 100; got 1"),
        ({"cv": 41}, "the rarest has 40"),
        ({"threads": 0}, "threads must be"),
        ({"positive_class": "c9"}, "no class 'c9'"),
        ({"data": every_kind(n_classes=3), "positive_class": "c1"}, "a positive class is for two classes"),
    ],
)
def test_what_cannot_work_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        quick_objective(**options)


def test_a_table_without_its_label_is_refused() -> None:
    with pytest.raises(TableError, match="no label column 'label'"):
        quick_objective(every_kind().drop(columns="label"))


def test_the_callers_table_is_unchanged() -> None:
    table = every_kind()
    copy = table.copy(deep=True)
    quick_objective(table)(FixedTrial(IMBLLM))
    pd.testing.assert_frame_equal(table, copy)
