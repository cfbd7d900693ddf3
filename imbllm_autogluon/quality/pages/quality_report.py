"""Reports of synthetic rows: one page with pictures, and the same as Markdown and JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.quality.charts.compared import compared_rows
from imbllm_autogluon.quality.charts.neighbour_rows import neighbour_rows
from imbllm_autogluon.quality.charts.pictures import pictures
from imbllm_autogluon.quality.pages.environments import markdown_environment, page_environment

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.quality.charts.pictures import Pictures
    from imbllm_autogluon.quality.evaluation import Evaluation

FORMAT = 1
"""Of the JSON file."""

NAME = "quality_report"
"""Of the files, without ending."""

NO_PRIVACY = (
    "No privacy is promised: these measures find copies and near copies, they do not show that a row tells nothing "
    "about a person."
)

VERDICTS = ("good", "fair", "poor")
"""Of measures that have a value."""


@dataclass(frozen=True)
class RowsSection:
    """What a page says about synthetic rows: ``rows_sections.html`` draws it under the name ``section``."""

    facts: dict[str, Any]
    """Plain values that ``json.dumps`` accepts."""

    pictures: Pictures


@dataclass(frozen=True)
class QualityReport:
    """A report that can be written in three forms."""

    title: str
    section: RowsSection

    def to_dict(self) -> dict[str, Any]:
        """All that the report says, as values that ``json.dumps`` accepts; without the pictures."""
        return {"format": FORMAT, "title": self.title, **self.section.facts}

    def to_html(self) -> str:
        """One page with its styles and pictures inside; every name of the user's table is escaped."""
        return page_environment().get_template(f"{NAME}.html").render(title=self.title, section=self.section)

    def to_markdown(self) -> str:
        """The tables of the page as Markdown."""
        return markdown_environment().get_template(f"{NAME}.md").render(title=self.title, facts=self.section.facts)

    def write(self, folder: str | Path) -> Path:
        """Write ``quality_report.html``, ``.md`` and ``.json`` into a folder, made if need be; return the HTML file.

        Raises
        ------
        TableError
            The folder cannot be made or written.
        """
        from imbllm_autogluon._storage import write_whole

        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TableError(f"the folder {folder} cannot be made ({error.strerror}): name another one.") from error
        page = folder / f"{NAME}.html"
        texts = {".json": json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)}
        texts |= {".md": self.to_markdown(), ".html": self.to_html()}
        for ending, text in texts.items():
            write_whole(page.with_suffix(ending), lambda draft, text=text: draft.write_text(text, encoding="utf-8"))  # type: ignore[misc]
        return page


def report(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    label: str | None = None,
    holdout: pd.DataFrame | None = None,
    seed: int = 0,
    title: str = "",
) -> QualityReport:
    """Judge synthetic rows and make a report that a person can read.

    Parameters
    ----------
    real, synthetic
        Tables of the same columns.
    label
        Column of classes: synthetic rows are set beside real rows of their own class. Without it there is one class.
    holdout
        Real rows that the writer of `synthetic` has not seen; without them nothing can be said about memorisation.
    seed
        Of the rows drawn from large tables, and of the judges.
    title
        Of the page; says what the rows are.

    Raises
    ------
    InvalidInputError
        The tables cannot be compared; see :func:`imbllm_autogluon.quality.evaluation.evaluate`.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> rows = pd.DataFrame({"x": rng.normal(size=90), "city": rng.choice(["Oslo", "Bergen"], 90)})
    >>> made = report(rows.head(45), rows.tail(45))
    >>> made.to_dict()["rows"]["synthetic"]
    45
    """
    from imbllm_autogluon.quality.evaluation import evaluate

    evaluation = evaluate(real, synthetic, label=label, holdout=holdout, seed=seed)
    section = rows_section(evaluation, real, synthetic, label, holdout, seed=seed)
    return QualityReport(title or "Synthetic rows beside real ones", section)


def rows_section(
    evaluation: Evaluation,
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    label: str | None = None,
    holdout: pd.DataFrame | None = None,
    *,
    seed: int = 0,
) -> RowsSection:
    """Make the part of a page that is about synthetic rows, from an evaluation of the same tables.

    Parameters
    ----------
    evaluation
        Of these tables.
    real, synthetic, label, holdout, seed
        As :func:`report` takes them.
    """
    rows = compared_rows(real, synthetic, label, holdout, seed=seed)
    drawn = pictures(rows, evaluation.distances, seed)
    judged = evaluation.to_dict()
    facts = {
        "label": label,
        "rows": dict(evaluation.rows),
        "classes": _classes({"real": real, "synthetic": synthetic, "holdout": holdout}, label),
        "verdict": judged["verdict"],
        "headline": _headline(judged["verdict"], judged["measures"]),
        "measures": judged["measures"],
        "worst_associations": judged["worst_associations"],
        "columns": [{"name": name, "total_variation": value} for name, value in drawn.total_variations.items()],
        "associations": _association_facts(drawn),
        "neighbours": neighbour_rows(real, synthetic, evaluation.distances).to_dict(),
        "notes": [*evaluation.notes, NO_PRIVACY],
    }
    # As a reader of the JSON file finds them, so that a stored report is drawn like a fresh one.
    return RowsSection(json.loads(json.dumps(facts, allow_nan=False)), drawn)


def _classes(tables: dict[str, pd.DataFrame | None], label: str | None) -> list[dict[str, Any]]:
    """Rows of each class in each table, most real rows first."""
    if label is None:
        return []
    counts = {name: {} if table is None else dict(table[label].value_counts()) for name, table in tables.items()}
    by_text = {name: {str(value): int(n) for value, n in found.items()} for name, found in counts.items()}
    names = dict.fromkeys(text for found in by_text.values() for text in found)
    return [{"class": text, **{name: found.get(text, 0) for name, found in by_text.items()}} for text in names]


def _headline(verdict: str, measures: list[dict[str, Any]]) -> str:
    """The verdict in a sentence."""
    named = {kind: [measure["name"] for measure in measures if measure["verdict"] == kind] for kind in VERDICTS}
    known = sum(map(len, named.values()))
    parts = [f"{verdict.capitalize()} rows: {len(named['good'])} of {known} measures are good"]
    parts += [f"{kind}: {', '.join(named[kind])}" for kind in ("fair", "poor") if named[kind]]
    return f"{'; '.join(parts)}."


def _association_facts(drawn: Pictures) -> dict[str, Any] | None:
    chart = drawn.associations
    if chart is None:
        return None
    return {"mean_gap": chart.mean_gap, "left_out": chart.left_out}
