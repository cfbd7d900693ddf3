from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from autogluon.tabular import TabularPredictor
from optuna.trial import FixedTrial

from imbllm_autogluon.errors import ImbLLMError
from imbllm_autogluon.rebalancing.rows import GENERATORS
from imbllm_autogluon.search import SearchSpace
from tests.search.tables import every_kind, quick_objective

if TYPE_CHECKING:
    from pathlib import Path

    import optuna

# The table has half as many rare rows as frequent ones, which is the default already.
FIRST = SearchSpace(target_ratio=(1.0,)).first()


def rounds(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    return {"hyperparameters": {"GBM": {"num_boost_round": trial.suggest_int("rounds", 2, 8)}}}


def test_the_value_is_the_out_of_fold_score_of_twins_with_the_trials_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: dict[str, Any] = {}
    real_fit = TabularPredictor.fit

    def fit(self: TabularPredictor, train_data: Any, **options: Any) -> TabularPredictor:
        arguments.update(options)
        return real_fit(self, train_data, **options)

    monkeypatch.setattr(TabularPredictor, "fit", fit)
    tuned = quick_objective(every_kind(), model="autogluon", model_space=rounds, cache_dir=tmp_path / "cache")
    value = tuned(FixedTrial({**FIRST, "rounds": 3}))
    assert 0.3 < value <= 1.0
    assert arguments["hyperparameters"] == {"GBM_IMB": {"num_boost_round": 3}}
    assert {f"imbllm.{name}" for name in FIRST} <= set(arguments["ag_args_fit"])
    assert len(GENERATORS.keys(tmp_path / "cache")) == tuned.cv
    assert tuned(FixedTrial({**FIRST, "rounds": 3})) == value


def test_several_classes_and_the_method_none_work() -> None:
    tuned = quick_objective(every_kind(n_classes=3), model="autogluon", model_space=rounds)
    assert 0.2 < tuned(FixedTrial({"method": "none", "rounds": 2})) <= 1.0


def test_a_fit_without_any_model_is_an_error_of_this_package() -> None:
    def none_in_time(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
        return {**rounds(trial), "time_limit": 1e-3}

    tuned = quick_objective(every_kind(), model="autogluon", model_space=none_in_time)
    with pytest.raises(ImbLLMError, match="AutoGluon trained no model"):
        tuned(FixedTrial({**FIRST, "rounds": 2}))
