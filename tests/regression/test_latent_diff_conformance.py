"""The regressor keeps scikit-learn's conventions."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor

QUICK: dict[str, Any] = {
    "architecture": "mlp",
    "number_embedding": "none",
    "encoder_depth": 1,
    "encoder_width": 32,
    "encoder_dropout": 0.0,
    "encoder_epochs": 5,
    "encoder_batch": 32,
    "encoder_learning_rate": 1e-2,
    "feature_size": 8,
    "denoiser_width": 16,
    "denoiser_blocks": 1,
    "diffusion_steps": 2,
    "sampling_steps": 1,
}

EXPECTED = dict.fromkeys(
    (
        "check_n_features_in_after_fitting",
        "check_regressors_no_decision_function",
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weights_not_an_array",
        "check_sample_weights_not_overwritten",
        "check_sample_weights_pandas_series",
        "check_sample_weights_shape",
    ),
    "the check has fewer than 20 rows, which are refused: a distribution of features needs more",
)


@parametrize_with_checks(
    [LatentDiffRegressor(random_state=0, threads=1, **QUICK)], expected_failed_checks=lambda _: EXPECTED
)
def test_the_regressor_conforms_to_scikit_learn(estimator: LatentDiffRegressor, check: Any) -> None:
    check(estimator)
