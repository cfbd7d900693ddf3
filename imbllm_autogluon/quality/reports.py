"""Reports for readers: of synthetic rows and of fits, as one HTML page without network or script, Markdown and JSON."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imbllm_autogluon._storage import write_texts
from imbllm_autogluon.quality import pictures, plots
from imbllm_autogluon.quality.associations import _TOO_FEW
from imbllm_autogluon.quality.curves import loss_windows
from imbllm_autogluon.quality.texts import text_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from jinja2 import Template

    from imbllm_autogluon.quality.evaluation import Evaluation
    from imbllm_autogluon.quality.pictures import Pictures

_LINE_KEYS = ("━━", "━ ━", "┅┅", "━ ╸", "━━ ━", "╍╍")  # what captions show for a line of each of the six dashes
_MOST_COLUMNS = 24  # that are drawn, the worst ones
_NO_PRIVACY = (
    "No privacy is promised: these measures find copies and near copies, they do not show that a row tells nothing "
    "about a person."
)

_FORMAT = 1  # of the JSON file
_NAME = "quality_report"  # of the files, without ending
_PAGES = {"classification": "class_report.html", "regression": "target_report.html"}

# How readers write the metrics; others keep AutoGluon's name.
_METRIC_NAMES = {
    "average_precision": "average precision", "roc_auc": "ROC AUC", "roc_auc_ovo": "ROC AUC (one against one)",
    "f1": "F1", "f1_macro": "F1 (macro)", "log_loss": "log-loss", "balanced_accuracy": "balanced accuracy", "r2": "R²",
    "mean_absolute_error": "mean absolute error", "root_mean_squared_error": "root mean squared error",
    "geometric_mean_error": "geometric mean error", "few_mae": "few-shot mean absolute error",
    "medium_mae": "medium-shot mean absolute error", "many_mae": "many-shot mean absolute error",
}  # fmt: skip
_SMALLEST, _LARGEST = -6, 14  # powers of ten between which numbers in a unit are written out
_CLASS = re.compile(r"\bclass(es)?\b(?!')")  # but a quoted name
_MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]<>|#~"} | {"\n": " ", "\r": " "})


@dataclass(frozen=True)
class RowsSection:
    """What a page says about synthetic rows: ``rows_sections.html`` draws it under the name ``section``."""

    facts: dict[str, Any]  # plain values that ``json.dumps`` accepts
    pictures: Pictures


@dataclass(frozen=True)
class QualityReport:
    """A report that can be written in three forms."""

    title: str
    section: RowsSection

    def to_dict(self) -> dict[str, Any]:
        """All that the report says, as values that ``json.dumps`` accepts; without the pictures."""
        return {"format": _FORMAT, "title": self.title, **self.section.facts}

    def to_html(self) -> str:
        """One page with its styles and pictures inside; every name of the user's table is escaped."""
        return _template(f"{_NAME}.html").render(title=self.title, section=self.section)

    def to_markdown(self) -> str:
        """The tables of the page as Markdown."""
        return _template(f"{_NAME}.md").render(title=self.title, facts=self.section.facts)

    def write(self, folder: str | Path) -> Path:
        """Write ``quality_report.html``, ``.md`` and ``.json`` into a folder, made if need be; return the HTML file.

        Raises `TableError` where the folder cannot be made or written.
        """
        plain = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        texts = {".json": plain, ".md": self.to_markdown(), ".html": self.to_html()}
        write_texts(Path(folder), {f"{_NAME}{ending}": text for ending, text in texts.items()})
        return Path(folder, f"{_NAME}.html")


def report(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    label: str | None = None,
    holdout: pd.DataFrame | None = None,
    seed: int = 0,
    title: str = "",
) -> QualityReport:
    """Evaluate synthetic rows and make a report that a person can read.

    Parameters
    ----------
    real, synthetic, label, holdout
        As :func:`imbllm_autogluon.quality.evaluate` takes them.
    seed
        Of every random choice, 0 to 2**32 - 1.
    title
        Of the page; says what the rows are.

    Raises
    ------
    InvalidInputError
        The tables cannot be compared; see :func:`imbllm_autogluon.quality.evaluate`.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"x": range(90), "city": ["Oslo", "Oslo", "Bergen"] * 30})
    >>> made = report(rows.head(45), rows.tail(45))
    >>> made.to_dict()["rows"]["synthetic"]
    45
    """
    from imbllm_autogluon.quality.evaluation import evaluate

    evaluation = evaluate(real, synthetic, label=label, holdout=holdout, seed=seed)
    section = _rows_section(evaluation, real, synthetic, label, holdout, seed)
    return QualityReport(title or "Synthetic rows next to real ones", section)


def _rows_section(
    evaluation: Evaluation,
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    label: str | None,
    holdout: pd.DataFrame | None,
    seed: int = 0,
) -> RowsSection:
    """The part of a page that is about synthetic rows, from an evaluation of the tables of :func:`report`."""
    shown = pictures.pictures(real, synthetic, evaluation.distances, label, holdout, seed)
    found, maps = evaluation.to_dict(), shown.associations
    facts = {
        "label": label,
        "rows": dict(evaluation.rows),
        "classes": _classes({"real": real, "synthetic": synthetic, "holdout": holdout}, label),
        "verdict": found["verdict"],
        "headline": _headline(evaluation),
        "measures": found["measures"],
        "worst_associations": found["worst_associations"],
        "columns": [{"name": column.name, "total_variation": column.total_variation} for column in shown.columns],
        "associations": None if maps is None else {"mean_gap": maps.mean_gap, "left_out": maps.left_out},
        "neighbors": pictures.neighbor_rows(real, synthetic, evaluation.distances),
        "texts": text_facts(real, synthetic, seed),
        "notes": [*evaluation.notes, _NO_PRIVACY],
    }
    # As a reader of the JSON file finds them, so that a stored report is drawn like a fresh one.
    return RowsSection(json.loads(json.dumps(facts, allow_nan=False)), shown)


def _classes(tables: dict[str, pd.DataFrame | None], label: str | None) -> list[dict[str, Any]]:
    """Rows of each class in each table, most real rows first."""
    if label is None:
        return []
    counts = {name: {} if table is None else dict(table[label].value_counts()) for name, table in tables.items()}
    by_text = {name: {str(value): int(n) for value, n in found.items()} for name, found in counts.items()}
    names = dict.fromkeys(text for found in by_text.values() for text in found)
    return [{"class": text, **{name: found.get(text, 0) for name, found in by_text.items()}} for text in names]


def _headline(found: Evaluation) -> str:
    """The verdict, then what speaks against the rows: lost associations and copies come before any praise."""
    kinds, verdict, kept = ("good", "fair", "poor"), found.verdict, found.measure("associations kept")
    named = {kind: [measure.name for measure in found.measures if measure.verdict == kind] for kind in kinds}
    lost = [str(pair) for pair in found.worst_associations if pair.is_lost]
    copies = found.measure("exact copies")
    parts = [f"lost: {', '.join(lost)}"] if lost else []
    parts += [f"{copies.value:.0%} are copies of real rows"] if copies.verdict == "poor" else []
    parts += [f"{kind} in {', '.join(named[kind])}" for kind in ("poor", "fair") if named[kind]]
    parts += [f"{len(named['good'])} of {sum(map(len, named.values()))} measures are good"]
    untold = kept.note.partition(". ")[0].rstrip(".") if kept.note.startswith(_TOO_FEW) else f"No verdict. {kept.note}"
    first = untold.rstrip(".") + "; " if verdict == "unknown" else f"{verdict.capitalize()} rows: "
    return f"{first}{'; '.join(parts)}."


def render_fit_report(
    report: Mapping[str, Any], plots: Mapping[str, Mapping[str, str]] | None = None, section: RowsSection | None = None
) -> str:
    """Render the report of a fit as one HTML page with its styles and pictures; names of the user's are escaped.

    `report` are the facts of an :class:`imbllm_autogluon.jobs.report.FitReport`, or the JSON file written from it;
    `plots` the pictures of each study as data URIs, by the study's name and the picture's title; `section` is about the
    synthetic rows of one fold.
    """
    losses = {fold["name"]: fold["losses"] for fold in report["folds"] if fold["losses"]}
    windows, page = loss_windows(losses), _template(_PAGES[report["task"]], report["task"])
    return page.render(report=report, losses=losses, windows=windows, plots=plots or {}, section=section)


def fit_markdown(report: Mapping[str, Any]) -> str:
    """Render the report of a fit, as :func:`render_fit_report` takes it, as Markdown: its tables, names escaped."""
    return _template("fit_report.md", report["task"]).render(report=report, facts=report.get("rows", {}))


def render_demo(results: Sequence[tuple[Mapping[str, Any], RowsSection | None]]) -> str:
    """Render what the demo found on each table, and the rows that were written there, as one HTML page."""
    return _template("demo_report.html").render(results=results)


def number(value: float | None, digits: int = 4) -> str:
    """A number for a table cell; a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def measure(value: float | None, digits: int = 4) -> str:
    """A number in some unit, with as many digits as count (1.235, 0.001235); a dash where there is none."""
    if value is None or not value:
        return "-" if value is None else "0"
    exponent = math.floor(math.log10(abs(value)))
    if not _SMALLEST <= exponent <= _LARGEST:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(0, digits - 1 - exponent)}f}"


def metric_name(name: str) -> str:
    """A metric as readers write it."""
    return _METRIC_NAMES.get(name, name)


def _template(name: str, task: str = "") -> Template:
    """A template; of a page all that it is given is escaped, as names of columns and classes are the user's."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    is_page = name.endswith(".html")
    found = Environment(
        loader=PackageLoader("imbllm_autogluon.quality", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=is_page,  # noqa: S701 - signs of Markdown are escaped by the filter `cell`
        keep_trailing_newline=not is_page,
    )
    found.globals |= {"line_keys": _LINE_KEYS, "most_columns": _MOST_COLUMNS}
    found.globals |= plots.DRAWINGS
    found.filters |= plots.DRAWINGS
    found.filters |= {"number": number, "measure": measure, "metric_name": metric_name}
    found.filters["figure"] = figure = number if task == "classification" else measure
    found.filters["signed"] = lambda value: f"{'-' if value < 0 else '+'}{figure(abs(value))}"
    group, groups = ("bin", "bins") if task == "regression" else ("class", "classes")  # of rows that are alike
    found.globals |= {"group": group, "groups": groups}
    found.filters["grouped"] = lambda text: _CLASS.sub(lambda word: groups if word[1] else group, text)
    found.filters["cell"] = lambda text: str(text).translate(_MARKDOWN)
    return found.get_template(name)
