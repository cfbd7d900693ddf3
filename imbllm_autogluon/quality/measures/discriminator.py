"""Discriminator: whether a classifier can tell written rows from real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality.measures.novelty import row_codes
from imbllm_autogluon.quality.measures.pairs import paired_columns
from imbllm_autogluon.quality.measures.trees import Forest
from imbllm_autogluon.randomness import child_rng, child_seed

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.measures.pairs import PairedColumn

MOST_ROWS = 1_000
"""Rows of each side that are looked at, drawn at random: the AUC of rows that are alike is known to 0.013."""

FREQUENT = 20
"""Occurrences from which on equal rows are split over the folds: fewer than the rows of a leaf are no evidence."""


def discriminator_auc(real: pd.DataFrame, synthetic: pd.DataFrame, seed: int = 0, folds: int = 3) -> float:
    """ROC AUC of a forest that tells real rows from synthetic ones, on rows it has not learnt from.

    As many rows of each side take part, at most 1,000. Equal rows stay in one fold: split over two, a copy and its
    original would teach the wrong answer, and a table of copies would score 0.1 to 0.2 (packaged table, car) instead of
    0.5. A row that occurs 20 times or more is split all the same, so that writing a few rows over and over is seen.

    Parameters
    ----------
    real, synthetic
        n and m rows of the same columns, at least `folds` each.
    seed
        Of the choice of rows, the folds and the forests.
    folds
        Each fold is judged by a forest that learnt from the others; the result is the mean over the folds.

    Returns
    -------
    float
        From 0 to 1; 0.5 is best (they cannot be told apart), 1 is worst. Below 0.5 is chance. Copies of real rows score
        0.5 (down to 0.4 where most rows occur 20 to 50 times): read it beside
        :func:`imbllm_autogluon.quality.measures.novelty.copied_share`.

    Raises
    ------
    InvalidInputError
        There are fewer than two folds, or fewer rows than folds.
    TableError
        The tables cannot be compared; see :func:`imbllm_autogluon.quality.measures.pairs.paired_columns`.

    Examples
    --------
    >>> import pandas as pd
    >>> real = pd.DataFrame({"age": range(100)})
    >>> discriminator_auc(real, real), discriminator_auc(real, real + 500)
    (0.5, 1.0)
    """
    columns = paired_columns(real, synthetic)
    n = _rows_per_side(real, synthetic, folds)
    rng = child_rng(seed, "order", "discriminator")
    picks = [np.sort(rng.choice(len(table), n, replace=False)) for table in (real, synthetic)]
    values = np.column_stack([_ranked(np.append(c.real[picks[0]], c.synthetic[picks[1]]), c) for c in columns])
    rows = np.concatenate([codes[pick] for codes, pick in zip(row_codes(real, synthetic), picks, strict=True)])
    written = np.repeat([0, 1], n)
    fold_of = _folds(rows, written, folds, rng)
    is_number = [column.is_number for column in columns]
    seeds = [child_seed(seed, "training", "discriminator", fold) for fold in range(folds)]
    return float(np.mean([_fold_auc(values, written, fold_of == k, Forest(is_number, seeds[k])) for k in range(folds)]))


def _ranked(values: FloatArray, column: PairedColumn) -> FloatArray:
    """Numbers by their rank, so that a random threshold between two of them parts near values as often as far ones."""
    if not column.is_number:
        return values
    ranks = np.unique(values, return_inverse=True)[1].astype(np.float64)
    return np.where(np.isnan(values), np.nan, ranks)


def _rows_per_side(real: pd.DataFrame, synthetic: pd.DataFrame, folds: int) -> int:
    n = min(len(real), len(synthetic), MOST_ROWS)
    if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or not 2 <= folds <= n:
        raise InvalidInputError(
            f"folds must be a whole number from 2 to the rows of the smaller table ({n}); got {folds!r}."
        )
    return n


def _folds(rows: IntArray, written: IntArray, folds: int, rng: np.random.Generator) -> IntArray:
    """Fold of each row: a row that occurs a few times stays in one, the others of each side are dealt evenly."""
    _, groups, counts = np.unique(rows, return_inverse=True, return_counts=True)
    fold_of = (rng.permutation(len(counts)) % folds)[groups]
    alone = (counts == 1) | (counts >= FREQUENT)
    for side in (0, 1):
        own = np.flatnonzero(alone[groups] & (written == side))
        fold_of[own] = rng.permutation(len(own)) % folds
    return np.asarray(fold_of, dtype=np.int64)


def _fold_auc(
    values: FloatArray, written: IntArray, test: np.ndarray[tuple[int], np.dtype[np.bool_]], forest: Forest
) -> float:
    """AUC on the rows of `test`; 0.5 where either part lacks a side, as there is nothing to learn or to judge."""
    from sklearn.metrics import roc_auc_score

    if len(np.unique(written[test])) < 2 or len(np.unique(written[~test])) < 2:
        return 0.5
    scores = forest.fit(values[~test], written[~test]).probabilities(values[test], 2)[:, 1]
    return float(roc_auc_score(written[test], scores))
