"""``imbllm bench regression``: errors on rare and common targets by LatentDiff and its peers."""

from __future__ import annotations
