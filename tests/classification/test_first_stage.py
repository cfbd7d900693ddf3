"""Guesses of a first classifier: out of fold for rows that it learned, of a rare class too, in every kind of table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from imbllm_autogluon.classification.first_stage import CONFIDENCE, GUESS, MOST_LEVELS, FirstStage, matrix_of
from imbllm_autogluon.tables import TableSchema
from tests.classification.tables import Table, mixed, noise

BUILT_IN = ["boosting", "logistic"]


def staged(X: pd.DataFrame, y: pd.Series[Any], classifier: Any) -> tuple[FirstStage, pd.DataFrame, TableSchema]:
    """The stage, the guesses on the rows it learned, and the schema."""
    schema = TableSchema.of_labelled(X, y)
    stage = FirstStage(classifier, schema, 0)
    return stage, stage.fit(X, schema.encode(X), schema.encode_label(y)), schema


def asked(stage: FirstStage, X: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
    return stage.guesses(X, schema.encode(X, unknown="missing"))


def memory() -> KNeighborsClassifier:
    """It repeats the label of each row that it learned."""
    return KNeighborsClassifier(1)


def test_a_classifier_that_remembers_labels_does_not_tell_them_on_rows_it_learned() -> None:
    X, y = noise(300)
    stage, guesses, schema = staged(X, y, memory())
    assert (asked(stage, X, schema)[GUESS] == y).all()
    assert (guesses[GUESS] == y).mean() < 0.7


def test_nor_where_some_class_has_one_row() -> None:
    X, y = noise(300)
    y.iloc[5] = "lonely"
    _, guesses, _ = staged(X, y, memory())
    others = y != "lonely"
    assert (guesses[GUESS] == y)[others].mean() < 0.7
    assert guesses[GUESS].iloc[5] == "lonely"  # every model has to know the class, so each one has seen the row


def test_classes_of_one_row_each_are_guessed_too() -> None:
    X, _ = noise(4)
    _, guesses, _ = staged(X, pd.Series(list("abcd")), memory())
    assert guesses[GUESS].tolist() == list("abcd")


@pytest.mark.parametrize("classifier", BUILT_IN)
def test_guesses_are_better_than_chance_and_confident_within_bounds(classifier: str) -> None:
    X, y = mixed(400)
    stage, guesses, schema = staged(X, y, classifier)
    for found in (guesses, asked(stage, X, schema)):
        assert list(found.columns) == [GUESS, CONFIDENCE]
        assert found[CONFIDENCE].between(0, 1).all()
        recall = (found[GUESS] == y).groupby(y.to_numpy()).mean()
        assert recall.mean() > 0.6


def test_a_rare_class_is_guessed_though_it_is_never_the_most_probable() -> None:
    X, y = mixed(400, rare_every=20)
    stage, _, schema = staged(X, y, "logistic")
    found = asked(stage, X, schema)
    rare = found[GUESS] == "yes"
    assert 0.05 < rare.mean() < 0.5
    assert found[CONFIDENCE][rare].min() < 0.5


@pytest.mark.parametrize("classifier", BUILT_IN)
def test_the_same_seed_gives_the_same_guesses(classifier: str) -> None:
    first, again = (staged(*mixed(), classifier)[1] for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


def awkward() -> Table:
    """Missing cells, a column of nothing but gaps and one constant, more categories than boosting takes."""
    X, y = mixed(2 * MOST_LEVELS + 10)
    many = [f"street {i // 2}" for i in range(len(X))]
    X = X.assign(street=many, empty=np.nan, same=1).mask(np.random.default_rng(1).random((len(X), 6)) < 0.1)
    return X.assign(street=many), y


@pytest.mark.parametrize("classifier", BUILT_IN)
def test_missing_cells_and_many_categories_are_read(classifier: str) -> None:
    X, y = awkward()
    stage, guesses, schema = staged(X, y, classifier)
    assert guesses.notna().all(axis=None)
    new = X.head(5).assign(city="Paris", income=np.nan)
    assert asked(stage, new, schema).notna().all(axis=None)


@pytest.mark.parametrize("classifier", BUILT_IN)
@pytest.mark.parametrize("column", ["a", "b"])
def test_a_table_of_one_kind_of_column_or_of_none_is_read(classifier: str, column: str) -> None:
    X, y = noise(60)
    one = pd.DataFrame({"a": X["a"] if column == "a" else np.where(X["a"] > 0, "p", "q")})
    assert len(staged(one, y, classifier)[1]) == 60
    assert len(staged(pd.DataFrame({"same": [1] * 60}), y, classifier)[1]) == 60


def test_a_classifier_of_ones_own_sees_the_frame_and_is_left_alone() -> None:
    class Reading(KNeighborsClassifier):  # type: ignore[misc]
        def fit(self, X: Any, y: Any) -> Any:
            assert list(X.columns) == ["income", "city", "member"]
            return super().fit(X[["income"]], y)

        def predict_proba(self, X: Any) -> Any:
            return super().predict_proba(X[["income"]])

    own = Reading(5)
    _, guesses, _ = staged(*mixed(), own)
    assert len(guesses) == 120
    assert not hasattr(own, "classes_")


def test_a_matrix_holds_numbers_codes_and_gaps() -> None:
    X = pd.DataFrame({"x": [1.5, np.nan], "c": ["u", None], "when": pd.to_datetime(["2020-01-02", None])})
    schema = TableSchema.from_frame(pd.concat([X, X.assign(x=2.0, c="v", when=pd.Timestamp("2021-01-01"))]))
    matrix = matrix_of(schema.encode(X))
    assert matrix.dtype == np.float64
    assert np.isnan(matrix[1]).all()
    assert matrix[0, :2].tolist() == [1.5, schema.columns[1].categories.index("u")]


def test_two_hundred_classes_are_guessed() -> None:
    X = pd.DataFrame({"a": np.repeat(np.arange(200.0), 3)})
    _, guesses, _ = staged(X, pd.Series(np.repeat([f"c{i}" for i in range(200)], 3)), "logistic")
    assert guesses[GUESS].nunique() > 20
