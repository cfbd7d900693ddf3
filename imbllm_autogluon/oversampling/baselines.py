"""The usual peers of a written row, by imbalanced-learn: a duplicated row, and one of SMOTE-NC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import ClassTooSmallError
from imbllm_autogluon.tables.dtypes import holds_numbers

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import numpy.typing as npt

    from imbllm_autogluon.tables import ColumnName, Kind

    _Counts = Mapping[Hashable, int]

_NEIGHBORS = 5  # k of SMOTE (Chawla et al. 2002); fewer where a class has fewer other rows
# Kinds that SMOTE-NC may interpolate; texts reach it as counts of words.
_NUMBERS: tuple[Kind, ...] = ("continuous", "integer", "text")


def duplicated(X: pd.DataFrame, y: pd.Series, counts: _Counts, *, seed: int) -> tuple[pd.DataFrame, pd.Series]:
    """Rows of each class of `counts` (new rows by label), drawn with replacement.

    Returns the drawn rows alone, in the dtypes of the real ones, with a fresh index.
    """
    from imblearn.over_sampling import RandomOverSampler

    sampler = RandomOverSampler(sampling_strategy=_totals(y, counts), random_state=seed)
    drawn, _ = sampler.fit_resample(np.arange(len(y))[:, None], y.to_numpy())
    chosen = drawn[len(y) :, 0]
    return X.iloc[chosen].reset_index(drop=True), y.iloc[chosen].reset_index(drop=True)


def smote_nc(
    X: pd.DataFrame, y: pd.Series, counts: _Counts, *, seed: int, kinds: Mapping[ColumnName, Kind] | None = None
) -> tuple[pd.DataFrame, pd.Series]:
    """Rows between rows of a class and their nearest neighbors (SMOTE-NC; SMOTE or SMOTE-N for like columns).

    Missing numbers are replaced by the column's median first, because SMOTE knows none; missing categories are a
    category. Whole numbers are rounded, others are not brought to their column's decimals. `kinds` are those that
    dtypes alone do not show; otherwise see :func:`duplicated`. A class of one row is a `ClassTooSmallError`.
    """
    sizes = y.value_counts().to_dict()
    lone = [label for label in counts if sizes[label] < 2]
    if lone:
        raise ClassTooSmallError(f"class {lone[0]!r} has 1 row; SMOTE needs at least 2.")
    if not len(X.columns):
        return duplicated(X, y, counts, seed=seed)
    numbers = [name for name in X.columns if _is_number(X[name], (kinds or {}).get(name))]
    levels = {name: pd.factorize(X[name]) for name in X.columns if name not in numbers}
    columns = [_filled(X[name]) for name in numbers] + [codes.astype(np.float64) for codes, _ in levels.values()]
    k = min(_NEIGHBORS, *(sizes[label] - 1 for label in counts))
    sampler = _sampler(len(numbers), len(levels), _totals(y, counts), k, seed)
    table, labels = sampler.fit_resample(np.column_stack(columns), y.to_numpy())
    made = table[len(y) :]
    values = {name: _as_column(made[:, place], X[name]) for place, name in enumerate(numbers)}
    for place, (name, (_, found)) in enumerate(levels.items(), start=len(numbers)):
        codes, known = made[:, place].round().astype(np.int64), pd.Series(found, dtype=X[name].dtype)
        values[name] = known.reindex(codes).reset_index(drop=True)  # code -1, a missing value, is not among the levels
    rows = pd.DataFrame(values, columns=X.columns).astype(X.dtypes)
    return rows, pd.Series(labels[len(y) :], name=y.name).astype(y.dtype)


def _sampler(n_numbers: int, n_categories: int, totals: dict[Hashable, int], k: int, seed: int) -> Any:
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    shared: dict[str, Any] = {"sampling_strategy": totals, "random_state": seed, "k_neighbors": k}
    if not n_categories:
        return SMOTE(**shared)
    if not n_numbers:
        return SMOTEN(**shared)
    return SMOTENC(list(range(n_numbers, n_numbers + n_categories)), **shared)


def _totals(y: pd.Series, counts: _Counts) -> dict[Hashable, int]:
    """Rows of each class afterwards, as imbalanced-learn wants them."""
    sizes = y.value_counts().to_dict()
    return {label: sizes[label] + n for label, n in counts.items()}


def _is_number(column: pd.Series, kind: Kind | None) -> bool:
    """Whether peers take a column for numbers; `kind` is that of the user, None where it is guessed."""
    return (kind is None or kind in _NUMBERS) and holds_numbers(column.dtype)


def _filled(column: pd.Series) -> npt.NDArray[np.float64]:
    """A numeric column, the median in its gaps, or 0 where it has nothing else."""
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    known = values[np.isfinite(values)]
    return np.where(np.isfinite(values), values, np.median(known) if len(known) else 0.0)


def _as_column(values: npt.NDArray[np.float64], real: pd.Series) -> pd.Series:
    """Interpolated numbers in the dtype of the real column."""
    whole = pd.api.types.is_integer_dtype(real.dtype)
    return pd.Series(np.rint(values) if whole else values).astype(real.dtype)
