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

import numpy as np
import pandas as pd

from imbllm_autogluon.plugin.feature_kinds import text_features

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping
    from pathlib import Path

    from autogluon.common.features.feature_metadata import FeatureMetadata

    from imbllm_autogluon.tables import ColumnName, Kind

log = logging.getLogger("autogluon.imbllm")

PROBED = 200
"""Real rows on which a view must prove itself."""

FILLED = ""
"""What AutoGluon writes into the gaps of text columns before it makes categories."""


@dataclass(frozen=True, eq=False)
class RawView:
    """How the columns of a predictor's models came about."""

    generator: Any
    """The fitted feature generator."""

    categories: Mapping[str, pd.Index]
    """Original values of each category column, in the order of its codes."""

    booleans: Mapping[str, Any]
    """Value that AutoGluon took for true in each two-valued column; the other one is not stored."""

    dates: frozenset[str]
    dtypes: Mapping[str, Any]
    """Original dtype of each column."""

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
        columns: dict[Any, pd.Series] = {}
        kinds: dict[ColumnName, Kind] = {}
        for name in self.generator.features_in:
            if name not in X.columns or name in derived:
                continue
            column, kind = self._original(name, X[name])
            columns[name] = column
            if kind is not None:
                kinds[name] = kind
        for name in derived:
            columns[name], kinds[name] = X[name], "text"
        return pd.DataFrame(columns, index=X.index), kinds

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

    def _original(self, name: str, column: pd.Series) -> tuple[pd.Series, Kind | None]:
        dtype = self.dtypes.get(name)
        if name in self.categories:
            values = column.astype("Int64").map(dict(enumerate(self.categories[name]))).astype(object)
            return values.where(values.notna() & (values != FILLED), None), "categorical"
        if name in self.booleans:
            return _two_valued(column, self.booleans[name])
        if name in self.dates:
            moments = pd.to_datetime(column, unit=_unit(dtype), utc=True)
            zone = getattr(dtype, "tz", None)
            return moments.dt.tz_convert(zone) if zone is not None else moments.dt.tz_localize(None), "datetime"
        return column, None


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
    categories: dict[str, pd.Index] = {}
    booleans: dict[str, Any] = {}
    dates: set[str] = set()
    dtypes: dict[str, Any] = {}
    for part in _parts(learner.feature_generator):
        categories |= getattr(part, "category_map", None) or {}
        booleans |= getattr(part, "_bool_features", None) or {}
        dtypes = dtypes or dict(getattr(part, "_type_map_real_opt", None) or {})
        if type(part).__name__ == "DatetimeFeatureGenerator":
            dates |= set(part.features_in)
    labels = getattr(learner.label_cleaner, "cat_mappings_dependent_var", {})
    return RawView(learner.feature_generator, categories, booleans, frozenset(dates), dtypes, dict(labels))


def _parts(generator: Any) -> Iterator[Any]:
    """A feature generator and all that work inside it."""
    yield generator
    nested = [*getattr(generator, "_pre_generators", []), *getattr(generator, "_post_generators", [])]
    for stage in getattr(generator, "generators", []):
        nested += stage
    for part in nested:
        yield from _parts(part)


def _unit(dtype: Any) -> Any:
    """Unit of the whole numbers that AutoGluon makes of dates: nanoseconds unless the column came in another one."""
    if isinstance(dtype, pd.DatetimeTZDtype):
        return dtype.unit
    is_date = isinstance(dtype, np.dtype) and dtype.kind == "M"
    return np.datetime_data(dtype)[0] if is_date else "ns"


def _two_valued(column: pd.Series, true: Any) -> tuple[pd.Series, Kind]:
    """Two values as text or bool; AutoGluon keeps only the one it took for true."""
    is_true = column == 1
    if isinstance(true, (bool, np.bool_)):
        return is_true == bool(true), "boolean"
    if isinstance(true, str):
        return is_true.map({True: true, False: f"not {true}"}).astype(object), "categorical"
    false = 0 if true != 0 else 1
    # No numbers in between: AutoGluon would take each of them for the value that is not true.
    return pd.Series(np.where(is_true, true, false), index=column.index), "categorical"
