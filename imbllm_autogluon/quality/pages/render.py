"""Reports as single HTML files, without network or script, and as Markdown for a terminal or a merge request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imbllm_autogluon.quality.charts.losses import loss_chart
from imbllm_autogluon.quality.pages.environments import (
    markdown_environment,
    measure,
    metric_name,
    number,
    page_environment,
    signed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

    from imbllm_autogluon.quality.pages.quality_report import RowsSection


TEMPLATES = {"classification": "class_report.html", "regression": "target_report.html"}
"""Page of each task."""


def render_fit_report(
    report: Mapping[str, Any],
    plots: Mapping[str, Mapping[str, str]] | None = None,
    section: RowsSection | None = None,
) -> str:
    """Render the report of a fit as one HTML page.

    Parameters
    ----------
    report
        The facts of an :class:`imbllm_autogluon.jobs.report.FitReport`, or the JSON file written from it.
    plots
        Pictures of each study as data URIs, by the study's name and the picture's title.
    section
        Facts and pictures of the written rows of one fold.

    Returns
    -------
    str
        A whole page with its styles and its chart inside. Every name of the user's table is escaped.
    """
    chart = loss_chart({fold["name"]: fold["losses"] for fold in report["folds"] if fold["losses"]})
    return (
        _environment(report["task"])
        .get_template(TEMPLATES[report["task"]])
        .render(report=report, chart=chart, plots=plots or {}, section=section)
    )


def _environment(task: str) -> Environment:
    environment = page_environment()
    environment.filters["figure"] = number if task == "classification" else measure
    return environment


def fit_markdown(report: Mapping[str, Any]) -> str:
    """Render the report of a fit as Markdown.

    Parameters
    ----------
    report
        The facts of an :class:`imbllm_autogluon.jobs.report.FitReport`, or the JSON file written from it.

    Returns
    -------
    str
        The tables of the page without its pictures. Signs of Markdown in names of the user's table are escaped.
    """
    environment = markdown_environment()
    environment.filters |= {"signed": signed, "metric_name": metric_name}
    environment.filters["figure"] = number if report["task"] == "classification" else measure
    template = environment.get_template("fit_report.md")
    return template.render(report=report, facts=report.get("rows", {}))
