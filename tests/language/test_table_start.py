"""Before any step a model knows the table: values that go together are alike; it has seen other tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch

from imbllm_autogluon.encoding import Clauses, SentenceEncoding, draw_orders
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.compact import build_compact
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.language.table_start import (
    _Cooccurrence,
    _shipped_weights,
    _TokenFeatures,
    settle,
    start_from_other_tables,
    start_from_rows,
)
from tests.language.tables import clauses_of, random_model, table, vocabulary_of

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.language.compact import CompactModel

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


def counted(rows: pd.DataFrame) -> tuple[_Cooccurrence, SentenceEncoding]:
    vocabulary = vocabulary_of(rows, max_bins=16)
    encoding = vocabulary.encoding()
    return _Cooccurrence.of(encoding, clauses_of(vocabulary, rows), np.random.default_rng(0)), encoding


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
    found = _Cooccurrence.of(vocabulary.encoding(), clauses, np.random.default_rng(0))
    assert np.isfinite(found.embeddings(np.random.default_rng(0))).all()


def test_values_of_several_tokens_and_absent_ones_are_left_out() -> None:
    vocabulary = vocabulary_of(table(), "digits")
    encoding, clauses = vocabulary.encoding(), clauses_of(vocabulary, table())
    absent = clauses.present.copy()
    absent[:, 2] = False
    found = _Cooccurrence.of(encoding, Clauses(clauses.tokens, absent), np.random.default_rng(0))
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


PRETRAINED = LanguageConfig(pretrained=True).resolved()


def started(rows: pd.DataFrame, time_limit: float | None = 0.0) -> TableLanguageModel:
    """A model that has begun with these rows and, without a limit, done two steps."""
    config = LanguageConfig(pretrained=True, pretrain_steps=1, steps=1)
    vocabulary = vocabulary_of(rows, config.numbers or "bins", max_bins=16)
    model = TableLanguageModel(vocabulary, config, seed=0)
    clauses = clauses_of(vocabulary, rows)
    model.train(clauses, pretrain=clauses, time_limit=time_limit)
    return model


def nats(model: TableLanguageModel, rows: pd.DataFrame) -> float:
    """Mean negative log-likelihood of rows."""
    clauses = clauses_of(model.vocabulary, rows)
    orders = draw_orders(len(rows), model.encoding.n_clauses - 1, "fix_y", np.random.default_rng(0))
    return float(-model.log_likelihoods(clauses, orders).mean())


def independent_nats(model: TableLanguageModel, learned: pd.DataFrame, rows: pd.DataFrame) -> float:
    """The same of columns that know nothing of each other."""
    seen, new = (clauses_of(model.vocabulary, part).tokens[:, :, 0] for part in (learned, rows))
    shares = np.bincount(seen.ravel(), minlength=model.encoding.n_tokens) / len(seen)
    return float(-np.log(np.maximum(shares[new], 0.5 / len(seen))).sum(axis=1).mean())


def test_an_untrained_model_knows_unseen_rows_better_than_their_columns_alone() -> None:
    learned, new = frame(0), frame(1)
    model = started(learned)
    assert nats(model, new) < independent_nats(model, learned, new) - 0.5


def test_what_it_knows_is_lost_where_columns_are_shuffled() -> None:
    learned, new = shuffled(frame(0)), shuffled(frame(1))
    model = started(learned)
    assert abs(nats(model, new) - independent_nats(model, learned, new)) < 0.3


def test_blocks_and_matrices_are_the_shipped_ones_and_learn_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def keep(model: CompactModel) -> None:
        seen.append({name: weight.detach().clone() for name, weight in model.named_parameters()})
        settle(model)

    monkeypatch.setattr("imbllm_autogluon.language.model.settle", keep)
    for time_limit in (0.0, None):
        started(frame(), time_limit)
    weights = _shipped_weights()
    assert len([name for name in weights if name.startswith("transformer.h.")]) == 2 * 12
    assert {name for name in weights if name.endswith("matrix")} == {"transformer.wte.matrix", "lm_head.matrix"}
    first, after = seen
    assert all(torch.equal(first[name][: len(weight)], weight.float()) for name, weight in weights.items())
    assert not any(torch.equal(after[name], weight) for name, weight in first.items() if weight.ndim == 2)


def test_settling_changes_no_probability() -> None:
    vocabulary = vocabulary_of(frame(), max_bins=16)
    encoding, clauses = vocabulary.encoding(fused=True), clauses_of(vocabulary, frame())
    model = build_compact(encoding.n_tokens, encoding.longest_sentence, PRETRAINED).eval()
    start_from_other_tables(model, encoding, clauses, seed=0)
    ids = torch.arange(encoding.longest_sentence)[None]
    before = model(input_ids=ids).logits
    settle(model)
    torch.testing.assert_close(model(input_ids=ids).logits, before)
    again = model(input_ids=ids).logits
    settle(model)
    assert torch.equal(model(input_ids=ids).logits, again)


def test_training_that_was_stopped_goes_on_from_its_matrices(tmp_path: Path) -> None:
    config = LanguageConfig(pretrained=True, pretrain_steps=4, steps=4)
    vocabulary = vocabulary_of(frame(), max_bins=16)
    clauses = clauses_of(vocabulary, frame())

    class StoppedError(Exception):
        pass

    def stop_at_six(_: int, done: list[int] = []) -> None:  # noqa: B006
        done.append(1)
        if len(done) == 6:
            raise StoppedError

    whole, parts = (TableLanguageModel(vocabulary, config, seed=0) for _ in range(2))
    whole.train(clauses, pretrain=clauses)
    with pytest.raises(StoppedError):
        parts.train(clauses, pretrain=clauses, warm_start=tmp_path / "warm", progress=stop_at_six)
    parts = TableLanguageModel(vocabulary, config, seed=0)
    parts.train(clauses, pretrain=clauses, warm_start=tmp_path / "warm")
    assert nats(parts, frame(1)) == pytest.approx(nats(whole, frame(1)), rel=1e-6)


def features_of(rows: pd.DataFrame) -> _TokenFeatures:
    vocabulary = vocabulary_of(rows, max_bins=16)
    return _TokenFeatures.of(vocabulary.encoding(fused=True), clauses_of(vocabulary, rows), np.random.default_rng(0))


def test_features_of_values_tell_their_rank_and_what_kind_they_are() -> None:
    rows = frame()
    rows.loc[:20, "rise"] = np.nan
    encoding = vocabulary_of(rows, max_bins=16).encoding(fused=True)
    found = features_of(rows)
    names = [encoding.token_names[token] for token in found.tokens]
    by_name = pd.DataFrame(found.values, names)
    bins = [name for name in names if name.startswith("rise: bin")]
    assert by_name.loc[bins, 32].eq(1).all()
    assert by_name.loc[bins, 33].is_monotonic_increasing
    assert by_name.loc["rise: missing", [32, 33, 39]].tolist() == [0, 0, 1]
    assert np.isfinite(found.values).all()


@pytest.mark.parametrize("other", [{"width": 32}, {"layers": 1}, {"constrained": False}, {"backbone": "smollm2"}])
def test_another_shape_is_refused(other: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError, match="pretrained=True needs backbone='compact'"):
        LanguageConfig(pretrained=True, **other)  # type: ignore[arg-type]


def test_it_is_the_start_of_every_compact_model_that_has_its_shape() -> None:
    seen, scratch = LanguageConfig().resolved(), LanguageConfig(pretrained=False).resolved()
    assert (seen.pretrained, seen.pretrain_steps, seen.learning_rate) == (True, 150, 6e-3)
    assert (scratch.pretrained, scratch.pretrain_steps, scratch.learning_rate) == (False, 300, 3e-3)
    others = {"width": 32}, {"layers": 1}, {"constrained": False}, {"backbone": "compact_masked"}, {"numbers": "digits"}
    for other in others:
        found = LanguageConfig(**other).resolved()  # type: ignore[arg-type]
        assert (found.pretrained, found.learning_rate) == (False, 3e-3)
