"""Rows of a fold as a reader knows them: original columns where AutoGluon's codes can be undone, labels by name."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.plugin.feature_kinds import stack_features, text_features, unwritten_features
from imbllm_autogluon.plugin.raw_view import exact_view
from imbllm_autogluon.quality.pages.environments import measure
from imbllm_autogluon.regression.bins import TargetBins

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.plugin.raw_view import RawView
    from imbllm_autogluon.rebalancing import FoldRows
    from imbllm_autogluon.tables import ColumnName


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
