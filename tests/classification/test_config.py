"""Every counter-measure is a checked switch; by default none is on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imbllm_autogluon.classification import RECOMMENDED, RECOMMENDED_FOR_TEXTS, ClassifierConfig, DebiasingConfig
from imbllm_autogluon.errors import InvalidInputError


def test_by_default_nothing_is_done_against_the_prior() -> None:
    measures = DebiasingConfig()
    switches = (measures.weighting, measures.first_stage, measures.calibration, measures.decisions)
    assert switches == ("none", "none", "none", "argmax")
    assert (measures.focal_gamma, measures.oversampling_cap, measures.target_prior) == (0, None, None)
    assert not any((measures.instruction, measures.suppression, measures.holds_out))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"weighting": "inverted"}, r"weighting must be one of 'none', 'effective', 'inverse'; got 'inverted'"),
        ({"beta": 1.0}, "beta must be a number of at least 0.0 and below 1.0; got 1.0"),
        ({"beta": -0.1}, "beta must be"),
        ({"focal_gamma": 11}, "focal_gamma must be a number between 0"),
        ({"focal_gamma": float("nan")}, "focal_gamma must be"),
        ({"oversampling_cap": 0.5}, r"oversampling_cap must be a number between 1\.0 and 1000"),
        ({"first_stage": "forest"}, "first_stage must be one of"),
        ({"calibration": True}, "calibration must be one of"),
        ({"decisions": "match"}, r"decisions must be one of .*did you mean 'matched'"),
        ({"calibration_fraction": 0.6}, r"calibration_fraction must be a number between 0\.05 and 0\.5"),
        ({"target_prior": "unifrom"}, "'training', 'uniform', None, or a share for each class; got 'unifrom'"),
        ({"target_prior": {}}, "target_prior must be"),
        ({"target_prior": [0.5, 0.5]}, "target_prior must be"),
        ({"target_prior": {"yes": 0, "no": 1}}, "the target prior of 'yes' must be a number at least"),
        ({"target_prior": {"yes": -1, "no": 2}}, "the target prior of 'yes'"),
        ({"target_prior": {"yes": "a", "no": 1}}, "the target prior of 'yes'"),
        ({"feature_weight": -1}, "feature_weight must be"),
        ({"query_orders": 0}, "query_orders must be a whole number between 1 and 64"),
        ({"query_orders": 1.5}, "query_orders must be a whole number"),
        ({"text_words": 0}, "text_words must be a whole number between 1 and 4096"),
        ({"order": "fix_y"}, "use 'permute_x' or 'permute_xy'"),
        ({"weigthing": "inverse"}, r"unknown setting 'weigthing' \(did you mean 'weighting'\?\)"),
        ({"layers": 0}, "layers must be"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ClassifierConfig.from_flat(setting)


@pytest.mark.parametrize("prior", [None, "training", "uniform", {"yes": 3, "no": 1}, {0: 0.5, 1: 0.5}])
def test_a_prior_may_be_named_or_given_by_class(prior: Any) -> None:
    assert DebiasingConfig(target_prior=prior).target_prior == prior


def test_settings_go_into_one_flat_mapping_and_back_and_no_name_occurs_twice() -> None:
    settings = {"weighting": "inverse", "query_orders": 3, "steps": 7, "target_prior": {"a": 1, "b": 2}}
    config = ClassifierConfig.from_flat(settings)
    assert ClassifierConfig.from_flat(config.flat()) == config
    assert settings.items() <= config.flat().items()
    keys = ClassifierConfig.flat_keys()
    assert len(keys) == len(set(keys))
    assert set(keys) == set(config.flat())


def test_numpy_scalars_become_plain_values() -> None:
    config = ClassifierConfig.from_flat({"focal_gamma": np.float32(2), "steps": np.int64(5), "suppression": np.True_})
    assert [type(config.flat()[key]) for key in ("focal_gamma", "steps", "suppression")] == [float, int, bool]


def test_the_class_stands_last_and_columns_in_their_order_unless_the_user_says_otherwise() -> None:
    chosen = ClassifierConfig().resolved_language()
    assert (chosen.order, chosen.column_order_share) == ("permute_x", 1.0)
    other = ClassifierConfig.from_flat({"order": "permute_xy", "column_order_share": 0.25, "steps": 9})
    language = other.resolved_language()
    assert (language.order, language.column_order_share, language.steps) == ("permute_xy", 0.25, 9)


def test_a_pretrained_backbone_keeps_its_own_number_of_steps() -> None:
    pretrained = ClassifierConfig.from_flat({"backbone": "smollm2"})
    assert pretrained.resolved_language().steps == pretrained.language.resolved().steps


@pytest.mark.parametrize(
    ("setting", "holds_out"),
    [
        ({}, False),
        ({"calibration": "bias"}, True),
        ({"decisions": "matched"}, False),
        ({"target_prior": "uniform"}, False),
    ],
)
def test_rows_are_held_out_only_where_something_is_fitted_to_them(setting: dict[str, Any], holds_out: bool) -> None:
    assert DebiasingConfig(**setting).holds_out is holds_out


def test_the_recommended_combination_can_be_set() -> None:
    assert ClassifierConfig.from_flat(RECOMMENDED).measures != DebiasingConfig()
    assert ClassifierConfig.from_flat(RECOMMENDED_FOR_TEXTS).resolved_language().clauses == "text"
