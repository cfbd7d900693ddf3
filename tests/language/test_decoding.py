"""The batched decoder against a slow reference, and what it promises at any stage of training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.encoding import PADDING
from imbllm_autogluon.language.decoding import _ConstrainedDecoder
from tests.language.tables import (
    FUSED,
    LABEL,
    WRITINGS,
    Writing,
    clauses_of,
    legal_rows,
    prompts,
    random_model,
    read_whole,
    table,
    vocabulary_of,
    written,
)
from tests.products import cases

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.encoding import SentenceEncoding
    from imbllm_autogluon.encoding.values import Numbers
    from imbllm_autogluon.language.batches import Prompts
    from tests.language.pretrained import Architecture

FRAME = table()
ARCHITECTURES: list[Architecture] = ["gpt2", "llama"]
CODINGS: list[Numbers] = ["bins", "digits"]

# Order of the clauses, how many are given, and which rows the given values come from.
CASES: dict[str, tuple[list[int], int, list[int]]] = {
    "label shared": ([LABEL, 0, 2, 1, 4, 3], 1, [0, 4, 8, 12, 16, 20]),
    "label shared, a number of different lengths": ([LABEL, 0, 3, 2, 1, 4], 2, [0, 4, 8, 12, 16, 20, 24, 28]),
    "label shared, a category": ([LABEL, 2, 1, 0, 4, 3], 2, [0, 4, 8, 12, 16]),
    "label shared, three values": ([LABEL, 1, 2, 0, 3, 4], 4, [0, 4, 8, 12, 16, 20]),
    "labels differ": ([LABEL, 1, 0, 2, 3, 4], 2, [0, 1, 2, 3, 4, 5]),
    "label last": ([1, 4, 0, 2, 3, LABEL], 1, [0, 1, 2, 3, 4, 5, 6]),
    "label inside": ([0, LABEL, 1, 2, 3, 4], 2, [3, 5, 6, 7, 9]),
    "one row": ([LABEL, 0, 2, 1, 4, 3], 2, [8]),
    "the same row twice": ([LABEL, 1, 2, 0, 4, 3], 2, [8, 8]),
    "all but one given": ([LABEL, 0, 1, 2, 4, 3], 5, [0, 1, 2, 3]),
    "nothing given": ([LABEL, 0, 2, 1, 4, 3], 0, [0, 1]),
}


def reference(model: Any, encoding: SentenceEncoding, batch: Prompts, decoded: Any) -> list[list[list[int]]]:
    """What greedy decoding writes, one row at a time, from full logits and without any cache.

    Each token is chosen behind what was decoded: by induction it is the decoder's own throughout or differs somewhere.
    """
    rows = [reference_values(model, encoding, batch, row, decoded[row]) for row in range(len(batch.tokens))]
    return [[values.get(clause, []) for clause in range(encoding.n_clauses)] for values in rows]


@torch.inference_mode()
def reference_values(
    model: Any, encoding: SentenceEncoding, batch: Prompts, row: int, decoded: Any
) -> dict[int, list[int]]:
    """Value of each clause of the order."""
    tables, ids = encoding.tables, list(encoding.begin)
    names, values = [PADDING] * len(ids), dict[int, list[int]]()
    choices = []
    for place, clause in enumerate(batch.order.tolist()):
        given, state = place < batch.given, int(tables.starts[clause])
        value = [token for token in (batch.tokens[row] if given else decoded)[clause].tolist() if token >= 0]
        assert encoding.codings[clause].automaton.accepts(value)
        values[clause] = value if given else []
        if not encoding.fused:
            ids += encoding.prefixes[clause]
        for token in value:
            names[-1:] = encoding.prefixes[clause][:1]  # of the token that comes next
            if not given:
                choices.append((clause, len(ids) - 1, state))
                state = int(tables.next_state[state, token])
            ids.append(token)
            names.append(PADDING)
    logits = read_whole(model, encoding, ids, names)
    for clause, last, state in choices:
        legal = torch.from_numpy(tables.allowed[state])
        values[clause].append(int(logits[last].masked_fill(~legal, -torch.inf).argmax()))
    return values


def decode(model: Any, encoding: SentenceEncoding, batch: Prompts, temperature: float, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return _ConstrainedDecoder(model, encoding, temperature, generator).complete(batch)


def bare(tokens: npt.NDArray[np.int64]) -> list[list[list[int]]]:
    return [[[token for token in value if token >= 0] for value in row] for row in tokens.tolist()]


@pytest.mark.parametrize(
    ("opening", "architecture", "writing", "case"),
    cases(["without", "behind"], ARCHITECTURES, (*WRITINGS, *FUSED), CASES),
)
def test_greedy_rows_equal_the_reference_token_for_token(
    opening: str, architecture: Architecture, writing: Writing, case: str
) -> None:
    encoding, clauses = written(FRAME, writing)
    if opening == "behind":
        encoding = replace(encoding, opening=(3, 5, 3))
    batch = prompts(clauses, *CASES[case])
    model = random_model(architecture, encoding)
    decoded = decode(model, encoding, batch, temperature=0)
    assert bare(decoded) == reference(model, encoding, batch, decoded)
    assert legal_rows(encoding, decoded)


@pytest.mark.parametrize(("writing", "lengths"), [("digits", 2), ("text apart", 4), ("text joined", 4)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_reference_cases_are_ragged_and_not_all_the_same(
    architecture: Architecture, writing: Writing, lengths: int
) -> None:
    """Guards the comparison itself: equal rows or equal lengths would hide a wrong mask or position."""
    encoding, clauses = written(FRAME, writing)
    batch = prompts(clauses, *CASES["label shared, a number of different lengths"])
    rows = bare(decode(random_model(architecture, encoding), encoding, batch, temperature=0))
    assert len({len(row[0]) for row in rows}) >= lengths  # digits have one width, a missing value is one token
    assert len({tuple(map(tuple, row[1:])) for row in rows}) > 2


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("temperature", [0, 0.7, 100.0])
def test_given_values_come_back_unchanged_and_every_row_is_legal(writing: Writing, temperature: float) -> None:
    encoding, clauses = written(FRAME, writing)
    batch = prompts(clauses, [LABEL, 0, 2, 3, 1, 4], 3, list(range(30)))
    decoded = decode(random_model("gpt2", encoding), encoding, batch, temperature)
    assert decoded.dtype == np.int64
    assert decoded.shape[:2] == (30, 6)
    assert legal_rows(encoding, decoded)
    for clause in (LABEL, 0, 2):
        expected = [[token for token in value if token >= 0] for value in clauses.tokens[:30, clause].tolist()]
        assert [row[clause] for row in bare(decoded)] == expected


@pytest.mark.parametrize("numbers", CODINGS)
def test_a_high_temperature_reaches_every_legal_token(numbers: Numbers) -> None:
    vocabulary = vocabulary_of(FRAME, numbers)
    encoding, clauses = vocabulary.encoding(), clauses_of(vocabulary, FRAME)
    batch = prompts(clauses, [LABEL, 0, 1, 2, 3, 4], 1, [0, 1] * 600)
    decoded = decode(random_model("gpt2", encoding), encoding, batch, temperature=100.0)
    for clause in range(LABEL):
        used = np.unique(decoded[:, clause][decoded[:, clause] >= 0])
        assert used.tolist() == encoding.tables.clause_tokens(clause).tolist()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_tokens_are_drawn_as_often_as_the_model_says_at_this_temperature(temperature: float) -> None:
    vocabulary = vocabulary_of(FRAME)
    encoding, clauses = vocabulary.encoding(), clauses_of(vocabulary, FRAME)
    model = random_model("gpt2", encoding, seed=2)
    batch = prompts(clauses, [LABEL, 2, 0, 1, 3, 4], 1, [0] * 6000)
    city = decode(model, encoding, batch, temperature)[:, 2, 0]
    ids = [*encoding.prefixes[LABEL], int(clauses.tokens[0, LABEL, 0]), *encoding.prefixes[2]]
    legal = encoding.tables.clause_tokens(2)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1, legal]
    expected = torch.softmax(logits / temperature, dim=0).numpy()
    assert (city[:, None] == legal).mean(axis=0) == pytest.approx(expected, abs=0.025)
    assert expected.max() < 0.99


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    vocabulary = vocabulary_of(FRAME, "digits")
    encoding, clauses = vocabulary.encoding(), clauses_of(vocabulary, FRAME)
    model, batch = random_model("gpt2", encoding), prompts(clauses, [LABEL, 0, 1, 2, 3, 4], 1, [0] * 20)
    first, again, other = (decode(model, encoding, batch, 1.0, seed).tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


class CountingModel(torch.nn.Module):
    """Passes on to a model and remembers how many tokens went through it, by forward pass."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.base_model, self.config, self.shapes = model.base_model, model.config, []
        self.base_model.register_forward_pre_hook(self._count, with_kwargs=True)
        self.get_input_embeddings = model.get_input_embeddings
        self.get_output_embeddings = model.get_output_embeddings

    def _count(self, _: Any, __: Any, inputs: dict[str, Any]) -> None:
        self.shapes.append(tuple(inputs["input_ids"].shape))


def test_a_shared_label_is_computed_once_and_each_choice_costs_one_pass() -> None:
    vocabulary = vocabulary_of(FRAME)
    encoding, clauses = vocabulary.encoding(), clauses_of(vocabulary, FRAME)
    model: Any = CountingModel(random_model("gpt2", encoding))
    decode(model, encoding, prompts(clauses, [LABEL, 0, 1, 2, 3, 4], 2, [0, 4, 8]), 0)
    # The label alone; the given balance with the next prefix; then a value and the next prefix, three times.
    assert model.shapes == [(1, 2), (3, 3), (3, 2), (3, 2), (3, 2)]


def test_tokens_without_a_choice_are_taken_without_asking_the_model() -> None:
    frame = FRAME.assign(visits=np.where(np.arange(60) % 2, 1000, 2000))
    vocabulary = vocabulary_of(frame, "digits")
    encoding, clauses = vocabulary.encoding(), clauses_of(vocabulary, frame)
    model: Any = CountingModel(random_model("gpt2", encoding))
    decoded = decode(model, encoding, prompts(clauses, [LABEL, 0, 2, 3, 4, 1], 5, [0, 4, 8]), 0)
    assert legal_rows(encoding, decoded)
    # Units of the grid are 0 and 1: one choice, then the forced end.
    assert len(model.shapes) == 2


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize(("order", "given"), [([LABEL, 0, 2], 1), ([3, 1, LABEL], 2), ([4], 0), ([0, 4], 2)])
def test_clauses_that_prompts_leave_out_are_not_written(writing: Writing, order: list[int], given: int) -> None:
    encoding, clauses = written(FRAME, writing)
    batch, model = prompts(clauses, order, given, [0, 3, 8]), random_model("llama", encoding)
    decoded = decode(model, encoding, batch, temperature=0)
    absent = [clause for clause in range(6) if clause not in order]
    assert decoded.shape[1] == 6
    assert (decoded[:, absent] == -1).all()
    assert bare(decoded) == reference(model, encoding, batch, decoded)
