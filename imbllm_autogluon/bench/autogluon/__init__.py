"""``imbllm bench autogluon``: what twins add to AutoGluon's ensemble where a class is rare."""

from __future__ import annotations
