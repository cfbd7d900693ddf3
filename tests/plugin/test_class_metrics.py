from __future__ import annotations

import pytest
from autogluon.core.metrics import get_metric

from imbllm_autogluon.plugin.class_metrics import answers_by_highest_probability


@pytest.mark.parametrize(
    ("problem_type", "metric", "expected"),
    [
        ("multiclass", "balanced_accuracy", True),
        ("multiclass", "f1_macro", True),
        ("multiclass", "log_loss", False),
        ("binary", "balanced_accuracy", False),
        ("binary", "roc_auc", False),
    ],
)
def test_only_metrics_of_more_than_two_classes_have_no_threshold(
    problem_type: str, metric: str, expected: bool
) -> None:
    assert answers_by_highest_probability(problem_type, get_metric(metric, problem_type)) is expected


def test_an_unknown_metric_is_no_metric_of_classes() -> None:
    assert answers_by_highest_probability("multiclass", None) is False
