from __future__ import annotations

import pandas as pd
from autogluon.common.features.feature_metadata import FeatureMetadata

from imbllm_autogluon.plugin.feature_kinds import (
    kinds_of_features,
    kinds_to_read,
    said_by_texts,
    stack_features,
    unwritten_features,
)

X = pd.DataFrame(
    {"flag": [0, 1], "note.words": [1, 2], "city": pd.Categorical([0, 1]), "base": [0.1, 0.9], "n": [3, 4]}
)
METADATA = FeatureMetadata(
    type_map_raw={"flag": "int", "note.words": "int", "city": "category", "base": "float", "n": "int"},
    type_group_map_special={"bool": ["flag"], "text_ngram": ["note.words"], "stack": ["base"]},
)


def test_autogluons_metadata_tells_what_dtypes_do_not() -> None:
    assert kinds_of_features(METADATA, X) == {"flag": "boolean", "note.words": "text", "city": "categorical"}


def test_stack_features_are_the_predictions_of_a_lower_level() -> None:
    assert stack_features(METADATA, X) == ["base"]
    assert stack_features(METADATA, X.drop(columns="base")) == []


def test_predictions_of_a_lower_level_and_columns_unknown_to_autogluon_are_not_written() -> None:
    wider = X.assign(weight=0.5)
    assert unwritten_features(METADATA, wider) == ["base", "weight"]
    assert unwritten_features(METADATA, X.drop(columns="base")) == []
    assert unwritten_features(None, wider) == []


def test_without_metadata_dtypes_decide_alone() -> None:
    assert kinds_of_features(None, X) == {"city": "categorical"}


TEXTS = pd.DataFrame({"note_raw_text": ["a b", "c"], "note": pd.Categorical([0, 1]), "note.words": [2, 1], "n": [3, 4]})
OF_TEXTS = FeatureMetadata(
    type_map_raw={"note_raw_text": "object", "note": "category", "note.words": "int", "n": "int"},
    type_group_map_special={"text": ["note_raw_text"], "text_as_category": ["note"], "text_special": ["note.words"]},
)


def test_a_model_that_reads_texts_takes_counts_of_words_for_numbers() -> None:
    assert kinds_to_read(OF_TEXTS, TEXTS) == {"note_raw_text": "text", "note": "categorical"}
    assert kinds_to_read(METADATA, X) == {"flag": "boolean", "city": "categorical"}


def test_what_is_made_of_texts_is_said_by_them_where_they_are_there() -> None:
    assert set(said_by_texts(OF_TEXTS)) == {"note", "note.words"}
    assert said_by_texts(METADATA) == []
