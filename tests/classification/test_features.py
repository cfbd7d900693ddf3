"""Auxiliary features: out-of-fold guesses for learned rows, another control clause at the query."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from imbllm_autogluon.classification.config import ClassifierConfig
from imbllm_autogluon.classification.features import _MOST_LEVELS, RowEncoder, _FirstStage
from imbllm_autogluon.tables import TableSchema
from tests.classification.tables import Table, mixed, noise

GUESS, CONFIDENCE, CONTROL = "first guess", "confidence in it", "class frequencies"


BUILT_IN = ["boosting", "logistic"]


def staged(X: pd.DataFrame, y: pd.Series[Any], classifier: Any) -> tuple[_FirstStage, pd.DataFrame]:
    """The stage, and the guesses on the rows it learned."""
    schema = TableSchema.from_labeled(X, y)
    stage = _FirstStage(classifier, schema, 0)
    return stage, stage.fit(X, schema.encode_label(y))


def memory() -> KNeighborsClassifier:
    """It repeats the label of each row that it learned."""
    return KNeighborsClassifier(1)


def test_a_classifier_that_remembers_labels_does_not_tell_them_on_rows_it_learned() -> None:
    X, y = noise(300)
    stage, guesses = staged(X, y, memory())
    assert (stage.guesses(X)[GUESS] == y).all()
    assert (guesses[GUESS] == y).mean() < 0.7


def test_nor_where_some_class_has_one_row() -> None:
    X, y = noise(300)
    y.iloc[5] = "lonely"
    _, guesses = staged(X, y, memory())
    others = y != "lonely"
    assert (guesses[GUESS] == y)[others].mean() < 0.7
    assert guesses[GUESS].iloc[5] == "lonely"  # every model has to know the class, so each one has seen the row


def test_classes_of_one_row_each_are_guessed_too() -> None:
    X, _ = noise(4)
    _, guesses = staged(X, pd.Series(list("abcd")), memory())
    assert guesses[GUESS].tolist() == list("abcd")


@pytest.mark.parametrize("classifier", BUILT_IN)
def test_guesses_are_better_than_chance_and_confident_within_bounds(classifier: str) -> None:
    X, y = mixed(400)
    stage, guesses = staged(X, y, classifier)
    for found in (guesses, stage.guesses(X)):
        assert list(found.columns) == [GUESS, CONFIDENCE]
        assert found[CONFIDENCE].between(0, 1).all()
        recall = (found[GUESS] == y).groupby(y.to_numpy()).mean()
        assert recall.mean() > 0.6


def test_a_rare_class_is_guessed_though_it_is_never_the_most_probable() -> None:
    X, y = mixed(400, rare_every=20)
    stage, _ = staged(X, y, "logistic")
    found = stage.guesses(X)
    rare = found[GUESS] == "yes"
    assert 0.05 < rare.mean() < 0.5
    assert found[CONFIDENCE][rare].min() < 0.5


@pytest.mark.parametrize("classifier", BUILT_IN)
def test_the_same_seed_gives_the_same_guesses(classifier: str) -> None:
    first, again = (staged(*mixed(), classifier)[1] for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


def awkward() -> Table:
    """Missing cells, a column of nothing but gaps and one constant, more categories than boosting takes."""
    X, y = mixed(2 * _MOST_LEVELS + 10)
    many = [f"street {i // 2}" for i in range(len(X))]
    X = X.assign(street=many, empty=np.nan, same=1).mask(np.random.default_rng(1).random((len(X), 6)) < 0.1)
    return X.assign(street=many), y


@pytest.mark.parametrize("classifier", BUILT_IN)
def test_missing_cells_and_many_categories_are_read(classifier: str) -> None:
    X, y = awkward()
    stage, guesses = staged(X, y, classifier)
    assert guesses.notna().all(axis=None)
    new = X.head(5).assign(city="Paris", income=np.nan)
    assert stage.guesses(new).notna().all(axis=None)


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
    _, guesses = staged(*mixed(), own)
    assert len(guesses) == 120
    assert not hasattr(own, "classes_")


def test_two_hundred_classes_are_guessed() -> None:
    X = pd.DataFrame({"a": np.repeat(np.arange(200.0), 3)})
    _, guesses = staged(X, pd.Series(np.repeat([f"c{i}" for i in range(200)], 3)), "logistic")
    assert guesses[GUESS].nunique() > 20


def encoder(X: pd.DataFrame, y: pd.Series[Any], first: Any = None, **measures: Any) -> tuple[RowEncoder, np.ndarray]:
    """An encoder that knows the table's own columns, and the codes of the classes."""
    made = RowEncoder(ClassifierConfig.from_flat(measures), first, 0)
    return made, made.fit(X, y, None)


@pytest.mark.parametrize(
    ("measures", "names"),
    [
        ({}, []),
        ({"suppression": True}, [CONTROL]),
        ({"first_stage": "logistic"}, [GUESS, CONFIDENCE]),
        ({"first_stage": "boosting", "suppression": True}, [GUESS, CONFIDENCE, CONTROL]),
    ],
)
def test_each_measure_adds_its_own_features(measures: dict[str, Any], names: list[str]) -> None:
    X, y = mixed()
    made, codes = encoder(X, y, **measures)
    learned, new = made.fit_auxiliary(X, codes, np.zeros(len(X), dtype=bool)), made.auxiliary(X.head(7))
    assert list(learned.columns) == list(new.columns) == names
    assert (len(learned), len(new)) == (120, 7)
    assert [column.name for column in made.schema.columns] == ["income", "city", "member", *names]
    assert [column.name for column in made.plain.columns] == ["income", "city", "member"]


def test_the_control_clause_has_one_value_in_the_table_and_the_other_at_the_query() -> None:
    X, y = mixed()
    made, codes = encoder(X, y, suppression=True)
    learned = made.fit_auxiliary(X, codes, np.zeros(len(X), dtype=bool))
    assert set(made.balanced(learned)[CONTROL]) == set(made.auxiliary(X)[CONTROL]) == {"ignored"}
    assert set(learned[CONTROL]) == {"as they are"}


def test_rows_that_are_kept_are_guessed_by_a_classifier_that_never_saw_them_and_stand_in_their_places() -> None:
    X, y = noise(200)
    kept = np.arange(200) % 4 == 1
    made, codes = encoder(X, y, KNeighborsClassifier(1))
    found = made.fit_auxiliary(X, codes, kept)
    assert found.index.tolist() == list(range(200))
    right = (found[GUESS] == y).to_numpy()
    assert right[kept].mean() < 0.75
    assert right[~kept].mean() < 0.75
    nearest = KNeighborsClassifier(1).fit(X[~kept], y[~kept])
    assert found[GUESS][kept].tolist() == nearest.predict(X[kept]).tolist()
