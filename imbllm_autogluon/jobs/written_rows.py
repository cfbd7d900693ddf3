"""The rows of one training fold of a fitted predictor: real ones, those written for it, and those held out of it.

Readers get original columns where AutoGluon's codes can be undone, and labels by name.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.jobs.contenders import is_generator
from imbllm_autogluon.jobs.fold_records import ALL_ROWS, fitted_children, twins_and_refitted
from imbllm_autogluon.plugin.feature_kinds import stack_features, text_features, unwritten_features
from imbllm_autogluon.plugin.parameters import TwinParameters
from imbllm_autogluon.plugin.raw_view import exact_view
from imbllm_autogluon.quality.reports import measure
from imbllm_autogluon.rebalancing.cache import cache_of
from imbllm_autogluon.rebalancing.rows import POOLS
from imbllm_autogluon.regression.bins import TargetBins

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.plugin.raw_view import RawView
    from imbllm_autogluon.rebalancing import FoldRows
    from imbllm_autogluon.tables import ColumnName


log = logging.getLogger("autogluon.imbllm")

FOLD_NAME = re.compile(r"S(\d+)F(\d+)")
"""AutoGluon's name of a fold: repeat and number, both from 1."""

Rows = tuple[pd.DataFrame, pd.Series]


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


@dataclass(frozen=True, eq=False)
class FoldColumns:
    """How the columns and labels of one fold are shown."""

    dtypes: pd.Series
    """Of AutoGluon's columns that rows were written in, by name; those made from free texts are copied, not written,
    and left out."""

    texts: tuple[ColumnName, ...]

    view: RawView | None
    """The way back to the original columns; `None` where there is none."""

    others: Mapping[ColumnName, Any]
    """Value of each two-valued column that AutoGluon did not keep."""

    target: str
    """Name of the label column of the training table."""

    labels: Mapping[int, Hashable]
    """Original label of each code; empty for a continuous target."""

    bins: TargetBins | None
    """Bins of a continuous target."""

    @classmethod
    def of(
        cls,
        predictor: TabularPredictor,
        child: Any,
        X: pd.DataFrame,
        known: pd.DataFrame | Mapping[str, Any] | None = None,
    ) -> FoldColumns:
        """Read them off a model of the fold.

        Parameters
        ----------
        predictor
            The predictor that the model belongs to.
        child
            A model fitted on the fold.
        X
            Rows of the fold in AutoGluon's columns.
        known
            The training table, or the values of two-valued columns that AutoGluon did not keep.
        """
        metadata = child._imbllm_metadata
        written = X.drop(columns=[*unwritten_features(metadata, X), *stack_features(metadata, X)], errors="ignore")
        texts = text_features(metadata, written)
        exact = exact_view(Path(predictor.path).absolute(), written, metadata)
        view = None if exact is None else exact[0]
        edges = child.imbllm_report.get("edges")
        return cls(
            written.dtypes.drop(texts),
            tuple(texts),
            view,
            {} if view is None or known is None else _others(view.columns.booleans, known),
            str(predictor.label),
            {code: name for name, code in (predictor.class_labels_internal_map or {}).items()},
            None if edges is None else TargetBins(np.asarray(edges, dtype=np.float64)),
        )

    @property
    def label(self) -> str:
        """Name of the column of classes: the label, or the ranges of a continuous target."""
        return self.target if self.bins is None else f"{self.target} range"

    def counts(self, y: pd.Series) -> dict[str, int]:
        """Rows by code of the class, or by number of the bin, as reports name them."""
        codes = y if self.bins is None else pd.Series(self.bins.assign(y))
        return {str(code): int(n) for code, n in codes.value_counts().items() if n}

    def table(self, X: pd.DataFrame, y: pd.Series) -> pd.DataFrame:
        """Rows in AutoGluon's columns and codes, as a table with a label."""
        # Files keep no category of numbers: written rows come back as the numbers.
        rows = X[list(self.dtypes.index)].astype(self.dtypes.to_dict())
        if self.view is not None:
            rows = self._named(self.view.raw(rows, [])[0])
        return self._with_label(rows, y.map(self.labels) if self.labels else y)

    def written(self, rows: FoldRows, *, in_original: bool) -> pd.DataFrame:
        """Written rows as a table with a label.

        Parameters
        ----------
        rows
            An entry of the cache.
        in_original
            Whether its columns and labels are the original ones, as they are where there is a view; otherwise they are
            AutoGluon's.
        """
        if not in_original:
            return self.table(rows.X, rows.y)
        return self._with_label(self._named(rows.X.drop(columns=list(self.texts), errors="ignore")), rows.y)

    def _named(self, raw: pd.DataFrame) -> pd.DataFrame:
        """The same rows, two-valued columns with the value that AutoGluon did not keep."""
        assert self.view is not None
        kept = self.view.columns.booleans
        changed = {name: raw[name].where(raw[name] == kept[name], other) for name, other in self.others.items()}
        return raw.assign(**{str(name): column for name, column in changed.items() if name in raw.columns})

    def _with_label(self, X: pd.DataFrame, y: pd.Series) -> pd.DataFrame:
        """Features, label, and beside a continuous target its ranges."""
        table = X.assign(**{self.target: y.to_numpy()})
        if self.bins is not None:
            names = np.array(_ranges(self.bins), dtype=object)
            table[self.label] = names[self.bins.assign(y)]
        return table.reset_index(drop=True)


def _others(kept: Mapping[ColumnName, Any], train: pd.DataFrame | Mapping[str, Any]) -> dict[ColumnName, Any]:
    """The value of each two-valued column beside the one that was kept: a missing one is a value, too."""
    if not isinstance(train, pd.DataFrame):
        return {name: train[str(name)] for name in kept if str(name) in train}
    found = {}
    for name, value in kept.items():
        if name in train.columns:
            rest = [other for other in train[name].dropna().unique() if other != value]
            if len(rest) <= 1:
                found[name] = rest[0] if rest else None
    return found


def _ranges(bins: TargetBins) -> list[str]:
    """Names of the bins; edges that look alike with few digits get more of them."""
    for digits in (4, 6, 9, 15):
        ends = [measure(float(edge), digits) for edge in bins.edges]
        if len(set(ends)) == len(ends):
            break
    return [f"{low} to {high}" for low, high in pairwise(ends)]
