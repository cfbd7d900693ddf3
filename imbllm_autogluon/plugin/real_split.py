"""Models that cut their own validation rows out of the training rows when they are given none.

Their cut has to come before rebalancing, otherwise written rows validate the rows they were written from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Weights = npt.NDArray[np.float64]

SPLITTING_FAMILIES = ("TABM", "MITRA", "FT_TRANSFORMER")
"""Keys of such families in AutoGluon 1.6 (tabm_model.py:86, mitra/sklearn_interface.py:320, AutoMM)."""

VALIDATION_SHARE = 0.2


def splits_internally(twin: type[Any]) -> bool:
    """Whether a twin's plain family makes its own validation rows."""
    return any(getattr(cls, "ag_key", None) in SPLITTING_FAMILIES for cls in twin.__mro__)


def with_validation_rows(
    X: pd.DataFrame, y: pd.Series, sample_weight: Weights | None, seed: int
) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame, pd.Series, Weights | None]:
    """Cut a stratified share of the real rows off as validation rows.

    Returns
    -------
    X, y, X_val, y_val, sample_weight
        Training rows, validation rows, and the weights of the training rows.
    """
    from sklearn.model_selection import train_test_split

    positions = np.arange(len(y))
    stratify = y if int(y.value_counts().min()) > 1 and VALIDATION_SHARE * len(y) >= y.nunique() else None
    train, validation = train_test_split(positions, test_size=VALIDATION_SHARE, random_state=seed, stratify=stratify)
    weights = None if sample_weight is None else np.asarray(sample_weight)[train]
    return X.iloc[train], y.iloc[train], X.iloc[validation], y.iloc[validation], weights
