from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from imbllm_autogluon.bench.ablation import run as ablation
from imbllm_autogluon.bench.ablation.arms import DEFAULT, NONE, AblationArm, ablation_of
from imbllm_autogluon.bench.ablation.axes import CLOSE, COVERAGE
from imbllm_autogluon.bench.ablation.page import MEASURED
from imbllm_autogluon.bench.ablation.run import measure, run, written_figures
from imbllm_autogluon.bench.metric_names import LOG_LOSS
from imbllm_autogluon.bench.paper.arms import LearnedRows
from imbllm_autogluon.bench.paper.page import METRICS, ROWS, SECONDS
from imbllm_autogluon.bench.paper.split import PaperSplit
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables.files import write_table
from tests.jobs.fits import labelled, mixed_table

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    from imbllm_autogluon.tables.labelled import LabelledTable

BARELY = {"layers": 1, "width": 16, "warmup_steps": 1, "steps": 2}
SIZES: dict[Hashable, int] = {"no": 150, "often": 100, "yes": 80}


class Recorded:
    """Stands for measurements: what each was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, Any], float, int, int]] = []
        self.rows: set[int] = set()

    def __call__(self, table: LabelledTable, arm: AblationArm, seed: int, threads: int) -> dict[str, float | None]:
        self.calls.append((dict(arm.spec), arm.kept, seed, threads))
        self.rows.add(len(table.frame))
        written = None if arm.spec["method"] == "none" else 70.0
        return {**dict.fromkeys(METRICS, 50.0), CLOSE: written, COVERAGE: written, ROWS: 40.0, SECONDS: 2.0}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(ablation, "measure", recorded)
    return recorded


def test_every_arm_is_measured_on_every_table_and_split(tmp_path: Path, recorded: Recorded) -> None:
    write_table(mixed_table({"no": 60, "yes": 30}), tmp_path / "visits.csv")
    page = run([f"{tmp_path / 'visits.csv'}:label"], rows=700, repeats=2, threads=2, folder=tmp_path / "results")
    arms = ablation_of().arms
    assert recorded.calls == [(dict(arm.spec), arm.kept, split, 2) for split in (0, 1) for arm in arms.values()] * 2
    tidy = pd.read_csv(tmp_path / "results" / "ablation.csv")
    assert list(tidy.columns) == ["table", "split", "arm", "metric", "value", "versions"]
    without = sum(arm.spec["method"] == "none" for arm in arms.values())
    assert len(tidy) == 2 * 2 * (len(arms) * (len(MEASURED) + 1) - without * 2)
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == [
        f"ablation.{s}" for s in ("csv", "md", "png")
    ]
    text = page.read_text(encoding="utf-8")
    assert "Command: `imbllm bench ablation --rows 700 --repeats 2 --threads 2 --table visits.csv:label`." in text
    assert "(ablation.png)" in text
    assert str(tmp_path) not in text
    assert "nan" not in text


def test_a_quick_run_of_one_axis_has_few_splits_rows_and_arms(tmp_path: Path, recorded: Recorded) -> None:
    page = run(axes=["order"], settings={"steps": 5, "time_limit": None}, quick=True, folder=tmp_path)
    own = {"method": "imbllm", "steps": 5, "time_limit": None}
    specs = [{"method": "none"}, own, {**own, "order": "permute_x"}, {**own, "order": "permute_xy"}]
    assert [call[:3] for call in recorded.calls] == [(spec, 0.2, 0) for spec in specs], "one split"
    assert recorded.rows == {1000}
    text = page.read_text(encoding="utf-8")
    flags = "--axis order --setting steps=5 --setting time_limit=none --quick`"
    assert f"ablation --rows 1000 --repeats 1 --threads 1 {flags}" in text
    assert "Settings in all arms: `steps=5`, `time_limit=None`" in text


def test_the_picture_of_an_earlier_run_does_not_stand_beside_other_figures(tmp_path: Path, recorded: Recorded) -> None:
    run(axes=["temperature"], quick=True, folder=tmp_path)
    assert (tmp_path / "ablation.png").is_file()
    page = run(axes=["order"], quick=True, folder=tmp_path)
    assert not (tmp_path / "ablation.png").exists()
    assert "ablation.png" not in page.read_text(encoding="utf-8")


def test_an_interrupted_run_goes_on_and_a_fresh_one_measures_anew(tmp_path: Path, recorded: Recorded) -> None:
    run(axes=["temperature"], rows=700, repeats=1, folder=tmp_path)
    run(axes=["temperature", "order"], rows=700, repeats=1, folder=tmp_path)
    assert len(recorded.calls) == 4 + 2, "another axis needs its own arms alone"
    run(axes=["temperature"], rows=700, repeats=1, fresh=True, folder=tmp_path)
    assert len(recorded.calls) == 6 + 4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"axes": ["temprature"]}, "axis must be one of .*did you mean 'temperature'"),
        ({"settings": {"temprature": 1.0}}, "did you mean 'temperature'"),
    ],
)
def test_axes_and_settings_are_checked_before_anything_is_measured(
    tmp_path: Path, recorded: Recorded, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidInputError, match=told):
        run(**options, folder=tmp_path)
    assert not recorded.calls


@pytest.mark.parametrize(
    "name",
    [
        DEFAULT,
        "order: permute_x",
        "order: permute_xy",
        "conditioning: y",
        "conditioning: yx 5",
        "interpolation_ratio: 0",
        "warmup: none, all steps",
        "interpolated_clauses: continuous",
        "numbers: digits",
        "constrained: false",
        "backbone: compact_masked",
        "kept_share: 0.1",
        "plausibility: 1",
        "classifier: LightGBM",
    ],
)
def test_an_arm_has_all_figures(name: str) -> None:
    found = measure(labelled(SIZES), ablation_of(settings=BARELY).arms[name], 0, 1)
    assert list(found) == list(MEASURED)
    assert all(0 <= found[metric] <= 100 for metric in (*METRICS, CLOSE, COVERAGE))
    assert found[ROWS] == (120 - 80) + (120 - (6 if name == "kept_share: 0.1" else 13))


def test_the_classifier_of_an_arm_judges_it_and_is_another_measurement(tmp_path: Path, recorded: Recorded) -> None:
    run(axes=["classifier"], rows=700, repeats=1, folder=tmp_path)
    arms = ablation_of(["classifier"]).arms
    assert len(recorded.calls) == len(arms) == 10
    found = [measure(labelled(SIZES), arms[name], 0, 1) for name in (NONE, "none, classifier: LightGBM")]
    assert found[0][LOG_LOSS] != found[1][LOG_LOSS]


def test_without_oversampling_there_are_no_rows_to_judge() -> None:
    found = measure(labelled(SIZES), ablation_of().arms[NONE], 0, 1)
    assert found[CLOSE] is found[COVERAGE] is None
    assert found[ROWS] == 0


def test_written_rows_are_judged_against_the_test_rows_of_their_class() -> None:
    split = PaperSplit.of(labelled(SIZES), 0)
    rare = split.test_X[split.test_y == "yes"]
    far = rare.assign(amount=rare["amount"] + 50.0)
    figures = []
    for new in (rare, far):
        X = pd.concat([split.X, new, far], ignore_index=True)
        y = pd.concat([split.y, pd.Series(["yes"] * len(new) + ["often"] * len(far))], ignore_index=True)
        figures.append(written_figures(LearnedRows(X, y), split, 0))
    assert figures == [{CLOSE: 100.0, COVERAGE: 100.0}, {CLOSE: 0.0, COVERAGE: 0.0}]


def test_coverage_does_not_grow_with_the_number_of_rows() -> None:
    split = PaperSplit.of(labelled(SIZES), 0)
    rare = split.test_X[split.test_y == "yes"]
    new = pd.concat([rare, *[rare.head(1)] * 40 * len(rare)], ignore_index=True)
    X, y = pd.concat([split.X, new]), pd.concat([split.y, pd.Series(["yes"] * len(new))])
    found = written_figures(LearnedRows(X.reset_index(drop=True), y.reset_index(drop=True)), split, 0)[COVERAGE]
    assert found is not None
    assert found < 80, "nearly all rows are one"


def test_a_class_of_five_test_rows_has_no_coverage() -> None:
    sizes: dict[Hashable, int] = {"no": 60, "yes": 25}
    assert measure(labelled(sizes), ablation_of(settings=BARELY).arms[DEFAULT], 0, 1)[COVERAGE] is None
