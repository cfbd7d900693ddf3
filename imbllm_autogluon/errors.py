"""The errors of this package.

Every error is an :class:`ImbLLMError` and also the builtin a caller would expect, so ``except ValueError`` keeps
working. A message says what was got, what is allowed and what to do.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ImbLLMError(Exception):
    """Base of every error raised by imbllm-autogluon."""


class InvalidInputError(ImbLLMError, ValueError):
    """An argument or a setting has a value that is not allowed."""


class TableError(InvalidInputError):
    """A table cannot be used as it is: the message names the column and the remedy."""


class ClassTooSmallError(InvalidInputError):
    """A class has too few rows to learn from (fewer than two)."""


class StoredStateError(ImbLLMError, OSError):
    """A saved schema, model or cache entry is absent, incomplete or of another version."""


class BackboneError(ImbLLMError, OSError):
    """A pretrained backbone is absent, incomplete or of a kind that cannot be used: the message names the remedies."""


class OutOfTimeError(ImbLLMError, TimeoutError):
    """A time limit is too short to begin with."""


class MissingDependencyError(ImbLLMError, ImportError):
    """An optional package is absent: the message names the extra to install."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the closest allowed word, whatever its case, or nothing."""
    by_lower = {one.lower(): one for one in allowed}
    matches = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.5)
    return f" (did you mean {by_lower[matches[0]]!r}?)" if matches else ""
