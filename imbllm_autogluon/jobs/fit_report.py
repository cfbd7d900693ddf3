"""The report of one fit: what was rebalanced, what it cost, and whether it helped."""

from __future__ import annotations

import json
import platform
from datetime import datetime, timezone
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any

from imbllm_autogluon._storage import write_whole
from imbllm_autogluon.errors import TableError
from imbllm_autogluon.jobs.base_job import quiet_libraries
from imbllm_autogluon.jobs.contenders import base_models, is_generator, is_latent_diff, is_twin
from imbllm_autogluon.jobs.fold_records import FoldRecord, fold_records
from imbllm_autogluon.jobs.job import FitJob
from imbllm_autogluon.jobs.rows_report import rows_report
from imbllm_autogluon.jobs.studies import StudyRecord, study_records
from imbllm_autogluon.jobs.target_facts import latent_notes, target_facts
from imbllm_autogluon.jobs.target_job import TargetJob
from imbllm_autogluon.plugin.parameters import TwinParameters
from imbllm_autogluon.plugin.tasks import plan_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from imbllm_autogluon.jobs.base_job import FitOutcome
    from imbllm_autogluon.quality.reports import RowsSection

JSON_NAME, HTML_NAME, MARKDOWN_NAME = "imbllm_report.json", "imbllm_report.html", "imbllm_report.md"

FORMAT = 2
"""Raised when keys of the JSON file change their meaning."""

LIBRARIES = (
    "imbllm-autogluon", "autogluon.tabular", "torch", "transformers", "scikit-learn", "pandas", "numpy", "lightgbm",
    "catboost", "xgboost", "xgboost-cpu",
)  # fmt: skip
"""Packages whose versions stand in the report."""


def fit_report(
    outcome: FitOutcome, studies: Sequence[StudyRecord] = (), rows: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Everything there is to say about a fit, as values that ``json.dumps`` accepts.

    Parameters
    ----------
    outcome
        A finished job.
    studies
        Trials of its tuned twins.
    rows
        What :func:`~imbllm_autogluon.jobs.rows_report.rows_report` found about the written rows.

    Returns
    -------
    dict
        ``task``, ``headline``, ``table``, ``settings``, ``leaderboard``, ``comparison``, ``folds``, ``rows``,
        ``studies``, ``generator_fits``, ``seconds``, ``notes``, ``versions``.
    """
    job, predictor = outcome.job, outcome.predictor
    folds = fold_records(predictor, outcome.generator_fits)
    return {
        "format": FORMAT,
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "task": "regression" if isinstance(job, TargetJob) else "classification",
        "headline": outcome.comparison.verdict,
        "table": {
            "source": job.train.source,
            "label": job.train.label,
            "rows": len(job.train.frame),
            "features": job.train.frame.shape[1] - 1,
            **_label_facts(outcome, folds),
        },
        "settings": _settings(outcome),
        "leaderboard": leaderboard(outcome),
        "comparison": outcome.comparison.to_dict(),
        "folds": [fold.to_dict() for fold in folds],
        "rows": dict(rows or {}),
        "studies": [study.to_dict() for study in studies],
        "generator_fits": outcome.generator_fits,
        "seconds": outcome.seconds,
        "notes": _notes(outcome, folds),
        "versions": _versions(),
    }


def write_report(outcome: FitOutcome) -> Path:
    """Write ``imbllm_report.json``, ``.md`` and ``.html`` into the predictor's folder; return the HTML file.

    Raises
    ------
    TableError
        The folder cannot be written.
    """
    studies = study_records(outcome.predictor)
    with quiet_libraries():
        rows = rows_report(outcome.predictor, outcome.job.train.frame)
    report = fit_report(outcome, studies, rows.facts)
    return write_files(report, {study.name: study.plots for study in studies}, rows.section, outcome.job.out)


def write_files(
    report: Mapping[str, Any], plots: Mapping[str, Mapping[str, str]], section: RowsSection | None, folder: Path
) -> Path:
    """Write a report in its three forms; return the HTML file.

    Parameters
    ----------
    report
        What :func:`fit_report` returned.
    plots, section
        Pictures of studies and of rows, see :func:`~imbllm_autogluon.quality.reports.render_fit_report`.
    folder
        Made if need be.

    Raises
    ------
    TableError
        The folder cannot be made or written.
    """
    from imbllm_autogluon.quality.reports import fit_markdown, render_fit_report

    texts = {
        JSON_NAME: json.dumps(report, indent=1, ensure_ascii=False),
        MARKDOWN_NAME: fit_markdown(report),
        HTML_NAME: render_fit_report(report, plots, section),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TableError(f"the folder {folder} cannot be made ({error.strerror}): name another one.") from error
    for name, text in texts.items():
        write_whole(folder / name, partial(_write_text, text=text))
    return folder / HTML_NAME


def _write_text(draft: Path, *, text: str) -> None:
    draft.write_text(text, encoding="utf-8")


def _label_facts(outcome: FitOutcome, folds: list[FoldRecord]) -> dict[str, Any]:
    """Bins of a target, or rows of each class and the positive one of two."""
    job = outcome.job
    if isinstance(job, TargetJob):
        return target_facts(job, outcome.predictor, folds)
    counts = job.train.counts if isinstance(job, FitJob) else {}
    return {
        "classes": {str(label): n for label, n in counts.items()},
        "positive": None if job.positive is None else str(job.positive),
    }


def leaderboard(outcome: FitOutcome) -> list[dict[str, Any]]:
    """Each model's kind, scores, seconds, and weight in the whole ensemble, best first.

    The order is by validation score, even beside test scores: it is what AutoGluon chooses by.
    """
    predictor, test = outcome.predictor, outcome.job.test
    board = predictor.leaderboard(None if test is None else test.frame).sort_values("score_val", ascending=False)
    weights = _weights(outcome)
    return [
        {
            "model": row["model"],
            "kind": _kind(outcome, row["model"]),
            "score_val": _number(row["score_val"]),
            "score_test": _number(row.get("score_test")),
            "fit_seconds": _number(row["fit_time_marginal"]),
            "weight": weights.get(row["model"]),
        }
        for row in board.to_dict("records")
    ]


def _kind(outcome: FitOutcome, name: str) -> str:
    if is_twin(outcome.predictor, name):
        return "twin"
    if is_generator(outcome.predictor, name):
        return "generator"
    if is_latent_diff(outcome.predictor, name):
        return "latent_diff"
    return "ensemble" if name.startswith("WeightedEnsemble") else "plain"


def _weights(outcome: FitOutcome) -> dict[str, float]:
    """Weights of the models in the whole ensemble; none where it is a single model."""
    model = outcome.predictor._trainer.load_model(outcome.comparison.contenders.whole)
    weights = model._get_model_weights() if hasattr(model, "_get_model_weights") else {}
    return {str(name): float(weight) for name, weight in weights.items()}


def _settings(outcome: FitOutcome) -> dict[str, Any]:
    job, predictor = outcome.job, outcome.predictor
    return {
        "presets": list(job.fit_arguments()["presets"]),
        "metric": job.eval_metric,
        "folds": job.fit_arguments().get("num_bag_folds"),
        "time_limit": job.time_limit,
        "families": list(job.families),
        "twin_parameters": dict(job.settings),
        "latent_diff_parameters": dict(job.latent_diff) if isinstance(job, TargetJob) else {},
        "model_in_use": predictor.model_best,
        "decision_threshold": _number(predictor.decision_threshold),
    }


def _notes(outcome: FitOutcome, folds: list[FoldRecord]) -> list[str]:
    """What a reader should know before trusting a figure, each said once."""
    job, predictor = outcome.job, outcome.predictor
    notes = [f"{job.train.dropped} training rows have no label and were left out."] if job.train.dropped else []
    if job.test is not None and job.test.dropped:
        notes.append(f"{job.test.dropped} test rows have no label and were not scored.")
    notes += _unlearned(outcome)
    if outcome.comparison.rows != "test":
        chosen = "weights" if isinstance(job, TargetJob) else "weights and thresholds"
        notes.append(
            f"Scores are on {outcome.comparison.rows} rows, by which ensemble {chosen} were chosen too, "
            "so they are a little too good; give a test table for honest ones."
        )
    notes += outcome.comparison.notes
    notes += _why_no_twins(outcome)
    notes += _fold_notes(folds)
    notes += latent_notes(predictor)
    failures = predictor.model_failures()
    notes += [f"{row['model']} was not fitted: {row['exc_type']}." for row in failures.to_dict("records")]
    return list(dict.fromkeys(notes))


def _unlearned(outcome: FitOutcome) -> list[str]:
    """Classes that AutoGluon left out."""
    if not isinstance(outcome.job, FitJob):
        return []
    learned = outcome.predictor.class_labels_internal_map
    names = [str(label) for label in outcome.job.train.counts if label not in learned]
    if not names:
        return []
    return [f"AutoGluon left out classes with too few rows: {', '.join(names)}. They are never predicted."]


def _fold_notes(folds: list[FoldRecord]) -> list[str]:
    """Each note of a fold once, with the folds it is about."""
    about: dict[str, list[str]] = {}
    for fold in folds:
        for note in fold.notes:
            about.setdefault(note, []).append(fold.name)
    return [
        f"{'All folds' if len(names) == len(folds) > 1 else 'Fold ' + ', '.join(names)}: {note}"
        for note, names in about.items()
    ]


def _why_no_twins(outcome: FitOutcome) -> list[str]:
    job, predictor = outcome.job, outcome.predictor
    if any(is_twin(predictor, name) for name in base_models(predictor)[1]):
        return []
    config = TwinParameters.from_flat(job.settings).rebalancing
    reason = plan_for(job.problem_type, job.train.frame[job.train.label], config).reason
    return [f"No model has a twin: {reason}."] if reason else []


def _versions() -> dict[str, str]:
    installed = {name: next((d.version for d in metadata.distributions(name=name)), "") for name in LIBRARIES}
    return {"python": platform.python_version(), **{name: version for name, version in installed.items() if version}}


def _number(value: Any) -> float | None:
    """A finite float, or `None`."""
    return None if value is None or value != value or abs(value) == float("inf") else float(value)
