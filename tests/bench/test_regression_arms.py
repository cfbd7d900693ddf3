from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench import regression_arms
from imbllm_autogluon.bench.regression_arms import ABLATIONS, ARMS, SLOW_ARMS, Arm, arms_of, fitted
from imbllm_autogluon.bench.regression_tables import RegressionSplit, RegressionTable
from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor
from tests.bench.houses import house_table

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
    regressor = fitted(quick(ARMS[name]), split, seed=0, threads=1)
    assert np.isfinite(regressor.predict(split.unseen_X)).all()
    assert regressor.n_bins == 6
    if ARMS[name].source != "smogn":
        np.testing.assert_array_equal(regressor.bins_.edges, split.bins.edges)


def test_a_head_retrained_without_copies_is_the_one_retrained_on_real_features(split: RegressionSplit) -> None:
    alone = {**QUICK, "generation_ratio": 0.0}
    without_copies = fitted(Arm({**alone, "method": "none"}, "copies"), split, 0, 1)
    retrained = fitted(Arm(alone), split, 0, 1)
    untreated = fitted(Arm({**alone, "method": "none"}), split, 0, 1)
    with_copies = fitted(quick(ARMS[regression_arms.COPIES]), split, 0, 1)
    answers = [model.predict(split.unseen_X) for model in (without_copies, retrained, untreated, with_copies)]
    np.testing.assert_allclose(answers[0], answers[1])
    assert not np.allclose(answers[0], answers[2])
    assert not np.allclose(answers[0], answers[3])


def test_copies_are_as_many_for_each_bin_as_synthetic_features_would_be(
    split: RegressionSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    copied = regression_arms._copied
    monkeypatch.setattr(
        regression_arms, "_copied", lambda *given: seen.append((*given, copied(*given))) or copied(*given)
    )
    fitted(quick(ARMS[regression_arms.COPIES]), split, 0, 1)
    assigned, wanted, _, rows = seen[0]
    generated = fitted(quick(ARMS[regression_arms.LATENT_DIFF]), split, 0, 1).report_.bins
    assert wanted.tolist() == generated["wanted"].tolist()
    assert np.bincount(assigned[rows], minlength=6).tolist() == wanted.tolist()


def test_rows_of_a_bin_are_copied_in_turn() -> None:
    rows = regression_arms._copied(np.array([0, 0, 1, 1, 1, 0]), np.array([2, 7]), 0)
    assert len(set(rows[:2])) == 2
    assert set(rows[:2]) <= {0, 1, 5}
    assert sorted(np.unique(rows[2:], return_counts=True)[1]) == [2, 2, 3]
    assert regression_arms._copied(np.array([0, 1]), np.array([0, 0]), 0).tolist() == []


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
    new = round(LatentDiffConfig().allocation.generation_ratio * 120)
    assert learned == [120, 120 + new]
    pd.testing.assert_frame_equal(split.X, before)
