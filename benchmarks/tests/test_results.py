"""The stored results: readable, equal when written again, and pages that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import report
from benchmarks.__main__ import protocol_of

if TYPE_CHECKING:
    from pathlib import Path

STORED = sorted(path.stem for path in report.RESULTS.glob("*.csv"))


def test_there_are_results() -> None:
    assert {"paper", "ablation", "autogluon", "regression", "quality", "speed"} <= set(STORED)


@pytest.mark.parametrize("name", STORED)
def test_a_stored_result_read_and_written_has_the_same_bytes_and_so_has_its_page(name: str, tmp_path: Path) -> None:
    protocol = protocol_of(name)
    report.write_result(report.read_result(protocol, name), protocol, name, tmp_path)
    for suffix in (".csv", ".json", ".md"):
        stored = (report.RESULTS / name).with_suffix(suffix)
        assert (tmp_path / stored.name).read_bytes() == stored.read_bytes(), "python -m benchmarks report"


# Figures of the page that was written when these runs were measured.
PAPER_F1 = {
    "none": 59.2,
    "class weights": 68.4,
    "random oversampling": 68.0,
    "SMOTE-NC": 66.4,
    "SMOTE on codes": 69.2,
    "GReaT": 62.0,
    "Pred-LLM": 66.9,
    "ImbLLM": 74.4,
}


def test_the_means_of_paper_are_those_of_its_page() -> None:
    found = report.means(report.read_result(protocol_of("paper"), "paper").tidy)
    assert found["F1"].round(1).to_dict() == PAPER_F1
    assert found["log-loss"].round(3).to_list() == [0.443, 0.390, 0.430, 0.409, 0.398, 0.413, 0.355, 0.396]
