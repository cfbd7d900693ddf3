"""Evaluations made by hand, so that pictures and pages can be tested without measuring anything."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.distance import cdist

from imbllm_autogluon.quality import Evaluation, MetricResult
from imbllm_autogluon.quality.associations import KeptAssociation
from imbllm_autogluon.quality.columns import paired_columns
from imbllm_autogluon.quality.evaluation import Distances
from imbllm_autogluon.quality.pictures import _axes

if TYPE_CHECKING:
    import pandas as pd

MEASURES = (
    MetricResult(0, 1, "higher", 1, (0.7, 1), "Associations.", name="associations kept", value=0.4, is_poor=True),
    MetricResult(0, math.inf, "higher", 1, (0.7, math.inf), "Rows lie near real ones.", name="density", value=0.93),
    MetricResult(0, 1, "higher", 1, (0.8, 1), "Share of real rows near a synthetic row.", name="coverage", value=0.42),
    MetricResult(0, 1, "nearest", 0.5, (0.4, 0.6), "How rows are told apart.", name="discriminator AUC", value=0.61),
    MetricResult(0, 1, "lower", 0, (0, 0.01), "Copies.", name="exact copies", value=None, note="No row was looked at."),
)

WORST = (
    KeptAssociation(("TT4", "FTI"), 0.95, 0.09, 0.0947, True),
    KeptAssociation(("age", "sex is missing"), 0.4, 0.25, 0.625, False),
)


def distances_of(
    to_real: Any, real_to_real: Any, nearest_real: Any = (), looked_at: Any = (), to_holdout: Any = None
) -> Distances:
    held = None if to_holdout is None else np.asarray(to_holdout, dtype=np.float64)
    places = (np.asarray(part, dtype=np.int64) for part in (nearest_real, looked_at))
    return Distances(np.asarray(to_real, dtype=np.float64), held, np.asarray(real_to_real, dtype=np.float64), *places)


def evaluation_of(
    real: pd.DataFrame, synthetic: pd.DataFrame, *, label: str | None = None, holdout: pd.DataFrame | None = None
) -> Evaluation:
    """Real distances; results that are made up."""
    own = np.arange(len(real)) if label is None else np.flatnonzero(real[label].isin(synthetic[label].unique()))
    near = _all_distances(real.iloc[own], synthetic)
    held = None if holdout is None else _all_distances(holdout, synthetic).min(axis=0)
    among = _all_distances(real.iloc[own], real.iloc[own])
    np.fill_diagonal(among, np.inf)
    places = own[near.argmin(axis=0)]
    distances = distances_of(near.min(axis=0), among.min(axis=1), places, np.arange(len(synthetic)), held)
    rows = {"real": len(real), "synthetic": len(synthetic), "holdout": 0 if holdout is None else len(holdout)}
    return Evaluation(MEASURES, rows, ("Made by hand.",), WORST, distances)


def _all_distances(real: pd.DataFrame, synthetic: pd.DataFrame) -> Any:
    sides = ([_axes(column) for column in paired_columns(real, table)] for table in (real, synthetic))
    return cdist(*(np.column_stack(side) for side in sides))
