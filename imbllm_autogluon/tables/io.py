"""Tables at the door: frames, arrays, CSV and Parquet files, with errors that name file, column and remedy."""

from __future__ import annotations

import csv
import numbers
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon._storage import first_line, write_whole
from imbllm_autogluon.errors import InvalidInputError, TableError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from imbllm_autogluon.tables.dtypes import ColumnName

_EXTENSIONS = (".csv", ".parquet", ".pq")
_ENCODING = "utf-8-sig"  # UTF-8, with or without the byte order mark that spreadsheets put in front


def checked_names(df: pd.DataFrame) -> tuple[ColumnName, ...]:
    """Names of all columns; `TableError` if there are no rows, or a name is repeated or neither string nor integer."""
    if not isinstance(df, pd.DataFrame):
        raise InvalidInputError(f"a table must be a pandas DataFrame; got {type(df).__name__}: use pd.DataFrame(...).")
    check_frame(df, "the table")
    return tuple(_checked_name(name) for name in df.columns)


def checked_frame(X: Any, *, infinite: bool = False) -> pd.DataFrame:
    """What users of scikit-learn hand over as a table, as a data frame; the columns of an array are numbered.

    `ValueError` where a frame is empty or has unusable names, or an array is sparse, empty, no table, or infinite where
    it must not be.
    """
    if isinstance(X, pd.DataFrame):
        checked_names(X)
        return X
    from sklearn.utils import check_array

    array = np.asarray(X) if isinstance(X, list) else X
    if isinstance(X, list) and array.dtype.kind in "US":
        # NumPy would turn numbers into text where text stands next to them.
        array = np.asarray(X, dtype=object)
    return pd.DataFrame(check_array(array, dtype=None, ensure_all_finite=False if infinite else "allow-nan"))


def read_table(path: Path | str, *, infinite: bool = False) -> pd.DataFrame:
    """Read a table from a file that ends in ``.csv`` (comma-separated UTF-8 with a header), ``.parquet`` or ``.pq``.

    The index stored in a Parquet file is kept. `TableError`, with file and column, where the file is absent,
    unreadable, empty or of another type, or holds repeated column names, columns of lists, or infinite values where it
    must not.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "ages.parquet"
    >>> write_table(pd.DataFrame({"age": [61, 35]}, index=[7, 3]), path)
    >>> read_table(path).index.tolist()
    [7, 3]
    """
    path = Path(path)
    extension = _checked_extension(path)
    _check_readable(path)
    frame = _read_csv(path) if extension == ".csv" else _read_parquet(path)
    check_frame(frame, str(path))
    if not infinite:
        _refuse_infinite(frame, path)
    return frame


def write_table(frame: pd.DataFrame, path: Path | str) -> None:
    """Write a table to a CSV or Parquet file: whole, or not at all. A file of that name is replaced.

    The index is written unless it is the plain 0 … n - 1. `TableError` where the extension is unknown, or the file
    cannot be written.
    """
    path = Path(path)
    if _checked_extension(path) == ".csv":
        write_whole(path, lambda draft: draft.write_text(to_csv(frame), encoding="utf-8", newline=""))
    else:
        write_whole(path, frame.to_parquet)


def to_csv(frame: pd.DataFrame) -> str:
    """Text of a table as CSV; the index comes first unless it is the plain 0 … n - 1."""
    index = frame.index
    is_plain = isinstance(index, pd.RangeIndex) and index.name is None and index.equals(pd.RangeIndex(len(index)))
    text: str = frame.to_csv(index=not is_plain, lineterminator="\n")
    return text


def check_target(path: Path, source: Path) -> None:
    """Raise `TableError` if no table can be written to `path`, or only over `source`; nothing is written."""
    _checked_extension(path)
    if path.is_dir():
        raise TableError(f"{path} is a folder; name a file.")
    if path.exists() and source.exists() and path.samefile(source):
        raise TableError(f"{path} is the table that is read; name another file to write.")
    if not path.parent.is_dir():
        raise TableError(f"{path} cannot be written: the folder {path.parent} does not exist.")
    if not os.access(path.parent, os.W_OK):
        raise TableError(f"{path} cannot be written: no permission to write into the folder {path.parent}.")


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


def _refuse_infinite(frame: pd.DataFrame, path: Path) -> None:
    """Refuse infinite numbers: neither AutoGluon nor a language model can do anything with them."""
    for name in frame.columns:
        if pd.api.types.is_float_dtype(frame[name].dtype):
            n_infinite = int(np.isinf(frame[name].to_numpy(dtype=np.float64, na_value=np.nan)).sum())
            if n_infinite:
                raise TableError(
                    f"{path}: column {name!r} holds {n_infinite} infinite values; leave the cell empty where a value "
                    "is unknown, or write a finite one."
                )


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


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        with path.open(encoding=_ENCODING, newline="") as file:
            header = next((row for row in csv.reader(file) if row), [])  # a quoted name may hold line breaks
        # pandas would rename a second "age" to "age.1" without a word, so the header is read apart from it.
        _refuse_repeated([name for name in header if name], str(path))
        frame = pd.read_csv(path, encoding=_ENCODING, low_memory=False)
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


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
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
