"""The same settings and seeds lead to the same rows, reports and leaderboards as when they were stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.golden.process import FILE, computed, versions

pytestmark = pytest.mark.timeout(900)

STORED: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))

ADVICE = "If that is meant, run `make golden` and give the reason in CHANGELOG.md."


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What the code makes now."""
    here, there = versions(), STORED["versions"]
    if here != there:
        other = ", ".join(f"{name} {here.get(name)}" for name in here if here.get(name) != there.get(name))
        pytest.skip(f"results are stored for the versions of constraints.txt; here is {other}")
    return computed()


def differences(before: Any, now: Any, place: str = "") -> list[str]:
    """Each value that is not the stored one, with its place."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = dict.fromkeys([*before, *now])
        return [line for name in names for line in differences(before.get(name), now.get(name), f"{place} / {name}")]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True))
        return [line for j, (old, new) in pairs for line in differences(old, new, f"{place} / {j}")]
    return [] if before == now else [f"{place}: stored {before!r}, now {now!r}"]


@pytest.mark.parametrize("method", STORED["rows"])
def test_a_method_writes_the_rows_that_are_stored(found: dict[str, Any], method: str) -> None:
    changed = differences(STORED["rows"][method], found["rows"][method], method)
    assert not changed, "\n".join([f"rows of {method} changed. {ADVICE}", *changed])


@pytest.mark.parametrize("name", STORED["leaderboards"])
def test_a_leaderboard_is_the_stored_one(found: dict[str, Any], name: str) -> None:
    changed = differences(STORED["leaderboards"][name], found["leaderboards"][name], name)
    assert not changed, "\n".join([f"the leaderboard of {name} changed. {ADVICE}", *changed])


@pytest.mark.parametrize("name", STORED["reports"])
def test_a_report_is_the_stored_one(found: dict[str, Any], name: str) -> None:
    changed = differences(STORED["reports"][name], found["reports"][name], name)
    assert not changed, "\n".join([f"the report of {name} changed. {ADVICE}", *changed])


def test_everything_that_is_made_is_stored(found: dict[str, Any]) -> None:
    assert {part: list(names) for part, names in found.items()} == {part: list(names) for part, names in STORED.items()}


def test_six_methods_three_tables_two_seeds_four_reports_and_three_leaderboards_are_stored() -> None:
    assert {len(tables) for tables in STORED["rows"].values()} == {6}
    assert [len(STORED[part]) for part in ("rows", "reports", "leaderboards")] == [6, 4, 3]
