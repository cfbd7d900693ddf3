"""Likeness of the written rows of one class to its real ones: density, coverage, columns, pairs, a discriminator.

Inverse Kullback-Leibler divergence tells how alike the values of each column are spread; density, whether written rows
lie where real rows are close together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality.measures.class_distances import draw
from imbllm_autogluon.quality.measures.class_rows import HOLDOUT, REAL, SYNTHETIC
from imbllm_autogluon.quality.measures.coverage import NEIGHBOURS, QUANTILES, coverage
from imbllm_autogluon.quality.measures.discriminator import discriminator_auc
from imbllm_autogluon.quality.measures.measure import Finding, chance
from imbllm_autogluon.quality.measures.nearest import distances as distances_between
from imbllm_autogluon.quality.measures.nearest import points
from imbllm_autogluon.quality.measures.pair_trends import pair_trends_of_columns
from imbllm_autogluon.quality.measures.pairs import paired_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.measures.class_distances import ClassDistances
    from imbllm_autogluon.quality.measures.class_rows import ClassRows
    from imbllm_autogluon.quality.measures.nearest import Points
    from imbllm_autogluon.quality.measures.pairs import PairedColumn


FEWEST_HELD_OUT = 30
"""Hold-out rows of a class from which on they, not the training rows, are to be reached: fewer are 0.05 too coarse."""

FEWEST_JUDGED = 40
"""Rows of each side below which a forest sees too little to tell independent columns from real ones."""

FEWEST_UNSEEN = 100
"""Hold-out rows of a class from which on a forest tells written rows from them, not from the training rows."""

HALVES_DIFFER = 0.03
"""By how much inverse KL and pair trends of two halves vary from draw to draw, for 40 rows of mixed type."""

FEWEST_HALVED = 4
"""Real rows from which on their halves show how alike real rows are."""


def likeness(
    rows: ClassRows,
    distances: ClassDistances,
    columns: Sequence[PairedColumn],
    seed: int,
    rng: np.random.Generator,
) -> dict[str, Finding]:
    """All measures of this file for one class; `columns` are those of the rows looked at."""
    return {
        **_density_and_coverage(distances, rng),
        **_columns_and_pairs(columns, rng),
        "discriminator AUC": _discriminator(rows, distances, seed),
    }


def _density_and_coverage(distances: ClassDistances, rng: np.random.Generator) -> dict[str, Finding]:
    held_out = HOLDOUT in distances.looked_at and len(distances.looked_at[HOLDOUT]) >= FEWEST_HELD_OUT
    real, written = distances.sample(HOLDOUT if held_out else REAL), distances.sample(SYNTHETIC)
    note = f"Of {len(real)} hold-out rows." if held_out else "Of the training rows, which copies reach, too."
    if len(written) < len(real):
        # Each written row reaches about k real ones: fewer written than real rows could not reach all of these.
        real = real.take(draw(len(real), len(written), rng))
        note += f" {len(real)} of them, as many as written rows."
    if len(real) <= NEIGHBOURS:
        few = Finding(None, f"More than {NEIGHBOURS} real and written rows are needed; there are {len(real)}.")
        return {"density": few, "coverage": few}
    found = density_and_coverage_of_points(real, written)
    low = 1.0 - max(0.3, 2 * chance(0.5, len(real)))
    ends = (0.8 - max(0.0, chance(0.9, len(real)) - 0.05), 1.0)
    return {"density": Finding(found.density, note, (low, np.inf)), "coverage": Finding(found.coverage, note, ends)}


def _columns_and_pairs(columns: Sequence[PairedColumn], rng: np.random.Generator) -> dict[str, Finding]:
    """Both beside what two random halves of the real rows reach."""
    n = len(columns[0].real)
    halves = _halved(columns, rng.permutation(n)) if n >= FEWEST_HALVED else None
    trends = pair_trends_of_columns(columns, rng)
    found = Finding(None, "Two columns besides free text are needed.")
    if trends is not None:
        found = _beside(trends, None if halves is None else pair_trends_of_columns(halves, rng))
    usual = None if halves is None else inverse_kl_of_columns(halves)
    return {"inverse KL": _beside(inverse_kl_of_columns(columns), usual), "pair trends": found}


def _beside(value: float, usual: float | None) -> Finding:
    """A value that need not be higher than the usual one, which itself is off by chance."""
    if usual is None or usual - HALVES_DIFFER >= 0.9:
        return Finding(value)
    return Finding(value, f"Two halves of the real rows reach {usual:.2f}.", (usual - HALVES_DIFFER, 1.0))


def _halved(columns: Sequence[PairedColumn], order: IntArray) -> list[PairedColumn]:
    half = len(order) // 2
    return [replace(column, real=column.real[order[:half]], synthetic=column.real[order[half:]]) for column in columns]


def _discriminator(rows: ClassRows, distances: ClassDistances, seed: int) -> Finding:
    unseen = HOLDOUT in distances.looked_at and len(distances.looked_at[HOLDOUT]) >= FEWEST_UNSEEN
    sides = (HOLDOUT if unseen else REAL, SYNTHETIC)
    real, written = (rows.table(called).iloc[distances.looked_at[called]] for called in sides)
    fewer = min(len(real), len(written))
    if fewer < FEWEST_JUDGED:
        return Finding(None, f"{FEWEST_JUDGED} real and written rows are needed; there are {fewer} of one side.")
    # The standard error of an AUC of n against n rows that cannot be told apart is sqrt(1 / (6 n)).
    spread = 2 * float(np.sqrt(1 / (6 * fewer)))
    note = f"{fewer} written rows beside as many {'hold-out' if unseen else 'training'} rows."
    return Finding(discriminator_auc(real, written, seed), note, (0.3, 0.5 + max(0.2, spread)))


def inverse_kl(real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    """Mean over the columns of ``1 / (1 + KL(real || synthetic))`` (Qian et al. 2023, synthcity).

    Numbers and times are counted in the deciles of the real ones, all else by its levels; a missing value is a level.
    One is added to every count, so that a value that was never written makes the divergence large but finite.

    Parameters
    ----------
    real, synthetic
        n and m rows of the same columns.

    Returns
    -------
    float
        Above 0, up to 1; 1 is best: every column has the real shares. Columns are looked at one by one, so rows drawn
        from the columns' own shares score 1 too. A column of many levels, such as free text, scores high whatever
        it holds, as the added counts outweigh its own.

    Raises
    ------
    TableError
        The tables cannot be compared; see :func:`imbllm_autogluon.quality.measures.pairs.paired_columns`.

    Examples
    --------
    >>> import pandas as pd
    >>> real = pd.DataFrame({"city": ["Oslo", "Oslo", "Bergen"]})
    >>> inverse_kl(real, real), round(inverse_kl(real, real.assign(city="Bergen")), 4)
    (1.0, 0.7236)
    """
    return inverse_kl_of_columns(paired_columns(real, synthetic))


def inverse_kl_of_columns(columns: Sequence[PairedColumn]) -> float:
    """As :func:`inverse_kl`."""
    return float(np.mean([1.0 / (1.0 + _divergence(*_codes(column))) for column in columns]))


def _codes(column: PairedColumn) -> tuple[IntArray, IntArray]:
    """Codes of bins or levels; the missing ones come first."""
    known = column.real[~np.isnan(column.real)]
    if not column.is_number:
        return _shifted(column.real), _shifted(column.synthetic)
    deciles = np.linspace(0, 1, QUANTILES + 1)[1:-1]
    edges = np.unique(np.quantile(known, deciles, method="nearest")) if len(known) else known
    return _binned(column.real, edges), _binned(column.synthetic, edges)


def _shifted(codes: FloatArray) -> IntArray:
    """0 for missing, else code + 1."""
    return np.where(np.isnan(codes), 0, np.nan_to_num(codes) + 1).astype(np.int64)


def _binned(values: FloatArray, edges: FloatArray) -> IntArray:
    return np.where(np.isnan(values), 0, np.searchsorted(edges, values, side="left") + 1).astype(np.int64)


def _divergence(real: IntArray, synthetic: IntArray) -> float:
    """Kullback-Leibler divergence in nats, over the codes that either table holds."""
    found, codes = np.unique(np.concatenate([real, synthetic]), return_inverse=True)
    p, q = (np.bincount(part, minlength=len(found)) + 1.0 for part in (codes[: len(real)], codes[len(real) :]))
    p, q = p / p.sum(), q / q.sum()
    return max(0.0, float((p * np.log(p / q)).sum()))


@dataclass(frozen=True)
class DensityCoverage:
    """Fidelity and diversity of one table."""

    density: float
    """As :func:`density` returns it."""

    coverage: float
    """As :func:`imbllm_autogluon.quality.measures.coverage.coverage` returns it."""


def density(radii: FloatArray, distances: FloatArray, k: int = NEIGHBOURS) -> float:
    """Balls around real rows in which a synthetic row lies, on average, over k (Naeem et al. 2020, equation 6).

    Parameters
    ----------
    radii
        Distance of each real row to its k-th nearest other real row, shape (n,).
    distances
        Distance of each real row to each synthetic row, shape (n, m).
    k
        Of the balls.

    Returns
    -------
    float
        From 0, without upper end; higher is better up to 1, about what real rows drawn anew reach: every synthetic row
        lies where real ones are. It says nothing of variety; see coverage. Where many real rows are equal, rows drawn
        anew exceed 1: compare with real rows that were held out.

    Raises
    ------
    InvalidInputError
        The shapes do not belong together, or k is below 1.

    Examples
    --------
    >>> density(np.array([1.0, 1.0]), np.array([[0.5, 3.0], [1.0, 0.0]]), k=1)
    1.5
    """
    if radii.ndim != 1 or distances.ndim != 2 or len(radii) != len(distances) or not distances.size:
        raise InvalidInputError(
            f"radii must have shape (n,) and distances (n, m), none empty; got {radii.shape} and {distances.shape}."
        )
    _check_k(k)
    return float(_hits(radii, distances) / (k * distances.shape[1]))


def density_and_coverage(real: pd.DataFrame, synthetic: pd.DataFrame, k: int = NEIGHBOURS) -> DensityCoverage:
    """Density and coverage of a table of mixed type.

    The distance is Euclidean over numbers and times in standard deviations of the real ones, plus 1 (squared) for each
    category that differs and for each number that is missing on one side only. A number that is the same in all real
    rows counts as a category. About n * (n + m) distances are computed, never more than 2.5 million held.

    Parameters
    ----------
    real, synthetic
        n and m rows of the same columns; n is more than k.
    k
        The k-th nearest other real row is the end of a row's ball.

    Returns
    -------
    DensityCoverage
        Density from 0 up, about 1 for rows drawn anew; coverage from 0 to 1 (best). The same table as both gives
        coverage 1 and density ``(k + 1) / k`` (more where real rows are equal).

    Raises
    ------
    InvalidInputError
        There are not more than k real rows, or k is below 1.
    TableError
        The tables cannot be compared; see :func:`imbllm_autogluon.quality.measures.pairs.paired_columns`.

    Examples
    --------
    >>> import pandas as pd
    >>> real = pd.DataFrame({"age": [20, 30, 40, 50]})
    >>> density_and_coverage(real, pd.DataFrame({"age": [20, 21]}), k=1)
    DensityCoverage(density=1.5, coverage=0.5)
    """
    columns = paired_columns(real, synthetic)
    _check_k(k)
    if len(real) <= k:
        raise InvalidInputError(f"balls of k = {k} neighbours need more than {k} real rows; got {len(real)}.")
    return density_and_coverage_of_points(*points(columns), k)


def density_and_coverage_of_points(real: Points, synthetic: Points, k: int = NEIGHBOURS) -> DensityCoverage:
    """As :func:`density_and_coverage`, of more than k real and at least one synthetic point of one space."""
    # The nearest row of all is the row itself.
    radii = np.concatenate([np.partition(block, k, axis=1)[:, k] for _, block in distances_between(real, real)])
    hits, nearest = 0, np.empty(len(real))
    for place, block in distances_between(real, synthetic):
        hits += _hits(radii[place], block)
        nearest[place] = block.min(axis=1)
    return DensityCoverage(hits / (k * len(synthetic)), coverage(radii, nearest))


def _hits(radii: FloatArray, distances: FloatArray) -> int:
    return int((distances <= radii[:, None]).sum())


def _check_k(k: int) -> None:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise InvalidInputError(f"k must be a whole number of at least 1; got {k!r}.")
