"""The written rows of one training fold, made once and shared by every model that is fitted on that fold."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.plugin.cache import Shelf
from imbllm_autogluon.stored_state import reading

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imbllm_autogluon.oversampling.imbllm import ImbLLM
    from imbllm_autogluon.plugin.parameters import TwinParameters
    from imbllm_autogluon.plugin.plan import OversamplingPlan
    from imbllm_autogluon.tables import ColumnName, Kind

KEY_VERSION = 1
"""Raised whenever the same settings would lead to other rows."""


@dataclass(frozen=True, eq=False)
class FoldRows:
    """Written rows of one fold."""

    X: pd.DataFrame
    """Features, shape (n_new, m), in the columns and dtypes of the fold."""

    y: pd.Series
    """Labels, shape (n_new,)."""

    report: dict[str, Any]
    """What generator and sampling did."""


@dataclass(frozen=True)
class Fold:
    """Real rows of one training fold and what is to be made of them."""

    X: pd.DataFrame
    y: pd.Series
    plan: OversamplingPlan
    kinds: Mapping[ColumnName, Kind]

    def key(self, settings: Mapping[str, Any]) -> str:
        """Hash of the rows in their order, the wanted counts and the settings; equal in every process."""
        digest = hashlib.sha256()
        head = {
            "version": KEY_VERSION,
            "settings": dict(settings),
            "counts": {str(label): n for label, n in self.plan.counts.items()},
            "kinds": {str(name): kind for name, kind in self.kinds.items()},
            "columns": [(str(name), str(dtype)) for name, dtype in self.X.dtypes.items()],
        }
        digest.update(json.dumps(head, sort_keys=True).encode())
        for position in range(self.X.shape[1]):
            digest.update(_hash(self.X.iloc[:, position]))
        digest.update(_hash(self.y))
        return digest.hexdigest()[:40]


def fold_rows(
    fold: Fold, parameters: TwinParameters, root: Path | None, *, threads: int | None, time_limit: float | None
) -> FoldRows:
    """Written rows of a fold: from the cache, or from a generator that is trained (or itself cached).

    Parameters
    ----------
    fold
        Real rows and plan.
    parameters
        Settings of generator and sampling.
    root
        Folder of the cache; `None`: memory.
    threads
        torch threads of training and sampling.
    time_limit
        Seconds that training may take. Not part of the key: an entry made in a hurry serves all models of its fit.
    """
    generator_key = fold.key(parameters.training_settings())
    sampling = json.dumps([generator_key, parameters.sampling_settings()], sort_keys=True)
    pool_key = hashlib.sha256(sampling.encode()).hexdigest()[:40]

    def train() -> ImbLLM:
        from imbllm_autogluon.oversampling.imbllm import ImbLLM

        generator = ImbLLM(parameters.generator, random_state=parameters.stage.random_state, threads=threads)
        return generator.fit(fold.X, fold.y, fold.plan.counts, kinds=fold.kinds, time_limit=time_limit)

    def write() -> FoldRows:
        generator, built = GENERATORS.get_or_build(root, generator_key, train)
        writer = generator.with_config(parameters.generator, threads=threads)
        X, y = writer.sample()
        return FoldRows(X, y, {"generator": generator_key, "trained_here": built, **writer.report.to_dict()})

    rows, built = POOLS.get_or_build(root, pool_key, write)
    return replace(
        rows, report={**rows.report, "written_here": built, "trained_here": built and rows.report["trained_here"]}
    )


def _hash(column: pd.Series) -> bytes:
    """Hash of one column's values in their order, index ignored."""
    return pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes()


def _save_generator(generator: ImbLLM, folder: Path) -> None:
    from imbllm_autogluon.oversampling.storage import save_generator

    save_generator(generator, folder)


def _load_generator(folder: Path) -> ImbLLM:
    from imbllm_autogluon.oversampling.storage import load_generator

    return load_generator(folder)


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


GENERATORS: Shelf[ImbLLM] = Shelf("generators", _save_generator, _load_generator)
POOLS: Shelf[FoldRows] = Shelf("rows", _save_rows, _load_rows)
