"""Reading a batch of sentences with a causal LM, token by token, with a key-value cache.

Tokens wait until a hidden state is asked for, so that forced tokens (the prefix of a clause) enter the cache as one
chunk together with the last sampled token, or share its place where the encoding is fused.
"""

from __future__ import annotations

import inspect
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from imbllm_autogluon.encoding import PADDING
from imbllm_autogluon.language.hardware import autocast
from imbllm_autogluon.language.losses import read_tokens

if TYPE_CHECKING:
    from imbllm_autogluon.encoding import SentenceEncoding
    from imbllm_autogluon.language.batches import Prompts
    from imbllm_autogluon.language.losses import LanguageModel


class KVSession:
    """Key-value cache and waiting tokens of a batch of `n_rows` rows."""

    def __init__(self, model: LanguageModel, encoding: SentenceEncoding, n_rows: int) -> None:
        self.n_rows = n_rows
        self.device: torch.device = model.get_input_embeddings().weight.device
        self._model, self._encoding, self._cache = model, encoding, _empty_cache(model)
        self._reading = {_cache_name(model): self._cache, "use_cache": True}
        self._ids: list[torch.Tensor] = []
        self._real: list[torch.Tensor | None] = []
        self._ahead: list[torch.Tensor] = []
        self._read = 0
        self._mask: torch.Tensor | None = None
        self._last: torch.Tensor

    @property
    def length(self) -> int:
        """Places that are taken, waiting ones included."""
        return self._read + sum(ids.shape[1] for ids in self._ids)

    def forced(self, tokens: tuple[int, ...]) -> torch.Tensor:
        """Tokens that are the same in all rows, shape (n, len(tokens))."""
        return torch.tensor(tokens, dtype=torch.long, device=self.device).expand(self.n_rows, -1)

    def feed_forced(self, tokens: tuple[int, ...], ahead: tuple[int, ...] | None = None) -> None:
        """:meth:`feed` tokens that are the same in all rows."""
        self.feed(self.forced(tokens), None, None if ahead is None else self.forced(ahead))

    def feed(self, ids: torch.Tensor, real: torch.Tensor | None, ahead: torch.Tensor | None = None) -> None:
        """Let tokens, shape (n, length), wait for the next forward pass.

        `real` are the places that a row uses, None for all of them; `ahead`, of a fused encoding, the prefix of the
        clause that each next token belongs to; both of the shape of `ids`.
        """
        self._ids.append(ids)
        self._real.append(real)
        if ahead is not None:
            self._ahead.append(ahead)

    def feed_shared(self) -> None:
        """Compute waiting tokens that are the same in all rows once, and give every row a copy of the cache."""
        self._ids, self._ahead = ([each[:1] for each in waiting] for waiting in (self._ids, self._ahead))
        self._real = [None] * len(self._ids)  # what is the same in all rows has no gaps
        read, _ = self._waiting()
        with autocast(self.device):
            output = self._model.base_model(**read, **self._reading)
        self._last = output.last_hidden_state[:, -1].float().expand(self.n_rows, -1)
        self._cache.batch_repeat_interleave(self.n_rows)

    def lookahead(self, tokens: tuple[int, ...], ahead: tuple[int, ...] | None = None) -> torch.Tensor:
        """Hidden state of each row's last token if these came next, (n, width); the tokens leave no trace."""
        last, mask, read = self.advance(), self._mask, self._read
        if not tokens:
            return last
        self.feed_forced(tokens, ahead)
        hidden = self.advance()
        self._cache.crop(-len(tokens))
        self._mask, self._last, self._read = mask, last, read
        return hidden

    def advance(self) -> torch.Tensor:
        """Run the waiting tokens through the model; returns the hidden state of each row's last token, (n, width)."""
        if not self._ids:
            return self._last
        before = self._read
        read, real = self._waiting()
        mask, places = self._with_mask(before, real)
        with autocast(self.device):
            hidden: torch.Tensor = self._model.base_model(
                **read, attention_mask=mask, position_ids=places, **self._reading
            ).last_hidden_state
        self._last = hidden[:, -1].float() if real is None else self._last_states(hidden, real)
        return self._last

    def feed_given(self, prompts: Prompts, following: int | None = None) -> None:
        """Feed the opening and the given clauses; a first clause equal in all rows is computed once for the batch.

        `following` is the clause behind the given ones; None: there is none, or the model is to find it.
        """
        encoding = self._encoding
        clauses = [*prompts.order[: prompts.given].tolist(), following]
        if encoding.begin:
            names = self.names(None, clauses[0])
            ahead = None if names is None else (*[PADDING] * (len(encoding.begin) - 1), names[1])
            self.feed_forced(encoding.begin, ahead)
        for position, (clause, behind) in enumerate(pairwise(clauses)):
            values = torch.from_numpy(prompts.tokens[:, clause]).to(self.device)
            values = values[:, (values >= 0).any(dim=0)]
            in_common = position == 0 and bool((values == values[:1]).all())
            if position == 0 and not in_common and encoding.begin:
                self.feed_shared()
            if not encoding.fused:
                self.feed_forced(encoding.prefixes[clause])
            real = values >= 0
            names = self.names(clause, behind)
            last = real & (real.sum(dim=1, keepdim=True) == real.cumsum(dim=1))
            self.feed(values.clamp(min=0), real, None if names is None else torch.where(last, names[1], names[0]))
            if in_common:
                self.feed_shared()

    def names(self, clause: int | None, following: int | None) -> tuple[int, int] | None:
        """Of a fused encoding: prefixes of a clause and of the one behind it, `PADDING` where there is none."""
        if not self._encoding.fused:
            return None
        own, behind = (PADDING if one is None else self._encoding.prefixes[one][0] for one in (clause, following))
        return own, behind

    def logits(self, hidden: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Logits of the given tokens only, shape (n, len(tokens))."""
        head = self._model.get_output_embeddings()
        bias = None if head.bias is None else head.bias[tokens].float()
        return torch.nn.functional.linear(hidden, head.weight[tokens].float(), bias)

    def _waiting(self) -> tuple[dict[str, torch.Tensor], torch.Tensor | None]:
        """What waits, as the model reads it, and which of its places are used; nothing waits any more."""
        ids, real = torch.cat(self._ids, dim=1), self._used()
        read = read_tokens(self._model, ids, torch.cat(self._ahead, dim=1) if self._ahead else None)
        self._ids, self._real, self._ahead = [], [], []
        self._read += ids.shape[1]
        return read, real

    def _used(self) -> torch.Tensor | None:
        """Which waiting places are used, shape (n, length); None: all of them."""
        if all(real is None for real in self._real):
            return None
        waiting = zip(self._ids, self._real, strict=True)
        used = torch.cat([torch.ones_like(ids, dtype=torch.bool) if real is None else real for ids, real in waiting], 1)
        return None if bool(used.all()) else used

    def _with_mask(self, before: int, real: torch.Tensor | None) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Mask of all places, and positions of those behind `before`; None of both while no row has a gap."""
        if self._mask is None and real is None:
            return None, None
        ones = torch.ones((self.n_rows, self._read), dtype=torch.bool, device=self.device)
        known = ones[:, :before] if self._mask is None else self._mask
        self._mask = torch.cat([known, ones[:, before:] if real is None else real], dim=1)
        return self._mask.long(), (self._mask.cumsum(dim=1) - 1).clamp(min=0)[:, before:]

    def _last_states(self, hidden: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Hidden state of the last place that each row uses, shape (n, width): of these places, or as it was."""
        if bool(real[:, -1].all()):
            return hidden[:, -1].float()
        last = (real * torch.arange(1, real.shape[1] + 1, device=self.device)).argmax(dim=1)
        states = hidden[torch.arange(self.n_rows, device=self.device), last].float()
        return torch.where(real.any(dim=1)[:, None], states, self._last) if hasattr(self, "_last") else states


def _cache_name(model: LanguageModel) -> str:
    """What a model calls its cache: transformers before 5.24, which came after Python 3.10, knows the second alone."""
    known = inspect.signature(model.base_model.forward).parameters
    return "cache" if "cache" in known else "past_key_values"


def _empty_cache(model: LanguageModel) -> Any:
    """A key-value cache: the compact backbone has its own, laid out once; others get that of transformers."""
    own = getattr(model, "new_cache", None)
    if own is not None:
        return own()
    from transformers import DynamicCache

    return DynamicCache(config=model.config)
