"""One training fold, the plan for it, and the names under which what is made of it is kept."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from imbllm_autogluon.rebalancing.config import RebalanceConfig
    from imbllm_autogluon.rebalancing.plan import OversamplingPlan
    from imbllm_autogluon.tables import ColumnName, Kind

KEY_VERSION = 9
"""Raised whenever the same settings would lead to other rows."""


@dataclass(frozen=True)
class Fold:
    """Real rows of one training fold and what is to be made of them."""

    X: pd.DataFrame
    y: pd.Series
    plan: OversamplingPlan
    kinds: Mapping[ColumnName, Kind]

    def key(self, settings: Mapping[str, Any], counts: Mapping[Hashable, int]) -> str:
        """Hash of the rows in their order, the counts and the settings; equal in every process."""
        head = {
            "version": KEY_VERSION,
            "settings": dict(settings),
            "counts": {str(label): n for label, n in counts.items()},
            "kinds": {str(name): kind for name, kind in self.kinds.items()},
            "columns": [(str(name), str(dtype)) for name, dtype in self.X.dtypes.items()],
            "edges": None if self.plan.bins is None else self.plan.bins.edges.tolist(),
            "cells": self._cells,
        }
        return hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()[:40]

    @functools.cached_property
    def _cells(self) -> str:
        """Hash of all cells, made once: generator, warm-up and rows have a key each."""
        digest = hashlib.sha256()
        for position in range(self.X.shape[1]):
            digest.update(_hash(self.X.iloc[:, position]))
        digest.update(_hash(self.y))
        return digest.hexdigest()

    def generator_key(self, config: RebalanceConfig) -> str:
        """Name of the generator of this fold: the same for every target ratio, temperature and conditioning."""
        return self.key({**config.training_settings(), **self._clause(config)}, self.plan.balancing)

    def warmup_key(self, config: RebalanceConfig) -> str:
        """Name of the warm-up on this fold."""
        return self.key({**config.warmup_settings(), **self._clause(config)}, self.plan.balancing)

    def rows_key(self, config: RebalanceConfig) -> str:
        """Name of the written rows of this fold."""
        if not config.writes_with_a_language_model:
            return self.key({"method": config.method, "random_state": config.random_state}, self.plan.counts)
        counts = {str(label): n for label, n in self.plan.counts.items()}
        sampling = json.dumps([self.generator_key(config), config.sampling_settings(), counts], sort_keys=True)
        return hashlib.sha256(sampling.encode()).hexdigest()[:40]

    def _clause(self, config: RebalanceConfig) -> dict[str, str]:
        """What rows begin with, where that is not their label."""
        return {} if self.plan.bins is None else {"clause": config.targets.clause}


def _hash(column: pd.Series) -> bytes:
    """Hash of one column's values in their order, index ignored."""
    return pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes()
