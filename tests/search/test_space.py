from __future__ import annotations

import typing
from typing import Any

import optuna
import pytest
from optuna.trial import FixedTrial

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.rebalancing import RebalanceConfig
from imbllm_autogluon.rebalancing.config import _METHODS, _Method
from imbllm_autogluon.search import SearchSpace, TargetSearchSpace, suggest

SPACES = {"classification": SearchSpace, "regression": TargetSearchSpace}


@pytest.mark.parametrize(
    ("space", "method"), [(space, method) for space in SPACES.values() for method in space.of_method]
)
def test_a_trial_draws_only_what_its_method_uses(space: type[SearchSpace | TargetSearchSpace], method: str) -> None:
    study = optuna.create_study()
    trial = study.ask()
    settings = space(method=(method,)).suggest(trial)  # type: ignore[call-arg]
    ruled_out = {"rows_per_real_row"} if settings.get("target_ratio") else set()
    assert set(settings) == set(trial.params) == {"method", *space.of_method[method]} - ruled_out
    RebalanceConfig.from_flat(settings)


def test_every_method_of_rebalancing_can_be_searched_for_its_task() -> None:
    assert {task: set(space.of_method) for task, space in SPACES.items()} == {
        task: set(methods) for task, methods in _METHODS.items()
    }
    assert set().union(*_METHODS.values()) == set(typing.get_args(_Method))


@pytest.mark.parametrize("space", [SearchSpace(), TargetSearchSpace()])
def test_the_first_trial_has_the_defaults_of_rebalancing(space: SearchSpace | TargetSearchSpace) -> None:
    assert RebalanceConfig.from_flat(suggest(FixedTrial(space.first()), space)) == RebalanceConfig()


def test_the_default_target_ratio_is_tried_before_others() -> None:
    assert SearchSpace().target_ratio == (RebalanceConfig().target_ratio, 0.5, 1.0)


def test_measures_against_a_copied_prior_can_be_fixed_for_the_method_that_asks_for_classes() -> None:
    space = SearchSpace(method=("pred_llm",), fixed={"target_prior": "uniform", "start": "class"})
    settings = suggest(FixedTrial(space.first()), space)
    config = RebalanceConfig.from_flat(settings)
    assert (config.method, config.generator.query.start) == ("pred_llm", "class")
    assert config.generator.measures.target_prior == "uniform"
    assert set(space.first()) == {"method", "target_ratio", "rows_per_real_row", "temperature"}


def test_the_first_trial_takes_the_choice_in_front_and_only_what_its_method_uses() -> None:
    space = SearchSpace(method=("random", "imbllm"), target_ratio=(0.5, 1.0))
    assert space.first() == {"method": "random", "target_ratio": 0.5}


def test_the_dose_is_drawn_where_no_target_ratio_rules() -> None:
    params = {"method": "random", "target_ratio": None, "rows_per_real_row": 3.0}
    assert suggest(FixedTrial(params)) == params
    assert suggest(FixedTrial({**params, "target_ratio": 1.0})) == {"method": "random", "target_ratio": 1.0}


def test_fixed_settings_are_in_every_trial_and_in_no_study() -> None:
    trial = optuna.create_study().ask()
    settings = SearchSpace(method=("none",), fixed={"steps": 3}).suggest(trial)
    assert settings == {"steps": 3, "method": "none"}
    assert trial.params == {"method": "none"}


def test_a_prefix_names_the_parameters_of_the_study_but_not_the_settings() -> None:
    space = SearchSpace(method=("random",), target_ratio=(0.5,))
    trial = optuna.create_study().ask(fixed_distributions=None)
    assert set(space.suggest(trial, "mine.")) == {"method", "target_ratio"}
    assert set(trial.params) == set(space.first("mine.")) == {"mine.method", "mine.target_ratio"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": ()}, r"method must be a tuple of at least one choice, each once; got \(\)"),
        ({"method": ["imbllm"]}, "method must be a tuple"),
        ({"temperature": 0.7}, "temperature must be a tuple.*got 0.7"),
        ({"temperature": (0.7, 0.7)}, "each once"),
        ({"temperature": ([0.7],)}, "temperature must be a number"),
        ({"method": ("smote",)}, "did you mean 'smote_nc'"),
        ({"target_ratio": (1.0, 1.5)}, "target_ratio must be a number"),
        ({"fixed": {"temperature": 0.5}}, "temperature is fixed and searched"),
        ({"fixed": {"stepz": 5}}, "did you mean 'steps'"),
        ({"method": ("smogn",)}, "'smogn' is none for classification.*'smote_nc'"),
    ],
)
def test_what_cannot_be_searched_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        SearchSpace(**options)


def test_methods_for_classes_are_not_searched_for_targets() -> None:
    with pytest.raises(InvalidInputError, match=r"'great' is none for regression.*'smogn'"):
        TargetSearchSpace(method=("imbllm", "great"))


def test_ratios_of_classes_are_not_searched_for_targets() -> None:
    assert "target_ratio" not in TargetSearchSpace.dimensions()
    assert "generation_ratio" not in SearchSpace.dimensions()
