from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from benchmarks.report import RESULTS
from benchmarks.reserved import NATURAL, RESERVED, is_reserved
from benchmarks.tables import LISTED

if TYPE_CHECKING:
    from pathlib import Path

FREE = (
    *("wdbc", "wisconsin", "saheart", "ionosphere", "contraceptive", "satimage", "segment", "segment0", "nursery"),
    *("mammographic", "australian", "crx", "bupa", "led7digit", "splice", "hepatitis", "haberman", "lymphography"),
    *("hayes-roth", "zoo", "zoo-3", "monk-2", "tae", "appendicitis", "fertility", "automobile", "breast", "chess"),
    *("connect-4", "ring", "twonorm", "phoneme", "banana", "magic", "spambase", "sonar", "texture", "optdigits"),
    *("penbased", "titanic", "mushroom", "tic-tac-toe", "movement_libras", "letter", "marketing", "housevotes"),
    *("iris", "iris0", "wine", "adult", "census", "pima", "post-operative", "fars", "kddcup", "kr-vs-kp"),
    *("led7digit-0-2-4-5-6-7-8-9_vs_1", "lymphography-normal-fibrosis", "kddcup-land_vs_satan"),
)
"""Tables that a model may be trained on."""

GENERATED = {"3000x15", "10000x15", "285000x30", "1000000x20", "narrow", "mixed, 10,000 rows"}
"""Tables of results whose rows a seed makes."""


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_at_least_sixty_naturally_imbalanced_tables_are_reserved() -> None:
    assert len(set(NATURAL)) == len(NATURAL) >= 60
    assert [name for name in NATURAL if not is_reserved(name)] == []


def test_every_family_reserves_its_own_name_once() -> None:
    assert len(set(RESERVED)) == len(RESERVED)
    assert all(is_reserved(family) for family in RESERVED)


def test_every_table_that_a_benchmark_reads_or_reports_is_reserved() -> None:
    listed = {row["name"] for row in rows_of(LISTED)}
    reported = {row.get("dataset") or row["table"] for path in RESULTS.glob("*.csv") for row in rows_of(path)}
    assert {name for name in (listed | reported) - GENERATED if not is_reserved(name)} == set()
    assert len(listed | reported) > 20


@pytest.mark.parametrize("name", FREE)
def test_tables_for_training_are_free(name: str) -> None:
    assert not is_reserved(name)
    assert not is_reserved(f"registry:{name}")


@pytest.mark.parametrize(
    "name",
    ["registry:Abalone_19", "new thyroid2", "sklearn/california_housing", "german.csv", "winequality_red", "Heart"],
)
def test_other_spellings_and_relatives_are_reserved(name: str) -> None:
    assert is_reserved(name)
