"""Recognise generated rows that are exact copies of real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.tables import Cells


class KnownRows:
    """The rows of a training fold, of any class, as 64-bit hashes.

    Two different rows share a hash with probability 2**-64 for each pair; the only harm would be one more row
    written anew.

    Parameters
    ----------
    hashes
        Distinct hashes, uint64 of shape (n,).
    """

    def __init__(self, hashes: npt.NDArray[np.uint64]) -> None:
        self.hashes = hashes

    @classmethod
    def of(cls, cells: Cells) -> KnownRows:
        """Remember every row of `cells`."""
        return cls(np.unique(_hash_rows(cells)))

    def copies(self, rows: Cells) -> npt.NDArray[np.bool_]:
        """Which rows equal a remembered one, shape (n_rows,)."""
        return np.isin(_hash_rows(rows), self.hashes)


def _hash_rows(cells: Cells) -> npt.NDArray[np.uint64]:
    """Hash of each row, columns and missingness included, the same in every process."""
    return pd.util.hash_array(cells.row_keys().astype(object), categorize=False)
