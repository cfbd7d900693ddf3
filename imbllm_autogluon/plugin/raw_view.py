"""The original columns behind AutoGluon's codes: texts, dates, booleans and label names, and the way back.

A model sees categories as whole numbers, dates as nanoseconds with year and month beside them, and two-valued columns
as 0 and 1. The feature generator that made them lies in ``learner.pkl`` before the first model is fitted, in every
process that can see the predictor's folder; it also turns written rows back, so that the parts of a date
agree with it. A view is used only if it turns real rows into exactly what they were.
"""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.plugin.feature_kinds import text_features
from imbllm_autogluon.plugin.original_columns import FILLED, OriginalColumns

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from autogluon.common.features.feature_metadata import FeatureMetadata

    from imbllm_autogluon.tables import ColumnName, Kind

log = logging.getLogger("autogluon.imbllm")

PROBED = 200
"""Real rows on which a view must prove itself."""


@dataclass(frozen=True, eq=False)
class RawView:
    """How the columns of a predictor's models came about."""

    generator: Any
    """The fitted feature generator."""

    columns: OriginalColumns

    labels: Mapping[int, Hashable]
    """Original label of each code."""

    def raw(self, X: pd.DataFrame, derived: list[ColumnName]) -> tuple[pd.DataFrame, dict[ColumnName, Kind]]:
        """Original columns of rows as a model sees them, and their kinds.

        Parameters
        ----------
        X
            Rows in AutoGluon's columns.
        derived
            Columns made from free texts, which cannot be undone: they are handed on as they are.
        """
        columns, kinds = self.columns.raw(X.drop(columns=derived))
        return pd.concat([columns, X[derived]], axis=1), {**kinds, **dict.fromkeys(derived, "text")}

    def features(self, raw: pd.DataFrame, like: pd.DataFrame, derived: list[ColumnName]) -> pd.DataFrame:
        """Rows in the columns, order and dtypes of `like`, from original columns."""
        whole = raw.drop(columns=derived).reset_index(drop=True)
        for name in self.generator.features_in:
            if name not in whole.columns:
                whole[name] = FILLED  # a free text: what is made from it is copied below
        made = self.generator.transform(whole[list(self.generator.features_in)])
        copied = raw[derived].reset_index(drop=True)
        rows: pd.DataFrame = pd.concat([made.drop(columns=derived, errors="ignore"), copied], axis=1)[
            list(like.columns)
        ]
        return rows.astype(like.dtypes)

    def is_exact(self, X: pd.DataFrame, derived: list[ColumnName]) -> bool:
        """Whether some real rows come back as they were."""
        sample = X.head(PROBED).reset_index(drop=True)
        try:
            back = self.features(self.raw(sample, derived)[0], sample, derived)
        except Exception as error:  # noqa: BLE001 - any failure means the same: this view is of no use
            log.log(15, "imbllm: the original columns cannot be recovered (%s); codes are used.", error)
            return False
        return bool(back.equals(sample))


def raw_view(predictor_folder: Path | None) -> RawView | None:
    """The view of a predictor; `None` where its folder does not tell."""
    if predictor_folder is None:
        return None
    file = predictor_folder / "learner.pkl"
    try:
        return _view_of(file, file.stat().st_mtime_ns)
    except Exception as error:  # noqa: BLE001 - another AutoGluon, or a feature generator of the user's own
        log.log(15, "imbllm: the original columns cannot be read (%s); codes are used.", error)
        return None


def exact_view(
    predictor_folder: Path | None, X: pd.DataFrame, metadata: FeatureMetadata | None
) -> tuple[RawView, list[ColumnName]] | None:
    """The view of a predictor and the columns it cannot undo, if real rows come back from it as they were."""
    view = raw_view(predictor_folder)
    if view is None:
        return None
    derived = text_features(metadata, X)
    return (view, derived) if view.is_exact(X, derived) else None


@functools.lru_cache(maxsize=2)
def _view_of(file: Path, changed: int) -> RawView:
    """Read the view from ``learner.pkl``; `changed` tells versions of one file apart."""
    del changed
    from autogluon.common.loaders import load_pkl

    learner = load_pkl.load(str(file), verbose=False)
    labels = getattr(learner.label_cleaner, "cat_mappings_dependent_var", {})
    generator = learner.feature_generator
    return RawView(generator, OriginalColumns.of(generator), dict(labels))
