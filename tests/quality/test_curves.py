from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from imbllm_autogluon.quality.curves import _MOST_POINTS, calibration_chart, loss_windows, precision_recall_chart

RNG = np.random.default_rng(0)
PROBABILITIES = RNG.random(2000)
TRUTH = RNG.random(2000) < PROBABILITIES


def points(line: dict[str, Any]) -> np.ndarray:
    return np.column_stack([line["x"], line["y"]])


def test_precision_falls_from_the_surest_rows_to_the_share_of_positives() -> None:
    chart = precision_recall_chart(TRUTH, {"good": PROBABILITIES, "chance": RNG.random(2000)})
    good, chance = (points(line) for line in chart["lines"])
    assert len(good) <= _MOST_POINTS
    assert good[0] == pytest.approx([1, TRUTH.mean()], abs=0.01)
    assert good[len(good) // 2, 1] > chance[len(chance) // 2, 1] + 0.1
    assert chart["lines"][0]["figure"] == pytest.approx(average_precision_score(TRUTH, PROBABILITIES))
    assert (good >= -0.001).all()
    assert (good <= 1.001).all()


def test_probabilities_that_mean_what_they_say_lie_on_the_diagonal() -> None:
    chart = calibration_chart(TRUTH, {"true": PROBABILITIES, "squared": PROBABILITIES**2})
    on, off = (points(line) for line in chart["lines"])
    assert np.abs(on[:, 0] - on[:, 1]).max() < 0.08
    assert (off[2:8, 1] > off[2:8, 0] + 0.05).all()
    assert chart["lines"][0]["figure"] < 0.05 < chart["lines"][1]["figure"]


def test_the_axes_of_a_rare_class_end_where_its_probabilities_do() -> None:
    rare = PROBABILITIES / 20
    truth = RNG.random(2000) < rare
    chart = calibration_chart(truth, {"a": rare})
    assert points(chart["lines"][0]).max() <= chart["end"] <= 0.1


def test_equal_probabilities_and_few_rows_have_curves() -> None:
    assert len(points(calibration_chart([True, False], {"a": [0.5, 0.5]})["lines"][0])) == 1
    assert precision_recall_chart([True, False], {"a": [0.5, 0.5]})["lines"][0]["figure"] == 0.5
    assert calibration_chart([True, False], {"a": [0.0, 0.0]})["lines"][0]["figure"] == 0.5


def test_long_losses_are_averaged_and_those_that_are_no_numbers_left_out() -> None:
    folds = {"a": {"warm-up": [3.0] * 400, "minority": [1.0] * 200}, "b": {"warm-up": [2.0, float("nan")]}}
    found = loss_windows(folds)
    steps, losses = found["a"]
    assert len(steps) == _MOST_POINTS
    assert (steps[0], steps[-1], losses[0], losses[-1]) == (3.0, 598.0, 3.0, 1.0)
    assert found["b"] == ([1.0], [2.0])


@pytest.mark.parametrize("folds", [{}, {"a": {}}, {"a": {"warm-up": []}}, {"a": {"warm-up": [float("nan")]}}])
def test_folds_without_losses_have_no_line(folds: dict[str, dict[str, list[float]]]) -> None:
    assert loss_windows(folds) == {}


def test_every_point_of_a_rare_class_has_positive_rows_and_an_interval_around_its_share() -> None:
    rng = np.random.default_rng(1)
    rare = rng.beta(0.05, 2.0, 4000)
    truth = rng.random(4000) < rare
    (line,) = calibration_chart(truth, {"a": rare})["lines"]
    share, low, high = (np.array(line[name]) for name in ("y", "low", "high"))
    assert len(share) == 10
    assert (share > 0).all()
    assert ((low < share) & (share < high)).all()
    assert max(line["x"]) > 0.5 > 20 * rare.mean()  # the few rows that are likely are not averaged with the many
