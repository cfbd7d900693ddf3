"""Tables come in by one door: files, frames and arrays."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.io import check_target, checked_frame, read_table, to_csv, write_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

PEOPLE = pd.DataFrame({"age": [61, 35], "city, home": ["Oslo", 'an "old" town'], "paid": [1.5, np.nan]})


def text(content: str | bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content.encode() if isinstance(content, str) else content) and None


def parquet(table: pa.Table) -> Callable[[Path], None]:
    return lambda path: pq.write_table(table, path)


BAD_FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "absent": ("t.csv", lambda _: None, "does not exist"),
    "a folder": ("t.csv", lambda path: path.mkdir(), "is a folder"),
    "unknown extension": ("t.xlsx", text("a\n1\n"), r"'\.xlsx'; tables are read and written as \.csv"),
    "no extension": ("table", text("a\n1\n"), "no extension"),
    "no bytes": ("t.csv", text(""), "0 bytes"),
    "blank lines": ("t.csv", text("\n\n"), "is empty"),
    "header alone": ("t.csv", text("a,b\n"), "t.csv has 0 rows"),
    "repeated name": ("t.csv", text("age,sex,age\n1,f,2\n"), "'age' occurs more than once"),
    "repeated name behind a byte order mark": ("t.csv", text("\ufeffage,age\n1,2\n"), "'age' occurs more than once"),
    "repeated quoted name": ("t.csv", text('"a,b",c,"a,b"\n1,2,3\n'), "'a,b' occurs more than once"),
    "rows longer than the header": ("t.csv", text("a,b\n1,2,3\n4,5,6\n"), "header of 2 names but rows of more cells"),
    "one ragged row": ("t.csv", text("a,b\n1,2\n1,2,3,4\n"), "not a readable CSV file"),
    "latin-1": ("t.csv", text("name\nJos\xe9\n".encode("latin-1")), "not UTF-8"),
    "infinite": ("t.csv", text("a,b\n1,inf\n2,-inf\n3,\n"), "'b' holds 2 infinite values"),
    "no Parquet": ("t.parquet", text("a,b\n1,2\n"), "not a readable Parquet file"),
    "Parquet of lists": ("t.parquet", parquet(pa.table({"a": [[1], [2, 3]]})), "'a' holds list"),
    "Parquet of structs": ("t.pq", parquet(pa.table({"a": [{"x": 1}]})), "'a' holds struct"),
    "Parquet of repeated names": (
        "t.parquet",
        parquet(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])),
        "'a' occurs more than once",
    ),
    "Parquet without rows": ("t.parquet", parquet(pa.table({"a": pa.array([], pa.int64())})), "has 0 rows"),
    "Parquet with infinite values": ("t.parquet", parquet(pa.table({"a": [1.0, float("inf")]})), "1 infinite values"),
}


@pytest.mark.parametrize(("name", "make", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_an_unusable_file_is_refused_with_its_name_and_the_reason(
    tmp_path: Path, name: str, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(TableError, match=message) as caught:
        read_table(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_csv_is_read_with_and_without_a_byte_order_mark(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / "t.CSV").write_bytes(mark + 'age,"city, home"\r\n61,"Troms\u00f8, north"\r\n'.encode())
    frame = read_table(tmp_path / "t.CSV")
    assert frame.to_dict("list") == {"age": [61], "city, home": ["Troms\u00f8, north"]}


def test_unnamed_columns_of_a_spreadsheet_are_no_repeated_names(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(",a,\n0,1,2\n")
    assert read_table(tmp_path / "t.csv").shape == (1, 3)


@pytest.mark.parametrize("extension", [".csv", ".parquet", ".pq"])
def test_a_written_table_reads_back_the_same(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"t{extension}"
    write_table(PEOPLE, path)
    pd.testing.assert_frame_equal(read_table(path), PEOPLE)


def test_parquet_keeps_index_and_dtypes(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "kind": pd.Categorical(["a", "b"]),
            "day": [dt.datetime(2024, 1, 2), pd.NaT],
            "n": pd.array([1, None], "Int64"),
        },
        index=pd.Index(["r7", "r3"], name="row"),
    )
    write_table(frame, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet"), frame)


@pytest.mark.parametrize(
    ("index", "first_line"),
    [(None, "a"), ([7, 3], ",a"), (pd.Index(["x", "y"], name="id"), "id,a"), (pd.RangeIndex(1, 3), ",a")],
    ids=["plain", "numbers", "named", "shifted"],
)
def test_csv_holds_the_index_only_where_it_says_something(index: object, first_line: str) -> None:
    assert to_csv(pd.DataFrame({"a": [1, 2]}, index=index)).splitlines()[0] == first_line


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "t.csv"
    target.write_text("old")

    def interrupted(draft: Path, path: Path) -> None:
        assert (draft.read_text(), path.read_text()) == ("a\n1\n", "old")
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(TableError, match="Input/output error"):
        write_table(pd.DataFrame({"a": [1]}), target)
    assert target.read_text() == "old"


def test_writing_replaces_an_existing_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("old")
    write_table(PEOPLE, tmp_path / "t.csv")
    assert len(read_table(tmp_path / "t.csv")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("t.txt", "written as"), ("absent/t.csv", "does not exist"), ("folder.csv", "is a folder")],
)
def test_a_target_that_cannot_be_written_is_refused_beforehand(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match=message):
        check_target(tmp_path / name, tmp_path / "absent.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_a_table_is_not_written_over_the_one_that_is_read(tmp_path: Path) -> None:
    write_table(PEOPLE, tmp_path / "people.csv")
    (tmp_path / "link.csv").symlink_to("people.csv")
    with pytest.raises(TableError, match=r"link.csv is the table that is read; name another file to write"):
        check_target(tmp_path / "link.csv", tmp_path / "people.csv")
    check_target(tmp_path / "other.csv", tmp_path / "people.csv")


def test_a_frame_stays_as_it_is() -> None:
    frame = pd.DataFrame({"a": [1.5, np.inf], "b": ["x", None]}, index=[7, 7])
    assert checked_frame(frame) is frame


@pytest.mark.parametrize(
    ("X", "dtypes"),
    [
        (np.array([[1.0, np.nan], [3.0, 4.0]]), ["float64", "float64"]),
        (np.array([[1, 2], [3, 4]], dtype="int8"), ["int8", "int8"]),
        ([[1, 2.5], [3, 4.0]], ["float64", "float64"]),
        ([[1, "x"], [3, "y"]], ["object", "object"]),
    ],
)
def test_arrays_and_lists_become_numbered_columns(X: Any, dtypes: list[str]) -> None:
    frame = checked_frame(X)
    assert list(frame.columns) == [0, 1]
    assert [str(dtype) for dtype in frame.dtypes] == dtypes


def test_numbers_beside_text_in_a_list_stay_numbers() -> None:
    assert checked_frame([[1, "x"], [3, "y"]])[0].tolist() == [1, 3]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([[1.0, np.inf]]), "infinity"),
        (np.ones(3), "2D array"),
        (np.ones((2, 2, 2)), "dim"),
        (np.ones((0, 2)), "0 sample"),
        (np.ones((2, 0)), "0 feature"),
        ([], "2D array"),
    ],
)
def test_arrays_that_are_no_table_are_refused(X: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_frame(X)


def test_sparse_matrices_are_refused() -> None:
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        checked_frame(sparse.csr_matrix(np.eye(3)))


def test_names_that_occur_twice_are_refused() -> None:
    with pytest.raises(TableError, match="'a' occurs more than once"):
        checked_frame(pd.DataFrame([[1, 2]], columns=["a", "a"]))
