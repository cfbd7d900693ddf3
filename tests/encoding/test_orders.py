"""Orders are permutations, fresh for each row, with the label where the method wants it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.encoding.orders import _ORDERS, Order, draw_orders
from imbllm_autogluon.errors import InvalidInputError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.sampled_from(_ORDERS), st.integers(0, 5), st.integers(0, 6), st.booleans())
def test_every_row_is_a_permutation_of_all_clauses(order: Order, n_rows: int, n_features: int, fixed: bool) -> None:
    orders = draw_orders(n_rows, n_features, order, rng(), in_column_order=fixed)
    assert orders.dtype == np.int64
    assert orders.shape == (n_rows, n_features + 1)
    assert (np.sort(orders, axis=1) == np.arange(n_features + 1)).all()


@pytest.mark.parametrize(("order", "place"), [("fix_y", 0), ("permute_x", -1)])
@pytest.mark.parametrize("in_column_order", [False, True])
def test_the_label_stands_where_the_method_wants_it(order: Order, place: int, in_column_order: bool) -> None:
    orders = draw_orders(50, 4, order, rng(), in_column_order=in_column_order)
    assert (orders[:, place] == 4).all()


@pytest.mark.parametrize("in_column_order", [False, True])
def test_permute_xy_puts_the_label_into_every_place_equally_often(in_column_order: bool) -> None:
    orders = draw_orders(4000, 3, "permute_xy", rng(), in_column_order=in_column_order)
    places = np.bincount(np.nonzero(orders == 3)[1], minlength=4)
    assert (np.abs(places - 1000) < 120).all()


def test_each_feature_order_is_equally_frequent() -> None:
    orders = draw_orders(6000, 3, "fix_y", rng())[:, 1:]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    assert (np.abs(counts - 1000) < 150).all()


@pytest.mark.parametrize("order", _ORDERS)
def test_column_order_keeps_the_features_rising(order: Order) -> None:
    orders = draw_orders(20, 5, order, rng(), in_column_order=True)
    assert all([clause for clause in row if clause != 5] == [0, 1, 2, 3, 4] for row in orders.tolist())


def test_the_same_seed_gives_the_same_orders() -> None:
    first, second, other = (draw_orders(9, 6, "permute_xy", rng(seed)) for seed in (3, 3, 4))
    assert (first == second).all()
    assert (first != other).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 2, "fix_x"), r"order must be one of 'fix_y', 'permute_x', 'permute_xy'; got 'fix_x'"),
        ((-1, 2, "fix_y"), "n_rows must be a whole number at least 0; got -1"),
        ((3, 1.5, "fix_y"), r"n_features must be a whole number at least 0; got 1\.5"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        draw_orders(*arguments, rng())
