"""The order of the clauses of a sentence: where the label stands, and how features are permuted."""

from __future__ import annotations

import typing
from typing import Literal

import numpy as np

from imbllm_autogluon._config import require_choice, require_number

Order = Literal["fix_y", "permute_x", "permute_xy"]
"""``fix_y``: label first (ImbLLM); ``permute_x``: label last (Pred-LLM); ``permute_xy``: label anywhere (GReaT)."""

_ORDERS: tuple[Order, ...] = typing.get_args(Order)  # every order, for tables of cases and command lines


def draw_orders(
    n_rows: int, n_features: int, order: Order, rng: np.random.Generator, *, in_column_order: bool = False
) -> np.ndarray:
    """Order of the clauses of each row, int64 of shape (n_rows, n_features + 1): permutations of 0 .. n_features.

    Clause ``i`` is feature ``i`` and clause ``n_features`` the label. It comes first in ``fix_y``, so that all feature
    tokens of a decoder see it (arXiv 2510.09783, section 3), last in ``permute_x`` (Pred-LLM, arXiv 2410.21717),
    anywhere in ``permute_xy`` (GReaT, arXiv 2210.06280). With `in_column_order` the features keep the order of the
    columns, as in the rows that Pred-LLM trains on next to the permuted ones, and only the label's place in
    ``permute_xy`` is drawn. `InvalidInputError` where the order is unknown or a count is negative.

    >>> draw_orders(2, 3, "fix_y", np.random.default_rng(0), in_column_order=True).tolist()
    [[3, 0, 1, 2], [3, 0, 1, 2]]
    """
    require_choice("order", order, _ORDERS)
    require_number("n_rows", n_rows, 0, whole=True)
    require_number("n_features", n_features, 0, whole=True)
    rising = np.arange(1, n_features + 1) / (n_features + 1)
    keys = np.tile(rising, (n_rows, 1)) if in_column_order else rng.random((n_rows, n_features))
    # Rising keys are evenly spaced, so a uniform key gives the label each of the n + 1 places with the same chance.
    label = rng.random(n_rows) if order == "permute_xy" else np.full(n_rows, -1.0 if order == "fix_y" else 2.0)
    return np.argsort(np.column_stack([keys, label]), axis=1, kind="stable").astype(np.int64)
