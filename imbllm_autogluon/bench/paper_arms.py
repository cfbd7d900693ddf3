"""Arms of ``imbllm bench paper``: what each does to the rows that the classifier learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.paper_coding import TableCoding
from imbllm_autogluon.oversampling.baselines import BASELINES
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.methods import generator_of
from imbllm_autogluon.randomness import child_seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from imbllm_autogluon.bench.paper_split import PaperSplit

NONE, WEIGHTS, RANDOM, SMOTE_NC = "none", "class weights", "random oversampling", "SMOTE-NC"
SMOTE_CODES, GREAT, PRED_LLM, IMBLLM = "SMOTE on codes", "GReaT", "Pred-LLM", "ImbLLM"

ARMS: dict[str, dict[str, Any]] = {
    NONE: {"method": "none"},
    WEIGHTS: {"method": "class_weights"},
    RANDOM: {"method": "random"},
    SMOTE_NC: {"method": "smote_nc"},
    SMOTE_CODES: {"method": "smote_codes"},
    GREAT: {"method": "great"},
    PRED_LLM: {"method": "pred_llm"},
    IMBLLM: {"method": "imbllm"},
}
"""Method and settings of each arm; generators have their defaults."""

QUICK_ARMS = (NONE, WEIGHTS, RANDOM, SMOTE_NC, IMBLLM)
"""Without the generators that learn whole tables."""


def arms_of(*, quick: bool = False, settings: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """Arms of a run, by name.

    Parameters
    ----------
    quick
        Only those of `QUICK_ARMS`.
    settings
        Of ImbLLM, by their flat names; the other arms keep their defaults.

    Raises
    ------
    InvalidInputError
        A setting is unknown, or a value is not allowed.

    Examples
    --------
    >>> arms_of(quick=True, settings={"temperature": 1.0})["ImbLLM"]
    {'method': 'imbllm', 'temperature': 1.0}
    """
    own = dict(settings or {})
    GeneratorConfig.from_flat(own)
    names = QUICK_ARMS if quick else tuple(ARMS)
    return {name: {**ARMS[name], **(own if name == IMBLLM else {})} for name in names}


@dataclass(frozen=True, eq=False)
class LearnedRows:
    """Rows that the classifier learns: the real ones of a split, and behind them the new ones."""

    X: pd.DataFrame
    y: pd.Series[Any]
    weights: npt.NDArray[np.float64] | None = None
    """Of the rows; None: all alike."""


def learned_rows(split: PaperSplit, spec: Mapping[str, Any], seed: int, threads: int) -> LearnedRows:
    """What one arm makes of a split.

    Parameters
    ----------
    split
        Real rows, and how many new ones are wanted.
    spec
        ``method`` of the arm and, of a generator, its settings by their flat names; see :data:`ARMS`.
    seed
        Of everything random.
    threads
        torch threads.
    """
    from sklearn.utils.class_weight import compute_sample_weight

    method = spec["method"]
    if method == "none":
        return LearnedRows(split.X, split.y)
    if method == "class_weights":
        return LearnedRows(split.X, split.y, compute_sample_weight("balanced", split.y))
    X, y = _new_rows(split, spec, seed, threads)
    return LearnedRows(pd.concat([split.X, X], ignore_index=True), pd.concat([split.y, y], ignore_index=True))


def _new_rows(
    split: PaperSplit, spec: Mapping[str, Any], seed: int, threads: int
) -> tuple[pd.DataFrame, pd.Series[Any]]:
    method = spec["method"]
    if method == "smote_codes":
        return _smote_on_codes(split, child_seed(seed, "values", method))
    if method in BASELINES:
        return BASELINES[method](split.X, split.y, split.counts, seed=child_seed(seed, "values", method))
    generator = generator_of(spec, random_state=seed, threads=threads)
    return generator.fit(split.X, split.y, split.counts).sample()


def _smote_on_codes(split: PaperSplit, seed: int) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """SMOTE where every category is a number; what lies between two codes is rounded to a third category."""
    coding = TableCoding.fit(split.X)
    codes, y = BASELINES["smote_nc"](coding.as_numbers(split.X), split.y, split.counts, seed=seed)
    return coding.from_numbers(codes, split.X), y
