"""The runner: what is measured, stored, shared and told."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from benchmarks import protocol as runner
from benchmarks.protocol import Metric, Option, Options, Protocol, Task, command_line, run
from imbllm_autogluon.errors import InvalidInputError

SMALL = Options(tables=("seeded:60x3:20",), repeats=2)


def log(line: str) -> None:
    """Append to a file that all processes share."""
    with Path(os.environ["IMBLLM_CACHE_DIR"], "log.txt").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def logged(cache: Path) -> list[str]:
    file = cache / "log.txt"
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def measure(task: Task) -> dict[str, float | None]:
    log(f"{task.split} {next(iter(task.methods))}")
    return {"score": task.spec["gain"] + task.split, "rows": len(task.table.frame), "absent": None}


def measure_together(task: Task) -> list[dict[str, Any]]:
    return [{"method": name, "metric": "score", "value": 1.0, "verdict": "good"} for name in task.methods]


def protocol(**changed: Any) -> Protocol:
    methods = {"none": {"gain": 0.0}, "ours": {"gain": 3.0}, "slow one": {"gain": 5.0}}
    given = {"name": "try", "about": "Tried.", "methods": methods, "slow": ("slow one",), "always": ("none",)}
    return Protocol(**{**given, "measure": measure, "metrics": (Metric("score"),), "repeats": 2, **changed})


def test_a_result_has_a_row_for_each_figure_and_says_where_it_comes_from() -> None:
    found = run(protocol(), SMALL)
    assert list(found.tidy.columns) == ["table", "split", "method", "metric", "value", "versions"]
    scores = found.tidy[found.tidy["metric"] == "score"]
    assert scores["value"].to_list() == [0.0, 3.0, 1.0, 4.0]
    assert set(found.tidy["metric"]) == {"score", "rows"}
    assert "torch=" in found.tidy["versions"].iloc[0]
    assert found.provenance["command"] == (
        "python -m benchmarks try --table seeded:60x3:20 --rows 3000 --repeats 2 --threads 1"
    )


def test_a_run_is_measured_once_and_again_where_asked(cache: Path) -> None:
    run(protocol(), SMALL)
    run(protocol(), SMALL)
    assert len(logged(cache)) == 4
    run(protocol(), SMALL, fresh=True)
    assert len(logged(cache)) == 8


@pytest.mark.parametrize("part", [{"tables": ("seeded:61x3:20",)}, {"methods": ("ours",)}, {"repeats": 1}], ids=str)
def test_measuring_a_part_again_leaves_the_other_runs_stored(part: dict[str, Any], cache: Path) -> None:
    both = replace(SMALL, tables=(*SMALL.tables, "seeded:61x3:20"))
    run(tried := protocol(always=()), both)
    before = len(logged(cache))
    run(tried, replace(both, **part), fresh=True)
    again = logged(cache)[before:]
    assert len(again) == before / 2
    run(tried, both)
    assert logged(cache)[before:] == again


@pytest.mark.parametrize(
    "changed",
    [
        {"threads": 2},
        {"tables": ("seeded:61x3:20",)},
        {"own": {"depth": 2}},
    ],
    ids=str,
)
def test_other_conditions_are_other_measurements(changed: dict[str, Any], cache: Path) -> None:
    tried = protocol(options={"depth": Option(int, 1, "Depth.")})
    run(tried, SMALL)
    run(tried, Options(**{**vars(SMALL), **changed}))
    assert len(logged(cache)) == 8


def test_other_versions_are_other_measurements(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    run(protocol(), SMALL)
    monkeypatch.setattr(runner, "versions", lambda: "torch=99")
    run(protocol(), SMALL)
    assert len(logged(cache)) == 8


def test_a_killed_benchmark_resumes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(task: Task) -> dict[str, float | None]:
        if task.split:
            raise KeyboardInterrupt
        return measure(task)

    with pytest.raises(KeyboardInterrupt):
        run(protocol(measure=killed), SMALL)
    assert logged(cache) == ["0 none", "0 ours"]
    run(protocol(), SMALL)
    assert logged(cache) == ["0 none", "0 ours", "1 none", "1 ours"]


def test_what_another_process_measures_is_left_to_it(cache: Path) -> None:
    tried, options = protocol(), protocol().with_defaults(SMALL)
    first, second, *_ = runner.runs_of(tried, options, cache / "work")
    first.stem.parent.mkdir()
    with FileLock(first.stem.with_suffix(".lock")):
        runner._measure_alone(tried, first, 0)
        runner._measure_alone(tried, second, 0)
    assert logged(cache) == ["0 ours"]
    runner._measure_alone(tried, first, -1)
    assert logged(cache) == ["0 ours", "0 none"]


def test_several_processes_share_the_work(cache: Path) -> None:
    found = run(protocol(), SMALL, processes=2)
    assert sorted(logged(cache)) == ["0 none", "0 ours", "1 none", "1 ours"]
    assert len(found.tidy) == 8


def test_one_run_may_measure_several_methods_and_columns_of_its_own() -> None:
    found = run(protocol(measure=measure_together, together=lambda methods: [methods]), SMALL)
    assert found.tidy["method"].to_list() == ["none", "ours"] * 2
    assert found.tidy["verdict"].eq("good").all()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [((), ["none", "ours"]), (("ours",), ["none", "ours"]), (("slow*",), ["none", "slow one"]), (("*",), None)],
)
def test_methods_are_chosen_by_name_or_pattern(wanted: tuple[str, ...], expected: list[str] | None) -> None:
    chosen = protocol().chosen_methods(Options(methods=wanted))
    assert list(chosen) == (expected or ["none", "ours", "slow one"])


def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidInputError, match=r"no method 'our'.*ours"):
        protocol().chosen_methods(Options(methods=("our",)))


def test_settings_reach_methods_that_are_imbllm_alone() -> None:
    tried = protocol(methods={"ours": {"method": "imbllm", "steps": 7}, "peer": {"method": "random"}})
    found = tried.chosen_methods(Options(settings={"temperature": 0.9, "steps": 5}))
    assert found == {"ours": {"method": "imbllm", "steps": 7, "temperature": 0.9}, "peer": {"method": "random"}}
    with pytest.raises(InvalidInputError, match="temprature"):
        tried.chosen_methods(Options(settings={"temprature": 1.0}))


def test_a_table_that_cannot_be_used_is_refused_before_anything_is_measured(cache: Path) -> None:
    def refuse(table: object, options: Options) -> str:
        raise InvalidInputError("no rare class")

    with pytest.raises(InvalidInputError, match="no rare class"):
        run(protocol(describe=refuse), SMALL)
    assert not logged(cache)


def test_a_command_tells_what_differs_and_of_files_their_names() -> None:
    options = {
        "kept": Option(float, 0.2, ""),
        "tuned": Option(bool, False, ""),
        "family": Option(list[str], ("GBM",), ""),
    }
    tried = protocol(options=options)
    own = {"kept": 0.2, "tuned": True, "family": ["RF", "LR"]}
    asked = Options(tables=("/data/a b.csv:x",), methods=("ours",), settings={"time_limit": None}, own=own)
    assert command_line(tried, asked) == (
        "python -m benchmarks try --table 'a b.csv:x' --method ours --setting time_limit=none --tuned --family RF "
        "--family LR"
    )
