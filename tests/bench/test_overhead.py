"""What twins cost: arms, ratios, and fits on a tiny table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from imbllm_autogluon.bench import overhead
from imbllm_autogluon.bench.overhead import ARMS, LABEL, METRICS, PLAIN, run, summary
from imbllm_autogluon.bench.tables import mixed_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TINY = {"steps": 2, "warmup_steps": 2}


def tiny() -> tuple[pd.DataFrame, str]:
    X, y = mixed_table(120, 4, 20)
    return X.assign(**{LABEL: y}), "rare"


@pytest.fixture(autouse=True)
def _tiny_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "TABLES", {"tiny": tiny, "other": tiny})


class Recorded:
    """Stands for measurements: seconds by arm and turn, and what was measured."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def __call__(self, table: str, twins: Mapping[str, Any] | None, *rest: Any) -> dict[str, float]:
        self.calls.append((table, twins))
        plain = 2.0 if table == "tiny" else 10.0
        return {"seconds": plain if twins is None else 3 * plain, "generators": 0.5, "models": 4.0}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(overhead, "in_own_process", recorded)
    return recorded


def test_every_arm_is_measured_on_every_table_in_turn_and_compared_with_its_own_plain_fit(
    tmp_path: Path, recorded: Recorded
) -> None:
    page = run(families=("LR",), folds=2, repeats=2, folder=tmp_path)
    turn = [("tiny", twins) for twins in ARMS.values()] + [("other", twins) for twins in ARMS.values()]
    assert recorded.calls == turn * 2
    tidy = pd.read_csv(tmp_path / "overhead.csv")
    assert list(tidy.columns) == ["dataset", "split", "arm", "metric", "value", "versions"]
    assert len(tidy) == 2 * 2 * len(ARMS) * len(METRICS)
    text = page.read_text()
    assert "- `tiny`: 120 rows, 4 columns, 20 of the rare class" in text
    assert "imbllm bench overhead --folds 2 --repeats 2 --threads 1 --family LR" in text
    assert all(arm in text for arm in ARMS)


def test_an_interrupted_run_goes_on_and_a_fresh_one_measures_anew(tmp_path: Path, recorded: Recorded) -> None:
    run(families=("LR",), folder=tmp_path)
    measured = len(recorded.calls)
    run(families=("LR",), folder=tmp_path)
    assert len(recorded.calls) == measured
    run(families=("LR",), repeats=2, folder=tmp_path)
    assert len(recorded.calls) == 2 * measured
    run(families=("RF",), folder=tmp_path)
    assert len(recorded.calls) == 3 * measured
    run(families=("LR",), fresh=True, folder=tmp_path)
    assert len(recorded.calls) == 4 * measured


def test_ratios_are_medians_of_turns_and_not_ratios_of_medians() -> None:
    seconds = {PLAIN: [1.0, 10.0, 2.0], "twins": [2.0, 40.0, 6.0]}
    entries = [
        {"dataset": "tiny", "split": split, "arm": arm, "metric": metric, "value": value if metric == "seconds" else 4}
        for arm, values in seconds.items()
        for split, value in enumerate(values)
        for metric in METRICS
    ]
    table = summary(pd.DataFrame(entries)).set_index("arm")
    assert table["seconds"].to_dict() == {PLAIN: 2.0, "twins": 6.0}
    assert table["x plain"].to_dict() == {PLAIN: 1.0, "twins": 3.0}


@pytest.mark.parametrize(
    ("twins", "models", "has_generator"),
    [(None, 2, False), (TINY, 4, True), ({"method": "random"}, 3, False)],
    ids=["plain", "language model", "duplicates"],
)
def test_a_fit_is_measured_with_its_models_and_the_seconds_of_its_generators(
    twins: Mapping[str, Any] | None, models: int, has_generator: bool
) -> None:
    figures = overhead.measure("tiny", twins, ["LR"], 2, 1)
    assert set(figures) == set(METRICS)
    assert figures["models"] == models
    assert (figures["generators"] > 0) == has_generator
    assert figures["seconds"] > figures["generators"] >= 0


def test_the_sizes_of_the_real_tables_are_those_that_the_page_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for name, make in overhead.TABLES.items():
        rows, rare = make()
        assert rows[LABEL].nunique() == 2
        assert (rows[LABEL] == rare).mean() < 0.1
        assert not name.startswith("mixed") or f"{len(rows):,}" in name
