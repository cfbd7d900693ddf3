"""``imbllm bench ablation``: the paper's comparison with one thing of ImbLLM changed at a time."""

from __future__ import annotations
