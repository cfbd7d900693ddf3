"""What is given of the rows that a language model is to complete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import IntArray


@dataclass(frozen=True, eq=False)
class Prompts:
    """What is given of the rows of one batch."""

    order: IntArray
    """Clause indices in the order of writing, the same for all rows; a clause that is left out is not written."""

    given: int
    """How many clauses, from the first of `order`, are given."""

    tokens: IntArray
    """Value tokens, shape (n, n_clauses, longest); those of given clauses are read, others ignored."""
