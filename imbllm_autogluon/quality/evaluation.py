"""All metrics of synthetic rows at once: do they look real, are they new, are they useful."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from imbllm_autogluon._config import progress_bar, require_number
from imbllm_autogluon.errors import InvalidInputError, nearest
from imbllm_autogluon.quality import associations, fidelity, privacy, utility
from imbllm_autogluon.quality.distances import HOLDOUT, INTERPOLATED, REAL, SYNTHETIC, ClassRows, MatchedTables
from imbllm_autogluon.quality.metrics import MetricResult

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.associations import KeptAssociation
    from imbllm_autogluon.quality.metrics import Metric, Verdict

_BY_NAME = associations.METRICS | fidelity.METRICS | privacy.METRICS | utility.METRICS
_ORDER = (
    "associations kept", "density", "coverage", "close probability", "DCR to train (median)",
    "DCR to hold-out (median)", "nearer to train than to hold-out", "inverse KL", "pair trends", "category coverage",
    "discriminator AUC", "exact copies", "near copies", "membership-inference advantage", "distinct rows", "entropy",
    "low-density interpolations", "precision gain at recall",
)  # fmt: skip
METRICS: dict[str, Metric] = {name: _BY_NAME[name] for name in _ORDER}
"""Every metric by its name, in the order of reports. Reasons for what is acceptable, which most of them widen where few
rows leave more to chance:

- associations kept: what real rows drawn again keep; poor in any case where a strong association is lost.
- density: real rows drawn again score 1; 100 rows of a class are off by up to about 0.2 by chance.
- coverage: the usual target; real rows drawn again reach 0.97 for k = 5.
- close probability: real rows drawn again reach 0.95 by definition; twice as many rows may be apart.
- DCR: the middle half of the distances among real rows (set from the data).
- nearer to train: real rows drawn again score 0.5; below it nothing is memorized, so there is no lower end.
- inverse KL, pair trends: lowered to what two halves of the real rows score against each other (less 0.03).
- category coverage: 0.9 of what as many real rows drawn with replacement would show (set from the data).
- discriminator: the forest picks the right one of two rows in less than 7 of 10 cases; below 0.5 is chance or copies.
- exact copies: raised to what unseen real rows, and the real rows among themselves, repeat.
- near copies: five times what real rows do to each other by definition; raised where real rows repeat.
- membership: a guess right in 55 % of the cases instead of 50.
- distinct rows: 0.9 of the share among as many real rows (set from the data); entropy: within a tenth of that.
- low-density interpolations: twice what the class's own rows are by definition.
- precision gain: no loss beyond what two trainings differ by; good is only what is as far above 0.
"""

# Metrics that draw from the random source of a class, in the order in which they do: another order, other values.
_DRAWING = (
    "membership-inference advantage", "distinct rows", "density", "inverse KL", "pair trends", "associations kept",
)  # fmt: skip
# Metrics that look at other rows than the distances do, mostly at all.
_OWN_ROWS = (
    "category coverage", "distinct rows", "entropy", "exact copies", "membership-inference advantage",
    "precision gain at recall",
)  # fmt: skip

_MOST_ROWS = 5_000  # of each class and table whose distances are measured: shares are known to 0.01
_MANY_POOR = 4  # metrics that make rows poor together: of 120 samples of real rows drawn again one had three poor ones
_MOSTLY = 0.5  # share of exact copies that makes rows poor: a few real rows drawn again may be copies by chance


class Distances(NamedTuple):
    """Distances of the rows looked at, class after class, in standard deviations of the class."""

    to_real: FloatArray  # of each synthetic row to the nearest row of its class
    to_holdout: FloatArray | None  # NaN for classes without hold-out rows; None without any
    real_to_real: FloatArray  # of each real row to another one, infinite where it is alone
    nearest_real: IntArray  # position, in the real table, of the real row nearest to each synthetic one
    looked_at: IntArray  # position of each synthetic row in its table


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What is known about synthetic rows."""

    measures: tuple[MetricResult, ...]
    """In the order of :data:`METRICS`."""

    rows: dict[str, int]
    """Rows of the classes compared: "real", "synthetic", "holdout" (0 where none were given)."""

    notes: tuple[str, ...]
    """What was left out or limited, for the whole."""

    worst_associations: tuple[KeptAssociation, ...]
    """At most five pairs of columns that go together otherwise than in real rows, lost ones first."""

    distances: Distances
    """For pictures and for the nearest real row of each synthetic one."""

    @property
    def verdict(self) -> Verdict:
        """Of the whole.

        "poor" where associations or four metrics (of 20 rows or more) are poor, or most rows are copies; "unknown"
        where nothing is known of associations; "good" where they are good and no metric is poor; else "fair". A mean
        over all pairs of columns, as pair trends are, makes no rows good: most pairs have nothing to keep.
        """
        poor = {measure.name: measure.value or 0.0 for measure in self.measures if measure.verdict == "poor"}
        many = len(poor) >= _MANY_POOR and min(self.rows["real"], self.rows["synthetic"]) >= associations.FEWEST_ROWS
        if "associations kept" in poor or poor.get("exact copies", 0.0) > _MOSTLY or many:
            return "poor"
        kept = self.measure("associations kept").verdict
        return "unknown" if kept == "unknown" else "good" if kept == "good" and not poor else "fair"

    def measure(self, name: str) -> MetricResult:
        """The result of a metric; raises `InvalidInputError` where there is none of that name."""
        by_name = {measure.name: measure for measure in self.measures}
        if name not in by_name:
            raise InvalidInputError(
                f"there is no measure {name!r}{nearest(name, by_name)}; measured were: {', '.join(by_name)}."
            )
        return by_name[name]

    def table(self) -> pd.DataFrame:
        """One line for each metric: name, value, range, direction, verdict, meaning; an unknown value is NaN."""
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
    most_rows: int = _MOST_ROWS,
) -> Evaluation:
    """Measure whether synthetic rows look real, vary, are new and useful.

    Parameters
    ----------
    real
        Rows that the generator learned from, of all classes; numbers, times, categories, text, missing values.
    synthetic
        Synthetic rows of the same columns.
    label
        Name of the label column of all tables. Synthetic rows are compared with the real rows of their own class, and
        each metric is the mean over the classes weighted by their synthetic rows. None: all rows are one class.
    holdout
        Real rows that the generator has not seen. Without them memorization cannot be measured, and copies look close.
    interpolated
        Rows that the generator began from, if it interpolates.
    seed
        Of every random choice, 0 to 2**32 - 1.
    most_rows
        Rows of each class and table whose distances are measured, at least 1, to all rows of the other tables: time
        grows with `most_rows` times the rows.

    Returns
    -------
    Evaluation
        The metrics. No privacy is promised beyond what is measured.

    Raises
    ------
    TableError
        A table is empty, lacks a column, holds cells of another kind, or no synthetic row is of a real class.
    InvalidInputError
        A table is no DataFrame, or `most_rows` is below 1.

    Examples
    --------
    >>> rows = pd.DataFrame({"age": range(200), "city": ["Oslo", "Bergen"] * 100})
    >>> found = evaluate(rows.iloc[::2], rows.iloc[::2], holdout=rows.iloc[1::2])
    >>> found.measure("exact copies").value, found.measure("exact copies").verdict
    (1.0, 'poor')
    """
    require_number("most_rows", most_rows, 1, whole=True)
    require_number("seed", seed, 0, 2**32 - 1, whole=True)
    given: dict[str, Any] = {REAL: real, SYNTHETIC: synthetic, HOLDOUT: holdout, INTERPOLATED: interpolated}
    given = {called: table for called, table in given.items() if table is not None}
    tables = MatchedTables.from_tables(given, label)
    classes = [ClassRows(tables, place, most_rows, seed) for place in range(len(tables.classes))]
    sampled, counted = _sampling_note(classes), {"real": REAL, "synthetic": SYNTHETIC, "holdout": HOLDOUT}
    absent = {"precision gain at recall": label is None, "low-density interpolations": interpolated is None}
    names = [name for name in dict.fromkeys((*_DRAWING, *METRICS)) if not absent.get(name)]
    results = {
        name: _result(name, classes, "" if name in _OWN_ROWS else sampled)
        for name in progress_bar(len(names), "judging", names, delay=0.0)
    }
    return Evaluation(
        tuple(results[name] for name in METRICS if name in results),
        {key: sum(rows.count(called) for rows in classes) for key, called in counted.items()},
        _notes(tables, sampled, label),
        associations.worst_associations(classes),
        _gathered(classes),
    )


def _result(name: str, classes: list[ClassRows], sampled: str) -> MetricResult:
    metric = METRICS[name]
    asked = classes[:1] if metric.group == "utility" else classes  # which is of all classes already
    findings = [metric.function(rows) for rows in asked]
    found = MetricResult.from_findings(name, metric, findings, [float(rows.count(SYNTHETIC)) for rows in asked])
    return replace(found, note=" ".join(text for text in (found.note, sampled) if text))


def _gathered(classes: list[ClassRows]) -> Distances:
    """Distances of all classes in one, positions in the whole tables."""
    unknown = [np.full(len(rows.to_real.distance), np.nan) for rows in classes]
    held = [
        gaps if rows.to_holdout is None else rows.to_holdout.distance
        for rows, gaps in zip(classes, unknown, strict=True)
    ]
    return Distances(
        to_real=np.concatenate([rows.to_real.distance for rows in classes]),
        to_holdout=np.concatenate(held) if HOLDOUT in classes[0].positions else None,
        real_to_real=np.concatenate([rows.real_to_real for rows in classes]),
        nearest_real=np.concatenate([rows.positions[REAL][rows.to_real.position] for rows in classes]),
        looked_at=np.concatenate([rows.positions[SYNTHETIC][rows.looked_at[SYNTHETIC]] for rows in classes]),
    )


def _sampling_note(classes: list[ClassRows]) -> str:
    """Which tables were not looked at as a whole; empty where all were."""
    parts = []
    for called in classes[0].positions:
        n_looked_at = sum(len(rows.looked_at.get(called, ())) for rows in classes)
        n = sum(rows.count(called) for rows in classes)
        parts += [f"{n_looked_at} of {n} {called} rows"] if n_looked_at < n else []
    return f"Drawn at random: {', '.join(parts)}." if parts else ""


def _notes(tables: MatchedTables, sampled: str, label: str | None) -> tuple[str, ...]:
    notes = [*tables.notes, sampled]
    if len(tables.classes) > 1:
        notes.append(f"Means over {len(tables.classes)} classes, weighted by their written rows.")
    if HOLDOUT not in tables.codes:
        notes.append("Without hold-out rows memorisation was measured by copies alone.")
    if label is not None and int((tables.codes[REAL] >= 0).sum()) > utility.MOST_TAUGHT:
        notes.append(f"The precision gain was measured with {utility.MOST_TAUGHT} real training rows drawn at random.")
    return tuple(note for note in notes if note)
