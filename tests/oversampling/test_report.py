from __future__ import annotations

import json

import pytest

from imbllm_autogluon.oversampling.report import ClassReport, OversamplingReport, listed

REPORT = OversamplingReport(
    classes=(
        ClassReport("yes", 20, "language model", 30, 0.05, 30, 30, 2, 1),
        ClassReport("maybe", 3, "interpolation", requested=9, made=9),
        ClassReport("asked", 30, "language model", requested=12, made=9, candidates=40),
        ClassReport("rare", 40, "language model", requested=8, made=8, held_out=4, written_freely=8, illegal=2),
    ),
    excluded={"id": "nearly every cell is different"},
    parameters=123,
    losses={"warm-up": (2.0, 1.5), "minority": (1.0,)},
    stopped_by={"warm-up": "steps", "minority": "time limit"},
    held_out_losses={"minority": ((0, 2.5), (1, 2.25))},
    tokens_per_second={"warm-up": 1000.5, "minority": 0.0},
    learning=12,
    loading_seconds=0.125,
    training_tokens=100,
    training_seconds=1.25,
    sampling_tokens=50,
    sampling_seconds=0.5,
)


@pytest.mark.parametrize("report", [REPORT, OversamplingReport()])
def test_a_report_survives_json(report: OversamplingReport) -> None:
    assert OversamplingReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (
            REPORT,
            (
                "yes: 20 rows + 30 by language model, maybe: 3 rows + 9 by interpolation, "
                "asked: 30 rows + 9 of 12 asked for by language model, 22.5% of the candidates accepted, "
                "rare: 40 rows + 8 by language model (1.2 s training, 0.5 s writing)"
            ),
        ),
        (OversamplingReport(), "nothing to make (0.0 s training, 0.0 s writing)"),
    ],
)
def test_a_report_describes_itself_in_one_line(report: OversamplingReport, line: str) -> None:
    assert report.describe() == line


@pytest.mark.parametrize(("freely", "illegal", "share"), [(0, 0, None), (8, 2, 0.25), (8, 0, 0.0), (3, 3, 1.0)])
def test_the_illegal_share_is_of_rows_written_freely(freely: int, illegal: int, share: float | None) -> None:
    assert ClassReport("a", 9, "language model", written_freely=freely, illegal=illegal).illegal_share == share


@pytest.mark.parametrize(("made", "candidates", "rate"), [(8, 40, 0.2), (0, 40, 0.0), (9, 0, None)])
def test_the_acceptance_rate_is_that_of_the_models_own_answers(made: int, candidates: int, rate: float | None) -> None:
    assert ClassReport("a", 9, "language model", made=made, candidates=candidates).acceptance_rate == rate


def test_long_lists_end_in_dots() -> None:
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(list("abcdefg")) == "a, b, c, d, e, ..."
