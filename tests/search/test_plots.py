from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib import pyplot

from imbllm_autogluon.search import SearchSpace, open_study
from imbllm_autogluon.search.studies import _FEWEST_TRIALS, study_plots

if TYPE_CHECKING:
    import optuna


def study(n_trials: int, *, varied: bool = True) -> optuna.Study:
    space = SearchSpace() if varied else SearchSpace(method=("none",))
    made = open_study("s")
    made.optimize(lambda trial: len(str(space.suggest(trial))) / 100, n_trials=n_trials)
    return made


def test_a_study_without_trials_has_no_pictures() -> None:
    assert study_plots(study(0)) == {}


def test_few_trials_show_their_history_only() -> None:
    assert list(study_plots(study(_FEWEST_TRIALS - 1))) == ["History"]


def test_enough_trials_show_what_mattered_and_what_goes_together() -> None:
    pictures = study_plots(study(_FEWEST_TRIALS + 4))
    assert list(pictures) == ["History", "Importances", "Parallel coordinates"]
    for picture in pictures.values():
        assert ET.fromstring(picture).tag.endswith("svg")


def test_a_study_that_varies_nothing_shows_what_can_be_drawn() -> None:
    assert "History" in study_plots(study(_FEWEST_TRIALS, varied=False))


def test_the_same_study_gives_the_same_pictures() -> None:
    made = study(_FEWEST_TRIALS - 1)
    assert study_plots(made)["History"] == study_plots(made)["History"]


@pytest.mark.parametrize("backend", ["svg", "pdf"])
def test_the_callers_backend_and_figures_stay(backend: str) -> None:
    before = mpl.get_backend()
    pyplot.switch_backend(backend)
    try:
        study_plots(study(1))
        assert mpl.get_backend().lower() == backend
        assert pyplot.get_fignums() == []
    finally:
        pyplot.switch_backend(before)
