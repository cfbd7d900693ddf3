from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.validity import legal_rows, read_cells

REAL = pd.DataFrame(
    {
        "dose": [0.25, 1.5, np.nan],
        "age": [61.0, 35.0, 48.0],
        "visits": [1, 4, 9],
        "city": ["Oslo", "Bergen", None],
        "member": [True, False, True],
        "seen": pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01"]),
    }
)
TEXTS = {"dose": "0.5", "age": "40.0", "visits": "5", "city": "Oslo", "member": "False", "seen": "2020-05-04"}


def judged(**changed: str | None) -> bool:
    """Whether a row that a generator wrote as text is legal."""
    written = read_cells(pd.DataFrame([{**TEXTS, **changed}]), REAL)
    return bool(legal_rows(written, REAL).item())


def test_real_rows_are_legal_as_cells_and_as_text() -> None:
    assert legal_rows(REAL, REAL).all()
    texts = REAL.astype(object).where(REAL.notna(), None).map(lambda cell: None if cell is None else str(cell))
    assert legal_rows(read_cells(texts, REAL), REAL).all()


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("dose", "0.255"),  # more decimals than the column has
        ("dose", "2.0"),  # out of range
        ("dose", "a lot"),  # unreadable, not missing
        ("dose", "nan"),
        ("dose", "inf"),
        ("age", "40.5"),
        ("age", None),  # the column has no missing cells
        ("visits", "1.5"),
        ("visits", "10"),
        ("visits", "1 4"),
        ("city", "Paris"),
        ("city", "Oslo<|im_end|>"),
        ("member", "perhaps"),
        ("member", "placeholder"),
        ("seen", "2019-12-31"),
        ("seen", "last summer"),
    ],
)
def test_one_illegal_cell_makes_its_row_illegal(column: str, text: str | None) -> None:
    assert judged()
    assert not judged(**{column: text})


@pytest.mark.parametrize("column", ["dose", "city"])
def test_a_missing_cell_is_legal_where_the_column_has_missing_cells(column: str) -> None:
    assert judged(**{column: None})


def test_numbers_count_by_value_not_by_spelling() -> None:
    assert judged(dose="0.50", age="40", visits="5.0")


def test_the_verdict_is_indexed_like_the_rows() -> None:
    written = REAL.set_index(pd.Index([7, 3, 5])).assign(visits=[1, 99, 9])
    assert legal_rows(written, REAL).to_dict() == {7: True, 3: False, 5: True}
