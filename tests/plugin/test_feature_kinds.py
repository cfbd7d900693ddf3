from __future__ import annotations

import pandas as pd
from autogluon.common.features.feature_metadata import FeatureMetadata

from imbllm_autogluon.plugin.feature_kinds import kinds_of_features, stack_features, unwritten_features

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
