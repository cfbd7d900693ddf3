"""What a report says of a continuous target: its bins, how rare each is, and what was added to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.jobs.contenders import base_models, is_latent_diff
from imbllm_autogluon.jobs.fold_records import child_reports
from imbllm_autogluon.regression.bins import FEW_BELOW, MANY_ABOVE, SHOTS, shots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.jobs.fold_records import FoldRecord
    from imbllm_autogluon.jobs.target_job import TargetJob
    from imbllm_autogluon.regression.bins import TargetBins


def target_facts(job: TargetJob, predictor: TabularPredictor, folds: Sequence[FoldRecord]) -> dict[str, Any]:
    """Range, shots and bins of the target of a job, as values that ``json.dumps`` accepts.

    Parameters
    ----------
    job
        A job of regression that was run.
    predictor
        What it fitted.
    folds
        Its records of rebalanced folds.

    Returns
    -------
    dict
        ``lowest``, ``highest``, ``shots`` (training rows of each sort), ``few_below``, ``many_above`` and ``bins``: of
        each bin ``from``, ``to``, ``rows``, ``shots``, ``rows_added`` and ``features_added`` (means of the folds,
        `None` where no model adds such).
    """
    counts = job.bin_counts
    sorts = shots(counts)
    edges = job.bins.edges.tolist()
    rows = _mean(job.bins, [_added_rows(fold) for fold in folds if fold.edges])
    features = _mean(job.bins, list(_added_features(predictor)))
    return {
        "lowest": float(job.train.targets.min()),
        "highest": float(job.train.targets.max()),
        "shots": {shot: int(counts[sorts == shot].sum()) for shot in SHOTS},
        "few_below": FEW_BELOW,
        "many_above": MANY_ABOVE,
        "bins": [
            {
                "from": edges[b], "to": edges[b + 1], "rows": int(counts[b]), "shots": str(sorts[b]),
                "rows_added": rows[b], "features_added": features[b],
            }
            for b in range(len(counts))
        ],
    }  # fmt: skip


def latent_notes(predictor: TabularPredictor) -> list[str]:
    """What fell short in the folds of LatentDiff."""
    return [
        f"{where}: {note.rstrip('.')}."
        for where, report in _latent_reports(predictor)
        for note in (report["reason"], *report.get("notes", ()))
        if note
    ]


def _added_rows(fold: FoldRecord) -> tuple[FloatArray, FloatArray]:
    """Middles of a fold's bins, and the rows added to them."""
    edges = np.asarray(fold.edges, dtype=np.float64)
    added = np.array([fold.added.get(str(number), 0) for number in range(len(edges) - 1)], dtype=np.float64)
    return edges[:-1] + np.diff(edges) / 2, added


def _added_features(predictor: TabularPredictor) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Middles of the bins of each fold of LatentDiff, and the features added to them."""
    for _, report in _latent_reports(predictor):
        bins: Mapping[str, Any] = report.get("bins", {})
        if "kept" in bins:
            yield np.asarray(bins["centre"], dtype=np.float64), np.asarray(bins["kept"], dtype=np.float64)


def _latent_reports(predictor: TabularPredictor) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name of model and fold, and what LatentDiff did there."""
    for name in base_models(predictor)[1]:
        if is_latent_diff(predictor, name):
            yield from ((f"{name}, {fold}", report) for fold, report in child_reports(predictor, name))


def _mean(bins: TargetBins, parts: Sequence[tuple[FloatArray, FloatArray]]) -> list[float | None]:
    """Mean count of each bin over parts of (middles, counts); `None` where there is no part."""
    if not parts:
        return [None] * len(bins)
    sums = [np.bincount(bins.assign(middles), weights=counts, minlength=len(bins)) for middles, counts in parts]
    return [round(float(value), 2) for value in np.mean(sums, axis=0)]
