"""Benchmarks: commands that measure and write tables, never tests."""

from __future__ import annotations
