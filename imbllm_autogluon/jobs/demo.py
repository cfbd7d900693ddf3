"""The demo: plain models beside twins of three methods on packaged tables, judged on rows that no fit has seen."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from autogluon.core.callbacks import AbstractCallback
from autogluon.tabular import TabularPredictor
from sklearn.model_selection import StratifiedKFold

from imbllm_autogluon._config import progress_bar
from imbllm_autogluon._storage import write_texts
from imbllm_autogluon.classification.logit_adjustment import redrawn_within_classes
from imbllm_autogluon.datasets import load_hypothyroid, load_yeast
from imbllm_autogluon.jobs.compare import ScoredRows, base_models
from imbllm_autogluon.jobs.fit import quiet_libraries
from imbllm_autogluon.jobs.report import aligned, rows_facts
from imbllm_autogluon.jobs.task import Task
from imbllm_autogluon.plugin.decisions import decide
from imbllm_autogluon.plugin.ensemble import fit_ensemble
from imbllm_autogluon.plugin.portfolio import rebalance_hyperparameters
from imbllm_autogluon.quality.reports import metric_name, number, render_demo
from imbllm_autogluon.rebalancing import RebalanceConfig
from imbllm_autogluon.tables.labeled import LabeledTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

    from imbllm_autogluon.arrays import IntArray
    from imbllm_autogluon.quality.reports import RowsSection

    Range = tuple[float, float, float]  # a figure, and the ends of its 95 % interval

_USUAL, _PLAIN, _COPIES = "plain, AutoGluon's ensemble", "plain, our ensemble", "plain + duplicates"
_METHODS = {_COPIES: "random", "plain + SMOTE-NC": "smote_nc", "plain + ImbLLM": "imbllm"}
# A third of AutoGluon's trees in a third of the time; boosting ends 50 rounds behind the best one instead of up to 300
_FASTER = {"RF": {"n_estimators": 100}, "XGB": {"ag.early_stop": 50}}
_RESAMPLES = 200  # as in the comparison of a fit
_PAGE = "imbllm_demo.html"
_PRECISION = 0.8  # that decisions between two classes are to have
_POINTS = {
    "binary": f"Thresholds are those of decide(precision={_PRECISION}), chosen on the out-of-fold rows of each fit.",
    "multiclass": "Every row gets the class of the highest answer.",
}


@dataclass(frozen=True)
class Demo:
    """What is fitted on each table: plain models of some families, and twins of each of them by every method."""

    families: tuple[str, ...] = ("XGB", "RF")  # AutoGluon's keys
    folds: int = 3  # bagging folds
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the twins; the others have the package's defaults
    # On two cores next to another process one thread took 171 s, two 502 s: waiting threads of OpenMP spin
    threads: int = 1
    tables: ClassVar = {"hypothyroid": load_hypothyroid, "yeast": load_yeast}  # what loads each of them

    def run(self, name: str) -> DemoResult:
        """Judge all ensembles on a table: two fits, each on one half of the rows and for those of the other."""
        X, y = self.tables[name]()
        table = LabeledTable.from_frame(X.assign(**{str(y.name): y}), str(y.name), f"UCI {name}")
        task = Task(table, None, RebalanceConfig(), None)
        halves = StratifiedKFold(2, shuffle=True, random_state=0).split(X, y)
        with progress_bar(2 * sum(map(len, _portfolio(self).values())), f"fitting {name}", delay=0.0) as bar:
            told = _FittedModels(bar)
            fits = [_Half.fitted(self, task, *rows, told=told, drawn=not k) for k, rows in enumerate(halves)]
        return _result(self, task, fits)


class _FittedModels(AbstractCallback):  # type: ignore[misc]
    """Moves a bar by each model of a fit."""

    def __init__(self, bar: Any = None) -> None:
        super().__init__()
        self.bar = bar

    def __reduce__(self) -> Any:
        return type(self), ()  # AutoGluon stores callbacks, and a bar cannot be

    def _after_model_fit(self, *_: Any, **__: Any) -> bool:
        self.bar.update()
        return False


@dataclass(frozen=True, eq=False)
class DemoResult:
    """What the demo found on one table: plain facts, and pictures of rows that ImbLLM wrote."""

    facts: dict[str, Any]
    section: RowsSection | None

    def to_text(self) -> str:
        """The ensembles and the verdict, for a terminal."""
        facts, arms = self.facts, self.facts["arms"]
        columns = {
            "model": [arm["name"] for arm in arms],
            facts["metric"]: [number(arm["score"], 3) for arm in arms],
            "against our plain one (95 %)": [_signed(arm["gain"]) if arm["gain"] else "" for arm in arms],
            "seconds": [number(arm["seconds"], 0) for arm in arms],
        }
        return f"{facts['headline']}\n{aligned(columns)}\n{facts['verdict']}"

    @staticmethod
    def write_page(results: Sequence[DemoResult], folder: Path) -> Path:
        """Write one page on all results into a folder, in the place of an earlier one; return its path."""
        write_texts(folder, {_PAGE: render_demo([(result.facts, result.section) for result in results])})
        return folder / _PAGE


@dataclass(frozen=True, eq=False)
class _Half:
    """One fit, and what its ensembles say of the rows that it has not seen."""

    scored: ScoredRows
    names: Mapping[str, str]  # of the ensembles in the predictor, by those for readers
    decided: Mapping[str, IntArray]  # codes of classes, shape (n,) each, by the names for readers
    seconds: Mapping[str, float]  # of all models of an ensemble
    rows: RowsSection | None  # that ImbLLM wrote for one fold, if they are to be drawn

    @classmethod
    def fitted(
        cls, demo: Demo, task: Task, train: IntArray, test: IntArray, *, told: _FittedModels, drawn: bool
    ) -> _Half:
        """Fit on some rows of the table, and predict others."""
        frame = task.train.frame
        with tempfile.TemporaryDirectory() as folder, quiet_libraries():
            predictor = _fitted(demo, task, frame.iloc[train], f"{folder}/fit", told)
            names = _ensembles(predictor, demo.threads)
            scored = ScoredRows.of_classes(predictor, names.values(), frame, frame.iloc[test], n_metrics=1)
            decided = {arm: _decided(predictor, scored, name) for arm, name in names.items()}
            rows = rows_facts(predictor, frame)[1] if drawn else None
            return cls(scored, names, decided, _seconds(predictor, names), rows)


def _fitted(demo: Demo, task: Task, rows: pd.DataFrame, folder: str, told: _FittedModels) -> TabularPredictor:
    predictor = TabularPredictor(
        task.train.label,
        problem_type=task.problem_type,
        eval_metric=task.scorer,
        positive_class=task.positive,
        path=folder,
        verbosity=0,
    )
    return predictor.fit(
        rows,
        hyperparameters=_portfolio(demo),
        num_bag_folds=demo.folds,
        num_stack_levels=0,
        dynamic_stacking=False,
        fit_weighted_ensemble=False,
        num_cpus=demo.threads,
        callbacks=[told],
        ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
    )


def _portfolio(demo: Demo) -> dict[Any, Any]:
    """Plain models, and the twins of every method, which are called after it."""
    plain: dict[Any, Any] = {family: [_FASTER.get(family, {})] for family in demo.families}
    portfolio = dict(plain)
    for method in _METHODS.values():
        twins = rebalance_hyperparameters(plain, mode="only", method=method, **demo.settings)
        for key, configs in twins.items():
            named = [{**each, "ag_args": {**each.get("ag_args", {}), "name_suffix": f"_{method}"}} for each in configs]
            portfolio[key] = [*portfolio.get(key, []), *named]
    return portfolio


def _ensembles(predictor: TabularPredictor, threads: int) -> dict[str, str]:
    """Names of the ensembles in the predictor, by those for readers: over plain models, alone and with twins."""
    plain, twins = base_models(predictor)
    usual = predictor.fit_weighted_ensemble(base_models=plain, name_suffix="Usual", num_cpus=threads)
    names = {_USUAL: usual[-1], _PLAIN: fit_ensemble(predictor, plain, "Plain", threads)}
    for arm, method in _METHODS.items():
        chosen = [*plain, *(twin for twin in twins if _is_of(method, twin))]
        names[arm] = fit_ensemble(predictor, chosen, f"With_{method}", threads)
    return {arm: str(name) for arm, name in names.items()}


def _seconds(predictor: TabularPredictor, names: Mapping[str, str]) -> dict[str, float]:
    """Of fitting all that an ensemble chooses from, generators included."""
    spent, plain = predictor.leaderboard().set_index("model")["fit_time_marginal"], base_models(predictor)[0]
    return {
        arm: float(sum(spent[m] for m in spent.index if m in (*plain, name) or _is_of(_METHODS.get(arm), m)))
        for arm, name in names.items()
    }


def _decided(predictor: TabularPredictor, scored: ScoredRows, model: str) -> IntArray:
    """Codes of the classes that rows get: of two by the threshold for the wanted precision, else the highest answer."""
    if predictor.problem_type != "binary":
        return scored.answers(scored.metrics[0], model)
    predictor.set_model_best(model)
    threshold = decide(predictor, precision=_PRECISION, store=False).threshold
    return (scored.probabilities[model] > threshold).astype(np.int64)


def _is_of(method: str | None, model: str) -> bool:
    return f"_{method}_BAG" in model


def _result(demo: Demo, task: Task, fits: Sequence[_Half]) -> DemoResult:
    scored = _pooled([fit.scored for fit in fits])
    names, metric = fits[0].names, scored.metrics[0]
    samples = [*redrawn_within_classes(scored.strata, np.random.default_rng(0), _RESAMPLES)]
    drawn = dict(zip(names, scored.resampled(metric, list(names.values()), samples).T, strict=True))
    scores = {arm: scored.score(metric, name, np.arange(len(scored.labels))) for arm, name in names.items()}

    def gain(arm: str, other: str) -> Range:
        return _range(scores[arm] - scores[other], drawn[arm] - drawn[other])

    rare = _rare(scored.labels)
    decided = {arm: np.concatenate([fit.decided[arm] for fit in fits]) for arm in names}
    facts = {
        "source": task.train.source,
        "label": task.train.label,
        "classes": {str(name): n for name, n in task.train.counts.items()},
        "rare": {scored.names[code]: int((scored.labels == code).sum()) for code in rare},
        "features": task.train.features.shape[1],
        "rows": len(scored.labels),
        "metric": metric_name(metric.name),
        "families": demo.families,
        "folds": demo.folds,
        "arms": [
            {
                "name": arm,
                "score": scores[arm],
                "gain": None if arm == _PLAIN else gain(arm, _PLAIN),
                "seconds": sum(fit.seconds[arm] for fit in fits),
                **_decisions(scored.labels, decided[arm], rare, samples),
            }
            for arm in names
        ],
        "verdict": _verdict(gain),
        "point": _POINTS[task.problem_type],
        "notes": _notes(task, scored),
    }
    return DemoResult({**facts, "headline": _headline(facts)}, fits[0].rows)


def _pooled(parts: Sequence[ScoredRows]) -> ScoredRows:
    """The rows of all parts together, without what only one of them has."""

    def joined(pick: Callable[[ScoredRows], Mapping[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
        return {arm: np.concatenate([pick(part)[arm] for part in parts]) for arm in pick(parts[0])}

    labels = np.concatenate([part.labels for part in parts])
    predictions, probabilities = joined(lambda part: part.predictions), joined(lambda part: part.probabilities)
    return replace(parts[0], labels=labels, strata=labels, predictions=predictions, probabilities=probabilities)


def _rare(labels: IntArray) -> IntArray:
    """Codes of the classes with less than half of an even share of the rows, the largest first."""
    codes, sizes = np.unique(labels, return_counts=True)
    largest_first = np.argsort(-sizes, kind="stable")
    return codes[largest_first][sizes[largest_first] < len(labels) / len(codes) / 2]


def _range(value: float, drawn: npt.NDArray[Any]) -> Range:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(value), float(low), float(high)


def _decisions(
    labels: IntArray, decided: IntArray, rare: IntArray, samples: Sequence[npt.NDArray[np.intp]]
) -> dict[str, Range]:
    """Rare rows that are named by their class, those that are not, and other rows that are named by a rare class."""
    is_rare, is_right = np.isin(labels, rare), labels == decided
    found = {"caught": is_rare & is_right, "missed": is_rare & ~is_right, "false": np.isin(decided, rare) & ~is_right}
    return {kind: _range(rows.sum(), np.array([rows[at].sum() for at in samples])) for kind, rows in found.items()}


def _headline(facts: Mapping[str, Any]) -> str:
    rare = ", ".join(f"{name} {n}" for name, n in facts["rare"].items())
    return f"{facts['source']}: {facts['rows']} rows, each judged by a fit on the other half; rare: {rare}"


def _notes(task: Task, scored: ScoredRows) -> list[str]:
    known = set(scored.names.values())
    unknown = ", ".join(f"{label} ({n} rows)" for label, n in task.train.counts.items() if str(label) not in known)
    left_out = f"AutoGluon leaves out classes of fewer than 10 rows, so they are not scored: {unknown}."
    return [left_out] if unknown else []


def _verdict(gain: Callable[[str, str], Range]) -> str:
    """What the intervals allow to say: of the ensemble, of the best twins, and whether duplicates suffice."""
    gains = {arm: gain(arm, _PLAIN) for arm in _METHODS}
    better = [arm for arm in _METHODS if gains[arm][1] > 0]
    worse = [f"Worse than it: {arm}, {_signed(gains[arm])}." for arm in _METHODS if gains[arm][2] < 0]
    best = max(better, key=lambda arm: gains[arm][0], default=_COPIES)
    lead = gain(best, _COPIES)
    if not better:
        twins = "No twins make it better by more than chance."
    elif _COPIES in better and lead[1] <= 0:
        twins = f"Duplicates suffice here: {_signed(gains[_COPIES])}, and written rows are no better beyond chance."
    else:
        beyond = f"by {_signed(lead)}" if lead[1] > 0 else "not beyond chance"
        twins = f"Best is {best}: better than plain by {_signed(gains[best])}, than duplicates {beyond}."
    return " ".join([_of_ensemble(gain(_PLAIN, _USUAL)), twins, *worse])


def _of_ensemble(gain: Range) -> str:
    """How our ensemble over the plain models compares with AutoGluon's."""
    if gain[1] <= 0 <= gain[2]:
        return "Our ensemble over the plain models differs from AutoGluon's by no more than chance."
    than = f"{'better' if gain[0] > 0 else 'worse'} than AutoGluon's, {_signed(gain)}"
    return f"Our ensemble over the plain models is {than}."


def _signed(gain: Range) -> str:
    value, low, high = (f"{end:+.3f}" for end in gain)
    return f"{value} ({low} to {high})"
