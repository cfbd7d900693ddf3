"""What is said of wanted precisions, recalls and alarms."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import decisions
from benchmarks.decisions import HIGH, INSIDE, LOW, PRECISION, REACHED, RECALL, UNCORRECTED, judged
from benchmarks.tests.frames import classes_table, task_of


def test_what_is_reached_is_inside_or_outside_of_what_was_expected() -> None:
    truth, alarmed = np.array([True, True, False, False]), np.array([True, False, True, False])
    decision: Any = SimpleNamespace(wish="precision", expected={"precision": (0.7, 0.6, 0.9)}, reached=True)
    found = judged(truth, alarmed, decision)
    assert (found[REACHED], found[RECALL], found[LOW], found[HIGH], found[INSIDE]) == (50.0, 50.0, 60.0, 90.0, 0.0)
    silent = judged(truth, np.zeros(4, dtype=bool), decision)
    assert (silent[REACHED], silent[INSIDE], silent[RECALL]) == (None, None, 0.0)


def test_the_verdict_counts_tables_and_names_those_outside() -> None:
    rows = [("a", split, PRECISION, INSIDE, 100.0 * (split < 2)) for split in range(3)]
    rows += [("b", split, PRECISION, INSIDE, 0.0) for split in range(3)]
    tidy = pd.DataFrame(rows, columns=["table", "split", "method", "metric", "value"])
    text = decisions.intervals(tidy, decisions.PROTOCOL)
    assert "does NOT hold" in text
    assert "on most splits of 1 of 2 tables, on the first split of 1 of 2, and on 2 of 6 splits" in text
    assert "Outside: a (1 of 3), b (3 of 3)." in text


@pytest.mark.slow
def test_a_split_is_measured_by_every_wish() -> None:
    table = classes_table({"no": 150, "yes": 40})
    found = pd.DataFrame(decisions.measure(task_of(decisions.PROTOCOL, table, *decisions.WISHES)))
    figures = found.pivot_table("value", "method", "metric")
    assert set(figures.index) == set(decisions.WISHES)
    assert figures.drop(UNCORRECTED)[[LOW, HIGH, "shown"]].notna().all(axis=None)
    assert figures[LOW].isna()[UNCORRECTED]
