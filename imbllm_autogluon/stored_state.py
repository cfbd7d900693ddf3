"""Reading what this package stored: one error for everything that can be wrong with a folder."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.errors import StoredStateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def reading(what: str, folder: Path) -> Iterator[None]:
    """Turn whatever goes wrong while reading a folder into a `StoredStateError` that says what to do.

    Parameters
    ----------
    what
        What is read, such as ``"generator"``.
    folder
        Where from.
    """
    try:
        yield
    except StoredStateError:
        raise
    except Exception as error:
        raise StoredStateError(f"no usable {what} in {folder}: {error}. Delete the folder and fit again.") from error


def read_state(file: Path, format_version: int) -> dict[str, Any]:
    """Read a JSON state that holds its own format; call it inside :func:`reading`.

    Raises
    ------
    StoredStateError
        The state was written by a version with another format.
    """
    state: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if state["format"] != format_version:
        raise StoredStateError(
            f"{file.parent} has format {state['format']}; this version reads format {format_version}. Fit again, or "
            "install the version that wrote it."
        )
    return state
