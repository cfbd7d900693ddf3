"""Masked models: their loss, and iterative unmasking against a slow reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.encoding import END, SentenceEncoding, Sentences, draw_orders
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.compact import build_compact
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.decoding import _MaskedDecoder
from imbllm_autogluon.language.losses import MaskedValueLoss, require_single_tokens
from tests.language.tables import (
    ARCHITECTURES,
    LABEL,
    clauses_of,
    legal_rows,
    prompts,
    random_masked_model,
    table,
    vocabulary_of,
)
from tests.products import cases

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.language.batches import Prompts

FRAME = table()
VOCABULARY = vocabulary_of(FRAME)
ENCODING = VOCABULARY.encoding()
CLAUSES = clauses_of(VOCABULARY, FRAME)
MASK = ENCODING.n_tokens

# Order of the clauses, how many are given, and which rows the given values come from.
CASES: dict[str, tuple[list[int], int, list[int]]] = {
    "label given": ([LABEL, 0, 2, 1, 4, 3], 1, [0, 4, 8, 12, 16, 20]),
    "label and a number": ([LABEL, 0, 3, 2, 1, 4], 2, [0, 4, 8, 12, 16, 20, 24, 28]),
    "labels differ": ([LABEL, 1, 0, 2, 3, 4], 2, [0, 1, 2, 3, 4, 5]),
    "label last": ([1, 4, 0, 2, 3, LABEL], 1, [0, 1, 2, 3, 4, 5, 6]),
    "label inside": ([0, LABEL, 1, 2, 3, 4], 2, [3, 5, 6, 7, 9]),
    "one row": ([LABEL, 0, 2, 1, 4, 3], 2, [8]),
    "all but one given": ([LABEL, 0, 1, 2, 4, 3], 5, [0, 1, 2, 3]),
    "all given": ([LABEL, 0, 1, 2, 4, 3], 6, [0, 1, 2, 3]),
    "nothing given": ([LABEL, 0, 2, 1, 4, 3], 0, [0, 1]),
}


@torch.inference_mode()
def reference_row(model: Any, encoding: SentenceEncoding, batch: Prompts, row: int) -> list[int]:
    """Greedy unmasking of one row: the sentence is written again, token by token, before each choice."""
    known = {int(clause): int(batch.tokens[row, clause, 0]) for clause in batch.order[: batch.given]}
    for clause in batch.order[batch.given :].tolist():
        sentence = list(encoding.opening)
        for other in batch.order.tolist():
            sentence += encoding.prefixes[other]
            place = len(sentence) if other == clause else -1
            sentence.append(known.get(other, MASK))
            if place >= 0:
                wanted = place
        logits = model(input_ids=torch.tensor([sentence])).logits[0, wanted, : encoding.n_tokens]
        logits[~torch.from_numpy(encoding.tables.allowed[encoding.tables.starts[clause]])] = -torch.inf
        known[clause] = int(logits.argmax())
    return [known[clause] for clause in range(encoding.n_clauses)]


def decode(model: Any, batch: Prompts, temperature: float, seed: int = 0) -> npt.NDArray[np.int64]:
    generator = torch.Generator().manual_seed(seed)
    return _MaskedDecoder(model, ENCODING, temperature, generator).complete(batch)


@pytest.mark.parametrize(
    ("opening", "architecture", "case"), cases(["without", "behind"], ARCHITECTURES, CASES, together=1)
)
def test_greedy_rows_equal_the_reference_token_for_token(opening: str, architecture: str, case: str) -> None:
    encoding = replace(ENCODING, opening=(3, 5, 3) if opening == "behind" else ())
    batch, model = prompts(CLAUSES, *CASES[case]), random_masked_model(architecture, encoding)
    decoded = _MaskedDecoder(model, encoding, 0, torch.Generator()).complete(batch)
    assert decoded[:, :, 0].tolist() == [reference_row(model, encoding, batch, row) for row in range(len(batch.tokens))]
    assert legal_rows(encoding, decoded)


def test_what_comes_later_in_the_sentence_is_read_too() -> None:
    """A label at the end still changes the first clause that is written: no causal attention here."""
    model, order = random_masked_model("bert", ENCODING), np.array([0, 1, 2, 3, 4, LABEL])
    first = []
    for label in ENCODING.tables.clause_tokens(LABEL).tolist():
        sentence = [token for clause in order for token in (*ENCODING.prefixes[clause], MASK)]
        sentence[-1] = label
        first.append(model(input_ids=torch.tensor([sentence])).logits[0, 1])
    assert not torch.allclose(first[0], first[1])


@pytest.mark.parametrize("temperature", [0, 0.7, 100.0])
def test_given_values_come_back_unchanged_and_every_row_is_legal(temperature: float) -> None:
    batch = prompts(CLAUSES, [LABEL, 0, 2, 3, 1, 4], 3, list(range(30)))
    decoded = decode(random_masked_model("bert", ENCODING), batch, temperature)
    assert decoded.dtype == np.int64
    assert decoded.shape == (30, 6, 1)
    assert legal_rows(ENCODING, decoded)
    given = [LABEL, 0, 2]
    assert decoded[:, given].tolist() == CLAUSES.tokens[:30, given].tolist()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_tokens_are_drawn_as_often_as_the_model_says_at_this_temperature(temperature: float) -> None:
    model = random_masked_model("bert", ENCODING, seed=10)
    batch = prompts(CLAUSES, [LABEL, 2, 0, 1, 3, 4], 1, [0] * 6000)
    city = decode(model, batch, temperature)[:, 2, 0]
    sentence = [token for clause in batch.order for token in (*ENCODING.prefixes[clause], MASK)]
    sentence[1] = int(CLAUSES.tokens[0, LABEL, 0])
    legal = ENCODING.tables.clause_tokens(2)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([sentence])).logits[0, 3, legal]
    expected = torch.softmax(logits / temperature, dim=0).numpy()
    assert (city[:, None] == legal).mean(axis=0) == pytest.approx(expected, abs=0.025)
    assert 0.01 < expected.min() < expected.max() < 0.99


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    model, batch = random_masked_model("bert", ENCODING), prompts(CLAUSES, [LABEL, 0, 1, 2, 3, 4], 1, [0] * 20)
    first, again, other = (decode(model, batch, 1.0, seed).tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_value_without_alternative_is_taken_without_asking_the_model() -> None:
    vocabulary, passes = vocabulary_of(FRAME, max_bins=1), []
    encoding, clauses = vocabulary.encoding(), clauses_of(vocabulary, FRAME)
    model = random_masked_model("bert", encoding)
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    decoder = _MaskedDecoder(model, encoding, 0, torch.Generator())
    decoded = decoder.complete(prompts(clauses, [LABEL, 2, 1, 0, 3, 4], 1, [0, 4]))
    assert len(passes) == 3  # visits and since have one bin and no missing cell
    assert decoded[:, [1, 3]].tolist() == clauses.tokens[[0, 4]][:, [1, 3]].tolist()


def test_values_of_several_tokens_are_refused_by_column_with_the_remedy() -> None:
    encoding = vocabulary_of(FRAME, "digits").encoding()
    with pytest.raises(InvalidInputError, match=r"'balance is'.*numbers='bins' and clauses='tokens'"):
        require_single_tokens(encoding)
    with pytest.raises(InvalidInputError, match="one token for each value"):
        _MaskedDecoder(random_masked_model("bert", encoding), encoding, 0, torch.Generator())
    require_single_tokens(ENCODING)


def loss_of(seed: int) -> MaskedValueLoss:
    return MaskedValueLoss(ENCODING.tables, torch.device("cpu"), seed)


def sentences(rows: list[int]) -> Sentences:
    """Rows in mixed orders, every second one without its clauses 1 and 2: lengths differ."""
    clauses = CLAUSES.take(np.array(rows))
    present = clauses.present.copy()
    present[1::2, 1:3] = False
    return ENCODING.assemble(
        clauses.with_present(present), draw_orders(len(rows), 5, "permute_xy", np.random.default_rng(1))
    )


class Recording(torch.nn.Module):
    """Passes on to a model and keeps what it was shown."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.inner = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        self.shown = input_ids
        return self.inner(input_ids=input_ids, attention_mask=attention_mask)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_loss_is_that_of_the_hidden_values_among_their_legal_tokens(architecture: str) -> None:
    batch, model = sentences(list(range(12))), Recording(random_masked_model(architecture, ENCODING))
    with torch.inference_mode():
        loss, n_tokens = loss_of(3)(model, batch)
        expected = []
        for row, shown in enumerate(model.shown):
            shown = shown[: int(batch.real[row].sum())]
            logits = model.inner(input_ids=shown[None]).logits[0]
            for place in torch.nonzero(shown == MASK).ravel().tolist():
                legal = np.flatnonzero(ENCODING.tables.allowed[batch.states[row, place]])
                wanted = int(np.flatnonzero(legal == batch.ids[row, place])[0])
                expected.append(-float(torch.log_softmax(logits[place, legal], dim=0)[wanted]))
    assert n_tokens == len(expected)
    assert float(loss) == pytest.approx(sum(expected), rel=1e-4)


def test_only_values_are_hidden_at_least_one_and_every_number_equally_often() -> None:
    batch, model = sentences([0, 1] * 1500), Recording(random_masked_model("bert", ENCODING))
    with torch.inference_mode():
        loss_of(0)(model, batch)
    hidden = (model.shown == MASK).numpy()
    assert not hidden[batch.states == END].any()
    assert (model.shown.numpy() == batch.ids)[~hidden].all()
    for rows, n_values in ((hidden[0::2], 6), (hidden[1::2], 4)):
        counts = np.bincount(rows.sum(axis=1), minlength=n_values + 1)
        assert counts[0] == 0
        assert len(counts) == n_values + 1
        assert counts[1:] / 1500 == pytest.approx(np.full(n_values, 1 / n_values), abs=0.04)
    share = hidden[0::2][batch.states[0::2] != END].reshape(1500, 6).mean(axis=0)
    assert share == pytest.approx(np.full(6, 7 / 12), abs=0.05)


def test_what_is_hidden_follows_from_the_sentences_and_the_seed() -> None:
    model, rows = random_masked_model("bert", ENCODING), sentences(list(range(20)))
    drawn = []
    for seed in (5, 6):
        loss = MaskedValueLoss(ENCODING.tables, torch.device("cpu"), seed)
        with torch.inference_mode():
            drawn.append([loss(model, rows), loss(model, rows), loss(model, sentences(list(range(20, 40))))])
    assert drawn[0][0] == drawn[0][1] != drawn[0][2]
    assert drawn[0][0] != drawn[1][0]


@pytest.mark.parametrize(("layers", "width"), [(1, 16), (3, 64)])
def test_the_backbone_has_the_size_asked_for_one_token_more_and_no_dropout(layers: int, width: int) -> None:
    model = build_compact(40, 25, LanguageConfig(backbone="compact_masked", layers=layers, width=width))
    config = model.config
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (layers, width, width // 16)
    assert [config.embedding_dropout, config.attention_dropout, config.mlp_dropout] == [0, 0, 0]
    assert config.hidden_activation == "relu"
    assert model(input_ids=torch.full((1, 25), 40)).logits.shape == (1, 25, 41)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
