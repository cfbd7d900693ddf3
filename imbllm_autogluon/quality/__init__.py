"""Quality: metrics of synthetic rows and of probabilities, reports for readers; made from plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imbllm_autogluon._package import lazy_names

if TYPE_CHECKING:
    from imbllm_autogluon.quality.evaluation import METRICS, Evaluation, evaluate
    from imbllm_autogluon.quality.metrics import Metric, MetricResult
    from imbllm_autogluon.quality.reports import report

__all__ = ["METRICS", "Evaluation", "Metric", "MetricResult", "evaluate", "report"]

_LAZY = {
    "METRICS": "imbllm_autogluon.quality.evaluation",
    "Evaluation": "imbllm_autogluon.quality.evaluation",
    "Metric": "imbllm_autogluon.quality.metrics",
    "MetricResult": "imbllm_autogluon.quality.metrics",
    "evaluate": "imbllm_autogluon.quality.evaluation",
    "report": "imbllm_autogluon.quality.reports",
}

__getattr__ = lazy_names(__name__, _LAZY)
