"""Which rows are set side by side: synthetic ones and the real ones of their own classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.quality.columns import check_pair, shared_codes
from imbllm_autogluon.randomness import child_rng

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray, IntArray

MOST_ROWS = 5_000
"""Rows of each kind that pictures are made from; of larger tables as many are drawn."""


@dataclass(frozen=True, eq=False)
class Compared:
    """Rows for pictures, without the label, all with the columns of the real table."""

    real: pd.DataFrame
    """Real rows of the classes that were written."""

    weights: FloatArray
    """Of each of these real rows; they sum to 1 and give the classes the shares they have among the synthetic rows."""

    synthetic: pd.DataFrame
    holdout: pd.DataFrame | None
    """Real rows of these classes that the writer has not seen."""

    others: pd.DataFrame | None
    """Real rows of the other classes."""


def compared_rows(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    label: str | None = None,
    holdout: pd.DataFrame | None = None,
    *,
    seed: int = 0,
    most_rows: int = MOST_ROWS,
) -> Compared:
    """Choose the rows of pictures.

    Parameters
    ----------
    real, synthetic, holdout
        Tables of the same columns.
    label
        Column of classes: real rows of classes that were not written stand apart. Without it all rows are of one class.
    seed
        Of the rows drawn from larger tables.
    most_rows
        Of each kind.

    Raises
    ------
    TableError
        The tables cannot be compared; see :func:`imbllm_autogluon.quality.columns.check_pair`. Or no synthetic
        row has the class of a real one; where only some have none, these are left out.

    Examples
    --------
    >>> import pandas as pd
    >>> real = pd.DataFrame({"x": [1, 2, 3], "y": ["a", "a", "b"]})
    >>> rows = compared_rows(real, real.tail(1), "y")
    >>> rows.real["x"].tolist(), rows.others["x"].tolist()
    ([3], [1, 2])
    """
    check_pair(real, synthetic)
    features = [name for name in real.columns if label is None or name != label]

    def drawn(rows: pd.DataFrame, purpose: str) -> pd.DataFrame:
        return rows.iloc[_places(len(rows), most_rows, seed, purpose)]

    if label is None:
        own, held = drawn(real, "real"), None if holdout is None else drawn(holdout, "holdout")
        return Compared(
            own[features], _even(len(own)), drawn(synthetic, "synthetic")[features], _features(held, features), None
        )
    codes, written = shared_codes(real[label], synthetic[label], label)
    known = (written >= 0) & np.isin(written, codes)
    synthetic, written = synthetic[known], written[known]
    if not len(written):
        raise TableError(
            f"no synthetic row has a class of {label!r} that occurs in the real table: compare the labels."
        )
    inside = np.isin(codes, written)
    places = np.flatnonzero(inside)[_places(int(inside.sum()), most_rows, seed, "real")]
    return Compared(
        real.iloc[places][features],
        _class_weights(codes[places], written),
        drawn(synthetic, "synthetic")[features],
        _features(None if holdout is None else drawn(_of_classes(holdout, synthetic, label), "holdout"), features),
        _features(drawn(real[~inside], "others"), features),
    )


def _of_classes(rows: pd.DataFrame, synthetic: pd.DataFrame, label: str) -> pd.DataFrame:
    codes, written = shared_codes(rows[label], synthetic[label], label)
    return rows[np.isin(codes, written)]


def _features(rows: pd.DataFrame | None, features: list[str]) -> pd.DataFrame | None:
    return None if rows is None or not len(rows) else rows[features]


def _places(n: int, most: int, seed: int, purpose: str) -> IntArray:
    if n <= most:
        return np.arange(n)
    return np.sort(child_rng(seed, "order", "pictures", purpose).choice(n, most, replace=False)).astype(np.int64)


def _even(n: int) -> FloatArray:
    return np.full(n, 1 / max(1, n))


def _class_weights(codes: IntArray, written: IntArray) -> FloatArray:
    """Weights that give each class of the real rows its share among the written ones."""
    wanted = np.bincount(written + 1, minlength=int(max(codes.max(initial=-1), written.max())) + 2)
    have = np.bincount(codes + 1, minlength=len(wanted))
    weights = (wanted / np.maximum(have, 1))[codes + 1].astype(np.float64)
    return weights / weights.sum() if len(weights) else weights
