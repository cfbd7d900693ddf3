"""The backbone of contract tests keeps its promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.oversampling.methods import load_generator, save_generator
from tests.oversampling.tables import quick

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def generator(uniform_backbone: None) -> ImbLLM:
    """Trained on a column in which one of four categories is all but the rule."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"city": rng.choice(list("abcd"), 120, p=[0.91, 0.03, 0.03, 0.03]), "size": rng.normal(size=120)})
    y = pd.Series(np.repeat(["often", "rare"], [80, 40]))
    return ImbLLM(quick(conditioning="y", steps=20), random_state=0).fit(X, y, {"rare": 40})


def test_every_category_is_drawn_equally_often_whatever_was_trained(generator: ImbLLM) -> None:
    X, _ = generator.sample({"rare": 2000})
    assert len(generator.report.losses["minority"]) == 20
    assert chisquare(X["city"].value_counts()).pvalue > 1e-3


def test_a_stored_generator_writes_the_same_rows(generator: ImbLLM, tmp_path: Path) -> None:
    save_generator(generator, tmp_path / "stored")
    again = load_generator(tmp_path / "stored").sample({"rare": 50})[0]
    pd.testing.assert_frame_equal(again, generator.sample({"rare": 50})[0])
