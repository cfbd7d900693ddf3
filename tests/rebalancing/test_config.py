from __future__ import annotations

import typing
from typing import Any

import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.rebalancing.config import RebalanceConfig, _Method


def test_training_and_sampling_settings_hold_every_setting_of_the_generator_once() -> None:
    config = RebalanceConfig()
    training, sampling = config.training_settings(), config.sampling_settings()
    assert "temperature" in sampling
    assert "steps" in training
    assert {*training, *sampling} == {*GeneratorConfig.flat_keys(), "method", "random_state"}
    assert not set(training) & set(sampling)


def test_some_methods_write_with_a_language_model() -> None:
    writing = {name for name in typing.get_args(_Method) if RebalanceConfig(name).writes_with_a_language_model}
    assert writing == {"imbllm", "great", "pred_llm"}


def test_no_own_setting_shares_its_name_with_one_of_the_generator() -> None:
    keys = RebalanceConfig.flat_keys()
    assert len(keys) == len(set(keys))
    assert {*RebalanceConfig.own_keys(), *GeneratorConfig.flat_keys(), "n_bins", "bins", "clause"} < set(keys)


@pytest.mark.parametrize(
    ("task", "method", "others"),
    [
        ("classification", "smogn", "'imbllm', 'great', 'pred_llm', 'smote_nc', 'random', 'none'"),
        ("regression", "great", "'imbllm', 'smogn', 'random', 'none'"),
        ("regression", "pred_llm", "'smogn'"),
        ("regression", "smote_nc", "'smogn'"),
    ],
)
def test_a_method_of_the_other_task_is_refused_with_those_that_are_allowed(task: Any, method: str, others: str) -> None:
    with pytest.raises(InvalidInputError, match=f"'{method}' is none for {task}.*{others}"):
        RebalanceConfig.from_flat({"method": method}).require_method(task)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("target_ratio", 0),
        ("target_ratio", "1"),
        ("rows_per_real_row", 0),
        ("rows_per_real_row", "half"),
        ("max_growth", 0.5),
        ("method", "smote"),
        ("n_bins", 1),
        ("bins", "x"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(InvalidInputError, match=key):
        RebalanceConfig.from_flat({key: value})


def test_two_answers_to_how_many_rows_are_refused() -> None:
    message = r"target_ratio=0\.5 and rows_per_real_row=2\.0 both say.*leave out rows_per_real_row"
    with pytest.raises(InvalidInputError, match=message):
        RebalanceConfig(target_ratio=0.5, rows_per_real_row=2.0)


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'target_ratio'"):
        RebalanceConfig.from_flat({"target_ration": 0.5})
