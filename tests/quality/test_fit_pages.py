from __future__ import annotations

import ast
import copy
import re
from importlib import resources
from typing import Any

import pytest
from jinja2 import UndefinedError

from imbllm_autogluon.quality.reports import fit_markdown, measure, render_fit_report
from tests.quality.pages import Page

REPORT: dict[str, Any] = {
    "format": 1,
    "task": "classification",
    "made": "2025-01-02T03:04:05+00:00",
    "headline": "The plain ensemble is better by 0.0100.",
    "table": {
        "source": "rows.csv",
        "label": "sick",
        "rows": 180,
        "features": 3,
        "classes": {"no": 150, "yes": 30},
        "positive": "yes",
    },
    "settings": {
        "presets": ["best_quality", "imbllm"],
        "metric": "average_precision",
        "folds": 2,
        "time_limit": None,
        "families": ["GBM"],
        "twin_parameters": {"temperature": 1.0},
        "latent_diff_parameters": {},
        "model_in_use": "WeightedEnsemble_L2",
        "decision_threshold": 0.25,
    },
    "leaderboard": [
        {"model": "LightGBM", "kind": "plain", "score_val": 0.5, "score_test": 0.5, "fit_seconds": 1.0, "weight": None},
        {"model": "LightGBMImb", "kind": "twin", "score_val": 0.4, "score_test": None, "fit_seconds": 2.0, "weight": 1},
    ],
    "comparison": {
        "models": {"plain": "WeightedEnsemble_L2Plain", "whole": "WeightedEnsemble_L2"},
        "scores": [
            {
                "metric": "average_precision", "higher_is_better": True, "plain": 0.91, "whole": 0.90, "gain": -0.01,
                "better": "plain", "thresholds": [None, None],
            },
            {
                "metric": "f1", "higher_is_better": True, "plain": 0.7, "whole": 0.8, "gain": 0.1, "better": "whole",
                "thresholds": [0.3, 0.25],
            },
        ],
        "rows": "test",
        "counts": {"no": 60, "yes": 20},
        "interval": [-0.03, 0.02],
    },
    "folds": [
        {
            "name": "S1F1", "before": {"no": 75, "yes": 15}, "added": {"yes": 60}, "reason": "", "generator": "abc",
            "seconds": 3.2, "losses": {"warm-up": [2.0, 1.5], "minority": [1.4, 1.2]},
        },
        {
            "name": "S1F2", "before": {"no": 75, "yes": 15}, "added": {}, "reason": "classes are balanced",
            "generator": "", "seconds": 0.0, "losses": {},
        },
    ],
    "studies": [],
    "generator_fits": 1,
    "seconds": 12.3,
    "notes": ["Fold S1F1: 2 copies of real rows."],
    "versions": {"python": "3.11.0"},
}  # fmt: skip


TARGET_REPORT: dict[str, Any] = {
    **REPORT,
    "task": "regression",
    "table": {
        "source": "houses.csv", "label": "price", "rows": 300, "features": 3, "lowest": 1500.25, "highest": 98765.4,
        "shots": {"many": 250, "medium": 40, "few": 10}, "few_below": 20, "many_above": 100,
        "bins": [
            {"from": 1500.25, "to": 50000.0, "rows": 290, "shots": "many", "rows_added": 0.0, "features_added": None},
            {"from": 50000.0, "to": 98765.4, "rows": 10, "shots": "few", "rows_added": 120.5, "features_added": 77.0},
        ],
    },
    "settings": {
        **REPORT["settings"], "metric": "mean_absolute_error", "decision_threshold": None,
        "latent_diff_parameters": {"guidance": 1.5},
    },
    "leaderboard": [
        {**REPORT["leaderboard"][0], "score_val": -23456.7},
        {**REPORT["leaderboard"][1], "model": "LatentDiff", "kind": "latent_diff", "score_val": -0.00012345},
    ],
    "comparison": {
        **REPORT["comparison"],
        "scores": [
            {
                "metric": "mean_absolute_error", "higher_is_better": False, "plain": 24000.5, "whole": 23456.7,
                "gain": 543.8, "better": "whole", "rows": 80,
            },
            {
                "metric": "few_mae", "higher_is_better": False, "plain": None, "whole": None, "gain": None,
                "better": "neither", "rows": 0,
            },
        ],
        "interval": [-120.0, 1300.4],
    },
    "folds": [{**REPORT["folds"][0], "before": {"0": 140, "1": 5}, "added": {"1": 60}}],
}  # fmt: skip


def outline(report: dict[str, Any]) -> Page:
    return Page(render_fit_report(report))


def changed(**parts: Any) -> dict[str, Any]:
    return {**copy.deepcopy(REPORT), **parts}


def test_the_page_begins_with_the_verdict_and_shows_every_part() -> None:
    text = " ".join(outline(REPORT).text.split())
    assert text.index(REPORT["headline"]) < text.index("Leaderboard")
    for shown in (
        "15 + 60", "classes are balanced", "LightGBMImb", "-0.0300 to +0.0200", "0.300 / 0.250", "ag.imbllm.temp",
        "2 copies of real rows", "Positive class: yes", "S1F1 1.20", "WeightedEnsemble_L2Plain",
    ):  # fmt: skip
        assert shown in text, shown


def test_the_page_of_a_target_shows_its_bins_and_errors_in_its_unit() -> None:
    text = " ".join(outline(TARGET_REPORT).text.split())
    for shown in (
        "target from 1500 to 98765", "many-shot 250, medium-shot 40, few-shot 10", "LATENT_DIFFguidance", "+543.8",
        "few-shot mean absolute error", "2400023457", "-120.0 to +1300", "-0.0001234", "latent_diff", "fewer than 20",
        "120.577.0",
    ):  # fmt: skip
        assert shown.replace(" ", "") in text.replace(" ", ""), shown
    page = render_fit_report(TARGET_REPORT)
    assert 'class="better"' not in page  # the only gain is within chance
    assert "<td>145</td><td>60</td>" in page
    assert "threshold" not in text
    assert "None" not in text


def test_names_on_the_page_of_a_target_never_become_markup() -> None:
    evil = "<script>alert('x')</script>"
    table = {**TARGET_REPORT["table"], "label": evil, "source": evil}
    page = outline({**TARGET_REPORT, "table": table, "headline": evil})
    assert "script" not in page.tags
    assert page.text.count(evil) == 4


@pytest.mark.parametrize("parts", [{"folds": []}, {"comparison": {**TARGET_REPORT["comparison"], "interval": None}}])
def test_a_page_of_a_target_with_parts_missing_still_renders(parts: dict[str, Any]) -> None:
    assert "</html>" in render_fit_report({**TARGET_REPORT, **parts})


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (-1234567.8, "-1234568"), (12.3456, "12.35"), (0.00012345, "0.0001234"), (3e-12, "3.000e-12")],
)
def test_a_number_in_a_unit_has_the_digits_that_count(value: float, shown: str) -> None:
    assert measure(value) == shown


def test_the_better_value_of_each_metric_is_shaded_unless_it_is_within_chance() -> None:
    page = render_fit_report(REPORT)
    assert "<td>0.9100</td>" in page
    assert '<td class="better">0.8000</td>' in page
    page = render_fit_report(changed(comparison={**REPORT["comparison"], "interval": [-0.03, -0.01]}))
    assert '<td class="better">0.9100</td>' in page
    assert page.count('class="better"') == 2


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = outline(REPORT)
    assert not {"script", "img", "link", "iframe", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "href", "onload", "onclick")]
    assert "url(" not in render_fit_report(REPORT)
    assert "http" not in render_fit_report(REPORT)


STUDY = {
    "name": "LightGBMImb", "best": 1,
    "trials": [
        {"number": 0, "state": "complete", "value": 0.4, "params": {"imbllm.method": "imbllm", "leaves": 31}},
        {"number": 1, "state": "complete", "value": 0.5, "params": {}},
        {"number": 2, "state": "fail", "value": None, "params": {"leaves": 7}},
    ],
}  # fmt: skip


def test_every_trial_of_a_study_is_a_row_and_the_best_one_is_shaded() -> None:
    report = changed(studies=[STUDY, {**STUDY, "name": "CatBoostImb", "best": None}])
    text = " ".join(outline(report).text.split())
    for shown in ("Trials of LightGBMImb", "T1 0.4000", "T2 0.5000", "T3 -", "imbllm.method imbllm, leaves 31"):
        assert shown in text, shown
    assert render_fit_report(report).count('<td class="better">T2</td><td class="better">0.5000</td>') == 1


def test_pictures_stand_with_their_own_study_and_are_described() -> None:
    report = changed(studies=[STUDY, {**STUDY, "name": "CatBoostImb"}])
    page = Page(render_fit_report(report, {"CatBoostImb": {"History": "data:image/svg+xml;base64,PHN2Zy8+"}}))
    assert page.tags.count("img") == 1
    assert ("src", "data:image/svg+xml;base64,PHN2Zy8+") in page.attributes
    assert ("alt", "History of the trials of CatBoostImb") in page.attributes


def test_names_of_the_user_are_shown_and_never_become_markup() -> None:
    evil = "<script>alert('x')</script>&\"'"
    report = changed(headline=evil, notes=[evil])
    report["table"] |= {"label": evil, "source": evil, "classes": {evil: 150, "yes": 30}, "positive": evil}
    report["comparison"] |= {"counts": {evil: 60}}
    report["folds"] = [{**report["folds"][0], "before": {evil: 5}, "added": {evil: 1}, "reason": evil, "name": evil}]
    report["leaderboard"][0]["model"] = evil
    report["studies"] = [{**STUDY, "name": evil, "trials": [{**STUDY["trials"][0], "params": {evil: evil}}]}]
    page = outline(report)
    assert "script" not in page.tags
    assert page.text.count(evil) >= 13


@pytest.mark.parametrize(
    "report",
    [
        changed(folds=[]),
        changed(notes=[]),
        changed(leaderboard=[]),
        changed(
            comparison={
                **REPORT["comparison"], "models": {"plain": None, "whole": "GBM"}, "interval": None,
                "rows": "validation",
                "scores": [{**REPORT["comparison"]["scores"][1], "plain": None, "gain": None, "better": "neither"}],
            }
        ),
        changed(table={**REPORT["table"], "positive": None}, settings={**REPORT["settings"], "folds": None}),
        changed(settings={**REPORT["settings"], "time_limit": 60.0, "decision_threshold": None, "families": []}),
        changed(settings={**REPORT["settings"], "twin_parameters": {"target_ratio": None}}),
    ],
    ids=["no folds", "no notes", "no models", "no plain ensemble", "many classes", "time limit", "default ratio"],
)  # fmt: skip
def test_a_report_with_parts_missing_still_renders(report: dict[str, Any]) -> None:
    assert "</html>" in render_fit_report(report)
    assert "None" not in outline(report).text.replace("None: nothing", "")


def test_a_report_without_a_promised_key_is_refused() -> None:
    with pytest.raises(UndefinedError, match="generator_fits"):
        render_fit_report({key: value for key, value in REPORT.items() if key != "generator_fits"})


def test_no_module_of_this_room_imports_autogluon_or_the_plugin() -> None:
    for file in resources.files("imbllm_autogluon.quality").iterdir():
        if file.name.endswith(".py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not [name for name in names if name.startswith(("autogluon", "imbllm_autogluon.plugin"))]


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
    assert "| average precision | higher | 0.9100 | 0.9000 | -0.0100 | all |" in text
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
