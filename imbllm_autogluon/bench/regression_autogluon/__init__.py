"""``imbllm bench regression-autogluon``: what LatentDiff and twins add to AutoGluon's ensemble."""

from __future__ import annotations
