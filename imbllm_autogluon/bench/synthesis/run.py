"""``imbllm bench synthesis``: tables written by Pred-LLM and by GReaT, judged on real rows that neither has seen."""

from __future__ import annotations

import time
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.bench.answers import judge
from imbllm_autogluon.bench.named_tables import packaged_and_named
from imbllm_autogluon.bench.pieces import measured, pieces_of
from imbllm_autogluon.bench.results import RESULTS, command_line, versions, write_results
from imbllm_autogluon.bench.synthesis.page import GREAT, METRICS, ORDERED, PRED_LLM, REAL, page_text, summary
from imbllm_autogluon.oversampling import GeneratorConfig, PredLLM
from imbllm_autogluon.oversampling.synthesis import TableSynthesizer
from imbllm_autogluon.quality.measures.density import density_and_coverage
from imbllm_autogluon.quality.measures.discriminator import discriminator_auc
from imbllm_autogluon.quality.measures.inverse_kl import inverse_kl
from imbllm_autogluon.quality.measures.novelty import copied_share
from imbllm_autogluon.quality.measures.pairs import paired_columns
from imbllm_autogluon.quality.measures.trees import Trees
from imbllm_autogluon.quality.measures.utility import train_on_synthetic
from imbllm_autogluon.randomness import child_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from imbllm_autogluon.tables.labelled import LabelledTable

    FloatArray = npt.NDArray[np.float64]

ARMS: dict[str, dict[str, Any]] = {
    REAL: {},
    PRED_LLM: {"method": "pred_llm"},
    "Pred-LLM, highest answer": {"method": "pred_llm", "answer": "highest"},
    ORDERED: {"method": "pred_llm", "order": "permute_xy"},
    GREAT: {"method": "great"},
}
"""The learned rows themselves, then method and settings of each generator."""

PRETRAINED_ARMS = {arm: ARMS[arm] for arm in (REAL, PRED_LLM, GREAT)}
"""A pretrained backbone takes minutes to hours for each arm."""

TEST_SHARE = 0.4


def run(
    backbone: str = "compact",
    tables: Sequence[str] = (),
    rows: int = 3000,
    steps: int | None = None,
    repeats: int = 2,
    threads: int = 1,
    fresh: bool = False,
    folder: Path = RESULTS,
) -> Path:
    """Measure all arms and write ``synthesis.csv`` and ``synthesis.md``; returns the page.

    Parameters
    ----------
    backbone
        Of the generators; a pretrained one has fewer arms and its name in the names of the files.
    tables
        ``FILE:LABEL`` of tables beside the packaged one.
    rows
        Most rows of a table.
    steps
        Training steps; None: the default.
    repeats
        Splits of each table.
    threads
        torch threads.
    fresh
        Measure everything anew.
    folder
        Where to write.
    """
    work = pieces_of("synthesis", fresh=fresh)
    arms = ARMS if backbone == "compact" else PRETRAINED_ARMS
    # Both generators train in one stage, as long as the two of the configuration.
    common = {"backbone": backbone, **({} if steps is None else {"warmup_steps": 0, "steps": steps})}
    entries = []
    for (name, table), seed, arm in product(packaged_and_named(tables, rows), range(repeats), arms):
        settings = {**common, **arms[arm]} if arms[arm] else {}
        title = f"{name} {arm} {seed}"
        identity = [settings, threads, seed, len(table.frame)]
        piece = measured(work, title, identity, partial(measure, table, settings, seed, threads))
        key = {"table": name, "split": seed, "arm": arm}
        entries += [{**key, "metric": metric, "value": piece[metric]} for metric in METRICS if metric in piece]
    tidy = pd.DataFrame(entries)
    named = Path(backbone).name
    command = command_line(
        "synthesis", tables, backbone=named, rows=rows, repeats=repeats, threads=threads, steps=steps
    )
    title = "synthesis" if backbone == "compact" else f"synthesis_{named}"
    text = page_text(tidy, named, command)
    return write_results(title, tidy.assign(versions=versions()), summary(tidy), text, folder)


def measure(table: LabelledTable, settings: dict[str, Any], seed: int, threads: int) -> dict[str, float]:
    """Learn 60 % of a table, write as many rows, and judge them on the others; without settings the learned rows.

    Returns one figure for each of `METRICS`; those of the label query where an arm has one.
    """
    from sklearn.model_selection import train_test_split

    parts = train_test_split(table.frame, test_size=TEST_SHARE, stratify=table.labels, random_state=seed)
    learned, unseen = (part.reset_index(drop=True) for part in parts)
    if not settings:
        figures = judge_rows(learned, learned, unseen, table.label, seed)
        figures["copies"] = 100 * copied_share(learned, unseen)
        return {**figures, **asked(_of_boosting(learned, unseen, table.label, seed), unseen[table.label])}
    synthesizer = _synthesizer(settings, seed, threads)
    # Before the clock starts: the first arm would pay for loading torch and transformers.
    import_module("imbllm_autogluon.classification.label_model")
    started = time.perf_counter()
    synthesizer.fit(learned, table.label)
    fitted = time.perf_counter()
    written = synthesizer.sample(len(learned))
    seconds = {"fit s": fitted - started, "sample s": time.perf_counter() - fitted}
    figures = {**judge_rows(written, learned, unseen, table.label, seed), **seconds}
    if not isinstance(synthesizer, PredLLM):
        return figures
    return {**figures, **asked(synthesizer.predict_proba(unseen.drop(columns=table.label)), unseen[table.label])}


def _synthesizer(settings: dict[str, Any], seed: int, threads: int) -> TableSynthesizer:
    """An unfitted synthesizer from ``method`` and flat settings."""
    config = GeneratorConfig.from_flat({key: value for key, value in settings.items() if key != "method"})
    if settings["method"] == "pred_llm":
        return PredLLM(config, random_state=seed, threads=threads)
    return TableSynthesizer(settings["method"], config, random_state=seed, threads=threads)


def judge_rows(
    written: pd.DataFrame, learned: pd.DataFrame, unseen: pd.DataFrame, label: str, seed: int
) -> dict[str, float]:
    """Figures of written rows.

    Parameters
    ----------
    written, learned, unseen
        Rows to judge, real rows that their writer has learned, and real rows that it has not; features and label.
    label
        Name of the label column.
    seed
        Of the trees that judge.
    """
    utility = train_on_synthetic(written, unseen, label, seed)
    ball = density_and_coverage(unseen, written)
    rarest = learned[label].value_counts().idxmin()
    shares = [100 * float((rows[label] == rarest).mean()) for rows in (written, learned)]
    return {
        "accuracy": 100 * utility.accuracy,
        "balanced accuracy": 100 * utility.balanced_accuracy,
        "macro F1": 100 * utility.macro_f1,
        "ROC AUC": 100 * utility.roc_auc,
        "discriminator": 100 * discriminator_auc(unseen, written, seed),
        "inverse KL": inverse_kl(unseen, written),
        "density": ball.density,
        "coverage": ball.coverage,
        "copies": 100 * copied_share(learned, written),
        "rarest gap": abs(shares[0] - shares[1]),
    }


def asked(probabilities: pd.DataFrame, labels: pd.Series[Any]) -> dict[str, float]:
    """Figures of class probabilities of real rows.

    Parameters
    ----------
    probabilities
        One column for each class, shape (n, k).
    labels
        True classes, shape (n,).
    """
    codes = probabilities.columns.get_indexer(pd.Index(labels)).astype(np.int64)
    values = probabilities.to_numpy()
    answers = values.argmax(axis=1)
    figures = judge(values, answers, codes)
    chosen = {f"query {name}": figures[name] for name in ("macro F1", "ROC AUC", "log-loss", "ECE")}
    return {"query accuracy": 100 * float((answers == codes).mean()), **chosen}


def _of_boosting(learned: pd.DataFrame, unseen: pd.DataFrame, label: str, seed: int) -> pd.DataFrame:
    """Class probabilities of `unseen` by histogram gradient boosting on the learned real rows."""
    columns = paired_columns(unseen.drop(columns=label), learned.drop(columns=label))
    codes, classes = pd.factorize(learned[label], sort=True)
    trees = Trees([column.is_number for column in columns], child_seed(seed, "training", "utility"))
    trees.fit(np.column_stack([column.synthetic for column in columns]), codes.astype(np.int64))
    values = np.column_stack([column.real for column in columns])
    return pd.DataFrame(trees.probabilities(values, len(classes)), columns=classes)
