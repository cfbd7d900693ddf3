from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from imbllm_autogluon.bench.metric_names import LOG_LOSS
from imbllm_autogluon.bench.named_tables import cells_digest
from imbllm_autogluon.bench.paper import pieces as paper_pieces
from imbllm_autogluon.bench.paper.classifiers import LIGHTGBM, XGBOOST
from imbllm_autogluon.bench.paper.page import METRICS, ROWS, SECONDS
from imbllm_autogluon.bench.paper.pieces import QUICK_REPEATS, QUICK_ROWS, PaperTables, judged_arm
from imbllm_autogluon.bench.paper.split import PaperSplit
from imbllm_autogluon.bench.pieces import piece_stem
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.rebalancing.fold import KEY_VERSION
from imbllm_autogluon.tables.files import write_table
from tests.jobs.fits import labelled, mixed_table

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.tables.labelled import LabelledTable

ARMS = {"A": 1, "B": 2}


class Recorded:
    """Stands for measurements: rows, arm, split and threads of each."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int, int, int]] = []

    def __call__(self, table: LabelledTable, arm: int, split: int, threads: int) -> dict[str, Any]:
        self.calls.append((len(table.frame), arm, split, threads))
        return {"F1": 10.0 * arm + split, "coverage": None if arm == 1 else 5}


@pytest.fixture
def visits(tmp_path: Path) -> str:
    write_table(mixed_table({"no": 60, "yes": 30}), tmp_path / "visits.csv")
    return f"{tmp_path / 'visits.csv'}:label"


def test_tables_are_split_as_often_as_is_wanted_and_told_of(visits: str) -> None:
    chosen = PaperTables.of([visits], 700, 5)
    assert [name for name, _ in chosen.tables] == ["hypothyroid", "visits"]
    assert (chosen.rows, chosen.repeats) == (700, 5)
    assert chosen.classes.splitlines()[1].startswith("- **visits**: `no` 48 learned, 12 to judge on")


def test_a_quick_run_has_at_most_so_many_rows_and_splits() -> None:
    many, few = PaperTables.of([], 5000, 5, quick=True), PaperTables.of([], 600, 1, quick=True)
    assert (many.rows, many.repeats) == (QUICK_ROWS, QUICK_REPEATS)
    assert len(many.tables[0][1].frame) == QUICK_ROWS
    assert (few.rows, few.repeats) == (600, 1)


def test_tables_that_cannot_be_used_are_refused(visits: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="distinct names"):
        PaperTables.of([visits, visits], 700, 1)
    write_table(mixed_table({"no": 60, "yes": 20}), tmp_path / "small.csv")
    with pytest.raises(InvalidInputError, match="fewer than two classes"):
        PaperTables.of([f"{tmp_path / 'small.csv'}:label"], 700, 1)


def test_every_arm_is_measured_once_and_figures_that_are_none_are_left_out(visits: str, tmp_path: Path) -> None:
    chosen, recorded = PaperTables.of([visits], 700, 2), Recorded()
    for _ in range(2):
        tidy = chosen.measured(tmp_path / "work", ARMS, lambda arm: [arm], recorded, ("F1", "coverage"), 3)
    assert recorded.calls == [(n, arm, split, 3) for n in (700, 90) for split in (0, 1) for arm in (1, 2)]
    assert list(tidy.columns) == ["table", "split", "arm", "metric", "value"]
    assert len(tidy) == 2 * 2 * (2 + 1)
    assert tidy["value"].dtype == "float64"
    own = tidy[(tidy["table"] == "visits") & (tidy["arm"] == "B") & (tidy["split"] == 1)]
    assert own.set_index("metric")["value"].to_dict() == {"F1": 21.0, "coverage": 5.0}


def test_a_piece_is_known_by_version_arm_threads_split_label_and_cells(visits: str, tmp_path: Path) -> None:
    chosen = PaperTables.of([visits], 700, 1)
    chosen.measured(tmp_path / "work", {"A": 1}, lambda arm: [{"steps": arm}, 0.2], Recorded(), ("F1",), 3)
    table = chosen.tables[1][1]
    stem = piece_stem(
        tmp_path / "work", "visits A 0", [KEY_VERSION, {"steps": 1}, 0.2, 3, 0, "label", cells_digest(table)]
    )
    assert json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))["F1"] == 10.0


def test_figures_of_older_defaults_are_measured_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, recorded = PaperTables.of([], 600, 1), Recorded()
    for version in (KEY_VERSION, KEY_VERSION, KEY_VERSION + 1):
        monkeypatch.setattr(paper_pieces, "KEY_VERSION", version)
        chosen.measured(tmp_path / "work", {"A": 1}, lambda arm: [arm], recorded, ("F1",), 1)
    assert len(recorded.calls) == 2


def test_another_classifier_learns_the_same_rows() -> None:
    split = PaperSplit.of(labelled({"no": 150, "yes": 50}), 0)
    (learned, figures), (same, others) = (
        judged_arm(split, {"method": "random"}, 0, 1, name) for name in (XGBOOST, LIGHTGBM)
    )
    pd.testing.assert_frame_equal(learned.X, same.X)
    assert figures[LOG_LOSS] != others[LOG_LOSS]


def test_an_arm_is_judged_by_what_a_classifier_learns_from_its_rows() -> None:
    split = PaperSplit.of(labelled({"no": 150, "yes": 50}), 0)
    learned, figures = judged_arm(split, {"method": "random"}, 0, 1)
    assert list(figures) == [*METRICS, ROWS, SECONDS]
    assert figures[ROWS] == len(learned.y) - len(split.y) == 120 - 8
    assert figures[SECONDS] > 0
