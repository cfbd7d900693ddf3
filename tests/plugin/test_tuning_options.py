from __future__ import annotations

from typing import Any

import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.tuning_options import SEARCHER, TuningOptions
from imbllm_autogluon.search import SearchSpace, TargetSearchSpace


@pytest.mark.parametrize("other", [None, "auto", "random", {"searcher": "random", "num_trials": 5}, {}, 7])
def test_other_searchers_are_none_of_ours(other: Any) -> None:
    assert TuningOptions.of(other) is None


def test_the_searchers_name_alone_means_the_defaults() -> None:
    assert TuningOptions.of(SEARCHER) == TuningOptions()


def test_options_are_read_and_autogluons_own_keys_ignored() -> None:
    options = TuningOptions.of({"searcher": SEARCHER, "scheduler": "local", "num_trials": 4, "top_k": 2, "seed": 7})
    assert options == TuningOptions(num_trials=4, top_k=2, seed=7)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_trial": 4}, "did you mean 'num_trials'"),
        ({"num_trials": 0}, "num_trials must be a whole number between 1 and 10000; got 0"),
        ({"top_k": 1.5}, "top_k must be a whole number"),
        ({"seed": -1}, "seed must be"),
        ({"space": {"temprature": (1.0,)}}, "did you mean 'temperature'"),
        ({"space": {"fixed": {"steps": 2}}}, "unknown setting 'space.fixed'"),
        ({"space": {"temperature": 0.7}}, "temperature must be a tuple of at least one choice.*got 0.7"),
        ({"space": {"method": "imbllm"}}, "method must be a tuple of at least one choice.*got 'imbllm'"),
        ({"space": {"method": ["smote"]}}, "did you mean 'smote_nc'"),
    ],
)
def test_what_is_not_known_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        TuningOptions.of({"searcher": SEARCHER, **given})


def test_a_space_replaces_choices_by_name_and_takes_lists() -> None:
    space = TuningOptions(space={"method": ["random", "none"]}).search_space({})
    assert space == SearchSpace(method=("random", "none"))


def test_settings_that_a_twin_names_are_not_searched() -> None:
    space = TuningOptions(space={"temperature": (0.5, 1.0)}).search_space({"temperature": 0.9, "steps": 100})
    assert space == SearchSpace(temperature=(0.9,))


def test_a_regression_is_searched_in_a_space_of_its_own() -> None:
    options = TuningOptions(space={"generation_ratio": [1.0, 0.5]})
    space = options.search_space({"method": "smogn"}, "regression")
    assert space == TargetSearchSpace(method=("smogn",), generation_ratio=(1.0, 0.5))
    assert options.any_space({}) == TargetSearchSpace(generation_ratio=(1.0, 0.5))
    with pytest.raises(InvalidInputError, match=r"unknown setting 'space\.generation_ratio'"):
        options.search_space({})


def test_choices_of_both_tasks_at_once_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"space\.generation_ratio"):
        TuningOptions(space={"generation_ratio": (1.0,), "target_ratio": (1.0,)})
