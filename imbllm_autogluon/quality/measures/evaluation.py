"""All measures of written rows at once: are they real-looking, varied, new and useful."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import InvalidInputError, nearest
from imbllm_autogluon.quality.measures.associations import kept_of_columns, worst_associations
from imbllm_autogluon.quality.measures.catalogue import CATALOGUE, combined
from imbllm_autogluon.quality.measures.class_distances import class_distances
from imbllm_autogluon.quality.measures.class_rows import HOLDOUT, INTERPOLATED, REAL, SYNTHETIC, matched_tables
from imbllm_autogluon.quality.measures.closeness import closeness
from imbllm_autogluon.quality.measures.diversity import diversity
from imbllm_autogluon.quality.measures.efficacy import MOST_TAUGHT, efficacy
from imbllm_autogluon.quality.measures.likeness import likeness
from imbllm_autogluon.quality.measures.membership import membership
from imbllm_autogluon.randomness import child_rng

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.measures.associations import KeptAssociation
    from imbllm_autogluon.quality.measures.class_distances import ClassDistances
    from imbllm_autogluon.quality.measures.class_rows import ClassRows, MatchedTables
    from imbllm_autogluon.quality.measures.measure import Finding, Measure, Verdict
    from imbllm_autogluon.quality.measures.pairs import PairedColumn

MOST_ROWS = 5_000
"""Rows of each class and table whose distances are measured: shares are known to 0.01."""

OWN_ROWS = frozenset(
    {
        "category coverage",
        "distinct rows",
        "entropy",
        "exact copies",
        "membership-inference advantage",
        "precision gain at recall",
    }
)
"""Measures that look at other rows than the distances do, mostly at all."""

MANY_POOR = 4
"""Measures that make rows poor together: of 120 samples of 25 to 150 real rows drawn anew one had three poor ones, none
more."""

MOSTLY = 0.5
"""Share of exact copies that makes rows poor: of few rows, a few real ones drawn anew may be copies by chance."""


@dataclass(frozen=True, eq=False)
class Distances:
    """Distances of the rows looked at, class after class, each in standard deviations of its own class."""

    to_real: FloatArray
    """Of each synthetic row to the nearest real one of its class, shape (n_synthetic,)."""

    to_holdout: FloatArray | None
    """To the nearest hold-out row of its class, NaN for classes without one; None without hold-out rows."""

    real_to_real: FloatArray
    """Of each real row to the nearest other one of its class, infinite where it is alone; shape (n_real,)."""

    nearest_real: IntArray
    """Position, in the real table, of the real row nearest to each synthetic one, shape (n_synthetic,)."""

    looked_at: IntArray
    """Position, in the synthetic table, of each synthetic row looked at, shape (n_synthetic,)."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What is known about written rows."""

    measures: tuple[Measure, ...]
    """In the order of :data:`imbllm_autogluon.quality.measures.catalogue.CATALOGUE`."""

    rows: dict[str, int]
    """Rows of the classes compared: "real", "synthetic", "holdout" (0 where none were given)."""

    notes: tuple[str, ...]
    """What was left out or limited, for the whole."""

    worst_associations: tuple[KeptAssociation, ...]
    """At most five pairs of columns that go together otherwise than in real rows, lost ones first."""

    distances: Distances
    """For pictures and for the nearest real row of each written one."""

    @property
    def verdict(self) -> Verdict:
        """Of the whole.

        "poor" where associations or four measures are poor, or most rows are copies; "good" where associations are good
        and no measure is poor; else "fair". A mean over all pairs of columns, as pair trends are, makes no rows good:
        most pairs have nothing to keep.
        """
        poor = {measure.name: measure.value or 0.0 for measure in self.measures if measure.verdict == "poor"}
        if "associations kept" in poor or poor.get("exact copies", 0.0) > MOSTLY or len(poor) >= MANY_POOR:
            return "poor"
        return "good" if self.measure("associations kept").verdict == "good" and not poor else "fair"

    def measure(self, name: str) -> Measure:
        """The measure of a name.

        Raises
        ------
        InvalidInputError
            There is none.
        """
        by_name = {measure.name: measure for measure in self.measures}
        if name not in by_name:
            raise InvalidInputError(
                f"there is no measure {name!r}{nearest(name, by_name)}; measured were: {', '.join(by_name)}."
            )
        return by_name[name]

    def table(self) -> pd.DataFrame:
        """One line for each measure: name, value, range, direction, verdict, meaning; an unknown value is NaN."""
        return pd.DataFrame(
            [(m.name, m.value, m.range_text, m.direction, m.verdict, m.meaning) for m in self.measures],
            columns=["name", "value", "range", "direction", "verdict", "meaning"],
        ).astype({"value": "float64"})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the distances."""
        return {
            "rows": dict(self.rows),
            "verdict": self.verdict,
            "measures": [measure.to_dict() for measure in self.measures],
            "worst_associations": [asdict(pair) for pair in self.worst_associations],
            "notes": list(self.notes),
        }


def evaluate(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    label: str | None = None,
    holdout: pd.DataFrame | None = None,
    interpolated: pd.DataFrame | None = None,
    seed: int = 0,
    most_rows: int = MOST_ROWS,
) -> Evaluation:
    """Measure whether written rows are real-looking, varied, new and useful.

    Parameters
    ----------
    real
        Rows that the generator learnt from, of all classes; numbers, times, categories, text, missing values.
    synthetic
        Written rows of the same columns.
    label
        Name of the label column of all tables. Written rows are compared with the real rows of their own class, and
        each measure is the mean over the classes weighted by their written rows. None: all rows are one class.
    holdout
        Real rows that the generator has not seen. Without them memorisation cannot be measured, and copies look close.
    interpolated
        Rows that the generator began from, if it interpolates.
    seed
        Of every random choice.
    most_rows
        Rows of each class and table whose distances are measured, at least 1. They are compared with all rows of the
        other tables, a block at a time, so that copies are found: time grows with `most_rows` times the rows.

    Returns
    -------
    Evaluation
        The measures, each with its range, direction, meaning and verdict. No privacy is promised beyond what is
        measured.

    Raises
    ------
    TableError
        A table is empty, lacks the label or another column, holds cells of another kind than the real one, or no
        written row is of a real class.
    InvalidInputError
        A table is no DataFrame, or `most_rows` is below 1.

    Examples
    --------
    >>> rows = pd.DataFrame({"age": range(200), "city": ["Oslo", "Bergen"] * 100})
    >>> found = evaluate(rows.iloc[::2], rows.iloc[::2], holdout=rows.iloc[1::2])
    >>> found.measure("exact copies").value, found.measure("exact copies").verdict
    (1.0, 'poor')
    """
    _check_most_rows(most_rows)
    given = {REAL: real, SYNTHETIC: synthetic, HOLDOUT: holdout, INTERPOLATED: interpolated}
    tables = {called: table for called, table in given.items() if table is not None}
    matched = matched_tables(tables, label)
    findings: dict[str, list[Finding]] = defaultdict(list)
    distances: list[ClassDistances] = []
    pairs: list[KeptAssociation] = []
    for place, rows in enumerate(matched.classes):
        distances.append(class_distances(rows, most_rows, child_rng(seed, "order", "distances", place)))
        found, associated = _class_findings(rows, distances[-1], seed, place)
        pairs += associated
        for name, finding in found.items():
            findings[name].append(finding)
    weights = [float(rows.count(SYNTHETIC)) for rows in matched.classes]
    measures = {name: combined(name, found, weights) for name, found in findings.items()}
    if label is not None:
        measures["precision gain at recall"] = combined("precision gain at recall", [efficacy(matched, seed)], [1.0])
    if interpolated is None:
        del measures["low-density interpolations"]
    sampled = _sampling_note(matched, distances)
    ordered = [_noted(measures[name], sampled) for name in CATALOGUE if name in measures]
    return Evaluation(
        tuple(ordered),
        _row_counts(matched),
        _notes(matched, sampled, label),
        worst_associations(pairs),
        _gathered(matched, distances),
    )


def _class_findings(
    rows: ClassRows, distances: ClassDistances, seed: int, place: int
) -> tuple[dict[str, Finding], list[KeptAssociation]]:
    rng = child_rng(seed, "order", "quality", place)
    columns = [
        replace(column, real=rows.values(column, REAL), synthetic=rows.values(column, SYNTHETIC))
        for column in rows.columns
    ]
    looked_at = _looked_at(columns, distances)
    findings = {
        **closeness(distances),
        "membership-inference advantage": membership(distances, rng),
        **diversity(rows, distances, columns, rng),
        **likeness(rows, distances, looked_at, seed, rng),
    }
    kept, pairs = kept_of_columns(looked_at, rng)
    return {**findings, "associations kept": kept}, pairs


def _looked_at(columns: list[PairedColumn], distances: ClassDistances) -> list[PairedColumn]:
    real, written = distances.looked_at[REAL], distances.looked_at[SYNTHETIC]
    return [replace(column, real=column.real[real], synthetic=column.synthetic[written]) for column in columns]


def _gathered(matched: MatchedTables, found: list[ClassDistances]) -> Distances:
    """Distances of all classes in one, positions in the whole tables."""
    pairs = list(zip(matched.classes, found, strict=True))
    to_holdout = [
        np.full(len(part.to_real.distance), np.nan) if part.to_holdout is None else part.to_holdout.distance
        for part in found
    ]
    return Distances(
        to_real=np.concatenate([part.to_real.distance for part in found]),
        to_holdout=np.concatenate(to_holdout) if HOLDOUT in matched.codes else None,
        real_to_real=np.concatenate([part.real_to_real for part in found]),
        nearest_real=np.concatenate([rows.positions[REAL][part.to_real.position] for rows, part in pairs]),
        looked_at=np.concatenate([rows.positions[SYNTHETIC][part.looked_at[SYNTHETIC]] for rows, part in pairs]),
    )


def _sampling_note(matched: MatchedTables, found: list[ClassDistances]) -> str:
    """Which tables were not looked at as a whole; empty where all were."""
    looked_at = {called: sum(len(part.looked_at.get(called, ())) for part in found) for called in matched.codes}
    there = {called: sum(rows.count(called) for rows in matched.classes) for called in matched.codes}
    parts = [f"{looked_at[called]} of {n} {called} rows" for called, n in there.items() if looked_at[called] < n]
    return f"Drawn at random: {', '.join(parts)}." if parts else ""


def _noted(measure: Measure, sampled: str) -> Measure:
    note = "" if measure.name in OWN_ROWS else sampled
    return replace(measure, note=" ".join(text for text in (measure.note, note) if text))


def _row_counts(matched: MatchedTables) -> dict[str, int]:
    keys = {"real": REAL, "synthetic": SYNTHETIC, "holdout": HOLDOUT}
    return {key: sum(rows.count(called) for rows in matched.classes) for key, called in keys.items()}


def _notes(matched: MatchedTables, sampled: str, label: str | None) -> tuple[str, ...]:
    notes = [*matched.notes, sampled]
    if len(matched.classes) > 1:
        notes.append(f"Means over {len(matched.classes)} classes, weighted by their written rows.")
    if HOLDOUT not in matched.codes:
        notes.append("Without hold-out rows memorisation was measured by copies alone.")
    if label is not None and int((matched.codes[REAL] >= 0).sum()) > MOST_TAUGHT:
        notes.append(f"The precision gain was measured with {MOST_TAUGHT} real training rows drawn at random.")
    return tuple(note for note in notes if note)


def _check_most_rows(most_rows: int) -> None:
    if isinstance(most_rows, bool) or not isinstance(most_rows, (int, np.integer)) or most_rows < 1:
        raise InvalidInputError(f"most_rows must be a whole number of at least 1; got {most_rows!r}.")
