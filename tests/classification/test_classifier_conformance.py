"""The classifier keeps scikit-learn's conventions."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import check_classifiers_train, parametrize_with_checks

from imbllm_autogluon.classification import LanguageModelClassifier

QUICK = LanguageModelClassifier(random_state=0, threads=1, layers=1, width=16, steps=2, settings={"pretrain": "none"})

LONGER: dict[str, Any] = {"width": 32, "steps": 60, "learning_rate": 1e-2}
"""For the check that asks for a score; the others hold for whatever was learned."""

EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": (
        "training draws batches of rows: a row of weight 2 is drawn once where two equal rows are drawn twice"
    ),
}


@parametrize_with_checks([QUICK], expected_failed_checks=lambda _: EXPECTED)
def test_the_classifier_conforms_to_scikit_learn(estimator: LanguageModelClassifier, check: Any) -> None:
    check(estimator.set_params(**LONGER) if check.func is check_classifiers_train else estimator)
