from __future__ import annotations

import pytest

from imbllm_autogluon.quality.measures.catalogue import CATALOGUE, combined
from imbllm_autogluon.quality.measures.measure import Finding


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_measure_says_what_it_means_and_what_is_acceptable(name: str) -> None:
    entry = CATALOGUE[name]
    assert entry.name == name
    assert entry.value is None
    assert entry.meaning.endswith(".")
    assert entry.low <= entry.acceptable[0] < entry.acceptable[1] <= entry.high
    assert entry.low <= entry.best <= entry.high


def test_classes_are_weighted_by_their_written_rows() -> None:
    findings = [Finding(1.0, "a"), Finding(0.5, "b", acceptable=(0.4, 1.0), best=0.6), Finding(None, "too few")]
    found = combined("coverage", findings, [30, 10, 1000])
    assert found.value == pytest.approx(0.875)
    assert found.acceptable == pytest.approx((0.7, 1.0))
    assert found.best == pytest.approx(0.9)
    assert found.note == "a b too few"


def test_one_poor_class_makes_the_whole_poor_and_its_note_comes_first() -> None:
    findings = [Finding(0.9, f"{k} fine") for k in range(4)] + [Finding(0.8, "b lost", good_from=0.7, is_poor=True)]
    found = combined("associations kept", findings, [1.0] * 5)
    assert (found.verdict, found.good_from) == ("poor", 0.7)
    assert found.note.startswith("b lost")
    assert combined("associations kept", findings[:4], [1.0] * 4).verdict == "good"


def test_an_infinite_end_stays_infinite() -> None:
    assert combined("density", [Finding(1.0), Finding(2.0)], [1, 1]).acceptable == (0.7, float("inf"))


def test_what_no_class_could_measure_is_unknown_and_says_why_once() -> None:
    found = combined("coverage", [Finding(None, "too few"), Finding(None, "too few")], [1, 2])
    assert (found.value, found.verdict, found.note) == (None, "unknown", "too few")


def test_notes_of_many_classes_are_counted_instead_of_filling_the_page() -> None:
    findings = [Finding(0.5, note=f"Of {n} rows.") for n in (3, 4, 5, 5)]
    assert combined("coverage", findings, [1.0] * 4).note == "Of 3 rows. Of 4 rows. Of 5 rows."
    many = [Finding(0.5, note=f"Of {n} rows.") for n in range(10)]
    assert combined("coverage", many, [1.0] * 10).note == "Of 0 rows. The other classes have 9 more notes of this sort."
