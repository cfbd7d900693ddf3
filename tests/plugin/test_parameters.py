from __future__ import annotations

import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.parameters import StageConfig, TwinParameters
from imbllm_autogluon.rebalancing import RebalanceConfig


def test_auxiliary_parameters_of_others_are_ignored() -> None:
    parameters = TwinParameters.from_aux({"max_memory_usage_ratio": 1.0, "imbllm.target_ratio": 0.5})
    assert parameters.rebalancing.target_ratio == 0.5


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    with pytest.raises(InvalidInputError, match=r"ag\.imbllm\.temprature.*did you mean 'temperature'"):
        TwinParameters.from_aux({"imbllm.temprature": 1.0})


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
