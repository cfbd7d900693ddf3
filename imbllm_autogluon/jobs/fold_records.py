"""What the twins of a fitted predictor remember about the folds they were fitted on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.jobs.contenders import base_models, is_twin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from autogluon.tabular import TabularPredictor

ALL_ROWS = "all rows"
"""Name of the one fold of a model that is not bagged."""


@dataclass(frozen=True)
class FoldRecord:
    """One training fold; all families share it, and the generator made for it."""

    name: str
    """The fold in AutoGluon's words: ``S1F2`` is repeat 1, fold 2; ``all rows`` for models that are not bagged."""

    before: Mapping[str, int]
    """Real rows by class, or by number of the bin."""

    added: Mapping[str, int]
    """Written rows by class, or by number of the bin."""

    reason: str
    """Why nothing was written, or an empty string."""

    generator: str
    """Key of the generator in the cache; empty where there is none."""

    seconds: float
    """Training the generator."""

    sampling_seconds: float
    """Writing the rows."""

    training_tokens: int
    """Value tokens learned from."""

    sampling_tokens: int
    """Value tokens written."""

    parameters: int
    """Weights of the language model."""

    losses: Mapping[str, tuple[float, ...]]
    """Loss of each training stage, nats for each value token, by step."""

    notes: tuple[str, ...]
    """What was set aside, cut, replaced or stopped early."""

    copies: Mapping[str, Mapping[str, int]]
    """Rows too like real ones, by class or number of the bin: ``dropped`` (written anew), ``kept``, and the same of
    near copies (``near_dropped``, ``near_kept``)."""

    edges: tuple[float, ...] = ()
    """Edges of the bins of a continuous target; empty for classes."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, losses rounded to four decimals."""
        losses = {stage: [round(loss, 4) for loss in curve] for stage, curve in self.losses.items()}
        return {**asdict(self), "losses": losses, "notes": list(self.notes)}


def fold_records(predictor: TabularPredictor, n_generators: int) -> list[FoldRecord]:
    """Records of all distinct folds, in the order of AutoGluon's.

    Parameters
    ----------
    predictor
        A fitted predictor.
    n_generators
        Number of generators in its cache (0: unknown). Once all have been met no further model is read from disk: a
        bag of forests takes seconds, and families only repeat each other's folds.
    """
    labels = {str(code): str(label) for label, code in (predictor.class_labels_internal_map or {}).items()}
    found: dict[str, FoldRecord] = {}
    for twin in twins_and_refitted(predictor):
        for name, report in child_reports(predictor, twin):
            record = _record(name, report, labels)
            found.setdefault(record.generator or f"{name} {record.reason}", record)
        if n_generators and sum(1 for record in found.values() if record.generator) >= n_generators:
            break
    return sorted(found.values(), key=lambda record: record.name)


def twins_and_refitted(predictor: TabularPredictor) -> list[str]:
    """Names of the twins, then of their refitted copies, whose folds may be all that is left."""
    twins = [name for name in base_models(predictor)[1] if is_twin(predictor, name)]
    refitted = predictor.model_refit_map()
    return [*twins, *(refitted[name] for name in twins if name in refitted)]


def child_reports(predictor: TabularPredictor, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Reports of the folds of one of our models; a bag whose folds were deleted after refitting has none left."""
    model = predictor._trainer.load_model(name)
    for fold, child in fitted_children(model):
        if getattr(child, "imbllm_report", None):
            yield fold, child.imbllm_report


def fitted_children(model: Any) -> Iterator[tuple[str, Any]]:
    """Name of each training fold of a model, and what was fitted on it; a model that is no bag has one, all rows."""
    children = getattr(model, "models", None)
    if children is None:
        yield ALL_ROWS, model
        return
    for child in children:
        loaded = model.load_child(child)
        if loaded is not None:
            yield str(getattr(child, "name", child)), loaded


def _record(name: str, report: Mapping[str, Any], labels: Mapping[str, str]) -> FoldRecord:
    oversampling = report.get("oversampling", {})
    return FoldRecord(
        name=name,
        before={labels.get(code, code): n for code, n in report["before"].items()},
        added={labels.get(code, code): n for code, n in report["added"].items()},
        reason=report["reason"],
        generator=oversampling.get("generator", ""),
        seconds=float(oversampling.get("training_seconds", 0.0)),
        sampling_seconds=float(oversampling.get("sampling_seconds", 0.0)),
        training_tokens=int(oversampling.get("training_tokens", 0)),
        sampling_tokens=int(oversampling.get("sampling_tokens", 0)),
        parameters=int(oversampling.get("parameters", 0)),
        losses={stage: tuple(curve) for stage, curve in oversampling.get("losses", {}).items()},
        notes=tuple(_notes(report, labels)),
        copies={
            labels.get(entry["label"], entry["label"]): _copies(entry) for entry in oversampling.get("classes", ())
        },
        edges=tuple(report.get("edges", ())),
    )


def _copies(entry: Mapping[str, Any]) -> dict[str, int]:
    """Counts of one class; a fit of an earlier version knows nothing of near copies."""
    return {
        "dropped": entry["copies_dropped"],
        "kept": entry["copies_kept"],
        "near_dropped": entry.get("near_copies_dropped", 0),
        "near_kept": entry.get("near_copies_kept", 0),
    }


def _notes(report: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[str]:
    """What one fold has to say beyond its counts."""
    yield from (f"{note}." for note in report["notes"])
    oversampling = report.get("oversampling", {})
    yield from (f"Not written by the language model: {reason}" for reason in oversampling.get("set_aside", {}).values())
    for entry in oversampling.get("classes", ()):
        yield from _notes_of(entry, _name(labels.get(entry["label"], entry["label"]), is_bin="edges" in report))
    for stage, reason in oversampling.get("stopped_by", {}).items():
        if reason != "steps":
            yield f"Training ({stage}) was stopped by the {reason}."


def _name(label: str, *, is_bin: bool) -> str:
    """A class, or the targets of a bin, in the middle of a sentence."""
    return f"targets {label}" if is_bin else f"class {label!r}"


def _notes_of(entry: Mapping[str, Any], name: str) -> Iterator[str]:
    """What there is to say of the new rows of one class, or of the targets of one bin."""
    if entry["method"] != "language model":
        yield f"{name[0].upper()}{name[1:]}: {entry['rows']} rows; the new ones are made by {entry['method']}."
    if entry.get("implausible_dropped"):
        yield f"Rows of {name} that looked like another class, written anew: {entry['implausible_dropped']}."
    if entry.get("implausible_kept"):
        yield f"Rows of {name} that looked like another class and had to stay: {entry['implausible_kept']}."
    copies = _copies(entry)
    if copies["dropped"]:
        yield f"Copies of real rows of {name}, written anew: {copies['dropped']}."
    if copies["kept"]:
        yield f"Copies of real rows of {name} that had to stay: {copies['kept']}."
    if copies["near_dropped"]:
        yield f"Near copies of real rows of {name}, written anew: {copies['near_dropped']}."
    if copies["near_kept"]:
        yield f"Near copies of real rows of {name} that had to stay: {copies['near_kept']}."
