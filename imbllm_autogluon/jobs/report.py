"""The report of one fit: plain facts, from which the JSON file, the page, the Markdown file and the lines derive."""

from __future__ import annotations

import base64
import json
import math
import platform
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imbllm_autogluon._storage import write_texts
from imbllm_autogluon.errors import ImbLLMError, StoredStateError
from imbllm_autogluon.jobs.compare import FIGURES, base_models, model_kind
from imbllm_autogluon.jobs.fit import FitOutcome, quiet_libraries
from imbllm_autogluon.jobs.folds import WrittenFold, fold_records, latent_reports, written_rows
from imbllm_autogluon.jobs.predict import load_predictor
from imbllm_autogluon.jobs.twins import confusion
from imbllm_autogluon.plugin.decisions import decide, stored_decision
from imbllm_autogluon.plugin.stage import plan_for
from imbllm_autogluon.quality.reports import fit_markdown, metric_name, number, render_fit_report, report
from imbllm_autogluon.rebalancing.cache import STUDIES, cache_of
from imbllm_autogluon.search.studies import journal_storage, study_plots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.quality.reports import QualityReport, RowsSection

    Known = pd.DataFrame | Mapping[str, Any] | None
    Facts = dict[str, Any]

_JSON, _HTML, _MARKDOWN = "imbllm_report.json", "imbllm_report.html", "imbllm_report.md"
_FORMAT = 2  # raised when keys of the JSON file change their meaning
# Packages whose versions stand in the report
_LIBRARIES = (
    "imbllm-autogluon", "autogluon.tabular", "torch", "transformers", "scikit-learn", "pandas", "numpy", "lightgbm",
    "catboost", "xgboost", "xgboost-cpu",
)  # fmt: skip
_PLAIN = (bool, str, int, float, type(None))  # what JSON keeps as it is
_LEFT = ("model", "kind", "metric", "better", "against the plain model")  # columns of texts in printed tables


@dataclass(frozen=True)
class FitReport:
    """What there is to say about a fit."""

    # Values that `json.dumps` accepts: `task`, `headline`, `table`, `settings`, `leaderboard`, `comparison`, `folds`,
    # `rows`, `studies`, `generator_fits`, `seconds`, `notes`, `versions`
    facts: Facts
    # Pictures of each study as data URIs, by the study's name and the picture's title
    plots: Mapping[str, Mapping[str, str]]
    # Facts and pictures of the written rows of one fold; `None` where there is nothing to be drawn
    section: RowsSection | None = None

    def write(self, folder: Path) -> Path:
        """Write ``imbllm_report.json``, ``.md`` and ``.html`` into a folder, made if need be; return the HTML file."""
        texts = {
            _JSON: json.dumps(self.facts, indent=1, ensure_ascii=False),
            _MARKDOWN: fit_markdown(self.facts),
            _HTML: render_fit_report(self.facts, self.plots, self.section),
        }
        write_texts(folder, texts)
        return folder / _HTML

    def to_text(self, page: Path) -> str:
        """Leaderboard, comparison, verdict, cost, and where predictor and page lie, for a terminal."""
        facts, comparison, rows = self.facts, self.facts["comparison"], self.facts["rows"]
        settings, n_generators = facts["settings"], facts["generator_fits"]
        threshold = settings["decision_threshold"]
        above = "" if threshold is None else f", {facts['table']['positive']!r} above a probability of {threshold:.3f}"
        trained = f"Generators trained: {n_generators} (shared by all families and trials of a training fold)."
        lines = [
            f"Leaderboard ({metric_name(settings['metric'])} in AutoGluon's sign: higher is better)",
            _leaderboard_text(facts),
            "",
            f"Scores on {sum(comparison['counts'].values())} {comparison['rows']} rows",
            _comparison_text(facts),
            "",
            *_twins_text(comparison),
            facts["headline"],
            *_cost(facts["clock"]),
            f"Predictions: {facts['decision']['text']}"
            if "decision" in facts
            else f"Predictions use {settings['model_in_use']}{above}.",
            *([trained] if n_generators or facts["task"] == "classification" else []),
            *([f"Rows of fold {rows['fold']}: {rows['headline']}"] if rows.get("headline") else []),
            *facts["clock"]["notes"],
            f"Fit and comparison: {facts['seconds']:.0f} s{_limit(facts['clock'])}.",
            f"Predictor: {page.parent}",
            f"Report: {page}",
        ]
        return "\n".join(lines)


def report_fit(outcome: FitOutcome) -> FitReport:
    """Gather the facts of a finished job, judge the rows that were written, and draw."""
    job, predictor = outcome.job, outcome.predictor
    folds = fold_records(predictor, outcome.generator_fits)
    studies = _study_records(predictor)
    with quiet_libraries():
        rows, section = rows_facts(predictor, job.train.frame, folds)
    facts = {
        "format": _FORMAT,
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "task": job.train.task,
        "headline": outcome.comparison.verdict,
        "table": {
            "source": job.train.source,
            "label": job.train.label,
            "rows": len(job.train.frame),
            "features": job.train.frame.shape[1] - 1,
            **job.task.label_facts(predictor, folds),
        },
        "settings": _settings(outcome),
        "leaderboard": _leaderboard(outcome),
        "comparison": outcome.comparison.to_dict(),
        "answers": dict(outcome.answers),
        **_decision_facts(predictor),
        "folds": folds,
        "rows": rows,
        "studies": [study for study, _ in studies],
        "generator_fits": outcome.generator_fits,
        "seconds": outcome.seconds,
        "clock": _clock(predictor, folds),
        "notes": _notes(outcome, folds),
        "versions": _versions(),
    }
    return FitReport(facts, _plots(studies), section)


def report_again(folder: Path, out: Path | None = None, wish: Mapping[str, Any] | None = None) -> Path:
    """Write the report of the predictor in a folder again, there or into `out`; return the HTML file.

    With a `wish`, arguments of :func:`decide`, the predictor is decided anew; nothing is fitted.

    What the fit led to is read from its ``imbllm_report.json``; the rows are judged and drawn again. A predictor that
    was not fitted by ``imbllm fit`` has no such file: of it, the rows alone are reported.
    `StoredStateError`: the folder holds no predictor, its report is broken, or there is neither a report nor rows.
    """
    predictor, out = load_predictor(folder), out or folder
    if wish:
        with quiet_libraries():
            decide(predictor, **wish)
    file = Path(folder) / _JSON
    if not file.is_file():
        return _report_rows_alone(predictor, folder, out)
    facts = _stored(file)
    with quiet_libraries():
        rows, section = rows_facts(predictor, facts.get("rows", {}).get("others"), facts["folds"])
        studies = _study_records(predictor)
    facts |= _decision_facts(predictor)
    if wish:
        facts["answers"] = {**facts.get("answers", {}), "confusion": confusion(predictor)}
    if section is not None or not facts.get("rows", {}).get("measures"):
        facts["rows"] = rows
    return FitReport(facts, _plots(studies), section).write(out)


def _decision_facts(predictor: TabularPredictor) -> Facts:
    """The stored decision, where there is one: a sentence, and what is expected of it and of AutoGluon's answers."""
    decision = stored_decision(predictor)
    if decision is None:
        return {}
    figures = [
        {"figure": name, "chosen": str(chosen), "autogluon": str(decision.otherwise[name])}
        for name, chosen in decision.expected.items()
    ]
    told = {"headline": decision.headline, "threshold": decision.threshold, "reached": decision.reached}
    return {"decision": {**told, "unseen_rows": decision.unseen_rows, "figures": figures, "text": str(decision)}}


def _clock(predictor: TabularPredictor, folds: list[Facts]) -> Facts:
    """What the models took of the time limit, and what was cut for it, a sentence each."""
    clock: Facts = getattr(predictor._trainer, "imbllm_clock", {"limit": None, "seconds": {}, "notes": []})
    cut = sum("time limit" in note or "in time" in note for fold in folds for note in fold["notes"])
    hurried = [f"The time limit ended training or writing of generators {cut} times; see the report."] if cut else []
    others = "LatentDiff" if predictor.problem_type == "regression" else "language-model classifiers"
    seconds = {others if kind == "others" else kind: spent for kind, spent in clock["seconds"].items()}
    return {**clock, "seconds": seconds, "notes": [*clock["notes"], *hurried]}


def _limit(clock: Facts) -> str:
    return "" if clock["limit"] is None else f" (limit of the fit: {clock['limit']:.0f} s)"


def _cost(clock: Facts) -> list[str]:
    """Seconds of what is ours beside those of the plain models: what a gain costs."""
    plain, ours = clock["seconds"].get("plain", 0.0), {**clock["seconds"], "plain": 0.0}
    told = ", ".join(f"{kind} {seconds:.0f} s" for kind, seconds in ours.items() if seconds)
    return [f"It took {told}, beside {plain:.0f} s of the plain models."] if told else []


def _stored(file: Path) -> Facts:
    try:
        facts: Facts = json.loads(file.read_text(encoding="utf-8"))
        found = facts.get("format")
    except (ValueError, AttributeError, OSError) as error:
        raise StoredStateError(f"{file} is no report of a fit ({error}); fit again.") from error
    if found != _FORMAT:
        raise StoredStateError(f"{file} has format {found}, and this version reads {_FORMAT}; fit again.")
    return facts


def _report_rows_alone(predictor: TabularPredictor, folder: Path, out: Path) -> Path:
    with quiet_libraries():
        fold = written_rows(predictor)
    if fold is None:
        raise StoredStateError(
            f"{folder} holds neither {_JSON} nor written rows; name the folder of a fit with twins whose cache was "
            "not cleared."
        )
    return _judged(fold, f"Rows written for {predictor.label}, fold {fold.name}").write(out)


def rows_facts(
    predictor: TabularPredictor, known: Known = None, folds: Sequence[Facts] = ()
) -> tuple[Facts, RowsSection | None]:
    """Judge the rows written for the first fold that has some: facts (or the `reason` why not), and with pictures."""
    fold = written_rows(predictor, known)
    if fold is None:
        written = any(record["added"] for record in folds)
        gone = "The written rows are no longer in the cache of the predictor, or cannot be told from real ones."
        return {"reason": gone if written else "No rows were written."}, None
    started = time.perf_counter()
    try:
        section = _judged(fold).section
    except ImbLLMError as error:  # a fold of odd rows must not cost the report of the fit
        return {"reason": f"The rows of fold {fold.name} could not be judged: {error}"}, None
    where = {"fold": fold.name, "model": fold.model, "method": fold.method, "original": fold.original}
    others = {name: getattr(value, "item", lambda value=value: value)() for name, value in fold.others.items()}
    plain = {name: value for name, value in others.items() if isinstance(value, _PLAIN)}
    seconds = time.perf_counter() - started
    return {"reason": "", **where, "others": plain, "seconds": seconds, **section.facts}, section


def _judged(fold: WrittenFold, title: str = "") -> QualityReport:
    return report(fold.real, fold.synthetic, label=fold.label, holdout=fold.held_out, title=title)


def _study_records(predictor: TabularPredictor) -> list[tuple[Facts, dict[str, str]]]:
    """Studies in the folder of a predictor, the newest of each model, with more than one trial: facts and pictures.

    A fit that was gone on with under other settings leaves several studies of one model.
    """
    import optuna

    journal = cache_of(Path(predictor.path)) / STUDIES
    if not journal.is_file():
        return []
    storage = journal_storage(journal)
    studies = [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]
    tuned = [study for study in studies if len(study.get_trials(deepcopy=False)) > 1]
    newest = {study.study_name.rpartition("-")[0]: study for study in sorted(tuned, key=_began)}
    return [(_study_facts(name, study), study_plots(study)) for name, study in newest.items()]


def _began(study: Any) -> datetime:
    """When the last trial of a study began."""
    times = [trial.datetime_start for trial in study.get_trials(deepcopy=False) if trial.datetime_start]
    return max(times, default=datetime.min)  # noqa: DTZ901 - Optuna's times are naive


def _study_facts(name: str, study: Any) -> Facts:
    ended = [t for t in study.get_trials(deepcopy=False) if t.state.name in ("COMPLETE", "PRUNED", "FAIL")]
    best = max((t for t in ended if t.state.name == "COMPLETE"), key=lambda trial: trial.value, default=None)
    trials = [
        {"number": t.number, "state": t.state.name.lower(), "value": _number(t.value), "params": t.params}
        for t in ended
    ]
    return {"name": name, "trials": trials, "best": None if best is None else best.number}


def _plots(studies: list[tuple[Facts, dict[str, str]]]) -> dict[str, dict[str, str]]:
    """Pictures of each study as data URIs."""
    head = "data:image/svg+xml;base64,"
    return {
        study["name"]: {title: head + base64.b64encode(svg.encode()).decode() for title, svg in pictures.items()}
        for study, pictures in studies
    }


def _leaderboard(outcome: FitOutcome) -> list[Facts]:
    """Each model's kind, scores, seconds and weight, by validation score, which is what AutoGluon chooses by.

    The generator answers nothing: it is a cost of the twins.
    """
    predictor, test = outcome.predictor, outcome.job.test
    board = predictor.leaderboard(None if test is None else test.frame).sort_values("score_val", ascending=False)
    ensemble = predictor._trainer.load_model(outcome.comparison.pair.whole)
    weights = ensemble._get_model_weights() if hasattr(ensemble, "_get_model_weights") else {}
    return [
        {
            "model": row["model"],
            "kind": model_kind(predictor, row["model"]),
            "score_val": _number(row["score_val"]),
            "score_test": _number(row.get("score_test")),
            "fit_seconds": _number(row["fit_time_marginal"]),
            "weight": _number(weights.get(row["model"])),
        }
        for row in board.to_dict("records")
        if model_kind(predictor, row["model"]) != "generator"
    ]


def _settings(outcome: FitOutcome) -> Facts:
    job, predictor, arguments = outcome.job, outcome.predictor, outcome.job.fit_arguments()
    return {
        "presets": arguments["presets"],
        "metric": job.task.eval_metric,
        "folds": arguments.get("num_bag_folds"),
        "bag_sets": job.bag_sets,
        "seed": job.seed,
        "time_limit": job.time_limit,
        "ids": job.id_column,
        "ignored_columns": list(job.ignored),
        "families": list(job.families),
        **({"noisy_rows": f"{len(job.noisy.frame)} of {job.noisy.source}"} if job.noisy else {}),
        "twin_parameters": dict(job.settings),
        "latent_diff_parameters": dict(job.latent_diff),
        "model_in_use": predictor.model_best,
        "decision_threshold": _number(predictor.decision_threshold),
    }


def _notes(outcome: FitOutcome, folds: list[Facts]) -> list[str]:
    """What a reader should know before trusting a figure, each said once."""
    job, predictor, comparison = outcome.job, outcome.predictor, outcome.comparison
    tables = (("training", job.train, "left out"), ("test", job.test, "not scored"), ("noisy", job.noisy, "left out"))
    without = [(kind, table.dropped, fate) for kind, table, fate in tables if table is not None and table.dropped]
    notes = [f"{n} {kind} rows have no label and were {fate}." for kind, n, fate in without]
    notes += _unlearned(outcome)
    if comparison.rows != "test":
        chosen = "weights and thresholds" if job.train.task == "classification" else "weights"
        notes.append(
            f"Scores are on {comparison.rows} rows, by which ensemble {chosen} were chosen too, "
            "so they are a little too good; give a test table for honest ones."
        )
    notes += [
        *comparison.notes,
        *_why_no_twins(outcome),
        *_clock(predictor, folds)["notes"],
        *_fold_notes(folds),
        *_unused(folds),
    ]
    for where, told in latent_reports(predictor):
        notes += [f"{where}: {note.rstrip('.')}." for note in (told["reason"], *told.get("notes", ())) if note]
    failures = predictor.model_failures().to_dict("records")
    notes += [f"{row['model']} was not fitted: {row['exc_type']}." for row in failures]
    return list(dict.fromkeys(notes))


def _unlearned(outcome: FitOutcome) -> list[str]:
    train, learned = outcome.job.train, outcome.predictor.class_labels_internal_map
    names = [str(name) for name in train.counts if name not in learned] if train.task == "classification" else []
    left_out = f"AutoGluon left out classes with too few rows: {', '.join(names)}. They are never predicted."
    return [left_out] if names else []


def _why_no_twins(outcome: FitOutcome) -> list[str]:
    job, predictor = outcome.job, outcome.predictor
    if any(model_kind(predictor, name) == "twin" for name in base_models(predictor)[1]):
        return []
    reason = plan_for(job.task.problem_type, job.train.frame[job.train.label], job.rebalancing).reason
    return [f"No model has a twin: {reason}."] if reason else []


def _unused(folds: list[Facts]) -> list[str]:
    """Rows that were written for nothing, as the clock left out the twins for them."""
    unused = [fold for fold in folds if fold["added"] and not fold["learned"]]
    names, methods = ", ".join(fold["name"] for fold in unused), ", ".join({fold["method"]: 0 for fold in unused})
    return (
        [f"No twin learned from the rows that {methods} wrote ({names}): none was fitted for them."] if unused else []
    )


def _fold_notes(folds: list[Facts]) -> list[str]:
    about: dict[str, list[str]] = {}
    for fold in folds:
        for note in fold["notes"]:
            about.setdefault(note, []).append(fold["name"])
    n = len({fold["name"] for fold in folds})
    return [
        f"{'All folds' if len(names) == n > 1 else 'Fold ' + ', '.join(names)}: {note}" for note, names in about.items()
    ]


def _versions() -> dict[str, str]:
    installed = {name: next((d.version for d in metadata.distributions(name=name)), "") for name in _LIBRARIES}
    return {"python": platform.python_version(), **{name: version for name, version in installed.items() if version}}


def _number(value: Any) -> float | None:
    """A finite float, or `None`."""
    return None if value is None or not math.isfinite(value) else float(value)


def _leaderboard_text(facts: Facts) -> str:
    board, figure = facts["leaderboard"], FIGURES[facts["task"]]
    columns = {
        "model": [row["model"] for row in board],
        "kind": [row["kind"] for row in board],
        "validation": [figure(row["score_val"]) for row in board],
        "test": [figure(row["score_test"]) for row in board],
        "weight": ["" if row["weight"] is None else number(row["weight"], 2) for row in board],
        "seconds": [number(row["fit_seconds"], 1) for row in board],
    }
    if facts["comparison"]["rows"] != "test":
        del columns["test"]
    return aligned(columns)


def _comparison_text(facts: Facts) -> str:
    scores, figure = facts["comparison"]["scores"], FIGURES[facts["task"]]
    columns = {
        "metric": [_metric_text(score) for score in scores],
        "plain ensemble": [figure(score["plain"]) for score in scores],
        "whole ensemble": [figure(score["whole"]) for score in scores],
        "rows": [str(score["rows"]) for score in scores],
        "better": [
            score["better"] if score["better"] != "neither" else "" if score["gain"] is None else "equal"
            for score in scores
        ],
    }
    if scores[0]["rows"] is None:
        del columns["rows"]
    return aligned(columns)


def _twins_text(comparison: Facts) -> list[str]:
    """Each twin beside its plain model, and whether duplicates would have done as much."""
    twins = comparison["twins"]
    columns = {
        "model": [each["model"] for each in twins],
        "kind": [each["kind"] for each in twins],
        "against the plain model": [each["words"] for each in twins],
        "seconds of both": [f"{each['plain_seconds']:.1f} / {each['seconds']:.1f}" for each in twins],
    }
    told = [comparison["baseline"], ""] if comparison["baseline"] else [""]
    head = "Twins beside their plain models (gain ± half of its 95 % interval)"
    return [head, aligned(columns), *told] if twins else told[:-1]


def _metric_text(score: Facts) -> str:
    """Metric, the sense that is not usual, and the thresholds that were used."""
    thresholds = [number(value, 3) for value in score["thresholds"] if value is not None]
    at = f" at threshold {' / '.join(thresholds)}" if thresholds else ""
    return f"{metric_name(score['metric'])}{at}{'' if score['higher_is_better'] else ' (lower is better)'}"


def aligned(columns: Mapping[str, list[str]]) -> str:
    """Text columns to the left, figures to the right."""
    placed = []
    for name, cells in columns.items():
        width = max(map(len, (name, *cells)))
        placed.append([cell.ljust(width) if name in _LEFT else cell.rjust(width) for cell in (name, *cells)])
    return "\n".join("  " + "  ".join(line).rstrip() for line in zip(*placed, strict=True))
