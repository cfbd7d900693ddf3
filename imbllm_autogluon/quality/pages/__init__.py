"""Reports for readers: HTML pages, Markdown and JSON from plain values."""

from __future__ import annotations
