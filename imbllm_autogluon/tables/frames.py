"""What users of scikit-learn hand over as a table, as a data frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_array

from imbllm_autogluon.tables.inspection import checked_names


def checked_array(X: Any) -> Any:
    """A data frame with usable names as it is; anything else as a dense array, missing cells allowed.

    Raises
    ------
    ValueError
        The array is sparse, empty, of another shape than (n, m), or holds infinite numbers.
    """
    if isinstance(X, pd.DataFrame):
        checked_names(X)
        return X
    array = np.asarray(X) if isinstance(X, list) else X
    if isinstance(X, list) and array.dtype.kind in "US":
        # NumPy would turn numbers into text where text stands beside them.
        array = np.asarray(X, dtype=object)
    return check_array(array, dtype=None, ensure_all_finite="allow-nan")


def checked_frame(X: Any) -> pd.DataFrame:
    """:func:`checked_array` as a data frame; the columns of an array are numbered."""
    checked = checked_array(X)
    return checked if isinstance(checked, pd.DataFrame) else pd.DataFrame(checked)
