"""What rebalancing costs, a fold and a whole fit."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks import overhead, stage
from benchmarks.protocol import Options, run
from benchmarks.tables import read_named


def test_peers_of_a_stage_are_measured_in_processes_that_load_no_torch() -> None:
    result = run(stage.PROTOCOL, Options(tables=("seeded:120x6:20",), methods=("SMOTE-NC",), repeats=1))
    figures = result.tidy.set_index("metric")["value"]
    assert set(figures.index) == {"seconds", "rows/s of writing", "valid", "peak MiB"}
    assert 50 < figures["peak MiB"] < 330


def test_every_row_of_a_barely_trained_generator_is_valid() -> None:
    spec = {"method": "imbllm", "steps": 1, "pretrain_steps": 0}
    figures = stage.rebalance(read_named("seeded:80x6:20"), spec, 0, 1)
    assert figures["valid"] == 1.0
    assert 0 < figures["training seconds"] < figures["seconds"]


SLOW = pytest.param({"method": "imbllm", "steps": 2, "pretrain_steps": 2}, 4, True, marks=pytest.mark.slow)


@pytest.mark.parametrize(("spec", "models", "has_generator"), [({"method": "random"}, 3, False), SLOW])
def test_a_fit_is_measured_with_its_generators(spec: dict[str, object], models: int, has_generator: bool) -> None:
    figures = overhead.fit(read_named("seeded:120x4:20"), spec, ["LR"], 2, 1)
    assert figures["models"] == models
    assert (figures["generators"] > 0) == has_generator
    assert figures["seconds"] > figures["generators"] >= 0
    assert figures["CPU seconds"] > 0


def test_ratios_are_medians_of_splits_and_not_ratios_of_medians() -> None:
    seconds = {overhead.PLAIN: [1.0, 10.0, 2.0], "twins": [2.0, 40.0, 6.0]}
    rows = [(method, split, value) for method, values in seconds.items() for split, value in enumerate(values)]
    tidy = pd.DataFrame(rows, columns=["method", "split", "value"]).assign(table="tiny", metric="seconds")
    plain, twins = (line.split("|")[3:5] for line in overhead.costs(tidy, overhead.PROTOCOL).splitlines()[-2:])
    assert "**does NOT hold**: mean 3.00; above 2 on tiny (3.00)" in overhead.costs(
        tidy.replace({"method": {"twins": overhead.IMBLLM}}), overhead.PROTOCOL
    )
    assert [cell.strip() for cell in plain] == ["2.0 (1.0 to 10.0)", "1.00 (1.00 to 1.00)"]
    assert [cell.strip() for cell in twins] == ["6.0 (2.0 to 40.0)", "3.00 (2.00 to 4.00)"]
