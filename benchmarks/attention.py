"""How much of a sentence attends to the label, by order of the clauses (arXiv 2510.09783, figure 2).

A causal and a masked compact model for each order of the clauses, trained on all rows and then on those of the rarest
class; means over sentences of that class, all layers and heads. `fix_y`: label first, `permute_x`: last, `permute_xy`:
anywhere. In a causal model a place may look at what stands before it. A masked model reads the full sentence, nothing
hidden; its loss is that of hidden values and compares with other masked models alone.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.protocol import COLUMNS, Metric, Option, Protocol, Task
from benchmarks.report import summary
from imbllm_autogluon.encoding import END, SchemaVocabulary
from imbllm_autogluon.encoding.orders import _ORDERS, draw_orders
from imbllm_autogluon.tables import TableSchema

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.encoding import Clauses, SentenceEncoding, Sentences


BACKBONES = {"causal": "compact", "masked": "compact_masked"}

MASS = "attention to the label"
BY_COLUMN = f"{MASS}: "

BATCH = 8
"""Sentences that go through the model at once: all layers' attention of a sentence of 200 tokens takes 40 MB in a
model of 30 layers with 9 heads."""


class AttentionToLabel(NamedTuple):
    """Attention to the label's value in n sentences, averaged over layers and heads.

    A feature's value is written by one place of the sentence: in a causal model the place before it, whose output is
    the value's distribution; in a bidirectional model the value's own place. What that place attends to, counts.
    """

    can: FloatArray
    """Share of each sentence's feature value tokens whose writing place may look at the label, shape (n,)."""

    does: FloatArray
    """Share of them that give the label more attention than an even spread over all visible places would."""

    mass: FloatArray
    """Mean share of attention to the label by clause, shape (n_clauses,); NaN for the label and absent clauses."""


def attention_to_label(model: Any, encoding: SentenceEncoding, clauses: Clauses, orders: IntArray) -> AttentionToLabel:
    """Measure how a language model of a table attends to the label.

    The model's attention can be computed eagerly; `orders` are clause indices in the order of writing, shape (n,
    n_clauses).
    """
    sentences = encoding.assemble(clauses, orders)
    attention = _attention(model, sentences)
    clause = _clause_of_places(encoding, sentences)
    seen, writers = _visible(attention, sentences)
    label = clause == encoding.n_clauses - 1
    rows, values = np.nonzero((clause != END) & ~label)
    at = (rows, writers[values])
    to_label = np.einsum("nij,nj->ni", attention, label.astype(np.float64))[at]
    visible_label = np.einsum("nij,nj->ni", seen.astype(np.int64), label.astype(np.int64))[at]
    attends = (visible_label > 0) & (to_label > visible_label / seen.sum(axis=2)[at])
    return AttentionToLabel(
        can=_mean_by(rows, visible_label > 0, len(orders)),
        does=_mean_by(rows, attends, len(orders)),
        mass=_mean_by(clause[rows, values], to_label, encoding.n_clauses),
    )


def _attention(model: Any, sentences: Sentences) -> FloatArray:
    """Attention between all places, averaged over layers and heads, shape (n, length, length)."""
    import torch

    if hasattr(model, "to_transformers"):  # the compact backbone, whose own forward keeps no weights of attention
        model = model.to_transformers()
    parts = []
    before = model.config._attn_implementation  # transformers has a setter but no public getter
    model.set_attn_implementation("eager")  # the one way that gives the weights
    with torch.inference_mode():
        for start in range(0, len(sentences.ids), BATCH):
            ids = torch.from_numpy(sentences.ids[start : start + BATCH]).to(model.device)
            mask = torch.from_numpy(sentences.real[start : start + BATCH]).long().to(model.device)
            layers = model.base_model(input_ids=ids, attention_mask=mask, output_attentions=True).attentions
            parts.append(sum(layer.double().mean(dim=1).cpu() for layer in layers) / len(layers))
    model.set_attn_implementation(before)
    attention: FloatArray = torch.cat(parts).numpy()
    return attention


def _clause_of_places(encoding: SentenceEncoding, sentences: Sentences) -> IntArray:
    """Clause whose value each place holds, `END` where it holds none; shape (n, length)."""
    clause = np.searchsorted(encoding.tables.starts, sentences.states, side="right") - 1
    return np.where(sentences.states == END, END, clause)


def _visible(attention: FloatArray, sentences: Sentences) -> tuple[BoolArray, IntArray]:
    """Which places each place may look at, shape (n, length, length), and the place that writes each place's token."""
    real = sentences.real[:, :, None] & sentences.real[:, None, :]
    length = real.shape[1]
    backwards = np.tril(np.ones((length, length), dtype=bool))
    if (attention[real & ~backwards] > 0).any():  # a bidirectional model
        return real, np.arange(length)
    return real & backwards, np.maximum(np.arange(length) - 1, 0)


def _mean_by(groups: IntArray, values: npt.NDArray[Any], n_groups: int) -> FloatArray:
    """Mean of the values of each group, NaN for empty ones."""
    counts = np.bincount(groups, minlength=n_groups)
    sums = np.bincount(groups, weights=values, minlength=n_groups)
    means: FloatArray = np.divide(sums, counts, out=np.full(n_groups, np.nan), where=counts > 0)
    return means


def measure(task: Task) -> dict[str, float | None]:
    """Train a model on real rows, first all, then those of the rarest class, and see what these attend to."""
    from imbllm_autogluon._random import seeded_torch
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.model import TableLanguageModel

    table, (*_, rarest) = task.table, task.table.counts
    schema = TableSchema.from_frame(table.frame, table.label)
    cells, labels = schema.encode(table.frame), schema.encode_label(table.labels)
    vocabulary = SchemaVocabulary.fit(schema, cells, labels)
    everyone = vocabulary.encoding().encode(cells, labels)
    rare = everyone.take(np.flatnonzero(table.labels == rarest))
    stages = {name: task.options[name] for name in ("pretrain_steps", "steps")}
    model = TableLanguageModel(vocabulary, LanguageConfig(**stages, **task.spec), task.split)
    model.train(rare, pretrain=everyone, threads=task.threads)
    shown = rare.take(np.arange(min(task.options["sentences"], len(rare.tokens))))
    n_features = model.encoding.n_clauses - 1
    orders = draw_orders(len(shown.tokens), n_features, task.spec["order"], np.random.default_rng(task.split))
    with seeded_torch(task.split, task.threads):
        found = attention_to_label(model._backbone.model, model.encoding, shown, orders)
    losses = model.curves["warm-up"].losses
    by_column = {f"{BY_COLUMN}{column.name}": found.mass[j] for j, column in enumerate(schema.columns)}
    figures = {
        "can attend": found.can.mean(),
        "does attend": found.does.mean(),
        MASS: np.nanmean(found.mass),
        "loss": np.mean(losses[-max(1, len(losses) // 5) :]) if losses else np.nan,
        **by_column,
    }
    return {name: None if np.isnan(value) else float(value) for name, value in figures.items()}


PROTOCOL = Protocol(
    name="attention",
    about=__doc__,
    methods={
        f"{name}, {order}": {"backbone": BACKBONES[name], "order": order} for name, order in product(BACKBONES, _ORDERS)
    },
    measure=measure,
    metrics=(
        Metric("can attend", "values whose writing place may look at the label", "", 3),
        Metric("does attend", "values that give the label more attention than an even spread would", "", 3),
        Metric(MASS, "mean share of attention; that of each column is in the CSV", "", 3),
        Metric("loss", "training loss of a value token (nats) at the end of the stage on all rows", "", 2),
    ),
    rows=10_000,
    repeats=1,
    options={
        "sentences": Option(int, 151, "Most rows of the rarest class that are looked at."),
        "pretrain_steps": Option(int, 200, "Training steps on all rows."),
        "steps": Option(int, 100, "Training steps on the rarest class."),
    },
    page=(summary,),
    columns={**COLUMNS, "table": "dataset"},
)
