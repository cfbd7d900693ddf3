from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.quality.charts.associations import FEWEST_ROWS, associations
from imbllm_autogluon.quality.measures.pairs import FloatArray, paired_columns
from tests.quality.frames import mixed_rows

RNG = np.random.default_rng(0)


def strengths(frame: pd.DataFrame, weights: FloatArray | None = None) -> FloatArray:
    return associations(paired_columns(frame, frame), weights)


def test_strengths_are_symmetric_from_zero_to_one() -> None:
    found = strengths(mixed_rows(200))
    assert found.shape == (10, 10)
    assert np.array_equal(found, found.T)
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diag(found) == 1).all()


def test_independent_columns_of_any_kind_are_hardly_associated() -> None:
    found = strengths(mixed_rows(2000, gaps=False))
    assert found[np.tril_indices(10, -1)].max() < 0.1


def test_a_number_is_told_by_its_square_root_its_opposite_and_its_half() -> None:
    x = RNG.random(300)
    found = strengths(pd.DataFrame({"x": x, "root": np.sqrt(x), "minus": -x, "half": np.where(x > 0.5, "b", "a")}))
    assert found[0, 1:] == pytest.approx([1, 1, 0.866], abs=0.01)


def test_levels_that_are_renamed_tell_each_other() -> None:
    level = pd.Series(RNG.choice(["a", "b", "c"], 300))
    found = strengths(pd.DataFrame({"a": level, "b": level.map({"a": "x", "b": "y", "c": "z"})}))
    assert found[0, 1] == pytest.approx(1)


def test_many_levels_of_few_rows_do_not_look_associated() -> None:
    frame = pd.DataFrame({"a": RNG.choice(list("abcdefghij"), 60), "b": RNG.choice(list("klmnopqrst"), 60)})
    assert strengths(frame)[0, 1] < 0.2


def test_weights_decide_which_rows_count() -> None:
    x = np.arange(200.0)
    frame = pd.DataFrame({"x": x, "y": np.append(x[:100], RNG.permutation(x[100:]))})
    assert strengths(frame, np.repeat([1.0, 1e-9], 100))[0, 1] == pytest.approx(1)
    assert strengths(frame, np.repeat([1e-9, 1.0], 100))[0, 1] < 0.3


def test_constant_columns_have_no_association() -> None:
    frame = pd.DataFrame({"x": range(50), "one": 1, "level": ["a"] * 50})
    assert strengths(frame)[np.tril_indices(3, -1)].tolist() == [0, 0, 0]


def test_of_too_few_rows_with_both_values_nothing_is_said() -> None:
    frame = pd.DataFrame({"x": np.arange(60.0), "y": np.arange(60.0)})
    frame.loc[FEWEST_ROWS - 1 :, "y"] = np.nan
    assert np.isnan(strengths(frame)[0, 1])
    frame.loc[FEWEST_ROWS - 1, "y"] = 1.0
    assert not np.isnan(strengths(frame)[0, 1])


def test_the_synthetic_side_is_asked_by_name() -> None:
    x = np.arange(100.0)
    real = pd.DataFrame({"x": x, "y": x})
    columns = paired_columns(real, real.assign(y=RNG.permutation(x)))
    assert associations(columns)[0, 1] == pytest.approx(1)
    assert associations(columns, synthetic=True)[0, 1] < 0.3
