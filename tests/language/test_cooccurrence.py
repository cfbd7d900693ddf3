"""Embeddings before training: values that go together are alike, neighbors too, and chance is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from imbllm_autogluon.language.table_start import Cooccurrence, start_from_rows
from imbllm_autogluon.sentences import Clauses, SentenceEncoding
from tests.language.tables import clauses_of, random_model, table, vocabulary_of

N_ROWS = 400


def frame(seed: int = 0) -> pd.DataFrame:
    """`fall` falls where `rise` rises, `town` goes with the label, `noise` with nothing."""
    rng = np.random.default_rng(seed)
    rise = rng.normal(size=N_ROWS)
    rare = rng.random(N_ROWS) < 0.2
    return pd.DataFrame(
        {
            "rise": rise.round(3),
            "fall": (-rise + 0.3 * rng.normal(size=N_ROWS)).round(3),
            "town": np.where(rng.random(N_ROWS) < np.where(rare, 0.9, 0.1), "Oslo", "Bergen"),
            "noise": rng.normal(size=N_ROWS).round(3),
            "bought": np.where(rare, "yes", "no"),
        }
    )


def shuffled(rows: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame({name: rng.permutation(rows[name].to_numpy()) for name in rows})


def counted(rows: pd.DataFrame) -> tuple[Cooccurrence, SentenceEncoding]:
    vocabulary = vocabulary_of(rows, max_bins=16)
    encoding = vocabulary.encoding()
    return Cooccurrence.of(encoding, clauses_of(vocabulary, rows), np.random.default_rng(0)), encoding


def lifts(rows: pd.DataFrame) -> pd.DataFrame:
    """Products of the embeddings, by the names of the tokens."""
    found, encoding = counted(rows)
    vectors = found.embeddings(np.random.default_rng(0))
    names = [encoding.token_names[token] for token in found.tokens]
    return pd.DataFrame(vectors @ vectors.T, names, names)


def bins_of(found: pd.DataFrame, column: str) -> list[str]:
    return [name for name in found.index if name.startswith(column)]


def test_values_that_occur_together_are_alike_and_others_are_opposed() -> None:
    found = lifts(frame())
    rise, fall = bins_of(found, "rise"), bins_of(found, "fall")
    assert found.loc[rise[0], fall[-1]] > 0.3 > -0.2 > found.loc[rise[0], fall[0]]
    towns = {name.split()[-1]: name for name in bins_of(found, "town")}
    labels = {name.split()[-1]: name for name in bins_of(found, "bought")}
    assert found.loc[towns["Oslo"], labels["yes"]] > 0.3 > 0 > found.loc[towns["Bergen"], labels["yes"]]


def test_neighboring_bins_have_nearly_the_same_embedding() -> None:
    found, encoding = counted(frame())
    vectors = found.embeddings(np.random.default_rng(0))
    rows = [i for i, token in enumerate(found.tokens) if encoding.token_names[token].startswith("rise")]
    steps = np.linalg.norm(np.diff(vectors[rows], axis=0), axis=1)
    assert steps.max() < np.linalg.norm(vectors[rows[0]] - vectors[rows[-1]]) / 3


def test_columns_that_are_independent_get_no_embedding() -> None:
    found = lifts(shuffled(frame()))
    assert np.abs(found.to_numpy()).max() < 0.2
    assert np.abs(lifts(frame()).loc[bins_of(found, "noise"), bins_of(found, "rise")].to_numpy()).max() < 0.3


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_few_rows_are_no_trouble(rows: int) -> None:
    vocabulary = vocabulary_of(table())
    clauses = clauses_of(vocabulary, table()).take(np.arange(rows))
    found = Cooccurrence.of(vocabulary.encoding(), clauses, np.random.default_rng(0))
    assert np.isfinite(found.embeddings(np.random.default_rng(0))).all()


def test_values_of_several_tokens_and_absent_ones_are_left_out() -> None:
    vocabulary = vocabulary_of(table(), "digits")
    encoding, clauses = vocabulary.encoding(), clauses_of(vocabulary, table())
    absent = clauses.present.copy()
    absent[:, 2] = False
    found = Cooccurrence.of(encoding, Clauses(clauses.tokens, absent), np.random.default_rng(0))
    assert set(found.columns.tolist()) >= {4, 5}
    assert 2 not in found.columns
    digits = [token for token, name in enumerate(encoding.token_names) if name in "0123456789"]
    assert not set(digits) & set(found.tokens.tolist())


def test_a_start_changes_the_embeddings_of_values_alone_and_follows_from_the_seed() -> None:
    vocabulary = vocabulary_of(frame())
    encoding, clauses = vocabulary.encoding(), clauses_of(vocabulary, frame())
    found = []
    for seed in (1, 1, 2):
        model = random_model("gpt2", encoding)
        before = model.get_input_embeddings().weight.detach().clone()
        start_from_rows(model, encoding, clauses, seed)
        found.append(model.get_input_embeddings().weight.detach() - before)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    values = {int(token) for token in clauses.tokens[:, :, 0].ravel()}
    assert {int(token) for token in torch.nonzero(found[0].abs().sum(dim=1))[:, 0]} <= values
