"""Benchmarks: ``python -m benchmarks NAME`` measures one protocol and writes ``results/NAME.csv`` and ``NAME.md``.

Each protocol is one module with a :data:`PROTOCOL`; :mod:`benchmarks.protocol` runs them all.
"""

from __future__ import annotations
