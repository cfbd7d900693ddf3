"""Class shares of answers, and the speed of the label query."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import prior
from benchmarks.prior import METHODS, PROTOCOL, QUERY, Questions, query_speed
from benchmarks.protocol import Options, run
from benchmarks.tables import Table
from imbllm_autogluon.classification import LanguageModelClassifier
from tests.jobs.fits import mixed_table


def test_methods_are_trained_and_judged_on_rows_that_they_have_not_learned() -> None:
    assert {QUERY, prior.TOP_BLOCKS}.isdisjoint(PROTOCOL.chosen_methods(Options()))
    methods = {name: {**METHODS[name], "pretrain": "none"} for name in ("none", prior.UNIFORM)}
    asked = Options(tables=("seeded:120x3:30",), repeats=1, own={"steps": 2})
    result = run(replace(PROTOCOL, methods=methods), asked)
    figures = result.tidy.pivot_table("value", "method", "metric")
    assert figures["rarest, true share"].to_list() == [25.0, 25.0]
    assert np.isfinite(figures[["gap", "ROC AUC", "log-loss", "fit s"]]).all(axis=None)


def test_all_ways_of_asking_read_the_same_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    visits = Table(mixed_table({"never": 60, "not often": 30, "often": 30}), "label", "visits")
    settings: dict[str, Any] = {**METHODS[QUERY], "steps": 20, "random_state": 0, "threads": 1}
    model = LanguageModelClassifier().set_params(**settings).fit(visits.features, visits.labels).model_
    asked = Questions.of(model, X := visits.features.iloc[:30])
    language_model: Any = model.language_model._backbone.model
    with torch.inference_mode():
        logits = [language_model(**asked.read(row)).logits[0, -1, asked.values[:, 0]] for row in range(30)]
    shares = torch.log_softmax(torch.stack(logits).double(), dim=1).numpy()
    np.testing.assert_allclose(shares, model.log_probabilities(X), atol=1e-5)
    timed = prior.timed
    monkeypatch.setattr(prior, "timed", lambda work, n_rows: (0.5, timed(work, n_rows)[1]))
    figures = query_speed(visits, settings, 50, 10)
    assert (figures["same, decoding"], figures["query s"], figures["decoding s"]) == (100, 10, 50)
    assert figures["x decoding"] == figures["x generate"] == pytest.approx(5)
