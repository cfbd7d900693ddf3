from __future__ import annotations

from typing import Any

import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.parameters import (
    SEARCHER,
    StageConfig,
    TuningOptions,
    TwinOptions,
    TwinParameters,
)
from imbllm_autogluon.rebalancing import RebalanceConfig
from imbllm_autogluon.search import SearchSpace, TargetSearchSpace


def test_auxiliary_parameters_of_others_are_ignored() -> None:
    parameters = TwinParameters.from_flat(
        TwinParameters.among({"max_memory_usage_ratio": 1.0, "imbllm.target_ratio": 0.5})
    )
    assert parameters.rebalancing.target_ratio == 0.5


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    with pytest.raises(InvalidInputError, match=r"ag\.imbllm\.temprature.*did you mean 'temperature'"):
        TwinParameters.from_flat({"temprature": 1.0})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("target_ratio", 0.0),
        ("target_ratio", 1.5),
        ("target_ratio", "1"),
        ("balanced_below", 0.5),
        ("max_growth", 0.9),
        ("prior_correction", "always"),
        ("random_state", -1),
        ("random_state", 1.5),
        ("temperature", 0.0),
        ("order", "label_first"),
        ("interpolation", "cubic"),
    ],
)
def test_a_value_outside_its_range_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(InvalidInputError, match=key):
        TwinParameters.from_flat({key: value})


def test_no_setting_of_the_stage_shares_its_name_with_one_of_rebalancing() -> None:
    assert not set(StageConfig.__dataclass_fields__) & set(RebalanceConfig.flat_keys())


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


def test_a_dose_that_is_named_leaves_no_target_ratio_to_search() -> None:
    space = TuningOptions().search_space({"rows_per_real_row": 2.0})
    assert (space.target_ratio, space.rows_per_real_row) == ((None,), (2.0,))
    assert TuningOptions().search_space({"rows_per_real_row": "auto"}) == SearchSpace(rows_per_real_row=("auto",))


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


@pytest.mark.parametrize(
    "given", [{}, {"mode": "only"}, {"latent_diff": False, "tune": {"num_trials": 3}}, {"classifier": True, "steps": 9}]
)
def test_options_of_twins_are_the_keyword_arguments_that_were_given(given: dict[str, Any]) -> None:
    options = TwinOptions.from_keywords(given)
    assert options.keywords() == given
    assert TwinOptions.from_keywords(options.keywords()) == options
