"""``imbllm bench speed``: rows per second, seconds per epoch and memory against be_great."""

from __future__ import annotations
