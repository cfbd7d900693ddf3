"""Scores are the probabilities with which the decoder would write a value, and likelihoods are the loss."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.encoding import PADDING, draw_orders
from imbllm_autogluon.encoding.values import padded
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.batches import Prompts
from imbllm_autogluon.language.decoding import _ConstrainedDecoder
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.language.scoring import log_likelihoods, score_values
from tests.language.tables import (
    FUSED,
    LABEL,
    TINY,
    WRITINGS,
    Writing,
    clauses_of,
    prompts,
    random_model,
    read_whole,
    table,
    vocabulary_of,
    written,
)
from tests.language.test_decoding import CountingModel
from tests.products import cases

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.encoding import SentenceEncoding
    from tests.language.pretrained import Architecture


ARCHITECTURES: list[Architecture] = ["gpt2", "llama"]

# Order of the clauses, how many are given, and the rows.
CASES: dict[str, tuple[list[int], int, list[int]]] = {
    "label given": ([LABEL, 0, 2, 1, 4, 3], 1, [0, 4, 8]),
    "label and numbers of different lengths given": ([LABEL, 0, 3, 1, 2, 4], 3, [0, 4, 8, 12, 16]),
    "labels differ": ([LABEL, 0, 4, 1, 2, 3], 3, [0, 1, 2, 3, 4, 5]),
    "no label given": ([0, 3, 4, 1, 2, LABEL], 3, [3, 4, 5, 6]),
    "one row": ([3, 4, 1, 2, LABEL, 0], 2, [7]),
    "clauses left out": ([3, 0, LABEL], 2, [0, 1, 5]),
}


def spellings(encoding: SentenceEncoding, clause: int) -> IntArray:
    """Every legal value of a clause, shape (k, longest)."""
    automaton = encoding.codings[clause].automaton
    begun: list[tuple[list[int], int]] = [([], 0)]
    values = []
    while begun:
        value, state = begun.pop()
        if state in automaton.accepting:
            values.append(value)
        begun += [([*value, token], following) for token, following in automaton.transitions[state].items()]
    return padded(values)


@torch.inference_mode()
def reference(model: Any, encoding: SentenceEncoding, batch: Prompts, clause: int, values: IntArray) -> FloatArray:
    """One row and one value at a time, from full logits and without any cache."""
    scores = np.zeros((len(batch.tokens), len(values)))
    for row, column in np.ndindex(*scores.shape):
        ids = list(encoding.begin)
        names = [PADDING] * len(ids)
        for given in batch.order[: batch.given].tolist():
            known = [token for token in batch.tokens[row, given].tolist() if token >= 0]
            ids += known if encoding.fused else [*encoding.prefixes[given], *known]
            names = [*names[:-1], *encoding.prefixes[given][:1] * len(known), PADDING]
        ids += () if encoding.fused else encoding.prefixes[clause]
        value = [token for token in values[column].tolist() if token >= 0]
        names = [*names[:-1], *encoding.prefixes[clause][:1] * (len(value) + 1)]
        logits = read_whole(model, encoding, [*ids, *value], names)[len(ids) - 1 :].double()
        state = int(encoding.tables.starts[clause])
        for place, token in enumerate(value):
            legal = torch.from_numpy(encoding.tables.allowed[state])
            scores[row, column] += float(torch.log_softmax(logits[place].masked_fill(~legal, -torch.inf), dim=0)[token])
            state = int(encoding.tables.next_state[state, token])
    return scores


def some(values: IntArray, count: int) -> IntArray:
    return np.random.default_rng(0).permutation(values)[:count]


@pytest.mark.parametrize(
    ("opening", "architecture", "writing", "case"),
    cases(["without", "behind"], ARCHITECTURES, (*WRITINGS, *FUSED), CASES),
)
def test_scores_equal_a_slow_reference(opening: str, architecture: Architecture, writing: Writing, case: str) -> None:
    encoding, clauses = written(table(), writing)
    if opening == "behind":
        encoding = replace(encoding, opening=(3, 5, 3))
    batch, model = prompts(clauses, *CASES[case]), random_model(architecture, encoding)
    for clause in (1, 2, LABEL):
        if clause not in batch.order[: batch.given]:
            values = some(spellings(encoding, clause), 6)
            scores = score_values(model, encoding, batch, clause, values)
            assert scores.dtype == np.float64
            assert scores == pytest.approx(reference(model, encoding, batch, clause, values), abs=2e-4)


@pytest.mark.parametrize(("writing", "clause"), cases(WRITINGS, [0, 1, 2, 4, LABEL], together=1))
def test_the_probabilities_of_all_legal_values_sum_to_one(writing: Writing, clause: int) -> None:
    frame = table().assign(balance=lambda frame: frame["balance"].clip(-0.3, 1.2).round(1))
    encoding, clauses = written(frame, writing)
    batch = prompts(clauses, [3, clause, *(j for j in range(6) if j not in (3, clause))], 1, [0, 1, 2, 3])
    values = spellings(encoding, clause)
    scores = score_values(random_model("gpt2", encoding), encoding, batch, clause, values)
    assert np.exp(scores).sum(axis=1) == pytest.approx(np.ones(4), abs=1e-6)


def many_classes() -> pd.DataFrame:
    """Classes of several tokens, some with a common beginning."""
    names = ["stage one", "stage two", "stage two, late", "well", "Narvik"]
    return table().assign(bought=np.array(names)[np.arange(60) % 5])


@pytest.mark.parametrize("writing", ["text apart", "text joined"])
def test_classes_of_several_tokens_are_scored_whole(writing: Writing) -> None:
    encoding, clauses = written(many_classes(), writing)
    coding: Any = encoding.codings[LABEL]
    values = coding.encode(np.arange(5), np.zeros(5, dtype=bool))
    assert values.shape[1] > 3
    batch, model = prompts(clauses, [0, 3, LABEL, 1, 2, 4], 2, [0, 1, 2, 3]), random_model("llama", encoding)
    scores = score_values(model, encoding, batch, LABEL, values)
    assert scores == pytest.approx(reference(model, encoding, batch, LABEL, values), abs=2e-4)
    assert np.exp(scores).sum(axis=1) == pytest.approx(np.ones(4), abs=1e-6)


def test_the_decoder_draws_values_as_often_as_they_score() -> None:
    encoding, clauses = written(many_classes(), "text apart")
    coding: Any = encoding.codings[LABEL]
    values = coding.encode(np.arange(5), np.zeros(5, dtype=bool))
    model, batch = random_model("gpt2", encoding, seed=3), prompts(clauses, [4, LABEL, 0, 1, 2, 3], 1, [0] * 4000)
    scores = score_values(model, encoding, prompts(clauses, [4, LABEL, 0, 1, 2, 3], 1, [0]), LABEL, values)
    drawn = _ConstrainedDecoder(model, encoding, 1.0, torch.Generator().manual_seed(0)).complete(batch)
    classes, _ = coding.decode(drawn[:, LABEL], np.random.default_rng(0))
    assert np.bincount(classes, minlength=5) / 4000 == pytest.approx(np.exp(scores[0]), abs=0.03)


def test_the_model_is_asked_once_for_each_beginning_that_leaves_a_choice() -> None:
    frame = table().assign(bought=np.array(["AAB", "AAC", "ADD", "EEE"])[np.arange(60) % 4])
    encoding, clauses = written(frame, "text apart")
    coding: Any = encoding.codings[LABEL]
    values = coding.encode(np.arange(4), np.zeros(4, dtype=bool))
    model: Any = CountingModel(random_model("gpt2", encoding))
    score_values(model, encoding, prompts(clauses, [0, LABEL, 1, 2, 3, 4], 1, [0, 1]), LABEL, values)
    # The prompt; then what is behind " ", " A" and " AA": the blank at the beginning and the comma are certain.
    spelled = [encoding.token_texts[token] for token in values[0]]
    assert spelled == [" ", "A", "A", "B", ","]
    assert [width for _, width in model.shapes][1:] == [1, 2, 3]


@pytest.mark.parametrize(
    ("clause", "value", "message"),
    [
        (0, [], r"clause 0 is given by the prompts; score one that is not"),
        (1, [0], r"\[0\] are not the tokens of a legal value of clause 1"),
        (1, "long", r"are not the tokens of a legal value of clause 1"),
        (1, "short", r"are only the beginning of a value of clause 1"),
        (1, [], r"\[\] are only the beginning of a value of clause 1"),
    ],
)
def test_what_cannot_be_scored_is_refused(clause: int, value: Any, message: str) -> None:
    encoding, clauses = written(table(), "digits")
    right = clauses.tokens[0, 1].tolist()[:3]
    tokens = {"long": [*right, right[0]], "short": right[:-1]}.get(value, value) if isinstance(value, str) else value
    batch = prompts(clauses, [0, 1, 2, 3, 4, LABEL], 1, [0])
    with pytest.raises(InvalidInputError, match=message):
        score_values(random_model("gpt2", encoding), encoding, batch, clause, np.array([tokens], dtype=np.int64))


@pytest.mark.parametrize(
    ("architecture", "writing", "rows_at_once"), cases(ARCHITECTURES, WRITINGS, [1, 4, 100], together=1)
)
def test_log_likelihoods_are_the_sum_of_the_scores_of_each_value(
    architecture: Architecture, writing: Writing, rows_at_once: int
) -> None:
    encoding, clauses = written(table(), writing)
    rows = clauses.take(np.arange(7))
    orders = draw_orders(7, 5, "permute_xy", np.random.default_rng(0))
    model = random_model(architecture, encoding)
    total = log_likelihoods(model, encoding, rows, orders, rows_at_once=rows_at_once)
    for row in range(7):
        values = [
            reference(
                model, encoding, Prompts(orders[row], place, rows.tokens[[row]]), clause, rows.tokens[[row], clause]
            )
            for place, clause in enumerate(orders[row].tolist())
        ]
        assert total[row] == pytest.approx(sum(float(value[0, 0]) for value in values), abs=2e-3)


def test_a_masked_model_has_no_probability_of_a_row_and_says_so() -> None:
    model = TableLanguageModel(vocabulary_of(table()), replace(TINY, backbone="compact_masked"), 0)
    rows = clauses_of(model.vocabulary, table())
    with pytest.raises(InvalidInputError, match="'compact_masked' is a masked language model"):
        model.log_likelihoods(rows, np.tile(np.arange(6), (len(rows.tokens), 1)))
    with pytest.raises(InvalidInputError, match="Use a causal one"):
        model.score_all([prompts(rows, [0, 1, 2, 3, 4, LABEL], 5, [0])], LABEL, np.array([[0]]))


def test_several_batches_score_as_each_alone_in_their_order() -> None:
    model = TableLanguageModel(vocabulary_of(table()), TINY, 0)
    rows, values = clauses_of(model.vocabulary, table()), spellings(model.encoding, LABEL)
    batches = [
        prompts(rows, [0, 1, LABEL], 2, [0, 1]),
        prompts(rows, [2, LABEL], 1, [5]),
        prompts(rows, [4, LABEL], 1, []),
    ]
    together = model.score_all(iter(batches[:2]), LABEL, values)
    alone = [model.score_all([batch], LABEL, values)[0] for batch in batches[:2]]
    assert [scores.tolist() for scores in together] == [scores.tolist() for scores in alone]
    assert model.score_all([], LABEL, values) == []
