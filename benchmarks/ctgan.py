"""CTGAN (Xu et al. 2019, arXiv:1907.00503) as a peer of written rows.

CTGAN's own package is under the Business Source License from 0.7 on; the MIT release before it wants pandas below 1.
`tabgan` 3.2.0 (Apache-2.0) carries it, mended for current scikit-learn, as its module ``_ctgan``. It is installed
without its dependencies: among them is xgboost, which overwrites the files of AutoGluon's xgboost-cpu.
"""

from __future__ import annotations

import io
import logging
from contextlib import redirect_stderr
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import MissingDependencyError, TableError
from imbllm_autogluon.oversampling.baselines import _filled, _is_number

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

log = logging.getLogger(__name__)

EPOCHS, BATCH = 300, 500
"""Defaults of CTGAN, whose layers are kept, too."""

LEAST_STEPS = 3000
"""Of training: what the defaults take on 5,000 rows. After 300 on 90 rows, columns were still written independently."""


def ctgan(
    X: pd.DataFrame, y: pd.Series[Any], counts: Mapping[Hashable, int], *, seed: int, epochs: int | None = None
) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Rows by a conditional GAN that learns the whole table, label included; they have the dtypes of the real ones.

    Rows with another label than the one asked for are drawn again. A missing number is a column of its own; numbers
    stay in their column's range, and whole ones are rounded, as in later releases of CTGAN.
    """
    from imbllm_autogluon._random import seeded_torch

    make = _synthesizer()
    if len(y) < 10:  # among which it seeks the modes of a column
        raise TableError(f"CTGAN needs at least 10 rows; got {len(y)}.")
    codes, classes = pd.factorize(y)
    table = _coded(X).assign(label=codes)
    discrete = [name for name in table.columns if not name.startswith("number")]
    batch = min(BATCH, max(40, len(y) // 10 // 20 * 20))  # a multiple of 20: CTGAN judges rows by tens, an even number
    enough = max(EPOCHS, -(-LEAST_STEPS // max(1, len(y) // batch)))
    model = make(batch_size=batch, patience=10**9)  # tabgan's early stopping is not CTGAN's
    # Progress bars go to standard error, and cannot be turned off.
    with seeded_torch(seed), redirect_stderr(io.StringIO()):
        model.fit(table, discrete, epochs=enough if epochs is None else epochs)
        # CTGAN leaves batch normalization in training, which takes from a batch what its rows share: here their class.
        model.generator.eval()
        written = [_written(model, list(classes).index(label), n) for label, n in counts.items()]
    labels = pd.Series([label for label, n in counts.items() for _ in range(n)], name=y.name, dtype=object)
    if not len(labels):
        return X.iloc[:0], y.iloc[:0]
    return _decoded(pd.concat(written, ignore_index=True), X), labels.astype(y.dtype)


def _coded(X: pd.DataFrame) -> pd.DataFrame:
    """Numbers without gaps, and codes of categories; columns are called by their place: names may be anything."""
    columns: dict[str, Any] = {}
    for place, name in enumerate(X.columns):
        if not _is_number(X[name], None):
            columns[f"category {place}"] = pd.factorize(X[name])[0]
            continue
        columns[f"number {place}"] = _filled(X[name])
        if not (known := np.isfinite(_floats(X[name]))).all():
            columns[f"missing {place}"] = (~known).astype(np.int64)
    return pd.DataFrame(columns, index=range(len(X)))


def _decoded(coded: pd.DataFrame, real: pd.DataFrame) -> pd.DataFrame:
    """Cells that coded rows stand for."""
    columns: dict[Any, pd.Series[Any]] = {}
    for place, name in enumerate(real.columns):
        if f"category {place}" in coded:
            levels = pd.Series(pd.factorize(real[name])[1], dtype=real[name].dtype)
            # Code -1, a missing value, is not among the levels.
            columns[name] = levels.reindex(coded[f"category {place}"].astype(np.int64)).reset_index(drop=True)
            continue
        known = _floats(real[name])[np.isfinite(_floats(real[name]))]
        values = coded[f"number {place}"].astype(np.float64)
        values = values.clip(known.min(), known.max()) if len(known) else values
        values = values.round() if (known == np.rint(known)).all() else values  # whole ones may be floats, with gaps
        columns[name] = values.mask(coded[f"missing {place}"].eq(1)) if f"missing {place}" in coded else values
    return pd.DataFrame(columns, columns=real.columns).astype(real.dtypes)


def _floats(column: pd.Series[Any]) -> Any:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _written(model: Any, code: int, n: int) -> pd.DataFrame:
    """`n` coded rows of one class; the label is the last of the conditions that CTGAN learned."""
    vector = np.zeros(int(model.cond_generator.n_opt), dtype=np.float32)
    vector[int(model.cond_generator.interval[-1, 0]) + code] = 1.0
    model.cond_generator.sample_zero = lambda batch: np.tile(vector, (batch, 1))
    kept, others = [], []
    for _ in range(20):  # until enough rows carry the label
        drawn = model.sample(max(n, BATCH))
        own = drawn["label"].astype(np.float64) == code
        kept.append(drawn[own])
        others.append(drawn[~own])
        if sum(map(len, kept)) >= n:
            break
    if (short := n - sum(map(len, kept))) > 0:
        log.warning("CTGAN: %d of %d rows of a class carry another label; used all the same.", short, n)
    rows: pd.DataFrame = pd.concat([*kept, *others]).head(n)
    return rows


def _synthesizer() -> Callable[..., Any]:
    try:
        made: Callable[..., Any] = import_module("_ctgan.synthesizer")._CTGANSynthesizer
    except ImportError as absent:
        raise MissingDependencyError(
            "CTGAN needs the package tabgan: pip install --no-deps tabgan==3.2.0 (its dependencies would replace "
            "AutoGluon's xgboost-cpu)."
        ) from absent
    return made
