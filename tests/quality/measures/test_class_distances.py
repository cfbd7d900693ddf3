from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.quality.measures.class_distances import class_distances, draw
from imbllm_autogluon.quality.measures.class_rows import HOLDOUT, REAL, SYNTHETIC, matched_tables


def line(*values: float) -> pd.DataFrame:
    return pd.DataFrame({"a": values})


def found_for(real: pd.DataFrame, synthetic: pd.DataFrame, holdout: pd.DataFrame | None = None, most: int = 99):  # type: ignore[no-untyped-def]  # noqa: ANN201
    tables = {REAL: real, SYNTHETIC: synthetic, **({} if holdout is None else {HOLDOUT: holdout})}
    (rows,) = matched_tables(tables, None).classes
    return class_distances(rows, most, np.random.default_rng(0))


def test_distances_are_in_standard_deviations_of_the_real_rows() -> None:
    real = line(0.0, 2.0, 4.0, 10.0)
    unit = real["a"].std(ddof=0)
    found = found_for(real, line(1.5, 20.0), line(1.0, 11.0))
    assert found.to_real.distance * unit == pytest.approx([0.5, 10.0])
    assert found.to_real.position.tolist() == [1, 3]
    assert found.to_holdout.distance * unit == pytest.approx([0.5, 9.0])
    assert found.real_to_real * unit == pytest.approx([2.0, 2.0, 2.0, 6.0])
    assert found.real_to_holdout * unit == pytest.approx([1.0, 1.0, 3.0, 1.0])


@pytest.mark.parametrize("n_holdout", [1, 3, 6])
def test_the_larger_table_counts_what_is_nearer_than_the_smaller(n_holdout: int) -> None:
    found = found_for(line(0.0, 1.0, 2.0), line(0.0), line(*([1.0] * n_holdout)))
    larger, other = (found.to_real, found.to_holdout) if n_holdout <= 3 else (found.to_holdout, found.to_real)
    assert larger.closer.tolist() == ([1] if n_holdout <= 3 else [0])
    assert other.closer.tolist() == [0]


def test_only_queries_are_drawn_and_all_rows_are_compared_with() -> None:
    real = line(*range(100))
    found = found_for(real, real, most=10)
    assert len(found.to_real.distance) == len(found.real_to_real) == 10
    assert found.to_real.distance.max() == 0.0
    np.testing.assert_array_equal(found.to_real.position, found.looked_at[SYNTHETIC])
    assert found.to_holdout is None
    assert found.real_to_holdout is None


def test_a_draw_is_sorted_and_without_repeats() -> None:
    drawn = draw(50, 20, np.random.default_rng(0))
    assert (np.diff(drawn) > 0).all()
    assert draw(5, 20, np.random.default_rng(0)).tolist() == [0, 1, 2, 3, 4]
