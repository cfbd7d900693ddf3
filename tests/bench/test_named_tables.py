from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from imbllm_autogluon.bench.named_tables import cells_digest, packaged_and_named, read_named, require_distinct_names
from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.tables.files import write_table
from imbllm_autogluon.tables.labelled import LabelledTable
from tests.jobs.fits import mixed_table

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    path = tmp_path / "visits.csv"
    write_table(mixed_table({"no": 60, "yes": 20}), path)
    return path


def test_a_table_is_called_by_its_file_and_has_the_named_label(visits: Path) -> None:
    name, table = read_named(f"{visits}:label")
    assert (name, table.label, table.counts) == ("visits", "label", {"no": 60, "yes": 20})


def test_a_number_is_cut_into_two_classes(visits: Path) -> None:
    _, table = read_named(f"{visits}:visits>=4")
    whole = pd.read_csv(visits)
    assert table.counts == {"at least 4": (whole["visits"] >= 4).sum(), "below 4": (whole["visits"] < 4).sum()}
    assert list(table.frame.columns) == list(whole.columns)


def test_a_cut_may_be_negative_and_have_decimals(visits: Path) -> None:
    _, table = read_named(f"{visits}:amount>=-0.25")
    assert set(table.counts) == {"at least -0.25", "below -0.25"}


@pytest.mark.parametrize(
    ("named", "error", "said"),
    [
        ("visits.csv", InvalidInputError, "FILE:LABEL, such as"),
        ("{}:city>=4", InvalidInputError, "no numeric column 'city'"),
        ("{}:absent>=4", InvalidInputError, "no numeric column 'absent'"),
        ("{}:labels", TableError, "no label column 'labels'"),
        ("{}:amount", TableError, "cut the number into classes"),
    ],
)
def test_what_names_no_table_of_classes_is_refused(visits: Path, named: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        read_named(named.format(visits))


def test_the_packaged_table_comes_first_and_all_are_cut_with_their_class_shares(visits: Path) -> None:
    (first, packaged), (second, table) = packaged_and_named([f"{visits}:label"], 40)
    assert (first, second) == ("hypothyroid", "visits")
    assert len(packaged.frame) == len(table.frame) == 40
    assert table.counts == {"no": 30, "yes": 10}
    assert list(table.frame.index) == list(range(40))


def test_the_same_rows_are_kept_each_time(visits: Path) -> None:
    kept = [packaged_and_named([f"{visits}:label"], 40)[1][1].frame for _ in range(2)]
    pd.testing.assert_frame_equal(*kept)


def test_a_table_that_is_small_enough_is_left_whole(visits: Path) -> None:
    assert packaged_and_named([f"{visits}:label"], 80)[1][1].counts == {"no": 60, "yes": 20}


def test_tables_under_one_name_are_refused(visits: Path) -> None:
    require_distinct_names(["visits", "stays"])
    with pytest.raises(InvalidInputError, match="distinct names; got visits, stays, visits"):
        require_distinct_names(["visits", "stays", "visits"])
    with pytest.raises(InvalidInputError, match="distinct names; got hypothyroid, visits, visits"):
        packaged_and_named([f"{visits}:label"] * 2, 40)


def test_a_digest_tells_other_cells_apart(visits: Path) -> None:
    _, table = read_named(f"{visits}:label")
    assert cells_digest(table) == cells_digest(read_named(f"{visits}:label")[1])
    other = table.frame.assign(visits=table.frame["visits"] + 1)
    assert cells_digest(table) != cells_digest(LabelledTable.of(other, "label"))
