"""Inverse Kullback-Leibler divergence: how alike each column's values are spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.quality.measures.coverage import QUANTILES
from imbllm_autogluon.quality.measures.pairs import paired_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.measures.pairs import PairedColumn


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
