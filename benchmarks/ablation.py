"""Every choice of ImbLLM changed alone, judged as in [paper](paper.md).

ImbLLM with its defaults, and with one thing changed at a time; rows, classifier and figures as in [paper](paper.md).
Splits and seeds are the same for all methods. `default` stands for its own value on every axis. A rarest class of few
rows to learn has its new rows by interpolation alone: most methods are then the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from benchmarks import paper
from benchmarks.classifiers import CLASSIFIERS, XGBOOST
from benchmarks.methods import NONE
from benchmarks.paper import KEPT, ROWS, SECONDS, split_of
from benchmarks.protocol import Claim, Metric, Options, Protocol, Spec, Task
from benchmarks.report import by_table, claims, compared, summary
from benchmarks.scores import AVERAGE_PRECISION, F1, RARE_CLASS
from imbllm_autogluon._random import child_seed
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.imbllm import ImbLLM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.tables import Rows, Split

DEFAULT, NO_ROWS = "default", "no oversampling"

CLOSE, COVERAGE, GAIN = "close probability", "coverage", "F1 above none"

KEPT_SHARE, CLASSIFIER = "kept_share", "classifier"

OF_THE_JUDGING = (KEPT_SHARE, CLASSIFIER)
"""Axes that are no settings of ImbLLM: they change what it is given, or who learns its rows, and with that the figures
without oversampling too."""

MOST_JUDGED = 2_000
"""Written rows that are judged: shares among so many are known to 0.02."""

DRAWS = 20
"""Of as many written rows as there are test rows: all of them reach every test row (754 rows of a barely trained model
reached all 10 of `hypothyroid`), so that coverage would be 100 % for every method."""


class Axis(NamedTuple):
    """One thing that is changed, everything else being as it is by default."""

    values: Mapping[str, Mapping[str, Any]]
    """Settings of each value, by what a reader calls it."""

    claims: tuple[tuple[str, str, str], ...]
    """Metric, the value that is expected to have a higher figure, and the other value or `NO_ROWS`."""


def _values(name: str, *values: str | float) -> dict[str, dict[str, Any]]:
    """One setting with each of its values, called by the value."""
    return {value if isinstance(value, str) else f"{value:g}": {name: value} for value in values}


def axes_of(options: Options) -> dict[str, Axis]:
    """All axes by the name of the setting; the steps of the default are moved where there is no warm-up."""
    language = resolved(options.settings).language
    steps = (language.steps or 0) + (language.pretrain_steps or 0)
    conditions = {f"yx {k}": {"conditioning": "yx", "condition_pairs": k} for k in (1, 2, 3, 5)}
    pretraining = {**_values("pretrain", "fold", "none"), "none, all steps": {"pretrain": "none", "steps": steps}}
    orders = [(F1, "fix_y", "permute_x"), (F1, "fix_y", "permute_xy")]
    quarters, shares = (0.0, 0.25, 0.5, 0.75, 1.0), (0.1, 0.2, 0.3, 0.4, 0.5)
    precise = [(AVERAGE_PRECISION, "fold", name) for name in list(pretraining)[1:]]
    learners = [(metric, name, NO_ROWS) for name in CLASSIFIERS for metric in (F1, AVERAGE_PRECISION)]
    found: dict[str, tuple[Any, ...]] = {
        # arXiv 2510.09783: all features can attend to a label that comes first; more diverse prompts and rows help.
        "order": (_values("order", "fix_y", "permute_x", "permute_xy"), *orders),
        "conditioning": ({"y": {"conditioning": "y"}, **conditions}, (F1, "yx 1", "y"), (COVERAGE, "yx 1", "y")),
        "interpolation_ratio": (_values("interpolation_ratio", *quarters), (COVERAGE, "1", "0"), (F1, "1", "0")),
        # A lower temperature writes rows that are more typical, a higher one rows that are more diverse.
        "temperature": (_values("temperature", 0.5, 0.7, 1.0), (CLOSE, "0.5", "1"), (COVERAGE, "1", "0.5")),
        # The paper begins with a pretrained model; all rows first help a small one, and not by their steps alone.
        "pretrain": (pretraining, *precise, (CLOSE, "fold", "none, all steps")),
        "interpolation": (_values("interpolation", "linear", "adaptive"), (CLOSE, "adaptive", "linear")),
        "categories": (_values("categories", "keep", "neighbour", "vote"), (COVERAGE, "neighbour", "keep")),
        "interpolated_clauses": (_values("interpolated_clauses", "all", "continuous"),),
        # Rows that look like another class mislead a classifier.
        "plausibility": (_values("plausibility", *quarters), (F1, "0.5", "0"), (AVERAGE_PRECISION, "0.5", "0")),
        "numbers": (_values("numbers", "bins", "digits"), (F1, "bins", "digits")),
        "constrained": ({str(on).lower(): {"constrained": on} for on in (True, False)}, (F1, "true", "false")),
        "backbone": (_values("backbone", "compact", "compact_masked", "smollm2"),),
        # The fewer rows of the rarest class there are, the more the written ones help, whatever learns them.
        KEPT_SHARE: (_values(KEPT_SHARE, *shares), (GAIN, "0.1", "0.5")),
        CLASSIFIER: (_values(CLASSIFIER, *CLASSIFIERS), *learners),
    }
    return {name: Axis(values, tuple(claims)) for name, (values, *claims) in found.items()}


SLOW = "backbone: smollm2"
"""A pretrained backbone takes hours instead of minutes."""


def methods_of(options: Options) -> dict[str, Spec]:
    """No oversampling, the default, and what differs from the default in one thing.

    Examples
    --------
    >>> [name for name in methods_of(Options()) if name.startswith("temp")]
    ['temperature: 0.5', 'temperature: 1']
    """
    found: dict[str, Spec] = {NONE: {"method": "none"}, DEFAULT: {"method": "imbllm", **options.settings}}
    for axis, (values, _) in axes_of(options).items():
        for value, changed in values.items():
            name = method_of(axis, value, changed, options)
            if name != DEFAULT:
                found[name] = {**found[DEFAULT], **changed}
            if name != DEFAULT and axis in OF_THE_JUDGING:
                found[without_rows(name)] = {"method": "none", **changed}
    return found


def method_of(axis: str, value: str, changed: Spec, options: Options) -> str:
    """Name of the method of a value; a value that ImbLLM has anyway is the default."""
    if axis in OF_THE_JUDGING:
        same = changed in ({KEPT_SHARE: KEPT}, {CLASSIFIER: XGBOOST})
    else:
        same = resolved({**options.settings, **changed}) == resolved(options.settings)
    return DEFAULT if same else f"{axis}: {value}"


def resolved(settings: Spec) -> GeneratorConfig:
    """Settings of ImbLLM with the choices of the method and the backbone filled in."""
    config = GeneratorConfig.from_flat(settings)
    learner = ImbLLM.learner_class(config, 0, None)
    return replace(learner.sampling(), language=config.language.with_defaults(**learner.choices).resolved())


def without_rows(method: str) -> str:
    """Name of the method without oversampling that is judged as another one is."""
    return NONE if method == DEFAULT else f"{NONE}, {method}"


def measure(task: Task) -> dict[str, float | None]:
    """Let a method prepare one split, judge what a classifier learns from it, and judge the rows themselves."""
    spec = {key: value for key, value in task.spec.items() if key not in OF_THE_JUDGING}
    split = split_of(task.table, task.split, task.spec.get(KEPT_SHARE, KEPT))
    learned, figures = paper.judged(split, spec, task, task.spec.get(CLASSIFIER, XGBOOST))
    costs = {name: figures.pop(name) for name in (ROWS, SECONDS)}
    return {**figures, **written_figures(learned, split, task.split), **costs}


def written_figures(learned: Rows, split: Split, seed: int) -> dict[str, float | None]:
    """Close probability and coverage of the new rows of the rarest class, percent, against its test rows alone.

    The few rows that are learned would say little of the class, and other things for every share of them that is kept.
    None without new rows, or where the class has too few test rows.
    """
    from imbllm_autogluon.quality import evaluate

    n_real = len(split.real.y)
    new = learned.X.iloc[n_real:][(learned.y.iloc[n_real:] == split.classes[-1]).to_numpy()]
    if new.empty:
        return {CLOSE: None, COVERAGE: None}
    real = split.test.X[(split.test.y == split.classes[-1]).to_numpy()].reset_index(drop=True)
    judged = new.sample(min(len(new), MOST_JUDGED), random_state=seed).reset_index(drop=True)
    close = evaluate(real, judged, seed=seed).measure(CLOSE).value
    return {CLOSE: None if close is None else 100.0 * close, COVERAGE: _coverage(real, judged, seed)}


def _coverage(real: pd.DataFrame, new: pd.DataFrame, seed: int) -> float | None:
    """Percent of the real rows that as many new ones reach, mean of some draws; None for too few real rows."""
    from imbllm_autogluon.quality.columns import paired_columns
    from imbllm_autogluon.quality.distances import points
    from imbllm_autogluon.quality.fidelity import _NEIGHBORS, _density_and_coverage

    if len(real) <= _NEIGHBORS:
        return None
    size = min(len(real), len(new))
    draws = [new.sample(size, random_state=child_seed(seed, "order", "coverage", draw)) for draw in range(DRAWS)]
    return 100.0 * sum(_density_and_coverage(*points(paired_columns(real, drawn)))[1] for drawn in draws) / DRAWS


def with_gains(tidy: pd.DataFrame) -> pd.DataFrame:
    """The figures, and behind them each method's F1 above that of no oversampling, judged alike."""
    f1 = tidy[tidy["metric"] == F1]
    keys = ["table", "split", "method"]
    base = f1.assign(method=f1["method"].map(_reference))[keys].merge(f1[[*keys, "value"]], on=keys, how="left")
    gains = f1.assign(metric=GAIN, value=f1["value"].to_numpy() - base["value"].to_numpy())
    return pd.concat([tidy, gains.dropna(subset="value")], ignore_index=True)


def _reference(method: str) -> str:
    """The method without oversampling that is judged alike; of such a method itself."""
    if method.startswith(f"{NONE}, "):
        return method
    return without_rows(method) if method.partition(":")[0] in OF_THE_JUDGING else NONE


def _claims() -> tuple[Claim, ...]:
    """What is expected of each axis."""
    found = []
    for axis, (values, expected) in axes_of(Options()).items():
        names = {value: method_of(axis, value, changed, Options()) for value, changed in values.items()}
        for metric, higher, lower in expected:
            other = without_rows(names[higher]) if lower == NO_ROWS else names[lower]
            found.append(Claim(names[higher], metric, other, mean=0.0))
    return tuple(found)


PROTOCOL = Protocol(
    name="ablation",
    about=__doc__,
    methods=methods_of,
    slow=(SLOW,),
    always=(NONE, DEFAULT),
    measure=measure,
    metrics=(
        *RARE_CLASS,
        Metric(GAIN, f"{F1} less that without oversampling on the same split with the same classifier, points"),
        Metric(
            CLOSE, "of the new rows, as near to a test row of the class as 95 % of its test rows are", compared=True
        ),
        Metric(COVERAGE, f"of the test rows of the class, reached by as many new ones, {DRAWS} draws", compared=True),
        Metric(ROWS, "", ""),
        Metric(SECONDS, "", ""),
    ),
    rows=5000,
    repeats=5,
    describe=paper.describe,
    derive=with_gains,
    references=(DEFAULT,),
    claims=_claims(),
    page=(claims, summary, compared, by_table),
)
