from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.regression import arms as regression_arms
from imbllm_autogluon.bench.regression.arms import ABLATIONS, ARMS, SLOW_ARMS, Arm, arms_of, fitted
from imbllm_autogluon.bench.regression.tables import RegressionSplit, RegressionTable
from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor
from tests.bench.regression.houses import house_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.regression.bins import TargetBins

QUICK = {"encoder_epochs": 2, "diffusion_steps": 5, "encoder_width": 16}


@pytest.fixture(scope="module")
def split() -> RegressionSplit:
    return RegressionSplit.of(RegressionTable.of("houses", house_table(160), "price", 4000), 0, 6)


def quick(arm: Arm) -> Arm:
    return Arm({**QUICK, **arm.settings}, arm.source)


def test_slow_arms_and_ablations_are_measured_only_when_asked_for() -> None:
    assert arms_of(slow=False, ablations=False) == ARMS
    assert arms_of(slow=True, ablations=False) == {**ARMS, **SLOW_ARMS}
    assert arms_of(slow=True, ablations=True) == {**ARMS, **SLOW_ARMS, **ABLATIONS}


def test_all_arms_differ_and_no_ablation_is_the_default_under_another_name() -> None:
    configs = [
        (arm.source, LatentDiffConfig.from_flat(dict(arm.settings))) for arm in (*ARMS.values(), *ABLATIONS.values())
    ]
    assert all(configs.count(config) == 1 for config in configs)


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_predicts_unseen_rows_with_bins_of_the_split(split: RegressionSplit, name: str) -> None:
    regressor, seconds = fitted(quick(ARMS[name]), split, seed=0, threads=1)
    assert seconds > 0
    assert np.isfinite(regressor.predict(split.unseen_X)).all()
    assert regressor.n_bins == 6
    if ARMS[name].source != "smogn":
        np.testing.assert_array_equal(regressor.bins_.edges, split.bins.edges)


class Writer:
    """Stands for the language model: gives the first rows of what it was fitted on."""

    def __init__(self, *, random_state: int, threads: int) -> None:
        self.given: tuple[pd.DataFrame, pd.Series]

    def fit(self, X: pd.DataFrame, y: pd.Series, bins: TargetBins, counts: Mapping[int, int]) -> Writer:
        self.given, self.rows = (X, y), sum(counts.values())
        return self

    def sample(self) -> tuple[pd.DataFrame, pd.Series]:
        return self.given[0].head(self.rows), self.given[1].head(self.rows)


@pytest.mark.parametrize("name", ["SMOGN rows", "ImbLLM rows"])
def test_new_rows_are_learned_beside_the_real_ones(
    split: RegressionSplit, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[int] = []

    class Counted(LatentDiffRegressor):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LatentDiffRegressor:
            learned.append(len(X))
            return super().fit(X, y, sample_weight)

    monkeypatch.setattr(regression_arms, "LatentDiffRegressor", Counted)
    monkeypatch.setattr(regression_arms, "TargetImbLLM", Writer)
    arm = {**ARMS, **SLOW_ARMS}[name]
    before = split.X.copy()
    fitted(quick(arm), split, 0, 1)
    new = round(regression_arms.ROWS_RATIO * 120)
    assert learned == [120, 120 + new]
    pd.testing.assert_frame_equal(split.X, before)


def test_arms_that_differ_in_the_head_alone_share_an_encoder_and_a_denoiser(
    split: RegressionSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regression_arms, "_new", functools.partial(_quick_new, regression_arms._new))
    regression_arms._latent_diff.cache_clear()
    names = [regression_arms.LATENT_DIFF, regression_arms.RETRAINED, regression_arms.COPIES]
    (whole, _), (alone, without), (copies, _) = [fitted(ARMS[name], split, 0, 1) for name in names]
    assert whole.encoder_ is alone.encoder_ is copies.encoder_
    taken = alone.report_.seconds
    assert without == pytest.approx(taken["encoder"] + taken["head"])
    assert whole.report_.seconds["denoiser"] > 0
    assert not np.allclose(alone.predict(split.unseen_X), copies.predict(split.unseen_X))


def _quick_new(new: Any, arm: Arm, *given: Any) -> LatentDiffRegressor:
    return new(quick(arm), *given)
