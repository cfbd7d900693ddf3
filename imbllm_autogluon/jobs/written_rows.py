"""The rows of one training fold of a fitted predictor: real ones, those written for it, and those held out of it."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.jobs.contenders import is_generator
from imbllm_autogluon.jobs.fold_records import ALL_ROWS, fitted_children, twins_and_refitted
from imbllm_autogluon.jobs.fold_tables import FoldColumns
from imbllm_autogluon.plugin.fold_writer import cache_of
from imbllm_autogluon.plugin.parameters import TwinParameters
from imbllm_autogluon.rebalancing.fold_rows import POOLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from autogluon.tabular import TabularPredictor

log = logging.getLogger("autogluon.imbllm")

FOLD_NAME = re.compile(r"S(\d+)F(\d+)")
"""AutoGluon's name of a fold: repeat and number, both from 1."""


@dataclass(frozen=True, eq=False)
class WrittenFold:
    """Rows of one training fold in the same columns, the label among them."""

    name: str
    """The fold in AutoGluon's words: ``S1F1`` is repeat 1, fold 1; ``all rows`` for models that are not bagged."""

    model: str
    """The model whose fold it is."""

    method: str
    """How the rows were written, such as ``imbllm`` or ``smote_nc``."""

    real: pd.DataFrame
    """Real rows that models of the fold learned from, shape (n, m + 1)."""

    synthetic: pd.DataFrame
    """Rows written for the fold, shape (n_new, m + 1)."""

    held_out: pd.DataFrame | None
    """Real rows kept from generator and models of the fold; `None` after a refit on all rows."""

    label: str
    """The column of classes; for a continuous target the ranges of its bins, the target being a column beside it."""

    original: bool
    """Whether columns and values are those of the training table; otherwise they are AutoGluon's codes."""

    others: Mapping[str, Any]
    """Value of each two-valued column that AutoGluon did not keep, where it is known; `None` for a missing one."""


def written_rows(
    predictor: TabularPredictor, train: pd.DataFrame | None = None, others: Mapping[str, Any] | None = None
) -> WrittenFold | None:
    """Rows of the first training fold for which rows were written.

    Parameters
    ----------
    predictor
        A fitted predictor that keeps its training data (``cache_data=True``, the default).
    train
        The table given to ``fit``. AutoGluon keeps one value of a two-valued column only; this tells the other one,
        which is otherwise called ``not`` the known one.
    others
        These other values by column, if they are known without the table.

    Returns
    -------
    WrittenFold or None
        `None` where nothing was written, where the written rows are no longer in the cache, or where the training
        data are gone.
    """
    for name, fold, child in _fitted_folds(predictor):
        key = (child.imbllm_report or {}).get("oversampling", {}).get("rows")
        if not key:
            continue
        found = _rows_of(predictor, others if train is None else train, (name, fold, child), key)
        if found is not None:
            return found
    return None


def _fitted_folds(predictor: TabularPredictor) -> Iterator[tuple[str, str, Any]]:
    """Name of model and fold, and what was fitted there; generators first, because they are read in no time."""
    trainer = predictor._trainer
    generators = [name for name in trainer.get_model_names() if is_generator(predictor, name)]
    for name in dict.fromkeys([*generators, *twins_and_refitted(predictor)]):
        for fold, child in fitted_children(trainer.load_model(name)):
            if hasattr(child, "imbllm_report"):
                yield name, fold, child


def _rows_of(
    predictor: TabularPredictor,
    known: pd.DataFrame | Mapping[str, Any] | None,
    fitted: tuple[str, str, Any],
    key: str,
) -> WrittenFold | None:
    """Rows of a fold; `None` where they are gone, or are not the ones that the fold was planned for."""
    name, fold, child = fitted
    written = POOLS.find(_root_of(predictor, child), key)
    parts = _real_rows(predictor, name, fold)
    if written is None or parts is None:
        return None
    (X, y), held_out = parts
    report = child.imbllm_report
    columns = FoldColumns.of(predictor, child, X, known)
    in_original = bool(report["oversampling"].get("raw_view"))
    if in_original and columns.view is None:
        log.log(15, "imbllm: the original columns of %s, fold %s, cannot be recovered any more.", name, fold)
        return None
    if columns.counts(y) != {code: n for code, n in report["before"].items() if n}:
        log.log(15, "imbllm: the rows of %s, fold %s, cannot be told from the kept training data.", name, fold)
        return None
    return WrittenFold(
        name=ALL_ROWS if held_out is None else fold,
        model=name,
        method=str(report["oversampling"].get("method", "")),
        real=columns.table(X, y),
        synthetic=columns.written(written, in_original=in_original),
        held_out=None if held_out is None else columns.table(*held_out),
        label=columns.label,
        original=columns.view is not None,
        others={str(name): value for name, value in columns.others.items()},
    )


def _root_of(predictor: TabularPredictor, child: Any) -> Path:
    """Folder of the cache of a model."""
    stage = TwinParameters.from_aux(getattr(child, "params_aux", {})).stage
    return Path(stage.cache_dir) if stage.cache_dir else cache_of(Path(predictor.path).absolute())


Rows = tuple[pd.DataFrame, pd.Series]


def _real_rows(predictor: TabularPredictor, model: str, fold: str) -> tuple[Rows, Rows | None] | None:
    """Training and held-out rows of a fold, in AutoGluon's columns and codes; `None` where they are not kept."""
    trainer = predictor._trainer
    X, y, X_val, y_val = trainer.load_data()
    if X is None or y is None:
        return None
    if model in predictor.model_refit_map().values():
        return ((X, y) if X_val is None else (pd.concat([X, X_val]), pd.concat([y, y_val]))), None
    if fold != ALL_ROWS:
        return _bagged_rows(trainer.load_model(model), fold, X, y)
    return (X, y), None if X_val is None else (X_val, y_val)


def _bagged_rows(bag: Any, fold: str, X: pd.DataFrame, y: pd.Series) -> tuple[Rows, Rows] | None:
    """What AutoGluon does for out-of-fold feature importance (bagged_ensemble_model.py:1154 of 1.6.3): split again."""
    found = FOLD_NAME.search(fold)
    splitters = getattr(bag, "_cv_splitters", [])[: len(getattr(bag, "_k_per_n_repeat", []))]
    repeat, number = (int(part) - 1 for part in found.groups()) if found else (0, -1)
    if number < 0 or repeat >= len(splitters):
        return None
    splits = splitters[repeat].split(X=X, y=y)
    training, validation = splits[repeat * bag._k_per_n_repeat[repeat] + number]
    return (X.iloc[training], y.iloc[training]), (X.iloc[validation], y.iloc[validation])
