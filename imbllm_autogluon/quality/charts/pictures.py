"""All pictures of synthetic rows beside real ones, laid out and ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imbllm_autogluon.quality.charts.association_maps import association_chart
from imbllm_autogluon.quality.charts.columns import column_charts
from imbllm_autogluon.quality.charts.distances import distance_chart
from imbllm_autogluon.quality.charts.embedding import embedding

if TYPE_CHECKING:
    from imbllm_autogluon.quality.charts.association_maps import AssociationChart
    from imbllm_autogluon.quality.charts.columns import ColumnChart
    from imbllm_autogluon.quality.charts.compared import Compared
    from imbllm_autogluon.quality.charts.distances import DistanceChart
    from imbllm_autogluon.quality.charts.embedding import Embedding
    from imbllm_autogluon.quality.measures.evaluation import Distances

MOST_COLUMNS = 24
"""Columns that are drawn, the worst ones."""


@dataclass(frozen=True)
class Pictures:
    """What the templates draw."""

    columns: tuple[ColumnChart, ...]
    """The worst columns, worst first."""

    left_out: int
    """Further columns, all of which are nearer to the real ones."""

    associations: AssociationChart | None
    """`None` for a table of one column."""

    embedding: Embedding
    distances: DistanceChart | None
    """`None` where no distance was measured."""

    total_variations: dict[str, float]
    """Of every column, worst first."""


def pictures(rows: Compared, distances: Distances, seed: int = 0) -> Pictures:
    """Lay out all pictures.

    Parameters
    ----------
    rows
        What is set side by side.
    distances
        Of the synthetic rows to the nearest real ones, as
        :func:`imbllm_autogluon.quality.measures.evaluation.evaluate` returns them.
    seed
        Of the rows drawn for the embedding.

    Returns
    -------
    Pictures
        Geometry only: names are not escaped yet.
    """
    charts = column_charts(rows)
    worst_first = [chart.name for chart in charts]
    return Pictures(
        tuple(charts[:MOST_COLUMNS]),
        max(0, len(charts) - MOST_COLUMNS),
        association_chart(rows, worst_first),
        embedding(rows, seed),
        distance_chart(
            {
                "real to other real rows": distances.real_to_real,
                "synthetic to real rows": distances.to_real,
                "synthetic to held-out rows": distances.to_holdout,
            }
        ),
        {chart.name: chart.total_variation for chart in charts},
    )
