from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality.measures.calibration import (
    class_share_gaps,
    expected_calibration_error,
    largest_share_gap,
)


def binary(p: Any) -> Any:
    return np.column_stack([1 - np.asarray(p), p])


def test_the_error_is_the_mean_gap_of_the_bins_weighted_by_their_rows() -> None:
    # Bins of ten: (0.5, 0.6] holds two rows (confidence 0.6, half right), (0.8, 0.9] two (0.9, both right).
    probabilities = binary([0.6, 0.6, 0.1, 0.9])
    expected = 2 / 4 * abs(0.6 - 0.5) + 2 / 4 * abs(0.9 - 1.0)
    assert expected_calibration_error(probabilities, [1, 0, 0, 1], bins=10) == pytest.approx(expected)


def test_the_bins_are_closed_above() -> None:
    # 0.5 lies in (0, 0.5], 0.75 in (0.5, 1]: the gaps +0.5 and -0.25 do not cancel.
    assert expected_calibration_error(binary([0.5, 0.75]), [1, 1], bins=2) == pytest.approx(0.375)


def test_more_bins_than_rows_and_one_bin_are_allowed() -> None:
    probabilities, labels = binary([0.6, 0.9]), [1, 0]
    assert expected_calibration_error(probabilities, labels, bins=1) == pytest.approx(abs(0.75 - 0.5))
    assert expected_calibration_error(probabilities, labels, bins=1000) == pytest.approx((0.4 + 0.9) / 2)


@pytest.mark.parametrize("labels_right", [True, False])
def test_certain_predictions_have_no_error_if_right_and_the_largest_if_wrong(labels_right: bool) -> None:
    labels = np.array([0, 1, 2, 1])
    probabilities = np.eye(3)[labels if labels_right else (labels + 1) % 3]
    assert expected_calibration_error(probabilities, labels) == (0.0 if labels_right else 1.0)


def test_labels_drawn_from_the_probabilities_are_nearly_calibrated_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    labels = (rng.random(len(p)) < p).astype(int)
    assert expected_calibration_error(binary(p), labels) < 0.02
    sharpened = p**3 / (p**3 + (1 - p) ** 3)
    assert expected_calibration_error(binary(sharpened), labels) > 0.08


@pytest.mark.parametrize(
    ("probabilities", "labels", "bins", "message"),
    [
        ([0.5, 0.5], [0, 1], 15, r"shape \(n, k\).*got \(2,\).*column_stack"),
        ([[1.0], [1.0]], [0, 0], 15, r"got \(2, 1\)"),
        (np.zeros((0, 2)), [], 15, r"got \(0, 2\)"),
        ([[0.5, 0.6]], [0], 15, "row 0 .* no distribution"),
        ([[0.5, 0.5], [1.5, -0.5]], [0, 0], 15, "row 1"),
        ([[0.5, np.nan]], [0], 15, "row 0"),
        ([[0.5, 0.5]], [0, 1], 15, r"labels must have shape \(1,\); got \(2,\)"),
        ([[0.5, 0.5]], [2], 15, "labels must lie in 0 … 1; got 2 … 2"),
        ([[0.5, 0.5]], [-1], 15, "labels must lie"),
        ([[0.5, 0.5]], ["yes"], 15, "labels must be whole numbers"),
        ([[0.5, 0.5]], [0], 0, "bins must be a whole number of at least 1; got 0"),
        ([[0.5, 0.5]], [0], 2.5, "bins"),
    ],
)
def test_wrong_shapes_codes_and_bins_are_refused(probabilities: Any, labels: Any, bins: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        expected_calibration_error(probabilities, labels, bins)


def test_a_gap_is_the_predicted_share_minus_the_true_one() -> None:
    gaps = class_share_gaps([0, 0, 0, 1, 2], [0, 1, 1, 1, 2], 4)
    assert gaps == pytest.approx([0.4, -0.4, 0.0, 0.0])
    assert largest_share_gap([0, 0, 0, 1, 2], [0, 1, 1, 1, 2], 4) == pytest.approx(0.4)


def test_the_right_shares_have_no_gap_even_if_every_prediction_is_wrong() -> None:
    assert largest_share_gap([0, 1], [1, 0], 2) == 0.0


def test_weights_count_rows_more_than_once() -> None:
    predicted, true, weights = np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([1, 2, 3])
    expected = class_share_gaps(np.repeat(predicted, weights), np.repeat(true, weights), 2)
    assert class_share_gaps(predicted, true, 2, weights) == pytest.approx(expected)
    assert expected == pytest.approx([-2 / 6, 2 / 6])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [0], 2), r"predicted must have shape \(1,\); got \(2,\)"),
        (([[0]], [0], 2), "predicted must have shape"),
        (([], [], 2), "true must have shape"),
        (([0], [2], 2), "true must lie in 0 … 1"),
        (([0.5], [0], 2), "predicted must be whole numbers"),
        (([0], [0], 1), "n_classes must be a whole number of at least 2; got 1"),
        (([0], [0], 2, [1, 1]), r"weights must have shape \(1,\); got \(2,\)"),
        (([0], [0], 2, [-1]), "none negative"),
        (([0], [0], 2, [0]), "not all zero"),
        (([0], [0], 2, [np.nan]), "finite"),
    ],
)
def test_wrong_arguments_of_the_gaps_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        class_share_gaps(*arguments)
