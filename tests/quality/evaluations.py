"""Evaluations made by hand, so that pictures and pages can be tested without measuring anything."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.distance import cdist

from imbllm_autogluon.quality.associations import KeptAssociation
from imbllm_autogluon.quality.charts.embedding import _coordinates
from imbllm_autogluon.quality.columns import paired_columns
from imbllm_autogluon.quality.metrics import MetricResult as Measure

if TYPE_CHECKING:
    import pandas as pd

MEASURES = (
    Measure("density", 0.93, 0, math.inf, "higher", 1, (0.7, math.inf), "Whether rows lie where real rows are."),
    Measure("coverage", 0.42, 0, 1, "higher", 1, (0.8, 1), "Share of real rows near which a synthetic row lies."),
    Measure("discriminator AUC", 0.61, 0, 1, "nearest", 0.5, (0.4, 0.6), "How well rows are told apart."),
    Measure("exact copies", None, 0, 1, "lower", 0, (0, 0.01), "Copies of real rows.", "No row was looked at."),
)

WORST = (
    KeptAssociation(("TT4", "FTI"), 0.95, 0.09, 0.0947, True),
    KeptAssociation(("age", "sex is missing"), 0.4, 0.25, 0.625, False),
)


@dataclass(frozen=True)
class Distances:
    to_real: Any
    to_holdout: Any
    real_to_real: Any
    nearest_real: Any
    looked_at: Any


@dataclass(frozen=True)
class Evaluation:
    measures: tuple[Measure, ...]
    rows: dict[str, int]
    notes: tuple[str, ...]
    worst_associations: tuple[KeptAssociation, ...]
    distances: Distances

    def to_dict(self) -> dict[str, Any]:
        return {
            "verdict": "poor",
            "measures": [measure.to_dict() for measure in self.measures],
            "worst_associations": [asdict(pair) for pair in self.worst_associations],
        }


def evaluation_of(
    real: pd.DataFrame, synthetic: pd.DataFrame, *, label: str | None = None, holdout: pd.DataFrame | None = None,
    seed: int = 0,
) -> Any:  # fmt: skip
    """Real distances; measures that are made up."""
    own = np.arange(len(real)) if label is None else np.flatnonzero(real[label].isin(synthetic[label].unique()))
    near = all_distances(real.iloc[own], synthetic)
    held = None if holdout is None else all_distances(holdout, synthetic).min(axis=0)
    among = all_distances(real.iloc[own], real.iloc[own])
    np.fill_diagonal(among, np.inf)
    places = own[near.argmin(axis=0)]
    distances = Distances(near.min(axis=0), held, among.min(axis=1), places, np.arange(len(synthetic)))
    rows = {"real": len(real), "synthetic": len(synthetic), "holdout": 0 if holdout is None else len(holdout)}
    return Evaluation(MEASURES, rows, ("Made by hand.",), WORST, distances)


def all_distances(real: pd.DataFrame, synthetic: pd.DataFrame) -> Any:
    own, written = (_coordinates(paired_columns(real, table)) for table in (real, synthetic))
    return cdist(own, written)
