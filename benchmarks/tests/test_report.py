from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from benchmarks import report
from benchmarks.protocol import Claim, Metric, Protocol, Result

if TYPE_CHECKING:
    from pathlib import Path

F1 = Metric("F1", "of the rare class", compared=True)
LOSS = Metric("loss", "", "lower", 3, compared=True, relative=True)


def tidy(**figures: list[list[float]]) -> pd.DataFrame:
    """Figures of F1 by method: a list for each table, a number for each split."""
    rows = [
        (["visits", "bills", "loans"][table], split, method, "F1", value)
        for method, tables in figures.items()
        for table, values in enumerate(tables)
        for split, value in enumerate(values)
    ]
    frame = pd.DataFrame(rows, columns=["table", "split", "method", "metric", "value"])
    return frame.assign(versions="torch=1")


FOUND = tidy(none=[[40.0, 44.0], [60.0]], new=[[50.0, 54.0], [57.0]], other=[[43.0, 43.0], [60.0]])


def protocol(**changed: Any) -> Protocol:
    given = {"name": "try", "about": "Tried.\n", "methods": {}, "measure": lambda task: {}, "references": ("none",)}
    return Protocol(**{**given, "metrics": (F1, LOSS), **changed})


def test_means_are_those_over_tables_of_those_over_splits() -> None:
    assert report.means(FOUND)["F1"].to_dict() == {"none": 51.0, "new": 54.5, "other": 51.5}


def test_changes_are_within_a_split_and_equal_figures_are_no_change() -> None:
    found = report.changes(FOUND, "none", [F1])["F1"]
    assert found.loc["visits", :, "new"].tolist() == [10.0, 10.0]
    nearly = tidy(none=[[0.1 + 0.2]], new=[[0.3]])
    assert report.changes(nearly, "none", [F1])["F1"].tolist() == [0.0]


def test_the_best_of_a_column_is_bold_and_so_is_what_prints_alike() -> None:
    found = report.summary(tidy(none=[[40.0]], new=[[50.01]], other=[[50.0]]), protocol())
    assert [line.split("|")[2].strip() for line in found.splitlines()[-3:]] == ["40.0", "**50.0**", "**50.0**"]


def test_lower_is_better_where_the_metric_says_so() -> None:
    losses = FOUND.assign(metric="loss")
    found = report.compared(losses, protocol())
    assert "+9.4 % (1 better, 1 worse, p 1.000)" in found


def test_a_comparison_counts_tables_and_has_no_p_of_one_pair() -> None:
    found = report.compared(FOUND, protocol())
    assert "+3.5 (1 better, 1 worse, p 1.000)" in found
    assert "+0.5 (1 better, 0 worse)" in found


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (Claim("new", "F1", "none", mean=3.0), "**holds**: mean gain +3.5 (asked: at least 3)"),
        (Claim("new", "F1", "none", mean=4.0), "**does NOT hold**: mean gain +3.5 (asked: at least 4)"),
        (Claim("none", "F1", "none", mean=0.0), ""),
        (Claim("new", "F1", "none", worst=-2.0), "**does NOT hold**: mean gain +3.5; below -2 on bills (-3.0)"),
        (Claim("new", "F1", "none", most=True), "**does NOT hold**"),
        (Claim("new", "F1", "none"), "against none: mean gain +3.5; 1 better, 1 worse, p 1.000"),
        (Claim("new", "F1", ("none", "other"), mean=3.0), "against other: **holds**: mean gain +3.0"),
        (Claim("new", "F1", worst=55.0), "**does NOT hold**: mean 54.5; below 55 on visits (52.0)"),
        (Claim("new", "F1", "absent", mean=1.0), ""),
        (Claim("absent", "F1", "none", mean=1.0), ""),
        (
            Claim("new", "F1", "none", p=0.05),
            "**does NOT hold**: mean gain +3.5; 1 better, 1 worse, p 1.000 (asked: p b",
        ),
        (
            Claim("none", "F1", "new", interval=True),
            "**does NOT hold**: mean gain -3.5; lower by more than its interval on",
        ),
        (
            Claim("other", "F1", "none", interval=True),
            "**holds**: mean gain +0.5; lower by more than its interval on no",
        ),
        (Claim("none", "F1", "other", tied=True), "**does NOT hold**: mean gain -0.5 (asked: not below 0 by more than"),
        (Claim("new", "F1", "none", tied=True), "**holds**: mean gain +3.5 (asked"),
        (Claim("new", "F1", highest=55.0), "**does NOT hold**: mean 54.5; above 55 on bills (57.0)"),
        (Claim("new", "F1", "none", mean=9.0, part="Small"), "against none, small: **holds**: mean gain +10.0"),
    ],
    ids=str,
)
def test_a_claim_is_told_as_it_came_out(claim: Claim, said: str) -> None:
    told = report.claims(FOUND, protocol(claims=(claim,), parts=lambda frame: {"Small": ["visits"]}))
    assert said in told
    assert bool(told) == bool(said)


def test_a_loss_beyond_its_interval_over_the_splits_is_bold() -> None:
    figures = tidy(
        none=[[40.0, 44.0, 42.0], [60.0]], new=[[30.0, 35.0, 31.0], [57.0]], other=[[30.0, 60.0, 30.0], [61.0]]
    )
    lines = report.differences(figures, protocol()).splitlines()[-2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells == [["visits", "**-10.0 ± 2.5**", "-2.0 ± 38.8"], ["bills", "-3.0", "+1.0"]]


def test_an_interval_over_the_tables_asks_for_six_of_them() -> None:
    gains = pd.Series([1.0, 2.0, 3.0, 2.0, 1.0, 3.0])
    low, high = report.mean_interval(gains) or (0.0, 0.0)
    assert 1.0 < low < 1.5
    assert 2.5 < high < 3.0
    assert report.mean_interval(gains[:5]) is None
    assert "+2.0 [" in report._compared_cell(gains, F1)


def test_parts_are_not_mixed() -> None:
    found = report.summary(FOUND, protocol(parts=lambda frame: {"Small": ["visits"], "Large": ["bills"], "None": []}))
    assert ("**Small**" in found, "**Large**" in found, "**None**" in found) == (True, True, False)
    assert "42.0" in found


def test_numbers_have_the_decimals_of_their_metric() -> None:
    written = [report.number(1234.5678, Metric("m", decimals=decimals)) for decimals in (0, 1, None)]
    assert written == ["1235", "1234.6", "1235"]
    assert report.number(0.000123456, Metric("m", decimals=None)) == "0.0001235"
    assert report.number(float("nan"), F1) == ""


def test_a_result_written_and_read_is_the_same_and_its_page_tells_where_it_comes_from(tmp_path: Path) -> None:
    told = {"protocol": "try", "command": "python -m benchmarks try", "date": "2026-01-02", "machine": "x86"}
    exact = FOUND.assign(value=FOUND["value"] / 3, verdict="none")
    named = protocol(
        columns={"table": "dataset", "split": "split", "method": "arm", "metric": "metric", "value": "value"}
    )
    page = report.write_result(Result(exact, {**told, "tables": {"visits": "9 rows"}}), named, "try", tmp_path)
    assert (tmp_path / "try.csv").read_text().startswith("dataset,split,arm,metric,value,verdict,versions\n")
    pd.testing.assert_frame_equal(report.read_result(named, "try", tmp_path).tidy[list(exact)], exact)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# try\n\nTried.\n\n- **F1**: of the rare class\n\n## Tables\n")
    assert text.endswith("Command: `python -m benchmarks try`.\n\n2026-01-02; x86; torch=1\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["try.csv", "try.json", "try.md"]
