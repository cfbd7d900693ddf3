"""Recognise generated rows that are exact copies of real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from imbllm_autogluon.tables import Cells

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    import numpy.typing as npt

COPY_ROUNDS = 4
"""How often rows equal to real ones are written again before the remaining ones are kept."""


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


def written_anew(write: Callable[[int, int], Cells], n_rows: int, known: KnownRows, counts: Counter[str]) -> Cells:
    """Exactly `n_rows` rows; copies of real ones are written again, a few times at most.

    Parameters
    ----------
    write
        Writes a number of rows; told the round, from 0.
    n_rows
        Rows to write, 1 or more.
    known
        Real rows that must not come out.
    counts
        ``copies_dropped`` and ``copies_kept`` are added to it.
    """
    kept: list[Cells] = []
    for attempt in range(COPY_ROUNDS):
        written = write(n_rows, attempt)
        copies = known.copies(written)
        if attempt + 1 == COPY_ROUNDS:
            counts["copies_kept"] += int(copies.sum())
            copies[:] = False
        n_rows = int(copies.sum())
        counts["copies_dropped"] += n_rows
        kept.append(written.take(~copies))
        if not n_rows:
            break
    return Cells.concat(kept)
