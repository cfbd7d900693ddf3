from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from imbllm_autogluon.oversampling.copies import COPY_ROUNDS, NEAR_ROUNDS, KnownRows, written_anew
from imbllm_autogluon.oversampling.near_copies import NearRows
from imbllm_autogluon.tables import Cells
from tests.oversampling.tables import mixed, read


def ints(*columns: list[int], missing: list[list[bool]] | None = None) -> Cells:
    values = tuple(np.array(column) for column in columns)
    mask = np.array(missing) if missing else np.zeros((len(columns[0]), len(columns)), dtype=bool)
    return Cells(values, mask)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 20))
def test_a_row_is_a_copy_exactly_if_it_equals_a_known_one(seed: int, n_known: int) -> None:
    rng = np.random.default_rng(seed)
    frame = mixed(40, seed)[["visits", "city", "member", "income"]].round({"income": -1})
    _, cells = read(frame)
    known, rows = cells.take(np.arange(n_known)), cells.take(rng.integers(0, 40, 60))
    keys = set(known.row_keys().tolist())
    assert KnownRows.of(known).copies(rows).tolist() == [key in keys for key in rows.row_keys().tolist()]


def test_every_cell_counts_even_the_last_byte_of_the_last_column() -> None:
    known = KnownRows.of(ints([1, 0], [2, 0]))
    rows = ints([1, 1, 2, 0, 0, 256], [2, 3, 1, 0, 2**62, 0])
    assert known.copies(rows).tolist() == [True, False, False, True, False, False]


def test_missing_is_a_value_of_its_own() -> None:
    known = KnownRows.of(ints([0, 0], missing=[[True], [True]]))
    assert known.copies(ints([0, 0], missing=[[True], [False]])).tolist() == [True, False]


def test_repeated_rows_are_remembered_once() -> None:
    assert len(KnownRows.of(ints([3, 3, 4])).hashes) == 2


def test_no_rows_have_no_copies() -> None:
    empty = ints([]).take([])
    assert KnownRows.of(ints([1])).copies(empty).tolist() == []
    assert KnownRows.of(empty).copies(ints([1])).tolist() == [False]


def test_negative_zero_equals_zero() -> None:
    known = KnownRows.of(Cells((np.array([0.0]),), np.zeros((1, 1), dtype=bool)))
    assert known.copies(Cells((np.array([-0.0]),), np.zeros((1, 1), dtype=bool))).all()


def test_stored_hashes_mean_the_same_in_another_process() -> None:
    _, cells = read(pd.DataFrame({"x": [1.5, 2.5, 4.0], "c": ["a", "b", "b"]}))
    code = (
        "import pandas as pd\n"
        "from imbllm_autogluon.oversampling.copies import KnownRows\n"
        "from imbllm_autogluon.tables import TableSchema\n"
        "frame = pd.DataFrame({'x': [1.5, 2.5, 4.0], 'c': ['a', 'b', 'b']})\n"
        "print(KnownRows.of(TableSchema.from_frame(frame).encode(frame)).hashes.tolist())"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == str(KnownRows.of(cells).hashes.tolist())


def test_copies_are_written_again_until_there_are_none() -> None:
    asked, counts = [], Counter[str]()

    def write(n: int, attempt: int) -> Cells:
        asked.append((n, attempt))
        return ints([100 * attempt + i for i in range(n)])

    rows = written_anew(write, 5, KnownRows.of(ints([0, 1, 2, 101])), counts)
    assert rows.values[0].tolist() == [3, 4, 100, 102, 200]
    assert asked == [(5, 0), (3, 1), (1, 2)]
    assert (counts["copies_dropped"], counts["copies_kept"]) == (4, 0)


def test_the_last_round_keeps_its_copies() -> None:
    counts = Counter[str]()
    rows = written_anew(lambda n, _: ints([7] * n), 6, KnownRows.of(ints([7])), counts)
    assert rows.values[0].tolist() == [7] * 6
    assert (counts["copies_dropped"], counts["copies_kept"]) == (6 * (COPY_ROUNDS - 1), 6)


def numbers(*values: float) -> Cells:
    return Cells((np.array(values),), np.zeros((len(values), 1), dtype=bool))


def test_near_copies_are_written_again_and_counted_beside_exact_ones() -> None:
    schema, cells = read(pd.DataFrame({"x": [0.0, 10.0, 20.0, 31.0]}))
    counts, limit = Counter[str](), NearRows.of(schema, cells, 0.5)
    assert limit is not None
    near = NearRows(limit._space, cells, limit.limit / 2)  # 5 from the next real row
    drafts = iter([(0.0, 4.0, 25.0, 9.0), (20.0, 15.0, 5.0), (15.0,)])
    rows = written_anew(lambda *_: numbers(*next(drafts)), 4, KnownRows.of(cells), counts, near)
    assert rows.values[0].tolist() == [25.0, 15.0, 5.0, 15.0]
    assert counts == {"copies_dropped": 2, "near_copies_dropped": 2}


def test_near_copies_that_always_come_again_are_kept_in_the_last_of_more_rounds() -> None:
    schema, cells = read(pd.DataFrame({"x": [0.0, 10.0, 20.0, 30.5]}))
    counts = Counter[str]()
    near = NearRows.of(schema, cells, 0.5)
    rows = written_anew(lambda n, _: numbers(*[0.5] * n), 2, KnownRows.of(cells), counts, near)
    assert rows.n_rows == 2
    assert (counts["near_copies_dropped"], counts["near_copies_kept"]) == (2 * (NEAR_ROUNDS - 1), 2)
    assert (counts["copies_dropped"], counts["copies_kept"]) == (0, 0)
