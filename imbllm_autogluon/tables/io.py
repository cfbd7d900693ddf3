"""Tables at the door: frames, arrays, CSV and Parquet files, with errors that name file, column and remedy."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import numbers
import os
import zlib
from collections import Counter
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pa_compute
import pyarrow.csv as pa_csv

from imbllm_autogluon._config import progress_bar
from imbllm_autogluon._storage import first_line, require_writable, write_whole
from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.tables.cells import Spelling, typed_cells

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from imbllm_autogluon.tables.dtypes import ColumnName

_log = logging.getLogger("autogluon.imbllm")

_EXTENSIONS = (".csv", ".parquet", ".pq")
# Their functions are made at run time.
_pc: Any = pa_compute
_pa_csv: Any = pa_csv

_HEAD = 1 << 20  # bytes in which the header must end
_MOST_CODES = 20  # different numbers of a label that count as names of classes, beside which a word is one, too
_ROWS_AT_ONCE = 50_000  # rows written together: their cells are in memory as text
_NO_TEXT = {b"PK\x03\x04": "an Excel workbook or a ZIP archive", b"\xd0\xcf\x11\xe0": "an Excel workbook"}
_DECIMAL_COMMA = "^-?[0-9]+(,[0-9]+)?$"
_SPELLINGS = "imbllm_spellings"  # attribute of frames: how the numbers of their CSV file are written, as JSON


def checked_names(df: pd.DataFrame) -> tuple[ColumnName, ...]:
    """Names of all columns; `TableError` if there are no rows, or a name is repeated or neither string nor integer."""
    if not isinstance(df, pd.DataFrame):
        raise InvalidInputError(f"a table must be a pandas DataFrame; got {type(df).__name__}: use pd.DataFrame(...).")
    check_frame(df, "the table")
    return tuple(_checked_name(name) for name in df.columns)


def checked_frame(X: Any) -> pd.DataFrame:
    """What users of scikit-learn hand over as a table, as a data frame; the columns of an array are numbered.

    `ValueError` where a frame is empty or has unusable names, or an array is sparse, empty or no table.
    """
    if isinstance(X, pd.DataFrame):
        checked_names(X)
        return X
    from sklearn.utils import check_array

    array = np.asarray(X) if isinstance(X, list) else X
    if isinstance(X, list) and array.dtype.kind in "US":
        # NumPy would turn numbers into text where text stands next to them.
        array = np.asarray(X, dtype=object)
    return pd.DataFrame(check_array(array, dtype=None, ensure_all_finite=False))


def read_table(
    path: Path | str,
    missing: Iterable[str] = (),
    like: Mapping[Any, Any] = MappingProxyType({}),
    label: str | None = None,
    *,
    finite: bool = False,
) -> pd.DataFrame:
    """Read a table from a file that ends in ``.csv`` (UTF-8 with a header), ``.parquet`` or ``.pq``.

    Cells of CSV files are missing where they are empty or one of the words `missing`. A column whose cells are all
    numbers (or words such as NA) becomes int64, Int64 (with a gap), float64 or bool, and is written again as it stood;
    codes such as 0900 and everything else stays text. `like` holds dtypes by column, such as ``frame.dtypes``, that
    decide between text and numbers where a table belongs to another one. In the column `label` a word such as NA beside
    up to 20 different numbers is a class, too. The index stored in a Parquet file is kept. With `finite`
    infinite numbers are missing ones, which a warning names.

    `TableError`, with file and column, where the file is absent, unreadable, empty or of another type, or holds
    repeated column names or columns of lists.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "ages.parquet"
    >>> write_table(pd.DataFrame({"age": [61, 35]}, index=[7, 3]), path)
    >>> read_table(path).index.tolist()
    [7, 3]
    """
    path = Path(path)
    extension = _checked_extension(path)
    _check_readable(path)
    frame = _read_csv(path, missing, like, label) if extension == ".csv" else _read_parquet(path)
    check_frame(frame, str(path))
    return _without_infinite(frame, path) if finite else frame


def write_table(frame: pd.DataFrame, path: Path | str) -> None:
    """Write a table to a CSV or Parquet file: whole, or not at all. A file of that name is replaced.

    The index is written unless it is the plain 0 … n - 1. `TableError` where the extension is unknown, or the file
    cannot be written.
    """
    path = Path(path)
    if _checked_extension(path) == ".csv":
        write_whole(path, partial(_write_csv, frame))
    else:
        write_whole(path, frame.to_parquet)


def to_csv(frame: pd.DataFrame) -> str:
    """Text of a table as CSV, numbers as in their file; the index comes first unless it is the plain 0 … n - 1."""
    text = io.StringIO(newline="")
    _write_csv(frame, text)
    return text.getvalue()


def _write_csv(frame: pd.DataFrame, target: Any) -> None:
    """Append a table to a new file or buffer."""
    index = frame.index
    is_plain = isinstance(index, pd.RangeIndex) and index.name is None and index.equals(pd.RangeIndex(len(index)))
    for start in range(0, max(1, len(frame)), _ROWS_AT_ONCE):
        part = frame.iloc[start : start + _ROWS_AT_ONCE]
        spelled: dict[str, Any] = {
            name: spelling.written(part[name])
            for name, spelling in _spellings(part).items()
            if name in part.columns and pd.api.types.is_numeric_dtype(part[name].dtype)
        }
        part.assign(**spelled).to_csv(target, mode="a", index=not is_plain, header=not start, lineterminator="\n")


def labels_in_file(labels: pd.Series[Any]) -> pd.Series[Any]:
    """Labels, as text where they are numbers or booleans that their CSV file writes otherwise than Python would."""
    spelling = _spellings(labels).get(str(labels.name), Spelling())
    if replace(spelling, gap=None) == Spelling() or not pd.api.types.is_numeric_dtype(labels.dtype):
        return labels
    return pd.Series(spelling.written(labels), index=labels.index, name=labels.name, dtype=object)


def _spellings(frame: pd.DataFrame | pd.Series[Any]) -> dict[str, Spelling]:
    """Columns that are written otherwise than Python would."""
    return {name: Spelling(*stored) for name, stored in json.loads(frame.attrs.get(_SPELLINGS, "{}")).items()}


def check_target(path: Path, source: Path) -> None:
    """Raise `TableError` if no table can be written to `path`, or only over `source`; nothing is written."""
    _checked_extension(path)
    if path.is_dir():
        raise TableError(f"{path} is a folder; name a file.")
    if path.exists() and source.exists() and path.samefile(source):
        raise TableError(f"{path} is the table that is read; name another file to write.")
    if not path.parent.is_dir():
        raise TableError(f"{path} cannot be written: the folder {path.parent} does not exist.")
    require_writable(path.parent)


def check_frame(df: pd.DataFrame, source: str) -> None:
    """Raise `TableError` unless the frame has rows, and columns of different names."""
    if not len(df.columns):
        raise TableError(f"{source} has 0 feature columns; at least 1 is needed: check how it was read.")
    _refuse_repeated(df.columns, source)
    if not len(df):
        raise TableError(f"{source} has 0 rows; at least 1 is needed: check how it was read or filtered.")


def _refuse_repeated(names: Iterable[Hashable], source: str) -> None:
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise TableError(f"{source}: column name {repeated[0]!r} occurs more than once; rename or drop one.")


def _checked_name(name: object) -> ColumnName:
    if isinstance(name, str):
        return name
    if isinstance(name, numbers.Integral) and not isinstance(name, (bool, np.bool_)):
        return int(name)
    raise TableError(
        f"column name {name!r} is a {type(name).__name__}; names must be strings or integers: "
        "use df.columns = [str(name) for name in df.columns]."
    )


def _without_infinite(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """A frame for AutoGluon, of whose models few take infinite numbers: these are missing."""
    floats = frame.select_dtypes(np.floating)
    infinite = np.isinf(floats.astype(np.float64))
    counts = infinite.sum()
    if not counts.any():
        return frame
    named = ", ".join(f"{n} in {name!r}" for name, n in counts[counts > 0].head(5).items())
    _log.warning("imbllm: %s: infinite numbers count as missing in %d column(s): %s.", path, (counts > 0).sum(), named)
    kept = frame.copy(deep=False)
    kept[floats.columns] = floats.mask(infinite)
    return kept


def _checked_extension(path: Path) -> str:
    extension = path.suffix.lower()
    if extension not in _EXTENSIONS:
        got = repr(path.suffix) if path.suffix else "no extension"
        raise TableError(f"{path} has {got}; tables are read and written as {', '.join(_EXTENSIONS)}.")
    return extension


def _check_readable(path: Path) -> None:
    if path.is_dir():
        raise TableError(f"{path} is a folder; name a file that ends in {', '.join(_EXTENSIONS)}.")
    if not path.is_file():
        raise TableError(f"{path} does not exist.")
    if not path.stat().st_size:
        raise TableError(f"{path} is empty (0 bytes).")


def _read_csv(path: Path, missing: Iterable[str], like: Mapping[Any, Any], label: str | None) -> pd.DataFrame:
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PAR1"):
        return _read_parquet(path)
    kind = next((kind for mark, kind in _NO_TEXT.items() if start.startswith(mark)), None)
    if kind:
        raise TableError(f"{path} is {kind}, no CSV file: unpack it, or save its table as CSV.")
    open_csv: Any = gzip.open if start.startswith(b"\x1f\x8b") else open
    try:
        with open_csv(path, "rb") as file:
            header, options = _header(file.read(_HEAD), path)
        with open_csv(path, "rb") as file:
            columns = _cells(file, len(header), missing, **options)
    except (pa.ArrowInvalid, csv.Error, EOFError, OSError, zlib.error) as error:
        hint = "; save it as UTF-8" if "UTF8" in str(error) else ""
        raise TableError(f"{path} is not a readable CSV file: {first_line(error)}{hint}.") from error
    return _typed(dict(zip(header, columns, strict=True)), like, label, path)


def _header(start: bytes, path: Path) -> tuple[list[str], dict[str, str]]:
    """Names of the columns, and the encoding and delimiter of a file that begins so."""
    encoding = "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    text = start.decode(encoding, "ignore").lstrip("\r\n")
    if "\0" in text:
        raise TableError(f"{path} holds NUL bytes, which no text has: save it as CSV in UTF-8.")
    first, _, _ = text.partition("\n")
    delimiter = next((mark for mark in ";\t" if mark in first and "," not in first), ",")
    names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    if not names:
        raise TableError(f"{path} is empty: it holds no header.")
    header = [name or f"Unnamed: {j}" for j, name in enumerate(names)]
    _refuse_repeated(header, str(path))
    return header, {"encoding": encoding.removesuffix("-sig"), "delimiter": delimiter}


def _cells(file: IO[bytes], n_columns: int, missing: Iterable[str], encoding: str, delimiter: str) -> list[Any]:
    """Cells of each column as text, null where they are empty or one of the words `missing`."""
    names = list(map(str, range(n_columns)))
    table = _pa_csv.read_csv(
        file,
        # One thread knows the row that an error is in, and takes less work.
        read_options=_pa_csv.ReadOptions(column_names=names, encoding=encoding, use_threads=False),
        parse_options=_pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=_pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=["", *missing], strings_can_be_null=True
        ),
    )
    if "\n" in str(table[n_columns - 1][-1]) and encoding == "utf-8" and isinstance(file, io.BufferedReader):
        file.seek(-2, os.SEEK_END)
        if not file.read().rstrip(b"\r\n").endswith(b'"'):
            raise pa.ArrowInvalid("a quote is opened and never closed")
    columns: list[Any] = table.slice(1).columns
    for j, cells in enumerate(columns if delimiter == ";" else ()):
        if _pc.all(_pc.match_substring_regex(cells, _DECIMAL_COMMA)).as_py():
            columns[j] = _pc.replace_substring(cells, ",", ".")
    return columns


def _typed(columns: dict[str, Any], like: Mapping[Any, Any], label: str | None, path: Path) -> pd.DataFrame:
    """A frame of columns of text, typed one after the other, which remembers how their cells were written."""
    spellings = {}
    for name, cells in progress_bar(len(columns), f"reading {path.name}", list(columns.items())):
        try:
            columns[name], spelling = typed_cells(cells, like.get(name))
        except TableError as error:
            raise TableError(f"{path}: column {name!r} {error}.") from error
        if name == label and columns[name].isna().sum() > cells.null_count and columns[name].nunique() <= _MOST_CODES:
            columns[name], spelling = cells.to_pandas(), Spelling()
            _log.warning("imbllm: %s: words such as NA beside the numbers of the label %r are classes.", path, label)
        if spelling != Spelling():
            spellings[name] = astuple(spelling)
    gaps = [f"{gap} in {name!r}" for name, (_, _, gap, _) in spellings.items() if gap]
    if gaps:
        _log.warning("imbllm: %s: missing numbers in %d column(s): %s.", path, len(gaps), ", ".join(gaps[:5]))
    frame = pd.DataFrame(columns, copy=False)
    # pandas copies attributes deeply whenever a column is taken: one text is copied in no time.
    frame.attrs[_SPELLINGS] = json.dumps(spellings)
    return frame


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    try:
        schema: pa.Schema = pq.read_schema(path)  # type: ignore[no-untyped-call]
        _refuse_repeated(schema.names, str(path))
        for field in schema:
            if pa.types.is_nested(field.type):
                raise TableError(
                    f"{path}: column {field.name!r} holds {field.type}; a cell must be one value: spread it over "
                    "columns, or drop it."
                )
        frame: pd.DataFrame = pq.read_table(path, partitioning=None).to_pandas()  # type: ignore[no-untyped-call]
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{path} is not a readable Parquet file: {first_line(error)}.") from error
    return frame
