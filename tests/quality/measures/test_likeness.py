from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.quality.measures.evaluation import evaluate
from imbllm_autogluon.quality.measures.likeness import density_and_coverage, inverse_kl
from imbllm_autogluon.quality.measures.pair_trends import pair_trends
from tests.quality.frames import mixed_rows


def test_the_figures_are_those_of_the_single_functions() -> None:
    real, synthetic = mixed_rows(120), mixed_rows(120, 1)
    found = evaluate(real, synthetic)
    both = density_and_coverage(real, synthetic)
    assert found.measure("density").value == pytest.approx(both.density)
    assert found.measure("coverage").value == pytest.approx(both.coverage)
    assert found.measure("inverse KL").value == pytest.approx(inverse_kl(real, synthetic))
    assert found.measure("pair trends").value == pytest.approx(pair_trends(real, synthetic))


@pytest.mark.parametrize(("n_holdout", "note"), [(30, "Of 30 hold-out rows"), (29, "Of the training rows")])
def test_hold_out_rows_are_to_be_reached_where_there_are_enough(n_holdout: int, note: str) -> None:
    found = evaluate(mixed_rows(60), mixed_rows(60, 1), holdout=mixed_rows(n_holdout, 2))
    assert found.measure("coverage").note.startswith(note)


def test_few_written_rows_are_asked_to_reach_as_many_real_ones() -> None:
    found = evaluate(mixed_rows(600), mixed_rows(40, 1)).measure("coverage")
    assert "40 of them, as many as written rows" in found.note
    assert found.value > 0.85  # type: ignore[operator]
    assert density_and_coverage(mixed_rows(600), mixed_rows(40, 1)).coverage < 0.4


def test_small_classes_are_asked_for_no_more_than_their_halves_reach() -> None:
    small, large = (evaluate(mixed_rows(n), mixed_rows(n, 1)).measure("pair trends") for n in (40, 800))
    assert small.acceptable[0] < large.acceptable[0] <= 0.9
    assert "Two halves of the real rows reach" in small.note
    assert small.verdict == large.verdict == "good"


@pytest.mark.parametrize("n", [5, 39])
def test_too_few_rows_have_no_discriminator(n: int) -> None:
    found = evaluate(mixed_rows(200), mixed_rows(n, 1))
    assert found.measure("discriminator AUC").value is None
    assert f"there are {n}" in found.measure("discriminator AUC").note
    assert (found.measure("density").value is None) == (n == 5)


def test_three_real_rows_are_compared_without_halves() -> None:
    real = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "x"]})
    found = evaluate(real, pd.concat([real] * 3)).measure("inverse KL")
    assert found.acceptable == (0.9, 1.0)
    assert np.isfinite(found.value)  # type: ignore[arg-type]


@pytest.mark.parametrize(("n_holdout", "beside"), [(100, "hold-out"), (99, "training")])
def test_written_rows_are_told_from_hold_out_rows_where_there_are_enough(n_holdout: int, beside: str) -> None:
    real = mixed_rows(120).assign(number=5.0)
    found = evaluate(real, real, holdout=mixed_rows(n_holdout, 2)).measure("discriminator AUC")
    assert f"as many {beside} rows" in found.note
    assert (found.verdict == "poor") == (beside == "hold-out")
