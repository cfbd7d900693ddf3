from __future__ import annotations

import copy
import re

import pytest

from imbllm_autogluon.quality.pages.render import fit_markdown
from tests.quality.pages.test_render import REPORT, TARGET_REPORT


@pytest.mark.parametrize("report", [REPORT, TARGET_REPORT], ids=["classes", "numbers"])
def test_every_table_has_as_many_cells_in_each_line_as_in_its_head(report: dict[str, object]) -> None:
    text = fit_markdown(report)
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_headline_scores_folds_notes_and_versions_are_there() -> None:
    text = fit_markdown(REPORT)
    assert "The plain ensemble is better by 0.0100." in text
    assert "| average precision | higher | 0.9100 | 0.9000 | -0.01000 | all |" in text
    assert "| S1F1 | no 75, yes 15 | yes 60 | 3.2 |" in text
    assert "classes are balanced" in text
    assert "- Fold S1F1: 2 copies of real rows." in text
    assert "| python | 3.11.0 |" in text


def test_errors_of_numbers_are_in_digits_that_count_with_the_rows_looked_at() -> None:
    text = fit_markdown(TARGET_REPORT)
    assert "| mean absolute error | lower | 24000 | 23457 | +543.8 | 80 |" in text
    assert "| few-shot mean absolute error | lower | - | - | - | 0 |" in text
    assert "| S1F1 | 145 | 60 |" in text or TARGET_REPORT["folds"][0].get("edges") is None


def test_names_of_the_users_table_cannot_break_out_of_a_cell() -> None:
    report = copy.deepcopy(REPORT)
    nasty = "a|b\n# <b>*c*</b> [d](e) `f`"
    report["table"]["label"] = nasty
    report["folds"][0]["before"] = {nasty: 3}
    report["notes"] = [nasty]
    text = fit_markdown(report)
    assert "a\\|b \\# \\<b\\>\\*c\\*\\</b\\> \\[d\\](e) \\`f\\`" in text
    assert nasty not in text
    assert not re.search(r"^# \\?<", text, re.MULTILINE)


def test_a_reason_stands_in_place_of_measures() -> None:
    assert "Too few rows." in fit_markdown({**REPORT, "rows": {"reason": "Too few rows."}})
    assert "Written rows" not in fit_markdown(REPORT)
    assert "Written rows" not in fit_markdown({**REPORT, "folds": [], "rows": {"reason": "Too few rows."}})
