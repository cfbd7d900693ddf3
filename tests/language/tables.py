"""A small table with every kind of clause, its tokens, and tiny models over them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import torch
from transformers import BertConfig, BertForMaskedLM, DistilBertConfig, DistilBertForMaskedLM

from imbllm_autogluon.encoding import Clauses, SchemaVocabulary, SentenceEncoding, TextVocabulary
from imbllm_autogluon.language.batches import Prompts
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.tables import TableSchema
from tests.language.pretrained import Architecture, Spaces, causal_model, tokenizer

if TYPE_CHECKING:
    from imbllm_autogluon.encoding import SentenceEncoding
    from imbllm_autogluon.encoding.values import Numbers
    from imbllm_autogluon.language.model import TableLanguageModel

Writing = Literal["bins", "digits", "text apart", "text joined", "bins, fused", "digits, fused"]
"""How a table is written: in tokens of its own, or as text by one of two tokenizers."""

WRITINGS: tuple[Writing, ...] = ("bins", "digits", "text apart", "text joined")

FUSED: tuple[Writing, ...] = ("bins, fused", "digits, fused")
"""A clause's prefix shares the place of the token before it; only automata can decode that."""

LABEL = 5
"""Index of the label's clause."""

TINY = LanguageConfig(layers=1, width=16, pretrain_steps=3, steps=3, batch_size=8)


def table(n_rows: int = 60) -> pd.DataFrame:
    """Numbers of one to six digits and both signs, a category, a date, a boolean; some cells missing."""
    rng = np.random.default_rng(5)
    rare = np.arange(n_rows) % 4 == 0
    balance = rng.normal(0.5 * rare, 1) * 10.0 ** rng.integers(-1, 4, n_rows)
    return pd.DataFrame(
        {
            "balance": pd.Series(balance.round(2)).mask(rng.random(n_rows) < 0.2),
            "visits": rng.integers(0, 150, n_rows),
            "city": pd.Series(rng.choice(["Oslo", "Bergen", "Narvik"], n_rows)).mask(rng.random(n_rows) < 0.1),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 500, n_rows), unit="D"),
            "member": rng.random(n_rows) < np.where(rare, 0.9, 0.2),
            "bought": np.where(rare, "yes", "no"),
        }
    )


def learnable(n_rows: int = 60) -> pd.DataFrame:
    """Two sorts of rows: the label tells everything."""
    rare = np.arange(n_rows) % 3 == 0
    columns = {"visits": rare * 90, "city": np.where(rare, "Oslo", "Bergen"), "bought": np.where(rare, "yes", "no")}
    return pd.DataFrame(columns)


def vocabulary_of(frame: pd.DataFrame, numbers: Numbers = "bins", max_bins: int = 8) -> SchemaVocabulary:
    schema = TableSchema.from_frame(frame, "bought")
    labels = schema.encode_label(frame["bought"])
    return SchemaVocabulary.fit(schema, schema.encode(frame), labels, numbers=numbers, max_bins=max_bins)


def text_vocabulary_of(frame: pd.DataFrame, spaces: Spaces) -> TextVocabulary:
    return TextVocabulary(TableSchema.from_frame(frame, "bought"), tokenizer(spaces))


def clauses_of(vocabulary: SchemaVocabulary | TextVocabulary, frame: pd.DataFrame) -> Clauses:
    schema = vocabulary.schema
    return vocabulary.encoding().encode(schema.encode(frame), schema.encode_label(frame["bought"]))


def written(frame: pd.DataFrame, writing: Writing) -> tuple[SentenceEncoding, Clauses]:
    """Encoding and rows of a table with the label "bought"."""
    vocabulary: SchemaVocabulary | TextVocabulary
    if writing in FUSED:
        encoding, clauses = written(frame, "bins" if writing == "bins, fused" else "digits")
        return replace(encoding, fused=True), clauses
    if writing == "bins" or writing == "digits":
        vocabulary = vocabulary_of(frame, writing)
    else:
        vocabulary = text_vocabulary_of(frame, "apart" if writing == "text apart" else "joined")
    return vocabulary.encoding(), clauses_of(vocabulary, frame)


def prompts(clauses: Clauses, order: list[int], given: int, rows: list[int]) -> Prompts:
    return Prompts(np.array(order), given, clauses.tokens[rows])


def completed(
    model: TableLanguageModel, batches: list[Prompts], seed: int = 0, threads: int | None = None
) -> list[Clauses]:
    """Rows of each batch, written one batch after the other."""
    with model.writer(seed=seed, threads=threads) as writer:
        return [writer.complete(batch) for batch in batches]


def read_whole(model: Any, encoding: SentenceEncoding, ids: list[int], names: list[int]) -> torch.Tensor:
    """Logits behind each token of one row, read at once; `names` are the prefixes that a fused encoding adds."""
    row = torch.tensor([ids])
    if not encoding.fused:
        logits: torch.Tensor = model(input_ids=row).logits[0]
        return logits
    embed = model.get_input_embeddings()
    fused: torch.Tensor = model(inputs_embeds=embed(row) + embed(torch.tensor([names]))).logits[0]
    return fused


def random_model(architecture: Architecture, encoding: SentenceEncoding, seed: int = 0) -> Any:
    """A tiny model over the table's tokens, see :func:`causal_model`."""
    return causal_model(architecture, encoding.n_tokens, encoding.longest_sentence, seed=seed)


def legal_rows(encoding: SentenceEncoding, tokens: Any) -> bool:
    """Whether every clause of every row is a legal value, padded with -1 behind its end."""
    automata = [coding.automaton for coding in encoding.codings]
    for row in tokens.tolist():
        for automaton, value in zip(automata, row, strict=True):
            written = [token for token in value if token >= 0]
            if value != [*written, *[-1] * (len(value) - len(written))] or not automaton.accepts(written):
                return False
    return True


ARCHITECTURES = ["bert", "distilbert"]


def random_masked_model(architecture: str, encoding: SentenceEncoding, seed: int = 0) -> Any:
    """A tiny model with weights so large that every token, before or after, changes what is written."""
    size: dict[str, Any] = {"vocab_size": encoding.n_tokens + 1, "pad_token_id": 0, "initializer_range": 0.4}
    size["max_position_embeddings"] = encoding.longest_sentence
    torch.manual_seed(seed)
    if architecture == "bert":
        shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
        model: Any = BertForMaskedLM(BertConfig(**shape, **size))
    else:
        model = DistilBertForMaskedLM(DistilBertConfig(dim=32, hidden_dim=48, n_layers=2, n_heads=2, **size))
    return model.eval()
