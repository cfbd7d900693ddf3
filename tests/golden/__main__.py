"""``make golden``: store the results of today. Only with a reason in CHANGELOG.md, see :mod:`tests.golden`."""

from __future__ import annotations

from tests.golden.process import computed, store

if __name__ == "__main__":
    store(computed())
