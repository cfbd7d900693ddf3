"""Configurations refuse what they do not know, by name; estimators have them as parameters; `help()` describes each."""

from __future__ import annotations

import dataclasses
import fcntl
import importlib
import inspect
import json
import math
import os
import pickle
import pty
import pydoc
import re
import struct
import subprocess
import sys
import termios
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.utils.estimator_checks import (
    check_get_params_invariance,
    check_parameters_default_constructible,
    check_set_params,
)

from imbllm_autogluon import _config
from imbllm_autogluon._config import (
    Config,
    Parameter,
    Range,
    SettingsMixin,
    cache_dir,
    classes_of,
    current_names,
    documented,
    hidden_bars,
    parameters_of,
    progress_bar,
    refuse_unknown_keys,
    require_choice,
    require_number,
    secret,
    shows_progress,
)
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.parameters import TwinOptions, TwinParameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ESTIMATORS = {
    "oversampling.sampler.ImbLLMOverSampler": "oversampling.config.GeneratorConfig",
    "classification.classifier.LanguageModelClassifier": "classification.config.ClassifierConfig",
    "regression.latent_diff.LatentDiffRegressor": "regression.config.LatentDiffConfig",
}
"""The estimators, each with the configuration behind its parameters."""

CONFIGURATIONS = (
    *ESTIMATORS.values(),
    "rebalancing.config.RebalanceConfig",
    "plugin.parameters.StageConfig",
    "plugin.parameters.TuningOptions",
    "plugin.parameters.TwinOptions",
)


@documented
@dataclass(frozen=True)
class Dough(Config):
    """What goes into it.

    Examples
    --------
    >>> Dough().flour
    'rye'
    """

    renamed: ClassVar[dict[str, str]] = {"salty": "salted", "meal": "flour"}

    flour: Literal["rye", "wheat", 405] = "rye"
    """Which one. A long
    sentence."""

    water: Annotated[float, Range(0.0, 2.0)] | None = None
    """Litres. `None`: by feel."""

    eggs: Annotated[int, Range(0, 12)] = 0

    salted: bool = True
    """If so."""


@documented
@dataclass(frozen=True)
class Bread(Config):
    """All of it."""

    renamed: ClassVar[dict[str, str]] = {"time": "minutes", "duration": "minutes"}

    minutes: Annotated[float, Range(0.0, above=True)] | Literal["auto"] = "auto"
    """In it."""

    crust: Literal["soft", "hard"] | None = None
    """How it is outside."""

    steam: Annotated[float, Range(0.0, 1.0, below=True)] | Literal["auto"] = "auto"
    """Share of the time."""

    dough: Dough = field(default_factory=Dough)
    """A part, which is no parameter."""


class Baker(SettingsMixin, BaseEstimator, config=Bread, shown=("minutes", "salted")):
    """Bakes.

    Parameters
    ----------
    seed : int, default=0
        His.
    flour : str or callable, default="spelt"
        Described here.
    settings : dict of name to value or None, default=None
        The rest.

    Attributes
    ----------
    name_ : str
        His.
    """

    def __init__(
        self, *, seed: int = 0, flour: Any = "rye", settings: Mapping[str, object] | None = None, **parameters: Any
    ) -> None:
        self.seed = seed
        self.flour = flour
        self._set_parameters(settings, parameters)

    def fit(self, X: object, y: object = None) -> Baker:
        self.bread_ = Bread.from_flat(self.flat_settings())
        return self


def found(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(f"imbllm_autogluon.{module}"), name)


def leaves(config_class: Any) -> list[Parameter]:
    return [one for owner in classes_of(config_class) for one in parameters_of(owner)]


# Values and names


def test_a_flat_mapping_becomes_a_configuration_of_parts_and_back() -> None:
    bread = Bread.from_flat({"flour": 405, "crust": "hard"})
    assert bread == Bread(crust="hard", dough=Dough(405))
    assert Bread.from_flat(bread.flat()) == bread
    assert Bread.flat_keys() == ("minutes", "crust", "steam", "flour", "water", "eggs", "salted")


def test_an_unknown_key_is_refused_with_the_nearest_one_and_all_allowed_ones() -> None:
    with pytest.raises(InvalidInputError, match=r"unknown setting 'b\.watr' \(did you mean 'water'\?\)") as caught:
        Bread.from_flat({"eggs": 1, "watr": 3}, prefix="b.")
    assert "the settings are: b.crust, b.eggs, b.flour, b.minutes, b.salted, b.steam, b.water." in str(caught.value)
    with pytest.raises(InvalidInputError, match="unknown setting '3'"):
        refuse_unknown_keys([3], "ab")  # type: ignore[list-item]


@pytest.mark.parametrize("eggs", [np.int64(2), np.int8(2), np.float64(2.0), np.float32(2.0)])
def test_numpy_scalars_become_plain_values_that_json_can_hold(eggs: Any) -> None:
    dough = Dough.from_flat({"eggs": eggs, "salted": np.bool_(True), "flour": np.str_("rye")})
    assert {type(value) for value in dough.flat().values() if value is not None} <= {int, float, bool, str}
    assert json.loads(json.dumps(dough.flat())) == {"flour": "rye", "water": None, "eggs": 2, "salted": True}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"flour": "whaet"}, "flour must be one of 'rye', 'wheat', 405; got 'whaet' (did you mean 'wheat'?)"),
        ({"crust": "None"}, "crust must be one of 'soft', 'hard', None; got 'None'"),
        ({"crust": False}, "crust must be one of 'soft', 'hard', None; got False"),
        ({"minutes": 0.0}, "minutes must be a number above 0.0; got 0.0"),
        ({"minutes": None}, "minutes must be a number above 0.0; got None"),
        ({"steam": 1.0}, "steam must be a number of at least 0.0 and below 1.0; got 1.0"),
        ({"steam": "much"}, "steam must be 'auto' or a number of at least 0.0 and below 1.0; got 'much'"),
        *[
            ({"eggs": eggs}, f"eggs must be a whole number between 0 and 12; got {eggs!r}")
            for eggs in (-1, 13, 1.5, None, True, "3")
        ],
    ],
)
def test_a_value_that_its_type_does_not_allow_is_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        Bread.from_flat(setting)


@pytest.mark.parametrize(
    "setting", [{"minutes": 1e-300}, {"minutes": "auto"}, {"water": None}, {"water": 2}, {"steam": 0}, {"eggs": 12}]
)
def test_limits_that_belong_to_a_range_and_words_in_place_of_numbers_pass(setting: dict[str, Any]) -> None:
    assert Bread.from_flat(setting).flat().items() >= setting.items()


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


@pytest.mark.parametrize("value", [0, 7.0, 10**400])
def test_whole_numbers_pass_as_whole_even_beyond_any_float(value: float) -> None:
    require_number("x", value, 0, whole=True)


@pytest.mark.parametrize("value", [-1, 11, math.nan, math.inf, -math.inf, True, "5", None, [1], 10**400, 5 + 0j])
def test_other_values_are_no_numbers_within_the_limits(value: object) -> None:
    with pytest.raises(InvalidInputError, match=r"x must be a number between 0 and 10; got "):
        require_number("x", value, 0, 10)


@pytest.mark.parametrize("value", [2.5, math.inf, math.nan, False, "3", -1])
def test_what_is_not_whole_is_refused_as_such(value: object) -> None:
    with pytest.raises(InvalidInputError, match=r"x must be a whole number at least 0; got "):
        require_number("x", value, 0, whole=True)


# Former names


def test_a_former_name_is_read_with_one_warning() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bread = Bread.from_flat({"salty": False, "crust": "soft"}, prefix="b.")
    assert bread == Bread(crust="soft", dough=Dough(salted=False))
    assert [(one.category, str(one.message)) for one in caught] == [
        (FutureWarning, "b.salty is called b.salted now; the next version will refuse the former name.")
    ]


@pytest.mark.parametrize("both", [("salty", "salted"), ("salted", "salty"), ("time", "duration")])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_setting_under_two_names_is_refused(both: tuple[str, str]) -> None:
    with pytest.raises(InvalidInputError, match="are two names of one setting; give one of them"):
        Bread.from_flat(dict.fromkeys(both, 1.0))


def test_names_of_several_configurations_are_made_current_and_others_left_alone() -> None:
    with pytest.warns(FutureWarning, match="salty is called salted now"):
        assert list(current_names({"x": 1, "salty": 2, "minutes": 3}, Dough, Bread)) == ["x", "salted", "minutes"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Baker(salty=False),
        lambda: Baker().set_params(salty=False),
        lambda: clone(Baker()).set_params(salty=False),
    ],
)
def test_a_parameter_is_set_by_its_former_name(make: Any) -> None:
    with pytest.warns(FutureWarning, match="salty is called salted now"):
        baker = make()
    assert baker.salted is False
    assert baker.settings is None


def test_a_parameter_that_the_signature_names_has_a_former_name_too() -> None:
    with pytest.warns(FutureWarning, match="meal is called flour now"):
        assert Baker(meal="wheat").flour == "wheat"


def test_settings_may_have_former_names_until_new_ones_are_set() -> None:
    renaming = {**Bread.renamed, "weter": "water"}
    baker = Baker(settings={"weter": 1.0, "eggs": 3})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bread, "renamed", renaming)
        with pytest.warns(FutureWarning, match="weter is called water now"):
            assert baker.fit(None).bread_.dough == Dough(water=1.0, eggs=3)
        assert baker.get_params()["water"] == 1.0
        assert baker.set_params(water=0.5).settings == {"water": 0.5, "eggs": 3}


def test_former_names_are_read_wherever_settings_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.oversampling.methods import generator_of
    from imbllm_autogluon.plugin.classifier_model import ClassifierModel
    from imbllm_autogluon.plugin.parameters import TwinParameters

    monkeypatch.setattr(LanguageConfig, "renamed", {"step_count": "steps"})
    given = {"step_count": 7}
    with pytest.warns(FutureWarning, match=r"ag\.imbllm\.step_count is called ag\.imbllm\.steps now") as caught:
        twin = TwinParameters.from_flat(TwinParameters.among({"imbllm.step_count": 7, "other": 1}))
    assert len(caught) == 1
    with pytest.warns(FutureWarning, match="step_count is called steps now"):
        generator = generator_of({**given, "method": "great"})
    with pytest.warns(FutureWarning, match="step_count is called steps now"):
        model = ClassifierModel(str(tmp_path), "m", "binary", hyperparameters=given)
    assert twin.rebalancing.generator.language.steps == generator.config.language.steps == 7
    assert model.settings_among(model._user_params) == {"steps": 7}


# Estimators


def test_few_settings_are_parameters_and_the_others_stand_behind_one() -> None:
    parameters = inspect.signature(Baker).parameters.values()
    assert {p.name: p.default for p in parameters} == {
        "seed": 0, "flour": "rye", "minutes": "auto", "salted": True, "settings": None,
    }  # fmt: skip
    assert {p.kind for p in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    assert vars(Baker(minutes=3)) == {"seed": 0, "flour": "rye", "minutes": 3, "salted": True, "settings": None}


def test_parameters_and_settings_are_one_configuration() -> None:
    baker = Baker(minutes=3, flour="wheat", settings={"eggs": np.int64(2), "crust": "hard"}).fit(None)
    assert baker.bread_ == Bread(3, "hard", dough=Dough("wheat", eggs=2))
    assert Baker().fit(None).bread_ == Bread()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"watr": 1}, r"unknown setting 'watr' \(did you mean 'water'\?\)"),
        ({"minutes": 3}, "'minutes' is a parameter of Baker; pass it as parameter"),
        ({"flour": "rye"}, "'flour' is a parameter of Baker; pass it as parameter"),
        ({"seed": 1}, "'seed' is a parameter of Baker; pass it as parameter"),
        ({3: 1}, "unknown setting '3'"),
        ({"eggs": 99}, "eggs must be a whole number between 0 and 12; got 99"),
        ([("eggs", 1)], r"settings must map names to values, such as \{'steps': 50\}; got \[\('eggs', 1\)\]"),
    ],
)
def test_settings_are_checked_when_fitted_not_before(settings: Any, message: str) -> None:
    baker = clone(Baker(settings=settings))
    with pytest.raises(InvalidInputError, match=message):
        baker.fit(None)


def test_parameters_list_every_setting_and_set_them_by_name() -> None:
    given = {"eggs": 2}
    baker = Baker(settings=given)
    assert baker.get_params(deep=False).keys() == {"seed", "flour", "minutes", "salted", "settings"}
    assert baker.get_params().items() >= {"eggs": 2, "water": None, "crust": None, "minutes": "auto"}.items()
    assert baker.set_params(crust="soft", minutes=5) is baker
    assert (baker.settings, baker.minutes, given) == ({"eggs": 2, "crust": "soft"}, 5, {"eggs": 2})
    assert Baker().set_params(settings=given, eggs=3).settings == {"eggs": 3}
    with pytest.raises(ValueError, match="Invalid parameter 'egg'"):
        baker.set_params(egg=1)


def test_a_setting_is_no_attribute() -> None:
    baker = Baker(settings={"eggs": 2})
    with pytest.raises(AttributeError, match=r"eggs is a setting of Baker: use set_params\(eggs=3\)\."):
        baker.eggs = 3
    baker.minutes = 5
    assert baker.set_params(eggs=3).get_params().items() >= {"eggs": 3, "minutes": 5}.items()


def test_an_estimator_is_cloned_and_pickled_with_its_settings() -> None:
    baker = Baker(minutes=3, settings={"eggs": 2})
    for copy in (clone(baker), pickle.loads(pickle.dumps(baker))):
        assert copy.get_params() == baker.get_params()
        assert copy.settings is not baker.settings
    assert repr(baker) == "Baker(minutes=3, settings={'eggs': 2})"


@pytest.mark.parametrize(
    "check", [check_parameters_default_constructible, check_get_params_invariance, check_set_params]
)
def test_parameters_keep_the_conventions_of_scikit_learn(check: Any) -> None:
    check("Baker", Baker(settings={"eggs": 2}))


def test_a_setting_given_as_keyword_is_read_with_a_warning_that_says_what_to_write() -> None:
    with pytest.warns(FutureWarning, match=r"Baker: write settings=\{'eggs': 2\}; the next version") as caught:
        baker = Baker(minutes=3, settings={"water": 1.0}, eggs=2)
    assert caught[0].filename == __file__
    assert baker.settings == {"water": 1.0, "eggs": 2}


def test_other_keywords_are_refused() -> None:
    with pytest.raises(TypeError, match=r"Baker has no parameter 'minuts' \(did you mean 'minutes'\?\)"):
        Baker(minuts=3)
    with pytest.raises(InvalidInputError, match="eggs is given as a keyword and in `settings`"):
        Baker(settings={"eggs": 2}, eggs=3)


@pytest.mark.parametrize("path", CONFIGURATIONS)
def test_no_number_takes_what_is_none_or_lies_beyond_its_range(path: str) -> None:
    for owner in classes_of(found(path)):
        for name, hint in owner.field_types().items():
            for allowed in filter(None, map(_config._range_of, _config._members_of(hint))):
                for value in (math.nan, -math.inf, allowed.low - 1, -1e-9, allowed.high + 1):
                    if value not in allowed:
                        with pytest.raises(InvalidInputError, match=rf"{name} must be .* (at least|above|between) "):
                            found(path).from_flat({name: value})


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "oversampling.sampler.ImbLLMOverSampler": ({"threads": 0}, "threads"),
    "oversampling.synthesizer.TableSynthesizer": ({"threads": 0}, "threads must be a whole number between 1 and 1024"),
    "oversampling.synthesizer.PredLLM": ({"random_state": -1}, "random_state must be an integer of at least 0"),
    "classification.classifier.LanguageModelClassifier": ({"threads": 0}, "threads must be .*; got 0"),
    "classification.classifier.LanguageModelClassifier ": ({"random_state": -1}, "random_state must be .*; got -1"),
    "regression.latent_diff.LatentDiffRegressor": ({"threads": -2}, "threads must be .*; got -2"),
    "regression.latent_diff.LatentDiffRegressor ": (
        {"time_limit": math.nan},
        r"time_limit must be .* above 0.0; got nan",
    ),
    "regression.latent_diff.LatentDiffRegressor  ": ({"time_limit": 0}, r"time_limit must be .* above 0.0; got 0"),
}


@pytest.mark.parametrize(("path", "options", "message"), [(path, *case) for path, case in REFUSED.items()])
def test_estimators_refuse_threads_seeds_and_time_that_there_cannot_be(
    path: str, options: dict[str, Any], message: str
) -> None:
    X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    with pytest.raises(ValueError, match=message):
        getattr(found(path.strip())(**options), "fit_resample" if "Sampler" in path else "fit")(X, y)


@pytest.mark.parametrize("path", ESTIMATORS)
def test_parameters_and_settings_of_an_estimator_are_its_configuration(path: str) -> None:
    estimator = found(path)
    names = {*inspect.signature(estimator).parameters, *estimator().get_params()}
    assert names >= set(found(ESTIMATORS[path]).flat_keys())


# In words


def test_a_parameter_has_its_types_its_default_and_the_string_under_its_field() -> None:
    assert parameters_of(Dough) == (
        Parameter("flour", '{"rye", "wheat", 405}', '"rye"', "Which one. A long sentence."),
        Parameter("water", "float (0 to 2) or None", "None", "Litres. `None`: by feel."),
        Parameter("eggs", "int (0 to 12)", "0", ""),
        Parameter("salted", "bool", "True", "If so."),
    )


def test_parts_follow_the_class_that_has_them() -> None:
    assert classes_of(Bread) == (Bread, Dough)
    assert [one.name for one in leaves(Bread)] == list(Bread.flat_keys())


def test_a_configuration_lists_its_parameters_and_those_of_its_parts_before_its_other_sections() -> None:
    text = inspect.getdoc(Dough) or ""
    assert text.startswith(
        'What goes into it.\n\nParameters\n----------\nflour : {"rye", "wheat", 405}, default="rye"\n    Which one. A'
    )
    assert "    If so.\n\nExamples\n--------\n>>> Dough().flour" in text
    text = inspect.getdoc(Bread) or ""
    assert 'minutes : float (above 0) or {"auto"}, default="auto"\n    In it.' in text
    assert "eggs : int (0 to 12), default=0" in text


def test_an_estimator_lists_parameters_and_settings_but_those_that_it_describes_itself() -> None:
    text = inspect.getdoc(Baker) or ""
    assert text.count("flour : ") == 1
    assert '    Described here.\nminutes : float (above 0) or {"auto"}, default="auto"\n    In it.\nsalted' in text
    assert "    If so.\nsettings : dict of name to value or None, default=None\n    The rest.\n\n" in text
    settings = text.partition("\n\nOther Parameters\n----------------\n")[2]
    assert settings.startswith('crust : {"soft", "hard"} or None, default=None\n    How it is outside.\nsteam')
    assert settings.endswith("eggs : int (0 to 12), default=0\n\nAttributes\n----------\nname_ : str\n    His.")


@pytest.mark.parametrize("path", CONFIGURATIONS)
def test_help_of_a_configuration_gives_every_parameter_and_its_meaning_and_no_range_twice(path: str) -> None:
    shown = pydoc.plain(pydoc.render_doc(found(path)))
    for one in leaves(found(path)):
        assert one.meaning, one
        assert f"{one.name} : {one.allowed}, default=" in shown
        allowed = one.allowed.partition("(")[2].partition(")")[0]
        assert not allowed or f"({allowed}" not in one.meaning, one


@pytest.mark.parametrize("path", ESTIMATORS)
def test_help_of_an_estimator_lists_every_parameter_and_setting_once_with_its_range(path: str) -> None:
    estimator, parameters = found(path), leaves(found(ESTIMATORS[path]))
    shown = pydoc.plain(pydoc.render_doc(estimator))
    expected = {*inspect.signature(estimator).parameters, *(one.name for one in parameters)}
    assert {name for name in expected if shown.count(f"\n |  {name} : ") != 1} == set()
    ranges = [one for one in parameters if one.allowed.startswith(("int (", "float ("))]
    assert len(ranges) > 10
    text = inspect.getdoc(estimator) or ""
    assert all(f"{one.name} : {one.allowed}, default={one.default}\n    {one.meaning[:40]}" in text for one in ranges)


# help() of what users call


def public() -> dict[str, Any]:
    """What the package, its plugin, its judges and its searches offer to call, by name."""
    rooms = ["imbllm_autogluon", *(f"imbllm_autogluon.{room}" for room in ("plugin", "quality", "search"))]
    offered = {name: getattr(room, name) for room in map(importlib.import_module, rooms) for name in room.__all__}
    classes = {name: one for name, one in offered.items() if inspect.isclass(one) and not dataclasses.is_dataclass(one)}
    return {**classes, **{name: one for name, one in offered.items() if inspect.isroutine(one)}}


def entry(text: str, name: str) -> str:
    """What a docstring says of a parameter: its own entry, or one of a few together."""
    found = re.search(rf"^(?:[\w*, ]*, )?\**{name}(?:, [\w*, ]+)?( : .*)?\n((    .*)?\n)+", text + "\n", re.MULTILINE)
    return found[0] if found else ""


RANGE = re.compile(r"\d to \d|[Aa]t least|[Aa]bove|or more|below")
"""How a docstring says which numbers are allowed."""


@pytest.mark.parametrize("name", sorted(public()))
def test_help_shows_every_parameter_and_the_range_of_every_number(name: str) -> None:
    text = inspect.getdoc(public()[name]) or ""
    parameters = inspect.signature(public()[name]).parameters.values()
    assert [each.name for each in parameters if not (entry(text, each.name) or len(parameters) == 1)] == []
    for each in parameters:
        told = entry(text, each.name) or text
        if re.search(r"\b(int|float)\b", str(each.annotation)):
            assert RANGE.search(told), f"no range: {told}"


@pytest.mark.parametrize("name", ["make_preset", "rebalance_hyperparameters", "RebalanceCallback"])
def test_help_of_what_adds_twins_lists_their_parameters(name: str) -> None:
    text = pydoc.plain(pydoc.render_doc(public()[name]))
    parameters = [one for part in (TwinOptions, *classes_of(TwinParameters)) for one in parameters_of(part)]
    for one in parameters:
        assert (f"{one.name} : {one.allowed}, default={one.default}" in text) is (one.name != "parameters")
    assert text.index("Other Parameters") > text.index("**options\n")


def test_importing_the_package_reads_no_source_of_a_configuration() -> None:
    code = (
        "import imbllm_autogluon, imbllm_autogluon._config as config, sys;"
        "sys.exit(config._module_body.cache_info().currsize)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_sources_parameters_have_no_meaning_but_all_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_source(_module: object) -> str:
        raise OSError("source code not available")

    monkeypatch.setattr(inspect, "getsource", no_source)
    _config._module_body.cache_clear()
    try:
        assert parameters_of(Dough)[1] == Parameter("water", "float (0 to 2) or None", "None", "")
    finally:
        _config._module_body.cache_clear()


# The environment


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"IMBLLM_CACHE_DIR": "/a/b", "XDG_CACHE_HOME": "/c"}, Path("/a/b")),
        ({"IMBLLM_CACHE_DIR": "", "XDG_CACHE_HOME": "/c"}, Path("/c/imbllm_autogluon")),
        ({"XDG_CACHE_HOME": ""}, Path.home() / ".cache" / "imbllm_autogluon"),
        ({}, Path.home() / ".cache" / "imbllm_autogluon"),
    ],
)
def test_the_cache_folder_is_the_own_variable_then_the_desktop_standard_then_home(
    environment: dict[str, str], folder: Path
) -> None:
    assert cache_dir(environment) == folder


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("yes", True), ("0", False), ("OFF", False), ("No", False)])
def test_progress_can_be_switched(value: str, shown: bool) -> None:
    assert shows_progress({"IMBLLM_PROGRESS": value}) is shown


def test_another_word_for_progress_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="IMBLLM_PROGRESS must be 0 or 1, or not set; got 'maybe'"):
        shows_progress({"IMBLLM_PROGRESS": "maybe"})


@pytest.mark.parametrize("other", [{"TQDM_DISABLE": "1"}, {"RANK": "1"}])
def test_nothing_shows_bars_where_tqdm_is_off_or_another_process_has_them(other: dict[str, str]) -> None:
    assert shows_progress({"IMBLLM_PROGRESS": "1", "RANK": "0"})
    assert not shows_progress({"IMBLLM_PROGRESS": "1", **other})


class Stream:
    """A terminal, a file, or with the name of another module a notebook."""

    def __init__(self, terminal: bool) -> None:
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        return len(text)


class NotebookStream(Stream):
    __module__ = "ipykernel.iostream"


@pytest.mark.parametrize("environment", [{}, {"IMBLLM_PROGRESS": ""}])
@pytest.mark.parametrize("terminal", [True, False, None])
def test_by_default_progress_is_shown_on_terminals_alone(
    environment: dict[str, str], terminal: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", None if terminal is None else Stream(terminal))
    assert shows_progress(environment) is bool(terminal)
    with hidden_bars():
        assert not shows_progress(environment)
    monkeypatch.setattr("multiprocessing.parent_process", object)  # of a pool: its bars would write over each other
    assert not shows_progress(environment)


@pytest.mark.parametrize("widgets", [True, False])
def test_a_notebook_shows_progress_where_it_can_draw_a_bar_in_place(
    widgets: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", NotebookStream(terminal=False))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name if widgets else None)
    assert shows_progress({}) is widgets


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """A pseudo terminal in place of stderr, and what was written to it so far."""
    reader, writer = pty.openpty()
    os.set_blocking(reader, False)
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))  # a new one has no size
    monkeypatch.setenv("IMBLLM_PROGRESS", "")
    with os.fdopen(writer, "w") as stderr, os.fdopen(reader, "rb") as read:
        monkeypatch.setattr("sys.stderr", stderr)
        yield lambda: (read.read() or b"").decode()


def test_a_terminal_gets_a_bar_with_the_time_left_which_goes_when_all_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as written:
        with progress_bar(4, "writing", delay=0.0) as bar:
            bar.update(2)
            bar.refresh()
            assert re.search(r"imbllm writing +50%\|.*\| 2/4, 00:00 left", written())
        assert written().endswith("\r")
        assert list(progress_bar(4, "writing", range(4))) == [0, 1, 2, 3]  # too short for a bar
        assert written() == ""


def test_files_and_pipes_get_no_bar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMBLLM_PROGRESS", "")
    with (tmp_path / "log").open("w") as log:
        monkeypatch.setattr("sys.stderr", log)
        assert sum(progress_bar(3, "writing", range(3), delay=0.0)) == 3
    assert (tmp_path / "log").read_text() == ""


def test_the_environment_of_the_process_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("/first", "/second"):
        monkeypatch.setenv("IMBLLM_CACHE_DIR", folder)
        assert cache_dir() == Path(folder)


def test_every_variable_that_the_package_reads_stands_on_the_page_of_the_environment() -> None:
    root = Path(_config.__file__).parent
    page = (root.parent / "docs" / "reference" / "environment.md").read_text(encoding="utf-8")
    source = "".join(file.read_text(encoding="utf-8") for file in root.rglob("*.py"))
    read = set(re.findall(r"""environ(?:ment)?(?:\.get\(|\[)["'](\w+)""", source))
    assert read >= {"IMBLLM_PROGRESS", "IMBLLM_CACHE_DIR", "WORLD_SIZE"}
    assert read == set(re.findall(r"[`]([A-Z_]+)[`]", page.partition("| the name in")[0]))
    assert set(re.findall(r"IMBLLM_[A-Z_]*(?:DIR|PROGRESS)", source)) <= read


def test_a_secret_is_read_by_the_name_of_its_variable_and_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hf_secret")
    assert secret("MY_TOKEN") == "hf_secret"
    monkeypatch.setenv("MY_TOKEN", "")
    with pytest.raises(InvalidInputError, match="'MY_TOKEN' should hold a token, but is not set"):
        secret("MY_TOKEN")


def test_configurations_are_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Dough().eggs = 3  # type: ignore[misc]
