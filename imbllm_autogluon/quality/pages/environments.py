"""Templates of pages and of Markdown files, and how both write numbers and metrics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

METRIC_NAMES = {
    "average_precision": "average precision",
    "roc_auc": "ROC AUC",
    "roc_auc_ovo": "ROC AUC (one against one)",
    "f1": "F1",
    "f1_macro": "F1 (macro)",
    "log_loss": "log-loss",
    "balanced_accuracy": "balanced accuracy",
    "mean_absolute_error": "mean absolute error",
    "few_mae": "few-shot mean absolute error",
    "medium_mae": "medium-shot mean absolute error",
    "many_mae": "many-shot mean absolute error",
    "root_mean_squared_error": "root mean squared error",
    "geometric_mean_error": "geometric mean error",
    "r2": "R²",
}
"""How readers write the metrics; others keep AutoGluon's name."""

SMALLEST, LARGEST = -6, 14
"""Powers of ten between which numbers in a unit are written out."""

_MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]<>|#~"} | {"\n": " ", "\r": " "})


def number(value: float | None, digits: int = 4) -> str:
    """A number for a table cell; a dash where there is none.

    Examples
    --------
    >>> number(0.91234), number(None)
    ('0.9123', '-')
    """
    return "-" if value is None else f"{value:.{digits}f}"


def measure(value: float | None, digits: int = 4) -> str:
    """A number in some unit, with as many digits as count; a dash where there is none.

    Examples
    --------
    >>> measure(23456.78), measure(1.23456), measure(0.00123456), measure(0.0), measure(None)
    ('23457', '1.235', '0.001235', '0', '-')
    """
    if value is None or not value:
        return "-" if value is None else "0"
    exponent = math.floor(math.log10(abs(value)))
    if not SMALLEST <= exponent <= LARGEST:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(0, digits - 1 - exponent)}f}"


def signed(value: float) -> str:
    """A difference in some unit, with its sign."""
    return f"{'-' if value < 0 else '+'}{measure(abs(value))}"


def metric_name(name: str) -> str:
    """A metric as readers write it."""
    return METRIC_NAMES.get(name, name)


def page_environment() -> Environment:
    """Templates of pages with their filters; all that they are given is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("imbllm_autogluon.quality.pages", "templates"),
        autoescape=True,  # names of columns and classes are the user's: "<b>" must stay text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "measure": measure, "signed": signed, "metric_name": metric_name}
    return environment


def markdown_environment() -> Environment:
    """Templates of Markdown files with their filters; ``cell`` escapes what the user named."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - Markdown, whose own signs the filter `cell` escapes
        loader=PackageLoader("imbllm_autogluon.quality.pages", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "measure": measure, "cell": lambda text: str(text).translate(_MARKDOWN)}
    return environment
