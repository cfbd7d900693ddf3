"""Deep generators of other packages, as peers of written rows: CTGAN.

CTGAN's own package is under the Business Source License from 0.7 on; the release before it that the registry still has,
0.2.1 of 2020 (MIT), wants pandas below 1 and torch below 2. `tabgan` 3.2.0 (Apache-2.0) carries it, mended for current
scikit-learn, as its module ``_ctgan``, which imports nothing but torch, scikit-learn, pandas and tqdm. It is installed
without its dependencies: among them is xgboost, which overwrites the files of AutoGluon's xgboost-cpu.
"""

from __future__ import annotations

import io
import logging
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import MissingDependencyError, TableError
from imbllm_autogluon.oversampling.baselines import filled, is_number

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    import numpy.typing as npt

    from imbllm_autogluon.tables import ColumnName, Kind

    Counts = Mapping[Hashable, int]
    Kinds = Mapping[ColumnName, Kind]

log = logging.getLogger(__name__)

EPOCHS, BATCH = 300, 500
"""Defaults of CTGAN, whose layers are kept, too (Xu et al. 2019, and the authors' code)."""

LEAST_STEPS = 3000
"""Of training: what the defaults take on 5,000 rows. After 300 on 90 rows, columns were still written independently."""

LEAST_BATCH = 40

LEAST_ROWS = 10
"""The modes of a column are sought among ten."""

ROUNDS = 20
"""How often rows of a class are drawn until enough of them carry its label."""

LABEL = "label"


def ctgan(
    X: pd.DataFrame,
    y: pd.Series[Any],
    counts: Counts,
    *,
    seed: int,
    kinds: Kinds | None = None,
    epochs: int | None = None,
) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Rows by a conditional GAN that learns the whole table, label included (CTGAN; Xu et al. 2019, arXiv:1907.00503).

    Rows are asked for by class, and those with another label are drawn again. A missing number is a column of its own
    beside the number, which is the median; numbers stay in their column's range, and whole ones are rounded, as in
    later releases of CTGAN.

    Parameters
    ----------
    X, y
        Real rows, shapes (n, m) and (n,).
    counts
        New rows by label.
    seed
        Of training and drawing.
    kinds
        Kinds of columns that dtypes alone do not show.
    epochs
        Of training; by default :data:`EPOCHS`, and more where those are fewer than :data:`LEAST_STEPS` batches. A batch
        is a tenth of the rows, from 40 to 500.

    Returns
    -------
    X, y
        The written rows alone, in the dtypes of the real ones, with a fresh index.

    Raises
    ------
    MissingDependencyError
        The package `tabgan` is absent.
    TableError
        There are fewer than ten rows.
    """
    from imbllm_autogluon.process_state import seeded_torch

    make = _synthesizer()
    if len(y) < LEAST_ROWS:
        raise TableError(f"CTGAN needs at least {LEAST_ROWS} rows; got {len(y)}.")
    coding = _Coding.of(X, kinds or {})
    codes, classes = pd.factorize(y)
    table = coding.coded().assign(**{LABEL: codes})
    discrete = [name for name in table.columns if not name.startswith("number")]
    batch = _batch(len(y))
    model = make(batch_size=batch, patience=10**9)  # tabgan's early stopping is not CTGAN's
    n_epochs = _epochs(len(y), batch) if epochs is None else epochs
    # Progress bars go to standard error, and cannot be turned off.
    with seeded_torch(seed), redirect_stderr(io.StringIO()):
        model.fit(table, discrete, epochs=n_epochs)
        # CTGAN leaves batch normalization in training, which takes from a batch what its rows share: here their class.
        model.generator.eval()
        written = [_written(model, list(classes).index(label), n) for label, n in counts.items()]
    labels = pd.Series([label for label, n in counts.items() for _ in range(n)], name=y.name, dtype=object)
    if not len(labels):
        return X.iloc[:0], y.iloc[:0]
    return coding.rows(pd.concat(written, ignore_index=True)), labels.astype(y.dtype)


@dataclass(frozen=True, eq=False)
class _Coding:
    """A table as CTGAN takes it: numbers without gaps, and codes of categories."""

    real: pd.DataFrame
    categories: tuple[ColumnName, ...]

    @classmethod
    def of(cls, X: pd.DataFrame, kinds: Kinds) -> _Coding:
        return cls(X, tuple(name for name in X.columns if not is_number(X[name], kinds.get(name))))

    def coded(self) -> pd.DataFrame:
        """Columns called by their place: names may be anything."""
        columns: dict[str, npt.NDArray[Any]] = {}
        for place, name in enumerate(self.real.columns):
            if name in self.categories:
                columns[f"category {place}"] = pd.factorize(self.real[name])[0]
                continue
            known = np.isfinite(_floats(self.real[name]))
            columns[f"number {place}"] = filled(self.real[name])
            if not known.all():
                columns[f"missing {place}"] = (~known).astype(np.int64)
        return pd.DataFrame(columns, index=range(len(self.real)))

    def rows(self, coded: pd.DataFrame) -> pd.DataFrame:
        """Cells that coded rows stand for."""
        columns = {}
        for place, name in enumerate(self.real.columns):
            real = self.real[name]
            if name in self.categories:
                levels = pd.Series(pd.factorize(real)[1], dtype=real.dtype)
                # Code -1, a missing value, is not among the levels.
                columns[name] = levels.reindex(coded[f"category {place}"].astype(np.int64)).reset_index(drop=True)
            else:
                gaps = coded.get(f"missing {place}")
                columns[name] = _numbers(coded[f"number {place}"], real, None if gaps is None else gaps.eq(1))
        return pd.DataFrame(columns, columns=self.real.columns).astype(self.real.dtypes)


def _floats(column: pd.Series[Any]) -> npt.NDArray[np.float64]:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _numbers(written: pd.Series[Any], real: pd.Series[Any], gaps: pd.Series[bool] | None) -> pd.Series[Any]:
    """Numbers in the range and the dtype of the real column."""
    known = _floats(real)[np.isfinite(_floats(real))]
    values = written.astype(np.float64)
    if len(known):
        values = values.clip(known.min(), known.max())
    if (known == np.rint(known)).all():  # whole numbers beside missing ones are often floats
        values = values.round()
    return (values if gaps is None else values.mask(gaps)).astype(real.dtype)


def _batch(n_rows: int) -> int:
    """A multiple of 20: CTGAN judges rows by tens, and wants an even number."""
    return min(BATCH, max(LEAST_BATCH, n_rows // 10 // 20 * 20))


def _epochs(n_rows: int, batch: int) -> int:
    return max(EPOCHS, -(-LEAST_STEPS // max(1, n_rows // batch)))


def _written(model: Any, code: int, n: int) -> pd.DataFrame:
    """`n` coded rows of one class; the label is the last of the conditions that CTGAN learned."""
    condition = int(model.cond_generator.interval[-1, 0]) + code
    vector = np.zeros(int(model.cond_generator.n_opt), dtype=np.float32)
    vector[condition] = 1.0
    model.cond_generator.sample_zero = lambda batch: np.tile(vector, (batch, 1))
    kept, others = [], []
    for _ in range(ROUNDS):
        drawn = model.sample(max(n, BATCH))
        own = drawn[LABEL].astype(np.float64) == code
        kept.append(drawn[own])
        others.append(drawn[~own])
        if sum(map(len, kept)) >= n:
            break
    short = n - sum(map(len, kept))
    if short > 0:
        log.warning(
            "CTGAN: %d of %d rows of a class carry another label after %d rounds; used all the same.", short, n, ROUNDS
        )
    rows: pd.DataFrame = pd.concat([*kept, *others]).head(n)
    return rows


def _synthesizer() -> Callable[..., Any]:
    try:
        made: Callable[..., Any] = import_module("_ctgan.synthesizer")._CTGANSynthesizer
    except ImportError as absent:
        raise MissingDependencyError(
            "the peer ctgan needs the package tabgan, which is absent: pip install --no-deps tabgan==3.2.0 "
            "(its dependencies would replace AutoGluon's xgboost-cpu)."
        ) from absent
    return made
