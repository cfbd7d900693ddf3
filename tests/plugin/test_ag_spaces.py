from __future__ import annotations

from typing import Any

import optuna
import pytest
from autogluon.common.space import Bool, Categorical, Int, Real, Space
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.trials import _first_all, _suggest, _suggest_all

LAYERS = ([50], [50, 50])


def distribution(space: Space) -> Any:
    trial = optuna.create_study().ask()
    _suggest(trial, "x", space)
    return trial.distributions["x"]


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (Real(0.1, 0.9), FloatDistribution(0.1, 0.9)),
        (Real(1e-4, 1.0, log=True), FloatDistribution(1e-4, 1.0, log=True)),
        (Int(2, 60), IntDistribution(2, 60)),
        (Bool(), CategoricalDistribution((False, True))),
        (Categorical("gbdt", "dart"), CategoricalDistribution(("gbdt", "dart"))),
        (Categorical(None, 5, 0.5), CategoricalDistribution((None, 5, 0.5))),
        (Categorical(*LAYERS), CategoricalDistribution((0, 1))),
    ],
)
def test_a_space_of_autogluon_becomes_one_of_optuna(space: Space, expected: Any) -> None:
    assert distribution(space) == expected


@pytest.mark.parametrize("place", [0, 1])
def test_choices_that_optuna_cannot_store_are_stored_by_their_place(place: int) -> None:
    assert _suggest(FixedTrial({"x": place}), "x", Categorical(*LAYERS)) == LAYERS[place]


def test_a_nested_space_is_drawn_only_where_it_is_chosen() -> None:
    space = Categorical(Real(0.1, 0.2), Categorical("a", "b"), "off")
    assert _suggest(FixedTrial({"x": 0, "x.0": 0.15}), "x", space) == 0.15
    assert _suggest(FixedTrial({"x": 1, "x.1": "b"}), "x", space) == "b"
    trial = FixedTrial({"x": 2})
    assert _suggest(trial, "x", space) == "off"
    assert trial.params == {"x": 2}


def test_values_that_are_no_spaces_are_left_out() -> None:
    trial = FixedTrial({"depth": 4})
    assert _suggest_all(trial, {"depth": Int(2, 8), "rounds": 100}) == {"depth": 4}


def later_default(space: Space, default: Any) -> Space:
    space.default = default
    return space


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (Real(0.1, 0.9), 0.1),
        (Real(0.1, 0.9, default=0.5), 0.5),
        (Int(2, 60, default=20), 20),
        (Bool(), False),
        (Categorical("a", "b"), "a"),
        (later_default(Categorical("a", "b"), "b"), "b"),
        (Categorical(*LAYERS), LAYERS[0]),
        (later_default(Categorical(*LAYERS), LAYERS[1]), LAYERS[1]),
        (Categorical(Real(0.1, 0.2, default=0.15), "off"), 0.15),
        (Categorical("off", Real(0.1, 0.2)), "off"),
        (Categorical(Categorical(Int(1, 9, default=7), [1]), None), 7),
    ],
)
def test_the_first_trial_gets_the_default_of_a_space(space: Space, expected: Any) -> None:
    study = optuna.create_study()
    study.enqueue_trial(_first_all({"x": space, "fixed": 3}))
    trial = study.ask()
    assert _suggest_all(trial, {"x": space}) == {"x": expected}


def test_an_unknown_space_is_refused_by_name() -> None:
    class Simplex(Space):
        default = 0

    with pytest.raises(InvalidInputError, match="depth has a search space of type Simplex"):
        _suggest(FixedTrial({}), "depth", Simplex())
