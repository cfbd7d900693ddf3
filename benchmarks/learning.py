"""What the language model has learned of the rare class, judged on rows that it has not seen.

Stratified splits, 60 % of the rows to learn and 40 % to judge on; classes of fewer than 10 rows are left out. The
rarest class is written, one row for each real one, and one fit serves all figures. Nats are those of an unseen rare
row's values behind its class, with the columns in four drawn orders; a number is taken to its nearest bin, a category
that was not learned is left out. Independent columns have the same tokens: the shares of the class, smoothed by five
rows that are spread as the fold is, or by as many as suit the learned rare rows. `trained four times as long` takes
four times the steps on all rows, `started otherwise` begins from random weights instead of those that have seen other
tables, or from these instead of random ones. `other real rows` are half of the learned rare rows, as if they had been
written for the other half. Associations, discriminator, coverage, copies and membership are those of `quality`.
LightGBM (its defaults) and logistic regression (scaled, one-hot) learn the real rows alone, or with the new ones.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks import quality
from benchmarks.ablation import resolved
from benchmarks.classifiers import scores_of
from benchmarks.dependence import (
    INDEPENDENT,
    LONG,
    NATS,
    OTHER_START,
    RARE_ROWS,
    SHARE,
    SMOOTHED,
    STRICT,
    learned,
    nats_of,
    with_shares,
)
from benchmarks.methods import IMBLLM, NONE, PEERS, RANDOM, SMOTE_NC, chosen, load_libraries, new_rows
from benchmarks.protocol import Claim, Metric, Options, Protocol, Spec, Task
from benchmarks.quality import OTHERS
from benchmarks.report import by_table, claims, compared, summary, verdict
from benchmarks.scores import AVERAGE_PRECISION
from benchmarks.tables import PREFIX, Rows, Split, Table, split_classes
from imbllm_autogluon.tables.dtypes import holds_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHOOSING = (
    *("hypothyroid", "registry:page-blocks0", "registry:vehicle1", "registry:yeast5"),
    *("registry:winequality-red-8_vs_6", "registry:german", "registry:flare"),
)
"""Tables on which defaults may be chosen: mixed with gaps, numbers, mixed without gaps, categories."""

CONFIRMING = (
    *("registry:abalone9-18", "registry:pc1", "registry:stroke", "registry:newthyroid", "registry:dermatology"),
    *("registry:kr-vs-k-zero-one_vs_draw", "registry:skillcraft", "registry:vowel0"),
)
"""Tables on which nothing is chosen, ever."""

LONGER = 4
"""Times the steps on all rows. Ten times the steps of every stage over-fit: nats of `vehicle1` rose from 41.6 to 62.7,
those of `yeast5` from 20.3 to 32.2 (one split)."""

FEWEST = 10
"""Rows of a class: 6 to learn, as many as ImbLLM needs for a language model, and 4 to judge on."""

FEWEST_PAIRS, FEWEST_VALUES = 3, 4
"""Pairs of numeric columns that are looked at, and different learned values of such a column."""

REAL_PAIRS, WRITTEN_PAIRS = "strongest pairs, real", "strongest pairs, written"
FITTING, WRITING = "fit s", "writing s"
AUC = "discriminator AUC"
MEASURES = (
    *("associations kept", AUC, "coverage", "close probability"),
    *("membership-inference advantage", "near copies"),
)
KEPT_ASKED, AUC_ASKED = 0.8, 0.7
"""Least share of the strongest correlations that is written, and highest mean AUC."""

PRECISIONS = {name: f"{AVERAGE_PRECISION}, {name}" for name in ("LightGBM", "logistic regression")}


def methods_of(options: Options) -> dict[str, Spec]:
    """Controls, peers, ImbLLM, and two other models of it that tell how much there is to be learned."""
    language = resolved(options.settings).language
    assert language.pretrain_steps is not None
    imbllm = {"method": "imbllm", **options.settings}
    models = {IMBLLM: imbllm, LONG: {**imbllm, "pretrain_steps": LONGER * language.pretrain_steps}}
    if language.has_shipped_shape:
        models[OTHER_START] = {**imbllm, "pretrained": not language.pretrained}
    return {**chosen(NONE, RANDOM, SMOTE_NC), OTHERS: {"method": OTHERS}, **models}


def split_of(table: Table, seed: int) -> Split:
    """Hold out 40 % of the rows of each class, and want as many rows of the rarest as are learned."""
    split = split_classes(table, seed, 0.4, FEWEST)
    rarest = split.classes[-1]
    return split._replace(counts={rarest: int((split.real.y == rarest).sum())})


def describe(table: Table, options: Options) -> str:
    """Rows of each class in the first split."""
    return str(split_of(table, options.seed))


def measure(task: Task) -> dict[str, float | None]:
    """All figures of a method on one split."""
    split, seed, method = split_of(task.table, task.split), task.split, task.spec["method"]
    load_libraries("sklearn.ensemble", "sklearn.linear_model", "lightgbm")
    unseen = rare_of(split, split.test.frame)
    if method == "none":
        return taught(split, split.real, seed)
    if method == OTHERS:
        real, given = quality.written(split, task.spec, seed, task.threads)
        return rows_figures(rare_of(split, real), rare_of(split, given), unseen, seed)
    new, figures = write_rows(split, task)
    rows = rows_figures(rare_of(split, split.real.frame), new.X, unseen, seed)
    return {**figures, **rows, **taught(split, split.real.followed_by(new), seed)}


def rare_of(split: Split, frame: pd.DataFrame) -> pd.DataFrame:
    """Features of the rows of the rarest class."""
    label = split.real.y.name
    return frame[frame[label] == split.classes[-1]].drop(columns=label).reset_index(drop=True)


def write_rows(split: Split, task: Task) -> tuple[Rows, dict[str, float | None]]:
    """New rows, CPU seconds, and what the language model knows of unseen rows, where there is one."""
    started = time.process_time()
    if task.spec["method"] in PEERS:
        new = new_rows(split.real, split.counts, task.spec, task.split, task.threads)
        return new, {WRITING: time.process_time() - started}
    from imbllm_autogluon.oversampling.methods import generator_of

    generator = generator_of(task.spec, random_state=task.split, threads=task.threads)
    generator.fit(split.real.X, split.real.y, split.counts)
    fitted = time.process_time()
    new = Rows(*generator.sample())
    seconds = {FITTING: fitted - started, WRITING: time.process_time() - fitted}
    rare = float((pd.concat([split.real.y, split.test.y]) == split.classes[-1]).sum())
    return new, {**nats_of(generator, split, task.split), **seconds, RARE_ROWS: rare}


def rows_figures(real: pd.DataFrame, new: pd.DataFrame, unseen: pd.DataFrame, seed: int) -> dict[str, float | None]:
    """Measures of rows of the rarest class next to those that were learned and those that were held out."""
    from imbllm_autogluon.quality import evaluate

    found = evaluate(real, new, holdout=unseen, seed=seed)
    return {**{name: found.measure(name).value for name in MEASURES}, **strongest_pairs(real, new, unseen)}


def strongest_pairs(real: pd.DataFrame, new: pd.DataFrame, unseen: pd.DataFrame) -> dict[str, float]:
    """Rank correlation of the strongest fifth of the pairs of numeric columns, positive as it is among learned rows.

    The learned rows choose the pairs, at least three; the real figure is that of the unseen rows, since the strongest
    of many pairs of few rows are strong by chance. Empty where there are fewer than three pairs.
    """
    named = [name for name in real if holds_numbers(real[name].dtype) and real[name].nunique() >= FEWEST_VALUES]
    i, j = np.triu_indices(len(named), 1)
    if len(i) < FEWEST_PAIRS:
        return {}
    found = [np.nan_to_num(part[named].corr("spearman").to_numpy()[i, j]) for part in (real, unseen, new)]
    kept = np.argsort(-np.abs(found[0]), kind="stable")[: max(FEWEST_PAIRS, len(i) // 5)]
    signs = np.sign(found[0][kept])
    return {REAL_PAIRS: float((signs * found[1][kept]).mean()), WRITTEN_PAIRS: float((signs * found[2][kept]).mean())}


def taught(split: Split, learned: Rows, seed: int) -> dict[str, float | None]:
    """Average precision of each classifier on the rows held out, percent."""
    judged = {name: scores_of(learned, split.test, split.real.X, split.classes[-1], seed, name) for name in PRECISIONS}
    return {metric: judged[name][AVERAGE_PRECISION] for name, metric in PRECISIONS.items()}


def rows_asked(tidy: pd.DataFrame, _: Protocol) -> str:
    """Correlations and discriminator of the written rows next to what is asked of them."""
    own = tidy[tidy["method"] == IMBLLM].pivot_table("value", "table", "metric").mean()
    lines = []
    if WRITTEN_PAIRS in own and own[REAL_PAIRS] > 0:
        ratio = own[WRITTEN_PAIRS] / own[REAL_PAIRS]
        told = (
            f"{own[WRITTEN_PAIRS]:.2f} written, {own[REAL_PAIRS]:.2f} real: {ratio:.2f} (asked: at least {KEPT_ASKED})"
        )
        lines.append(f"- Strongest pairs: {verdict(ratio >= KEPT_ASKED)}: {told}")
    if AUC in own:
        lines.append(f"- {AUC}: {verdict(own[AUC] <= AUC_ASKED)}: {own[AUC]:.2f} (asked: at most {AUC_ASKED})")
    return "\n\n".join(["## Written rows", f"Means over the tables of {IMBLLM}.", "\n".join(lines)]) if lines else ""


def bare(names: Sequence[str]) -> list[str]:
    """Names of tables as results call them."""
    return [name.removeprefix(PREFIX) for name in names]


def parts(tidy: pd.DataFrame) -> Mapping[str, Sequence[str]]:
    """All tables, and both halves."""
    return {"All tables": [*tidy["table"].unique()], "For choosing": bare(CHOOSING), "For confirming": bare(CONFIRMING)}


PROTOCOL = Protocol(
    name="learning",
    about=__doc__,
    methods=methods_of,
    always=(NONE, RANDOM, SMOTE_NC),
    measure=measure,
    metrics=(
        Metric(NATS, "of an unseen rare row's values behind its class", "lower", 2),
        Metric(INDEPENDENT, "the same were the columns independent within the class", "", 2),
        Metric(SMOOTHED, "the same with as much smoothing as suits the learned rare rows best", "", 2),
        Metric(SHARE, "of the dependence, beyond independent columns; 1: as much as the lowest model", decimals=2),
        Metric(STRICT, "the same, beyond smoothed ones", decimals=2),
        Metric(REAL_PAIRS, "rank correlation of the strongest fifth of the pairs of numbers, unseen rows", "", 2),
        Metric(WRITTEN_PAIRS, "of the same pairs, written rows", "", 2),
        *(metric for metric in quality.PROTOCOL.metrics if metric.name in MEASURES),
        *(Metric(name, "of the rarest class on unseen rows; percent", compared=True) for name in PRECISIONS.values()),
        Metric(FITTING, "CPU seconds of learning the table", ""),
        Metric(WRITING, "CPU seconds of writing the rows", "", 2),
    ),
    tables=(*CHOOSING, *CONFIRMING),
    rows=2500,
    describe=describe,
    derive=with_shares,
    references=(RANDOM, SMOTE_NC),
    claims=(
        *(Claim(IMBLLM, name, peer, mean=0.0) for name in PRECISIONS.values() for peer in (RANDOM, SMOTE_NC)),
        *(Claim(IMBLLM, name, OTHERS) for name in (*MEASURES, WRITTEN_PAIRS)),
    ),
    parts=parts,
    page=(claims, learned, rows_asked, summary, compared, by_table),
)
