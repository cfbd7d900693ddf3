"""The original columns behind AutoGluon's codes: texts, dates, booleans and label names, and the way back.

The feature generator that made the codes lies in ``learner.pkl`` before the first model is fitted. It also turns
written rows back, so that the parts of a date agree with it. A view is used only if real rows come back as they were.
"""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.tables.stored import with_texts

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping
    from pathlib import Path

    from autogluon.common.features.feature_metadata import FeatureMetadata

    from imbllm_autogluon.tables import ColumnName, Kind

    Kinds = dict[ColumnName, Kind]

_log = logging.getLogger("autogluon.imbllm")

_RAW_TEXT = "text"  # special type of free texts as they were, handed on where a model of the fit reads them
# Special types of columns that AutoGluon makes of free text: made again of a text that is there as it was, else copied
# from the nearest real row.
_DERIVED_TEXT = ("text_ngram", "text_special", "text_as_category", _RAW_TEXT)
_RAW_TEXT_SUFFIX = "_raw_text"  # of the name of a column of texts that AutoGluon hands on as it is
_FILLED = ""  # what AutoGluon writes into the gaps of text columns
_PROBED = 200  # real rows on which a view must prove itself


def stack_features(metadata: FeatureMetadata | None, X: pd.DataFrame) -> list[ColumnName]:
    """Columns of X that hold predictions of the models of a lower level."""
    return _with_special_types(metadata, X, ("stack",))


def unwritten_features(metadata: FeatureMetadata | None, X: pd.DataFrame) -> list[ColumnName]:
    """Columns of X that no generator learns: predictions of a lower level, and weights that AutoGluon leaves there."""
    if metadata is None:
        return []
    known = set(metadata.get_features()) - set(stack_features(metadata, X))
    return [name for name in X.columns if name not in known]


def text_features(metadata: FeatureMetadata | None, X: pd.DataFrame) -> list[ColumnName]:
    """Columns of X that AutoGluon made from free texts."""
    return _with_special_types(metadata, X, _DERIVED_TEXT)


def kinds_of_features(metadata: FeatureMetadata | None, X: pd.DataFrame, *, read: bool = False) -> Kinds:
    """Column kinds that dtypes alone would not show: a bool comes as int8, a text as counts of words and characters.

    Where free texts themselves are `read`, counts of words are numbers.
    """
    raw = [name for name in _with_special_types(metadata, X, (_RAW_TEXT,)) if X[name].dtype == object]
    texts: Kinds = dict.fromkeys(raw if read else text_features(metadata, X), "text")
    codes: Kinds = dict.fromkeys(_with_special_types(metadata, X, ("bool",)), "boolean")
    codes |= {name: "categorical" for name in X.columns if isinstance(X[name].dtype, pd.CategoricalDtype)}
    return {**codes, **texts} if read else {**texts, **codes}


def _with_special_types(metadata: FeatureMetadata | None, X: pd.DataFrame, types: tuple[str, ...]) -> list[ColumnName]:
    special = {} if metadata is None else metadata.type_group_map_special
    named = {name for kind in types for name in special.get(kind, [])}
    return [name for name in X.columns if name in named]


@dataclass(frozen=True, eq=False)
class OriginalColumns:
    """How the columns that models see came about.

    Free of AutoGluon's objects, so that a model can keep it from its fit to its predictions, in any process.
    """

    names: tuple[ColumnName, ...]  # of the original table, in its order
    categories: Mapping[ColumnName, pd.Index]  # original values, in the order of the codes
    booleans: Mapping[ColumnName, Any]  # what AutoGluon took for true; the other value is not stored
    dates: Mapping[ColumnName, tuple[ColumnName, ...]]  # columns made of each: year, month, day, day of the week
    texts: Mapping[ColumnName, ColumnName]  # the column that holds each free text as it was
    dtypes: Mapping[ColumnName, Any]  # original ones

    @classmethod
    def from_generator(cls, generator: Any) -> OriginalColumns:
        """Read them off the fitted feature generator of a predictor."""
        found: Any = cls(tuple(generator.features_in), {}, {}, {}, {}, {})
        for part in _parts(generator):
            found.categories.update(getattr(part, "category_map", None) or {})
            found.booleans.update(getattr(part, "_bool_features", None) or {})
            if not found.dtypes:
                found.dtypes.update(getattr(part, "_type_map_real_opt", None) or {})
            if type(part).__name__ == "DatetimeFeatureGenerator":
                found.dates.update({n: tuple(f"{n}.{each}" for each in part.features) for n in part.features_in})
            if getattr(part, "_name_suffix", None) == _RAW_TEXT_SUFFIX:
                found.texts.update({name: f"{name}{_RAW_TEXT_SUFFIX}" for name in part.features_in})
        return found  # type: ignore[no-any-return]

    def raw(self, X: pd.DataFrame) -> tuple[pd.DataFrame, Kinds]:
        """Original columns of X, in the order of the table, and kinds that dtypes do not show."""
        found: dict[ColumnName, tuple[pd.Series, Kind | None]] = {}
        for name in self.names:
            if self.texts.get(name) in X.columns:
                found[name] = _without_filling(X[self.texts[name]]), "text"
            elif name in X.columns:
                found[name] = self._original(name, X[name])
        frame = pd.DataFrame({name: column for name, (column, _) in found.items()}, index=X.index)
        return frame, {name: kind for name, (_, kind) in found.items() if kind is not None}

    def beyond(self, X: pd.DataFrame) -> list[ColumnName]:
        """Columns of X that say what no original column says: counts of words, predictions of other models."""
        told = {*self.names, *self.texts.values(), *(part for parts in self.dates.values() for part in parts)}
        return [name for name in X.columns if name not in told]

    def _original(self, name: ColumnName, column: pd.Series) -> tuple[pd.Series, Kind | None]:
        if name in self.categories:
            values = column.astype("Int64").map(dict(enumerate(self.categories[name])))
            return _without_filling(values), "categorical"
        if name in self.booleans:
            return _two_valued(column, self.booleans[name])
        if name in self.dates:
            dtype = self.dtypes.get(name)
            moments = pd.to_datetime(column, unit=_unit(dtype), utc=True)
            zone = getattr(dtype, "tz", None)
            return moments.dt.tz_convert(zone) if zone is not None else moments.dt.tz_localize(None), "datetime"
        return column, None


def _parts(generator: Any) -> Iterator[Any]:
    yield generator
    stages = [part for stage in getattr(generator, "generators", []) for part in stage]
    for part in [*getattr(generator, "_pre_generators", []), *getattr(generator, "_post_generators", []), *stages]:
        yield from _parts(part)


def _unit(dtype: Any) -> Any:
    """Unit of the whole numbers that AutoGluon makes of dates: nanoseconds unless the column came in another one."""
    if isinstance(dtype, pd.DatetimeTZDtype):
        return dtype.unit
    is_date = isinstance(dtype, np.dtype) and dtype.kind == "M"
    return np.datetime_data(dtype)[0] if is_date else "ns"


def _without_filling(column: pd.Series) -> pd.Series:
    values = column.astype(object)
    return values.where(values.notna() & (values != _FILLED), None)


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


@dataclass(frozen=True, eq=False)
class RawView:
    """How the columns of a predictor's models came about, and the way back."""

    generator: Any  # the fitted feature generator
    columns: OriginalColumns
    labels: Mapping[int, Hashable]  # original label of each code, or its text where no file holds it
    # Made of free texts, which cannot be undone: handed on as they are. None where the texts themselves are there.
    derived: tuple[ColumnName, ...] = ()

    def raw(self, X: pd.DataFrame) -> tuple[pd.DataFrame, Kinds]:
        """Original columns of rows as a model sees them, and kinds that dtypes do not show."""
        derived = [name for name in self.derived if name in X.columns]
        columns, kinds = self.columns.raw(X.drop(columns=derived))
        return pd.concat([columns, X[derived]], axis=1), {**kinds, **dict.fromkeys(derived, "text")}

    def features(self, raw: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
        """Rows in the columns, order and dtypes of `like`, from original columns."""
        derived, wanted = list(self.derived), list(self.generator.features_in)
        whole = raw.drop(columns=derived).reset_index(drop=True)
        # A column that is missing is a free text: what is made from it is copied below.
        made = self.generator.transform(whole.reindex(columns=wanted, fill_value=_FILLED))
        copied = raw[derived].reset_index(drop=True)
        rows = pd.concat([made.drop(columns=derived, errors="ignore"), copied], axis=1)
        ordered: pd.DataFrame = rows[list(like.columns)].astype(like.dtypes)
        return ordered

    def is_exact(self, X: pd.DataFrame) -> bool:
        """Whether some real rows come back as they were."""
        sample = X.head(_PROBED).reset_index(drop=True)
        try:
            return bool(self.features(self.raw(sample)[0], sample).equals(sample))
        except Exception as error:  # noqa: BLE001 - any failure means the same: this view is of no use
            _log.log(15, "imbllm: the original columns cannot be recovered (%s); codes are used.", error)
            return False


def exact_view(predictor_folder: Path | None, X: pd.DataFrame, metadata: FeatureMetadata | None) -> RawView | None:
    """The view of a predictor, if its folder tells and real rows come back from it as they were."""
    if predictor_folder is None:
        return None
    file = predictor_folder / "learner.pkl"
    try:
        view = _view_of(file, file.stat().st_mtime_ns)
        texts = view.columns.texts.values()
        is_told = len(texts) > 0 and all(name in X.columns for name in texts)
        view = replace(view, derived=() if is_told else tuple(text_features(metadata, X)))
    except Exception as error:  # noqa: BLE001 - another AutoGluon, or a feature generator of the user's own
        _log.log(15, "imbllm: the original columns cannot be read (%s); codes are used.", error)
        return None
    return view if view.is_exact(X) else None


@functools.lru_cache(maxsize=2)
def _view_of(file: Path, changed: int) -> RawView:
    """Read the view from ``learner.pkl``; `changed` tells versions of one file apart."""
    del changed
    from autogluon.common.loaders import load_pkl

    learner = load_pkl.load(str(file), verbose=False)
    labels = getattr(learner.label_cleaner, "cat_mappings_dependent_var", {})
    names = with_texts(pd.DataFrame({"label": list(labels.values())}))["label"]
    generator = learner.feature_generator
    return RawView(generator, OriginalColumns.from_generator(generator), dict(zip(labels, names, strict=True)))
