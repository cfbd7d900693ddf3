"""``imbllm bench paper``: a classifier that learns the rows of each method, as in the paper's comparison."""

from __future__ import annotations
