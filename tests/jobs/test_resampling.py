from __future__ import annotations

import numpy as np
import pytest
from autogluon.core.metrics import balanced_accuracy

from imbllm_autogluon.jobs import resampling
from imbllm_autogluon.jobs.resampling import decisions_interval, difference_interval


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide() -> None:
    values = np.random.default_rng(1).normal(0.5, 1.0, 400)
    low, high = difference_interval(lambda rows: float(values[rows].mean()), np.zeros(400)) or (0.0, 0.0)
    assert low < values.mean() < high
    assert high - low == pytest.approx(4 * 1.0 / 20, rel=0.2)


def test_no_class_dies_out_in_a_resample() -> None:
    classes = np.repeat([0, 1], [98, 2])
    sizes: list[tuple[int, int]] = []

    def difference(rows: np.ndarray) -> float:
        sizes.append(tuple(np.bincount(classes[rows])))
        return 0.0

    difference_interval(difference, classes)
    assert set(sizes) == {(98, 2)}


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(1).normal(size=50)
    intervals = {difference_interval(lambda rows: float(values[rows].mean()), np.zeros(50), seed=s) for s in (1, 1, 2)}
    assert len(intervals) == 2


def test_large_tables_are_not_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "MOST_ROWS", 10)
    assert difference_interval(lambda _: 1.0, np.zeros(11)) is None


def test_the_interval_of_decisions_is_that_of_the_metric_on_the_drawn_rows() -> None:
    rng = np.random.default_rng(0)
    classes = rng.choice(3, 200, p=[0.7, 0.2, 0.1])
    better, worse = (np.where(rng.random(200) < share, classes, 0) for share in (0.8, 0.6))

    def gain(rows: np.ndarray) -> float:
        return balanced_accuracy(classes[rows], better[rows]) - balanced_accuracy(classes[rows], worse[rows])

    expected = difference_interval(gain, classes)
    assert decisions_interval(balanced_accuracy, classes, better, worse) == pytest.approx(expected)
