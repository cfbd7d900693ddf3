"""What the encoder of each method is trained with."""

from __future__ import annotations

import numpy as np
import pytest

from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.latent_model import FeatureDistributionSmoothing, Treatment, treatment
from imbllm_autogluon.regression.losses import BalancedMSE, RankSim, WeightedMSE

TARGETS = np.random.default_rng(0).exponential(size=300)


def _treatment(**settings: str) -> Treatment:
    return treatment(LatentDiffConfig.from_flat(settings), TARGETS, TargetBins.fit(TARGETS, 10))


@pytest.mark.parametrize("method", ["latent_diff", "none"])
def test_an_untreated_encoder_minimises_the_squared_error_of_all_rows_alike(method: str) -> None:
    how = _treatment(method=method)
    assert type(how.loss) is WeightedMSE
    assert (how.weights == 1).all()
    assert how.smoother is None


@pytest.mark.parametrize("method", ["lds", "dense_weight"])
@pytest.mark.parametrize("on_top", [False, True])
def test_weights_are_higher_for_rare_targets(method: str, on_top: bool) -> None:
    how = _treatment(encoder_method=method) if on_top else _treatment(method=method)
    assert how.weights.mean() == pytest.approx(1.0)
    assert how.weights[TARGETS.argmax()] > how.weights[np.abs(TARGETS - 0.2).argmin()]


@pytest.mark.parametrize(("method", "loss"), [("balanced_mse", BalancedMSE), ("rank_sim", RankSim)])
def test_losses_belong_to_their_methods(method: str, loss: type) -> None:
    assert type(_treatment(method=method).loss) is loss


def test_fds_smooths_features() -> None:
    assert isinstance(_treatment(method="fds").smoother, FeatureDistributionSmoothing)
    assert isinstance(_treatment(encoder_method="fds").smoother, FeatureDistributionSmoothing)


def test_the_encoders_method_is_for_latent_diff_alone() -> None:
    assert (_treatment(method="none", encoder_method="lds").weights == 1).all()
