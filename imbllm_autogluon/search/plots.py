"""Pictures of a study: how it went, what mattered, and which values go together."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import optuna

FEWEST_TRIALS = 4
"""Finished trials below which importances and parallel coordinates would show noise."""

INCHES = (7.2, 3.4)


def study_plots(study: optuna.Study) -> Mapping[str, str]:
    """SVG texts by title: history, importances, parallel coordinates.

    Parameters
    ----------
    study
        With any number of trials; pictures that it has too few trials for are left out.
    """
    from matplotlib import pyplot
    from optuna.trial import TrialState
    from optuna.visualization import matplotlib as drawn

    finished = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    wanted: dict[str, Callable[..., Any]] = {"History": drawn.plot_optimization_history} if finished else {}
    if len(finished) >= FEWEST_TRIALS:
        wanted |= {"Importances": drawn.plot_param_importances, "Parallel coordinates": drawn.plot_parallel_coordinate}
    before = pyplot.get_backend()
    pyplot.switch_backend("agg")
    try:
        with warnings.catch_warnings(), pyplot.rc_context({"svg.hashsalt": study.study_name}):
            warnings.simplefilter("ignore")  # Optuna calls these functions experimental
            pictures = {title: _svg(plot, study) for title, plot in wanted.items()}
    finally:
        pyplot.switch_backend(before)
    return {title: picture for title, picture in pictures.items() if picture}


def _svg(plot: Any, study: optuna.Study) -> str:
    """One picture; nothing where Optuna cannot draw it, such as importances of a single varied parameter."""
    from matplotlib import pyplot

    try:
        figure = plot(study).figure
    except (ValueError, RuntimeError):
        return ""
    figure.set_size_inches(*INCHES)
    written = io.StringIO()
    figure.savefig(written, format="svg", bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    return written.getvalue()
