"""Candidates become rows of wanted classes, until each class has its number."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.tables import Cells

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.oversampling.near_copies import NearRows


SMALLEST_ROUND, LARGEST_ROUND = 256, 8192
"""Candidates written at once."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Written rows and what a model says of their classes."""

    cells: Cells
    probabilities: FloatArray
    """Shape (n, k)."""

    answers: IntArray
    """Label codes, shape (n,)."""

    def take(self, rows: npt.ArrayLike) -> Asked:
        """Rows by position or by mask."""
        chosen = np.asarray(rows)
        return Asked(self.cells.take(chosen), self.probabilities[chosen], self.answers[chosen])

    @classmethod
    def concat(cls, parts: Sequence[Asked]) -> Asked:
        """All rows, one part after the other."""
        return cls(
            Cells.concat([part.cells for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.answers for part in parts]),
        )


class Acceptance:
    """Takes candidates for the classes that still lack rows.

    Parameters
    ----------
    wanted
        Rows by label code, 1 or more each.
    limit
        Most candidates; at least as many as rows are wanted.
    too_near
        Real rows, by label code, that rows of their class may not come near to.

    Attributes
    ----------
    missing : Counter
        Rows that each class still lacks.
    candidates : Counter
        Candidates looked at until a class had its rows.
    by_rank : Counter
        Rows taken by :meth:`fill_by_rank`.
    refused : Counter
        Candidates of each class that were not taken because they lie too near to real rows of it.
    near : Counter
        Such candidates that :meth:`fill_by_rank` took after all.
    """

    def __init__(self, wanted: Mapping[int, int], limit: int, too_near: Mapping[int, NearRows] | None = None) -> None:
        self._wanted = dict(wanted)
        self._too_near = too_near or {}
        self._limit = max(limit, sum(wanted.values()))
        self._written = 0
        self._taken: dict[int, list[Cells]] = {code: [] for code in wanted}
        self._spare: list[Asked] = []
        self.missing: Counter[int] = Counter(wanted)
        self.candidates: Counter[int] = Counter()
        self.by_rank: Counter[int] = Counter()
        self.refused: Counter[int] = Counter()
        self.near: Counter[int] = Counter()

    @property
    def is_open(self) -> bool:
        """Whether rows are missing and candidates allowed."""
        return self.missing.total() > 0 and self._written < self._limit

    @property
    def neediest(self) -> int:
        """The class that lacks most rows."""
        return self.missing.most_common(1)[0][0]

    def next_round(self) -> int:
        """Candidates to write next: as many as should bring what is missing, by the acceptance so far."""
        if not self._written:
            size = sum(self._wanted.values())
        else:
            rates = {code: (self._wanted[code] - n) / self._written for code, n in self.missing.items() if n}
            size = int(1.1 * max(self.missing[code] / max(rate, 1 / self._written) for code, rate in rates.items()))
        return min(LARGEST_ROUND, max(SMALLEST_ROUND, size), self._limit - self._written)

    def take(self, asked: Asked) -> None:
        """Take what is still wanted of each class, first come first served, and keep the rest in mind."""
        self._written += asked.cells.n_rows
        left = np.ones(asked.cells.n_rows, dtype=bool)
        for code in [code for code, n in self.missing.items() if n]:
            answered = np.flatnonzero(asked.answers == code)
            is_near = self._is_near(code, asked.cells.take(answered))
            rows = answered[~is_near][: self.missing[code]]
            self._taken[code].append(asked.cells.take(rows))
            left[rows] = False
            self.missing[code] -= len(rows)
            seen = asked.cells.n_rows if self.missing[code] else int(rows[-1]) + 1
            self.refused[code] += int(is_near[answered < seen].sum())
            self.candidates[code] += seen
        self._spare.append(asked.take(left))

    def fill_by_rank(self) -> None:
        """Give each class that lacks rows the spare candidates with its highest probability; small needs first.

        Candidates too near to its real rows come last.
        """
        if not self.missing.total():
            return
        rest = Asked.concat(self._spare)
        for code, n in sorted(self.missing.items(), key=lambda item: item[1]):
            is_near = self._is_near(code, rest.cells)
            order = np.lexsort((-rest.probabilities[:, code], is_near))
            self.near[code] += int(is_near[order[:n]].sum())
            self._taken[code].append(rest.cells.take(order[:n]))
            self.by_rank[code] += n
            self.missing[code] = 0
            rest = rest.take(np.sort(order[n:]))

    def rows(self, code: int) -> Cells:
        """Rows of one class, as many as were wanted once all are taken."""
        return Cells.concat(self._taken[code])

    def _is_near(self, code: int, cells: Cells) -> npt.NDArray[np.bool_]:
        """Which rows lie too near to real rows of a class, shape (n,)."""
        near = self._too_near.get(code)
        return np.zeros(cells.n_rows, dtype=bool) if near is None else near.copies(cells)
