from __future__ import annotations

import json
import re
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from imbllm_autogluon.quality import METRICS, MetricResult
from imbllm_autogluon.quality.metrics import Finding, chance


def measure(value: float | None, acceptable: tuple[float, float] = (0.8, 1.0), high: float = 1.0) -> MetricResult:
    return MetricResult(0.0, high, "higher", 1.0, acceptable, "Real rows reached.", name="coverage", value=value)


@pytest.mark.parametrize(("value", "verdict"), [(0.8, "good"), (1.0, "good"), (0.79, "poor"), (None, "unknown")])
def test_a_value_is_judged_by_both_ends_of_the_acceptable_range(value: float | None, verdict: str) -> None:
    assert measure(value).verdict == verdict


@pytest.mark.parametrize(("value", "verdict"), [(0.1, "good"), (0.05, "fair"), (-0.005, "fair"), (-0.06, "poor")])
def test_what_may_be_chance_is_fair_and_no_more(value: float, verdict: str) -> None:
    gain = MetricResult(-1, 1, "higher", 1, (-0.05, 1.0), "Precision.", name="gain", value=value, good_from=0.05)
    assert gain.verdict == verdict


def test_what_the_value_hides_makes_it_poor_but_not_known() -> None:
    assert replace(measure(0.95), is_poor=True).verdict == "poor"
    assert replace(measure(None), is_poor=True).verdict == "unknown"


def test_infinite_ends_are_none_in_json() -> None:
    plain = measure(3.0, (0.7, inf), inf).to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["high"] is None
    assert plain["acceptable"] == [0.7, None]
    assert plain["verdict"] == "good"
    assert measure(None).to_dict()["value"] is None


def test_chance_shrinks_with_the_rows_and_is_none_for_certain_shares() -> None:
    assert chance(0.5, 25) == pytest.approx(2 * chance(0.5, 100))
    assert chance(0.0, 10) == chance(1.0, 10) == 0.0
    assert chance(0.5, 0) == chance(0.5, 1)


def result(name: str, findings: list[Finding], weights: list[float]) -> MetricResult:
    return MetricResult.from_findings(name, METRICS[name], findings, weights)


@pytest.mark.parametrize("name", METRICS)
def test_every_measure_says_what_it_means_and_what_is_acceptable(name: str) -> None:
    entry = METRICS[name]
    assert entry.meaning.endswith(".")
    assert entry.low <= entry.acceptable[0] < entry.acceptable[1] <= entry.high
    assert entry.low <= entry.best <= entry.high


def test_classes_are_weighted_by_their_written_rows() -> None:
    findings = [Finding(1.0, "a"), Finding(0.5, "b", acceptable=(0.4, 1.0), best=0.6), Finding(None, "too few")]
    found = result("coverage", findings, [30, 10, 1000])
    assert found.value == pytest.approx(0.875)
    assert found.acceptable == pytest.approx((0.7, 1.0))
    assert found.best == pytest.approx(0.9)
    assert found.note == "a b too few"


def test_one_poor_class_makes_the_whole_poor_and_its_note_comes_first() -> None:
    findings = [Finding(0.9, f"{k} fine") for k in range(4)] + [Finding(0.8, "b lost", good_from=0.7, is_poor=True)]
    found = result("associations kept", findings, [1.0] * 5)
    assert (found.verdict, found.good_from) == ("poor", 0.7)
    assert found.note.startswith("b lost")
    assert result("associations kept", findings[:4], [1.0] * 4).verdict == "good"


def test_what_no_class_could_measure_is_unknown_and_says_why_once() -> None:
    found = result("coverage", [Finding(None, "too few"), Finding(None, "too few")], [1, 2])
    assert (found.value, found.verdict, found.note) == (None, "unknown", "too few")


def test_notes_of_many_classes_are_counted_instead_of_filling_the_page() -> None:
    findings = [Finding(0.5, note=f"Of {n} rows.") for n in (3, 4, 5, 5)]
    assert result("coverage", findings, [1.0] * 4).note == "Of 3 rows. Of 4 rows. Of 5 rows."
    many = [Finding(0.5, note=f"Of {n} rows.") for n in range(10)]
    assert result("coverage", many, [1.0] * 10).note == "Of 0 rows. The other classes have 9 more notes of this sort."


def test_the_guide_lists_all_metrics_by_their_group() -> None:
    guide = (Path(__file__).parents[2] / "docs/guides/report.md").read_text(encoding="utf-8")
    for group in ("fidelity", "privacy", "utility"):
        names = ", ".join(name for name, metric in METRICS.items() if metric.group == group)
        assert re.search(rf"^\| {group}: .* \| {re.escape(names)} \|$", guide, re.MULTILINE), group
