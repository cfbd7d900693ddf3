from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from imbllm_autogluon.bench.quality import run as quality
from imbllm_autogluon.bench.quality.arms import ARMS, GREAT, IMBLLM, NOISE, RANDOM, arms_of
from imbllm_autogluon.bench.quality.page import ROWS, SECONDS
from imbllm_autogluon.bench.quality.run import measure, run
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality.measures.catalogue import CATALOGUE
from imbllm_autogluon.tables.files import write_table
from tests.jobs.fits import labelled, mixed_table

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from imbllm_autogluon.tables.labelled import LabelledTable

BARELY = {"layers": 1, "width": 16, "warmup_steps": 0, "steps": 2}
SIZES: dict[Hashable, int] = {"no": 240, "often": 120, "yes": 90}

MEASURES = set(CATALOGUE) - {"low-density interpolations"}


class Recorded:
    """Stands for measurements: method, split and threads of each."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, int]] = []

    def __call__(self, table: LabelledTable, spec: Mapping[str, Any], seed: int, threads: int) -> dict[str, Any]:
        self.calls.append((spec["method"], seed, threads))
        judged: dict[str, Any] = {name: {"value": 0.95, "verdict": "good"} for name in MEASURES}
        judged["discriminator AUC"] = {"value": None, "verdict": "unknown"}
        return {"measures": judged, ROWS: 40, SECONDS: 2.0}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(quality, "measure", recorded)
    return recorded


def test_every_arm_is_measured_on_every_table_and_split(tmp_path: Path, recorded: Recorded) -> None:
    write_table(mixed_table({"no": 60, "yes": 20}), tmp_path / "visits.csv")
    named = f"{tmp_path / 'visits.csv'}:label"
    page = run(tables=[named], rows=400, repeats=2, seed=5, threads=2, slow_arms=True, folder=tmp_path / "results")
    methods = [spec["method"] for spec in arms_of(slow=True).values()]
    assert recorded.calls == [(method, split, 2) for split in (5, 6) for method in methods] * 2
    tidy = pd.read_csv(tmp_path / "results" / "quality.csv")
    assert list(tidy.columns) == ["table", "split", "arm", "measure", "value", "verdict", "versions"]
    assert set(tidy["arm"]) == set(arms_of(slow=True))
    assert set(tidy["measure"]) == MEASURES | {ROWS, SECONDS}
    text = page.read_text(encoding="utf-8")
    command = "imbllm bench quality --rows 400 --repeats 2 --threads 2 --seed 5 --table visits.csv:label --slow-arms"
    assert f"Command: `{command}`." in text
    assert "- **visits**: 53 rows learned, 27 held out; `yes` 13 learned, 7 held out, 27 wanted" in text
    assert str(tmp_path) not in text
    assert "nan" not in text


def test_generators_of_whole_tables_are_measured_where_they_are_asked_for(tmp_path: Path, recorded: Recorded) -> None:
    page = run(rows=400, repeats=1, folder=tmp_path)
    assert len(recorded.calls) == len(ARMS)
    assert f"| {GREAT} |" not in page.read_text(encoding="utf-8")
    assert "--slow-arms`." not in page.read_text(encoding="utf-8")


def test_an_interrupted_run_goes_on_and_a_fresh_one_measures_anew(tmp_path: Path, recorded: Recorded) -> None:
    run(rows=400, repeats=1, folder=tmp_path)
    run(rows=400, repeats=2, folder=tmp_path)
    assert len(recorded.calls) == 2 * len(ARMS)
    run(rows=400, repeats=1, seed=1, folder=tmp_path)
    assert len(recorded.calls) == 2 * len(ARMS), "the second split is measured"
    run(rows=300, repeats=1, folder=tmp_path)
    assert len(recorded.calls) == 3 * len(ARMS), "fewer rows are another measurement"
    run(rows=300, repeats=1, fresh=True, folder=tmp_path)
    assert len(recorded.calls) == 4 * len(ARMS)


def test_other_rows_under_the_same_name_are_another_measurement(tmp_path: Path, recorded: Recorded) -> None:
    for seed in (0, 1):
        write_table(mixed_table({"no": 60, "yes": 20}, seed), tmp_path / "visits.csv")
        run(tables=[f"{tmp_path / 'visits.csv'}:label"], rows=400, repeats=1, folder=tmp_path)
    assert len(recorded.calls) == 3 * len(ARMS)


def test_tables_are_checked_before_anything_is_measured(tmp_path: Path, recorded: Recorded) -> None:
    write_table(mixed_table({"no": 60, "yes": 20}), tmp_path / "hypothyroid.csv")
    with pytest.raises(InvalidInputError, match="distinct names; got hypothyroid, hypothyroid"):
        run(tables=[f"{tmp_path / 'hypothyroid.csv'}:label"], folder=tmp_path)
    write_table(mixed_table({"no": 20, "yes": 20}), tmp_path / "even.csv")
    with pytest.raises(InvalidInputError, match="rarer than another"):
        run(tables=[f"{tmp_path / 'even.csv'}:label"], folder=tmp_path)
    assert not recorded.calls


@pytest.mark.parametrize(("arm", "settings"), [(IMBLLM, BARELY), (RANDOM, {}), (NOISE, {})])
def test_an_arm_has_all_measures_of_all_rarer_classes(arm: str, settings: dict[str, Any]) -> None:
    found = measure(labelled(SIZES), {**ARMS[arm], **settings}, 0, 1)
    assert set(found["measures"]) == MEASURES
    assert found[ROWS] == (160 - 80) + (160 - 60)
    assert found[SECONDS] > 0
    assert all(judged["value"] is not None for judged in found["measures"].values())
    copies = found["measures"]["exact copies"]
    assert copies == ({"value": 1.0, "verdict": "poor"} if arm == RANDOM else {"value": 0.0, "verdict": "good"})
