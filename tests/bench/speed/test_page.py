from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from imbllm_autogluon.bench.speed.page import absolute, ratios, text, where_the_time_goes
from imbllm_autogluon.bench.speed.run import SpeedPlan

OURS = {
    "rows/s": 10.0,
    "valid rows/s": 10.0,
    "valid": 1.0,
    "seconds per epoch": 20.0,
    "loading seconds": 1.0,
    "rows": 100.0,
    "sampling seconds": 10.0,
    "forward passes": 40.0,
    "tokens per row": 50.0,
    "forward seconds": 9.0,
    "output layer seconds": 0.4,
    "other seconds": 0.6,
    "peak MiB": 1000.0,
}
PEER = {
    **OURS,
    "rows/s": 1.0,
    "valid rows/s": 0.1,
    "valid": 0.1,
    "seconds per epoch": 60.0,
    "rows": 100.0,
    "sampling seconds": 100.0,
    "forward passes": 250.0,
    "tokens per row": 250.0,
    "forward seconds": 60.0,
    "output layer seconds": 30.0,
    "other seconds": 10.0,
    "peak MiB": 3000.0,
}
LORA = {"seconds per epoch": 40.0, "peak MiB": 2500.0}


def tidy(*repetitions: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Figures of one table; each repetition holds what differs from the figures above, by arm."""
    arms: dict[str, dict[str, float]] = {"ImbLLM": OURS, "be_great": PEER, "be_great, LoRA": LORA}
    return pd.DataFrame(
        [
            {"table": "wide", "arm": arm, "repetition": i, "metric": metric, "value": value}
            for i, changed in enumerate(repetitions)
            for arm, figures in arms.items()
            for metric, value in {**figures, **changed.get(arm, {})}.items()
        ]
    )


def ratio(frame: pd.DataFrame) -> dict[str, Any]:
    (row,) = ratios(frame).to_dict("records")
    return row


def test_every_ratio_is_above_one_where_imbllm_is_better() -> None:
    assert ratio(tidy({})) == {
        "table": "wide",
        "arm": "ImbLLM",
        "rows/s": "10.0",
        "valid rows/s": "100",
        "s/epoch": "3.00",
        "s/epoch, be_great with LoRA": "2.00",
        "peak memory": "3.00",
    }


def test_ratios_are_taken_within_each_repetition_before_their_median() -> None:
    # A slow machine in the second repetition slows both arms down; the ratio stays.
    slow = {"ImbLLM": {"rows/s": 5.0}, "be_great": {"rows/s": 0.5}}
    assert ratio(tidy({}, slow))["rows/s"] == "10.0 (10.0 to 10.0)"
    assert ratio(tidy({}, {}, {"ImbLLM": {"rows/s": 20.0}}))["rows/s"] == "10.0 (10.0 to 20.0)"


@pytest.mark.parametrize(("rates", "expected"), [((0.0,), "100 s (1 of 1 runs)"), ((0.0, 0.1), "100 s (1 of 2 runs)")])
def test_without_a_valid_row_the_page_says_for_how_long_none_came(rates: tuple[float, ...], expected: str) -> None:
    frame = tidy(*({"be_great": {"valid rows/s": rate}} for rate in rates))
    assert ratio(frame)["valid rows/s"] == f"no valid row in {expected}"


def test_on_a_gpu_its_memory_is_compared() -> None:
    gpu = {"ImbLLM": {"peak GPU MiB": 100.0}, "be_great": {"peak GPU MiB": 800.0}}
    assert ratio(tidy(gpu))["peak memory"] == "8.00"


def test_absolute_figures_stand_once_for_each_arm_and_only_where_measured() -> None:
    table = absolute(tidy({}, {"be_great": {"valid": 0.3}}))
    assert list(table["arm"]) == ["ImbLLM", "be_great", "be_great, LoRA"]
    assert list(table["valid"]) == ["1.00 (1.00 to 1.00)", "0.200 (0.100 to 0.300)", ""]
    assert "peak GPU MiB" not in table


def test_the_factors_of_the_ratio_are_named() -> None:
    sentence = where_the_time_goes(tidy({}), "wide")
    assert "50.0 tokens a row in 40 forward passes, 2.00 ms a token (90% forward passes, 4% output layer" in sentence
    assert "250 tokens a row in 250 forward passes, 4.00 ms a token (60% forward passes, 30% output layer" in sentence
    assert "ratio of 10.0 is 5.00 (fewer tokens) x 2.00 (cheaper tokens)" in sentence


@pytest.mark.parametrize(("device", "precision"), [("cpu", False), ("cuda", True)])
def test_the_text_says_what_was_measured_and_how(device: str, precision: bool) -> None:
    page = text(
        tidy({}),
        sizes={"wide": (100, 25)},
        plan=SpeedPlan("model", device, Path("python"), budget=90.0),
        command="imbllm bench speed",
        between=("Monday", "Tuesday"),
        libraries=("torch=1", "torch=2"),
    )
    for part in (
        "`wide` (100 rows, 25 features)",
        "Monday to Tuesday",
        "(torch=2)",
        "after 90 s",
        "`imbllm bench speed`",
    ):
        assert part in page
    assert page.count("| wide") == 1
    assert ("trains in bfloat16 too" in page) == precision
