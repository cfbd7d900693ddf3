"""Every choice of ImbLLM changed alone, judged as in [paper](paper.md).

ImbLLM with its defaults, and with one thing changed at a time; rows, classifier and figures as in [paper](paper.md).
Splits and seeds are the same for all methods. `default` stands for its own value on every axis. ± is the standard error
over all splits of all tables, of the difference on the same split. A rarest class of few rows to learn has its new rows
by interpolation alone: most methods are then the same.
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
from benchmarks.report import by_table, changes, claims, markdown, means, number, spread, summary
from benchmarks.scores import AVERAGE_PRECISION, F1, RARE_CLASS
from imbllm_autogluon.oversampling.config import GeneratorConfig, PlausibilityConfig
from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.randomness import child_seed

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

    name: str
    """Of the setting."""

    values: Mapping[str, Mapping[str, Any]]
    """Settings of each value, by what a reader calls it."""

    expected: str
    claims: tuple[tuple[str, str, str], ...] = ()
    """Metric, the value that is expected to have a higher figure, and the other value or `NO_ROWS`."""


def _axis(name: str, values: Any, expected: str, *claims: tuple[str, str, str]) -> Axis:
    """One axis; values without settings are those of the setting with its name."""
    if not isinstance(values, dict):
        values = {value if isinstance(value, str) else f"{value:g}": {name: value} for value in values}
    return Axis(name, values, expected, claims)


def axes_of(options: Options) -> tuple[Axis, ...]:
    """All axes; the steps of the default are moved where there is no warm-up."""
    language = resolved(options.settings).language
    steps = (language.steps or 0) + (language.warmup_steps or 0)
    pairs = {f"yx {k}": {"conditioning": "yx", "condition_pairs": k} for k in (1, 2, 3, 5)}
    warmups = {"fold": {"warmup": "fold"}, "none": {"warmup": "none"}}
    learners = [(metric, name, NO_ROWS) for name in CLASSIFIERS for metric in (F1, AVERAGE_PRECISION)]
    return (
        _axis(
            *("order", ("fix_y", "permute_x", "permute_xy")),
            "label first (`fix_y`), which all features can attend to, beats label last or anywhere (arXiv 2510.09783)",
            *((F1, "fix_y", "permute_x"), (F1, "fix_y", "permute_xy")),
        ),
        _axis(
            *("conditioning", {"y": {"conditioning": "y"}, **pairs}),
            "prompts of the label and so many features (`yx`) beat the label alone: more diverse rows (the same paper)",
            *((F1, "yx 1", "y"), (COVERAGE, "yx 1", "y")),
        ),
        _axis(
            *("interpolation_ratio", (0.0, 0.25, 0.5, 0.75, 1.0)),
            "learning interpolated rows too makes the rows more diverse and the classifier better (the same paper)",
            *((COVERAGE, "1", "0"), (F1, "1", "0")),
        ),
        _axis(
            *("temperature", (0.5, 0.7, 1.0)),
            "a lower one writes rows that are more typical, a higher one rows that are more diverse; the paper has 0.7",
            *((CLOSE, "0.5", "1"), (COVERAGE, "1", "0.5")),
        ),
        _axis(
            *("warmup", {**warmups, "none, all steps": {"warmup": "none", "steps": steps}}),
            "a small model learns little from few rows; all rows of the fold first help it, not for their steps alone",
            (
                (AVERAGE_PRECISION, "fold", "none"),
                *((one, "fold", "none, all steps") for one in (AVERAGE_PRECISION, CLOSE)),
            ),
        ),
        _axis(
            *("interpolation", ("linear", "adaptive")),
            "no straight line across the gap between two modes of a class (`adaptive`) keeps rows closer to real ones",
            (CLOSE, "adaptive", "linear"),
        ),
        _axis(
            *("categories", ("keep", "neighbour", "vote")),
            "categories of the neighbor make rows more diverse; the paper interpolates numbers alone",
            (COVERAGE, "neighbour", "keep"),
        ),
        _axis(
            *("interpolated_clauses", ("all", "continuous")),
            "nothing; the paper's code writes interpolated rows without categories (`continuous`)",
        ),
        _axis(
            *("plausibility", (0.0, 0.25, 0.5, 0.75, 1.0)),
            "rows that look like another class mislead a classifier; refusing them raises F1 and average precision",
            *((F1, "0.5", "0"), (AVERAGE_PRECISION, "0.5", "0")),
        ),
        _axis(
            *("numbers", ("bins", "digits"), "digits suit a pretrained model; a small one learns quantile bins sooner"),
            (F1, "bins", "digits"),
        ),
        _axis(
            *("constrained", {"true": {"constrained": True}, "false": {"constrained": False}}),
            "legal rows at any stage of training cost nothing; the paper mends illegal cells",
            (F1, "true", "false"),
        ),
        _axis("backbone", ("compact", "compact_masked", "smollm2"), "the method does not hang on one model"),
        _axis(
            *(KEPT_SHARE, (0.1, 0.2, 0.3, 0.4, 0.5)),
            "the fewer rows of the rarest class there are, the more the written ones help",
            (GAIN, "0.1", "0.5"),
        ),
        _axis(CLASSIFIER, tuple(CLASSIFIERS), "the rows help whatever learns them", *learners),
    )


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
    for axis in axes_of(options):
        for value, changed in axis.values.items():
            name = method_of(axis, value, options)
            if name != DEFAULT:
                found[name] = {**found[DEFAULT], **changed}
            if name != DEFAULT and axis.name in OF_THE_JUDGING:
                found[without_rows(name)] = {"method": "none", **changed}
    return found


def method_of(axis: Axis, value: str, options: Options) -> str:
    """Name of the method of a value; a value that ImbLLM has anyway is the default."""
    changed = dict(axis.values[value])
    if axis.name in OF_THE_JUDGING:
        same = changed in ({KEPT_SHARE: KEPT}, {CLASSIFIER: XGBOOST})
    else:
        same = resolved({**options.settings, **changed}) == resolved(options.settings)
    return DEFAULT if same else f"{axis.name}: {value}"


def resolved(settings: Spec) -> GeneratorConfig:
    """Settings of ImbLLM with the choices of the method and the backbone filled in."""
    config = GeneratorConfig.from_flat(settings)
    if config.plausible.plausibility is None:
        config = replace(config, plausible=PlausibilityConfig(ImbLLM.own_plausibility))
    return replace(config, language=config.language.with_defaults(**ImbLLM.own_choices).resolved())


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
    from imbllm_autogluon.quality.measures.coverage import NEIGHBOURS
    from imbllm_autogluon.quality.measures.density import density_and_coverage

    if len(real) <= NEIGHBOURS:
        return None
    size = min(len(real), len(new))
    draws = [new.sample(size, random_state=child_seed(seed, "order", "coverage", draw)) for draw in range(DRAWS)]
    return 100.0 * sum(density_and_coverage(real, drawn.reset_index(drop=True)).coverage for drawn in draws) / DRAWS


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


def all_axes(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """What was expected of each axis, and its values with their differences from the default."""
    return "\n\n".join(text for axis in axes_of(Options()) if (text := _axis_text(tidy, protocol, axis)))


def _axis_text(tidy: pd.DataFrame, protocol: Protocol, axis: Axis) -> str:
    """One axis; empty where it was not measured."""
    names = _measured(axis, tidy)
    if len(names) < 2:
        return ""
    shown = (F1, AVERAGE_PRECISION, CLOSE, COVERAGE, *((GAIN,) if axis.name in OF_THE_JUDGING else ()))
    found, lines = means(tidy), []
    metrics = [metric for metric in protocol.metrics if metric.name in shown and metric.name in found]
    differences = changes(tidy, DEFAULT, metrics).groupby("method")
    for value, name in names.items():
        line = {axis.name: f"{value} (default)" if name == DEFAULT else value}
        line |= {metric.name: number(found[metric.name][name], metric) for metric in metrics}
        for metric in metrics[:2] if name != DEFAULT else ():
            line[f"{metric.name} less default"] = spread(differences.get_group(name)[metric.name], metric)
        lines.append(line)
    return f"## {axis.name}\n\nExpected: {axis.expected}.\n\n{markdown(pd.DataFrame(lines).fillna(''))}"


def _measured(axis: Axis, tidy: pd.DataFrame) -> dict[str, str]:
    """Name of the method of each value that was measured; the default was measured under its own name.

    The only value that is absent is what was the default then; of several, what is the default now.
    """
    known = set(tidy["method"])
    names = {value: f"{axis.name}: {value}" for value in axis.values}
    absent = [value for value, name in names.items() if name not in known]
    if len(absent) > 1:
        absent = [value for value in absent if method_of(axis, value, Options()) == DEFAULT]
    return {
        value: DEFAULT if value in absent else name
        for value, name in names.items()
        if name in known or (value in absent and DEFAULT in known)
    }


def _claims() -> tuple[Claim, ...]:
    """What is expected of each axis, in figures."""
    found = []
    for axis in axes_of(Options()):
        for metric, higher, lower in axis.claims:
            method = method_of(axis, higher, Options())
            other = without_rows(method) if lower == NO_ROWS else method_of(axis, lower, Options())
            found.append(Claim(method, metric, other, mean=0.0))
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
        Metric(CLOSE, "share of the new rows that are as near to a test row of the class as 95 % of its test rows are"),
        Metric(COVERAGE, f"share of the test rows of the class that as many new ones reach, mean of {DRAWS} draws"),
        Metric(ROWS, "", ""),
        Metric(SECONDS, "", ""),
    ),
    rows=5000,
    repeats=5,
    describe=paper.describe,
    derive=with_gains,
    claims=_claims(),
    page=(claims, all_axes, summary, by_table),
)
