"""Load models without advice and progress bars of other libraries."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quiet_transformers(*, progress: bool = False) -> Iterator[None]:
    """Silence the messages of transformers and huggingface_hub below errors, and give everything back afterwards.

    Parameters
    ----------
    progress
        Whether their progress bars stay as they are.
    """
    from transformers.utils import logging as bars

    loggers = [logging.getLogger("transformers"), logging.getLogger("huggingface_hub")]
    levels = [logger.level for logger in loggers]
    shown = bars.is_progress_bar_enabled()
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        if not progress:
            bars.disable_progress_bar()  # type: ignore[no-untyped-call]
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if shown:
            bars.enable_progress_bar()  # type: ignore[no-untyped-call]
