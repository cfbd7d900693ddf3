"""Prompts add up, take turns over all features, and come from the right rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbllm_autogluon.encoding import Clauses
from imbllm_autogluon.oversampling.config import ConditioningConfig
from imbllm_autogluon.oversampling.prompts import _SMALLEST_BATCH, PromptPool, _PromptBatch
from tests.oversampling.tables import mixed, read

if TYPE_CHECKING:
    from imbllm_autogluon.tables import EncodedTable

SCHEMA, CELLS = read(mixed(30))
N_FEATURES = len(SCHEMA.columns)
N_REAL = 10


def pool_of(cells: EncodedTable = CELLS, n_features: int = N_FEATURES) -> PromptPool:
    """Rows whose tokens tell row and clause: 100 * row + clause."""
    tokens = 100 * np.arange(cells.n_rows)[:, None, None] + np.arange(n_features + 1)[None, :, None]
    columns = tuple(SCHEMA.columns[j % N_FEATURES] for j in range(n_features))
    return PromptPool(cells, Clauses(tokens, np.ones(tokens.shape[:2], dtype=bool)), N_REAL, columns)


def batches(
    n_rows: int, most: int = 1000, seed: int = 0, pool: PromptPool | None = None, **settings: Any
) -> list[_PromptBatch]:
    rng = np.random.default_rng(seed)
    return list((pool or pool_of()).batches(n_rows, ConditioningConfig(**settings), most, rng))


def sizes(found: list[_PromptBatch]) -> list[int]:
    return [len(batch.prompts.tokens) for batch in found]


@settings(deadline=None)
@given(
    st.integers(0, 2000),
    st.integers(1, 300),
    st.sampled_from(["y", "yx"]),
    st.integers(1, 100),
    st.integers(0, 9),
)
def test_batches_add_up_and_none_is_empty_or_too_large(
    n_rows: int, most: int, conditioning: str, k: int, seed: int
) -> None:
    found = batches(n_rows, most, seed, conditioning=conditioning, condition_pairs=k)
    assert sum(sizes(found)) == n_rows
    assert all(1 <= size <= most for size in sizes(found))
    for batch in found:
        given = min(k, N_FEATURES) if conditioning == "yx" else 0
        assert sorted(batch.prompts.order.tolist()) == list(range(N_FEATURES + 1))
        assert batch.prompts.order[0] == N_FEATURES
        assert batch.prompts.given == 1 + given
        assert batch.prompts.order[1 : 1 + given].tolist() == batch.features.tolist()
        assert batch.sources.shape == (len(batch.prompts.tokens), given)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 6])
def test_the_given_columns_cycle_evenly_over_all_features(k: int) -> None:
    found = batches(N_FEATURES * 50, condition_pairs=k)
    used: Counter[int] = Counter()
    for batch, size in zip(found, sizes(found), strict=True):
        assert len(set(batch.features.tolist())) == k
        used.update(dict.fromkeys(batch.features.tolist(), size))
    assert used == dict.fromkeys(range(N_FEATURES), 50 * k)


def test_uneven_numbers_of_rows_differ_by_one_between_columns() -> None:
    assert sorted(sizes(batches(N_FEATURES * 50 + 2))) == [50] * (N_FEATURES - 2) + [51, 51]


def test_few_rows_are_not_scattered_over_tiny_batches() -> None:
    found = batches(3 * _SMALLEST_BATCH + 1)
    assert len(found) == 3
    assert min(sizes(found)) >= _SMALLEST_BATCH
    assert len({int(batch.features[0]) for batch in found}) == 3
    assert sizes(batches(5)) == [5]


def test_with_few_rows_every_column_gets_its_turn_from_seed_to_seed() -> None:
    assert {int(batches(5, seed=seed)[0].features[0]) for seed in range(60)} == set(range(N_FEATURES))


def test_the_label_alone_is_given_in_as_few_batches_as_possible() -> None:
    found = batches(250, most=100, conditioning="y")
    assert sizes(found) == [100, 100, 50]
    assert all(batch.features.size == 0 for batch in found)


def test_each_batch_has_an_order_of_its_own_that_its_rows_share() -> None:
    found = batches(300, most=10, conditioning="y")
    orders = {tuple(batch.prompts.order.tolist()) for batch in found}
    assert len(orders) > 15
    assert all(batch.prompts.order.ndim == 1 for batch in found)


def test_all_given_values_of_a_row_come_from_one_row_of_the_pool() -> None:
    for batch in batches(200, condition_pairs=3):
        rows = batch.prompts.tokens[:, :, 0] // 100
        assert (rows == rows[:, :1]).all()
        assert (batch.sources == rows[:, :1]).all()


def test_a_lone_category_is_taken_from_real_rows_and_a_number_from_all() -> None:
    drawn: dict[int, set[int]] = {}
    for seed in range(5):
        for batch in batches(N_FEATURES * 60, seed=seed):
            drawn.setdefault(int(batch.features[0]), set()).update(batch.sources[:, 0].tolist())
    for feature, column in enumerate(SCHEMA.columns):
        assert drawn[feature] == set(range(N_REAL if column.is_category else 30))


def test_several_given_values_come_from_the_whole_pool() -> None:
    sources = np.concatenate([batch.sources[:, 0] for batch in batches(600, condition_pairs=2)])
    assert set(sources.tolist()) == set(range(30))


def test_exact_given_values_take_the_place_of_the_decoded_ones() -> None:
    written = CELLS.take(np.zeros(40, dtype=int))
    for k in (0, 1, 3):
        settings = {"condition_pairs": k} if k else {"conditioning": "y"}
        batch = batches(40, **settings)[0]  # type: ignore[arg-type]
        restored = pool_of().restore_given([batch], written)
        for j in range(N_FEATURES):
            place = batch.features.tolist().index(j) if j in batch.features else None
            rows = np.zeros(40, dtype=int) if place is None else batch.sources[:, place]
            assert restored.values[j].tolist() == CELLS.values[j][rows].tolist()
            assert restored.missing[:, j].tolist() == CELLS.missing[rows, j].tolist()


def test_each_batch_gets_its_own_given_values() -> None:
    several = batches(200)
    rows = np.concatenate([batch.sources[:, 0] for batch in several])
    features = np.concatenate([np.repeat(batch.features, len(batch.sources)) for batch in several])
    assert len(set(features.tolist())) > 3
    whole = pool_of().restore_given(several, CELLS.take(np.zeros(200, dtype=int)))
    for place, (row, feature) in enumerate(zip(rows, features, strict=True)):
        assert whole.values[feature][place] == CELLS.values[feature][row]
        assert whole.missing[place, feature] == CELLS.missing[row, feature]


def test_missing_cells_can_be_given() -> None:
    frame = pd.DataFrame({"x": [1.5, None, 2.5, None], "y": [1, 2, 3, 4]})
    schema, cells = read(frame)
    tokens = np.zeros((4, 3, 1), dtype=np.int64)
    pool = PromptPool(cells, Clauses(tokens, np.ones((4, 3), dtype=bool)), 4, schema.columns)
    for batch in batches(200, pool=pool):
        restored = pool.restore_given([batch], cells.take(np.zeros(len(batch.sources), dtype=int)))
        if batch.features.tolist() == [0]:
            assert 0.3 < restored.missing[:, 0].mean() < 0.7


def test_one_feature_is_always_given() -> None:
    found = batches(100, pool=pool_of(n_features=1), condition_pairs=5)
    assert [batch.features.tolist() for batch in found] == [[0]]


def test_the_same_generator_state_gives_the_same_prompts() -> None:
    first, again, other = ([b.prompts.tokens.tolist() for b in batches(100, seed=seed)] for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("k", [0, 1, 3])
def test_the_label_can_be_left_out_of_prompts_and_sentences(k: int) -> None:
    config = ConditioningConfig("yx", k) if k else ConditioningConfig("y")
    rng = np.random.default_rng(0)
    for batch in pool_of().batches(120, config, 50, rng, with_label=False):
        assert sorted(batch.prompts.order.tolist()) == list(range(N_FEATURES))
        assert batch.prompts.given == k
        assert batch.prompts.order[:k].tolist() == batch.features.tolist()


def test_clauses_behind_the_features_are_no_part_of_the_order_and_the_label_is_the_last() -> None:
    """A label model has clauses of hints and texts between the features and the label."""
    tokens = np.zeros((30, N_FEATURES + 3, 1), dtype=np.int64)
    pool = PromptPool(CELLS, Clauses(tokens, np.ones(tokens.shape[:2], dtype=bool)), N_REAL, SCHEMA.columns)
    for batch in batches(60, pool=pool):
        assert batch.prompts.order[0] == N_FEATURES + 2
        assert sorted(batch.prompts.order[1:].tolist()) == list(range(N_FEATURES))
