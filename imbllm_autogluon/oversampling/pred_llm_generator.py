"""Pred-LLM as a generator: rows from a marginal start, their label asked of the model (arXiv 2410.21717)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling.candidates import Asked, CandidateWriter
from imbllm_autogluon.oversampling.generator import LanguageGenerator
from imbllm_autogluon.oversampling.progress import step_counter
from imbllm_autogluon.oversampling.whole_table import one_stage
from imbllm_autogluon.randomness import child_rng, child_seed
from imbllm_autogluon.tables import Cells

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

    from imbllm_autogluon.classification.label_model import LabelModel
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.oversampling.lessons import LabelledCells

    BoolArray = npt.NDArray[np.bool_]
    IntArray = npt.NDArray[np.int64]

log = logging.getLogger(__name__)

SMALLEST_ROUND, LARGEST_ROUND = 256, 8192
"""Candidates that are written at once."""
