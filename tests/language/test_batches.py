"""A batch follows from its number; epochs hold every row once; rows of a batch have similar lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from imbllm_autogluon.encoding.orders import _ORDERS, Order
from imbllm_autogluon.language.batches import _SORTED_BATCHES, Batches, _mixed_orders
from tests.language.tables import clauses_of, table, vocabulary_of

if TYPE_CHECKING:
    from imbllm_autogluon.encoding import Clauses, SentenceEncoding, Sentences

FRAME = table(60)
DIGITS = vocabulary_of(FRAME, "digits")
ENCODING: SentenceEncoding = DIGITS.encoding()
CLAUSES = clauses_of(DIGITS, FRAME)


def rows(n: int) -> Clauses:
    """Rows of different lengths: some write fewer clauses."""
    present = CLAUSES.present.copy()
    present[::3, 0] = False
    present[::5, 1:3] = False
    return CLAUSES.with_present(present).take(np.arange(n))


def same(one: Sentences, other: Sentences) -> bool:
    pairs = ((one.ids, other.ids), (one.real, other.real), (one.states, other.states))
    return all(np.array_equal(a, b) for a, b in pairs)


def places(batches: Batches, count: int) -> list[list[int]]:
    """Rows of the first batches."""
    found: list[list[int]] = []
    for number in range(count):
        group, place = divmod(number, _SORTED_BATCHES)
        found.append(batches._group(group)[place].tolist())
    return found


@pytest.mark.parametrize("order", _ORDERS)
def test_a_batch_is_the_same_whenever_and_in_whatever_sequence_it_is_asked_for(order: Order) -> None:
    stream = Batches(ENCODING, rows(50), 8, order, seed=1)
    expected = [stream(number) for number in range(60)]
    for number in (59, 0, 33, 16, 15, 3):
        assert same(Batches(ENCODING, rows(50), 8, order, seed=1)(number), expected[number])
    for number in np.random.default_rng(0).permutation(60).tolist():
        assert same(stream(number), expected[number])


@pytest.mark.parametrize(("n", "size"), [(60, 4), (60, 60), (59, 8), (7, 3), (50, 1), (13, 12)])
def test_every_row_occurs_once_in_each_epoch(n: int, size: int) -> None:
    """Epochs follow each other without a gap; batches are sorted within groups, which reach over epochs."""
    batches = Batches(ENCODING, rows(n), size, "fix_y", seed=3)
    groups = 1 + 4 * n // (_SORTED_BATCHES * size)
    seen = places(batches, groups * _SORTED_BATCHES)
    assert {len(batch) for batch in seen} == {size}
    counts = np.bincount(np.concatenate(seen), minlength=n)
    assert counts.max() - counts.min() <= 1
    assert counts.sum() == groups * _SORTED_BATCHES * size
    stream = batches._stream(0, 5 * n)
    assert all(sorted(stream[i * n : (i + 1) * n].tolist()) == list(range(n)) for i in range(5))
    assert len({tuple(stream[i * n : (i + 1) * n].tolist()) for i in range(5)}) > 1 or n == 1


@pytest.mark.parametrize("size", [60, 61, 10**6])
def test_fewer_rows_than_a_batch_are_one_batch(size: int) -> None:
    batches = Batches(ENCODING, rows(60), size, "fix_y", seed=3)
    assert batches.size == 60
    assert all(len(batches(number).ids) == 60 for number in range(3))


def test_rows_of_a_batch_have_similar_lengths() -> None:
    """Less padding than with rows at random, by far."""
    many = rows(60).take(np.random.default_rng(0).integers(0, 60, 600))
    batches, lengths = Batches(ENCODING, many, 10, "fix_y", seed=3), ENCODING.lengths(many)
    spread = np.mean([np.ptp(lengths[batch]) for batch in places(batches, 32)])
    assert spread < 0.3 * np.ptp(lengths)


def test_short_and_long_batches_come_in_random_order() -> None:
    """Sorted batches would let the model forget short rows while it learns long ones."""
    many = rows(60).take(np.random.default_rng(0).integers(0, 60, 600))
    batches, lengths = Batches(ENCODING, many, 10, "fix_y", seed=3), ENCODING.lengths(many)
    means = [lengths[batch].mean() for batch in places(batches, _SORTED_BATCHES)]
    assert abs(np.corrcoef(means, np.arange(_SORTED_BATCHES))[0, 1]) < 0.6


def test_the_order_of_clauses_is_drawn_anew_each_time_a_row_is_shown() -> None:
    batches = Batches(ENCODING, CLAUSES.take(np.array([1])), 1, "fix_y", seed=3)
    assert len({tuple(batches(number).ids[0].tolist()) for number in range(20)}) > 10


def expect_label(sentences: Sentences, order: Any) -> None:
    label = ENCODING.prefixes[-1]
    for ids, real in zip(sentences.ids, sentences.real, strict=True):
        front = tuple(ids[: len(label)].tolist()) == label
        end = ids[real]
        behind = tuple(end[-1 - len(label) : -1].tolist()) == label
        assert (front, behind) == (order == "fix_y", order == "permute_x")


@pytest.mark.parametrize("order", ["fix_y", "permute_x"])
def test_the_label_stands_where_the_order_says(order: Order) -> None:
    batches = Batches(ENCODING, rows(60), 20, order, seed=3)
    for number in range(4):
        expect_label(batches(number), order)
    expect_label(Batches.fixed(ENCODING, rows(60), order, seed=3), order)


def test_rows_that_are_judged_are_written_in_one_order_each_and_always_the_same() -> None:
    one, again = (Batches.fixed(ENCODING, rows(20), "fix_y", seed=3) for _ in range(2))
    assert same(one, again)
    assert not same(one, Batches.fixed(ENCODING, rows(20), "fix_y", seed=4))
    assert len(one.ids) == 20


@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_the_sentences_stands_in_the_order_of_the_columns(order: Order, share: float) -> None:
    orders = _mixed_orders(2000, 6, order, share, np.random.default_rng(0))
    features = np.array([[clause for clause in row if clause != 6] for row in orders.tolist()])
    assert (np.sort(orders, axis=1) == np.arange(7)).all()
    in_order = (np.diff(features, axis=1) > 0).all(axis=1)
    assert in_order.mean() == pytest.approx(share, abs=0.04)
    label = np.argmax(orders == 6, axis=1)
    assert order == "permute_xy" or set(label) == {0 if order == "fix_y" else 6}


def test_batches_and_judged_rows_take_the_share_of_column_order() -> None:
    plain, sorted_ones = (Batches(ENCODING, rows(60), 20, "permute_x", 3, share) for share in (0.0, 1.0))
    expected = Batches.fixed(ENCODING, rows(60), "permute_x", 3, 1.0)
    assert same(expected, ENCODING.assemble(rows(60), np.tile(np.arange(6), (60, 1))))
    known = {tuple(ids[real].tolist()) for ids, real in zip(expected.ids, expected.real, strict=True)}
    for batches, all_known in ((sorted_ones, True), (plain, False)):
        batch = batches(0)
        found = {tuple(ids[real].tolist()) for ids, real in zip(batch.ids, batch.real, strict=True)}
        assert (found <= known) is all_known


def test_weights_go_with_their_rows() -> None:
    """The weight of a row is the number of its tokens here."""
    weighed = rows(60).with_weights(ENCODING.lengths(rows(60)).astype(float))
    for sentences in (Batches(ENCODING, weighed, 7, "fix_y", 3)(5), Batches.fixed(ENCODING, weighed, "fix_y", 3)):
        assert sentences.weights is not None
        assert sentences.weights.tolist() == sentences.real.sum(axis=1).tolist()
        assert sentences.take(slice(1, None, 2)).weights.tolist() == sentences.weights[1::2].tolist()  # type: ignore[union-attr]
    assert Batches(ENCODING, rows(60), 7, "fix_y", 3)(5).weights is None
