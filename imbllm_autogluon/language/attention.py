"""How much of a sentence attends to the label, by order of the clauses (arXiv 2510.09783, figure 2)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences import END

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from imbllm_autogluon.sentences import Clauses, SentenceEncoding, Sentences

    IntArray = npt.NDArray[np.int64]
    BoolArray = npt.NDArray[np.bool_]
    FloatArray = npt.NDArray[np.float64]

BATCH = 8
"""Sentences that go through the model at once: all layers' attention of a sentence of 200 tokens takes 40 MB in a
model of 30 layers with 9 heads."""


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """Attention to the label's value in n sentences, averaged over layers and heads, and the whole of the first one.

    A feature's value is written by one place of the sentence: in a causal model the place before it, whose output is
    the value's distribution; in a bidirectional model the value's own place. What that place attends to, counts.
    """

    can: FloatArray
    """Share of each sentence's feature value tokens whose writing place may look at the label, shape (n,)."""

    does: FloatArray
    """Share of them whose writing place gives the label more attention than an even spread over all that it may look
    at would give, shape (n,)."""

    mass: FloatArray
    """Mean share of attention (0 to 1) that goes to the label while each clause's value is written, shape
    (n_clauses,); NaN for the label and for clauses that no sentence holds."""

    matrix: FloatArray
    """The first sentence: attention of each place (row) to each place (column), shape (length, length)."""

    names: tuple[str, ...]
    """The first sentence's tokens."""

    values: IntArray
    """Places of the first sentence's value tokens, in the order of writing."""

    writers: IntArray
    """The place that writes each of them."""

    label: IntArray
    """Places of the label's value tokens among them."""


def attention_to_label(model: Any, encoding: SentenceEncoding, clauses: Clauses, orders: IntArray) -> AttentionMap:
    """Measure how a language model of a table attends to the label.

    Parameters
    ----------
    model
        A transformers causal or masked LM in evaluation mode. A masked one reads the full sentence, nothing hidden.
    encoding
        How the table is written.
    clauses
        n rows, one or more, each with a label clause.
    orders
        Clause indices in the order of writing, int64 of shape (n, n_clauses).

    Raises
    ------
    InvalidInputError
        There is no row, or a row has no label clause.
    """
    if not len(orders) or not clauses.present[:, -1].all():
        raise InvalidInputError(
            f"attention to the label needs rows that all hold a label clause; got {len(orders)} rows, "
            f"{int(clauses.present[:, -1].sum())} of them with one."
        )
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
    length = int(sentences.real[0].sum())
    own = np.flatnonzero(clause[0] != END)
    return AttentionMap(
        can=_mean_by(rows, visible_label > 0, len(orders)),
        does=_mean_by(rows, attends, len(orders)),
        mass=_mean_by(clause[rows, values], to_label, encoding.n_clauses),
        matrix=attention[0, :length, :length],
        names=tuple(encoding.token_names[token] for token in sentences.ids[0, :length].tolist()),
        values=own,
        writers=writers[own],
        label=np.flatnonzero(label[0]),
    )


@torch.inference_mode()
def _attention(model: Any, sentences: Sentences) -> FloatArray:
    """Attention between all places, averaged over layers and heads, shape (n, length, length)."""
    parts = []
    with _eager_attention(model):
        for start in range(0, len(sentences.ids), BATCH):
            ids = torch.from_numpy(sentences.ids[start : start + BATCH]).to(model.device)
            mask = torch.from_numpy(sentences.real[start : start + BATCH]).long().to(model.device)
            layers = model.base_model(input_ids=ids, attention_mask=mask, output_attentions=True).attentions
            parts.append(sum(layer.double().mean(dim=1).cpu() for layer in layers) / len(layers))
    attention: FloatArray = torch.cat(parts).numpy()
    return attention


@contextmanager
def _eager_attention(model: Any) -> Iterator[None]:
    """Compute attention in the one way that gives its weights, and go back to the model's own way."""
    before = model.config._attn_implementation  # transformers has a setter but no public getter
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


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
