"""Search: spaces of rebalancing, studies that survive, and an objective for users' own studies."""

from __future__ import annotations

from imbllm_autogluon.search.objective import RebalanceObjective
from imbllm_autogluon.search.space import SearchSpace, TargetSearchSpace, suggest
from imbllm_autogluon.search.studies import journal_storage, open_study

__all__ = ["RebalanceObjective", "SearchSpace", "TargetSearchSpace", "journal_storage", "open_study", "suggest"]
