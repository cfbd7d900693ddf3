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
    """The lower blocks of a causal model, none of which learns, and those above, read one after the other."""

    def __init__(self, lower: Any, upper: Any, base: str, behind: int | None = None) -> None:
        self._lower, self._upper, self._base = lower, upper, base
        self._behind = behind  # how many blocks of `lower`, None: all

    @classmethod
    def of(cls, model: LanguageModel, base: str, depth: float | None = None) -> FrozenBlocks | None:
        """None where nothing below learns, or the model is more than its blocks one after the other.

        `base` is the fingerprint of the weights that do not learn; the lower blocks are those below the first that
        learns, or a share `depth` of all. With a share there always are some: of a model that cannot be taken apart all
        is read.
        """
        inner: Any = model.base_model
        lists = [(n, m) for n, m in inner.named_children() if isinstance(m, torch.nn.ModuleList)]
        name, blocks = max(lists, key=lambda item: len(item[1]), default=("", torch.nn.ModuleList()))
        learns = [any(weight.requires_grad for weight in block.parameters()) for block in blocks]
        first = learns.index(True) if True in learns else 0
        if depth is not None:
            first = min(len(blocks) - 1, round(depth * len(blocks)))
        kinds = set(getattr(model.config, "layer_types", None) or ())
        whole = None if depth is None else cls(inner, inner, f"{base} {first}", first)
        if not first or len(kinds) > 1 or model.get_input_embeddings().weight.requires_grad:
            return whole
        found = cls(_part(inner, name, blocks[:first]), _part(inner, name, blocks[first:]), f"{base} {first}")
        return found if found._is_whole(inner) else whole

    def __call__(self, sentences: Sentences) -> torch.Tensor:
        """Last hidden states of rows, shape (n, length, width)."""
        states = torch.nn.utils.rnn.pad_sequence(self._states(self._embedded(sentences)), batch_first=True)
        real = torch.from_numpy(sentences.real).to(states.device)
        mask = None if bool(real.all()) else real.long()
        with autocast(states.device):
            read: torch.Tensor = self._upper(inputs_embeds=states, attention_mask=mask, use_cache=False)[0]
        return read

    def pooled(self, sentences: Sentences) -> torch.Tensor:
        """What the lower blocks make of rows: the mean state of a row's tokens and its last one, (n, 2 * width).

        The first token of several is left out of the mean: all others rest their attention on it.
        """
        return torch.stack(self._states(self._embedded(sentences), pooled=True))

    def session(self, model: LanguageModel, encoding: SentenceEncoding, n_rows: int) -> KVSession:
        """Asks as a session does, of whole rows whose states may be known."""
        return _FrozenSession(self, model, encoding, n_rows)

    def _embedded(self, sentences: Sentences) -> list[torch.Tensor]:
        """Embedded tokens of each row, shape (length, width)."""
        embed = self._lower.get_input_embeddings()
        with torch.no_grad():
            embedded = embed(torch.from_numpy(sentences.ids).to(embed.weight.device)).float()
        return [row[:n] for row, n in zip(embedded, sentences.real.sum(axis=1).tolist(), strict=True)]

    def _states(self, rows: list[torch.Tensor], *, pooled: bool = False) -> list[torch.Tensor]:
        """What the frozen blocks make of embedded rows, each of shape (length, width), or `pooled` (2 * width,)."""
        keys = [self._key(row) + b"pooled" * pooled for row in rows]
        known = {key: _kept[key] for key in keys if key in _kept}
        new = [(key, row) for key, row in dict(zip(keys, rows, strict=True)).items() if key not in known]
        new.sort(key=lambda item: len(item[1]))
        for start in range(0, len(new), _ROWS_AT_ONCE):
            part = new[start : start + _ROWS_AT_ONCE]
            made = self._computed([row for _, row in part])
            own = [(key, state[: len(row)]) for (key, row), state in zip(part, made, strict=True)]
            known |= {key: _pooled(state) if pooled else state.clone() for key, state in own}
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
        padded = padded.to(self._lower.get_input_embeddings().weight.dtype)
        with autocast(padded.device):
            more = {"use_cache": False, "output_hidden_states": self._behind is not None}
            read = self._lower(inputs_embeds=padded, attention_mask=real, **more)
        states: torch.Tensor = read[0] if self._behind is None else read.hidden_states[self._behind]
        self._lower.train(learns)
        return states.float()

    def _key(self, row: torch.Tensor) -> bytes:
        return hashlib.blake2b(row.cpu().numpy().tobytes(), key=self._base.encode()[-64:], digest_size=16).digest()

    def _is_whole(self, inner: Any) -> bool:
        """Whether both parts one after the other read a row as the whole model does."""
        with torch.no_grad(), autocast(inner.get_input_embeddings().weight.device):
            row = inner.get_input_embeddings().weight[None, -4:]
            whole = inner(inputs_embeds=row, use_cache=False)[0]
            parts = self._upper(inputs_embeds=self._computed([row[0]]).to(row.dtype), use_cache=False)[0]
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


def _pooled(states: torch.Tensor) -> torch.Tensor:
    """Mean of a row's states without the first of several, and the last one, shape (2 * width,)."""
    return torch.cat([states[min(1, len(states) - 1) :].mean(dim=0), states[-1]])


def _part(inner: Any, name: str, blocks: torch.nn.ModuleList) -> Any:
    """The same model with some of its blocks; below the last one without the norm behind them."""
    part, modules = copy.copy(inner), dict(inner._modules)
    is_lower = blocks[-1] is not modules[name][-1]
    behind = list(modules)[list(modules).index(name) + 1 :] if is_lower else []
    norms = {each: torch.nn.Identity() for each in behind if any(True for _ in modules[each].parameters())}
    part._modules = {**modules, name: blocks, **norms}
    return part
