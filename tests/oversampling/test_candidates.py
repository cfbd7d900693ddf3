"""Candidates: one value from a real row, the rest from the model, the class asked for afterwards."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.classification import label_model
from imbllm_autogluon.language.writing import RowWriter
from imbllm_autogluon.oversampling.filters import KnownRows
from imbllm_autogluon.oversampling.generator import SampleRequest
from imbllm_autogluon.oversampling.pred_llm import Candidates, PredLLMGenerator
from tests.oversampling.tables import labels, mixed, quick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imbllm_autogluon.tables import Cells

X, Y = mixed(120), labels(60, 40, 20)


@pytest.fixture(scope="module")
def generator() -> PredLLMGenerator:
    return PredLLMGenerator(quick(generation_batch=64), random_state=0, threads=1).fit(X, Y, {"c": 5, "b": 5, "a": 5})


def candidates(
    generator: PredLLMGenerator, n: int, seed: int = 0, start: Cells | None = None, **settings: Any
) -> Candidates:
    """Written with the first values, and the known rows, of `start`; None: with all real rows."""
    table = generator._table
    if start is not None:
        table = replace(table, known=KnownRows.from_cells(start))
    request = SampleRequest(table, quick(generation_batch=64, **settings), seed, threads=1)
    return generator._candidate_writer.candidates(n, request, start)[0]


@pytest.mark.parametrize("n", [1, 7, 300])
def test_exactly_the_wanted_number_of_rows_comes_with_a_class_each(generator: PredLLMGenerator, n: int) -> None:
    asked = candidates(generator, n, seed=3)
    assert (asked.cells.n_rows, asked.probabilities.shape, asked.answers.shape) == (n, (n, 3), (n,))
    assert asked.probabilities.sum(axis=1) == pytest.approx(np.ones(n))


def test_prompts_give_one_feature_in_turn_and_never_the_label(
    generator: PredLLMGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: Counter[int] = Counter()
    original = RowWriter.complete_all

    def noted(self: RowWriter, batches: Any) -> Any:
        def looked_at() -> Iterator[Any]:
            for prompts in batches:
                assert prompts.given == 1
                assert X.shape[1] not in prompts.order.tolist()
                given[int(prompts.order[0])] += len(prompts.tokens)
                yield prompts

        return original(self, looked_at())

    monkeypatch.setattr(RowWriter, "complete_all", noted)
    candidates(generator, 240)
    assert given == dict.fromkeys(range(6), 40)


def test_first_values_come_from_the_given_rows(generator: PredLLMGenerator) -> None:
    row = generator.schema.encode(X).take([3])
    asked = candidates(generator, 120, start=row)
    same = [np.isclose(asked.cells.values[j], row.values[j][0]) for j in range(6)]
    gone = asked.cells.missing == row.missing
    assert (np.column_stack(same) & gone).any(axis=1).all()


def test_rows_stand_in_no_order_of_their_first_feature(generator: PredLLMGenerator) -> None:
    """The first rows of a class are taken: in blocks they would all begin with the same column."""
    row = generator.schema.encode(X).take([3])
    asked = candidates(generator, 240, start=row)
    score = np.isclose(asked.cells.values[1], row.values[1][0])
    blocks = [bool(block.any()) for block in np.split(score, 6)]
    assert sum(blocks) > 3


def test_the_highest_answer_is_the_models_decision_and_a_sampled_one_is_drawn(generator: PredLLMGenerator) -> None:
    highest, sampled = (candidates(generator, 400, seed=1, answer=answer) for answer in ("highest", "sampled"))
    assert highest.answers.tolist() == highest.probabilities.argmax(axis=1).tolist()
    np.testing.assert_array_equal(highest.probabilities, sampled.probabilities)
    expected = sampled.probabilities.mean(axis=0)
    assert np.bincount(sampled.answers, minlength=3) / 400 == pytest.approx(expected, abs=0.08)
    assert len(set(sampled.answers.tolist())) == 3


def test_probabilities_are_those_of_the_written_rows(generator: PredLLMGenerator) -> None:
    asked = candidates(generator, 50, seed=2)
    frame = generator.schema.decode(asked.cells)
    np.testing.assert_allclose(generator.label_model.probabilities(frame), asked.probabilities, rtol=1e-5)


def test_free_texts_which_nothing_writes_are_not_in_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    table = X.assign(note=[f"a long text with many words about row {i}" for i in range(120)])
    model = PredLLMGenerator(quick(), random_state=0, threads=1).fit(table, Y, {"c": 5})
    present: list[Any] = []
    original = label_model.query_label
    monkeypatch.setattr(
        label_model,
        "query_label",
        lambda model, rows, *args, **kwargs: present.append(rows.present) or original(model, rows, *args, **kwargs),
    )
    candidates(model, 40)
    assert present[-1].shape == (40, 8)
    assert present[-1].all(axis=0).tolist() == [True] * 6 + [False, True]
    assert not present[-1][:, 6].any()


def test_copies_of_known_rows_are_written_again_and_kept_at_last() -> None:
    table = pd.DataFrame({"p": [False, True] * 40, "q": ["u", "u", "v", "v"] * 20})
    y = labels(50, 30)
    generator = PredLLMGenerator(quick(), random_state=0, threads=1).fit(table, y, {"b": 5})
    request = SampleRequest(generator._table, quick(), 0, threads=1)
    found, counts = generator._candidate_writer.candidates(30, request)
    assert found.cells.n_rows == 30
    assert (counts["copies_kept"], counts["copies_dropped"]) == (0, 30 * (KnownRows.rounds - 1))
    assert counts["tokens"] >= 2 * 30 * KnownRows.rounds


def test_the_same_seed_gives_the_same_candidates(generator: PredLLMGenerator) -> None:
    first, again, other = (candidates(generator, 40, seed=seed) for seed in (5, 5, 6))
    assert first.cells.row_keys().tolist() == again.cells.row_keys().tolist() != other.cells.row_keys().tolist()
    assert first.answers.tolist() == again.answers.tolist()
