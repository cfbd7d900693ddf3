"""Presets of this package for ``TabularPredictor.fit(presets=…)``."""

from __future__ import annotations

from typing import Any

from imbllm_autogluon.plugin.callback import RebalanceCallback


def presets() -> dict[str, dict[str, Any]]:
    """All presets by name.

    ``imbllm`` is an add-on: it names no portfolio, so it adds twins to the one in use, alone or behind another preset
    (``presets=["best_quality", "imbllm"]``).
    """
    return {
        "imbllm": {
            "callbacks": [[RebalanceCallback, {}]],
            # Fewer folds where the rarest class has fewer rows than folds.
            "adapt_num_bag_folds_to_n_classes": True,
            # A dynamic-stacking trial fits everything once more on other folds, generators included, and twins
            # of the second level would equal their plain models.
            "dynamic_stacking": False,
            "num_stack_levels": 0,
        },
    }
