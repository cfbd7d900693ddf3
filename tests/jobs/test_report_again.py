from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.jobs.fit_report import HTML_NAME, JSON_NAME, MARKDOWN_NAME
from imbllm_autogluon.jobs.report_again import report_of
from imbllm_autogluon.rebalancing.rows import POOLS
from tests.jobs.fits import binary_outcome, copy_of
from tests.jobs.test_written_rows import many_kinds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imbllm_autogluon.jobs.base_job import FitOutcome


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a reported fit, for a test to change."""
    return copy_of(binary_outcome(), tmp_path / "fit").job.out


SECONDS = re.compile(r"Judged and drawn in [\d.]+ s")


@pytest.mark.parametrize("make", [binary_outcome, many_kinds])
def test_the_page_is_made_again_as_it_was(make: Callable[[], FitOutcome], tmp_path: Path) -> None:
    folder = make().job.out
    first = (folder / HTML_NAME).read_text(encoding="utf-8")
    page = report_of(folder, tmp_path / "again")
    assert page == tmp_path / "again" / HTML_NAME
    again = page.read_text(encoding="utf-8")
    assert SECONDS.sub("", again) == SECONDS.sub("", first)
    assert "Measures of the rows" in again
    assert {path.name for path in page.parent.iterdir()} == {HTML_NAME, JSON_NAME, MARKDOWN_NAME}


def test_by_default_the_report_beside_the_predictor_is_replaced(folder: Path) -> None:
    (folder / HTML_NAME).write_text("old")
    assert report_of(folder) == folder / HTML_NAME
    assert "Predicting label" in (folder / HTML_NAME).read_text(encoding="utf-8")


def test_measures_stay_when_the_rows_are_no_longer_in_the_cache(folder: Path) -> None:
    before = json.loads((folder / JSON_NAME).read_text(encoding="utf-8"))["rows"]
    for entry in (folder / "utils" / "imbllm" / POOLS.name).glob("*/state.json"):
        entry.unlink()
    POOLS.forget()
    report_of(folder)
    assert json.loads((folder / JSON_NAME).read_text(encoding="utf-8"))["rows"] == before
    assert "Measures of the rows" in (folder / MARKDOWN_NAME).read_text(encoding="utf-8")
    (folder / JSON_NAME).unlink()
    with pytest.raises(StoredStateError, match=r"neither imbllm_report\.json nor written rows"):
        report_of(folder)


def test_of_a_predictor_without_a_report_the_rows_alone_are_reported(folder: Path, tmp_path: Path) -> None:
    (folder / JSON_NAME).unlink()
    page = report_of(folder, tmp_path)
    assert page.name == "quality_report.html"
    assert "Rows written for label, fold S1F1" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is no report of a fit"), ("[]", "is no report of a fit"), ('{"format": 99}', "has format 99")],
)
def test_a_broken_or_newer_report_is_refused(text: str, message: str, folder: Path) -> None:
    (folder / JSON_NAME).write_text(text)
    with pytest.raises(StoredStateError, match=message):
        report_of(folder)


def test_a_folder_without_a_predictor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoredStateError, match="no finished fit"):
        report_of(tmp_path)
