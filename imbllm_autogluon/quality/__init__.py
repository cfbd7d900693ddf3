"""Quality: metrics of written rows and of probabilities, reports for readers; made from plain values."""

from __future__ import annotations
