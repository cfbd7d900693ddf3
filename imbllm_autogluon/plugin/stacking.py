"""Written rows for models of a higher level: where their predictions of the lower level come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.randomness import child_rng

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.tables import ColumnName


def with_stack_columns(
    rows: pd.DataFrame, labels: pd.Series, X: pd.DataFrame, y: pd.Series, stack: list[ColumnName], seed: int
) -> pd.DataFrame:
    """Give every written row the out-of-fold predictions (and weight, if X holds it) of one real row of its class.

    Classes may be bins of a target.

    The models of the lower level have seen the rows that a written row was learned from, so their predictions for it
    would be too good. Predictions are taken over whole, never mixed.

    Parameters
    ----------
    rows, labels
        Written rows without stack columns, and their labels.
    X, y
        Real rows of the fold with stack columns, and their labels.
    stack
        Names of the stack columns, and of others that are not written.
    seed
        Of the draw.

    Returns
    -------
    DataFrame
        The written rows in the columns of X.
    """
    rng = child_rng(seed, "prompts", "stack")
    places = np.zeros(len(rows), dtype=np.int64)
    codes, own = y.to_numpy(), labels.to_numpy()
    for label in np.unique(own):
        donors = np.flatnonzero(codes == label)
        places[own == label] = rng.choice(donors, size=int((own == label).sum()))
    taken = X[stack].iloc[places].set_axis(rows.index, axis=0)
    return rows.join(taken)[list(X.columns)]
