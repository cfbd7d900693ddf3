"""Hints beside a table's own columns: out-of-fold guesses for learned rows, the other control clause at the query."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from imbllm_autogluon.classification.config import MeasuresConfig
from imbllm_autogluon.classification.first_stage import CONFIDENCE, GUESS
from imbllm_autogluon.classification.row_reader import CONTROL, IGNORED, NATURAL, Hints
from imbllm_autogluon.tables import TableSchema
from tests.classification.tables import mixed, noise


def hints_of(first_stage: Any = None, **measures: Any) -> Hints:
    return Hints(MeasuresConfig(**measures), first_stage, 0)


@pytest.mark.parametrize(
    ("measures", "names"),
    [
        ({}, []),
        ({"suppression": True}, [CONTROL]),
        ({"first_stage": "logistic"}, [GUESS, CONFIDENCE]),
        ({"first_stage": "boosting", "suppression": True}, [GUESS, CONFIDENCE, CONTROL]),
    ],
)
def test_each_measure_adds_its_own_clauses(measures: dict[str, Any], names: list[str]) -> None:
    X, y = mixed()
    schema, hints = TableSchema.of_labelled(X, y), hints_of(**measures)
    learned = hints.fit(X, schema, schema.encode_label(y), np.zeros(len(X), dtype=bool))
    asked = hints.of(X.head(7), schema)
    assert list(learned.columns) == list(asked.columns) == names
    assert (len(learned), len(asked)) == (120, 7)
    assert list(Hints.kinds_of(learned)) == names


def test_the_control_clause_has_one_value_in_the_table_and_the_other_at_the_query() -> None:
    X, y = mixed()
    schema, hints = TableSchema.of_labelled(X, y), hints_of(suppression=True)
    learned = hints.fit(X, schema, schema.encode_label(y), np.zeros(len(X), dtype=bool))
    assert set(learned[CONTROL]) == {NATURAL}
    assert set(hints.balanced(learned)[CONTROL]) == set(hints.of(X, schema)[CONTROL]) == {IGNORED}
    assert set(learned[CONTROL]) == {NATURAL}


def test_rows_that_are_kept_are_guessed_by_a_classifier_that_never_saw_them_and_stand_in_their_places() -> None:
    X, y = noise(200)
    kept = np.arange(200) % 4 == 1
    schema, hints = TableSchema.of_labelled(X, y), hints_of(KNeighborsClassifier(1))
    found = hints.fit(X, schema, schema.encode_label(y), kept)
    assert found.index.tolist() == list(range(200))
    right = (found[GUESS] == y).to_numpy()
    assert right[kept].mean() < 0.75
    assert right[~kept].mean() < 0.75
    nearest = KNeighborsClassifier(1).fit(X[~kept], y[~kept])
    assert found[GUESS][kept].tolist() == nearest.predict(X[kept]).tolist()


def test_new_categories_are_guessed_as_missing_ones() -> None:
    X, y = mixed()
    schema, hints = TableSchema.of_labelled(X, y), hints_of(first_stage="logistic")
    hints.fit(X, schema, schema.encode_label(y), np.zeros(len(X), dtype=bool))
    assert hints.of(X.head(3).assign(city="Paris"), schema).notna().all(axis=None)
