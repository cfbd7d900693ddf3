"""What can be said of written rows in numbers: each measure with its range, direction and meaning."""

from __future__ import annotations
