from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from imbllm_autogluon.bench.new_rows import new_rows
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling.baselines import BASELINES
from imbllm_autogluon.oversampling.methods import generator_of
from imbllm_autogluon.randomness import child_seed
from tests.jobs.fits import mixed_table

if TYPE_CHECKING:
    from collections.abc import Hashable

BARELY = {"layers": 1, "width": 16, "warmup_steps": 0, "steps": 2}
COUNTS: dict[Hashable, int] = {"yes": 30, "often": 7}


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, pd.Series[Any]]:
    frame = mixed_table({"no": 60, "often": 30, "yes": 20})
    return frame.drop(columns="label"), frame["label"]


@pytest.mark.parametrize(
    "spec",
    [{"method": "random"}, {"method": "smote_nc"}, {"method": "imbllm", **BARELY}, {"method": "great", **BARELY}],
)
def test_every_method_writes_what_is_wanted_and_the_same_again(
    rows: tuple[pd.DataFrame, pd.Series[Any]], spec: dict[str, Any]
) -> None:
    X, y = new_rows(*rows, COUNTS, spec, 0, 1)
    assert y.value_counts().to_dict() == COUNTS
    pd.testing.assert_series_equal(X.dtypes, rows[0].dtypes)
    pd.testing.assert_frame_equal(new_rows(*rows, COUNTS, spec, 0, 1)[0], X)
    assert not new_rows(*rows, COUNTS, spec, 1, 1)[0].equals(X)


def test_seeds_are_those_that_stored_figures_were_measured_with(rows: tuple[pd.DataFrame, pd.Series[Any]]) -> None:
    own = BASELINES["smote_nc"](*rows, COUNTS, seed=child_seed(3, "values", "smote_nc"))
    pd.testing.assert_frame_equal(new_rows(*rows, COUNTS, {"method": "smote_nc"}, 3, 1)[0], own[0])
    spec = {"method": "imbllm", **BARELY}
    written = generator_of(spec, random_state=3, threads=1).fit(*rows, COUNTS).sample()
    pd.testing.assert_frame_equal(new_rows(*rows, COUNTS, spec, 3, 1)[0], written[0])


def test_a_method_that_there_is_not_is_refused(rows: tuple[pd.DataFrame, pd.Series[Any]]) -> None:
    with pytest.raises(InvalidInputError, match="'smote'"):
        new_rows(*rows, COUNTS, {"method": "smote"}, 0, 1)
