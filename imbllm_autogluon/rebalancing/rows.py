"""One training fold and its written rows, made once and shared by every model that is fitted on that fold."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon._storage import reading, writing
from imbllm_autogluon.errors import OutOfTimeError
from imbllm_autogluon.oversampling.baselines import smote_nc
from imbllm_autogluon.oversampling.methods import generator_class
from imbllm_autogluon.rebalancing.cache import DiskCache
from imbllm_autogluon.regression.smogn import smogn
from imbllm_autogluon.tables.dtypes import dense
from imbllm_autogluon.tables.stored import with_texts, with_values

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from imbllm_autogluon.oversampling.generator import LanguageGenerator
    from imbllm_autogluon.rebalancing.config import RebalanceConfig
    from imbllm_autogluon.rebalancing.plan import OversamplingPlan
    from imbllm_autogluon.regression.target_imbllm import TargetImbLLM
    from imbllm_autogluon.tables import ColumnName, Kind

    Generator = LanguageGenerator | TargetImbLLM

_KEY_VERSION = 10  # raised whenever the same settings would lead to other rows
# Training time for which libraries are still loaded: with torch that takes 4 to 7 s of one core, once in a process.
_LEAST_SECONDS = 1.0
_TRAINING_SHARE = 0.6  # of the time limit that training may take; writing has the rest
_LEAST_STEPS = 20  # of a training that ran out of time, below which rows would be noise
_LEAST_WRITTEN = 0.25  # of the rows of a class, below which a writing that ran out of time is of no use


@dataclass(frozen=True)
class Fold:
    """Real rows of one training fold and what is to be made of them."""

    X: pd.DataFrame
    y: pd.Series
    plan: OversamplingPlan
    kinds: Mapping[ColumnName, Kind]

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """The features as they are learned and stored, see :func:`~imbllm_autogluon.tables.stored.with_texts`."""
        return with_texts(self.X)

    def key(self, settings: Mapping[str, Any], counts: Mapping[Hashable, int]) -> str:
        """Hash of the rows in their order, the counts and the settings; equal in every process."""
        head = {
            "version": _KEY_VERSION,
            "settings": dict(settings),
            "counts": {str(label): n for label, n in counts.items()},
            "kinds": {str(name): kind for name, kind in self.kinds.items()},
            "columns": [(str(name), str(dtype)) for name, dtype in self.table.dtypes.items()],
            "edges": None if self.plan.bins is None else self.plan.bins.edges.tolist(),
            "cells": self._cells,
        }
        return _hash(head)

    @functools.cached_property
    def _cells(self) -> str:
        """Hash of all cells, made once: generator, warm-up and rows have a key each."""
        digest = hashlib.sha256()
        for column in (*(self.table.iloc[:, place] for place in range(self.X.shape[1])), self.y):
            digest.update(pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes())
        return digest.hexdigest()

    def generator_key(self, config: RebalanceConfig) -> str:
        """Name of the generator of this fold: the same for every dose, temperature and conditioning."""
        return self.key({**config.training_settings(), **self._clause(config)}, self.plan.balancing)

    def warmup_key(self, config: RebalanceConfig) -> str:
        """Name of the warm-up on this fold."""
        return self.key({**config.warmup_settings(), **self._clause(config)}, self.plan.balancing)

    def rows_key(self, config: RebalanceConfig) -> str:
        """Name of the written rows."""
        if not config.writes_with_a_language_model:
            return self.key({"method": config.method, "random_state": config.random_state}, self.plan.counts)
        counts = {str(label): n for label, n in self.plan.counts.items()}
        return _hash([self.generator_key(config), config.writing(self.plan.writing).sampling_settings(), counts])

    def _clause(self, config: RebalanceConfig) -> dict[str, str]:
        """What rows begin with, where that is not their label."""
        return {} if self.plan.bins is None else {"clause": config.targets.clause}

    def rows(
        self, config: RebalanceConfig, root: Path | None, *, threads: int | None = None, time_limit: float | None = None
    ) -> FoldRows:
        """Written rows: from the cache in the folder `root` (None: memory), or from a generator, trained or cached.

        The plan asks for one row at least. The time limit, seconds for training and writing, is no part of the key: an
        entry made in a hurry, of fewer rows, serves all models of its fit. `OutOfTimeError` where it is too short.
        """
        started = time.perf_counter()

        def write() -> FoldRows:
            if not config.writes_with_a_language_model:
                return _without_generator(self, config)
            share = None if time_limit is None else _TRAINING_SHARE * time_limit
            train = functools.partial(_trained, self, config, root, threads, share)
            generator, trained = GENERATORS.get_or_build(root, self.generator_key(config), train)
            writer: Any = generator.with_config(config.writing(self.plan.writing).generator, threads=threads)
            left = None if time_limit is None else time_limit - (time.perf_counter() - started)
            X, y = writer.sample(self.plan.counts, time_limit=left)
            if time_limit is not None and time.perf_counter() - started >= time_limit:
                self._require_enough(y)
            agreement = {} if self.plan.bins is None else {"agreement": writer.agreement}
            head = {"generator": self.generator_key(config), "trained_here": trained}
            return FoldRows(X, y, {**head, **writer.report.to_dict(), **agreement})

        key = self.rows_key(config)
        rows, built = ROWS_CACHE.get_or_build(root, key, write)
        here = {"written_here": built, "trained_here": built and rows.report["trained_here"]}
        report = {**rows.report, "rows": key, **here}
        name: Any = self.y.name
        return FoldRows(with_values(rows.X, self.X), rows.y.rename(name), report)

    def _require_enough(self, written: pd.Series) -> None:
        """Refuse written labels (targets: all together) that are far fewer than those wanted."""
        made: Mapping[Hashable, int] = written.value_counts().to_dict()
        wanted: Mapping[Hashable, int] = self.plan.counts
        if self.plan.bins is not None:
            made, wanted = {"rare targets": len(written)}, {"rare targets": sum(wanted.values())}
        for label, n in wanted.items():
            if made.get(label, 0) < _LEAST_WRITTEN * n:
                raise OutOfTimeError(f"{made.get(label, 0)} of {n} rows of {label} were written in time.")


def _hash(head: Any) -> str:
    return hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()[:40]


@dataclass(frozen=True, eq=False)
class FoldRows:
    """Written rows of one fold, in its columns and dtypes; in the cache as a file holds them, which knows no names."""

    X: pd.DataFrame  # features, shape (n_new, m)
    y: pd.Series  # labels, or targets as float64, shape (n_new,)
    report: dict[str, Any]  # method, seconds, who made it, key of the rows (`rows`), all of a generator's report


def require_time(time_limit: float | None, library: str = "transformers") -> None:
    """Refuse to train in no time, or to load a library for next to none."""
    if time_limit is not None and (time_limit <= 0 or (time_limit < _LEAST_SECONDS and library not in sys.modules)):
        raise OutOfTimeError(
            f"{time_limit:.2f} s of training are left, and loading {library} takes longer; at least {_LEAST_SECONDS} s "
            "are needed. Give the fit more time."
        )


def _without_generator(fold: Fold, config: RebalanceConfig) -> FoldRows:
    """Rows of a method that trains nothing."""
    started, plan, seed = time.perf_counter(), fold.plan, config.random_state
    y = fold.y if plan.bins is None else fold.y.astype(np.float64)
    if config.method == "random":
        rows = plan.duplicated(fold.table, y, seed=seed)
    elif plan.bins is None:
        rows = smote_nc(fold.table, y, plan.counts, seed=seed, kinds=fold.kinds)
    else:
        counts: Any = dict(plan.counts)
        rows = smogn(fold.table, y, plan.bins, counts, seed=seed, kinds=fold.kinds)
    seconds = time.perf_counter() - started
    return FoldRows(*rows, {"method": config.method, "trained_here": False, "sampling_seconds": seconds})


def _trained(
    fold: Fold, config: RebalanceConfig, root: Path | None, threads: int | None, time_limit: float | None
) -> Generator:
    """A generator that learned the fold, for every ratio."""
    require_time(time_limit)
    learned: dict[str, Any] = {
        "kinds": fold.kinds,
        "time_limit": time_limit,
        "warm_start": None if root is None else root / "warm-ups" / f"{fold.warmup_key(config)}.safetensors",
    }
    own: dict[str, Any] = {"random_state": config.random_state, "threads": threads}
    if fold.plan.bins is None:
        generator = generator_class(config.method)(config.generator, **own)
        return _in_time(generator.fit(fold.table, fold.y, fold.plan.balancing, **learned))
    from imbllm_autogluon.regression.target_imbllm import TargetImbLLM

    counts: Any = dict(fold.plan.balancing)
    writer = TargetImbLLM(config.generator, clause=config.targets.clause, **own)
    return _in_time(writer.fit(fold.table, fold.y.astype(np.float64), fold.plan.bins, counts, **learned))


def _in_time(generator: Generator) -> Generator:
    """The generator, unless its training ran out of time before it learned much."""
    report = generator.report
    steps = sum(map(len, report.losses.values()))
    if "time limit" in report.stopped_by.values() and steps < _LEAST_STEPS:
        raise OutOfTimeError(f"time was left for {steps} steps of training; at least {_LEAST_STEPS} are needed.")
    return generator


def _save_generator(generator: Generator, folder: Path) -> None:
    from imbllm_autogluon.oversampling.generator import LanguageGenerator
    from imbllm_autogluon.oversampling.methods import save_generator

    if isinstance(generator, LanguageGenerator):
        save_generator(generator, folder)
    else:
        generator.save(folder)


def _load_generator(folder: Path) -> Generator:
    from imbllm_autogluon.oversampling.methods import load_generator
    from imbllm_autogluon.regression.target_imbllm import TargetImbLLM

    return TargetImbLLM.load(folder) if TargetImbLLM.is_stored(folder) else load_generator(folder)


def _save_rows(rows: FoldRows, folder: Path) -> None:
    table = pd.DataFrame({str(j): dense(rows.X.iloc[:, j]) for j in range(rows.X.shape[1])})
    with writing(folder, "rows") as draft:
        table.assign(label=rows.y.to_numpy()).to_parquet(draft.folder / "rows.parquet")
        draft.data = {"report": rows.report}


def _load_rows(folder: Path) -> FoldRows:
    with reading(folder, "rows") as stored:
        table = pd.read_parquet(stored.folder / "rows.parquet")
        label = table.pop("label")
        return FoldRows(table, label, stored.data["report"])


GENERATORS: DiskCache[Generator] = DiskCache("generators", _save_generator, _load_generator)
ROWS_CACHE: DiskCache[FoldRows] = DiskCache("rows", _save_rows, _load_rows)
