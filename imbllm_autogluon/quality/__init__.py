"""Quality: metrics of synthetic rows and of probabilities, reports for readers; made from plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imbllm_autogluon._package import lazy_names

if TYPE_CHECKING:
    from imbllm_autogluon.quality.evaluation import METRICS, Evaluation, evaluate
    from imbllm_autogluon.quality.metrics import Metric, MetricResult
    from imbllm_autogluon.quality.reports import report

__all__ = ["METRICS", "Evaluation", "Metric", "MetricResult", "evaluate", "report"]

_MODULES = {"Metric": "metrics", "MetricResult": "metrics", "report": "reports"}  # the others are in evaluation

__getattr__ = lazy_names(__name__, {name: f"{__name__}.{_MODULES.get(name, 'evaluation')}" for name in __all__})
