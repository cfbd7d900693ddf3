from __future__ import annotations

import json
from typing import TYPE_CHECKING

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.jobs.rows_report import NOTHING, rows_report
from imbllm_autogluon.jobs.written_rows import written_rows
from tests.jobs.fits import binary_outcome
from tests.jobs.target_fits import target_outcome, unbagged_outcome

if TYPE_CHECKING:
    import pytest


def test_the_rows_of_one_fold_are_judged_beside_its_real_and_held_out_rows() -> None:
    outcome = binary_outcome()
    fold = written_rows(outcome.predictor)
    found = rows_report(outcome.predictor, outcome.job.train.frame)
    assert fold is not None
    assert fold.held_out is not None
    facts = json.loads(json.dumps(found.facts, allow_nan=False))
    assert (facts["reason"], facts["fold"], facts["method"], facts["original"]) == ("", "S1F1", "imbllm", True)
    rare = [int((rows["label"] == "yes").sum()) for rows in (fold.real, fold.synthetic, fold.held_out)]
    assert [facts["rows"][name] for name in ("real", "synthetic", "holdout")] == rare
    assert {"coverage", "close probability", "exact copies"} <= {measure["name"] for measure in facts["measures"]}
    assert next(m["value"] for m in facts["measures"] if m["name"] == "exact copies") == 0.0
    assert found.section is not None


def test_rows_of_rare_targets_are_judged_by_bin_with_the_target_for_a_column() -> None:
    facts = rows_report(target_outcome().predictor).facts
    assert facts["label"] == "price range"
    assert {column["name"] for column in facts["columns"]} == {"area", "city", "price"}


def test_without_rows_the_reason_is_said() -> None:
    found = rows_report(unbagged_outcome().predictor)
    assert found.facts == {"reason": NOTHING}
    assert found.section is None


def test_rows_that_cannot_be_judged_cost_only_their_own_section(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise TableError("odd rows.")

    monkeypatch.setattr("imbllm_autogluon.quality.evaluation.evaluate", refuse)
    found = rows_report(binary_outcome().predictor)
    assert found.facts == {"reason": "The rows of fold S1F1 could not be judged: odd rows."}
