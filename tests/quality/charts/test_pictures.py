from __future__ import annotations

import numpy as np
import pandas as pd

from imbllm_autogluon.quality.charts.compared import compared_rows
from imbllm_autogluon.quality.charts.pictures import MOST_COLUMNS, pictures
from tests.quality.evaluations import evaluation_of
from tests.quality.frames import mixed_rows


def test_all_pictures_of_a_table_are_made() -> None:
    real, written, held = mixed_rows(80), mixed_rows(40, seed=1), mixed_rows(40, seed=2)
    distances = evaluation_of(real, written, holdout=held).distances
    drawn = pictures(compared_rows(real, written, None, held), distances)
    assert len(drawn.columns) == 10
    assert drawn.associations is not None
    assert drawn.distances is not None
    assert len(drawn.distances.outlines) == 3
    assert len(drawn.embedding.clouds) == 3


def test_of_many_columns_the_worst_are_drawn_and_all_are_measured() -> None:
    real = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 40)), columns=[f"c{k}" for k in range(40)])
    written = real.assign(c39=100.0)
    drawn = pictures(compared_rows(real, written), evaluation_of(real, written).distances)
    assert (len(drawn.columns), drawn.left_out, len(drawn.total_variations)) == (MOST_COLUMNS, 16, 40)
    assert drawn.columns[0].name == next(iter(drawn.total_variations)) == "c39"
    assert drawn.associations is not None
    assert "c39" in [full for _, _, full in drawn.associations.names]
