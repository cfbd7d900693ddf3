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

STRATA = 10
"""Steps of the ranks of targets that validation rows are drawn from evenly."""


def splits_internally(twin: type[Any]) -> bool:
    """Whether a twin's plain family makes its own validation rows."""
    return any(getattr(cls, "ag_key", None) in SPLITTING_FAMILIES for cls in twin.__mro__)


def with_validation_rows(
    X: pd.DataFrame, y: pd.Series, sample_weight: Weights | None, seed: int, *, targets: bool = False
) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame, pd.Series, Weights | None]:
    """Cut a stratified share of the real rows off as validation rows.

    Parameters
    ----------
    X, y, sample_weight
        Real rows, shapes (n, m), (n,) and (n,).
    seed
        Of the cut.
    targets
        Whether `y` holds numbers, whose range is to be covered evenly, instead of classes.

    Returns
    -------
    X, y, X_val, y_val, sample_weight
        Training rows, validation rows, and the weights of the training rows.
    """
    from sklearn.model_selection import train_test_split

    positions = np.arange(len(y))
    strata = _strata(y) if targets else y
    stratify = strata if _can_stratify(strata) else None
    train, validation = train_test_split(positions, test_size=VALIDATION_SHARE, random_state=seed, stratify=stratify)
    weights = None if sample_weight is None else np.asarray(sample_weight)[train]
    return X.iloc[train], y.iloc[train], X.iloc[validation], y.iloc[validation], weights


def _can_stratify(strata: pd.Series) -> bool:
    """Whether both parts can hold every stratum."""
    return int(strata.value_counts().min()) > 1 and VALIDATION_SHARE * len(strata) >= strata.nunique()


def _strata(y: pd.Series) -> pd.Series:
    """Ranks of targets in up to ten steps."""
    ranks = y.rank(method="first") - 1
    return (STRATA * ranks // max(1, len(y))).rename("stratum")
