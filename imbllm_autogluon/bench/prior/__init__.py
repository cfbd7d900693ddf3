"""``imbllm bench prior``: does a decoder copy the class shares of its training set, and what helps."""

from __future__ import annotations
