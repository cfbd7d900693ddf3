"""Recognise generated rows that are copies of real ones, and write others in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from imbllm_autogluon.tables import Cells

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    import numpy.typing as npt

    from imbllm_autogluon.oversampling.near_copies import NearRows

COPY_ROUNDS = 4
"""How often rows equal to real ones are written again before the remaining ones are kept."""

NEAR_ROUNDS = 10
"""The same where near copies are refused, too: as many as half of all rows may be refused in each round."""


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


def written_anew(
    write: Callable[[int, int], Cells],
    n_rows: int,
    known: KnownRows,
    counts: Counter[str],
    near: NearRows | None = None,
    rounds: int | None = None,
) -> Cells:
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
        ``copies_dropped`` and ``copies_kept`` are added to it, and with `near` ``near_copies_dropped`` and
        ``near_copies_kept``: copies that are not exact.
    near
        Real rows that no written row may come near to.
    rounds
        How often rows are written at most; default: 4, or 10 with `near`.
    """
    kept: list[Cells] = []
    rounds = rounds or (COPY_ROUNDS if near is None else NEAR_ROUNDS)
    for attempt in range(rounds):
        written = write(n_rows, attempt)
        is_last = attempt + 1 == rounds
        copies = _copies(written, known, near, counts, "kept" if is_last else "dropped")
        if is_last:
            copies[:] = False
        n_rows = int(copies.sum())
        kept.append(written.take(~copies))
        if not n_rows:
            break
    return Cells.concat(kept)


def _copies(
    rows: Cells, known: KnownRows, near: NearRows | None, counts: Counter[str], fate: str
) -> npt.NDArray[np.bool_]:
    """Which rows are copies, exact or near; they are counted by what becomes of them."""
    exact = known.copies(rows)
    counts[f"copies_{fate}"] += int(exact.sum())
    if near is None:
        return exact
    like = near.copies(rows) & ~exact
    counts[f"near_copies_{fate}"] += int(like.sum())
    return exact | like
