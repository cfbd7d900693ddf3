from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks import prior
from benchmarks.prior import METHODS, PROTOCOL
from benchmarks.protocol import Options, run


def test_methods_are_trained_and_judged_on_rows_that_they_have_not_learned() -> None:
    assert prior.TOP_BLOCKS not in PROTOCOL.chosen_methods(Options())
    methods = {name: {**METHODS[name], "warmup": "none"} for name in ("none", prior.UNIFORM)}
    asked = Options(tables=("seeded:120x3:30",), repeats=1, own={"steps": 2})
    figures = run(replace(PROTOCOL, methods=methods), asked).tidy.pivot_table("value", "method", "metric")
    assert figures["rarest, true share"].to_list() == [25.0, 25.0]
    assert np.isfinite(figures[["gap", "ROC AUC", "log-loss", "fit s"]]).all(axis=None)
