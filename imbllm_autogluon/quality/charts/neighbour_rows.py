"""The synthetic rows farthest from and nearest to real ones, each beside its nearest real row."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.quality.columns import shared_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.evaluation import Distances

MOST_PAIRS = 5
"""Pairs of each end."""

MOST_COLUMNS = 8
"""Columns that fit beside each other on a printed page; those that differ most often."""

MOST_CHARACTERS = 40
"""Of a cell; the rest is cut off."""


@dataclass(frozen=True)
class RowPair:
    """A synthetic row and its nearest real row, cells as text."""

    distance: float
    synthetic: tuple[str, ...]
    real: tuple[str, ...]
    differs: tuple[bool, ...]
    """Of each shown column."""

    differing: int
    """Columns that differ, shown or not."""


@dataclass(frozen=True)
class NeighbourRows:
    """Both ends of the synthetic rows."""

    columns: tuple[str, ...]
    """Shown ones."""

    left_out: int
    """Columns that are not shown."""

    farthest: tuple[RowPair, ...]
    """Farthest from any real row of their class, farthest first."""

    nearest: tuple[RowPair, ...]
    """Nearest to a real row of their class, nearest first."""

    copies: int
    """Of the rows looked at, those equal to a real row."""

    def to_dict(self) -> dict[str, Any]:
        """State that ``json.dumps`` accepts."""
        return asdict(self)


def neighbour_rows(real: pd.DataFrame, synthetic: pd.DataFrame, distances: Distances) -> NeighbourRows:
    """Pick the pairs of rows that tell most about a generator.

    Parameters
    ----------
    real, synthetic
        The tables that were evaluated.
    distances
        What the evaluation found, of the same rows.

    Returns
    -------
    NeighbourRows
        Equal synthetic rows are shown once.
    """
    written = np.asarray(distances.looked_at, dtype=np.int64)
    partners = np.asarray(distances.nearest_real, dtype=np.int64)
    lengths = np.asarray(distances.to_real, dtype=np.float64)
    different = _different(real.iloc[partners], synthetic.iloc[written][list(real.columns)])
    first = _first_of_equal(synthetic.iloc[written])
    order = first[np.argsort(lengths[first], kind="stable")]
    near, far = order[:MOST_PAIRS], order[::-1][: min(MOST_PAIRS, max(0, len(order) - MOST_PAIRS))]
    shown = _shown_columns(different[np.concatenate([far, near])])
    pairs = [
        [_pair(real, synthetic, (partners[k], written[k]), lengths[k], different[k], shown) for k in end]
        for end in (far, near)
    ]
    return NeighbourRows(
        columns=tuple(str(real.columns[j]) for j in shown),
        left_out=len(real.columns) - len(shown),
        farthest=tuple(pairs[0]),
        nearest=tuple(pairs[1]),
        copies=int((~different.any(axis=1)).sum()),
    )


def _different(real: pd.DataFrame, synthetic: pd.DataFrame) -> Any:
    """Whether each cell differs from its partner's, shape (n, p)."""
    codes = (shared_codes(real[name], synthetic[name], name) for name in real.columns)
    return np.column_stack([a != b for a, b in codes])


def _first_of_equal(rows: pd.DataFrame) -> IntArray:
    return np.flatnonzero(~rows.astype(object).duplicated().to_numpy()).astype(np.int64)


def _shown_columns(different: Any) -> list[int]:
    """The columns that differ most often, in the table's order."""
    often = np.argsort(-different.sum(axis=0), kind="stable")[:MOST_COLUMNS]
    return [int(j) for j in np.sort(often)]


def _pair(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    places: tuple[int, int],
    distance: float,
    different: FloatArray,
    shown: Sequence[int],
) -> RowPair:
    names = [real.columns[j] for j in shown]
    texts = [
        tuple(_text(table[name].iloc[place]) for name in names)
        for table, place in ((real, places[0]), (synthetic, places[1]))
    ]
    return RowPair(float(distance), texts[1], texts[0], tuple(bool(different[j]) for j in shown), int(different.sum()))


def _text(cell: Any) -> str:
    if pd.isna(cell):
        return "missing"
    if isinstance(cell, float | np.floating):
        return f"{cell:.6g}"
    text = " ".join(str(cell).removesuffix(" 00:00:00").split())
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"
