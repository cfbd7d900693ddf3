"""An empty memory cache for each test: a generator left by another test would hide that this one trains none."""

from __future__ import annotations

import pytest

from imbllm_autogluon.rebalancing.rows import GENERATORS, ROWS_CACHE


@pytest.fixture(autouse=True)
def _empty_memory() -> None:
    GENERATORS.forget()
    ROWS_CACHE.forget()
