"""What twins add to AutoGluon's ensemble where a class is rare (protocol A).

Forty-eight naturally imbalanced tables were listed before anything was measured on them. Defaults are chosen on one
half (`--half choosing`, splits from 100 on), and shown on the other (`confirming`, splits from 0 on); all tables of a
family, which share rows, are in the same half, and count as tables of their own in means and tests. No table is listed
that the shipped weights have seen, that a single column separates (shuttle, kddcup), or that has 200 columns and more
(sylva, hiva). They have 214 to 28,056 rows, cut to 2,000 by a stratified draw, and the largest class is 2.3 (german) to
175 times as large as the rarest; classes of fewer than 15 rows are left out. Numbers, categories and both are there.

A quarter of the rows is unseen, in stratified splits. One predictor on each split fits all models in bagging folds: the
families as they are (`plain`), the same once more with another seed, and twins whose folds get duplicated rows, rows of
SMOTE-NC or rows written by ImbLLM, all three at the same dose: the package's default. `default twins` are those of the
presets: of ImbLLM, for two classes of SMOTE-NC in forests. That several classes have no SMOTE-NC there was decided
after seeing the confirming half; their figures are those of the same models under `plain + ImbLLM twins`. Each method
is a weighted ensemble over some of these models, weighted by out-of-fold rows; plain models are the same in all
methods. `plain`, `plain twice` and `class weights` have AutoGluon's ensemble, the others that of this package's
presets; `plain, our ensemble` is it over the plain models alone, so that what twins add is the difference from it.
AutoGluon's metric is average precision of the rarer class, or balanced accuracy where there are more than two. `plain
twice` is a control: what more models of the same sort do. Boosted trees end 50 rounds behind the best one, where
AutoGluon waits up to 300, which takes most of its time on small tables. `class weights` is a predictor of its own with
`sample_weight="balance_weight"`. `plain + tuned twins` are the twins of the preset `imbllm_tuned`, measured where it is
named; its seconds are those of all trials. A setting that is a dose applies to all twins, any other to those of ImbLLM.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from benchmarks import ensembles
from benchmarks.ensembles import AGAIN, FIT_SECONDS, PLAIN, TWICE, WEIGHT, Fit, twin
from benchmarks.protocol import Claim, Metric, Option, Options, Protocol, Spec, Task
from benchmarks.report import by_table, claims, compared, differences, markdown, summary
from benchmarks.scores import AVERAGE_PRECISION, BALANCED, F1, LOG_LOSS, MACRO_F1, MCC, ROC_AUC, percent, without_zeros
from benchmarks.tables import PREFIX, Split, Table, listed_tables, split_classes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autogluon.tabular import TabularPredictor


WEIGHTS, OURS = "class weights", "plain, our ensemble"
DUPLICATES, SMOTE_NC = "plain + duplicates", "plain + SMOTE-NC twins"
IMBLLM, TUNED = "plain + ImbLLM twins", "plain + tuned twins"
DEFAULT = "plain + default twins"
BOTH, ALL = "plain + duplicates + SMOTE-NC twins", "plain + all three"

TWINS: Mapping[str, str] = {"Random": "random", "Smote": "smote_nc", "ImbLLM": "imbllm"}
"""How the twins of each sort rebalance; those that are tuned choose."""

DOSES = ("rows_per_real_row", "target_ratio", "majority_ratio")
"""Settings that all twins share."""

TWIN_TUNED = "Tuned"

SORTS = (AGAIN, *TWINS, TWIN_TUNED)

METHODS: Mapping[str, Spec] = {
    PLAIN: {"adds": []},
    TWICE: {"adds": [AGAIN]},
    OURS: {"adds": [], "ensemble": "ours"},
    DUPLICATES: {"adds": ["Random"], "ensemble": "ours"},
    SMOTE_NC: {"adds": ["Smote"], "ensemble": "ours"},
    IMBLLM: {"adds": ["ImbLLM"], "ensemble": "ours"},
    DEFAULT: {"adds": ["ImbLLM", "Smote"], "forests": "Smote", "ensemble": "ours"},
    BOTH: {"adds": ["Random", "Smote"], "ensemble": "ours"},
    ALL: {"adds": [*TWINS], "ensemble": "ours"},
    TUNED: {"adds": [TWIN_TUNED], "ensemble": "ours"},
    WEIGHTS: {"adds": [], "weights": True},
}
"""Sorts of models that each method has next to the plain ones, and whose ensemble chooses among them."""

GENERATORS = "generators"

RARE_ROWS, FEW = "rare rows", 60
"""Rows of the smallest class that is measured, of which few are fewer than 60."""

FEWEST = 15
"""Rows of a class: 11 to learn (AutoGluon leaves out classes of fewer than 10), and 4 to judge on."""

TWO, SEVERAL = "Two classes", "More classes"
WITH_FEW, WITH_MORE = f"Two classes, fewer than {FEW} rare rows", f"Two classes, {FEW} rare rows and more"


def tables_of(half: str) -> tuple[str, ...]:
    """Tables of one half, those of two classes first."""
    listed = listed_tables()
    own = tuple(f"{PREFIX}{name}" for name in listed.index[listed["half"] == half])
    return ("hypothyroid", *own) if half == "choosing" else own


def split_of(table: Table, seed: int) -> Split:
    """Rows of all classes with their shares."""
    return split_classes(table, seed, 0.25, FEWEST)


def predictor_of(split: Split, path: str, **more: Any) -> TabularPredictor:
    """AutoGluon's predictor; the rarer of two classes is the positive one."""
    from autogluon.tabular import TabularPredictor

    if len(split.classes) == 2:
        own = {"problem_type": "binary", "eval_metric": "average_precision", "positive_class": split.classes[-1]}
    else:
        own = {"problem_type": "multiclass", "eval_metric": "balanced_accuracy"}
    return TabularPredictor(str(split.real.y.name), path=path, verbosity=0, **own, **more)


def describe(table: Table, options: Options) -> str:
    """Rows of each class in the first split."""
    return str(split_of(table, options.seed))


def together(methods: Mapping[str, Spec]) -> list[Mapping[str, Spec]]:
    """All methods are one fit, but class weights."""
    groups = [
        {name: spec for name, spec in methods.items() if bool(spec.get("weights")) is own} for own in (False, True)
    ]
    return [group for group in groups if group]


def measure(task: Task) -> list[dict[str, Any]]:
    """Fit the models of all methods on one split, and judge every method on unseen rows."""
    split = split_of(task.table, task.split)
    weights = {"sample_weight": "balance_weight"} if WEIGHTS in task.methods else {}

    def judge(fit: Fit, names: dict[str, str]) -> dict[str, dict[str, float]]:
        answers = fit.predictor.predict_proba_multi(split.test.X, models=list(names.values()))
        rare = {RARE_ROWS: float(task.table.counts[split.classes[-1]])}
        return {
            method: {**judged(fit.predictor, name, answers[name], split), **rare, **_more_costs(fit, method)}
            for method, name in names.items()
        }

    models = portfolio(task.methods, task.options)
    if len(split.classes) > 2:
        task = task._replace(methods={name: _of_several(spec) for name, spec in task.methods.items()})
    return ensembles.measure_fit(
        task, lambda path: predictor_of(split, path, **weights), split.real.frame, models, SORTS, judge
    )


def _of_several(spec: Spec) -> Spec:
    """A method where there are more than two classes: no sort of its own for forests."""
    return {**spec, "adds": ["ImbLLM"], "forests": None} if "forests" in spec else spec


def portfolio(methods: Mapping[str, Spec], options: Options) -> ensembles.Portfolio:
    """Plain models, and what the methods add: the same with another seed, and twins of each sort."""
    from imbllm_autogluon.plugin.parameters import SEARCHER
    from imbllm_autogluon.plugin.twins import TWIN_SUFFIX

    families, own = options["family"], options.settings
    added = {sort for spec in methods.values() for sort in spec["adds"]}
    dose = {key: value for key, value in own.items() if key in DOSES}
    settings = {sort: own if sort == "ImbLLM" else dose for sort in TWINS}
    twins = [twin(sort, {**settings[sort], "method": method}) for sort, method in TWINS.items() if sort in added]
    if TWIN_TUNED in added:
        trials = {} if options["trials"] is None else {"num_trials": options["trials"]}
        search = {"searcher": SEARCHER, "scheduler": "local", **trials}
        twins.append(twin(TWIN_TUNED, own, {"hyperparameter_tune_kwargs": search}))
    of_twins = {
        f"{family}{TWIN_SUFFIX}": [ensembles.patience(family) | each for each in twins] for family in families if twins
    }
    return {**ensembles.plain_models(families, added), **of_twins}


def judged(predictor: TabularPredictor, model: str, answers: pd.DataFrame, split: Split) -> dict[str, float]:
    """Figures of one ensemble's answers for the test rows, shape (n, classes), a column for each class."""
    from imbllm_autogluon.plugin.ensemble import _without_tilt

    truth = split.test.y
    if len(split.classes) > 2:
        return of_classes(truth, answers, _without_tilt(predictor, model, answers))
    rarer = split.classes[-1]
    limits = {
        name: float(predictor.calibrate_decision_threshold(metric=metric, model=model, verbose=False))
        for name, metric in CALIBRATED.items()
    }
    return of_rarer_class((truth == rarer).to_numpy(), answers[rarer].to_numpy(), limits)


CALIBRATED: Mapping[str, str] = {F1: "f1", BALANCED: "balanced_accuracy", MCC: "mcc"}
"""Figures of decisions between two classes, and AutoGluon's names of what their thresholds are tuned for."""


def of_rarer_class(rare: np.ndarray, probability: np.ndarray, limits: Mapping[str, float]) -> dict[str, float]:
    """Figures of two classes: whether a row is of the rarer class, and its probability, shape (n,).

    `limits` has the probability above which the rarer class is decided for, one for each of `CALIBRATED`.

    Examples
    --------
    >>> limits = {"F1": 0.2, "balanced accuracy": 0.2, "MCC": 0.5}
    >>> found = of_rarer_class(np.array([False, False, True]), np.array([0.1, 0.3, 0.4]), limits)
    >>> found["balanced accuracy"], found["MCC"], found["average precision"]
    (75.0, 0.0, 100.0)
    """
    from sklearn import metrics

    decided = {name: probability > limit for name, limit in limits.items()}
    shares: dict[str, Any] = {
        AVERAGE_PRECISION: metrics.average_precision_score(rare, probability),
        ROC_AUC: metrics.roc_auc_score(rare, probability),
        F1: metrics.f1_score(rare, decided[F1], zero_division=0.0),
        BALANCED: metrics.balanced_accuracy_score(rare, decided[BALANCED]),
        MCC: metrics.matthews_corrcoef(rare, decided[MCC]),
    }
    log_loss = metrics.log_loss(rare, without_zeros(np.c_[1.0 - probability, probability]))
    return {**percent(shares), LOG_LOSS: float(log_loss)}


def of_classes(truth: pd.Series[Any], answers: pd.DataFrame, probabilities: pd.DataFrame) -> dict[str, float]:
    """Figures of more than two classes: the highest answer is decided for, the log-loss is of the probabilities."""
    from sklearn import metrics

    known = truth.map({name: place for place, name in enumerate(probabilities.columns)}).to_numpy()
    decided = answers.to_numpy().argmax(axis=1)
    shares = {
        BALANCED: metrics.balanced_accuracy_score(known, decided),
        MACRO_F1: metrics.f1_score(known, decided, average="macro", zero_division=0.0),
    }
    numbers = without_zeros(probabilities.to_numpy())
    return {**percent(shares), LOG_LOSS: float(metrics.log_loss(known, numbers, labels=range(numbers.shape[1])))}


def _more_costs(fit: Fit, method: str) -> dict[str, float]:
    """Generators trained for a method, and the seconds of a search, whose models are only the best trials."""
    found = {FIT_SECONDS: _search_seconds(fit.predictor)} if method == TUNED else {}
    return {**found, GENERATORS: float(_generators(fit, method))} if method in (IMBLLM, DEFAULT, TUNED) else found


def _search_seconds(predictor: TabularPredictor) -> float:
    """Of all trials, those that AutoGluon was not handed included."""
    import optuna

    from imbllm_autogluon.rebalancing.cache import STUDIES, cache_of
    from imbllm_autogluon.search.studies import journal_storage

    storage = journal_storage(cache_of(Path(predictor.path)) / STUDIES)
    names = optuna.get_all_study_names(storage)
    trials = [trial for name in names for trial in optuna.load_study(study_name=name, storage=storage).trials]
    return sum(trial.duration.total_seconds() for trial in trials if trial.duration is not None)


def _generators(fit: Fit, method: str) -> int:
    """Generators that the twins of all families share; trials train those that their settings ask for in addition."""
    from imbllm_autogluon.jobs.folds import _child_reports
    from imbllm_autogluon.rebalancing.cache import cache_of
    from imbllm_autogluon.rebalancing.rows import GENERATORS as SHELF

    reports = [report for model in fit.models_of("ImbLLM")[:1] for _, report in _child_reports(fit.predictor, model)]
    shared = len({report.get("oversampling", {}).get("generator", "") for report in reports} - {""})
    return shared if method == IMBLLM else len(SHELF.keys(cache_of(Path(fit.predictor.path)))) - shared


def parts(tidy: pd.DataFrame) -> dict[str, list[str]]:
    """Tables of two classes, those of few and of more rare rows among them, and of more classes."""
    tables = list(dict.fromkeys(tidy["table"]))
    binary = set(tidy["table"][tidy["metric"] == AVERAGE_PRECISION])
    rare = tidy[tidy["metric"] == RARE_ROWS].groupby("table")["value"].first().reindex(tables)
    return {
        TWO: [table for table in tables if table in binary],
        WITH_FEW: [table for table in tables if table in binary and rare[table] < FEW],
        WITH_MORE: [table for table in tables if table in binary and rare[table] >= FEW],
        SEVERAL: [table for table in tables if table not in binary],
    }


def choice(_tidy: pd.DataFrame, _protocol: Protocol) -> str:
    """Every table that was listed, and in which half."""
    listed = listed_tables()
    packaged = {"half": "choosing", "rows": 3163, "classes": 2, "rarest": 151, "note": "UCI hypothyroid, packaged"}
    shown = pd.concat([pd.DataFrame(packaged, index=["hypothyroid"]), listed[listed["half"] != ""]])
    columns = {"rows": "rows", "classes": "classes", "rarest": "of the rarest", "half": "half", "note": "what it is"}
    frame = shown[list(columns)].rename(columns=columns).rename_axis("table").reset_index()
    return f"## Tables of both halves\n\n{markdown(frame)}"


def _claims() -> tuple[Claim, ...]:
    """Asked of twins against plain models, against our ensemble of them, and against the cheaper ways to make rows."""
    tied: list[tuple[str, dict[str, Any]]] = [
        (AVERAGE_PRECISION, {"tied": True, "part": TWO}),
        (BALANCED, {"tied": True, "part": SEVERAL}),
    ]
    asked: dict[str, list[tuple[str, dict[str, Any]]]] = {
        OURS: [
            (AVERAGE_PRECISION, {"mean": 0.5, "p": 0.05, "interval": True, "part": TWO}),
            (AVERAGE_PRECISION, {"mean": 1.0, "part": WITH_FEW}),
        ],
        PLAIN: [
            (AVERAGE_PRECISION, {"mean": 1.0, "part": TWO}),
            (AVERAGE_PRECISION, {"mean": 1.0, "part": WITH_FEW}),
            (LOG_LOSS, {"mean": 2.0, "part": TWO}),
            (ROC_AUC, {"mean": 0.0, "part": TWO}),
            (BALANCED, {"mean": 4.5, "interval": True, "part": SEVERAL}),
            (MACRO_F1, {"mean": 2.0, "interval": True, "part": SEVERAL}),
        ],
        DUPLICATES: tied,
        SMOTE_NC: tied,
    }
    of_twins = [
        Claim(method, metric, other, **limits)
        for method in (DEFAULT, IMBLLM, TUNED)
        for other, pairs in asked.items()
        for metric, limits in pairs
    ]
    return (*of_twins, *(Claim(OURS, metric, PLAIN) for metric in (AVERAGE_PRECISION, BALANCED, MACRO_F1, LOG_LOSS)))


PROTOCOL = Protocol(
    name="autogluon",
    about=__doc__,
    methods=partial(ensembles.with_settings, METHODS, (*TWINS, TWIN_TUNED)),
    slow=(TUNED,),
    always=(PLAIN,),
    together=together,
    measure=measure,
    tables=tables_of("confirming"),
    choosing=tables_of("choosing"),
    rows=2000,
    repeats=5,
    metrics=(
        Metric(AVERAGE_PRECISION, "of the probability of the rarer of two classes; percent", compared=True),
        Metric(ROC_AUC, "of the same; percent", compared=True),
        Metric(F1, "of the rarer of two classes, at the threshold that AutoGluon tunes for it; percent", compared=True),
        Metric(BALANCED, "two classes: at its own threshold; more: the highest answer; percent", compared=True),
        Metric(MCC, "of two classes, at its own threshold; percent", compared=True),
        Metric(MACRO_F1, "mean of F1 over more than two classes; percent", compared=True),
        Metric(LOG_LOSS, "nats, of calibrated probabilities", "lower", 3, compared=True, relative=True),
        Metric(FIT_SECONDS, "seconds of fitting what was added, generators included; else of the plain models", ""),
        Metric(WEIGHT, "percent of the ensemble that what was added makes up", ""),
        Metric(GENERATORS, "language models trained", ""),
    ),
    options={
        **ensembles.OPTIONS,
        "family": ensembles.OPTIONS["family"]._replace(default=("GBM", "XGB", "RF")),
        "half": Option(Literal["confirming", "choosing"], "confirming", "Tables to show defaults on, or to choose on."),
        "trials": Option(int | None, None, "Of tuned twins. Default: the preset's."),
    },
    describe=describe,
    references=(PLAIN, OURS),
    claims=_claims(),
    parts=parts,
    page=(claims, summary, compared, differences, by_table, choice),
)
