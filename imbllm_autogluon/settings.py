"""Every environment variable and every default path that this package reads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Settings:
    """Process-wide settings, read from the environment once per call of :func:`settings`."""

    cache_dir: Path
    """Folder for what outlives a fit, such as downloaded models (``IMBLLM_CACHE_DIR``); generators lie in the folder of
    their predictor."""

    progress: bool
    """Whether training and generation show progress bars (``IMBLLM_PROGRESS``: 0 or 1; default: only on a terminal)."""


def settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings that the environment asks for.

    Examples
    --------
    >>> settings({"IMBLLM_CACHE_DIR": "/data/imbllm", "IMBLLM_PROGRESS": "1"}).progress
    True
    """
    env = os.environ if environment is None else environment
    cache_home = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Settings(
        cache_dir=Path(env.get("IMBLLM_CACHE_DIR") or cache_home / "imbllm_autogluon"),
        progress=_switch(env.get("IMBLLM_PROGRESS"), default=_is_terminal()),
    )


def secret(variable: str) -> str:
    """Return what an environment variable holds, such as a token; only its name is ever stored or shown.

    Raises
    ------
    InvalidInputError
        The variable is not set, or empty.
    """
    value = os.environ.get(variable)
    if not value:
        raise InvalidInputError(f"the environment variable {variable!r} should hold a token, but is not set.")
    return value


def _is_terminal() -> bool:
    import sys

    return bool(sys.stderr and sys.stderr.isatty())


def _switch(value: str | None, *, default: bool) -> bool:
    return default if value in (None, "") else str(value).lower() not in ("0", "false", "no", "off")
