"""The report of a fit as Markdown: its tables, for a terminal, a diff or a merge request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imbllm_autogluon.quality.pages.environments import markdown_environment, measure, metric_name, number, signed

if TYPE_CHECKING:
    from collections.abc import Mapping


def fit_markdown(report: Mapping[str, Any]) -> str:
    """Render the report of a fit as Markdown.

    Parameters
    ----------
    report
        What :func:`imbllm_autogluon.jobs.fit_report.fit_report` returns, or the JSON file written from it.

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
