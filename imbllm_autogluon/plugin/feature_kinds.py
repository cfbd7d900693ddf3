"""What AutoGluon's feature metadata says about the columns of a fold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from autogluon.common.features.feature_metadata import FeatureMetadata

    from imbllm_autogluon.tables import ColumnName, Kind

RAW_TEXT = "text"
"""Special type of free texts as they were; AutoGluon hands them on where a model of the fit reads them."""

DERIVED_TEXT = ("text_ngram", "text_special", "text_as_category", RAW_TEXT)
"""Special types of columns that AutoGluon derives from free text: copied from the nearest real row, never written."""


def stack_features(metadata: FeatureMetadata | None, X: pd.DataFrame) -> list[ColumnName]:
    """Columns of X that hold predictions of the models of a lower level."""
    return _with_special_types(metadata, X, ("stack",))


def unwritten_features(metadata: FeatureMetadata | None, X: pd.DataFrame) -> list[ColumnName]:
    """Columns of X that no generator learns: predictions of a lower level, and what no model takes for a feature.

    AutoGluon leaves the column of sample weights in X, and predictions of lower models that a stacked model ignores.
    """
    if metadata is None:
        return []
    known = set(metadata.get_features()) - set(stack_features(metadata, X))
    return [name for name in X.columns if name not in known]


def text_features(metadata: FeatureMetadata | None, X: pd.DataFrame) -> list[ColumnName]:
    """Columns of X that AutoGluon made from free texts."""
    return _with_special_types(metadata, X, DERIVED_TEXT)


def kinds_of_features(metadata: FeatureMetadata | None, X: pd.DataFrame) -> dict[ColumnName, Kind]:
    """Column kinds that dtypes alone would not show.

    AutoGluon hands a bool over as int8 and a text as counts of words and characters.
    """
    return {**dict.fromkeys(text_features(metadata, X), "text"), **_kinds_of_codes(metadata, X)}


def kinds_to_read(metadata: FeatureMetadata | None, X: pd.DataFrame) -> dict[ColumnName, Kind]:
    """Column kinds for a model that reads free texts: counts of words are numbers to it."""
    texts = [name for name in _with_special_types(metadata, X, (RAW_TEXT,)) if X[name].dtype == object]
    return {**_kinds_of_codes(metadata, X), **dict.fromkeys(texts, "text")}


def said_by_texts(metadata: FeatureMetadata) -> list[ColumnName]:
    """Columns made of free texts that are there themselves; none where AutoGluon did not hand the texts on."""
    special: dict[str, list[ColumnName]] = metadata.type_group_map_special
    if not special.get(RAW_TEXT):
        return []
    made = [name for kind in DERIVED_TEXT if kind != RAW_TEXT for name in special.get(kind, [])]
    return [name for name in made if name not in special[RAW_TEXT]]


def _kinds_of_codes(metadata: FeatureMetadata | None, X: pd.DataFrame) -> dict[ColumnName, Kind]:
    kinds: dict[ColumnName, Kind] = dict.fromkeys(_with_special_types(metadata, X, ("bool",)), "boolean")
    return kinds | {name: "categorical" for name in X.columns if isinstance(X[name].dtype, pd.CategoricalDtype)}


def _with_special_types(metadata: FeatureMetadata | None, X: pd.DataFrame, types: tuple[str, ...]) -> list[ColumnName]:
    if metadata is None:
        return []
    special = metadata.type_group_map_special
    named = {name for kind in types for name in special.get(kind, [])}
    return [name for name in X.columns if name in named]
