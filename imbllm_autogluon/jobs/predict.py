"""Predict a table with a saved predictor."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon._config import progress_bar
from imbllm_autogluon._storage import first_line
from imbllm_autogluon.errors import InvalidInputError, StoredStateError, TableError, nearest
from imbllm_autogluon.jobs.fit import quiet_libraries
from imbllm_autogluon.jobs.folder import FitFolder
from imbllm_autogluon.plugin.decisions import decide, stored_decision
from imbllm_autogluon.plugin.ensemble import calibrated_probabilities
from imbllm_autogluon.plugin.original_features import OriginalColumns
from imbllm_autogluon.tables.dtypes import as_numpy
from imbllm_autogluon.tables.io import labels_in_file, read_table
from imbllm_autogluon.tables.unseen import read_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from autogluon.tabular import TabularPredictor

_ROWS_AT_ONCE = 50_000  # predicted between two moves of the bar
_DTYPES = {"object": "object", "int": "int64", "float": "float64", "bool": "bool"}  # of AutoGluon's raw types


def load_predictor(folder: Path | str) -> TabularPredictor:
    """Load a predictor saved by AutoGluon, or raise `StoredStateError`.

    AutoGluon stores predictors with pickle, which can run any code: load only what you trust.
    """
    from autogluon.tabular import TabularPredictor

    folder = Path(folder)
    if FitFolder(folder).is_finished is False:
        raise StoredStateError(
            f"the fit in {folder} is not finished: it is running, or was interrupted; then repeat its 'imbllm fit' "
            "with --resume."
        )
    if not (folder / "predictor.pkl").is_file():
        what = "does not exist" if not folder.exists() else "holds no finished fit (no predictor.pkl)"
        raise StoredStateError(f"{folder} {what}; name the folder given to 'imbllm fit --out'.")
    try:
        return TabularPredictor.load(str(folder), verbosity=1)
    except Exception as error:
        raise StoredStateError(f"the predictor in {folder} cannot be loaded: {first_line(error)}.") from error


def read_rows(predictor: TabularPredictor, path: Path, missing: Iterable[str] = ()) -> pd.DataFrame:
    """A table to predict: its columns are text or numbers where those of the training table were."""
    raw_types = predictor.feature_metadata_in.type_map_raw
    known = {name: _DTYPES[raw] for name, raw in raw_types.items() if raw in _DTYPES}
    return read_table(path, missing, known)


def predict_table(
    predictor: TabularPredictor,
    table: pd.DataFrame,
    *,
    proba: bool = False,
    source: str = "the table",
    wish: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Classes or numbers for every row of a table, in a column named like the label, or probabilities of all classes.

    Classes are decided by the `wish`, arguments of :func:`decide`, by the stored decision, or else as AutoGluon does.
    Rows keep order and index; columns that the predictor does not need are ignored. Probabilities are calibrated: where
    a fit of more than two classes is judged by decisions, the class to answer is not always the most probable one.
    Cells that training did not have are read as near as possible: those that AutoGluon cannot turn into the dtype of
    training, and infinite numbers, are missing. Absent columns are a `TableError`; its message names the `source`.
    """
    if proba and predictor.problem_type not in ("binary", "multiclass"):
        raise InvalidInputError(
            f"probabilities are of classes, and this predictor answers with numbers ({predictor.label!r}); leave out "
            "--proba."
        )
    absent = [str(name) for name in predictor.features() if name not in table.columns]
    if absent:
        listed = ", ".join(absent[:20]) + (", ..." if len(absent) > 20 else "")
        raise TableError(f"{source} lacks {len(absent)} column(s) that the predictor needs: {listed}.")
    table = _readable(predictor, as_numpy(table))
    with quiet_libraries():
        if proba:
            return _in_blocks(partial(calibrated_probabilities, predictor), predictor, table).rename(columns=str)
        decision = decide(predictor, **wish, store=False) if wish else stored_decision(predictor)
        answer = partial(decision.predict, predictor) if decision else predictor.predict
        return _in_blocks(lambda rows: answer(rows).rename(predictor.label).to_frame(), predictor, table)


def _in_blocks(answer: Callable[[pd.DataFrame], pd.DataFrame], predictor: Any, table: pd.DataFrame) -> pd.DataFrame:
    """Answers to blocks of rows, with a bar; the models of several blocks are loaded once."""
    starts = range(0, max(1, len(table)), _ROWS_AT_ONCE)
    held = predictor.persist() if len(starts) > 1 else []
    told = progress_bar(len(starts), "predicting", starts, delay=0.0)
    try:
        return pd.concat([answer(table.iloc[start : start + _ROWS_AT_ONCE]) for start in told])
    finally:
        if held:
            predictor.unpersist(held)


def with_ids(
    predictor: TabularPredictor, table: pd.DataFrame, predicted: pd.DataFrame, id_column: str | None, source: str
) -> pd.DataFrame:
    """Predictions behind the ids of their rows, if the table has that column: the named one, or else the fit's."""
    ids = id_column or FitFolder(Path(predictor.path)).id_column
    if id_column is not None and id_column not in table.columns:
        raise TableError(f"{source} has no column of ids {id_column!r}{nearest(id_column, map(str, table.columns))}.")
    if ids not in table.columns:
        return predicted
    return pd.concat([labels_in_file(table[ids]), predicted], axis=1)


def _readable(predictor: TabularPredictor, table: pd.DataFrame) -> pd.DataFrame:
    """The table in the dtypes of training: one cell that AutoGluon cannot turn into them would cost every row."""
    columns = OriginalColumns.from_generator(predictor._learner.feature_generator)
    near = table.copy(deep=False)
    for name, dtype in columns.dtypes.items():
        if name in table.columns and name not in columns.booleans:
            near[name] = read_as(table[name], dtype)
    return near
