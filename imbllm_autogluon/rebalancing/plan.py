"""How many rows of which class a fold needs; bins of the target take the place of classes in a regression."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from imbllm_autogluon._random import child_rng
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling.baselines import duplicated
from imbllm_autogluon.regression.bins import TargetBins, checked_targets
from imbllm_autogluon.regression.config import AllocationConfig

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.rebalancing.config import RebalanceConfig
    from imbllm_autogluon.tables.labeled import Task

    Counts = dict[Hashable, int]

JudgedBy = Literal["probabilities", "classes"]
"""What a metric reads of a model's answers: probabilities (log-loss) or the order of the rows by them (average
precision, ROC AUC), or decided classes."""

# Defaults where two classes are judged by probabilities (docs/decisions/rebalancing.md#dose): new rows for each real
# row of the rare class, and settings of writing that nobody chose; what is not named here is the method's own.
_DOSE = 1.0
_WRITING: Mapping[str, Any] = {"temperature": 1.0}
FEWEST_TO_CONTINUE = 2  # a class with fewer cannot be continued and is left as it is
# Imbalance ratio above which the majority is limited, and to what multiples of the smallest class: of its rows
# afterwards, and at least of its real ones
_SEVERE, _MAJORITY_RATIO, _MAJORITY_PER_REAL_ROW = 50, 5.0, 40
_FEWEST_TARGETS = 20  # fewer show no distribution of the target; LatentDiff needs as many


@dataclass(frozen=True)
class OversamplingPlan:
    """Rows to write for one fold, by class or by number of the bin; classes without any are left out.

    What a generator learns depends on `balancing`, the new rows that would bring every class to the size of the
    largest: so one generator serves every dose and target ratio (for targets: every generation ratio).
    """

    counts: dict[Hashable, int]  # new rows
    before: dict[Hashable, int]  # real rows
    reason: str  # why nothing is written; empty where something is
    notes: tuple[str, ...] = ()  # what was cut or left out
    balancing: dict[Hashable, int] = field(default_factory=dict)
    bins: TargetBins | None = None  # of a continuous target, laid on the fold's own
    left_out: dict[Hashable, int] = field(default_factory=dict)  # real rows of classes that are not learned whole
    writing: Mapping[str, Any] = field(default_factory=dict)  # settings of the generator where the user named none

    @property
    def changes(self) -> dict[Hashable, int]:
        """Rows afterwards less rows before, by class or bin."""
        return {label: self.counts.get(label, 0) - self.left_out.get(label, 0) for label in self.before}

    @property
    def growth(self) -> float:
        """Rows afterwards over rows before."""
        return 1.0 + sum(self.changes.values()) / max(1, sum(self.before.values()))

    def learned(self, y: pd.Series, *, seed: int) -> IntArray:
        """Places of the real rows that a model learns, ascending; a fold of other rows leaves other places out."""
        fold, codes = int(pd.util.hash_pandas_object(y).sum()), y.to_numpy()
        rng, gone = child_rng(seed, "training", "majority", fold), np.zeros(len(y), dtype=bool)
        for label, n in self.left_out.items():
            gone[rng.choice(np.flatnonzero(codes == label), n, replace=False)] = True
        return np.flatnonzero(~gone)

    def classes_of(self, y: pd.Series) -> pd.Series:
        """What real and new rows have in common: their class, or the nearest bin of the target that holds real rows."""
        if self.bins is None:
            return y
        filled = np.sort(np.asarray(list(self.before), dtype=np.int64))
        centers = self.bins.centres
        between = (centers[filled[:-1]] + centers[filled[1:]]) / 2.0
        return pd.Series(filled[np.searchsorted(between, centers[self.bins.assign(y)])], index=y.index, name=y.name)

    def duplicated(self, X: pd.DataFrame, y: pd.Series, *, seed: int) -> tuple[pd.DataFrame, pd.Series]:
        """Real rows of each class, or bin, in the numbers of the plan, drawn with replacement, with a fresh index."""
        groups = y if self.bins is None else pd.Series(self.bins.assign(y))
        places, _ = duplicated(pd.DataFrame({"place": np.arange(len(y))}), groups, self.counts, seed=seed)
        drawn = places["place"].to_numpy()
        return X.iloc[drawn].reset_index(drop=True), y.iloc[drawn].reset_index(drop=True)


def dose_of(rows: int, largest: int, n_classes: int, judged_by: JudgedBy) -> float:
    """New rows for each real row that ``rows_per_real_row="auto"`` stands for.

    Examples
    --------
    >>> dose_of(40, 4000, 2, "probabilities"), dose_of(40, 4000, 3, "classes")
    (1.0, 9.0)
    """
    if n_classes == 2 and judged_by == "probabilities":
        return _DOSE
    return sqrt(largest / rows) - 1.0  # half way on a logarithmic scale


def plan_fold(
    y: pd.Series, config: RebalanceConfig, task: Task = "classification", judged_by: JudgedBy = "classes"
) -> OversamplingPlan:
    """Count the rows that each rarer class, or bin of the target, of a fold is to get.

    A class gets so many rows for each real one, or rows up to the target ratio of the largest one. A bin gets the more
    rows, the fewer it holds; empty ones get none. `judged_by` tells what the metric of the fit reads: it decides how
    many rows are made where the configuration does not. `InvalidInputError` where the method is one for the other task,
    or there would be too many bins of one unit.

    Examples
    --------
    >>> from imbllm_autogluon.rebalancing import RebalanceConfig
    >>> prices = pd.Series([1.0] * 30 + [2.0] * 10)
    >>> plan_fold(prices, RebalanceConfig.from_flat({"n_bins": 2}), "regression").counts
    {1: 20}
    """
    config.require_method(task)
    return _plan_targets(y, config) if task == "regression" else _plan_classes(y, config, judged_by)


def _plan_classes(y: pd.Series, config: RebalanceConfig, judged_by: JudgedBy) -> OversamplingPlan:
    before: Counts = {label: int(n) for label, n in y.value_counts(sort=False).sort_index().items() if n}
    largest, smallest = max(before.values(), default=0), min(before.values(), default=0)
    if len(before) < 2:
        return OversamplingPlan({}, before, "the fold holds a single class")
    if config.method == "none":
        return OversamplingPlan({}, before, "the method is none")
    if largest < config.balanced_below * smallest:
        reason = f"classes are balanced (largest over smallest below {config.balanced_below})"
        return OversamplingPlan({}, before, reason)
    several = {label: n for label, n in before.items() if n >= FEWEST_TO_CONTINUE}
    notes = [f"class {label!r} has a single row and is left as it is" for label in before if label not in several]
    balancing = {label: largest - n for label, n in several.items()}
    doses = {label: dose_of(n, largest, len(before), judged_by) for label, n in several.items()}
    wanted = {label: max(0, config.rows_wanted(n, largest, doses[label]) - n) for label, n in several.items()}
    total, room = sum(wanted.values()), int((config.max_growth - 1.0) * len(y))
    if total > room:
        notes.append(f"{total} new rows wanted, {room} allowed by max_growth={config.max_growth}")
    counts = _cut(wanted, room)
    dose, ratio = config.rows_per_real_row, config.target_ratio
    how_far = f"rows for each real one: {dose}" if ratio is None else f"target ratio {ratio:g}"
    reason = "" if counts else f"no class can or needs to be continued ({how_far})"
    most = _most_rows(before, counts, config)
    left_out = {label: n - most for label, n in before.items() if n > most}
    counts = {label: min(n, most - before[label]) for label, n in counts.items() if before[label] < most}
    notes += [f"{most} of {before[label]} rows of class {label!r} are learned (majority_ratio)" for label in left_out]
    writing = _WRITING if len(before) == 2 and judged_by == "probabilities" else {}
    balancing = _cut(balancing, room)
    return OversamplingPlan(counts, before, reason, tuple(notes), balancing, left_out=left_out, writing=writing)


def _most_rows(before: Counts, counts: Counts, config: RebalanceConfig) -> int:
    """Rows that a class has in the end, at most, by the majority ratio."""
    rarest, largest = min(counts, key=lambda label: before[label], default=None), max(before.values())
    ratio = config.majority_ratio
    if ratio is None or rarest is None or (ratio == "auto" and largest <= _SEVERE * before[rarest]):
        return largest
    real, afterwards = before[rarest], before[rarest] + counts[rarest]
    return round(
        max(_MAJORITY_RATIO * afterwards, _MAJORITY_PER_REAL_ROW * real) if ratio == "auto" else ratio * afterwards
    )


def _cut(counts: Counts, room: int) -> Counts:
    """Cut all counts in proportion where they add up to more than `room`; classes without new rows drop out."""
    share = min(1.0, room / max(1, sum(counts.values())))
    return {label: int(n * share) for label, n in counts.items() if int(n * share) > 0}


def _plan_targets(y: pd.Series, config: RebalanceConfig) -> OversamplingPlan:
    targets = y.to_numpy(dtype=np.float64, na_value=np.nan)
    reason = _unusable(targets)
    if reason:
        return OversamplingPlan({}, {}, reason)
    bins = TargetBins.fit(targets, config.targets.n_bins, config.targets.bins)
    before: Counts = {number: int(n) for number, n in enumerate(bins.counts(targets)) if n}
    ratio, allowed = config.targets.generation_ratio, config.max_growth - 1.0
    if config.method == "none" or ratio == 0 or len(before) < 2:
        reason = "all targets lie in one bin" if ratio else "generation_ratio is 0"
        return OversamplingPlan({}, before, "the method is none" if config.method == "none" else reason, bins=bins)
    notes: tuple[str, ...] = ()
    if ratio > allowed:
        notes = (f"{ratio} new rows wanted for each real one, {allowed:g} allowed by max_growth={config.max_growth}",)
    counts = _by_scarcity(targets, bins, min(ratio, allowed))
    reason = "" if counts else f"less than one row is to be made of {len(targets)}"
    # As many new rows as real ones, and one at least of each bin that any ratio asks for.
    even, whole = len(set(before.values())) == 1, _by_scarcity(targets, bins, 1.0)
    rarer = [number for number, n in before.items() if even or n < max(before.values())]
    balancing: Counts = {number: max(1, whole.get(number, 0)) for number in rarer}
    return OversamplingPlan(counts, before, reason, notes, balancing, bins)


def _unusable(targets: FloatArray) -> str:
    """Why targets cannot be rebalanced; empty where they can."""
    if len(targets) < _FEWEST_TARGETS:
        return f"the fold has {len(targets)} rows, and {_FEWEST_TARGETS} are needed"
    try:
        checked_targets(targets)
    except InvalidInputError as error:
        return str(error).rstrip(".")
    return ""


def _by_scarcity(targets: FloatArray, bins: TargetBins, ratio: float) -> Counts:
    """New rows by bin; no model's errors are known yet."""
    return dict(bins.counts_by_priority(targets, AllocationConfig(generation_ratio=ratio)).items())
