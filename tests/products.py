"""Representative cases of a product of factors by default, the whole product with ``-m exhaustive``."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable


def cases(*factors: Iterable[Any], together: int = 2) -> list[Any]:
    """Return the product as parameters; every choice of `together` levels of different factors is in a default case.

    A level that is a tuple takes as many parameters as it has items. The other cases are marked ``exhaustive``.
    """
    product = list(itertools.product(*map(list, factors)))
    chosen = _covering(product, min(together, len(factors)))
    flat = [tuple(itertools.chain.from_iterable(v if isinstance(v, tuple) else (v,) for v in case)) for case in product]
    marks = [() if i in chosen else (pytest.mark.exhaustive,) for i in range(len(product))]
    return [pytest.param(*case, marks=mark) for case, mark in zip(flat, marks, strict=True)]


def _covering(product: list[tuple[Any, ...]], together: int) -> set[int]:
    """Indices of cases that hold every choice of levels: those first that bring most, then those of rare levels."""
    levels = [[(place, repr(level)) for place, level in enumerate(case)] for case in product]
    choices = [set(itertools.combinations(case, together)) for case in levels]
    waiting, used, chosen = set[Any]().union(*choices), Counter[Any](), set[int]()
    while waiting:
        best = max(range(len(product)), key=lambda i: (len(choices[i] & waiting), -sum(used[k] for k in levels[i])))
        chosen.add(best)
        waiting -= choices[best]
        used.update(levels[best])
    return chosen
