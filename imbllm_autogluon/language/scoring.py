"""Log-probabilities of given values and rows, for whole batches: how a language model is asked for a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from imbllm_autogluon.encoding import END
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.losses import ValueLoss
from imbllm_autogluon.language.session import KVSession

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.encoding import Clauses, SentenceEncoding
    from imbllm_autogluon.language.batches import Prompts
    from imbllm_autogluon.language.frozen import FrozenBlocks
    from imbllm_autogluon.language.losses import LanguageModel

_Tokens = tuple[int, ...]


@torch.inference_mode()
def score_values(
    model: LanguageModel,
    encoding: SentenceEncoding,
    prompts: Prompts,
    clause: int,
    values: IntArray,
    frozen: FrozenBlocks | None = None,
) -> FloatArray:
    """Log-probabilities of values of one clause behind the given clauses of prompts.

    The probability of a value is that with which the constrained decoder would write it at temperature 1: the
    product over its tokens of their shares among the legal ones. Tokens without alternative cost no forward pass,
    and beginnings that several values share are computed once for all of them.

    The model is causal; the prompts are n rows with at least one given clause; `values` are tokens of the clause, shape
    (k, longest), padded with -1. Returns float64 of shape (n, k), nats; refuses illegal values and given clauses.
    With `frozen` blocks whole rows are read, and what these make of a row is computed once.
    """
    if clause in prompts.order[: prompts.given]:
        raise InvalidInputError(f"clause {clause} is given by the prompts; score one that is not.")
    spelled = [tuple(token for token in row if token >= 0) for row in values.tolist()]
    branchings = _branchings(encoding, clause, spelled)
    n_rows = len(prompts.tokens)
    session = KVSession(model, encoding, n_rows) if frozen is None else frozen.session(model, encoding, n_rows)
    session.feed_given(prompts, clause)
    if not encoding.fused:
        session.feed_forced(encoding.prefixes[clause])
    scores = np.zeros((len(prompts.tokens), len(spelled)))
    for begin, state in branchings.items():
        legal = np.flatnonzero(encoding.tables.allowed[state])
        ahead = encoding.prefixes[clause] * len(begin) if encoding.fused else None
        logits = session.logits(session.lookahead(begin, ahead), torch.from_numpy(legal).to(session.device))
        shares = torch.log_softmax(logits.double(), dim=1).cpu().numpy()
        for column, tokens in enumerate(spelled):
            if len(tokens) > len(begin) and tokens[: len(begin)] == begin:
                scores[:, column] += shares[:, np.searchsorted(legal, tokens[len(begin)])]
    return scores


def _branchings(encoding: SentenceEncoding, clause: int, spelled: list[_Tokens]) -> dict[_Tokens, int]:
    """Automaton state behind each beginning of a value where there is a choice, shortest beginning first."""
    tables, found = encoding.tables, dict[_Tokens, int]()
    choices = tables.allowed.sum(axis=1)
    for tokens in spelled:
        state = int(tables.starts[clause])
        for place, token in enumerate(tokens):
            if state == END or not tables.allowed[state, token]:
                raise InvalidInputError(f"{list(tokens)} are not the tokens of a legal value of clause {clause}.")
            if choices[state] > 1:
                found[tokens[:place]] = state
            state = int(tables.next_state[state, token])
        if state != END:
            raise InvalidInputError(f"{list(tokens)} are only the beginning of a value of clause {clause}.")
    return dict(sorted(found.items(), key=lambda item: len(item[0])))


@torch.inference_mode()
def log_likelihoods(
    model: LanguageModel, encoding: SentenceEncoding, clauses: Clauses, orders: IntArray, *, rows_at_once: int
) -> FloatArray:
    """Log-likelihood of each whole row's values, written in the given orders: float64 of shape (n,), nats.

    The model is causal; `orders` are clause indices, shape (n, n_clauses).
    """
    loss = ValueLoss(encoding.tables, model.get_input_embeddings().weight.device)
    total = np.zeros(len(orders))
    for start in range(0, len(orders), rows_at_once):
        part = np.arange(start, min(start + rows_at_once, len(orders)))
        losses, rows = loss.by_token(model, encoding.assemble(clauses.take(part), orders[part]))
        total[part] = -np.bincount(rows.cpu().numpy(), weights=losses.double().cpu().numpy(), minlength=len(part))
    return total
