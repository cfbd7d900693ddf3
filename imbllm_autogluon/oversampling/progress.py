"""Progress bars: shown on terminals or where the settings ask for them, silent elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from imbllm_autogluon._config import shows_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def step_counter(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told the number of steps done."""
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=f"imbllm {what}", leave=False, disable=not shows_progress()) as bar:

        def count(steps: int) -> None:
            bar.update(steps)

        yield count
