"""Tables and numbers as the pages of benchmarks write them; nothing stands where there is no figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def markdown(frame: pd.DataFrame) -> str:
    """A table, cells as they are."""
    rows = [list(frame.columns), ["---"] * frame.shape[1], *frame.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def spread(changes: pd.Series, unit: str = " %") -> str:
    """Mean change, in percent or another unit, with its standard error where there are several.

    Examples
    --------
    >>> import pandas as pd
    >>> spread(pd.Series([-2.0, -4.0])), spread(pd.Series([1.0])), spread(pd.Series([float("nan")]))
    ('-3.0 ± 1.0 %', '+1.0 %', '')
    >>> spread(pd.Series([-2.0, -4.0]), unit="")
    '-3.0 ± 1.0'
    """
    found = changes.dropna()
    if not len(found):
        return ""
    error = f" ± {found.std() / np.sqrt(len(found)):.1f}" if len(found) > 1 else ""
    return f"{found.mean():+.1f}{error}{unit}"


def significant(value: float) -> str:
    """Four significant digits, never as a power of ten."""
    return "" if np.isnan(value) else np.format_float_positional(float(f"{value:.4g}"), trim="-")


def signed(value: float) -> str:
    """One decimal and the sign."""
    return "" if np.isnan(value) else f"{value:+.1f}"


def tenths(value: float) -> str:
    """One decimal."""
    return "" if np.isnan(value) else f"{value:.1f}"


def hundredths(value: float) -> str:
    """Two decimals."""
    return "" if np.isnan(value) else f"{value:.2f}"
