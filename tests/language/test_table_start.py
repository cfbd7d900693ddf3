"""The compact model has seen other tables: before any step it knows a table better than its columns alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.language.table_start import SHIPPED, TokenFeatures, shipped_weights
from imbllm_autogluon.oversampling import GeneratorConfig, ImbLLM
from imbllm_autogluon.sentences import draw_orders
from tests.language.tables import clauses_of, vocabulary_of
from tests.language.test_cooccurrence import frame, shuffled

UNTRAINED = LanguageConfig(pretrained=True, warmup_steps=0, steps=0)


def started(rows: pd.DataFrame, config: LanguageConfig = UNTRAINED) -> TableLanguageModel:
    """A model that has begun with these rows and done no step."""
    vocabulary = vocabulary_of(rows, config.numbers or "bins", max_bins=16)
    model = TableLanguageModel(vocabulary, config, seed=0)
    clauses = clauses_of(vocabulary, rows)
    model.train(clauses, warmup=clauses)
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


def test_random_weights_know_less() -> None:
    scratch = started(frame(0), LanguageConfig(warmup_steps=0, steps=0, pretrained=False))
    assert nats(scratch, frame(1)) > nats(started(frame(0)), frame(1)) + 0.5


def test_blocks_are_the_shipped_ones_and_learn_on() -> None:
    model, weights = started(frame()), shipped_weights()
    own = model._backbone.model.transformer.state_dict()
    blocks = [name for name in weights if name.startswith("h.")]
    assert len(blocks) == 2 * 12
    assert all(torch.equal(own[name], weights[name]) for name in blocks)
    trained = started(
        frame(), LanguageConfig(pretrained=True, warmup_steps=2, steps=0)
    )._backbone.model.transformer.state_dict()
    assert not any(torch.equal(trained[name], weights[name]) for name in blocks if name.endswith("weight"))


def test_the_same_rows_start_alike() -> None:
    first, again = (started(frame())._backbone.model.state_dict() for _ in range(2))
    assert all(torch.equal(weight, again[name]) for name, weight in first.items() if "wte" not in name)
    values = torch.from_numpy(_features(frame()).tokens)
    assert torch.equal(first["transformer.wte.weight"][values], again["transformer.wte.weight"][values])


def _features(rows: pd.DataFrame) -> TokenFeatures:
    vocabulary = vocabulary_of(rows, max_bins=16)
    return TokenFeatures.of(vocabulary.encoding(fused=True), clauses_of(vocabulary, rows), np.random.default_rng(0))


def test_features_of_values_tell_their_rank_and_what_kind_they_are() -> None:
    rows = frame()
    rows.loc[:20, "rise"] = np.nan
    encoding = vocabulary_of(rows, max_bins=16).encoding(fused=True)
    found = _features(rows)
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


def test_fewer_steps_at_a_higher_rate_follow() -> None:
    seen, scratch = LanguageConfig(pretrained=True).resolved(), LanguageConfig().resolved()
    assert (seen.steps, seen.learning_rate) == (75, 6e-3)
    assert (scratch.steps, scratch.learning_rate) == (150, 3e-3)


def test_imbllm_takes_the_switch_and_writes_legal_rows() -> None:
    X, y = frame().drop(columns="bought"), frame()["bought"]
    config = GeneratorConfig.from_flat({"pretrained": True, "warmup_steps": 2, "steps": 2})
    rows, labels = ImbLLM(config, random_state=0).fit(X, y, {"yes": 30}).sample()
    assert set(labels) == {"yes"}
    assert set(rows["town"]) <= {"Oslo", "Bergen"}
    assert len(rows) == 30


def test_digits_start_too() -> None:
    digits = LanguageConfig(pretrained=True, warmup_steps=0, steps=0, numbers="digits")
    assert np.isfinite(nats(started(frame(), digits), frame(1)))


def test_the_weights_in_the_package_are_small() -> None:
    from importlib.resources import files

    assert len(files("imbllm_autogluon.language").joinpath(SHIPPED).read_bytes()) < 1_000_000
