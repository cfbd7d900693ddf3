"""The tests of the plugin share the fixtures of a rebalanced fold."""

from __future__ import annotations

from tests.rebalancing.conftest import _empty_memory, fold

__all__ = ["_empty_memory", "fold"]
