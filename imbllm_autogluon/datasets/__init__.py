"""Real tables that travel with the package; each has its origin and licence in a Markdown file next to it."""

from __future__ import annotations

from imbllm_autogluon.datasets.packaged import load_hypothyroid, load_yeast

__all__ = ["load_hypothyroid", "load_yeast"]
