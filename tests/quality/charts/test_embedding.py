from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.quality.charts.compared import compared_rows
from imbllm_autogluon.quality.charts.embedding import HEIGHT, MOST_POINTS, WIDTH, Cloud, embedding
from tests.quality.frames import mixed_rows


def points(cloud: Cloud) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"M(-?[\d.]+) (-?[\d.]+)", cloud.path)]


def middle(cloud: Cloud) -> float:
    return float(np.mean([x for x, _ in points(cloud)]))


def labelled(n: int, seed: int) -> pd.DataFrame:
    return mixed_rows(n, seed=seed).assign(y=np.where(np.arange(n) % 4 == 0, "rare", "common"))


def test_every_kind_of_rows_is_a_cloud_with_a_mark_of_its_own_inside_the_frame() -> None:
    real, written = labelled(200, 0), labelled(100, 1).query("y == 'rare'")
    found = embedding(compared_rows(real, written, "y", labelled(80, 2)))
    assert [cloud.kind for cloud in found.clouds] == ["others", "real", "holdout", "synthetic"]
    assert [cloud.rows for cloud in found.clouds] == [150, 50, 20, 25]
    assert len({cloud.mark for cloud in found.clouds}) == 4
    for cloud in found.clouds:
        assert len(points(cloud)) == cloud.rows
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points(cloud))


def test_rows_that_differ_lie_apart_and_equal_rows_lie_on_each_other() -> None:
    real = pd.DataFrame({"x": np.repeat([0.0, 9.0], 50), "y": np.repeat(["a", "b"], 50), "z": np.arange(100) % 7})
    found = embedding(compared_rows(real, real.iloc[50:], "y"))
    others, own, synthetic = found.clouds
    assert abs(middle(own) - middle(others)) > WIDTH / 3
    assert set(points(own)) == set(points(synthetic))


def test_levels_that_real_rows_lack_and_missing_cells_are_placed_too() -> None:
    real = mixed_rows(60)
    written = mixed_rows(30, seed=1).assign(words="never seen", number=np.nan)
    assert len(points(embedding(compared_rows(real, written)).clouds[-1])) == 30


def test_of_many_rows_some_are_drawn_and_the_count_says_so() -> None:
    many = pd.DataFrame({"x": np.arange(2000.0), "y": np.arange(2000) % 11})
    clouds = embedding(compared_rows(many, many), seed=3).clouds
    assert [(cloud.shown, cloud.rows) for cloud in clouds] == [(MOST_POINTS, 2000)] * 2
    assert sum(len(cloud.path) for cloud in clouds) < 40_000
    assert clouds[0].path == embedding(compared_rows(many, many), seed=3).clouds[0].path


@pytest.mark.parametrize("frame", [pd.DataFrame({"x": range(20)}), pd.DataFrame({"x": [1] * 20, "y": ["a"] * 20})])
def test_tables_of_one_column_or_of_equal_rows_have_a_plane(frame: pd.DataFrame) -> None:
    found = embedding(compared_rows(frame, frame))
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for cloud in found.clouds for x, y in points(cloud))
    assert 0 <= found.variance[1] <= found.variance[0] <= 1


def test_one_outlier_does_not_squeeze_the_others() -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame({"x": np.append(rng.normal(size=299), 1e6), "y": rng.normal(size=300)})
    cloud = embedding(compared_rows(real, real)).clouds[0]
    x, y = np.array(points(cloud)).T
    assert min(x.std() / WIDTH, y.std() / HEIGHT) > 0.1
