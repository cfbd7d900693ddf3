from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.prior import query_speed
from imbllm_autogluon.bench.prior import run as prior
from imbllm_autogluon.bench.prior.page import METRICS
from imbllm_autogluon.bench.prior.run import ARMS, PRETRAINED_ARMS, measure, run
from imbllm_autogluon.tables.files import write_table
from tests.jobs.fits import labelled, mixed_table

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.tables.labelled import LabelledTable

BARELY = {"layers": 1, "width": 16, "warmup": "none", "steps": 2}

QUERY = {
    "query s": 0.5, "decoding s": 30.0, "generate s": 20.0, "x decoding": 60.0, "x generate": 40.0,
    "same, decoding": 1.0, "same, generate": 0.9, "prompt tokens": 51.0, "rows": 1000.0, "one by one": 50.0,
}  # fmt: skip


class Recorded:
    """Stands for measurements: the settings of each, and of the label query."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.queries: list[tuple[Any, ...]] = []

    def __call__(self, table: LabelledTable, settings: dict[str, Any], seed: int, threads: int) -> dict[str, float]:
        self.calls.append({**settings, "seed": seed, "threads": threads, "rows": len(table.frame)})
        return dict.fromkeys(METRICS, 1.0 + seed)

    def query(self, *arguments: Any) -> dict[str, float]:
        self.queries.append(arguments)
        return QUERY


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(prior, "measure", recorded)
    monkeypatch.setattr(query_speed, "measure", recorded.query)
    return recorded


@pytest.fixture
def visits(tmp_path: Path) -> str:
    write_table(mixed_table({"no": 60, "yes": 20}), tmp_path / "visits.csv")
    return f"{tmp_path / 'visits.csv'}:label"


def test_every_arm_is_measured_on_every_table_and_split(tmp_path: Path, recorded: Recorded, visits: str) -> None:
    page = run(tables=[visits], rows=40, steps=3, repeats=2, folder=tmp_path / "results")
    assert len(recorded.calls) == 2 * 2 * len(ARMS)
    assert {call["rows"] for call in recorded.calls} == {40}
    assert {call["steps"] for call in recorded.calls} == {3}
    tidy = pd.read_csv(tmp_path / "results" / "prior.csv")
    assert list(tidy.columns) == ["table", "split", "arm", "metric", "value", "versions"]
    assert len(tidy) == len(recorded.calls) * len(METRICS)
    assert set(tidy["table"]) == {"hypothyroid", "visits"}
    text = page.read_text(encoding="utf-8")
    assert (
        "imbllm bench prior --backbone compact --rows 40 --repeats 2 --threads 1 --steps 3 --table visits.csv" in text
    )
    assert str(tmp_path) not in text


def test_the_page_tells_the_speed_of_the_label_query(tmp_path: Path, recorded: Recorded) -> None:
    text = run(rows=40, repeats=1, folder=tmp_path).read_text(encoding="utf-8")
    assert recorded.queries == [("compact", 1000, 50, 1)]
    assert "constrained decoding of single rows: 30.0 s (1,700 tokens/s), 60.0 times as long (reached)" in text


def test_an_interrupted_run_goes_on_and_a_fresh_one_measures_anew(tmp_path: Path, recorded: Recorded) -> None:
    run(rows=40, repeats=1, folder=tmp_path)
    run(rows=40, repeats=1, folder=tmp_path)
    assert len(recorded.calls) == len(ARMS)
    run(rows=40, repeats=2, folder=tmp_path)
    assert len(recorded.calls) == 2 * len(ARMS)
    assert len(recorded.queries) == 1
    run(rows=40, repeats=1, fresh=True, folder=tmp_path)
    assert (len(recorded.calls), len(recorded.queries)) == (3 * len(ARMS), 2)


def test_a_pretrained_backbone_has_fewer_arms_and_files_of_its_own(tmp_path: Path, recorded: Recorded) -> None:
    page = run("models/tiny", rows=40, repeats=1, folder=tmp_path)
    assert page.name == "prior_tiny.md"
    assert len(recorded.calls) == len(PRETRAINED_ARMS)
    assert {call["backbone"] for call in recorded.calls} == {"models/tiny"}
    assert "models/" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("arm", ["none", "two-stage", "recommended, uniform"])
def test_an_arm_is_trained_and_judged_on_rows_that_it_has_not_learned(arm: str) -> None:
    table = labelled({"no": 60, "yes": 20, "often": 20})
    figures = measure(table, {**BARELY, **ARMS[arm]}, 0, 1)
    assert set(figures) == set(METRICS)
    assert all(np.isfinite(value) for value in figures.values())
    assert figures["rarest, true share"] == 20.0
