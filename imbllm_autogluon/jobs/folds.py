"""The training folds of a fitted predictor: what their models say of them, and the rows of one of them."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.jobs.compare import base_models, model_kind
from imbllm_autogluon.plugin.original_features import RawView, exact_view, text_features, unwritten_features
from imbllm_autogluon.quality.reports import measure
from imbllm_autogluon.rebalancing.cache import cache_of
from imbllm_autogluon.rebalancing.rows import ROWS_CACHE
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.tables.stored import with_values

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.rebalancing import FoldRows
    from imbllm_autogluon.tables import ColumnName

    Rows = tuple[pd.DataFrame, pd.Series]
    Known = pd.DataFrame | Mapping[str, Any] | None

_log = logging.getLogger("autogluon.imbllm")
_ALL_ROWS = "all rows"  # name of the one fold of a model that is not bagged
_FOLD_NAME = re.compile(r"S(\d+)F(\d+)")  # AutoGluon's name of a fold: repeat and number, both from 1


def fold_records(predictor: TabularPredictor, n_generators: int) -> list[dict[str, Any]]:
    """What twins and generators remember about their distinct training folds, in the order of AutoGluon's names.

    Each has a ``name`` (``S1F2`` is repeat 1, fold 2; ``all rows`` for models that are not bagged); ``before`` and
    ``added``, real and written rows by class or number of the bin; the ``reason`` why nothing was written; facts of the
    generator (losses in nats for each value token); ``notes``; ``copies``; ``edges`` of the bins of a target; the
    ``method``; and whether a twin ``learned`` from the rows.

    Once the `n_generators` of the cache (0: unknown) have been met no further model is read from disk: a bag of forests
    takes seconds, and families only repeat each other's folds.
    """
    labels = {str(code): str(label) for label, code in (predictor.class_labels_internal_map or {}).items()}
    found: dict[str, dict[str, Any]] = {}
    for model in [*_twins_and_refitted(predictor), *_generators(predictor)]:
        learned = model_kind(predictor, model) != "generator"
        for name, report in _child_reports(predictor, model):
            record = {**_record(name, report, labels), "learned": learned}
            if learned or record["added"]:  # what a generator alone says of a fold without rows is said by twins, too
                found.setdefault(record["generator"] or f"{name} {record['method']} {record['reason']}", record)
        if n_generators and sum(bool(record["generator"]) for record in found.values()) >= n_generators:
            break
    return sorted(found.values(), key=lambda record: str(record["name"]))


def _child_reports(predictor: TabularPredictor, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Reports of the folds of one of our models; a bag whose folds were deleted after refitting has none left."""
    for fold, child in _fitted_children(predictor._trainer.load_model(name)):
        if getattr(child, "imbllm_report", None):
            yield fold, child.imbllm_report


def latent_reports(predictor: TabularPredictor) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of model and fold, and what LatentDiff did there."""
    for name in base_models(predictor)[1]:
        if model_kind(predictor, name) == "latent_diff":
            yield from ((f"{name}, {fold}", report) for fold, report in _child_reports(predictor, name))


def _twins_and_refitted(predictor: TabularPredictor) -> list[str]:
    """Names of the twins, then of their refitted copies, whose folds may be all that is left."""
    twins = [name for name in base_models(predictor)[1] if model_kind(predictor, name) == "twin"]
    refitted = predictor.model_refit_map()
    return [*twins, *(refitted[name] for name in twins if name in refitted)]


def _generators(predictor: TabularPredictor) -> list[str]:
    return [name for name in predictor._trainer.get_model_names() if model_kind(predictor, name) == "generator"]


def _fitted_children(model: Any) -> Iterator[tuple[str, Any]]:
    """Name of each training fold of a model, and what was fitted on it; a model that is no bag has one, all rows."""
    children = getattr(model, "models", None)
    if children is None:
        yield _ALL_ROWS, model
        return
    for child in children:
        loaded = model.load_child(child)
        if loaded is not None:
            yield str(getattr(child, "name", child)), loaded


def _record(name: str, report: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    made = report.get("oversampling", {})
    losses = {stage: [round(loss, 4) for loss in curve] for stage, curve in made.get("losses", {}).items()}
    return {
        "name": name,
        "before": {labels.get(code, code): n for code, n in report["before"].items()},
        "added": {labels.get(code, code): n for code, n in report["added"].items()},
        "reason": report["reason"],
        "method": str(made.get("method", "")),
        "generator": made.get("generator", ""),
        "seconds": float(made.get("training_seconds", 0.0)),
        "sampling_seconds": float(made.get("sampling_seconds", 0.0)),
        "training_tokens": int(made.get("training_tokens", 0)),
        "sampling_tokens": int(made.get("sampling_tokens", 0)),
        "parameters": int(made.get("parameters", 0)),
        "losses": losses,
        "notes": list(_notes(report, labels)),
        "copies": {labels.get(entry["label"], entry["label"]): _copies(entry) for entry in made.get("classes", ())},
        "edges": list(report.get("edges", ())),
    }


def _copies(entry: Mapping[str, Any]) -> dict[str, int]:
    names = {f"{near}{what}": f"{near}copies_{what}" for near in ("", "near_") for what in ("dropped", "kept")}
    return {short: entry.get(name, 0) for short, name in names.items()}


def _notes(report: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{note}." for note in report["notes"])
    made = report.get("oversampling", {})
    yield from (f"Not written by the language model: {reason}" for reason in made.get("excluded", {}).values())
    for entry in made.get("classes", ()):
        label = labels.get(entry["label"], entry["label"])
        yield from _notes_of(entry, f"targets {label}" if "edges" in report else f"class {label!r}")
    for stage, reason in made.get("stopped_by", {}).items():
        if reason != "steps":
            yield f"Training ({stage}) was stopped by the {reason}."


def _notes_of(entry: Mapping[str, Any], name: str) -> Iterator[str]:
    if entry["method"] != "language model":
        yield f"{name[0].upper()}{name[1:]}: {entry['rows']} rows; the new ones are made by {entry['method']}."
    if entry.get("made", 0) < entry.get("requested", 0):
        yield f"Rows of {name}: {entry['made']} of {entry['requested']} were written in time, or were given that class."
    sorts = {
        "implausible": (f"Rows of {name} that looked like another class", "and"),
        "copies": (f"Copies of real rows of {name}", "that"),
        "near_copies": (f"Near copies of real rows of {name}", "that"),
    }
    for key, (rows, joint) in sorts.items():
        if entry.get(f"{key}_dropped"):
            yield f"{rows}, written again: {entry[f'{key}_dropped']}."
        if entry.get(f"{key}_kept"):
            yield f"{rows} {joint} had to stay: {entry[f'{key}_kept']}."


@dataclass(frozen=True, eq=False)
class WrittenFold:
    """Rows of one training fold in the same columns, the label among them."""

    name: str
    model: str
    method: str  # how the rows were written, such as `imbllm` or `smote_nc`
    real: pd.DataFrame  # rows that models of the fold learned from, shape (n, m + 1)
    synthetic: pd.DataFrame  # rows written for the fold, shape (n_new, m + 1)
    held_out: pd.DataFrame | None  # rows kept from generator and models of the fold; `None` after a refit on all rows
    # The column of classes; for a continuous target the ranges of its bins, the target being a column next to it
    label: str
    original: bool  # whether columns and values are those of the training table; otherwise they are AutoGluon's codes
    # Value of each two-valued column that AutoGluon did not keep, where it is known; `None` for a missing one
    others: Mapping[str, Any]


def written_rows(predictor: TabularPredictor, known: Known = None) -> WrittenFold | None:
    """Rows of the first training fold for which rows were written.

    AutoGluon keeps one value of a two-valued column only. The table given to ``fit``, or the other values by column,
    are `known` for that; without them the other value is called ``not`` the kept one. `None` where nothing was written,
    where the rows are no longer in the cache, or where the training data are gone (``cache_data=False``).
    """
    for fitted in _fitted_folds(predictor):
        found = _rows_of(predictor, known, *fitted)
        if found is not None:
            return found
    return None


def _fitted_folds(predictor: TabularPredictor) -> Iterator[tuple[str, str, Any]]:
    """Name of model and fold, and what was fitted there; generators first, because they are read in no time."""
    trainer = predictor._trainer
    for name in dict.fromkeys([*_generators(predictor), *_twins_and_refitted(predictor)]):
        for fold, child in _fitted_children(trainer.load_model(name)):
            if hasattr(child, "imbllm_report"):
                yield name, fold, child


def _rows_of(predictor: TabularPredictor, known: Known, name: str, fold: str, child: Any) -> WrittenFold | None:
    """Rows of a fold; `None` where there are none, or not those that the fold was planned for."""
    report = child.imbllm_report or {}
    made, own_cache = report.get("oversampling", {}), child.imbllm_parameters.stage.cache_dir
    cache = Path(own_cache) if own_cache else cache_of(Path(predictor.path).absolute())
    written = ROWS_CACHE.find(cache, made["rows"]) if made.get("rows") else None
    parts = None if written is None else _real_rows(predictor, name, fold)
    if written is None or parts is None:
        return None
    (X, y), held_out = parts
    columns = _FoldColumns.of(predictor, child, X, known)
    if made.get("original_features") and columns.view is None:
        _log.log(15, "imbllm: the original columns of %s, fold %s, cannot be recovered any more.", name, fold)
        return None
    if columns.counts(y) != {code: n for code, n in report["before"].items() if n}:
        _log.log(15, "imbllm: the rows of %s, fold %s, cannot be told from the kept training data.", name, fold)
        return None
    return WrittenFold(
        name=_ALL_ROWS if held_out is None else fold,
        model=name,
        method=str(made.get("method", "")),
        real=columns.table(X, y),
        synthetic=columns.written(written, X, in_original=bool(made.get("original_features"))),
        held_out=None if held_out is None else columns.table(*held_out),
        label=columns.label,
        original=columns.view is not None,
        others={str(name): value for name, value in columns.others.items()},
    )


def _real_rows(predictor: TabularPredictor, model: str, fold: str) -> tuple[Rows, Rows | None] | None:
    """Training and held-out rows of a fold, in AutoGluon's columns and codes; `None` where they are not kept."""
    trainer = predictor._trainer
    X, y, X_val, y_val = trainer.load_data()
    if X is None or y is None:
        return None
    if model in predictor.model_refit_map().values():
        return ((X, y) if X_val is None else (pd.concat([X, X_val]), pd.concat([y, y_val]))), None
    if fold != _ALL_ROWS:
        return _bagged_rows(trainer.load_model(model), fold, X, y)
    return (X, y), None if X_val is None else (X_val, y_val)


def _bagged_rows(bag: Any, fold: str, X: pd.DataFrame, y: pd.Series) -> tuple[Rows, Rows] | None:
    """What AutoGluon does for out-of-fold feature importance (bagged_ensemble_model.py:1154 of 1.6.3): split again."""
    found = _FOLD_NAME.search(fold)
    splitters = getattr(bag, "_cv_splitters", [])[: len(getattr(bag, "_k_per_n_repeat", []))]
    repeat, number = (int(part) - 1 for part in found.groups()) if found else (0, -1)
    if number < 0 or repeat >= len(splitters):
        return None
    splits = splitters[repeat].split(X=X, y=y)
    training, validation = splits[repeat * bag._k_per_n_repeat[repeat] + number]
    return (X.iloc[training], y.iloc[training]), (X.iloc[validation], y.iloc[validation])


@dataclass(frozen=True, eq=False)
class _FoldColumns:
    """How the columns and labels of one fold are shown."""

    # Of AutoGluon's columns that rows were written in, by name; those made from texts that are not there are copied
    dtypes: pd.Series
    texts: tuple[ColumnName, ...]
    view: RawView | None  # the way back to the original columns; `None` where there is none
    others: Mapping[ColumnName, Any]  # value of each two-valued column that AutoGluon did not keep
    target: str  # name of the label column of the training table
    labels: Mapping[int, Hashable]  # original label of each code; empty for a continuous target, which has bins
    bins: TargetBins | None

    @classmethod
    def of(cls, predictor: TabularPredictor, child: Any, X: pd.DataFrame, known: Known) -> _FoldColumns:
        metadata = child.imbllm_metadata
        written = X.drop(columns=unwritten_features(metadata, X))
        view = exact_view(Path(predictor.path).absolute(), written, metadata)
        texts = text_features(metadata, written) if view is None else list(view.derived)
        edges = child.imbllm_report.get("edges")
        return cls(
            written.dtypes.drop(texts),
            tuple(texts),
            view,
            {} if view is None or known is None else _others(view.columns.booleans, known),
            str(predictor.label),
            {code: name for name, code in (predictor.class_labels_internal_map or {}).items()},
            None if edges is None else TargetBins(np.asarray(edges, dtype=np.float64)),
        )

    @property
    def label(self) -> str:
        return self.target if self.bins is None else f"{self.target} range"

    def counts(self, y: pd.Series) -> dict[str, int]:
        """Rows by code of the class, or by number of the bin, as reports name them."""
        codes = y if self.bins is None else pd.Series(self.bins.assign(y))
        return {str(code): int(n) for code, n in codes.value_counts().items() if n}

    def table(self, X: pd.DataFrame, y: pd.Series) -> pd.DataFrame:
        """Rows in AutoGluon's columns and codes, as a table with a label."""
        # Files keep no category of numbers: written rows come back as the numbers.
        rows = X[list(self.dtypes.index)].astype(self.dtypes.to_dict())
        if self.view is not None:
            rows = self._named(self.view.raw(rows)[0])
        return self._with_label(rows, y.map(self.labels) if self.labels else y)

    def written(self, rows: FoldRows, real: pd.DataFrame, *, in_original: bool) -> pd.DataFrame:
        """Rows of the cache, written from real ones, as a table with a label; in original columns, or AutoGluon's."""
        seen = real[[name for name in real.columns if name in self.dtypes.index or name in self.texts]]
        if not in_original:
            return self.table(with_values(rows.X, seen), rows.y)
        assert self.view is not None
        made = with_values(rows.X, self.view.raw(seen)[0])
        names = {self.view.labels[code]: label for code, label in self.labels.items()}
        y = rows.y.map(names) if names else rows.y
        return self._with_label(self._named(made.drop(columns=list(self.texts), errors="ignore")), y)

    def _named(self, raw: pd.DataFrame) -> pd.DataFrame:
        """The same rows, two-valued columns with the value that AutoGluon did not keep."""
        assert self.view is not None
        kept = self.view.columns.booleans
        changed = {name: raw[name].where(raw[name] == kept[name], other) for name, other in self.others.items()}
        return raw.assign(**{str(name): column for name, column in changed.items() if name in raw.columns})

    def _with_label(self, X: pd.DataFrame, y: pd.Series) -> pd.DataFrame:
        """Features, label, and next to a continuous target its ranges."""
        table = X.assign(**{self.target: y.to_numpy()})
        if self.bins is not None:
            table[self.label] = np.array(_ranges(self.bins), dtype=object)[self.bins.assign(y)]
        return table.reset_index(drop=True)


def _others(kept: Mapping[ColumnName, Any], known: pd.DataFrame | Mapping[str, Any]) -> dict[ColumnName, Any]:
    """The value of each two-valued column next to the one that was kept: a missing one is a value, too."""
    if not isinstance(known, pd.DataFrame):
        return {name: known[str(name)] for name in kept if str(name) in known}
    found = {}
    for name, value in kept.items():
        if name in known.columns:
            rest = [other for other in known[name].dropna().unique() if other != value]
            if len(rest) <= 1:
                found[name] = rest[0] if rest else None
    return found


def _ranges(bins: TargetBins) -> list[str]:
    """Names of the bins; edges that look alike with few digits get more of them."""
    for digits in (4, 6, 9, 15):
        ends = [measure(float(edge), digits) for edge in bins.edges]
        if len(set(ends)) == len(ends):
            break
    return [f"{low} to {high}" for low, high in pairwise(ends)]
