from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from imbllm_autogluon.rebalancing.prior import correct_prior, prior_factors


def test_factors_are_real_share_over_rebalanced_share() -> None:
    assert prior_factors({0: 90, 1: 10}, {1: 80}, 2) == pytest.approx([0.9 / 0.5, 0.1 / 0.5])


def test_a_class_without_rows_keeps_the_factor_one() -> None:
    assert prior_factors({0: 90, 2: 10}, {2: 80}, 3)[1] == 1.0


def test_a_model_that_knows_only_the_rebalanced_shares_predicts_the_real_ones_after_correction() -> None:
    factors = prior_factors({0: 90, 1: 10}, {1: 80}, 2)
    assert correct_prior(np.array([0.5]), factors) == pytest.approx([0.1])
    assert correct_prior(np.array([[0.5, 0.5]]), factors) == pytest.approx(np.array([[0.9, 0.1]]))


@given(hnp.arrays(np.float32, 20, elements=st.floats(0, 1, width=32)))
def test_correction_keeps_range_order_dtype_and_the_certain_cases(probabilities: np.ndarray) -> None:
    corrected = correct_prior(probabilities, prior_factors({0: 90, 1: 10}, {1: 80}, 2))
    assert corrected.dtype == np.float32
    assert ((corrected >= 0) & (corrected <= 1)).all()
    assert (np.diff(corrected[np.argsort(probabilities, kind="stable")]) >= 0).all()
    assert (corrected[probabilities == 0] == 0).all()
    assert (corrected[probabilities == 1] == 1).all()


def test_binary_and_two_column_forms_agree() -> None:
    positive = np.linspace(0, 1, 7)
    factors = prior_factors({0: 50, 1: 5}, {1: 20}, 2)
    both = correct_prior(np.column_stack([1 - positive, positive]), factors)
    assert correct_prior(positive, factors) == pytest.approx(both[:, 1])
    assert both.sum(axis=1) == pytest.approx(1.0)


def test_rows_of_zero_probability_everywhere_are_returned_as_they_are() -> None:
    assert correct_prior(np.zeros((1, 3)), np.array([1.0, 2.0, 3.0])).tolist() == [[0.0, 0.0, 0.0]]
