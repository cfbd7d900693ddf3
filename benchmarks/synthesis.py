"""Whole tables written by Pred-LLM and by GReaT, judged on real rows that neither has seen.

Pred-LLM: the label last, features in a drawn order in one half of the sentences and in the columns' order in the other;
rows begin with one value from its column, and the model is asked for their class, which is drawn from its
probabilities, or the highest one (`Pred-LLM, highest answer`). `Pred-LLM, permute_xy` has the label anywhere in a
sentence. GReaT: all fields in a drawn order, rows begin with the label, whose shares are those of the learned rows.
Stratified splits, 60 % of the rows learned and as many written, 40 % to judge on.
"""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.methods import GREAT, PRED_LLM
from benchmarks.protocol import Claim, Metric, Option, Options, Protocol, Spec, Task
from benchmarks.report import by_table, claims, compared, summary
from benchmarks.scores import BALANCED, LOG_LOSS, MACRO_F1, ROC_AUC, of_all_classes
from imbllm_autogluon._random import child_seed
from imbllm_autogluon.oversampling import GeneratorConfig, PredLLM
from imbllm_autogluon.oversampling.synthesizer import TableSynthesizer
from imbllm_autogluon.quality.columns import check_pair, paired_columns, shared_codes
from imbllm_autogluon.quality.distances import points
from imbllm_autogluon.quality.fidelity import _density_and_coverage, _discriminator_auc, _inverse_kl
from imbllm_autogluon.quality.privacy import _copied_share
from imbllm_autogluon.quality.utility import _Trees

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.arrays import FloatArray, IntArray

REAL, HIGHEST, ORDERED = "real rows", "Pred-LLM, highest answer", "Pred-LLM, permute_xy"

METHODS: Mapping[str, Spec] = {
    REAL: {},
    PRED_LLM: {"method": "pred_llm"},
    HIGHEST: {"method": "pred_llm", "answer": "highest"},
    ORDERED: {"method": "pred_llm", "order": "permute_xy"},
    GREAT: {"method": "great"},
}
"""The learned rows themselves, then method and settings of each generator."""


def methods_of(options: Options) -> dict[str, Spec]:
    """The methods with the backbone and the steps that were asked for."""
    # Both generators train in one stage, as long as the two of the configuration.
    steps = {} if options["steps"] is None else {"pretrain_steps": 0, "steps": options["steps"]}
    common = {"backbone": options["backbone"], **steps, **options.settings}
    return {name: {**common, **spec} if spec else spec for name, spec in METHODS.items()}


def measure(task: Task) -> dict[str, float]:
    """Learn 60 % of a table, write as many rows, and judge them on the others; without a method the learned rows."""
    from sklearn.model_selection import train_test_split

    table, seed = task.table, task.split
    parts = train_test_split(table.frame, test_size=0.4, stratify=table.labels, random_state=seed)
    learned, unseen = (part.reset_index(drop=True) for part in parts)
    if not task.spec:
        figures = of_rows(learned, learned, unseen, table.label, seed)
        figures["copies"] = 100 * _copied_share(learned, unseen)
        probabilities, truth = tree_probabilities(learned, unseen, table.label, seed)
        return {**figures, **of_query(probabilities, truth)}
    synthesizer = _synthesizer(task.spec, seed, task.threads)
    import_module("imbllm_autogluon.classification.label_model")  # not on the clock of the first method
    started = time.perf_counter()
    synthesizer.fit(learned, table.label)
    fitted = time.perf_counter()
    written = synthesizer.sample(len(learned))
    seconds = {"fit s": fitted - started, "sample s": time.perf_counter() - fitted}
    figures = {**of_rows(written, learned, unseen, table.label, seed), **seconds}
    if not isinstance(synthesizer, PredLLM):
        return figures
    answered = synthesizer.predict_proba(unseen.drop(columns=table.label))
    truth = answered.columns.get_indexer(pd.Index(unseen[table.label])).astype(np.int64)
    return {**figures, **of_query(answered.to_numpy(), truth)}


def _synthesizer(spec: Spec, seed: int, threads: int) -> TableSynthesizer:
    config = GeneratorConfig.from_flat({key: value for key, value in spec.items() if key != "method"})
    if spec["method"] == "pred_llm":
        return PredLLM(config, random_state=seed, threads=threads)
    return TableSynthesizer(spec["method"], config, random_state=seed, threads=threads)


def of_rows(
    written: pd.DataFrame, learned: pd.DataFrame, unseen: pd.DataFrame, label: str, seed: int
) -> dict[str, float]:
    """Figures of written rows; learned are the real rows of their writer, unseen are other real rows."""
    columns = paired_columns(unseen, written)
    density, coverage = _density_and_coverage(*points(columns))
    rarest = learned[label].value_counts().idxmin()
    shares = [100 * float((rows[label] == rarest).mean()) for rows in (written, learned)]
    return {
        **taught(written, unseen, label, seed),
        "discriminator": 100 * _discriminator_auc(unseen, written, seed),
        "inverse KL": _inverse_kl(columns),
        "density": density,
        "coverage": coverage,
        "copies": 100 * _copied_share(learned, written),
        "rarest gap": abs(shares[0] - shares[1]),
    }


def taught(synthetic: pd.DataFrame, real: pd.DataFrame, label: str, seed: int = 0) -> dict[str, float]:
    """Percent scores on real rows of boosted trees that learned synthetic ones (TSTR; Esteban et al. 2017).

    A class or a level that the synthetic rows lack may occur in the real ones.

    Examples
    --------
    >>> rows = pd.DataFrame({"age": range(200), "old": ["no"] * 150 + ["yes"] * 50})
    >>> taught(rows, rows.iloc[::3], "old")["ROC AUC"]
    100.0
    """
    check_pair(real, synthetic)
    probabilities, truth = tree_probabilities(synthetic, real, label, seed)
    return {name: 100 * value for name, value in tree_scores(truth, probabilities).items()}


def tree_probabilities(learned: pd.DataFrame, real: pd.DataFrame, label: str, seed: int) -> tuple[FloatArray, IntArray]:
    """Probabilities of boosted trees for the real rows, shape (n, classes), and their true codes."""
    columns = paired_columns(real.drop(columns=label), learned.drop(columns=label))
    truth, codes = shared_codes(real[label], learned[label], label)
    trees = _Trees([column.is_number for column in columns], child_seed(seed, "training", "utility"))
    trees.fit(np.column_stack([column.synthetic for column in columns]), codes)
    n_classes = int(max(truth.max(), codes.max())) + 1
    return trees.probabilities(np.column_stack([column.real for column in columns]), n_classes), truth


def tree_scores(truth: IntArray, probabilities: FloatArray) -> dict[str, float]:
    """Shares of 0 to 1 over the classes of the real rows; ROC AUC is that of the rarer one of two."""
    from sklearn.metrics import f1_score, roc_auc_score

    guesses, classes = probabilities.argmax(axis=1), np.unique(truth)
    right = guesses == truth
    asked = [min(classes, key=lambda code: int((truth == code).sum()))] if len(classes) == 2 else classes
    return {
        "accuracy": float(right.mean()),
        BALANCED: float(np.mean([right[truth == code].mean() for code in classes])),
        MACRO_F1: float(f1_score(truth, guesses, labels=classes, average="macro", zero_division=0)),
        ROC_AUC: float(np.mean([roc_auc_score(truth == code, probabilities[:, code]) for code in asked])),
    }


def of_query(probabilities: FloatArray, truth: IntArray) -> dict[str, float]:
    """Figures of class probabilities of real rows, shape (n, classes), whose true codes are known."""
    answers = probabilities.argmax(axis=1)
    figures = of_all_classes(probabilities, answers, truth)
    named = {f"query {name}": figures[name] for name in (MACRO_F1, ROC_AUC, LOG_LOSS, "ECE")}
    return {"query accuracy": 100 * float((answers == truth).mean()), **named}


BACKBONE: dict[str, Any] = {
    "backbone": Option(str, "compact", "compact, or a pretrained causal model: smollm2, a Hub id or a folder."),
    "steps": Option(int | None, None, "Training steps. Default: the method's."),
}
"""Options of protocols whose model is chosen."""

PROTOCOL = Protocol(
    name="synthesis",
    about=__doc__,
    methods=methods_of,
    measure=measure,
    metrics=(
        Metric("accuracy", "of boosted trees that learn from the written rows, on unseen real rows; percent"),
        Metric(BALANCED, "of the same; percent"),
        Metric(MACRO_F1, "of the same; percent", compared=True),
        Metric(ROC_AUC, "of the same; of two classes, or the mean of each against the others; percent"),
        Metric(
            "discriminator", "ROC AUC of trees that tell written rows from unseen real ones, percent; 50 is best", ""
        ),
        Metric("inverse KL", "how alike each column's values are spread, 0 to 1", decimals=3),
        Metric("density", "whether rows lie where unseen real ones are close together; about 1 for real rows", "", 2),
        Metric("coverage", "share of unseen real rows with a written row within their 5 nearest", decimals=2),
        Metric("copies", "percent of the rows that equal a learned one; for real rows, of the unseen ones", "lower"),
        Metric("rarest gap", "difference of the rarest class's share among written and learned rows, points", "lower"),
        Metric("fit s", "seconds of training", ""),
        Metric("sample s", "seconds of writing as many rows as were learned", ""),
        Metric("query accuracy", "classes of unseen real rows asked of the generator, or of boosted trees; percent"),
        Metric("query macro F1", "of the same; percent"),
        Metric("query ROC AUC", "of the same; percent"),
        Metric("query log-loss", "of the same; nats", "lower", 3),
        Metric("query ECE", "of the same, expected calibration error, 15 bins; points", "lower"),
    ),
    repeats=2,
    options=BACKBONE,
    always=(REAL,),
    references=(GREAT,),
    claims=(
        Claim(PRED_LLM, "accuracy", GREAT, most=True),
        Claim(PRED_LLM, MACRO_F1, GREAT, most=True),
        Claim(PRED_LLM, "coverage", worst=0.8),
    ),
    page=(claims, summary, compared, by_table),
)
