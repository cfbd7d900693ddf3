"""Configuration objects refuse what they do not know, by name, and hold plain Python values."""

from __future__ import annotations

import inspect
import json
import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from imbllm_autogluon.configuration import (
    Range,
    from_mapping,
    known_keys,
    refuse_unknown_keys,
    require_allowed,
    require_choice,
    require_number,
    set_parameters,
    settings_as_parameters,
)
from imbllm_autogluon.errors import InvalidInputError


@dataclass(frozen=True)
class Oven:
    heat: Annotated[int, Range(50, 300)] = 180
    mode: Literal["top", "bottom", 3] = "top"
    fan: bool = False
    light: Literal["warm", "cold"] | None = None
    timer: int | None = None
    draught: Annotated[float, Range(0.0, 1.0, above=True)] | None = None
    rest: Annotated[float, Range(0.0, 1.0, below=True)] | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        require_allowed(self)


def test_keys_come_in_the_order_of_the_definition() -> None:
    assert known_keys(Oven) == ("heat", "mode", "fan", "light", "timer", "draught", "rest")


def test_a_mapping_becomes_a_configuration_and_absent_keys_keep_their_defaults() -> None:
    assert from_mapping(Oven, {"mode": 3}) == Oven(180, 3)


def test_an_unknown_key_is_refused_with_the_nearest_one_and_all_allowed_ones() -> None:
    with pytest.raises(InvalidInputError, match=r"unknown setting 'oven\.heet' \(did you mean 'heat'\?\)") as caught:
        from_mapping(Oven, {"fan": True, "heet": 3}, prefix="oven.")
    names = "oven.draught, oven.fan, oven.heat, oven.light, oven.mode, oven.rest, oven.timer"
    assert f"the settings are: {names}." in str(caught.value)


def test_known_keys_are_not_refused() -> None:
    refuse_unknown_keys(["a", "b"], iter("abc"))


@pytest.mark.parametrize("heat", [np.int64(200), np.int8(60), np.float64(200.0), np.float32(200.0)])
def test_numpy_scalars_become_plain_values_that_json_can_hold(heat: Any) -> None:
    oven = from_mapping(Oven, {"heat": heat, "fan": np.bool_(True), "mode": np.str_("bottom")})
    plain = {key: vars(oven)[key] for key in ("heat", "mode", "fan")}
    assert {type(value) for value in plain.values()} <= {int, float, bool, str}
    assert json.loads(json.dumps(plain)) == {"heat": int(heat), "mode": "bottom", "fan": True}


def test_every_literal_field_is_checked() -> None:
    with pytest.raises(InvalidInputError, match=r"mode must be one of 'top', 'bottom', 3; got 'botom' \(did you mean"):
        Oven(mode="botom")  # type: ignore[arg-type]


@pytest.mark.parametrize("light", ["warm", "cold", None])
def test_a_choice_may_be_left_open_where_its_type_says_so(light: Any) -> None:
    assert Oven(light=light).light == light


@pytest.mark.parametrize("light", ["worm", False, 0, "None"])
def test_another_choice_than_none_is_refused_where_it_may_be_left_open(light: Any) -> None:
    with pytest.raises(InvalidInputError, match=rf"light must be one of 'warm', 'cold', None; got {light!r}"):
        Oven(light=light)


def test_other_optional_fields_are_not_choices() -> None:
    assert Oven(timer=17).timer == 17


@pytest.mark.parametrize("heat", [49, 301, 180.5, None, True, "180"])
def test_a_number_outside_the_range_of_its_field_is_refused(heat: Any) -> None:
    with pytest.raises(InvalidInputError, match=rf"heat must be a whole number between 50 and 300; got {heat!r}"):
        Oven(heat=heat)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"draught": 0.0}, "draught must be a number above 0.0 and at most 1.0; got 0.0"),
        ({"rest": 1.0}, "rest must be a number of at least 0.0 and below 1.0; got 1.0"),
        ({"rest": "much"}, "rest must be 'auto' or a number of at least 0.0 and below 1.0; got 'much'"),
        ({"rest": None}, "rest must be a number of at least 0.0 and below 1.0; got None"),
    ],
)
def test_a_limit_may_be_excluded_and_a_word_may_stand_for_a_number(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        Oven(**setting)


@pytest.mark.parametrize("setting", [{"draught": 1e-300}, {"draught": 1}, {"draught": None}, {"rest": 0}, {"heat": 50}])
def test_limits_that_belong_to_a_range_pass(setting: dict[str, Any]) -> None:
    assert vars(Oven(**setting)).items() >= setting.items()


@pytest.mark.parametrize(
    ("allowed", "words"),
    [
        (Range(0), "at least 0"),
        (Range(0.0, above=True), "above 0"),
        (Range(1e-7, 1.0), "1e-7 to 1"),
        (Range(0.0, 1.0, below=True), "0 up to but not 1"),
        (Range(0, 2**32 - 1), "0 to 4,294,967,295"),
    ],
)
def test_a_range_in_words(allowed: Range, words: str) -> None:
    assert str(allowed) == words


def test_a_choice_is_compared_by_value_not_by_text() -> None:
    require_choice("mode", 3, ("top", 3))
    with pytest.raises(InvalidInputError, match=r"must be one of 'top', 3; got '3'"):
        require_choice("mode", "3", ("top", 3))


@pytest.mark.parametrize("value", [0, 0.0, 5, 2.5, 10, 10.0])
def test_numbers_within_the_limits_pass(value: float) -> None:
    require_number("x", value, 0, 10)


@pytest.mark.parametrize("value", [0, 7, 7.0, 10**400])
def test_whole_numbers_pass_as_whole_even_beyond_any_float(value: float) -> None:
    require_number("x", value, 0, whole=True)


@pytest.mark.parametrize("value", [-1, 11, math.nan, math.inf, -math.inf, True, "5", None, [1], 10**400, 5 + 0j])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(InvalidInputError, match=r"x must be a number between 0 and 10; got "):
        require_number("x", value, 0, 10)


@pytest.mark.parametrize("value", [2.5, math.inf, math.nan, False, "3", -1])
def test_what_is_not_whole_is_refused_as_such(value: object) -> None:
    with pytest.raises(InvalidInputError, match=r"x must be a whole number at least 0; got "):
        require_number("x", value, 0, whole=True)


class Settings:
    """A configuration of two parts."""

    def flat(self) -> dict[str, Any]:
        return {"heat": 180, "mode": "top", "own": 7}


@settings_as_parameters(Settings)
class Baker:
    """As estimators of scikit-learn are: one attribute for each parameter."""

    def __init__(self, *, own: int = 1, **settings: Any) -> None:
        self.own = own
        set_parameters(self, settings)


def test_settings_are_keyword_parameters_with_their_defaults_and_own_ones_come_first() -> None:
    parameters = list(inspect.signature(Baker).parameters.values())
    assert [(p.name, p.default) for p in parameters] == [("own", 1), ("heat", 180), ("mode", "top")]
    assert {p.kind for p in parameters} == {inspect.Parameter.KEYWORD_ONLY}


def test_every_setting_becomes_an_attribute_given_or_by_default() -> None:
    assert vars(Baker()) == {"own": 1, "heat": 180, "mode": "top"}
    assert vars(Baker(mode="low", own=3)) == {"own": 3, "heat": 180, "mode": "low"}


def test_a_parameter_that_does_not_exist_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(TypeError, match=r"Baker has no parameter 'heet' \(did you mean 'heat'\?\)"):
        Baker(heet=3)
