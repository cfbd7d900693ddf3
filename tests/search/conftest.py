"""An empty memory cache for each test: a generator left by another test would hide that this one trains none."""

from __future__ import annotations

from tests.rebalancing.conftest import _empty_memory

__all__ = ["_empty_memory"]
