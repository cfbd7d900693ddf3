"""The sampler keeps the conventions of imbalanced-learn and scikit-learn, with each method."""

from __future__ import annotations

from typing import Any

import pytest
from imblearn.utils import estimator_checks
from imblearn.utils.estimator_checks import parametrize_with_checks

from imbllm_autogluon import ImbLLMOverSampler
from imbllm_autogluon.oversampling.methods import GENERATORS

QUICK: dict[str, Any] = {"pretrain_steps": 1, "steps": 1, "random_state": 0}


@pytest.mark.usefixtures("uniform_backbone")
@parametrize_with_checks([ImbLLMOverSampler(method=method, plausibility=0.0, **QUICK) for method in GENERATORS])
def test_the_sampler_conforms_to_imbalanced_learn(estimator: ImbLLMOverSampler, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize(
    ("method", "check"),
    [
        ("imbllm", estimator_checks.check_samplers_nan),
        ("pred_llm", estimator_checks.check_samplers_string),
        ("great", estimator_checks.check_samplers_pandas),
    ],
)
def test_it_conforms_with_a_real_language_model_and_the_usual_filters(method: str, check: Any) -> None:
    check(method, ImbLLMOverSampler(method=method, **QUICK))
