"""The cost of large tables, tried on small ones."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks import scale
from benchmarks.protocol import Options, run
from benchmarks.tables import read_named


@pytest.mark.slow
def test_cases_on_large_tables_are_measured_in_their_own_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "_LARGE", 100)
    methods = ("plain", "imbllm train")
    result = run(scale.PROTOCOL, Options(tables=("fraud:400x6:20",), methods=methods, repeats=1))
    figures = result.tidy.set_index(["method", "metric"])["value"]
    assert set(figures.index) == {
        ("imbllm train", scale.CPU),
        ("imbllm train", scale.PEAK),
    }  # fits are for smaller ones
    assert 2 < figures["imbllm train", scale.CPU] < 200
    assert 200 < figures["imbllm train", scale.PEAK] < 1500


def test_only_fits_are_compared_with_the_plain_one() -> None:
    rows = [("small", "plain", 10.0), ("small", "plain + twins", 15.0), ("large", "imbllm train", 7.0)]
    tidy = pd.DataFrame([(*row, 0, metric) for row in rows for metric in (scale.CPU, scale.PEAK)])
    tidy.columns = pd.Index(["table", "method", "value", "split", "metric"])
    lines = [[cell.strip() for cell in line.split("|")] for line in scale.costs(tidy, scale.PROTOCOL).splitlines()]
    cells = {line[2]: [cell.partition(" ")[0] for cell in line[3:7]] for line in lines if len(line) > 6}
    assert cells["plain + twins"] == ["15", "1.50", "15", "1.50"]
    assert cells["plain"] == ["10", "1.00", "10", "1.00"]
    assert cells["imbllm train"][::2] == ["7", "7"]
    assert cells["imbllm train"][1] == cells["imbllm train"][3] not in ("1.00", "0.70")


def test_a_table_of_frauds_can_be_told_apart_but_not_perfectly() -> None:
    table = read_named("fraud:3000x8:100")
    assert table.counts == {"usual": 2900, "rare": 100}
    assert list(table.features.columns[-2:]) == ["time", "amount"]
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score

    X, y = table.features.drop(columns=["time", "amount"]), table.labels == "rare"
    found = average_precision_score(y, LogisticRegression().fit(X, y).predict_proba(X)[:, 1])
    assert 0.2 < found < 0.95
