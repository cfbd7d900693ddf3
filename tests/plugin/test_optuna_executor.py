from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
from autogluon.core.hpo.exceptions import EmptySearchSpace
from autogluon.core.hpo.executors import CustomHpoExecutor, HpoExecutorFactory

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.parameters import TuningOptions
from imbllm_autogluon.plugin.tuning import _LEAST_SHARE, _REGISTRY, OptunaHpoExecutor
from tests.plugin.test_trials import always, trials

if TYPE_CHECKING:
    from pathlib import Path

OURS = {"searcher": "imbllm_optuna", "scheduler": "local", "num_trials": 3, "top_k": 2}


def executor(tune: Any = OURS, time_limit: float | None = None) -> OptunaHpoExecutor:
    made = OptunaHpoExecutor()
    made.initialize(tune, time_limit=time_limit)
    return made


def test_autogluon_knows_the_executor_and_registering_again_is_harmless() -> None:
    OptunaHpoExecutor.register()
    OptunaHpoExecutor.register()
    assert HpoExecutorFactory.get_hpo_executor("custom") is OptunaHpoExecutor


def test_an_autogluon_that_keeps_its_executors_elsewhere_gets_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(HpoExecutorFactory, _REGISTRY)
    with caplog.at_level(logging.WARNING, "autogluon.imbllm"):
        OptunaHpoExecutor.register()
    assert "the searcher imbllm_optuna is unknown" in caplog.text


@pytest.mark.parametrize("tune", [OURS, "imbllm_optuna"])
def test_our_searcher_reads_its_options_and_keeps_the_time_limit(tune: Any) -> None:
    made = executor(tune, 60.0)
    assert made.options == TuningOptions.of(tune)
    assert made.time_limit == 60.0
    assert made.executor_type == "custom"


def test_other_searchers_are_set_up_as_autogluon_does() -> None:
    random = {"searcher": "random", "scheduler": "local", "num_trials": 2}
    ours, theirs = executor(random, 60.0), CustomHpoExecutor()
    theirs.initialize(random, time_limit=60.0)
    assert ours.options is None
    assert ours.scheduler_options[0] is theirs.scheduler_options[0]
    assert ours.scheduler_options[1].keys() == theirs.scheduler_options[1].keys()
    with pytest.raises(EmptySearchSpace):
        ours.validate_search_space({"depth": 3}, "M")


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'top_k'"):
        executor({**OURS, "topk": 3})


def test_an_empty_search_space_is_no_error_for_our_searcher() -> None:
    made = executor()
    made.validate_search_space({"depth": 3}, "M")
    assert made.search_space == {"depth": 3}


@pytest.mark.parametrize(
    ("limit", "spent", "usual", "expected"),
    [
        (None, 1e9, 1e9, True),
        (10.0, 0.0, 0.0, True),
        (10.0, 10.0, 0.0, False),
        (10.0, 4.0, 6.0 / _LEAST_SHARE - 0.1, True),
        (10.0, 4.0, 6.0 / _LEAST_SHARE + 0.1, False),
    ],
)
def test_a_trial_begins_only_if_much_of_a_usual_ones_time_is_left(
    limit: float | None, spent: float, usual: float, expected: bool
) -> None:
    assert executor(OURS, limit)._has_time(spent, usual) is expected


def test_the_best_trials_become_models_in_autogluons_form_and_the_data_files_go(tmp_path: Path) -> None:
    made = executor()
    made.trials = trials(tmp_path, num_trials=3, scores={0: 0.2, 1: 0.9, 2: 0.6})
    made.trials.run(always)
    root = tmp_path / "models"
    for name in ("dataset_train.pkl", "dataset_val.pkl"):
        (root / "M" / name).touch()
    models, info = made.get_hpo_results("M", str(root), time.time())
    assert list(models) == ["M/T2", "M/T3"]
    assert models["M/T2"]["path"] == str(root / "M" / "T2")
    assert models["M/T2"]["val_score"] == 0.9
    assert models["M/T2"]["trial"] == 1
    assert models["M/T2"]["hyperparameters"] == made.trials.study.trials[1].params
    assert info["hpo_model_performances"] == {"M/T2": 0.9, "M/T3": 0.6}
    assert sorted(path.name for path in (root / "M").iterdir()) == ["T2", "T3"]
