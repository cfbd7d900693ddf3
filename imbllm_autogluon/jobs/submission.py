"""Predictions in the form of a competition's sample: its ids, its columns, its order of rows."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from imbllm_autogluon._config import require_choice
from imbllm_autogluon.errors import InvalidInputError, TableError, nearest
from imbllm_autogluon.jobs.folder import FitFolder
from imbllm_autogluon.jobs.predict import predict_table
from imbllm_autogluon.tables.dtypes import holds_numbers
from imbllm_autogluon.tables.io import labels_in_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autogluon.tabular import TabularPredictor

_Answers = Literal["auto", "proba", "classes"]
_SHOWN = 3  # ids and cells that a message names


def submission(
    predictor: TabularPredictor,
    test: pd.DataFrame,
    sample: pd.DataFrame,
    *,
    id_column: str | None = None,
    answers: _Answers = "auto",
    wish: Mapping[str, Any] | None = None,
    sources: tuple[str, str] = ("the test table", "the sample"),
) -> tuple[pd.DataFrame, str]:
    """Predict a test table in the form of a sample submission.

    Parameters
    ----------
    predictor
        Fitted.
    test
        Rows to predict, with ids or in the order of the sample; a label and other columns are ignored.
    sample
        A column of ids, unless the order says which row is which, and columns to fill: one, or of classes one for each,
        named like it or all with the same words before (``Status_C``). What is in its cells says what is asked for.
    id_column
        Name; by default that of ``imbllm fit --id``, or the one column that both tables have.
    answers
        What one column for classes is filled with. ``auto``: the probability of the positive one of two classes, where
        the sample holds fractions, or numbers that are no classes; the class, where it holds names. Whole numbers that
        are classes, too, leave it open: a metric that reads probabilities or ranks (``roc_auc``, ``log_loss``) asks for
        them, unless nobody chose the metric and the sample holds both classes.
    wish
        Keyword arguments of :func:`~imbllm_autogluon.plugin.decisions.decide`: classes are answered by it.
    sources
        What messages call the two tables.

    Returns
    -------
    table : DataFrame
        Of the sample's rows and columns, in their order.
    content : str
        What stands in it.

    Raises
    ------
    TableError
        A column of the predictor is absent; ids are missing, repeated or not the same in both tables; without ids, the
        tables have different numbers of rows; a column of the sample is none that this predictor can fill.
    InvalidInputError
        `answers` does not go with the label.

    Examples
    --------
    ``submission(predictor, test, sample)[0].to_csv("submission.csv", index=False)``
    """
    require_choice("answers", answers, get_args(_Answers))
    ids = _id_column(predictor, test, sample, id_column, sources)
    places = _places(test, sample, ids, sources)
    values = sample.drop(columns=[] if ids is None else ids)
    predicted, content, why = _predicted(predictor, test, values, answers, wish, sources)
    order = f"in the order of {sources[0]}" if ids is None else f"ids from {ids!r}, in the order of {sources[1]}"
    columns = {name: predicted[name].to_numpy()[places] for name in values}
    if ids is not None:
        columns[ids] = labels_in_file(sample[ids]).to_numpy()
    table = pd.DataFrame({name: columns[name] for name in sample}, index=sample.index)
    return table, f"{content} in {_few(values.columns)}{why}; {len(table):,} rows, {order}."


def _id_column(
    predictor: TabularPredictor, test: pd.DataFrame, sample: pd.DataFrame, named: str | None, sources: tuple[str, str]
) -> str | None:
    """The column by which rows of both tables belong together; None where the sample has values only."""
    shared = [str(name) for name in sample if name in test.columns and name != predictor.label]
    ids = named or FitFolder(Path(predictor.path)).id_column
    if ids is None and len(shared) > 1:
        listed = ", ".join(map(repr, shared))
        raise TableError(f"{' and '.join(sources)} share the columns {listed}: say with --id which one holds the ids.")
    if ids is None or (named is None and len(sample.columns) == 1):
        return next(iter(shared), None)
    for frame, source in zip((test, sample), sources, strict=True):
        if ids not in frame.columns:
            names = list(map(str, frame.columns))
            listed = ", ".join(map(repr, names[:20]))
            raise TableError(f"{source} has no column of ids {ids!r}{nearest(ids, names)}; its columns are: {listed}.")
    return ids


def _places(test: pd.DataFrame, sample: pd.DataFrame, ids: str | None, sources: tuple[str, str]) -> np.ndarray:
    """Where in the test table the row of each row of the sample is."""
    if ids is not None:
        there, asked = (_ids(frame[ids], source) for frame, source in zip((test, sample), sources, strict=True))
        _check_same(there, asked, ids, sources)
        return there.get_indexer(asked)
    if len(test) != len(sample):
        raise TableError(
            f"{sources[1]} has {len(sample):,} rows and {sources[0]} {len(test):,}, and they share no column of ids "
            "that says which belong together."
        )
    return np.arange(len(test))


def _ids(column: pd.Series[Any], source: str) -> pd.Index[Any]:
    """Ids as they are written in their file."""
    if column.isna().any():
        raise TableError(f"{source}: the id {column.name!r} is missing in {int(column.isna().sum()):,} row(s).")
    ids = labels_in_file(column).astype(str)
    repeated = [name for name, n in Counter(ids).items() if n > 1]
    if repeated:
        raise TableError(f"{source}: the id {column.name!r} is not another one in each row: {_few(repeated)}.")
    return pd.Index(ids)


def _check_same(there: pd.Index[Any], asked: pd.Index[Any], ids: str, sources: tuple[str, str]) -> None:
    only = there.difference(asked, sort=False), asked.difference(there, sort=False)
    if not len(only[0]) and not len(only[1]):
        return
    by_source = zip(sources, only, strict=True)
    told = [f"{len(some):,} only in {source} ({_few(some)})" for source, some in by_source if len(some)]
    alike = set(map(_bare, only[0])) == set(map(_bare, only[1]))
    hint = "they are the same numbers, written otherwise" if alike else "take files that belong together"
    raise TableError(f"the ids in {ids!r} are not the same: {'; '.join(told)}; {hint}.")


def _bare(written: str) -> str:
    """An id without what spreadsheets and pandas change: zeros before it, and a decimal point."""
    return written.strip().lstrip("0").removesuffix(".0")


def _predicted(
    predictor: TabularPredictor,
    test: pd.DataFrame,
    values: pd.DataFrame,
    answers: _Answers,
    wish: Mapping[str, Any] | None,
    sources: tuple[str, str],
) -> tuple[pd.DataFrame, str, str]:
    """Predictions under the names of the columns to fill, what they are, and why where the sample leaves it open."""
    predict = partial(predict_table, predictor, source=sources[0])
    names = list(values.columns)
    if not names:
        raise TableError(f"{sources[1]} has no column to fill beside its ids.")
    if predictor.problem_type == "regression":
        _check_numbers(values, answers, sources[1])
        return predict(test).set_axis(names, axis=1), "numbers", ""
    classes = list(predict(test.head(1), proba=True).columns)
    if len(names) > 1:
        of_names = _named_like(classes, list(map(str, names)), answers, predictor.label, sources[1])
        return predict(test, proba=True)[of_names].set_axis(names, axis=1), "probabilities of the classes", ""
    why = ""
    if wish or answers == "auto":
        answers, why = ("classes", "") if wish else _asked_for(values[names[0]], classes, predictor, sources[1])
    if answers == "classes":
        return predict(test, wish=wish or None).set_axis(names, axis=1), "classes", why
    if predictor.problem_type != "binary":
        raise InvalidInputError(f"{sources[1]} has one column for {len(classes)} classes: leave out --proba.")
    positive = str(predictor.positive_class)
    return predict(test, proba=True)[[positive]].set_axis(names, axis=1), f"probabilities of {positive!r}", why


def _check_numbers(values: pd.DataFrame, answers: _Answers, source: str) -> None:
    if answers != "auto":
        raise InvalidInputError(f"this predictor answers with numbers: leave out --{answers}.")
    if len(values.columns) > 1:
        raise TableError(
            f"{source} has {len(values.columns)} columns to fill, and this predictor answers with one number."
        )
    cells = values.iloc[:, 0].dropna()
    if len(cells) and not holds_numbers(cells.dtype):
        raise TableError(
            f"{source}: column {cells.name!r} holds {_few(cells)}, and this predictor answers with numbers."
        )


def _named_like(classes: Sequence[str], names: Sequence[str], answers: _Answers, label: str, source: str) -> list[str]:
    """The class that each column is named like, whatever words are before all of them."""
    if answers == "classes":
        raise InvalidInputError(f"{source} has {len(names)} columns to fill, and a class is one: leave out --classes.")
    for start in range(len(names[0])):
        ends = [name[start:] for name in names]
        if len({name[:start] for name in names}) == 1 and set(ends) == set(classes):
            return ends
    listed = ", ".join(map(repr, classes[:20]))
    raise TableError(
        f"{source} has the columns {', '.join(map(repr, names[:20]))} to fill, which are not named like the classes of "
        f"{label!r} ({listed}). If one of them holds ids, the test table needs a column of that name."
    )


def _asked_for(
    cells: pd.Series[Any], classes: Sequence[str], predictor: TabularPredictor, source: str
) -> tuple[_Answers, str]:
    """Whether the cells of a sample ask for classes or probabilities, and the reason where they leave it open."""
    held = labels_in_file(cells.dropna()).astype(str).unique().tolist()
    unknown, numbers = [each for each in held if each not in classes], holds_numbers(cells.dtype) or not held
    several = predictor.problem_type == "multiclass"
    if unknown and (not numbers or (several and len(held) > 1)):
        raise TableError(
            f"{source}: column {cells.name!r} holds {_few(unknown)}, no class of {predictor.label!r}; its classes are: "
            f"{', '.join(map(repr, classes[:20]))}. Say with --classes or --proba what is to be written."
        )
    if several or not numbers:
        return "classes", ""
    if unknown:
        return "proba", ""
    metric, record = predictor.eval_metric, FitFolder(Path(predictor.path)).record
    chosen = bool(record.get("effort", {}).get("metric chosen", True))
    wanted: _Answers = "classes" if metric.needs_pred or (len(held) > 1 and not chosen) else "proba"
    by = f"the fit is judged by {metric.name}" if chosen or len(held) < 2 else "the sample holds both classes"
    other = "--proba writes probabilities" if wanted == "classes" else "--classes writes classes"
    return wanted, f" ({_few(held) or 'an empty column'} could ask for either; {by}; {other})"


def _few(values: Any) -> str:
    """The first few of some values."""
    shown = ", ".join(repr(str(value)) for value in list(values)[:_SHOWN])
    return shown + (", ..." if len(values) > _SHOWN else "")
