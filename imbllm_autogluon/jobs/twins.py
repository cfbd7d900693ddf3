"""What the twins of a fit change: each beside its plain model and duplicates, and the rows answered otherwise."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from autogluon.core.utils.exceptions import TimeLimitExceeded
from sklearn.metrics import confusion_matrix

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.jobs.compare import base_models, compare, model_kind
from imbllm_autogluon.plugin.decisions import _Rows, stored_decision
from imbllm_autogluon.plugin.parameters import AUX_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.jobs.compare import Comparison, ScoredRows, _EnsemblePair
    from imbllm_autogluon.jobs.task import Task


_log = logging.getLogger("autogluon.imbllm")

_NUMBER = re.compile(r"_\d+(?=_BAG_|$)|/T\d+$")  # that AutoGluon gives a twin of a taken name, or a trial
_SUFFIX = "Duplicates"
_UNTRIED = "Whether duplicated rows do as much is not known: no twin can be fitted"
_SHARE = 0.05  # of the seconds of a fit, that duplicates may take
_LEAST_SECONDS = 5.0  # that they may always take: nobody waits long for a quick fit
_IMPORTANCE_SHARE = 0.01  # of the seconds of a fit, that the importance of columns may take
_LEAST_FOR_IMPORTANCE = 2.0
_MOST_CLASSES = 12  # of a confusion matrix, the rarest ones
_MOST_EXAMPLES = 3  # rows of each side
_MOST_CELLS = 8  # columns of an example, the most important ones
_MOST_IMPORTANT = 15  # columns that are named


def compare_models(
    task: Task,
    predictor: TabularPredictor,
    pair: _EnsemblePair,
    test: pd.DataFrame | None,
    seconds: float,
    trying: Mapping[str, Any] | None,
) -> tuple[Comparison, dict[str, Any]]:
    """Compare ensembles, twins and, where there is time, duplicates, in a predictor whose fit took so many seconds.

    `trying` are arguments for duplicates, `None`: there are to be none. Also returns the rows that are ``changed`` by
    twins and the ``importance`` of columns.
    """
    twins, columns = _twins_beside_plain(predictor), _importance(predictor, seconds)
    tried = _Duplicates(None) if trying is None else _fit_duplicates(predictor, twins, **trying)
    if tried.model is not None:
        spent = float(predictor.leaderboard().set_index("model")["fit_time_marginal"][tried.model])
        twins[tried.model] = {**twins[tried.of], "kind": "duplicates", "of": tried.of, "seconds": spent}
    models = [name for twin, entry in twins.items() for name in (twin, entry["plain"])]
    scored = task.scored(predictor, pair.by_side().values(), test, models)
    held_out = "validation" if predictor._trainer.has_val else "out-of-fold"
    comparison = compare(scored, pair, held_out if test is None else "test", twins, tried.reason)
    if tried.model is not None:
        predictor.delete_models(models_to_delete=[tried.model], dry_run=False)
    important = [] if columns is None else [each["column"] for each in columns["columns"]]
    frame = task.train.frame if test is None else test
    names: list[Any] = [name for name in important or task.train.features if name in frame.columns]
    return comparison, {"importance": columns, "changed": _changed_answers(scored, pair, frame, names)}


def _twins_beside_plain(predictor: TabularPredictor) -> dict[str, dict[str, Any]]:
    """Of each twin whose plain model was fitted, the best first: the ``plain`` model, ``kind`` and seconds of both."""
    plain, ours = base_models(predictor)
    board = predictor.leaderboard().set_index("model")["fit_time_marginal"]
    twins = [name for name in board.index if name in ours and model_kind(predictor, name) == "twin"]
    pairs = {twin: found for twin in twins if (found := _plain_of(twin, plain)) is not None}
    return {
        twin: {"kind": "twin", "plain": own, "seconds": float(board[twin]), "plain_seconds": float(board[own])}
        for twin, own in pairs.items()
    }


def _plain_of(twin: str, plain: Sequence[str]) -> str | None:
    """Name of the model that a twin is one of: the family comes first, then ``Imb``, then what tells it apart."""
    named = twin.replace("Imb", "", 1)
    return next((name for name in (named, _NUMBER.sub("", named)) if name in plain), None)


class _Duplicates(NamedTuple):
    model: str | None  # a twin whose rows are duplicates of real ones, in the predictor while it is looked at
    of: str = ""  # the twin that it stands beside
    reason: str = ""  # why there is none


def _fit_duplicates(
    predictor: TabularPredictor,
    twins: Mapping[str, Mapping[str, Any]],
    seconds: float,
    limit: float | None,
    **options: Any,
) -> _Duplicates:
    """Fit the best twin once more with duplicated rows; `limit` are the seconds that are left of the time limit."""
    if predictor.problem_type == "regression" or not twins:
        return _Duplicates(None)
    left = np.inf if limit is None else limit
    room = min(max(_LEAST_SECONDS, _SHARE * seconds), left)
    quick = [twin for twin, entry in twins.items() if entry["seconds"] <= room]
    if not quick:
        return _Duplicates(None, reason=f"{_UNTRIED} in the {room:.0f} s they may take; ask with --duplicates.")
    best, before = predictor.model_best, set(predictor.model_names())
    settings = predictor.model_hyperparameters(quick[0])
    own = {name: value for name, value in settings.items() if name != f"ag.{AUX_PREFIX}method"}
    if settings.get(f"ag.{AUX_PREFIX}method") == "random":
        return _Duplicates(None, reason=f"The rows of {quick[0]} are duplicates already.")
    duplicated = {**own, f"ag.{AUX_PREFIX}method": "random", "ag_args": {"name_suffix": _SUFFIX}}
    model_class = predictor._trainer.get_model_attribute(quick[0], "type_inner")
    most = min(2 * room, left)  # the twin is about as slow
    time_limit = None if np.isinf(most) else most
    try:
        predictor.fit_extra({model_class: [duplicated]}, time_limit=time_limit, fit_weighted_ensemble=False, **options)
    except (RuntimeError, AssertionError, TimeLimitExceeded):
        _log.log(15, "imbllm: duplicates of %s could not be fitted.", quick[0], exc_info=True)
    predictor.set_model_best(best, save_trainer=True)
    made = [name for name in predictor.model_names() if name not in before]
    return _Duplicates(made[0], quick[0]) if made else _Duplicates(None, reason="Duplicates could not be fitted.")


def confusion(predictor: TabularPredictor, data: pd.DataFrame | None = None) -> dict[str, Any] | None:
    """Rows by class and answer, of a table or of the predictor's own; answers are the stored decision's or AutoGluon's.

    `None` for numbers, and where no rows are left that the model has not learned.
    """
    if predictor.problem_type == "regression":
        return None
    decision, best = stored_decision(predictor), predictor.model_best
    parent = predictor._trainer.get_refit_full_parent(best)
    model = decision.model if decision is not None else parent if parent in predictor.model_names() else best
    try:
        rows = _Rows.of(predictor, model, data)
    except InvalidInputError:
        return None
    answers = rows.answers
    if decision is not None:
        answers = pd.Index(rows.labels).get_indexer(decision.apply(pd.DataFrame(rows.chances, columns=rows.labels)))
    sizes = np.bincount(rows.codes, minlength=len(rows.labels))
    shown = np.argsort(sizes, kind="stable")[:_MOST_CLASSES]
    place = np.full(len(sizes), len(shown))
    place[shown] = np.arange(len(shown))
    names = [*(str(rows.labels[code]) for code in shown), *["all others"][: len(sizes) - len(shown)]]
    counts = confusion_matrix(place[rows.codes], place[answers], labels=range(len(names)))
    by = "AutoGluon's answers" if decision is None else "the stored decision"
    return {"model": model, "by": by, "rows": rows.source, "names": names, "counts": counts.tolist()}


def _changed_answers(
    scored: ScoredRows, pair: _EnsemblePair, frame: pd.DataFrame, columns: Sequence[Any]
) -> dict[str, Any] | None:
    """Rows that one ensemble answers rightly and the other wrongly: counts by class, and examples with their cells."""
    if scored.task == "regression" or pair.plain is None or scored.index is None:
        return None
    metric = next(each for each in scored.metrics if each.scorer.needs_pred)
    answers = {side: scored.answers(metric, model) for side, model in pair.by_side().items()}
    right = {side: found == scored.labels for side, found in answers.items()}
    only = {"whole": right["whole"] & ~right["plain"], "plain": right["plain"] & ~right["whole"]}
    codes, sizes = np.unique(scored.labels, return_counts=True)
    rare, columns = codes[sizes < len(scored.labels) / len(codes)], columns[:_MOST_CELLS]
    classes = [
        {"class": scored.names[code], "rows": int(size)}
        | {side: int(rows[scored.labels == code].sum()) for side, rows in only.items()}
        for code, size in sorted(zip(codes, sizes, strict=True), key=lambda each: each[1])[:_MOST_CLASSES]
    ]
    examples = [
        {
            "right": side,
            "class": scored.names[scored.labels[place]],
            "wrong": scored.names[answers["plain" if side == "whole" else "whole"][place]],
            "cells": ["" if pd.isna(frame[name].loc[at]) else str(frame[name].loc[at]) for name in columns],
        }
        for side, rows in only.items()
        for place in np.flatnonzero(rows & np.isin(scored.labels, rare))[:_MOST_EXAMPLES]
        for at in [scored.index[place]]
    ]
    return {"metric": metric.name, "classes": classes, "columns": list(map(str, columns)), "examples": examples}


def _importance(predictor: TabularPredictor, seconds: float) -> dict[str, Any] | None:
    """How much the score of the best quick model falls where a column is shuffled, on rows that it has not learned."""
    started, room = time.perf_counter(), max(_LEAST_FOR_IMPORTANCE, _IMPORTANCE_SHARE * seconds)
    plain, ours = base_models(predictor)
    board = predictor.leaderboard().set_index("model")
    names = [name for name in board.index if name in (*plain, *ours) and board["stack_level"][name] == 1]
    n = max(1, len(predictor.features()))
    quick = [name for name in names if n * board["pred_time_val_marginal"][name] <= room]
    for name in quick:
        try:
            found = predictor.feature_importance(
                model=name, feature_stage="transformed_model", num_shuffle_sets=1, silent=True,
                include_confidence_band=False,
            )["importance"].dropna()  # fmt: skip
        except (AssertionError, ValueError):  # AutoGluon has no unseen rows of it, or a fold has no score
            continue
        columns = [{"column": str(column), "loss": float(value)} for column, value in found.items()]
        took = time.perf_counter() - started
        return {"model": name, "columns": columns[:_MOST_IMPORTANT], "of": len(columns), "seconds": took}
    return None
