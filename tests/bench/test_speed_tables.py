from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from imbllm_autogluon.bench.speed_tables import SpeedTable, speed_tables
from imbllm_autogluon.errors import InvalidInputError, TableError

if TYPE_CHECKING:
    from pathlib import Path

SmallTable = tuple[pd.DataFrame, "pd.Series[str]"]


def test_by_default_a_wide_and_a_narrow_table_are_measured() -> None:
    wide, narrow = speed_tables((), 100)
    assert wide.features.shape[1] >= 20
    assert narrow.features.shape[1] == 8
    assert [len(table.rows) for table in (wide, narrow)] == [100, 100]


def test_only_rows_of_the_rare_class_are_learned_and_the_others_tell_what_is_legal(small_table: SmallTable) -> None:
    X, y = small_table
    table = SpeedTable.of("small", X, y, "yes", 12)
    assert set(table.rows["bought"]) == {"yes"}
    pd.testing.assert_series_equal(table.rows["visits"], X.loc[y == "yes", "visits"].iloc[:12].reset_index(drop=True))
    assert table.fold["bought"].value_counts().to_dict() == {"no": 170, "yes": 12}


def test_be_great_gets_plain_columns_with_text_for_names(small_table: SmallTable) -> None:
    X, y = small_table
    table = SpeedTable.of("small", X.rename(columns={"visits": 3}), y, "yes", 12)
    assert list(table.features) == ["income", "3", "city", "member"]
    assert table.features["city"].dtype == object
    assert table.features["member"].dtype == bool


def test_columns_that_imbllm_sets_aside_are_left_out_for_all_arms(
    small_table: SmallTable, caplog: pytest.LogCaptureFixture
) -> None:
    X, y = small_table
    table = SpeedTable.of("small", X.assign(nothing=1), y, "yes", 12)
    assert list(table.features) == list(X)
    assert "small: left out for all arms, because ImbLLM sets them aside: nothing." in caplog.text


def test_own_tables_replace_the_packaged_ones(small_table: SmallTable, tmp_path: Path) -> None:
    X, y = small_table
    X.assign(bought=y).to_csv(tmp_path / "sales.csv", index=False)
    (table,) = speed_tables([f"{tmp_path / 'sales.csv'}:bought"], 5)
    assert (table.name, table.label, table.rare, len(table.rows)) == ("sales", "bought", "yes", 5)


@pytest.mark.parametrize("text", ["sales.csv", "sales.csv:", ":bought"])
def test_a_table_without_file_or_label_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"FILE:LABEL.*got"):
        speed_tables([text], 5)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"absent\.csv does not exist"):
        speed_tables([f"{tmp_path / 'absent.csv'}:label"], 5)
