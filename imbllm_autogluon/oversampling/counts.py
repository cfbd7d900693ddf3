"""How many rows of each class are wanted: checked, and by the codes of the labels."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING

from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence


def counts_by_code(
    counts: Mapping[Hashable, int], known: Sequence[Hashable], labels: Sequence[Hashable]
) -> dict[int, int]:
    """Counts by label code.

    Parameters
    ----------
    counts
        Rows by label, 0 or more each.
    known
        Labels that may be asked for.
    labels
        All labels, in the order of their codes.

    Raises
    ------
    InvalidInputError
        There are no counts, a label is not among `known`, or a count is no whole number of at least 0.

    Examples
    --------
    >>> counts_by_code({"sick": 5}, ["sick"], ["healthy", "sick"])
    {1: 5}
    """
    if not counts:
        raise InvalidInputError(f"counts is empty; name at least one of the labels: {list(known)}.")
    for label, n in counts.items():
        if label not in known:
            raise InvalidInputError(f"counts name the label {label!r}; the labels are: {list(known)}.")
        if not isinstance(n, numbers.Integral) or n < 0:
            raise InvalidInputError(f"counts ask for {n!r} rows of {label!r}; a count must be 0, 1, 2, ...")
    return {labels.index(label): int(n) for label, n in counts.items()}


def in_shares(total: int, sizes: Mapping[Hashable, int]) -> dict[Hashable, int]:
    """Cut `total` in proportion to `sizes`, exactly: rests go to the largest remainders, equal ones to the first.

    Examples
    --------
    >>> in_shares(10, {"a": 200, "b": 100, "c": 1})
    {'a': 7, 'b': 3, 'c': 0}
    """
    whole = sum(sizes.values())
    counts = {label: total * size // whole for label, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda label: -(total * sizes[label] % whole))
    for label in by_remainder[: total - sum(counts.values())]:
        counts[label] += 1
    return counts
