"""The command line ``imbllm``: a thin face over the rooms of this package, which each command imports itself."""

from __future__ import annotations

from imbllm_autogluon.cli import fits, inspect, rows  # noqa: F401 (they add their commands)
from imbllm_autogluon.cli.app import app, main

__all__ = ["app", "main"]
