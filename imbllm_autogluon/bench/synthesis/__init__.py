"""``imbllm bench synthesis``: whole tables written by Pred-LLM and by GReaT."""

from __future__ import annotations
