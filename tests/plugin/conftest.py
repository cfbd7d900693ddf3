"""The tests of the plugin share the fixtures of a rebalanced fold, and the rows of stacked folds."""

from __future__ import annotations

import pytest

from tests.plugin.recording import Watched
from tests.rebalancing.conftest import _empty_memory, fold

__all__ = ["_empty_memory", "fold"]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Rows of stacked folds of the fits of a test."""
    return Watched(monkeypatch)
