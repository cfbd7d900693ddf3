"""``imbllm bench quality``: all measures of rows of rare classes, beside the usual peers."""

from __future__ import annotations
