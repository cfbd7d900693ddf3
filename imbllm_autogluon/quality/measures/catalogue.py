"""The measures of written rows: range, direction, meaning, and which values are acceptable."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.quality.measures.measure import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.quality.measures.measure import Direction, Finding


def _entry(
    name: str, ends: tuple[float, float], direction: Direction, best: float, acceptable: tuple[float, float], text: str
) -> tuple[str, Measure]:
    return name, Measure(name, None, *ends, direction, best, acceptable, text)


MOST_NOTES = 3
"""Different notes of classes that are shown one after the other."""

CATALOGUE: dict[str, Measure] = dict(
    [
        _entry(
            "associations kept",
            (0, 1),
            "higher",
            1.0,
            (0.7, 1),
            "How much of the associations of columns beyond chance is kept, strong ones counting most.",
        ),
        _entry(
            "density",
            (0, inf),
            "higher",
            1.0,
            (0.7, inf),
            "Balls around real rows that a written row lies in, over k; about 1 for real rows drawn anew.",
        ),
        _entry(
            "coverage",
            (0, 1),
            "higher",
            1.0,
            (0.8, 1),
            "Share of real rows with a written row among their neighbours.",
        ),
        _entry(
            "close probability",
            (0, 1),
            "higher",
            0.95,
            (0.9, 1),
            "Share of written rows as near to a real row as 95 % of the real rows are to each other.",
        ),
        _entry(
            "DCR to train (median)",
            (0, inf),
            "nearest",
            0.0,
            (0, inf),
            "Distance to the closest training row, in standard deviations; 0 is a copy.",
        ),
        _entry(
            "DCR to hold-out (median)",
            (0, inf),
            "nearest",
            0.0,
            (0, inf),
            "Distance to the closest real row that the generator has not seen.",
        ),
        _entry(
            "nearer to train than to hold-out",
            (0, 1),
            "nearest",
            0.5,
            (0, 0.6),
            "Share of written rows nearer to a training row than to as many unseen rows; 0.5: nothing memorised.",
        ),
        _entry(
            "inverse KL",
            (0, 1),
            "higher",
            1.0,
            (0.9, 1),
            "How alike each column's values are spread: mean of 1 / (1 + KL divergence).",
        ),
        _entry(
            "pair trends",
            (0, 1),
            "higher",
            1.0,
            (0.9, 1),
            "How alike each pair of columns goes together: correlations and contingency tables.",
        ),
        _entry(
            "category coverage",
            (0, 1),
            "higher",
            1.0,
            (0.9, 1),
            "Share of the real categories of the class that were written, mean over the columns.",
        ),
        _entry(
            "discriminator AUC",
            (0, 1),
            "nearest",
            0.5,
            (0.3, 0.7),
            "How well a forest tells written from real rows: 0.5 not at all, 1 always.",
        ),
        _entry("exact copies", (0, 1), "lower", 0.0, (0, 0.01), "Share of written rows that equal a training row."),
        _entry(
            "near copies",
            (0, 1),
            "lower",
            0.01,
            (0, 0.05),
            "Share of written rows as near to a training row as the nearest 1 % of real rows are to each other.",
        ),
        _entry(
            "membership-inference advantage",
            (0, 1),
            "lower",
            0.0,
            (0, 0.1),
            "How much better than guessing one tells training from unseen rows by their distance to the written ones.",
        ),
        _entry("distinct rows", (0, 1), "higher", 1.0, (0.9, 1), "Share of different rows among the written ones."),
        _entry(
            "entropy",
            (0, inf),
            "nearest",
            1.0,
            (0.9, 1.1),
            "Entropy of the written rows over that of as many real ones; below 1: less varied.",
        ),
        _entry(
            "low-density interpolations",
            (0, 1),
            "lower",
            0.05,
            (0, 0.1),
            "Share of interpolated rows farther from the class than 95 % of its own rows.",
        ),
        _entry(
            "precision gain at recall",
            (-1, 1),
            "higher",
            1.0,
            (-0.05, 1),
            "Precision of the class at a fixed recall with the written rows, minus that without.",
        ),
    ]
)
"""Every measure without a value, in the order of reports. Reasons for what is acceptable:

- associations kept 0.7: as :data:`imbllm_autogluon.quality.measures.associations.KEPT_WELL` says; where few rows leave
  more to chance, less is fair, and only 0.7 is good. Poor in any case where a strong association is lost.
- density 0.7: real rows drawn anew score 1; 100 rows of a class are off by up to about 0.2 by chance.
- coverage 0.8: the usual target; real rows drawn anew reach 0.97 for k = 5.
- close probability 0.9: real rows drawn anew reach 0.95 by definition; twice as many rows may stand apart. Lowered
  where few rows leave more to chance.
- DCR: the middle half of the distances among real rows (set from the data), which the typical written row should meet.
- nearer to train 0.6: real rows drawn anew score 0.5; below it nothing is memorised, so there is no lower end. Widened
  where few rows leave more to chance.
- inverse KL, pair trends 0.9: a tenth is what columns may be off before single columns are wrong; lowered to what two
  halves of the real rows score against each other (less 0.03), as a small class is no nearer to itself.
- category coverage 0.9: of what as many real rows drawn with replacement would show (set from the data).
- discriminator 0.7: of a written and a real row the forest picks the right one in less than 7 of 10 cases; below 0.5 is
  chance or copies, which other measures show.
- exact copies 0.01: one row in a hundred; raised to what unseen real rows, and the real rows among themselves, repeat,
  as tables of few categories repeat rows by chance.
- near copies 0.05: five times what real rows do to each other by definition; raised where real rows repeat, and where
  few rows leave more to chance (0.3 for 36 rows of a class).
- membership 0.1: a guess right in 55 % of the cases instead of 50; widened where few rows leave more to chance.
- distinct rows 0.9: of the share among as many real rows (set from the data).
- entropy 0.9 to 1.1: within a tenth of as many real rows.
- low-density interpolations 0.1: twice what the class's own rows are by definition.
- precision gain -0.05: no loss beyond what two trainings differ by; widened where few rows of the class are judged.
  Good is only what is as far above 0.
"""


def combined(name: str, findings: Sequence[Finding], weights: Sequence[float]) -> Measure:
    """One measure of several classes: the mean of those that could be measured, weighted by their written rows.

    Parameters
    ----------
    name
        Of the measure.
    findings, weights
        Of each class; at least one.
    """
    entry = CATALOGUE[name]
    poor_first = sorted(findings, key=lambda finding: not finding.is_poor)
    note = _joined(list(dict.fromkeys(finding.note for finding in poor_first if finding.note)))
    known = [(finding, weight) for finding, weight in zip(findings, weights, strict=True) if finding.value is not None]
    if not known:
        return replace(entry, note=note)
    shares = np.array([weight for _, weight in known]) / sum(weight for _, weight in known)
    value = float(shares @ [finding.value for finding, _ in known])
    best = float(shares @ [entry.best if finding.best is None else finding.best for finding, _ in known])
    ends = zip(*(finding.acceptable or entry.acceptable for finding, _ in known), strict=True)
    low, high = (float(np.sum(np.where(shares > 0, shares * np.array(end), 0.0))) for end in ends)
    good_from = [finding.good_from for finding, _ in known if finding.good_from is not None]
    return replace(
        entry,
        value=value,
        best=best,
        acceptable=(low, high),
        note=note,
        good_from=max(good_from, default=None),
        is_poor=any(finding.is_poor for finding in findings),
    )


def _joined(notes: list[str]) -> str:
    """All notes, or how many they are: those of many classes would fill a page."""
    if len(notes) <= MOST_NOTES:
        return " ".join(notes)
    return f"{notes[0]} The other classes have {len(notes) - 1} more notes of this sort."
