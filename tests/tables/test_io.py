"""Tables come in by one door: files, frames and arrays."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables import io as tables_io
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
    "rows longer than the header": ("t.csv", text("a,b\n1,2,3\n4,5,6\n"), "Row #2: Expected 2 columns, got 3: 1,2,3"),
    "one ragged row": ("t.csv", text("a,b\n1,2\n1,2,3,4\n"), "not a readable CSV file"),
    "a row that ends early": ("t.csv", text("a,b\n1,2\n3\n"), "Row #3: Expected 2 columns, got 1: 3"),
    "a quote that stays open": ("t.csv", text('a,b\n1,"x\n2,y\n3,z\n'), "a quote is opened and never closed"),
    "latin-1": ("t.csv", text("name\nJos\xe9\n".encode("latin-1")), "Row #2.*invalid UTF8 data; save it as UTF-8"),
    "an Excel workbook": ("t.csv", text(b"PK\x03\x04\x14\0\x06\0"), "is an Excel workbook or a ZIP archive, no CSV"),
    "NUL bytes": ("t.csv", text("a,b\n1,2\n".encode("utf-16-le")), "holds NUL bytes"),
    "half a gzip file": ("t.csv", text(gzip.compress(b"a,b\n1,2\n")[:-9]), "not a readable CSV file"),
    "no Parquet": ("t.parquet", text("a,b\n1,2\n"), "not a readable Parquet file"),
    "Parquet of lists": ("t.parquet", parquet(pa.table({"a": [[1], [2, 3]]})), "'a' holds list"),
    "Parquet of structs": ("t.pq", parquet(pa.table({"a": [{"x": 1}]})), "'a' holds struct"),
    "Parquet of repeated names": (
        "t.parquet",
        parquet(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])),
        "'a' occurs more than once",
    ),
    "Parquet without rows": ("t.parquet", parquet(pa.table({"a": pa.array([], pa.int64())})), "has 0 rows"),
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


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b"a,b\n1.5,x\n2.5,\n"),
        "a,b\n1.5,x\n2.5,\n".encode("utf-16"),
        b"a;b\n1,5;x\n2,5;\n",
        b"a\tb\r\n1.5\tx\r\n\r\n2.5\t\r\n",
        b'\n"a","b"\r1.5,"x"\r2.5,""\r',
    ],
    ids=["gzip", "utf-16", "semicolons", "tabs", "old Mac"],
)
def test_other_ways_to_write_csv_are_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    assert read_table(tmp_path / "t.csv").to_dict("list") == {"a": [1.5, 2.5], "b": ["x", None]}


def test_parquet_that_is_called_csv_is_read(tmp_path: Path) -> None:
    PEOPLE.to_parquet(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv"), PEOPLE)


CELLS: dict[str, tuple[list[str], str]] = {  # cells of a column, and its dtype
    "leading zeros": (["0900", "8001", "0012"], "object"),
    "whole numbers with a gap": (["1", "", "3"], "Int64"),
    "identifiers with a gap": (["9007199254740993", "", "-9007199254740995"], "Int64"),
    "64 bits without a sign": (["18446744073709551615", "1", "2"], "uint64"),
    "lower-case booleans": (["true", "false", "true"], "bool"),
    "booleans": (["True", "False", "True"], "bool"),
    "booleans with a gap": (["TRUE", "", "FALSE"], "object"),
    "booleans in two spellings": (["true", "TRUE", "false"], "object"),
    "words that pandas takes for gaps": (["None", "NA", "null", "n/a", "nan", "NULL", "x"], "object"),
    "nothing but NA": (["NA", "NA"], "object"),
    "numbers and NA": (["1", "NA", "3"], "Int64"),
    "decimals and nan": (["1.25", "nan", "3.5"], "float64"),
    "decimals with zeros": (["1.10", "-2.20", "3.00"], "float64"),
    "decimals of several lengths": (["1.1", "2.20", "3.005"], "float64"),
    "decimals and whole numbers": (["1.5", "3", "-0"], "float64"),
    "whole floats": (["1.0", "2.0", ""], "float64"),
    "exponents": (["1e5", "2e-7", "3"], "float64"),
    "small and large": (["0.00001234", "123456789012345678901", "1e-05"], "float64"),
    "more digits than a float": (["0.1234567890123456789", "0.2", ".3"], "float64"),
    "spaces before numbers": ([" 1", " 2", "3"], "int64"),
    "spaces around words": ([" a", "a", "a "], "object"),
    "telephone numbers": (["+4912", "+4913", "+1"], "object"),
    "differences": (["+0.5", "-0.5", "0"], "float64"),
    "no numbers": (["1%", "0x10", "1_000"], "object"),
    "infinite numbers": (["inf", "1", "-inf", "2"], "float64"),
    "infinite numbers in words": (["Infinity", "1.5"], "float64"),
    "dates": (["2020-01-01", "2020-01-02", ""], "object"),
    "nothing": (["", ""], "float64"),
}


@pytest.mark.parametrize(("cells", "dtype"), CELLS.values(), ids=CELLS)
def test_cells_come_back_as_they_were_written(tmp_path: Path, cells: list[str], dtype: str) -> None:
    written = "id,v\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))
    (tmp_path / "t.csv").write_text(written)
    frame = read_table(tmp_path / "t.csv")
    assert str(frame["v"].dtype) == dtype
    write_table(frame, tmp_path / "o.csv")
    assert (tmp_path / "o.csv").read_text() == written


ANY_CELL = st.one_of(
    st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=5),
    st.sampled_from(["NA", "None", "null", "nan", "true", "True", "0900", "-0", "+1", " 1", "1e5", "1.10", "", "0.1"]),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False).map(repr),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ANY_CELL, min_size=2, max_size=6))
def test_any_cells_come_back_unless_a_number_is_spelled_in_two_ways(tmp_path: Path, cells: list[str]) -> None:
    rows = [["id", "v"], *([str(n), cell] for n, cell in enumerate(cells))]
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    frame = read_table(tmp_path / "t.csv")
    write_table(frame, tmp_path / "o.csv")
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as file:
        again = [row[1] for row in csv.reader(file)][1:]
    numeric = pd.api.types.is_numeric_dtype(frame["v"].dtype)
    if numeric and (frame["v"].nunique() < len(set(cells)) or frame["v"].isna().sum() > 1):
        np.testing.assert_array_equal(read_table(tmp_path / "o.csv")["v"].astype(float), frame["v"].astype(float))
    else:
        assert again == cells


def test_new_numbers_are_written_in_the_form_of_the_column(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("price,share,n,on\n1.10,1e-7,1,true\n2.20,NA,NA,false\n3.30,2,3,true\n")
    frame = read_table(tmp_path / "t.csv")
    new = frame.assign(price=[0.5, 7.0, 2.2], share=[1e-7, np.nan, 4.0], n=pd.array([7, None, 8], "Int64"))
    assert to_csv(new).splitlines()[1:] == ["0.50,1e-7,7,true", "7.00,NA,NA,false", "2.20,4,8,true"]


def test_missing_is_what_is_empty_or_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n1,?,x\n?,-,\n3,NA,-\n")
    assert read_table(tmp_path / "t.csv").isna().sum().tolist() == [0, 0, 1]
    frame = read_table(tmp_path / "t.csv", missing=("?", "-"))
    assert (frame.isna().sum().tolist(), str(frame["a"].dtype)) == ([1, 2, 2], "Int64")


def test_infinite_numbers_are_missing_where_finite_ones_are_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = pd.DataFrame({"a": [1.5, 2.0, np.inf], "b": [-np.inf, 1.0, np.nan], "c": ["inf", "x", "y"], "d": [1, 2, 3]})
    for frame in (plain, plain.astype({"a": "Float64", "b": "float32"})):
        frame.to_parquet(tmp_path / "t.pq")
        pd.testing.assert_frame_equal(read_table(tmp_path / "t.pq"), frame)
        caplog.clear()
        with caplog.at_level("WARNING", "autogluon.imbllm"):
            finite = read_table(tmp_path / "t.pq", finite=True)
        assert (finite.dtypes == frame.dtypes).all()
        assert finite.isna().sum().tolist() == [1, 2, 0, 0]
        (record,) = caplog.records
        assert record.getMessage().endswith("count as missing in 2 column(s): 1 in 'a', 1 in 'b'.")


def test_a_table_that_belongs_to_another_one_is_read_like_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("zip,n,on,kind\n0900,1,true,NA\n8001,2,false,b\n")
    second.write_text("zip,n,on,kind\n8001,07,TRUE,1\n8002,NA,,2\n")
    frame = read_table(second, like=dict(read_table(first).dtypes))
    assert frame.to_dict("list") == {
        "zip": ["8001", "8002"], "n": pytest.approx([7, np.nan], nan_ok=True), "on": [True, None], "kind": ["1", "2"],
    }  # fmt: skip
    assert read_table(second, like={"zip": pd.CategoricalDtype(["8001"])})["zip"].tolist() == ["8001", "8002"]
    second.write_text("zip,n\n8001,7\n8002,unknown\n")
    with pytest.raises(TableError, match=r"second\.csv: column 'n' holds numbers.*'unknown'.*--missing"):
        read_table(second, like=dict(read_table(first).dtypes))


def test_a_large_table_is_written_piece_by_piece_without_losing_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables_io, "_ROWS_AT_ONCE", 2)
    frame = pd.DataFrame({"a": [1, 2, 3, 4, 5]}, index=[9, 8, 7, 6, 5])
    assert to_csv(frame) == ",a\n9,1\n8,2\n7,3\n6,4\n5,5\n"


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
