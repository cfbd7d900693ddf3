"""Reports as single HTML files: no network, no script, nothing beside the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imbllm_autogluon.quality.loss_chart import loss_chart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

METRIC_NAMES = {
    "average_precision": "average precision",
    "roc_auc": "ROC AUC",
    "roc_auc_ovo": "ROC AUC (one against one)",
    "f1": "F1",
    "f1_macro": "F1 (macro)",
    "log_loss": "log-loss",
    "balanced_accuracy": "balanced accuracy",
}
"""How readers write the metrics; others keep AutoGluon's name."""


def render_fit_report(report: Mapping[str, Any], plots: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """Render the report of a fit as one HTML page.

    Parameters
    ----------
    report
        What :func:`imbllm_autogluon.jobs.fit_report.fit_report` returns, or the JSON file written from it.
    plots
        Pictures of each study as data URIs, by the study's name and the picture's title.

    Returns
    -------
    str
        A whole page with its styles and its chart inside. Every name of the user's table is escaped.
    """
    classes = list(report["table"]["classes"])
    chart = loss_chart({fold["name"]: fold["losses"] for fold in report["folds"] if fold["losses"]})
    return (
        _environment()
        .get_template("fit_report.html")
        .render(report=report, classes=classes, chart=chart, plots=plots or {})
    )


def number(value: float | None, digits: int = 4) -> str:
    """A number for a table cell; a dash where there is none.

    Examples
    --------
    >>> number(0.91234), number(None)
    ('0.9123', '-')
    """
    return "-" if value is None else f"{value:.{digits}f}"


def metric_name(name: str) -> str:
    """A metric as readers write it."""
    return METRIC_NAMES.get(name, name)


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("imbllm_autogluon.quality", "templates"),
        autoescape=True,  # names of columns and classes are the user's: "<b>" must stay text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "metric_name": metric_name}
    return environment
