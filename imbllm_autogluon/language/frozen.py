"""States of frozen blocks, computed once for each row: what lies below the first block that learns never changes.

With two of SmolLM2's thirty blocks learning, an epoch over rows that were read before costs a tenth of one that is not.
"""

from __future__ import annotations

import copy
import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from imbllm_autogluon.encoding import Clauses
from imbllm_autogluon.language.hardware import autocast
from imbllm_autogluon.language.session import KVSession

if TYPE_CHECKING:
    from imbllm_autogluon.encoding import SentenceEncoding, Sentences
    from imbllm_autogluon.language.batches import Prompts
    from imbllm_autogluon.language.losses import LanguageModel

_MOST_BYTES = 2**30  # of states that are kept in a process; those read first go first
_ROWS_AT_ONCE = 32

_kept: OrderedDict[bytes, torch.Tensor] = OrderedDict()  # states of rows, also between fits on the same base model


class FrozenBlocks:
    """The blocks of a causal model below the first that learns, and those above, read one after the other."""

    def __init__(self, lower: Any, upper: Any, base: str) -> None:
        self._lower, self._upper, self._base = lower, upper, base

    @classmethod
    def of(cls, model: LanguageModel, base: str) -> FrozenBlocks | None:
        """None where nothing below learns, or the model is more than its blocks one after the other.

        `base` is the fingerprint of the weights that do not learn.
        """
        inner: Any = model.base_model
        lists = [(n, m) for n, m in inner.named_children() if isinstance(m, torch.nn.ModuleList)]
        name, blocks = max(lists, key=lambda item: len(item[1]), default=("", torch.nn.ModuleList()))
        learns = [any(weight.requires_grad for weight in block.parameters()) for block in blocks]
        first = learns.index(True) if True in learns else 0
        kinds = set(getattr(model.config, "layer_types", None) or ())
        if not first or len(kinds) > 1 or model.get_input_embeddings().weight.requires_grad:
            return None
        found = cls(_part(inner, name, blocks[:first]), _part(inner, name, blocks[first:]), f"{base} {first}")
        return found if found._is_whole(inner) else None

    def __call__(self, sentences: Sentences) -> torch.Tensor:
        """Last hidden states of rows, shape (n, length, width)."""
        embed = self._lower.get_input_embeddings()
        ids, real = (torch.from_numpy(each).to(embed.weight.device) for each in (sentences.ids, sentences.real))
        with torch.no_grad():
            embedded = embed(ids).float()
        rows = [row[:n] for row, n in zip(embedded, sentences.real.sum(axis=1).tolist(), strict=True)]
        states = torch.nn.utils.rnn.pad_sequence(self._states(rows), batch_first=True)
        mask = None if bool(real.all()) else real.long()
        with autocast(ids.device):
            read: torch.Tensor = self._upper(inputs_embeds=states, attention_mask=mask, use_cache=False)[0]
        return read

    def session(self, model: LanguageModel, encoding: SentenceEncoding, n_rows: int) -> KVSession:
        """Asks as a session does, of whole rows whose states may be known."""
        return _FrozenSession(self, model, encoding, n_rows)

    def _states(self, rows: list[torch.Tensor]) -> list[torch.Tensor]:
        """What the frozen blocks make of embedded rows, each of shape (length, width)."""
        keys = [self._key(row) for row in rows]
        known = {key: _kept[key] for key in keys if key in _kept}
        new = [(key, row) for key, row in dict(zip(keys, rows, strict=True)).items() if key not in known]
        new.sort(key=lambda item: len(item[1]))
        for start in range(0, len(new), _ROWS_AT_ONCE):
            part = new[start : start + _ROWS_AT_ONCE]
            made = self._computed([row for _, row in part])
            known |= {key: state[: len(row)].clone() for (key, row), state in zip(part, made, strict=True)}
        _kept.update(known)
        size = sum(state.nbytes for state in _kept.values())
        while size > _MOST_BYTES:
            size -= _kept.popitem(last=False)[1].nbytes
        return [known[key] for key in keys]

    @torch.no_grad()
    def _computed(self, rows: list[torch.Tensor]) -> torch.Tensor:
        real = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row[:, 0]) for row in rows], batch_first=True).long()
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        learns = self._upper.training
        self._lower.eval()
        with autocast(padded.device):
            states: torch.Tensor = self._lower(inputs_embeds=padded, attention_mask=real, use_cache=False)[0]
        self._lower.train(learns)
        return states.float()

    def _key(self, row: torch.Tensor) -> bytes:
        return hashlib.blake2b(row.cpu().numpy().tobytes(), key=self._base.encode()[-64:], digest_size=16).digest()

    def _is_whole(self, inner: Any) -> bool:
        """Whether both parts one after the other read a row as the whole model does."""
        with torch.no_grad(), autocast(inner.get_input_embeddings().weight.device):
            row = inner.get_input_embeddings().weight[None, -4:].float()
            whole = inner(inputs_embeds=row, use_cache=False)[0]
            parts = self._upper(inputs_embeds=self._computed([row[0]]), use_cache=False)[0]
        return bool(torch.allclose(whole, parts, rtol=1e-4, atol=1e-4))


class _FrozenSession(KVSession):
    def __init__(self, blocks: FrozenBlocks, model: LanguageModel, encoding: SentenceEncoding, n_rows: int) -> None:
        super().__init__(model, encoding, n_rows)
        self._blocks = blocks
        self._behind: tuple[int, ...] = ()

    def feed_given(self, prompts: Prompts, following: int | None = None) -> None:
        """The opening and the given clauses."""
        del following
        given = prompts.order[: prompts.given]
        n_clauses = self._encoding.n_clauses
        present = np.zeros((self.n_rows, n_clauses), dtype=bool)
        present[:, given] = True
        order = np.append(given, np.setdiff1d(np.arange(n_clauses), given))
        self._given = self._encoding.assemble(Clauses(prompts.tokens, present), np.tile(order, (self.n_rows, 1)))

    def feed_forced(self, tokens: tuple[int, ...], ahead: tuple[int, ...] | None = None) -> None:
        """Tokens behind the given clauses."""
        del ahead
        self._behind += tokens

    def lookahead(self, tokens: tuple[int, ...], ahead: tuple[int, ...] | None = None) -> torch.Tensor:
        """Hidden state of each row's last token if these came next, (n, width)."""
        del ahead
        sentences = self._given.followed_by((*self._behind, *tokens))
        last = torch.from_numpy(sentences.real.sum(axis=1) - 1).to(self.device)
        hidden: torch.Tensor = self._blocks(sentences)[torch.arange(self.n_rows, device=self.device), last].float()
        return hidden


def _part(inner: Any, name: str, blocks: torch.nn.ModuleList) -> Any:
    """The same model with some of its blocks; below the last one without the norm behind them."""
    part, modules = copy.copy(inner), dict(inner._modules)
    is_lower = blocks[-1] is not modules[name][-1]
    behind = list(modules)[list(modules).index(name) + 1 :] if is_lower else []
    norms = {each: torch.nn.Identity() for each in behind if any(True for _ in modules[each].parameters())}
    part._modules = {**modules, name: blocks, **norms}
    return part
