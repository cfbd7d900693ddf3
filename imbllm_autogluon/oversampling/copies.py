"""Recognise generated rows that are copies of real ones or implausible, and write others in their place."""

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
    from imbllm_autogluon.oversampling.plausibility import ClassPlausibility

COPY_ROUNDS = 4
"""How often rows equal to real ones are written again before the remaining ones are kept."""

NEAR_ROUNDS = 10
"""The same where near copies or implausible rows are refused, too: half of all rows may be, in each round."""


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
    plausible: ClassPlausibility | None = None,
    rounds: int | None = None,
) -> Cells:
    """Exactly `n_rows` rows; copies of real ones and implausible rows are written again, a few times at most.

    Parameters
    ----------
    write
        Writes a number of rows; told the round, from 0.
    n_rows
        Rows to write, 1 or more.
    known
        Real rows that must not come out.
    counts
        ``copies_dropped`` and ``copies_kept`` are added to it, with `near` ``near_copies_dropped`` and
        ``near_copies_kept``: copies that are not exact; and with `plausible` ``implausible_dropped`` and
        ``implausible_kept``.
    near
        Real rows that no written row may come near to.
    plausible
        Judge of the rows. Of those it refuses, the most plausible are kept where rounds end too early.
    rounds
        How often rows are written at most; default: 4, or 10 with `near` or `plausible`.
    """
    kept: list[Cells] = []
    refused = _Refused(plausible)
    rounds = rounds or (COPY_ROUNDS if near is None and plausible is None else NEAR_ROUNDS)
    for attempt in range(rounds):
        is_last = attempt + 1 == rounds
        written = write(n_rows, attempt)
        if not is_last:
            written = written.take(~_copies(written, known, near, counts, "dropped"))
        found = refused.plausible(written)
        if is_last:
            missing = n_rows - found.n_rows
            found = Cells.concat([found, refused.best(missing)]) if missing else found
            _copies(found, known, near, counts, "kept")
        kept.append(found)
        n_rows -= found.n_rows
        if not n_rows:
            break
    if plausible is not None:
        counts.update(implausible_dropped=refused.n_dropped, implausible_kept=refused.n_kept)
    return Cells.concat(kept)


class _Refused:
    """Rows that a judge refused, the best of which are taken where no better ones come.

    Parameters
    ----------
    judge
        None: it refuses no row.
    """

    def __init__(self, judge: ClassPlausibility | None) -> None:
        self._judge = judge
        self._rows: list[Cells] = []
        self._ratios: list[npt.NDArray[np.float64]] = []
        self.n_dropped = self.n_kept = 0

    def plausible(self, written: Cells) -> Cells:
        """Rows that the judge lets pass; the others are kept in mind."""
        if self._judge is None:
            return written
        ratios = self._judge.ratios(written)
        passed = ratios >= self._judge.least
        self._rows.append(written.take(~passed))
        self._ratios.append(ratios[~passed])
        self.n_dropped += int((~passed).sum())
        return written.take(passed)

    def best(self, n_rows: int) -> Cells:
        """The most plausible of the rows that were refused."""
        rows = Cells.concat(self._rows)
        chosen = np.argsort(-np.concatenate(self._ratios), kind="stable")[:n_rows]
        self.n_dropped -= n_rows
        self.n_kept += n_rows
        return rows.take(np.sort(chosen))


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
