"""Constants, identifiers and free text are recognised; plain numbers and short lists are not mistaken for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.tables import Column
from imbllm_autogluon.tables.inspection import guessed_reason, is_constant

RNG = np.random.default_rng(0)
SENTENCES = [f"the patient number {i} came in with a cough" for i in range(30)]

CASES: list[tuple[str, pd.Series, str | None]] = [
    ("distinct codes", pd.Series([f"p{i}" for i in range(30)]), "identifier"),
    ("distinct codes with gaps", pd.Series([f"p{i}" for i in range(30)] + [None] * 30), "identifier"),
    ("distinct codes of a category", pd.Series([f"p{i}" for i in range(30)], dtype="category"), "identifier"),
    ("few distinct codes", pd.Series([f"p{i}" for i in range(19)]), None),
    ("few codes among gaps", pd.Series([f"p{i}" for i in range(19)] + [None] * 30), None),
    ("codes that repeat", pd.Series([f"p{i}" for i in range(18)] * 2), None),
    ("row numbers in any order", pd.Series(RNG.permutation(30) + 100), "identifier"),
    ("nullable row numbers", pd.Series([*range(30), None], dtype="Int64"), "identifier"),
    ("distinct incomes", pd.Series(RNG.permutation(10_000)[:30]), None),
    ("a run with a repeat and a hole", pd.Series([*range(29), 5, 30]), None),
    ("durations in a run", pd.Series(pd.to_timedelta(range(30), unit="ns")), None),
    ("measurements", pd.Series(RNG.normal(size=30)), None),
    ("distinct days", pd.Series(pd.date_range("2020-01-01", periods=30)), None),
    ("sentences", pd.Series(SENTENCES), "free text"),
    ("two sentences", pd.Series(SENTENCES[:2]), "free text"),
    ("sentences that repeat", pd.Series(SENTENCES[:3] * 10), None),
    ("short strings", pd.Series(["very low", "low", "quite high"]), None),
]


@pytest.mark.parametrize(("series", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_columns_are_guessed(series: pd.Series, reason: str | None) -> None:
    guess = guessed_reason(Column.from_series(series, "x"), series)
    assert guess is None if reason is None else reason in str(guess)


@pytest.mark.parametrize(
    ("series", "constant"),
    [
        (pd.Series([3, 3]), True),
        (pd.Series([1 / 3, 1 / 3]), True),
        (pd.Series(["a", "a"]), True),
        (pd.Series([pd.Timestamp(0)] * 2), True),
        (pd.Series([3.0, None]), False),
        (pd.Series([1e18, 1e18 + 128]), False),
        (pd.Series([True, False]), False),
    ],
)
def test_a_constant_holds_one_value_and_no_gap(series: pd.Series, constant: bool) -> None:
    assert is_constant(Column.from_series(series, "x"), series) == constant
