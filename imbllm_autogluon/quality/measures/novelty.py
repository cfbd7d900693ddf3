"""How many written rows are new: the share of exact copies of real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.quality.measures.pairs import check_pair, shared_codes

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.arrays import IntArray


def copied_share(real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    """Share of the synthetic rows that equal a real row in every column; missing equals missing.

    Parameters
    ----------
    real, synthetic
        n and m rows of the same columns. 1 equals 1.0, and levels are compared by their value, whatever the dtypes.

    Returns
    -------
    float
        From 0 to 1; lower is better where rows shall be new. A table of few categories has copies by chance alone:
        compare with the share among real rows that were held out.

    Raises
    ------
    TableError
        The tables cannot be compared; see :func:`imbllm_autogluon.quality.measures.pairs.check_pair`.

    Examples
    --------
    >>> import pandas as pd
    >>> real = pd.DataFrame({"age": [61, None], "city": ["Oslo", "Bergen"]})
    >>> copied_share(real, pd.DataFrame({"age": [61.0, None, None], "city": ["Oslo", "Bergen", "Oslo"]}))
    0.6666666666666666
    """
    real_rows, written = row_codes(real, synthetic)
    return float(np.isin(written, real_rows).mean())


def row_codes(real: pd.DataFrame, synthetic: pd.DataFrame) -> tuple[IntArray, IntArray]:
    """Code of each row of both tables, the same exactly where two rows are equal in all columns of the real table.

    Raises
    ------
    TableError
        The tables cannot be compared; see :func:`imbllm_autogluon.quality.measures.pairs.check_pair`.
    """
    check_pair(real, synthetic)
    rows = np.zeros(len(real) + len(synthetic), dtype=np.int64)
    for name in real.columns:
        cells = np.concatenate(shared_codes(real[name], synthetic[name], name)) + 1
        # Both factors are at most the number of rows (+ 1), so the product fits into int64.
        rows = np.unique(rows * (cells.max() + 1) + cells, return_inverse=True)[1].astype(np.int64)
    return rows[: len(real)], rows[len(real) :]
