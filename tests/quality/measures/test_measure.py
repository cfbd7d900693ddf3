from __future__ import annotations

import json
from dataclasses import replace
from math import inf

import pytest

from imbllm_autogluon.quality.measures.measure import Measure, chance


def measure(value: float | None, acceptable: tuple[float, float] = (0.8, 1.0), high: float = 1.0) -> Measure:
    return Measure("coverage", value, 0.0, high, "higher", 1.0, acceptable, "Real rows that are reached.")


@pytest.mark.parametrize(("value", "verdict"), [(0.8, "good"), (1.0, "good"), (0.79, "poor"), (None, "unknown")])
def test_a_value_is_judged_by_both_ends_of_the_acceptable_range(value: float | None, verdict: str) -> None:
    assert measure(value).verdict == verdict


def test_values_beyond_an_upper_end_are_poor() -> None:
    assert measure(1.2, (0.9, 1.1), inf).verdict == "poor"


@pytest.mark.parametrize(("value", "verdict"), [(0.1, "good"), (0.05, "fair"), (-0.005, "fair"), (-0.06, "poor")])
def test_what_may_be_chance_is_fair_and_no_more(value: float, verdict: str) -> None:
    gain = Measure("gain", value, -1.0, 1.0, "higher", 1.0, (-0.05, 1.0), "Precision.", good_from=0.05)
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


def test_a_range_is_written_for_readers() -> None:
    assert (measure(0.5).range_text, measure(0.5, high=inf).range_text) == ("0 to 1", "0 or more")


def test_chance_shrinks_with_the_rows_and_is_none_for_certain_shares() -> None:
    assert chance(0.5, 25) == pytest.approx(2 * chance(0.5, 100))
    assert chance(0.0, 10) == chance(1.0, 10) == 0.0
    assert chance(0.5, 0) == chance(0.5, 1)
