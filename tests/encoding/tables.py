"""Random tables with hostile names and values, for the tests of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from hypothesis import strategies as st

if TYPE_CHECKING:
    from imbllm_autogluon.tables import EncodedTable, TableSchema

HOSTILE = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["", " ", "missing", "is", "a is b", "a, b", ', b is "c"', '"', "\\", "\n", "\x00", "\ud800", "é", "1", "#0"]
)

_CELLS = {
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "decimal": st.integers(-(10**6), 10**6).map(lambda units: units / 100),
    "round": st.integers(-99, 99).map(lambda units: units * 100.0),
    "integer": st.integers(-(2**62), 2**62 - 1),
    "even": st.integers(-50, 50).map(lambda half: 2 * half),
    "word": HOSTILE,
    "mixed": st.one_of(HOSTILE, st.integers(-3, 3), st.booleans(), st.sampled_from([1.0, (1, 2), b"1"])),
    "boolean": st.booleans(),
    "day": st.integers(-20000, 20000).map(lambda day: np.datetime64(day, "D").astype("M8[s]")),
    "moment": st.integers(-(10**18), 10**18).map(lambda time: np.datetime64(time, "ns")),
    "ages": st.integers(-(10**14), 10**14).map(lambda time: np.datetime64(time, "s")),
    "duration": st.integers(-(10**9), 10**9).map(lambda time: np.timedelta64(time, "s")),
}
_DTYPES = {"float": "float64", "decimal": "float64", "round": "float64", "integer": "Int64", "even": "Int64"} | {
    "boolean": "boolean",
    "day": "M8[s]",
    "moment": "M8[ns]",
    "ages": "M8[s]",
    "duration": "m8[s]",
}


@st.composite
def columns(draw: st.DrawFn, n_rows: int) -> pd.Series:
    """A column of a random sort, with missing cells now and then."""
    sort = draw(st.sampled_from(sorted(_CELLS)))
    cells = draw(st.lists(_CELLS[sort], min_size=n_rows, max_size=n_rows))
    gaps = draw(st.lists(st.booleans(), min_size=n_rows, max_size=n_rows)) if draw(st.booleans()) else [False] * n_rows
    holed = [None if gap else cell for cell, gap in zip(cells, gaps, strict=True)]
    return pd.Series(holed, dtype=_DTYPES.get(sort, "object"))


@st.composite
def frames(draw: st.DrawFn, n_rows: int = 5) -> pd.DataFrame:
    """A table of one to four features and the label "sick"."""
    names = draw(st.lists(HOSTILE | st.integers(0, 3), min_size=1, max_size=4, unique_by=str))
    features = {name: draw(columns(n_rows)) for name in names if name != "sick"}
    label = pd.Series(draw(st.permutations(["yes", "no", "no, not", "missing", "a is b"])))
    return pd.DataFrame({**features, "sick": label})


def on_grid(schema: TableSchema, cells: EncodedTable) -> EncodedTable:
    """The cells with every number on its column's grid."""
    for j, column in enumerate(schema.columns):
        if column.grid is not None:
            cells = cells.with_column(j, column.grid.snap(cells.values[j]), cells.missing[:, j])
    return cells
