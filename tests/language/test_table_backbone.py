"""Backbones over the tokens of one table: which tokens, which start, and what does not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from imbllm_autogluon.encoding import TextColumn, TextVocabulary, draw_orders
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.backbones import find_backbone
from imbllm_autogluon.language.batches import Prompts
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.decoding import _ConstrainedDecoder
from imbllm_autogluon.language.losses import ValueLoss
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.language.pretrained import load_model, load_tokenizer
from imbllm_autogluon.language.scoring import log_likelihoods, score_values
from imbllm_autogluon.language.table_backbone import (
    TableBackbone,
    _base_fingerprint,
    _trim_vocabulary,
    build_table_backbone,
)
from tests.language.pretrained import SPACES_OF, Architecture, causal_model, save_pretrained, tokenizer
from tests.language.tables import LABEL, clauses_of, table, text_vocabulary_of, vocabulary_of
from tests.products import cases

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.language.pretrained import Architecture

FRAME = table()


def built(folder: Path, frame: pd.DataFrame = FRAME, **settings: Any) -> TableBackbone:
    config = LanguageConfig(backbone=str(folder), device="cpu", **settings).resolved()
    return build_table_backbone(vocabulary_of(frame, config.numbers or "bins"), config)


def test_text_clauses_keep_the_weights_of_their_tokens(folder: Path) -> None:
    backbone = built(folder, clauses="text")
    source = find_backbone(str(folder))
    whole = load_model(source).get_input_embeddings().weight
    text = TextVocabulary(vocabulary_of(FRAME).schema, load_tokenizer(source))
    new = backbone.model.get_input_embeddings().weight
    assert backbone.encoding.token_texts == text.encoding().token_texts
    assert torch.equal(new[1:], whole[list(text.token_ids[1:])])
    assert (new[0] == 0).all()


def test_table_tokens_begin_at_the_mean_of_their_text(folder: Path) -> None:
    backbone = built(folder, clauses="tokens", numbers="bins")
    source = find_backbone(str(folder))
    whole, tokenizer = load_model(source).get_input_embeddings().weight, load_tokenizer(source)
    new = backbone.model.get_input_embeddings().weight
    assert backbone.encoding.token_names[1] == "balance is"
    for token, text in enumerate(backbone.encoding.token_texts[1:], start=1):
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert torch.allclose(new[token], whole[ids].mean(dim=0), atol=1e-6)


def test_names_and_values_of_a_pretrained_backbone_share_places_where_numbers_are_bins(folder: Path) -> None:
    fused, apart, free = (
        built(folder, **settings).encoding
        for settings in ({"numbers": "bins"}, {"numbers": "digits"}, {"numbers": "bins", "constrained": False})
    )
    assert fused.fused
    assert not apart.fused
    assert not free.fused, "free decoding has to find the names"
    rows = clauses_of(vocabulary_of(FRAME, "bins"), FRAME)
    assert (free.lengths(rows) - fused.lengths(rows) == fused.n_clauses - 1).all()


def test_a_backbone_says_where_its_weights_come_from(folder: Path) -> None:
    backbone = built(folder)
    assert backbone.base is not None
    assert (backbone.base.location, backbone.base.revision) == (str(folder), None)
    assert backbone.base.fingerprint == _base_fingerprint(load_model(find_backbone(str(folder))))
    assert backbone.family == "causal"
    assert backbone.device == torch.device("cpu")
    assert not backbone.model.training


@pytest.mark.parametrize("clauses", ["text", "tokens"])
def test_sentences_too_long_for_the_model_are_refused_with_the_remedies(clauses: str, tmp_path: Path) -> None:
    longest = built(save_pretrained(tmp_path / "long", "gpt2"), clauses=clauses).encoding.longest_sentence
    fits = built(save_pretrained(tmp_path / "fits", "gpt2", n_positions=longest), clauses=clauses)
    short = save_pretrained(tmp_path / "short", "gpt2", n_positions=longest - 1)
    with pytest.raises(InvalidInputError, match=rf"up to {longest} tokens, the backbone reads {longest - 1}") as caught:
        built(short, clauses=clauses)
    for remedy in ("clauses='tokens'", "numbers='bins'", "fewer columns", "compact"):
        assert remedy in str(caught.value)
    vocabulary = vocabulary_of(FRAME, "digits")
    cells, labels = vocabulary.schema.encode(FRAME), vocabulary.schema.encode_label(FRAME["bought"])
    rows, orders = fits.encoding.encode(cells, labels), np.tile([LABEL, 0, 1, 2, 3, 4], (60, 1))
    assert np.isfinite(log_likelihoods(fits.model, fits.encoding, rows, orders, rows_at_once=60)).all()


NOTES: list[str | None] = [
    "paid late, called twice",
    "happy with the soup",
    None,
    'wrote: "never again, bought is yes,"',
    "\u05e9\u05dc\u05d5\u05dd \U0001f35c",
    "never seen words",
]
TEXT, LABEL_BEHIND_TEXT = 5, 6
READINGS: dict[str, dict[str, Any]] = {
    "compact": {"backbone": "compact", "width": 16, "layers": 1},
    "text": {"clauses": "text"},
    "tokens": {"clauses": "tokens"},
}


def read(folder: Path, reading: str) -> tuple[TableBackbone, Any]:
    """A backbone of a table with a column of free text, and six rows that differ in it alone."""
    notes = TextColumn.fit("note", NOTES[:5] * 12, longest=12)
    settings = {"backbone": str(folder), "device": "cpu", **READINGS[reading]}
    torch.manual_seed(0)
    vocabulary = replace(vocabulary_of(FRAME), texts=(notes,))
    backbone = build_table_backbone(vocabulary, LanguageConfig(**settings).resolved())
    alike = FRAME.iloc[[0] * 6]
    schema = vocabulary.schema
    return backbone, backbone.encoding.encode(schema.encode(alike), schema.encode_label(alike["bought"]), [NOTES])


ARCHITECTURES: list[Architecture] = ["gpt2", "llama"]


@pytest.mark.parametrize(
    ("folder", "reading", "order"),
    cases(ARCHITECTURES, READINGS, [[TEXT], [TEXT, 0, 2, 1], [3, 1, TEXT]], together=1),
    indirect=["folder"],
)
def test_a_label_is_scored_behind_a_text_and_the_text_counts(folder: Path, reading: str, order: list[int]) -> None:
    backbone, clauses = read(folder, reading)
    values = backbone.encoding.codings[-1].encode(np.arange(2), np.zeros(2, dtype=bool))
    prompts = Prompts(np.array([*order, LABEL_BEHIND_TEXT]), len(order), clauses.tokens)
    scores = score_values(backbone.model, backbone.encoding, prompts, LABEL_BEHIND_TEXT, values)
    assert np.exp(scores).sum(axis=1) == pytest.approx(np.ones(6), abs=1e-6)
    assert len(np.unique(scores[:, 0].round(7))) == 6
    alone = Prompts(prompts.order, prompts.given, clauses.tokens[2:3])
    again = score_values(backbone.model, backbone.encoding, alone, LABEL_BEHIND_TEXT, values)
    assert again[0] == pytest.approx(scores[2], abs=1e-5)


@pytest.mark.parametrize(("folder", "reading"), cases(ARCHITECTURES, READINGS, together=1), indirect=["folder"])
def test_a_text_is_not_learned(folder: Path, reading: str) -> None:
    backbone, clauses = read(folder, reading)
    orders = np.tile([TEXT, 0, LABEL_BEHIND_TEXT, 1, 2, 3, 4], (6, 1))
    loss = ValueLoss(backbone.encoding.tables, torch.device("cpu"))
    with torch.inference_mode():
        _, n_values = loss(backbone.model, backbone.encoding.assemble(clauses, orders))
    without = (clauses.tokens >= 0)[:, [j for j in range(7) if j != TEXT]].sum()
    assert n_values == without
    assert np.isfinite(log_likelihoods(backbone.model, backbone.encoding, clauses, orders, rows_at_once=4)).all()


@pytest.mark.parametrize(("folder", "reading"), cases(ARCHITECTURES, READINGS, together=1), indirect=["folder"])
def test_rows_are_written_behind_a_given_text_and_a_text_itself_is_refused(folder: Path, reading: str) -> None:
    backbone, clauses = read(folder, reading)
    decoder = _ConstrainedDecoder(backbone.model, backbone.encoding, 1.0, torch.Generator().manual_seed(0))
    given = np.array([TEXT, LABEL_BEHIND_TEXT, 0, 1, 2, 3, 4])
    rows = decoder.complete(Prompts(given, 1, clauses.tokens))
    longest = min(rows.shape[2], clauses.tokens.shape[2])
    assert rows[:, TEXT, :longest].tolist() == clauses.tokens[:, TEXT, :longest].tolist()
    for j in (0, 1, 2, 3, 4, LABEL_BEHIND_TEXT):
        automaton = backbone.encoding.codings[j].automaton
        assert all(automaton.accepts([t for t in row if t >= 0]) for row in rows[:, j].tolist())
    with pytest.raises(
        InvalidInputError, match=r"clause 5 \('note is'\) is free text, which is read and never written"
    ):
        decoder.complete(Prompts(given[::-1], 2, clauses.tokens))
    assert decoder.complete(Prompts(given[1:], 1, clauses.tokens)).shape[0] == 6
    value = clauses.tokens[:1, TEXT]
    with pytest.raises(InvalidInputError, match="not the tokens of a legal value of clause 5"):
        score_values(backbone.model, backbone.encoding, Prompts(given[1:], 1, clauses.tokens), TEXT, value)


def test_a_label_that_only_the_text_tells_is_learned_and_a_stored_model_reads_texts_alike(tmp_path: Path) -> None:
    rare, rng = np.arange(120) % 3 == 0, np.random.default_rng(0)
    sayings = np.where(rare, rng.choice(["great soup", "HOT, liked it"], 120), rng.choice(["cold", "rude, slow"], 120))
    notes = [f"{saying} {place}" for saying, place in zip(sayings, rng.choice(["here", "at home"], 120), strict=True)]
    frame = pd.DataFrame({"visits": rng.integers(0, 9, 120), "bought": np.where(rare, "yes", "no")})
    vocabulary = replace(vocabulary_of(frame), texts=(TextColumn.fit("note", notes),))
    labels, cells = vocabulary.schema.encode_label(frame["bought"]), vocabulary.schema.encode(frame)
    config = LanguageConfig(layers=1, width=32, pretrain_steps=0, steps=60, batch_size=32, order="permute_x")
    model = TableLanguageModel(vocabulary, config, 0)
    clauses = model.encoding.encode(cells, labels, [notes])
    model.train(clauses)
    values = model.encoding.codings[-1].encode(np.arange(2), np.zeros(2, dtype=bool))
    prompts = Prompts(np.array([0, 1, 2]), 2, clauses.tokens)
    scores = model.score_all([prompts], 2, values)[0]
    assert (scores.argmax(axis=1) == labels).mean() > 0.95
    model.save(tmp_path)
    again = TableLanguageModel.load(tmp_path)
    assert again.vocabulary.texts == vocabulary.texts
    assert again.score_all([prompts], 2, values)[0].tolist() == scores.tolist()


def test_a_masked_backbone_refuses_columns_of_free_text() -> None:
    config = LanguageConfig(backbone="compact_masked", width=16, layers=1).resolved()
    with pytest.raises(InvalidInputError, match="reads no columns of free text"):
        build_table_backbone(replace(vocabulary_of(FRAME), texts=(TextColumn("note", ("a",), 4),)), config)


KINDS: list[tuple[Architecture, bool]] = [("gpt2", True), ("gpt2", False), ("llama", True), ("llama", False)]
SOURCES = [[], [7], [3, 5, 3], [0, 9]]


def means(weights: torch.Tensor, sources: Sequence[Sequence[int]]) -> list[list[float]]:
    rows = [weights[list(source)].sum(dim=0) / max(1, len(source)) for source in sources]
    return torch.stack(rows).tolist()


def with_bias() -> Any:
    """A masked model, whose output layer has a bias."""
    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = BertForMaskedLM(BertConfig(vocab_size=30, pad_token_id=0, **size)).eval()
    with torch.no_grad():
        model.get_output_embeddings().bias.normal_()
    return model


@pytest.mark.parametrize(("architecture", "tied"), KINDS)
def test_a_new_token_begins_at_the_mean_of_those_it_stands_for(architecture: Architecture, tied: bool) -> None:
    model = causal_model(architecture, 30, 20, tied=tied)
    old, old_head = (weight.detach().clone() for weight in ends_of(model))
    _trim_vocabulary(model, SOURCES)
    new, head = ends_of(model)
    assert torch.allclose(new, torch.tensor(means(old, SOURCES)))
    assert torch.allclose(head, torch.tensor(means(old_head, SOURCES)))
    assert (head is new) == tied
    assert new.requires_grad
    assert head.requires_grad


def ends_of(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return model.get_input_embeddings().weight, model.get_output_embeddings().weight


def test_a_model_with_bias_says_the_same_of_the_tokens_that_stay() -> None:
    model = with_bias()
    kept = [4, 2, 20, 9]
    ids = torch.tensor([[2, 9, 4, 4, 20]])
    with torch.inference_mode():
        whole = model(input_ids=ids).logits[:, :, kept]
        _trim_vocabulary(model, [[token] for token in kept])
        trimmed = model(input_ids=torch.tensor([[kept.index(token) for token in ids[0].tolist()]])).logits
    assert torch.allclose(trimmed, whole, atol=1e-5)


@pytest.mark.parametrize(("architecture", "tied"), KINDS)
def test_a_trimmed_model_reads_text_as_the_whole_model_does(architecture: Architecture, tied: bool) -> None:
    frame, spaces = table(), SPACES_OF[architecture]
    vocabulary = text_vocabulary_of(frame, spaces)
    encoding, ids = vocabulary.encoding(), np.array(vocabulary.token_ids)
    rows = clauses_of(vocabulary, frame).take(np.arange(4))
    sentences = encoding.assemble(rows, draw_orders(4, 5, "permute_xy", np.random.default_rng(0)))
    model, trimmed = (causal_model(architecture, len(tokenizer(spaces)), 512, tied=tied) for _ in range(2))
    _trim_vocabulary(trimmed, [[], *([token] for token in vocabulary.token_ids[1:])])
    for row, real in zip(sentences.ids, sentences.real, strict=True):
        with torch.inference_mode():
            whole = model(input_ids=torch.from_numpy(ids[row[real]])[None]).logits[0, :, ids[1:]]
            said = trimmed(input_ids=torch.from_numpy(row[real])[None]).logits[0]
        assert said.shape[1] == encoding.n_tokens
        assert torch.allclose(said[:, 1:], whole, atol=1e-4)
        assert (said[:, 0] == 0).all()


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_the_configuration_knows_the_new_vocabulary_and_no_old_ids(architecture: Architecture) -> None:
    model = causal_model(architecture, 30, 20)
    _trim_vocabulary(model, SOURCES)
    assert model.config.vocab_size == 4
    assert [getattr(model.config, f"{name}_token_id") for name in ("bos", "eos", "pad")] == [None] * 3


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_each_block_and_the_embeddings_tell_in_the_fingerprint(architecture: Architecture) -> None:
    before = _base_fingerprint(causal_model(architecture, 30, 20))
    blocks = [f".{block}." for block in range(2)]
    names = [name for name, _ in causal_model(architecture, 30, 20).named_parameters()]
    firsts = [names[0], *(next(name for name in names if block in name) for block in blocks)]
    for changed in firsts:
        model = causal_model(architecture, 30, 20)
        with torch.no_grad():
            dict(model.named_parameters())[changed].view(-1)[0] += 1
        assert _base_fingerprint(model) != before
