"""Geometry of the pictures of a report, as plain values that templates draw."""

from __future__ import annotations
