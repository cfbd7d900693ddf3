"""Recognise generated rows that lie nearer to a real row than real rows lie to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.oversampling.interpolation import EQUAL
from imbllm_autogluon.oversampling.neighbours import MixedSpace

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.tables import Cells, TableSchema

MOST_MEASURED = 2_000
"""Real rows whose distance to their nearest other one is measured: the quantile of more of them is the same."""


class NearRows:
    """The real rows of one class, and how near to them a generated row may come.

    Parameters
    ----------
    space
        Distances, scaled by the rows of the class.
    real
        Its rows.
    limit
        Distance below which a row is a near copy.
    """

    def __init__(self, space: MixedSpace, real: Cells, limit: float) -> None:
        self._space = space
        self._real = real
        self.limit = limit

    @classmethod
    def of(cls, schema: TableSchema, real: Cells, quantile: float) -> NearRows | None:
        """Measure the rows of a class.

        Parameters
        ----------
        schema
            Columns of the table.
        real
            Rows of the class.
        quantile
            Share of the real rows (0 to 1) that lie nearer to another one than the limit. `None` is returned for 0,
            and for fewer than two rows.
        """
        if not quantile or real.n_rows < 2:
            return None
        space = MixedSpace.fit(schema, real)
        places = np.unique(np.linspace(0, real.n_rows - 1, MOST_MEASURED).astype(np.int64))
        # The nearest row of a real one is itself, or an equal one.
        _, distances = space.nearest(real.take(places), real, 2)
        return cls(space, real, float(np.quantile(distances[:, 1], quantile)))

    def copies(self, rows: Cells) -> npt.NDArray[np.bool_]:
        """Which rows are nearer to a real one than the limit, shape (n_rows,)."""
        if not rows.n_rows:
            return np.zeros(0, dtype=bool)
        _, distances = self._space.nearest(rows, self._real, 1)
        return np.asarray(distances[:, 0] < self.limit - EQUAL)
