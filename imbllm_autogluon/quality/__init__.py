"""Quality: metrics of written rows and of probabilities, reports for readers; made from plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imbllm_autogluon.lazy import lazy_names

if TYPE_CHECKING:
    from imbllm_autogluon.quality.measures.evaluation import Evaluation, evaluate
    from imbllm_autogluon.quality.measures.measure import Measure
    from imbllm_autogluon.quality.pages.quality_report import report

__all__ = ["Evaluation", "Measure", "evaluate", "report"]

_LAZY = {
    "Evaluation": "imbllm_autogluon.quality.measures.evaluation",
    "Measure": "imbllm_autogluon.quality.measures.measure",
    "evaluate": "imbllm_autogluon.quality.measures.evaluation",
    "report": "imbllm_autogluon.quality.pages.quality_report",
}

__getattr__ = lazy_names(__name__, _LAZY)
