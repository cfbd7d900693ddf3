"""The label query against one question at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from imbllm_autogluon.classification.label_model import LabelQuery
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.batches import Prompts
from imbllm_autogluon.language.model import TableLanguageModel
from tests.language.tables import LABEL, TINY, clauses_of, table, vocabulary_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.sentences import Clauses

FRAME = table()


def model_of(batch: int | None = None, backbone: str = "compact") -> TableLanguageModel:
    """A model with weights so large that each clause changes the answer."""
    config = replace(TINY, generation_batch=batch, backbone=backbone)
    model = TableLanguageModel(vocabulary_of(FRAME), config, 0)
    generator = torch.Generator().manual_seed(0)
    for weight in model._backbone.model.parameters():
        if weight.ndim > 1:
            weight.data.normal_(0, 0.4, generator=generator)
    return model


def rows_of(model: TableLanguageModel, *, ragged: bool = True) -> Clauses:
    """Rows of the table; some clauses absent, and every clause of row 7."""
    clauses = clauses_of(model.vocabulary, FRAME)
    present = clauses.present.copy()
    if ragged:
        present[::3, 1] = False
        present[::5, 3:5] = False
        present[7, :LABEL] = False
    return clauses.with_present(present)


def one_by_one(model: TableLanguageModel, clauses: Clauses, order: list[int]) -> npt.NDArray[np.float64]:
    """Each row in a prompt of its own that holds what it has."""
    values = model.encoding.codings[LABEL].encode(np.arange(2), np.zeros(2, dtype=bool))
    answers = []
    for row in range(len(clauses.tokens)):
        given = [clause for clause in order if clauses.present[row, clause]]
        prompt = Prompts(np.array([*given, LABEL]), len(given), clauses.tokens[[row]])
        answers.append(model.score_all([prompt], LABEL, values)[0][0] if given else np.log([0.5, 0.5]))
    return np.array(answers)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("batch", [None, 1, 7])
def test_answers_are_those_of_one_question_at_a_time(ragged: bool, batch: int | None) -> None:
    model = model_of(batch)
    clauses = rows_of(model, ragged=ragged)
    found = LabelQuery(model, 2, threads=1).log_probabilities(clauses)
    assert found.dtype == np.float64
    assert np.exp(found).sum(axis=1) == pytest.approx(np.ones(60))
    assert found == pytest.approx(one_by_one(model, clauses, [0, 1, 2, 3, 4]), abs=1e-4)
    assert np.ptp(np.exp(found[:, 0])) > 0.1


def test_rows_of_which_nothing_is_known_could_be_of_any_class() -> None:
    model = model_of()
    assert np.exp(LabelQuery(model, 2).log_probabilities(rows_of(model))[7]).tolist() == pytest.approx([0.5, 0.5])


def test_several_orders_are_averaged_and_the_first_is_that_of_the_columns() -> None:
    model = model_of()
    clauses = rows_of(model)
    query = LabelQuery(model, 2, orders=3)
    orders = [order.tolist() for order in query._orders]
    assert orders[0] == [0, 1, 2, 3, 4]
    assert len({tuple(order) for order in orders}) == 3
    each = [np.exp(one_by_one(model, clauses, order)) for order in orders]
    assert np.exp(query.log_probabilities(clauses)) == pytest.approx(np.mean(each, axis=0), abs=1e-4)
    assert np.abs(each[0] - each[1]).max() > 0.01


def test_the_label_of_the_rows_and_the_values_of_absent_clauses_are_not_read() -> None:
    model = model_of()
    clauses = rows_of(model)
    other = replace(clauses, tokens=np.where(clauses.present[:, :, None], clauses.tokens, -1))
    other.tokens[:, LABEL] = clauses.tokens[0, LABEL]
    query = LabelQuery(model, 2)
    assert query.log_probabilities(other).tolist() == query.log_probabilities(clauses).tolist()


def test_no_rows_have_no_answers() -> None:
    model = model_of()
    none = rows_of(model).take(np.arange(0))
    assert LabelQuery(model, 2).log_probabilities(none).shape == (0, 2)


def test_a_masked_model_cannot_be_asked() -> None:
    model = model_of(backbone="compact_masked")
    with pytest.raises(InvalidInputError, match="'compact_masked' is a masked language model"):
        LabelQuery(model, 2).log_probabilities(rows_of(model))
