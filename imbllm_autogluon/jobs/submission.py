"""Predictions in the form of a competition's sample: its ids, its columns, its order of rows."""

from __future__ import annotations

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
_Names = tuple[str, str]  # what messages call the test table and the sample
_SHOWN = 3  # ids and cells that a message names


def submission(
    predictor: TabularPredictor,
    test: pd.DataFrame,
    sample: pd.DataFrame,
    *,
    id_column: str | None = None,
    answers: _Answers = "auto",
    wish: Mapping[str, Any] | None = None,
    sources: _Names = ("the test table", "the sample"),
) -> tuple[pd.DataFrame, str]:
    """Predict a test table in the form of a sample submission; returns the table, and what stands in it.

    Parameters
    ----------
    predictor
        Fitted.
    test
        Rows to predict, with ids or in the order of the sample; a label and other columns are ignored.
    sample
        Ids, unless the order says which row is which, and columns to fill: one, or of classes one for each, named like
        it or all with the same words before (``Status_C``).
    id_column
        Name; by default that of ``imbllm fit --id``, or the one column that both tables have.
    answers
        What one column for classes is filled with. ``auto``: classes, where the sample holds their names, and
        probabilities of the positive one of two, where it holds other numbers. Whole numbers that are classes leave it
        open: a metric that reads probabilities or ranks (``roc_auc``, ``log_loss``) asks for them, unless nobody chose
        the metric and the sample holds both classes.
    wish
        Keyword arguments of :func:`~imbllm_autogluon.plugin.decisions.decide`: classes are answered by it.
    sources
        What messages call the two tables.

    Raises
    ------
    TableError
        A column of the predictor is absent; ids are missing, repeated or not the same in both tables; without ids, the
        tables have different numbers of rows; the sample has columns or cells that this predictor cannot fill.
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
    table = pd.DataFrame(index=sample.index)
    for name in sample:
        table[name] = labels_in_file(sample[name]) if name == ids else predicted[name].to_numpy()[places]
    order = f"in the order of {sources[0]}" if ids is None else f"ids from {ids!r}, in the order of {sources[1]}"
    return table, f"{content} in {_few(values.columns)}{why}; {len(table):,} rows, {order}."


def _id_column(
    predictor: TabularPredictor, test: pd.DataFrame, sample: pd.DataFrame, named: str | None, sources: _Names
) -> str | None:
    """The column by which rows of both tables belong together; None where the sample has values only."""
    shared = [str(name) for name in sample if name in test.columns and name != predictor.label]
    ids = named or FitFolder(Path(predictor.path)).id_column
    if ids is None and len(shared) > 1:
        raise TableError(f"{' and '.join(sources)} share {_few(shared)}: say with --id which column holds the ids.")
    if ids is None or (named is None and len(sample.columns) == 1):
        return next(iter(shared), None)
    for frame, source in zip((test, sample), sources, strict=True):
        if ids not in frame.columns:
            names = list(map(str, frame.columns))
            listed = ", ".join(map(repr, names[:20]))
            raise TableError(f"{source} has no column of ids {ids!r}{nearest(ids, names)}; its columns are: {listed}.")
    return ids


def _places(test: pd.DataFrame, sample: pd.DataFrame, ids: str | None, sources: _Names) -> np.ndarray:
    """Where in the test table the row of each row of the sample is."""
    if ids is not None:
        there, asked = (_ids(frame[ids], source) for frame, source in zip((test, sample), sources, strict=True))
        _check_same((there, asked), ids, sources)
        return there.get_indexer(asked)
    if len(test) != len(sample):
        numbers = f"{sources[1]} has {len(sample):,} rows and {sources[0]} {len(test):,}"
        raise TableError(f"{numbers}, and no column of ids that both have says which belong together.")
    return np.arange(len(test))


def _ids(column: pd.Series[Any], source: str) -> pd.Index[Any]:
    """Ids as they are written in their file."""
    if column.isna().any():
        raise TableError(f"{source}: the column of ids {column.name!r} is empty in {column.isna().sum():,} row(s).")
    ids = pd.Index(labels_in_file(column).astype(str))
    if ids.has_duplicates:
        repeated = _few(ids[ids.duplicated()])
        raise TableError(f"{source}: the column of ids {column.name!r} repeats {repeated}; each row needs its own.")
    return ids


def _check_same(both: tuple[pd.Index[Any], pd.Index[Any]], name: str, sources: _Names) -> None:
    only = [ids.difference(others, sort=False) for ids, others in (both, both[::-1])]
    told = [f"{len(ids):,} only in {one} ({_few(ids)})" for ids, one in zip(only, sources, strict=True) if len(ids)]
    # What spreadsheets and pandas change of an id: zeros before it, and a decimal point
    bare = [{each.strip().lstrip("0").removesuffix(".0") for each in ids} for ids in only]
    hint = "write these numbers alike" if bare[0] == bare[1] else "take files that belong together"
    if told:
        raise TableError(f"the ids in {name!r} are not the same: {'; '.join(told)}; {hint}.")


def _predicted(
    predictor: TabularPredictor, test: pd.DataFrame, values: pd.DataFrame, answers: _Answers, wish: Any, sources: _Names
) -> tuple[pd.DataFrame, str, str]:
    """Predictions under the names of the columns to fill, what they are, and why where the sample leaves it open."""
    predict, names, why = partial(predict_table, predictor, source=sources[0]), list(values.columns), ""
    if not names:
        raise TableError(f"{sources[1]} has no column to fill beside its ids.")
    if predictor.problem_type == "regression":
        _check_numbers(values, answers, sources[1])
        return predict(test, wish=wish or None).set_axis(names, axis=1), "numbers", ""
    classes, answers = list(predict(test.head(1), proba=True).columns), "classes" if wish else answers
    if len(names) > 1:
        of_names = _named_like(classes, names, answers, predictor.label, sources[1])
        return predict(test, proba=True)[of_names].set_axis(names, axis=1), "probabilities of the classes", ""
    if answers == "auto":
        answers, why = _asked_for(values[names[0]], classes, predictor, sources[1])
    if answers == "classes":
        return predict(test, wish=wish or None).set_axis(names, axis=1), "classes", why
    if predictor.problem_type != "binary":
        raise InvalidInputError(f"{sources[1]} has one column for {len(classes)} classes: leave out --proba.")
    positive = str(predictor.positive_class)
    return predict(test, proba=True)[[positive]].set_axis(names, axis=1), f"probabilities of {positive!r}", why


def _check_numbers(values: pd.DataFrame, answers: _Answers, source: str) -> None:
    if answers != "auto":
        raise InvalidInputError(f"this predictor answers with numbers: leave out --{answers}.")
    name, *more = values.columns
    cells = values[name].dropna()
    if more or (len(cells) and not holds_numbers(cells.dtype)):
        what = f"columns {_few(values.columns)} to fill" if more else f"{_few(cells)} in column {name!r}"
        raise TableError(f"{source} has {what}, and this predictor answers with one number for each row.")


def _named_like(classes: Sequence[str], names: Sequence[str], answers: _Answers, label: str, source: str) -> list[str]:
    """The class that each column is named like, whatever words are before all of them."""
    if answers == "classes":
        raise InvalidInputError(
            f"{source} has {len(names)} columns, for probabilities: leave out --classes and wishes."
        )
    for start in range(len(names[0])):
        ends = [name[start:] for name in names]
        if len({name[:start] for name in names}) == 1 and set(ends) == set(classes):
            return ends
    raise TableError(
        f"{source} has the columns {', '.join(map(repr, names[:20]))} to fill, which are not named like the classes of "
        f"{label!r} ({', '.join(map(repr, classes[:20]))}). If one holds ids, the test table has none of that name."
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
    different = list(dict.fromkeys(map(str, values)))
    return ", ".join(map(repr, different[:_SHOWN])) + (", ..." if len(different) > _SHOWN else "")
