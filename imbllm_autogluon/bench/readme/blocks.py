"""The blocks of README.md by the names of their result files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imbllm_autogluon.bench.readme.ablation import ablation
from imbllm_autogluon.bench.readme.autogluon import autogluon
from imbllm_autogluon.bench.readme.costs import overhead, stage
from imbllm_autogluon.bench.readme.paper import paper
from imbllm_autogluon.bench.readme.pretrained import clauses, speed
from imbllm_autogluon.bench.readme.prior import prior
from imbllm_autogluon.bench.readme.quality import quality
from imbllm_autogluon.bench.readme.regression import regression
from imbllm_autogluon.bench.readme.regression_autogluon import regression_autogluon
from imbllm_autogluon.bench.readme.result import Result
from imbllm_autogluon.bench.readme.synthesis import synthesis
from imbllm_autogluon.configuration import require_choice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

BLOCKS: Mapping[str, Callable[[Result], str]] = {
    "paper": paper,
    "paper_natural": paper,
    "ablation": ablation,
    "autogluon": autogluon,
    "quality": quality,
    "regression": regression,
    "regression_autogluon": regression_autogluon,
    "prior": prior,
    "synthesis": synthesis,
    "speed": speed,
    "clauses": clauses,
    "stage": stage,
    "overhead": overhead,
}


def text_of(name: str, folder: Path) -> str:
    """Markdown of one block.

    Parameters
    ----------
    name
        Of the result files.
    folder
        That holds them.

    Raises
    ------
    InvalidInputError
        There is no such block.
    StoredStateError
        A result file is missing or incomplete.
    """
    require_choice("block of bench/results", name, tuple(BLOCKS))
    return BLOCKS[name](Result.read(name, folder))
