from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.image
import pandas as pd
import pytest

from imbllm_autogluon.bench.ablation.arms import NONE, ablation_of
from imbllm_autogluon.bench.ablation.axes import CLOSE, COVERAGE
from imbllm_autogluon.bench.ablation.figure import HEIGHT, WIDTH, draw
from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, F1

if TYPE_CHECKING:
    from pathlib import Path


def means(arms: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {name: [50.0 + place for place in range(len(arms))] for name in (F1, AVERAGE_PRECISION, CLOSE, COVERAGE)},
        index=arms,
    )
    frame.loc[NONE, [CLOSE, COVERAGE]] = float("nan")
    return frame


@pytest.mark.parametrize(("axes", "rows"), [((), 2), (("temperature", "order"), 1)])
def test_each_sweep_that_was_measured_has_a_row(tmp_path: Path, axes: tuple[str, ...], rows: int) -> None:
    found = ablation_of(axes)
    assert draw(means(list(found.arms)), found, tmp_path / "sweeps.png")
    pixels = matplotlib.image.imread(tmp_path / "sweeps.png")
    assert pixels.shape[:2] == (rows * HEIGHT, WIDTH)
    assert [path.name for path in tmp_path.iterdir()] == ["sweeps.png"]


def test_without_a_sweep_there_is_no_picture(tmp_path: Path) -> None:
    found = ablation_of(["order"])
    (tmp_path / "sweeps.png").touch()
    assert not draw(means(list(found.arms)), found, tmp_path / "sweeps.png")
    assert not list(tmp_path.iterdir())


def test_coverage_that_could_not_be_measured_leaves_a_gap(tmp_path: Path) -> None:
    found = ablation_of(["interpolation_ratio"])
    assert draw(means(list(found.arms)).assign(**{COVERAGE: float("nan")}), found, tmp_path / "sweeps.png")
