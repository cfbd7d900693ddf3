"""Quality: reports for readers, made from plain values; nothing here knows AutoGluon."""

from __future__ import annotations
