"""Does a decoder copy the class shares of its training set, and what helps against it.

A decoder trained on rows whose last clause is the label (`LanguageModelClassifier`), without and with measures against
copying the class shares of its training set. Stratified splits, 30 % test rows. `label query` is measured where it is
named: the time of asking for labels in batches and row by row.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.protocol import Claim, Metric, Option, Protocol, Spec, Task
from benchmarks.report import by_table, claims, compared
from benchmarks.scores import BALANCED, LOG_LOSS, MACRO_F1, ROC_AUC, of_all_classes
from benchmarks.synthesis import BACKBONE
from imbllm_autogluon.classification import RECOMMENDED, LanguageModelClassifier
from imbllm_autogluon.language.batches import Prompts

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import torch

    from benchmarks.tables import Table
    from imbllm_autogluon.arrays import IntArray
    from imbllm_autogluon.classification.label_model import LabelModel
    from imbllm_autogluon.encoding import Clauses


NONE, NOTED_METHOD, QUERY = "none", "effective + correction + matched", "label query"
RECOMMENDED_METHOD, UNIFORM, TOP_BLOCKS = "recommended", "recommended, uniform", "recommended, top blocks"
GAP, EVEN_GAP = "gap", "gap, equal classes"

METHODS: dict[str, Spec] = {
    NONE: {},
    "effective number": {"weighting": "effective"},
    "inverse frequency": {"weighting": "inverse"},
    "focal": {"focal_gamma": 2.0},
    "oversampling, cap 3": {"oversampling_cap": 3.0},
    "instruction": {"instruction": True},
    "suppression clause": {"suppression": True},
    "two-stage": {"first_stage": "boosting"},
    "correction": {"target_prior": "training"},
    "bias": {"calibration": "bias"},
    "temperature and bias": {"calibration": "temperature"},
    "matched decisions": {"decisions": "matched"},
    NOTED_METHOD: {"weighting": "effective", "instruction": True, "target_prior": "training", "decisions": "matched"},
    RECOMMENDED_METHOD: dict(RECOMMENDED),
    UNIFORM: {**RECOMMENDED, "target_prior": "uniform"},
    TOP_BLOCKS: {**RECOMMENDED, "tuning": "top_blocks"},
    QUERY: {"pretrain": "none", "steps": 5, "validation_fraction": 0.0},
}
"""Settings of the classifier: each measure alone, combinations, and a short training whose speed is measured."""


def measure(task: Task) -> dict[str, float]:
    """Train on one part of the rows and judge on the other, or ask for labels in three ways."""
    from sklearn.model_selection import train_test_split

    (name, spec), table = next(iter(task.methods.items())), task.table
    chosen = {key: task.options[key] for key in ("backbone", "steps") if task.options[key] is not None}
    settings = {**chosen, **spec, "random_state": task.split, "threads": task.threads}
    if name == QUERY:
        return query_speed(table, settings, task.options["asked"], task.options["one_by_one"])
    learned, test = train_test_split(table.frame, test_size=0.3, stratify=table.labels, random_state=task.split)
    classifier = LanguageModelClassifier().set_params(**settings)
    classifier.fit(learned.drop(columns=table.label), learned[table.label])
    truth, features = np.searchsorted(classifier.classes_, test[table.label].to_numpy()), test.drop(columns=table.label)
    answers = np.searchsorted(classifier.classes_, classifier.predict(features))
    figures = of_all_classes(classifier.predict_proba(features), answers, truth)
    return {**figures, "fit s": classifier.model_.seconds}


class Questions(NamedTuple):
    """Rows whose label is asked for."""

    model: LabelModel
    clauses: Clauses
    values: IntArray
    """Tokens of each class, shape (k, longest), padded with -1."""

    ids: list[list[int]]
    """Prompt of each row as token ids, up to the label's value."""

    ahead: list[list[int]] | None
    """Of a fused encoding: the prefixes that share their places."""

    @classmethod
    def of(cls, model: LabelModel, X: pd.DataFrame) -> Questions:
        """Prompts of rows, shape (n, m)."""
        encoding, n_classes = model.language_model.encoding, len(model.counts)
        clauses = model.encoder.feature_clauses(encoding, model.schema.encode(X))
        values = encoding.codings[-1].encode(np.arange(n_classes), np.zeros(n_classes, dtype=bool))
        unlabelled = clauses.present.copy()
        unlabelled[:, -1] = False
        orders = np.tile(np.arange(encoding.n_clauses), (len(X), 1))
        sentences = encoding.assemble(clauses.with_present(unlabelled), orders)
        label = list(encoding.prefixes[-1])
        ids = [row[real].tolist() for row, real in zip(sentences.ids, sentences.real, strict=True)]
        if sentences.ahead is None:
            return cls(model, clauses, values, [row + label for row in ids], None)
        names = [row[real].tolist()[:-1] + label for row, real in zip(sentences.ahead, sentences.real, strict=True)]
        return cls(model, clauses, values, ids, names)

    def read(self, row: int) -> dict[str, torch.Tensor]:
        """A prompt as the model of transformers reads it."""
        import torch

        from imbllm_autogluon.language.losses import read_tokens

        model: Any = self.model.language_model._backbone.model  # with LoRA the adapters are merged by now
        prompts = (torch.tensor([each[row]], device=model.device) for each in (self.ids, self.ahead) if each)
        return read_tokens(model, *prompts)


def query_speed(table: Table, settings: dict[str, Any], n_asked: int, one_by_one: int) -> dict[str, float]:
    """Seconds of 1,000 rows when one model is asked for labels in batches, and row by row in two ways."""
    seed, threads = settings["random_state"], settings["threads"]
    X = table.features.iloc[:n_asked]
    model: LabelModel = LanguageModelClassifier().set_params(**settings).fit(table.features, table.labels).model_
    asked = Questions.of(model, X)
    seconds, logs = timed(lambda n: model.log_probabilities(X.iloc[:n]), len(X))
    answers = asked.values[logs.argmax(axis=1)][:one_by_one]
    figures = {"query s": 1000 * seconds / len(X)}
    for name, answering in (("decoding", by_decoding), ("generate", by_generate)):
        seconds, same = answering(asked, answers, seed, threads)
        figures |= {f"{name} s": 1000 * seconds / len(answers), f"same, {name}": 100 * same}
        figures[f"x {name}"] = figures[f"{name} s"] / figures["query s"]
    tokens = float(np.mean([len(row) for row in asked.ids]))
    return {**figures, "prompt tokens": tokens}


def by_decoding(asked: Questions, answers: IntArray, seed: int, threads: int) -> tuple[float, float]:
    """Seconds of writing labels of single rows with the package's decoder, and the share of equal answers."""
    language = asked.model.language_model
    order = np.arange(language.encoding.n_clauses)
    # At the lowest temperature the most likely class, as the query's highest probability.
    coldest = language.with_config(replace(language.config, temperature=0.01, constrained=True))
    with coldest.writer(seed=seed, threads=threads) as writer:

        def answer(row: int) -> IntArray:
            prompts = Prompts(order, len(order) - 1, asked.clauses.tokens[row : row + 1])
            return np.asarray(writer.complete(prompts).tokens[0, -1])

        return answered_alone(answer, answers)


def by_generate(asked: Questions, answers: IntArray, seed: int, threads: int) -> tuple[float, float]:
    """The same with ``generate`` of transformers, which may answer with tokens that are no class."""
    import torch

    from imbllm_autogluon._random import seeded_torch
    from imbllm_autogluon.language.compact import CompactModel
    from imbllm_autogluon.language.hardware import autocast

    model: Any = asked.model.language_model._backbone.model
    model = model.to_transformers() if isinstance(model, CompactModel) else model
    n_new = asked.values.shape[1]
    options = {"max_new_tokens": n_new, "min_new_tokens": n_new, "do_sample": False, "pad_token_id": 0}

    def answer(row: int) -> IntArray:
        mask = torch.ones((1, len(asked.ids[row])), dtype=torch.long, device=model.device)
        return np.asarray(model.generate(**asked.read(row), attention_mask=mask, **options)[0, -n_new:].cpu())

    with seeded_torch(seed, threads), autocast(model.device):
        return answered_alone(answer, answers)


def answered_alone(answer: Callable[[int], IntArray], answers: IntArray) -> tuple[float, float]:
    """Seconds of answering every row, and the share of answers that begin with the expected tokens."""
    seconds, written = timed(lambda n: [answer(row) for row in range(n)], len(answers))
    wanted = [row[row >= 0] for row in answers]
    same = [np.array_equal(tokens[: len(value)], value) for tokens, value in zip(written, wanted, strict=True)]
    return seconds, float(np.mean(same))


def timed(work: Callable[[int], Any], n_rows: int) -> tuple[float, Any]:
    """Seconds and result of `work` on so many rows, after a rehearsal on one that pays for what happens once."""
    work(1)
    started = time.perf_counter()
    result = work(n_rows)
    return time.perf_counter() - started, result


PROTOCOL = Protocol(
    name="prior",
    about=__doc__,
    methods=METHODS,
    slow=(TOP_BLOCKS, QUERY),
    measure=measure,
    metrics=(
        Metric("rarest, true share", "percent of the test rows of the rarest class", ""),
        Metric("rarest, answered", "percent of the answers that name it", ""),
        Metric(GAP, "largest absolute difference of a class's answered and true share, points", "lower", compared=True),
        Metric(EVEN_GAP, "the same, test rows weighted so that classes are equally frequent", "lower", compared=True),
        Metric(MACRO_F1, "mean over the classes, percent"),
        Metric(BALANCED, "mean recall of the classes, percent"),
        Metric(ROC_AUC, "of two classes, or the mean of each against the others, percent", compared=True),
        Metric(LOG_LOSS, "nats; lower is better", "lower", 3),
        Metric("ECE", "expected calibration error of the most probable class, 15 bins, percentage points", "lower"),
        Metric("fit s", "seconds of a fit", ""),
        Metric("query s", "seconds of 1,000 labels asked for in batches", "", 2),
        Metric("decoding s", "seconds of 1,000 labels by constrained decoding of single rows", "", 2),
        Metric("x decoding", "how many times as long", ""),
        Metric("same, decoding", "percent of single answers that are the query's class", "", 0),
        Metric("generate s", "seconds by `generate` of transformers, in float32, free to answer no class", "", 2),
        Metric("x generate", "how many times as long", ""),
        Metric("same, generate", "percent of single answers that are the query's class", "", 0),
        Metric("prompt tokens", "of a row", "", 0),
    ),
    rows=5000,
    options={
        **BACKBONE,
        "asked": Option(int, 1000, f"Rows of `{QUERY}` in batches."),
        "one_by_one": Option(int, 50, f"Rows of `{QUERY}` one by one."),
    },
    references=(NONE,),
    claims=(
        *(Claim(method, GAP, NONE, mean=0.0) for method in (RECOMMENDED_METHOD, NOTED_METHOD)),
        Claim(UNIFORM, EVEN_GAP, NONE, mean=0.0),
        *(Claim(method, ROC_AUC, NONE, worst=-1.0) for method in (RECOMMENDED_METHOD, NOTED_METHOD)),
        *(Claim(QUERY, metric, mean=50.0) for metric in ("x decoding", "x generate")),
    ),
    page=(claims, compared, by_table),
)
