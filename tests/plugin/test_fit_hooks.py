"""The generator never answers, and our callbacks join those of a user."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from autogluon.core.callbacks import AbstractCallback, EarlyStoppingCountCallback
from autogluon.core.metrics import get_metric
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.plugin.fit_hooks import GeneratorCallback, _with_callbacks
from imbllm_autogluon.plugin.models import GeneratorModel
from imbllm_autogluon.plugin.portfolio import RebalanceCallback, _allow_for_tiny_classes
from imbllm_autogluon.plugin.presets import make_preset
from tests.plugin.tables import imbalanced_table

if TYPE_CHECKING:
    from pathlib import Path

GENERATOR = {"IMBLLM": {"ag.imbllm.method": "random"}}
TINY = {"num_boost_round": 2}
BROKEN = {"DUMMY": {"raise": ValueError, "raise_msg": "no column suits me"}}


def fit(
    path: Path, hyperparameters: dict[str, Any], table: pd.DataFrame | None = None, **options: Any
) -> TabularPredictor:
    rows = imbalanced_table(120) if table is None else table
    predictor = TabularPredictor("paid", eval_metric="accuracy", path=str(path / "p"), verbosity=0)
    return predictor.fit(rows, hyperparameters=hyperparameters, num_cpus=1, **options)


def test_a_fit_with_nothing_but_a_generator_fails_as_autogluon_does_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RuntimeError, match="No models were trained successfully"):
        fit(tmp_path, {**BROKEN, **GENERATOR}, num_bag_folds=2)
    assert "no model was trained that can answer. Dummy_BAG_L1: ValueError: no column suits me." in caplog.text


def test_a_fit_may_be_told_to_end_without_models(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert fit(tmp_path, {**BROKEN, **GENERATOR}, raise_on_no_models_fitted=False).model_names() == []
    assert "Dummy: ValueError: no column suits me." in caplog.text


@pytest.mark.parametrize("folds", [0, 2])
def test_the_generator_is_in_no_ensemble_and_is_never_the_best_model(folds: int, tmp_path: Path) -> None:
    # Its predictions equal those of the dummy model: every choice between the two is a tie.
    predictor = fit(tmp_path, {**GENERATOR, "DUMMY": {}}, num_bag_folds=folds, fit_weighted_ensemble=False)
    assert model_classes(predictor, [predictor.model_best]) == {"DummyModel"}
    predictor.fit_weighted_ensemble()
    predictor.fit_extra({**GENERATOR, "DUMMY": {"ag_args": {"name_suffix": "2"}}})
    predictor.refit_full()
    trainer = predictor._trainer
    ensembles = [name for name in predictor.model_names() if "Ensemble" in name]
    assert len(ensembles) >= 3
    for ensemble in ensembles:
        members = set(trainer.get_minimum_model_set(ensemble)) - set(ensembles)
        assert model_classes(predictor, members) == {"DummyModel"}
    board = predictor.leaderboard(imbalanced_table(40)).set_index("model")
    generators = [name for name in board.index if model_classes(predictor, [name]) == {"GeneratorModel"}]
    assert len(generators) == 2  # itself and its refitted copy
    assert board.loc[generators, "score_val"].isna().all()


def model_classes(predictor: TabularPredictor, names: Any) -> set[str]:
    types = predictor._trainer.get_models_attribute_dict("type_inner")
    return {types[name].__name__ for name in names}


class Watching(AbstractCallback):  # type: ignore[misc]
    """Remember which models were begun."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[str] = []

    def _before_model_fit(self, trainer: Any, model: Any, **kwargs: Any) -> tuple[bool, bool]:
        del trainer, kwargs
        self.begun.append(model.name)
        return False, False


def test_a_class_of_one_row_a_level_without_rows_and_a_callback_of_ones_own_cost_no_model(tmp_path: Path) -> None:
    table, own = imbalanced_table(120), Watching()
    labels = np.where(np.arange(120) < 1, "single", table["paid"])
    table["paid"] = pd.Categorical(labels, categories=["never", "no", "single", "yes"])
    predictor = fit(
        tmp_path,
        {"KNN": {}},
        table,
        presets=["medium_quality", make_preset({}, method="random")],
        callbacks=[own],
        num_bag_folds=3,
    )
    assert {"KNeighbors_BAG_L1", "KNeighborsImb_BAG_L1", "WeightedEnsemble_L2"} <= set(own.begun)
    assert {"KNeighbors_BAG_L1", "KNeighborsImb_BAG_L1"} <= set(predictor.model_names())
    assert predictor._trainer.k_fold == 3


REBALANCE = RebalanceCallback(method="random")
STOP = EarlyStoppingCountCallback(patience=3)
GENTLE = make_preset({}, method="great")


@pytest.mark.parametrize(
    ("presets", "given", "expected"),
    [
        ("imbllm", [STOP], [STOP, RebalanceCallback]),
        ("imbllm", None, [RebalanceCallback]),
        (["best_quality", "imbllm"], [["Named", {}]], ["Named", RebalanceCallback]),
        (["imbllm", {"callbacks": [STOP]}], [STOP], [STOP, RebalanceCallback]),
        ("imbllm_best", [STOP], [STOP, RebalanceCallback]),
        (["imbllm", GENTLE], [STOP], [STOP, ("great", RebalanceCallback)]),
        ("imbllm", [REBALANCE], [REBALANCE]),
        ("imbllm", [[RebalanceCallback, {"method": "random"}], STOP], [("random", RebalanceCallback), STOP]),
        ("best_quality", [STOP], [STOP]),
        (None, None, None),
    ],
)  # fmt: skip
def test_our_callback_joins_those_in_force_once(presets: Any, given: Any, expected: Any) -> None:
    def seen(self: object, callbacks: Any = None, **kwargs: Any) -> Any:
        del self, kwargs
        return callbacks and [short(each) for each in callbacks]

    assert _with_callbacks(seen)(None, presets=presets, callbacks=given) == expected


def short(callback: Any) -> Any:
    if not isinstance(callback, list):
        return callback
    made, options = callback
    return (options["method"], made) if options else made


@pytest.mark.parametrize(
    ("portfolio", "watched"),
    [
        ({"GBM": {}, "IMBLLM": {}}, True),
        ({1: {"GBM": {}, GeneratorModel: [{}]}, "default": {"GBM": {}}}, True),
        ({"GBM": {}, "GBM_IMB": {}}, False),
        ("default", False),
    ],
)
def test_a_portfolio_with_a_generator_brings_its_callback(portfolio: Any, watched: bool) -> None:
    def seen(self: object, callbacks: Any = None, **kwargs: Any) -> Any:
        del self, kwargs
        return callbacks

    made = _with_callbacks(seen)(None, hyperparameters=portfolio)
    assert [type(each) for each in made or []] == [GeneratorCallback] * watched


@pytest.mark.parametrize(
    ("sizes", "metric", "folds", "laid", "words"),
    [
        ((90, 3), "roc_auc", 5, 3, "3 folds instead of 5: the metric roc_auc needs every class"),
        ((90, 3), "average_precision", 5, 5, ""),
        ((90, 2), "f1", 5, 5, "leave it as it is: 'class 1' (rows: 2)"),
        ((90, 40, 1), "balanced_accuracy", 5, 5, "leave it as it is: 'class 2' (rows: 1)"),
        ((90, 40, 2), "roc_auc_ovo_macro", 5, 5, "(rows: 2)"),
        ((90, 2), "roc_auc", 0, 0, ""),
        ((90, 40), "roc_auc", 5, 5, ""),
    ],
)
def test_folds_stay_as_asked_unless_the_metric_cannot_do_without_a_class(
    sizes: tuple[int, ...], metric: str, folds: int, laid: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    def score(y: Any, y_pred_proba: Any) -> float:
        kept = scorer.needs_pred and y_pred_proba.round() if len(sizes) == 2 else y_pred_proba.argmax(axis=1)
        return float(scorer(y, kept if scorer.needs_pred else y_pred_proba))

    scorer = get_metric(metric, "binary" if len(sizes) == 2 else "multiclass")
    trainer = SimpleNamespace(k_fold=folds, eval_metric=scorer, num_classes=len(sizes), score_with_y_pred_proba=score)
    y = pd.Series(np.repeat(np.arange(len(sizes)), sizes))
    with caplog.at_level(20, "autogluon.imbllm"):
        _allow_for_tiny_classes(trainer, y, {code: f"class {code}" for code in range(len(sizes))})
    assert trainer.k_fold == laid
    assert words in caplog.text
    assert bool(words) == bool(caplog.text)


def test_a_generator_of_folds_that_lack_classes_has_shares_of_all(tmp_path: Path) -> None:
    table = imbalanced_table(120)
    table["paid"] = [f"single {i}" if i < 7 else label for i, label in enumerate(table["paid"])]
    kept = {"learner_kwargs": {"label_count_threshold": 1}}
    predictor = TabularPredictor("paid", path=str(tmp_path / "p"), verbosity=0, eval_metric="accuracy", **kept)
    predictor.fit(table, hyperparameters={**GENERATOR, "GBM": TINY}, num_bag_folds=3)
    assert "ImbLLM_BAG_L1" in predictor.model_names()
