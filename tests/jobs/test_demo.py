from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from imbllm_autogluon.datasets import load_yeast
from imbllm_autogluon.jobs.demo import _COPIES, _METHODS, _PLAIN, _USUAL, Demo, DemoResult, _decisions, _rare, _verdict
from tests.shared import TINY

if TYPE_CHECKING:
    from pathlib import Path

SMOTE, IMBLLM = [*_METHODS][1:]
ARMS = [_USUAL, _PLAIN, *_METHODS]


@pytest.fixture(scope="module")
def result() -> DemoResult:
    X, y = load_yeast()
    demo = Demo(("LR",), folds=2, settings=TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Demo, "tables", {"tiny": lambda: (X[::2], y[::2])})
        return demo.run("tiny")


def test_all_methods_are_judged_on_the_same_rows_each_once(result: DemoResult) -> None:
    facts = result.facts
    assert [arm["name"] for arm in facts["arms"]] == ARMS
    assert facts["rows"] == sum(n for name, n in facts["classes"].items() if name not in ("POX", "ERL"))
    assert len(facts["notes"]) == 1
    assert facts["notes"][0].endswith("so they are not scored: POX (12 rows), ERL (3 rows).")
    for arm in facts["arms"]:
        assert arm["caught"][0] + arm["missed"][0] == sum(facts["rare"].values())
        assert 0.2 < arm["score"] < 0.9
    plain = facts["arms"][1]
    assert plain["gain"] is None
    for arm in (arm for arm in facts["arms"] if arm is not plain):
        gain, low, high = arm["gain"]
        assert gain == pytest.approx(arm["score"] - plain["score"])
        assert low <= gain <= high


def test_twins_cost_their_own_seconds_and_those_of_imbllm_hold_the_generators(result: DemoResult) -> None:
    usual, plain, copies, smote, imbllm = (arm["seconds"] for arm in result.facts["arms"])
    assert max(usual, plain) < min(copies, smote)
    assert max(copies, smote) < imbllm


def test_the_demo_fits_a_screen_and_a_page_that_needs_no_network_and_no_script(
    result: DemoResult, tmp_path: Path
) -> None:
    lines = result.to_text().splitlines()
    assert len(lines) == 8
    assert max(map(len, lines[:7])) <= 110
    (tmp_path / "imbllm_demo.html").write_text("an earlier one", encoding="utf-8")
    page = DemoResult.write_page([result], tmp_path)
    assert [page] == list(tmp_path.iterdir())
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", text)
    assert 'aria-label="Associations of columns in real and in synthetic rows"' in text
    for shown in ("false alarms", "balanced accuracy", *(name.replace("'", "&#39;") for name in ARMS)):
        assert shown in text


def test_rare_are_classes_with_less_than_half_of_an_even_share() -> None:
    assert _rare(np.repeat([0, 1, 2, 3], [50, 9, 12, 29])).tolist() == [2, 1]
    assert _rare(np.repeat([0, 1], [95, 5])).tolist() == [1]


def test_a_rare_row_that_gets_another_rare_class_is_missed_and_a_false_alarm() -> None:
    labels, decided = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 2, 2])
    counts = _decisions(labels, decided, np.array([1, 2]), [np.arange(5), np.zeros(5, dtype=np.int64)])
    assert {kind: value for kind, (value, _, _) in counts.items()} == {"caught": 2, "missed": 1, "false": 2}
    assert counts["caught"][1:] == pytest.approx((0.05, 1.95))


SURE, CHANCE, BAD = (0.02, 0.01, 0.03), (0.02, -0.01, 0.05), (-0.02, -0.03, -0.01)


@pytest.mark.parametrize(
    ("ensemble", "copies", "smote", "imbllm", "lead", "said"),
    [
        (CHANCE, CHANCE, CHANCE, CHANCE, CHANCE, ["by no more than chance.", "No twins make it better"]),
        (SURE, SURE, CHANCE, (0.03, 0.01, 0.05), CHANCE, ["is better than AutoGluon's", "Duplicates suffice here"]),
        (BAD, SURE, CHANCE, (0.05, 0.04, 0.06), SURE, ["is worse than AutoGluon's", "+ ImbLLM: better", "by +0.020"]),
        (SURE, CHANCE, SURE, BAD, CHANCE, ["+ SMOTE-NC: better", "not beyond chance", "Worse than it: plain + ImbLLM"]),
    ],
    ids=["nothing", "duplicates", "written rows", "not more than duplicates"],
)
def test_the_verdict_says_what_the_intervals_allow(
    ensemble: tuple[float, ...], copies: object, smote: object, imbllm: object, lead: object, said: list[str]
) -> None:
    gains = {(_PLAIN, _USUAL): ensemble, (_COPIES, _PLAIN): copies, (SMOTE, _PLAIN): smote, (IMBLLM, _PLAIN): imbllm}
    verdict = _verdict(lambda arm, other: gains.get((arm, other), lead))  # type: ignore[arg-type,return-value]
    assert all(part in verdict for part in said), verdict
