"""Tables on disk: CSV and Parquet in and out, with errors that name the file, the column and the remedy."""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon._storage import first_line, write_whole
from imbllm_autogluon.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Hashable

EXTENSIONS = (".csv", ".parquet", ".pq")
"""File types that are read and written; ``.pq`` is Parquet."""

ENCODING = "utf-8-sig"
"""UTF-8, with or without the byte order mark that spreadsheets put in front."""


def read_table(path: Path | str) -> pd.DataFrame:
    r"""Read a table from a CSV or Parquet file and check it.

    Parameters
    ----------
    path
        A file that ends in ``.csv`` (comma-separated UTF-8 with a header), ``.parquet`` or ``.pq``.

    Returns
    -------
    DataFrame
        At least one row and one column, names without repetition. The index stored in a Parquet file is kept.

    Raises
    ------
    TableError
        The file is absent, unreadable, empty or of another type, or holds repeated column names, infinite values or
        columns of lists; the message names file and column.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "people.csv").write_text("age,city\n61,Oslo\n35,Bergen\n")
    >>> read_table(folder / "people.csv").shape
    (2, 2)
    """
    path = Path(path)
    extension = checked_extension(path)
    _check_readable(path)
    frame = _read_csv(path) if extension == ".csv" else _read_parquet(path)
    if not len(frame.columns):
        raise TableError(f"{path} holds no columns; a table with a header and rows is needed.")
    _refuse_repeated(list(frame.columns), path)
    if not len(frame):
        raise TableError(f"{path} holds a header of {len(frame.columns)} columns but no rows.")
    _check_cells(frame, path)
    return frame


def write_table(frame: pd.DataFrame, path: Path | str) -> None:
    """Write a table to a CSV or Parquet file: whole, or not at all.

    Parameters
    ----------
    frame
        The table. Its index is written unless it is the plain 0 … n - 1.
    path
        A file that ends in ``.csv``, ``.parquet`` or ``.pq``; its folder must exist. A file of that name is replaced.

    Raises
    ------
    TableError
        The extension is unknown, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "ages.parquet"
    >>> write_table(pd.DataFrame({"age": [61, 35]}, index=[7, 3]), target)
    >>> read_table(target).index.tolist()
    [7, 3]
    """
    path = Path(path)
    if checked_extension(path) == ".csv":
        write_whole(path, lambda draft: draft.write_text(to_csv(frame), encoding="utf-8", newline=""))
    else:
        write_whole(path, frame.to_parquet)


def to_csv(frame: pd.DataFrame) -> str:
    """Text of a table as CSV; the index comes first unless it is the plain 0 … n - 1."""
    text: str = frame.to_csv(index=not is_plain_index(frame.index), lineterminator="\n")
    return text


def is_plain_index(index: pd.Index[Any]) -> bool:
    """Whether an index only counts the rows, and so says nothing about them."""
    return isinstance(index, pd.RangeIndex) and index.name is None and index.equals(pd.RangeIndex(len(index)))


def checked_extension(path: Path) -> str:
    """Extension of a table file in lower case.

    Raises
    ------
    TableError
        It is none of :data:`EXTENSIONS`.
    """
    extension = path.suffix.lower()
    if extension not in EXTENSIONS:
        got = repr(path.suffix) if path.suffix else "no extension"
        raise TableError(f"{path} has {got}; tables are read and written as {', '.join(EXTENSIONS)}.")
    return extension


def check_target(path: Path) -> None:
    """Raise `TableError` if no table can be written to `path`; nothing is written."""
    checked_extension(path)
    if path.is_dir():
        raise TableError(f"{path} is a folder; name a file.")
    if not path.parent.is_dir():
        raise TableError(f"{path} cannot be written: the folder {path.parent} does not exist.")
    if not os.access(path.parent, os.W_OK):
        raise TableError(f"{path} cannot be written: no permission to write into the folder {path.parent}.")


def _check_readable(path: Path) -> None:
    """The checks that need no parser."""
    if path.is_dir():
        raise TableError(f"{path} is a folder; name a file that ends in {', '.join(EXTENSIONS)}.")
    if not path.is_file():
        raise TableError(f"{path} does not exist.")
    try:
        with path.open("rb") as file:
            begin = file.read(1)
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}.") from error
    if not begin:
        raise TableError(f"{path} is empty (0 bytes).")


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        header = _csv_header(path)
        # pandas would rename a second "age" to "age.1" without a word, so the header is read apart from it.
        _refuse_repeated([name for name in header if name], path)
        frame = pd.read_csv(path, encoding=ENCODING, low_memory=False)
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from error
    except pd.errors.EmptyDataError as error:
        raise TableError(f"{path} is empty: it holds no header.") from error
    except (pd.errors.ParserError, csv.Error, OSError) as error:
        raise TableError(f"{path} is not a readable CSV file: {first_line(error)}.") from error
    if not isinstance(frame.index, pd.RangeIndex):
        # That is how pandas reads rows with more cells than the header: it takes the first ones for an index.
        raise TableError(f"{path} has a header of {len(header)} names but rows of more cells; name every column.")
    return frame


def _csv_header(path: Path) -> list[str]:
    """Names in the first line that is not blank; a quoted name may hold line breaks."""
    with path.open(encoding=ENCODING, newline="") as file:
        return next((row for row in csv.reader(file) if row), [])


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema: pa.Schema = pq.read_schema(path)  # type: ignore[no-untyped-call]
        _refuse_repeated(list(schema.names), path)
        for field in schema:
            if pa.types.is_nested(field.type):
                raise TableError(_nested(field.name, str(field.type), path))
        frame: pd.DataFrame = pq.read_table(path, partitioning=None).to_pandas()  # type: ignore[no-untyped-call]
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{path} is not a readable Parquet file: {first_line(error)}.") from error
    return frame


def _refuse_repeated(names: list[Hashable], path: Path) -> None:
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise TableError(f"{path}: column name {repeated[0]!r} occurs more than once; rename or drop one.")


def _check_cells(frame: pd.DataFrame, path: Path) -> None:
    """Refuse infinite numbers: neither AutoGluon nor a language model can do anything with them."""
    for name in frame.columns:
        if pd.api.types.is_float_dtype(frame[name].dtype):
            n_infinite = int(np.isinf(frame[name].to_numpy(dtype=np.float64, na_value=np.nan)).sum())
            if n_infinite:
                raise TableError(
                    f"{path}: column {name!r} holds {n_infinite} infinite values; leave the cell empty where a value "
                    "is unknown, or write a finite one."
                )


def _nested(name: str, kind: str, path: Path) -> str:
    return f"{path}: column {name!r} holds {kind}; a cell must be one value: spread it over columns, or drop it."
