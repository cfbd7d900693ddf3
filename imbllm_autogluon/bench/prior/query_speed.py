"""Speed of the label query: a table's rows in batches, against the same model writing the label row by row."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt
    import pandas as pd

    from imbllm_autogluon.classification import LanguageModelClassifier
    from imbllm_autogluon.classification.label_model import LabelModel
    from imbllm_autogluon.sentences import Clauses

    IntArray = npt.NDArray[np.int64]
    BoolArray = npt.NDArray[np.bool_]
    Answers = Callable[[int], IntArray]

ASKED_RATIO = 50
"""How many times faster than row by row the query of 1,000 rows shall be."""

PER = 1000
"""All seconds are those of so many rows."""

COLDEST = 0.01
"""Lowest temperature of decoding: the most likely class, as the query's highest probability."""


def measure(
    backbone: str = "compact", rows: int = 1000, one_by_one: int = 50, threads: int = 1, seed: int = 0, steps: int = 5
) -> dict[str, float]:
    """Time the same questions asked in three ways of one model of the packaged table.

    Parameters
    ----------
    backbone
        Of the classifier.
    rows
        Rows of the batched query.
    one_by_one
        Rows, the first ones of the same, that are asked one by one.
    threads
        torch threads.
    seed
        Of the training.
    steps
        Training steps; how much a model has learned does not change its speed.

    Returns
    -------
    dict of str to float
        ``query s``, ``decoding s``, ``generate s``: seconds of 1,000 rows by the batched query, by constrained decoding
        of single rows, and by ``generate`` of transformers on single rows, the latter two from ready tokens.
        ``x decoding``, ``x generate``: how many times faster the query is. ``same, decoding``, ``same, generate``:
        share of single answers that are the query's class. ``prompt tokens``: of a row, on average; ``rows``,
        ``one by one``.

    Raises
    ------
    InvalidInputError
        More rows are asked one by one than in batches, or the table has fewer than `rows` rows.
    """
    X, y = _packaged(rows, one_by_one)
    # Held-out rows would be asked for their loss ten times, which is most of a short training.
    settings = {"backbone": backbone, "warmup": "none", "steps": steps, "held_out": 0.0}
    model = _fitted(X, y, {**settings, "random_state": seed, "threads": threads})
    asked = _Questions.of(model, X.iloc[:rows])
    query, logs = _timed(lambda n: model.log_probabilities(X.iloc[:n]), rows)
    answers = asked.values[logs.argmax(axis=1)]
    figures = {"query s": PER * query / rows}
    for name, answering in (("decoding", _by_decoding), ("generate", _by_generate)):
        seconds, same = answering(asked, answers[:one_by_one], seed, threads)
        each = PER * seconds / one_by_one
        figures |= {f"{name} s": each, f"x {name}": each / figures["query s"], f"same, {name}": same}
    return {**figures, "prompt tokens": asked.tokens, "rows": float(rows), "one by one": float(one_by_one)}


def describe(figures: Mapping[str, float], backbone: str, threads: int) -> str:
    """Say in a few lines how fast the query is, and whether that is what was asked for.

    Parameters
    ----------
    figures
        What :func:`measure` returned.
    backbone, threads
        What was measured.
    """
    rows, single = int(figures["rows"]), int(figures["one by one"])
    peers = {"decoding": "constrained decoding of single rows", "generate": "transformers' `generate` on single rows"}
    lines = "\n".join(_line(figures, name, called) for name, called in peers.items())
    return (
        f"Label of {PER:,} rows of the packaged table on {Path(backbone).name}, {threads} thread(s), prompts of "
        f"{figures['prompt tokens']:.0f} tokens: {figures['query s']:.2f} s ({_rate(figures, 'query')} tokens/s) in "
        f"batches, measured on {rows:,} rows; {single} rows one by one. Asked: at least {ASKED_RATIO} times as fast. "
        "`generate` runs in float32 and may answer with a token that is no class; the others have the precision that "
        f"rows are written in.\n\n{lines}"
    )


def _line(figures: Mapping[str, float], name: str, called: str) -> str:
    ratio = figures[f"x {name}"]
    reached = "reached" if ratio >= ASKED_RATIO else "NOT reached"
    same = 100 * figures[f"same, {name}"]
    return (
        f"- {called}: {figures[f'{name} s']:.1f} s ({_rate(figures, name)} tokens/s), {ratio:.1f} times as long "
        f"({reached}); {same:.0f} % same answers"
    )


def _rate(figures: Mapping[str, float], name: str) -> str:
    """Prompt tokens in a second."""
    return f"{PER * figures['prompt tokens'] / figures[f'{name} s']:,.0f}"


@dataclass(frozen=True, eq=False)
class _Questions:
    """Rows whose label is asked for."""

    model: LabelModel
    clauses: Clauses
    values: IntArray
    """Tokens of each class, shape (k, longest), padded with -1."""

    ids: list[list[int]]
    """Prompt of each row as token ids, up to the label's value."""

    @classmethod
    def of(cls, model: LabelModel, X: pd.DataFrame) -> _Questions:
        language, n_classes = model.language_model, len(model.counts)
        encoding = language.encoding
        clauses = model.reader.feature_clauses(model.language_model.encoding, model.schema.encode(X))
        values = encoding.codings[-1].encode(np.arange(n_classes), np.zeros(n_classes, dtype=bool))
        unlabelled = clauses.present.copy()
        unlabelled[:, -1] = False
        orders = np.tile(np.arange(encoding.n_clauses), (len(X), 1))
        sentences = encoding.assemble(clauses.with_present(unlabelled), orders)
        pairs = zip(sentences.ids, sentences.real, strict=True)
        return cls(model, clauses, values, [[*row[real].tolist(), *encoding.prefixes[-1]] for row, real in pairs])

    @property
    def tokens(self) -> float:
        """Tokens of a prompt, on average."""
        return float(np.mean([len(row) for row in self.ids]))


def _by_decoding(asked: _Questions, answers: IntArray, seed: int, threads: int) -> tuple[float, float]:
    """Seconds of writing the labels of single rows with the package's decoder, and the share of equal answers."""
    language = asked.model.language_model
    order = np.arange(language.encoding.n_clauses)
    coldest = language.with_config(replace(language.config, temperature=COLDEST, constrained=True))
    with coldest.writer(seed=seed, threads=threads) as writer:

        def answer(row: int) -> IntArray:
            prompts = Prompts(order, len(order) - 1, asked.clauses.tokens[row : row + 1])
            tokens: IntArray = writer.complete(prompts).tokens[0, -1]
            return tokens

        return _one_by_one(answer, answers)


def _by_generate(asked: _Questions, answers: IntArray, seed: int, threads: int) -> tuple[float, float]:
    """The same with ``generate``, which may answer with tokens that are no class."""
    import torch

    from imbllm_autogluon.language.precision import autocast
    from imbllm_autogluon.process_state import seeded_torch

    language = asked.model.language_model
    # The wrapped model as transformers knows it; with LoRA the adapters are merged by now.
    model: Any = language._backbone.model
    options = {"max_new_tokens": asked.values.shape[1], "do_sample": False, "pad_token_id": 0}

    def answer(row: int) -> IntArray:
        ids = torch.tensor([asked.ids[row]], device=model.device)
        written = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)
        tokens: IntArray = written[0, ids.shape[1] :].cpu().numpy()
        return tokens

    with seeded_torch(seed, threads), autocast(model.device):
        return _one_by_one(answer, answers)


def _one_by_one(answer: Answers, answers: IntArray) -> tuple[float, float]:
    """Seconds of answering every row, and the share of answers that begin with the expected tokens."""
    seconds, written = _timed(lambda n: [answer(row) for row in range(n)], len(answers))
    wanted = [row[row >= 0] for row in answers]
    same = [np.array_equal(tokens[: len(value)], value) for tokens, value in zip(written, wanted, strict=True)]
    return seconds, float(np.mean(same))


def _timed(work: Callable[[int], Any], n_rows: int) -> tuple[float, Any]:
    """Seconds and result of `work` on so many rows, after a rehearsal on one that pays for what happens once."""
    work(1)
    started = time.perf_counter()
    result = work(n_rows)
    return time.perf_counter() - started, result


def _packaged(rows: int, one_by_one: int) -> tuple[pd.DataFrame, pd.Series[Any]]:
    from imbllm_autogluon.datasets import load_hypothyroid

    X, y = load_hypothyroid()
    if not 1 <= one_by_one <= rows <= len(X):
        raise InvalidInputError(
            f"rows must be at most {len(X)} and one_by_one from 1 to rows; got rows={rows}, one_by_one={one_by_one}."
        )
    return X, y


def _fitted(X: pd.DataFrame, y: pd.Series[Any], settings: dict[str, Any]) -> LabelModel:
    from imbllm_autogluon.classification import LanguageModelClassifier

    classifier: LanguageModelClassifier = LanguageModelClassifier(**settings).fit(X, y)
    return classifier.model_
