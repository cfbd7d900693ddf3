"""An empty memory cache for each test: a generator left by another would hide that this one trains none. Few trees."""

from __future__ import annotations

import pytest

from imbllm_autogluon.rebalancing.rows import GENERATORS, ROWS_CACHE


@pytest.fixture(autouse=True)
def _empty_memory(few_trees: None) -> None:
    GENERATORS.forget()
    ROWS_CACHE.forget()
