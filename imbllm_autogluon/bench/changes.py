"""Figures of arms beside those of one of them, split by split."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


def wide_figures(tidy: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """A row for each table, split and arm, a column for each metric; NaN where there is no such figure.

    Parameters
    ----------
    tidy
        One measured value in each row: columns table, split, arm, metric and value.
    metrics
        Columns of the result, in this order.
    """
    wide = tidy.pivot_table("value", ["table", "split", "arm"], "metric", sort=False)
    return wide.reindex(columns=list(metrics))


def changes_against(arm: str, wide: pd.DataFrame) -> pd.DataFrame:
    """Percent by which each figure differs from that of one arm on the same split; like :func:`wide_figures`.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("houses", 0, "none", "MAE", 2.0), ("houses", 0, "new", "MAE", 1.5)]
    >>> tidy = pd.DataFrame(rows, columns=["table", "split", "arm", "metric", "value"])
    >>> changes_against("none", wide_figures(tidy, ["MAE"]))["MAE"].tolist()
    [0.0, -25.0]
    """
    base = _of_arm(arm, wide)
    changes: pd.DataFrame = 100.0 * (wide - base) / base
    return changes


def differences_from(arm: str, wide: pd.DataFrame) -> pd.DataFrame:
    """How much higher each figure is than that of one arm on the same split, in its unit; like :func:`wide_figures`.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("visits", 0, "none", "F1", 40.0), ("visits", 0, "new", "F1", 43.0)]
    >>> tidy = pd.DataFrame(rows, columns=["table", "split", "arm", "metric", "value"])
    >>> differences_from("none", wide_figures(tidy, ["F1"]))["F1"].tolist()
    [0.0, 3.0]
    """
    return wide - _of_arm(arm, wide)


def _of_arm(arm: str, wide: pd.DataFrame) -> pd.DataFrame:
    """Figures of one arm in the place of those of all arms of the same split."""
    own = wide[wide.index.get_level_values("arm") == arm].reindex(wide.index)
    return own.groupby(["table", "split"], sort=False).transform("first")


def p_value(differences: pd.Series[float]) -> str:
    """Of Wilcoxon's signed-rank test, two-sided; equal ones are dropped, and an empty text says that none is left."""
    from scipy.stats import wilcoxon

    told = differences[differences != 0]
    return f"{wilcoxon(told.to_numpy()).pvalue:.3f}" if len(told) else ""
