"""The written rows of one training fold, made once and shared by every model that is fitted on that fold."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.errors import OutOfTimeError
from imbllm_autogluon.oversampling.baselines import BASELINES
from imbllm_autogluon.oversampling.methods import generator_class
from imbllm_autogluon.rebalancing.cache import Shelf
from imbllm_autogluon.rebalancing.target_rows import learned, rows_without_generator
from imbllm_autogluon.stored_state import reading

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.oversampling.generator import LanguageGenerator
    from imbllm_autogluon.rebalancing.config import RebalanceConfig
    from imbllm_autogluon.rebalancing.fold import Fold
    from imbllm_autogluon.regression.input_space import TargetImbLLM

    Generator = LanguageGenerator | TargetImbLLM

WARM_UPS = "warm-ups"
"""Folder of the weights after warm-ups, which generators of a fold share that differ in what follows."""

LEAST_SECONDS = 1.0
"""Training time for which transformers is still loaded: with torch that takes 4 s of one core, once in a process (7 s
on a busy machine), which plain models need more where there is so little time."""


@dataclass(frozen=True, eq=False)
class FoldRows:
    """Written rows of one fold."""

    X: pd.DataFrame
    """Features, shape (n_new, m), in the columns and dtypes of the fold."""

    y: pd.Series
    """Labels, or targets as float64, shape (n_new,)."""

    report: dict[str, Any]
    """What generator and sampling did: the method, seconds, who made it, the key of the rows in the cache (``rows``),
    and for a generator all of its report."""


def fold_rows(
    fold: Fold,
    config: RebalanceConfig,
    root: Path | None,
    *,
    threads: int | None = None,
    time_limit: float | None = None,
) -> FoldRows:
    """Written rows of a fold: from the cache, or from a generator that is trained (or itself cached).

    Parameters
    ----------
    fold
        Real rows and plan; the plan asks for rows of at least one class, or bin of a target.
    config
        Method, and settings of generator and sampling.
    root
        Folder of the cache; `None`: memory.
    threads
        torch threads of training and sampling.
    time_limit
        Seconds that training may take. Not part of the key: an entry made in a hurry serves all models of its fit.

    Raises
    ------
    OutOfTimeError
        A generator must be trained, and the time limit is shorter than loading its library.
    """

    def write() -> FoldRows:
        if config.writes_with_a_language_model:
            return _written(fold, config, root, threads=threads, time_limit=time_limit)
        return _made(fold, config)

    key = fold.rows_key(config)
    rows, built = POOLS.get_or_build(root, key, write)
    here = {"written_here": built, "trained_here": built and rows.report["trained_here"]}
    return replace(rows, report={**rows.report, "rows": key, **here})


def _made(fold: Fold, config: RebalanceConfig) -> FoldRows:
    """Rows of a method that trains no generator."""
    started = time.perf_counter()
    if fold.plan.bins is not None:
        X, y = rows_without_generator(fold, fold.plan.bins, config)
    else:
        make = BASELINES[config.method]
        X, y = make(fold.X, fold.y, fold.plan.counts, seed=config.random_state, kinds=fold.kinds)
    seconds = time.perf_counter() - started
    return FoldRows(X, y, {"method": config.method, "trained_here": False, "sampling_seconds": seconds})


def _written(
    fold: Fold, config: RebalanceConfig, root: Path | None, *, threads: int | None, time_limit: float | None
) -> FoldRows:
    """Rows of a generator."""
    generator, built = trained_generator(fold, config, root, threads=threads, time_limit=time_limit)
    writer: Any = generator.with_config(config.generator, threads=threads)
    X, y = writer.sample(fold.plan.counts)
    head = {"generator": fold.generator_key(config), "trained_here": built}
    agreement = {} if fold.plan.bins is None else {"agreement": writer.agreement}
    return FoldRows(X, y, {**head, **writer.report.to_dict(), **agreement})


def trained_generator(
    fold: Fold,
    config: RebalanceConfig,
    root: Path | None,
    *,
    threads: int | None = None,
    time_limit: float | None = None,
) -> tuple[Generator, bool]:
    """The generator of a fold, and whether this call trained it; see :func:`fold_rows`."""

    def train() -> Generator:
        require_time(time_limit)
        warm_start = None if root is None else root / WARM_UPS / f"{fold.warmup_key(config)}.safetensors"
        if fold.plan.bins is not None:
            return learned(fold, fold.plan.bins, config, threads=threads, time_limit=time_limit, warm_start=warm_start)
        make = generator_class(config.method)
        generator = make(config.generator, random_state=config.random_state, threads=threads)
        return generator.fit(
            fold.X, fold.y, fold.plan.balancing, kinds=fold.kinds, time_limit=time_limit, warm_start=warm_start
        )

    return GENERATORS.get_or_build(root, fold.generator_key(config), train)


def require_time(time_limit: float | None) -> None:
    """Refuse to load the library for next to no training."""
    if time_limit is not None and time_limit < LEAST_SECONDS and "transformers" not in sys.modules:
        raise OutOfTimeError(
            f"{time_limit:.2f} s of training are left, and loading transformers takes longer; a generator needs at "
            f"least {LEAST_SECONDS} s. Give the fit more time."
        )


def _save_generator(generator: Generator, folder: Path) -> None:
    from imbllm_autogluon.oversampling.generator import LanguageGenerator
    from imbllm_autogluon.oversampling.storage import save_generator
    from imbllm_autogluon.regression.input_space import save_target_generator

    if isinstance(generator, LanguageGenerator):
        save_generator(generator, folder)
    else:
        save_target_generator(generator, folder)


def _load_generator(folder: Path) -> Generator:
    from imbllm_autogluon.oversampling.storage import load_generator
    from imbllm_autogluon.regression.input_space import holds_target_generator, load_target_generator

    return load_target_generator(folder) if holds_target_generator(folder) else load_generator(folder)


def _save_rows(rows: FoldRows, folder: Path) -> None:
    table = rows.X.set_axis([str(j) for j in range(rows.X.shape[1])], axis=1).assign(label=rows.y.to_numpy())
    table.to_parquet(folder / "rows.parquet")
    head = {"columns": list(rows.X.columns), "label_name": rows.y.name, "report": rows.report}
    (folder / "rows.json").write_text(json.dumps(head), encoding="utf-8")


def _load_rows(folder: Path) -> FoldRows:
    with reading("rows", folder):
        head = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
        table = pd.read_parquet(folder / "rows.parquet")
        label = table.pop("label").rename(head["label_name"])
        return FoldRows(table.set_axis(head["columns"], axis=1), label, head["report"])


GENERATORS: Shelf[Generator] = Shelf("generators", _save_generator, _load_generator)
POOLS: Shelf[FoldRows] = Shelf("rows", _save_rows, _load_rows)
