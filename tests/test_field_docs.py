"""`help()` tells every parameter: its types, its range or choices, its default and its meaning."""

from __future__ import annotations

import importlib
import inspect
import pydoc
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest

from imbllm_autogluon.configuration import FlatConfig, Range
from imbllm_autogluon.field_docs import Parameter, classes_of, documented, documented_settings, parameters_of

if TYPE_CHECKING:
    from collections.abc import Mapping

ESTIMATORS = {
    "oversampling.sampler.ImbLLMOverSampler": "oversampling.config.GeneratorConfig",
    "classification.classifier.LanguageModelClassifier": "classification.config.ClassifierConfig",
    "regression.latent_diff.LatentDiffRegressor": "regression.config.LatentDiffConfig",
}
"""The estimators, each with the configuration behind its settings."""

CONFIGURATIONS = (
    *ESTIMATORS.values(),
    "rebalancing.config.RebalanceConfig",
    "plugin.parameters.StageConfig",
    "plugin.parameters.TuningOptions",
)


@documented
@dataclass(frozen=True)
class Dough:
    """What goes into it.

    Examples
    --------
    >>> Dough().flour
    'rye'
    """

    flour: Literal["rye", "wheat"] = "rye"
    """Which one. A long
    sentence."""

    water: Annotated[float, Range(0.0, 2.0)] | None = None
    """Litres. `None`: by feel."""

    eggs: Annotated[int, Range(0, 12)] = 0

    salted: bool = True
    """Whether it is."""


@documented
@dataclass(frozen=True)
class Bread(FlatConfig):
    """All of it."""

    minutes: Annotated[float, Range(0.0, above=True)] | Literal["auto"] = "auto"
    """In the oven."""

    dough: Dough = field(default_factory=Dough)
    """A part, which is no parameter."""


@documented_settings(Bread)
class Baker:
    """Bakes.

    Parameters
    ----------
    flour : str, default="spelt"
        Described here.
    **settings
        Not shown to
        anybody.

    Attributes
    ----------
    name_ : str
        His.
    """


def found(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(f"imbllm_autogluon.{module}"), name)


def leaves(config_class: Any) -> list[Parameter]:
    return [one for owner in classes_of(config_class) for one in parameters_of(owner)]


def test_a_parameter_has_its_types_its_default_and_the_string_under_its_field() -> None:
    assert parameters_of(Dough) == (
        Parameter("flour", '{"rye", "wheat"}', '"rye"', "Which one. A long sentence."),
        Parameter("water", "float (0 to 2) or None", "None", "Litres. `None`: by feel."),
        Parameter("eggs", "int (0 to 12)", "0", ""),
        Parameter("salted", "bool", "True", "Whether it is."),
    )


def test_parts_follow_the_class_that_has_them() -> None:
    assert classes_of(Bread) == (Bread, Dough)
    assert [one.name for one in leaves(Bread)] == ["minutes", "flour", "water", "eggs", "salted"]


def test_a_configuration_lists_its_parameters_before_its_other_sections() -> None:
    text = inspect.getdoc(Dough) or ""
    assert text.startswith(
        'What goes into it.\n\nParameters\n----------\nflour : {"rye", "wheat"}, default="rye"\n    Which one. A long'
    )
    assert text.index("salted : bool, default=True") < text.index("Examples\n--------\n>>> Dough().flour")


def test_a_configuration_of_parts_lists_them_too() -> None:
    text = inspect.getdoc(Bread) or ""
    assert 'minutes : float (above 0) or {"auto"}, default="auto"\n    In the oven.' in text
    assert "eggs : int (0 to 12), default=0" in text


def test_an_estimator_lists_its_settings_but_those_that_it_describes_itself() -> None:
    text = inspect.getdoc(Baker) or ""
    assert "Not shown" not in text
    assert text.count("flour : ") == 1
    assert "    Described here.\nminutes : float (above 0)" in text
    assert "    Whether it is.\n\nAttributes\n" in text


@pytest.mark.parametrize("path", CONFIGURATIONS)
def test_every_field_of_a_configuration_has_a_meaning(path: str) -> None:
    without = [one.name for one in leaves(found(path)) if not one.meaning]
    assert not without


@pytest.mark.parametrize("path", CONFIGURATIONS)
def test_help_of_a_configuration_lists_every_parameter(path: str) -> None:
    shown = pydoc.plain(pydoc.render_doc(found(path)))
    missing = [one.name for one in leaves(found(path)) if f"{one.name} : {one.allowed}, default=" not in shown]
    assert not missing


@pytest.mark.parametrize("path", ESTIMATORS)
def test_help_of_an_estimator_lists_every_parameter_of_its_signature_once(path: str) -> None:
    estimator = found(path)
    shown = pydoc.plain(pydoc.render_doc(estimator))
    expected = set(inspect.signature(estimator).parameters)
    assert {name for name in expected if shown.count(f"\n |  {name} : ") != 1} == set()
    assert " |  **settings" not in shown


@pytest.mark.parametrize("path", ESTIMATORS)
def test_help_tells_the_range_that_is_checked(path: str) -> None:
    config: Mapping[str, Parameter] = {one.name: one for one in leaves(found(ESTIMATORS[path]))}
    ranges = [one for one in config.values() if one.allowed.startswith(("int (", "float ("))]
    assert len(ranges) > 10
    text = inspect.getdoc(found(path)) or ""
    assert all(f"{one.name} : {one.allowed}, default={one.default}\n    {one.meaning[:40]}" in text for one in ranges)


def test_importing_the_package_reads_no_source_of_a_configuration() -> None:
    code = (
        "import imbllm_autogluon, imbllm_autogluon.field_docs as docs, sys;"
        "sys.exit(docs._module_body.cache_info().currsize)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_sources_parameters_have_no_meaning_but_all_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_source(_module: object) -> str:
        raise OSError("source code not available")

    from imbllm_autogluon import field_docs

    monkeypatch.setattr(inspect, "getsource", no_source)
    field_docs._module_body.cache_clear()
    try:
        assert parameters_of(Dough)[1] == Parameter("water", "float (0 to 2) or None", "None", "")
    finally:
        field_docs._module_body.cache_clear()


def test_no_range_is_written_twice() -> None:
    """A docstring under a field that repeats the range of its annotation would be wrong one day."""
    for path in CONFIGURATIONS:
        for owner in classes_of(found(path)):
            for one in parameters_of(owner):
                allowed = one.allowed.partition("(")[2].partition(")")[0]
                assert not allowed or f"({allowed}" not in one.meaning, (owner, one)
