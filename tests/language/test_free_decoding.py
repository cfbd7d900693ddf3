"""Free decoding: which rows count as legal, and why others do not; the tokens are the model's own."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imbllm_autogluon.encoding import PADDING, draw_orders
from imbllm_autogluon.language import decoding
from imbllm_autogluon.language.decoding import _FreeDecoder
from imbllm_autogluon.language.losses import SentenceLoss
from tests.language.tables import LABEL, WRITINGS, Writing, learnable, legal_rows, prompts, random_model, table, written
from tests.products import cases
from tests.uniform_backbone import UniformModel

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.encoding import Clauses, SentenceEncoding
    from imbllm_autogluon.language.batches import Prompts
    from tests.language.pretrained import Architecture


SAME_LABEL, OTHER_LABELS = [0, 4, 8, 12, 16], [0, 1, 2, 3, 4, 5, 6]
ORDER = [LABEL, 0, 2, 1, 4, 3]
OF: dict[Writing, tuple[SentenceEncoding, Clauses]] = {writing: written(table(), writing) for writing in WRITINGS}
MODELS: dict[Writing, Any] = {writing: UniformModel(encoding.n_tokens) for writing, (encoding, _) in OF.items()}
"""What is written follows scripts, so nothing has to be known."""


def spelled(writing: Writing, row: int, clause: int) -> list[int]:
    """Prefix and value of one clause of a row of the table."""
    encoding, clauses = OF[writing]
    value = clauses.tokens[row, clause].tolist()
    return [*encoding.prefixes[clause], *(token for token in value if token >= 0)]


def whole(writing: Writing, row: int, order: list[int]) -> list[int]:
    return [token for clause in order for token in spelled(writing, row, clause)]


def read(
    writing: Writing, given: int, scripts: dict[int, list[int]], monkeypatch: pytest.MonkeyPatch
) -> tuple[IntArray, BoolArray]:
    """What the decoder makes of rows of the table if the model goes on as in their scripts."""
    encoding, clauses = OF[writing]
    longest = encoding.longest_sentence + 1
    columns = iter(np.array([[*script, *[PADDING] * (longest - len(script))] for script in scripts.values()]).T)
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "_draw_tokens", lambda *_: torch.from_numpy(next(columns).copy()))
        decoder = _FreeDecoder(MODELS[writing], encoding, 1.0, torch.Generator())
        return decoder.complete(prompts(clauses, ORDER, given, list(scripts)))


@pytest.mark.parametrize(
    ("writing", "given", "rows"), cases(WRITINGS, [1, 2, 4], [SAME_LABEL, OTHER_LABELS], together=1)
)
def test_the_missing_clauses_in_any_order_make_a_legal_row(
    writing: Writing, given: int, rows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clauses, rng = OF[writing][1], np.random.default_rng(0)
    scripts = {row: whole(writing, row, rng.permutation(ORDER[given:]).tolist()) for row in rows}
    tokens, legal = read(writing, given, scripts, monkeypatch)
    assert legal.all()
    assert tokens.dtype == np.int64
    assert tokens.tolist() == clauses.tokens[rows].tolist()


REASONS = ["repeated", "missing", "illegal value", "no end", "given again", "breaks off", "no clause", "empty"]


def spoilt(writing: Writing, reason: str, row: int) -> list[int]:
    """A row that is legal but for one reason; the label and clause 0 are given."""
    encoding = OF[writing][0]
    parts = [spelled(writing, row, clause) for clause in ORDER[2:]]
    right = whole(writing, row, ORDER[2:])
    dates = spelled(writing, row, 3)
    return {
        "repeated": [*parts[0], *right],
        "missing": right[: -len(parts[-1])],
        "illegal value": [*right[: len(parts[0]) - 1], encoding.prefixes[1][0], *right[len(parts[0]) :]],
        "no end": [*right, *[dates[-1]] * encoding.longest_sentence][: encoding.longest_sentence],
        "given again": [*right, *spelled(writing, row, 0)],
        "breaks off": right[:-1],
        "no clause": [dates[-1], *right],
        "empty": [],
    }[reason]


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("reason", REASONS)
def test_a_row_that_is_not_legal_is_refused_and_the_others_stay(
    writing: Writing, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = {row: whole(writing, row, ORDER[2:]) for row in SAME_LABEL}
    scripts[4] = spoilt(writing, reason, 4)
    tokens, legal = read(writing, 2, scripts, monkeypatch)
    assert dict(zip(scripts, legal.tolist(), strict=True)) == {row: row != 4 for row in SAME_LABEL}
    assert (tokens[1] == -1).all()
    assert tokens[legal].tolist() == OF[writing][1].tokens[[row for row in SAME_LABEL if row != 4]].tolist()


def parses(encoding: SentenceEncoding, ids: list[int], waiting: frozenset[int]) -> bool:
    """Whether the tokens are the waiting clauses in some order: tried out without tables, state by state."""
    if not ids or not waiting:
        return not ids and not waiting
    for clause in waiting:
        prefix, automaton = encoding.prefixes[clause], encoding.codings[clause].automaton
        if tuple(ids[: len(prefix)]) == prefix:
            rest = ids[len(prefix) :]
            for length in range(1, len(rest) + 1):
                if automaton.accepts(rest[:length]) and parses(encoding, rest[length:], waiting - {clause}):
                    return True
    return False


@pytest.mark.parametrize("writing", ["digits", "text apart", "text joined"])
@settings(max_examples=20)
@given(data=st.data())
def test_a_changed_row_is_legal_exactly_where_it_still_is_all_clauses_once(
    writing: Writing, data: st.DataObject
) -> None:
    encoding = OF[writing][0]
    row = data.draw(st.integers(0, 59))
    script = whole(writing, row, ORDER[2:])
    place = data.draw(st.integers(0, len(script) - 1))
    other = data.draw(st.sampled_from([*range(1, encoding.n_tokens)]) | st.sampled_from(script))
    changed = [*script[:place], other, *script[place + data.draw(st.integers(0, 1)) :]]
    with pytest.MonkeyPatch.context() as patch:
        tokens, legal = read(writing, 2, {row: changed}, patch)
    assert legal.tolist() == [parses(encoding, changed, frozenset(ORDER[2:]))]
    assert legal_rows(encoding, tokens[legal])


@lru_cache
def learned(architecture: Architecture, writing: Writing, steps: int) -> tuple[Any, SentenceEncoding, Clauses]:
    """A model that has read whole sentences for some steps."""
    encoding, clauses = written(learnable(), writing)
    model = random_model(architecture, encoding)
    loss, optimiser = SentenceLoss(torch.device("cpu")), torch.optim.AdamW(model.parameters(), 3e-3)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        orders = draw_orders(len(clauses.tokens), encoding.n_clauses - 1, "fix_y", rng)
        total, count = loss(model, encoding.assemble(clauses, orders))
        (total / count).backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval(), encoding, clauses


@torch.inference_mode()
def reference_row(model: Any, encoding: SentenceEncoding, batch: Prompts, row: int) -> list[int]:
    """Greedy tokens behind one prompt, from full logits and without any cache."""
    ids: list[int] = []
    for clause in batch.order[: batch.given].tolist():
        ids += [*encoding.prefixes[clause], *(token for token in batch.tokens[row, clause].tolist() if token >= 0)]
    start = len(ids)
    while len(ids) <= encoding.longest_sentence:
        token = int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
        if token == PADDING:
            break
        ids.append(token)
    return ids[start:]


@pytest.mark.parametrize(
    ("writing", "architecture", "steps", "given", "rows"),
    cases(WRITINGS, [("gpt2", 150), ("gpt2", 15), ("llama", 150)], [1, 2], [[0, 3, 6], [0, 1, 2, 3, 4, 5]], together=1),
)
def test_greedy_rows_are_those_of_a_slow_reference(
    writing: Writing, architecture: Architecture, steps: int, given: int, rows: list[int]
) -> None:
    model, encoding, clauses = learned(architecture, writing, steps)
    batch = prompts(clauses, [2, 1, 0], given, rows)
    tokens, legal = _FreeDecoder(model, encoding, 0, torch.Generator()).complete(batch)
    waiting = frozenset([2, 1, 0][given:])
    for row in range(len(rows)):
        expected = reference_row(model, encoding, batch, row)
        assert bool(legal[row]) == parses(encoding, expected, waiting)
        if legal[row]:
            ids = [int(token) for clause in waiting for token in (*encoding.prefixes[clause], *tokens[row, clause])]
            assert sorted(token for token in ids if token >= 0) == sorted(expected)
            assert tokens[row, 2].tolist() == batch.tokens[row, 2].tolist()


@pytest.mark.parametrize("writing", WRITINGS)
def test_a_row_is_legal_if_it_holds_the_clauses_of_its_prompt_and_no_other(
    writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoding, clauses = OF[writing]
    scripts = [
        whole(writing, 0, [2, 1]),
        whole(writing, 4, [1, 2, 3]),
        whole(writing, 8, [1]),
        whole(writing, 12, [1, 2]),
    ]
    longest = encoding.longest_sentence + 1
    columns = iter(np.array([[*script, *[PADDING] * (longest - len(script))] for script in scripts]).T)
    monkeypatch.setattr(decoding, "_draw_tokens", lambda *_: torch.from_numpy(next(columns).copy()))
    decoder = _FreeDecoder(MODELS[writing], encoding, 1.0, torch.Generator())
    tokens, legal = decoder.complete(prompts(clauses, [LABEL, 1, 2], 1, [0, 4, 8, 12]))
    assert legal.tolist() == [True, False, False, True]
    assert (tokens[:, [0, 3, 4]] == -1).all()
    assert tokens[3][[1, 2, LABEL]].tolist() == clauses.tokens[12][[1, 2, LABEL]].tolist()
