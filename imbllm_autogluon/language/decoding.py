"""Batched constrained decoding: every row is legal by construction, at any stage of training.

Rows of a batch share one clause order. The forced tokens of a clause (its prefix) enter the key-value cache as one
chunk together with the last sampled token, or share its place where the encoding is fused; value tokens are drawn under
the column's automaton; where the automaton leaves no choice the token is taken without asking the model. Only the
tokens that a clause can use take part in the output layer.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.losses import NOT_LEGAL, read_tokens
from imbllm_autogluon.language.precision import autocast
from imbllm_autogluon.sentences import END, PADDING

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import IntArray
    from imbllm_autogluon.language.losses import LanguageModel
    from imbllm_autogluon.language.prompts import Prompts
    from imbllm_autogluon.sentences import AutomatonTables, SentenceEncoding


class Decoder:
    """Writes with a causal LM, whose weights stay as they are.

    Parameters
    ----------
    model
        A causal LM.
    encoding
        Prefixes and automata of the table's clauses.
    temperature
        Softmax temperature; 0 takes the most likely token (greedy).
    generator
        Source of randomness, on the model's device.
    """

    def __init__(
        self, model: LanguageModel, encoding: SentenceEncoding, temperature: float, generator: torch.Generator
    ) -> None:
        self._model = model
        self._encoding = encoding
        self._temperature = temperature
        self._generator = generator


class ConstrainedDecoder(Decoder):
    """Writes the missing clauses of prompts with a causal LM.

    See :class:`Decoder` for the parameters.
    """

    def __init__(
        self, model: LanguageModel, encoding: SentenceEncoding, temperature: float, generator: torch.Generator
    ) -> None:
        super().__init__(model, encoding, temperature, generator)
        tables, device = encoding.tables, generator.device
        self._allowed = torch.from_numpy(tables.allowed).to(device)
        self._next_state = torch.from_numpy(tables.next_state).to(device)
        self._clause_tokens = [torch.from_numpy(tables.clause_tokens(j)).to(device) for j in range(encoding.n_clauses)]
        self._choices = self._allowed.sum(dim=1)
        self._is_one_token = [_is_one_token(tables, start) for start in tables.starts.tolist()]

    @torch.inference_mode()
    def complete(self, prompts: Prompts) -> IntArray:
        """Return value tokens of all clauses, shape (n, n_clauses, longest), padded with -1; given ones unchanged.

        Clauses that the order of the prompts leaves out hold nothing but padding.
        """
        run = Run(self._model, len(prompts.tokens))
        nothing = torch.full((run.n_rows, 1), -1)
        columns = dict.fromkeys(range(self._encoding.n_clauses), nothing)
        missing = [*prompts.order[prompts.given :].tolist(), None]
        given_first(run, self._encoding, prompts, missing[0])
        for clause, following in pairwise(missing):
            columns[clause] = self._decode_value(run, clause, following).cpu()
        for clause in prompts.order[: prompts.given].tolist():
            columns[clause] = torch.from_numpy(prompts.tokens[:, clause])
        return _stacked([columns[clause] for clause in range(self._encoding.n_clauses)])

    def _decode_value(self, run: Run, clause: int, following: int | None) -> torch.Tensor:
        """Sample the value of one clause for every row; returns tokens of shape (n, longest), padded with -1."""
        if self._encoding.tables.is_given[clause]:
            name = "".join(self._encoding.token_texts[token] for token in self._encoding.prefixes[clause]).strip()
            raise InvalidInputError(
                f"clause {clause} ({name!r}) is free text, which is read and never written; give it in the prompts or "
                "leave it out of their order."
            )
        if not self._encoding.fused:
            run.queue_forced(self._encoding.prefixes[clause])
        names = _names(self._encoding, clause, following)
        if self._is_one_token[clause]:
            token = self._one_token(run, clause)
            run.queue(token[:, None], None, None if names is None else run.forced((names[1],)))
            return token[:, None]
        states = torch.full((run.n_rows,), int(self._encoding.tables.starts[clause]), device=run.device)
        tokens = []
        while bool((states != END).any()):
            active = states != END
            token = torch.where(active, self._next_token(run, states, clause), END)
            states = torch.where(active, self._next_state[states, token], END)
            ahead = None if names is None else torch.where(states == END, names[1], names[0])[:, None]
            run.queue(token.clamp(min=0)[:, None], active[:, None], ahead)
            tokens.append(token)
        return torch.stack(tokens, dim=1)

    def _one_token(self, run: Run, clause: int) -> torch.Tensor:
        """A draw among the tokens of a clause whose values are one token each, shape (n,)."""
        used = self._clause_tokens[clause]
        if len(used) == 1:
            return used.expand(run.n_rows)
        return used[draw_tokens(output_logits(self._model, run.advance(), used), self._temperature, self._generator)]

    def _next_token(self, run: Run, states: torch.Tensor, clause: int) -> torch.Tensor:
        """The only legal token where no row has a choice, else a draw from the model's legal distribution."""
        legal = self._allowed[states]
        if bool((self._choices[states] == 1)[states != END].all()):
            return legal.to(torch.uint8).argmax(dim=1)
        used = self._clause_tokens[clause]
        logits = output_logits(self._model, run.advance(), used)
        return used[draw_tokens(logits.masked_fill(~legal[:, used], NOT_LEGAL), self._temperature, self._generator)]


def given_first(run: Run, encoding: SentenceEncoding, prompts: Prompts, following: int | None = None) -> None:
    """Queue the opening and the given clauses; a first clause equal in all rows is computed once for the batch.

    Parameters
    ----------
    run
        Cache of the batch, empty.
    encoding
        Prefixes of the clauses.
    prompts
        Values that are given.
    following
        Clause that comes behind the given ones; None: there is none, or the model is to find it.
    """
    clauses = [*prompts.order[: prompts.given].tolist(), following]
    if encoding.begin:
        names = _names(encoding, None, clauses[0])
        run.queue_forced(encoding.begin, None if names is None else (*[PADDING] * (len(encoding.begin) - 1), names[1]))
    for position, (clause, behind) in enumerate(pairwise(clauses)):
        values = torch.from_numpy(prompts.tokens[:, clause]).to(run.device)
        values = values[:, (values >= 0).any(dim=0)]
        in_common = position == 0 and bool((values == values[:1]).all())
        if position == 0 and not in_common and encoding.begin:
            run.share_queue()
        if not encoding.fused:
            run.queue_forced(encoding.prefixes[clause])
        real = values >= 0
        names = _names(encoding, clause, behind)
        last = real & (real.sum(dim=1, keepdim=True) == real.cumsum(dim=1))
        run.queue(values.clamp(min=0), real, None if names is None else torch.where(last, names[1], names[0]))
        if in_common:
            run.share_queue()


def _is_one_token(tables: AutomatonTables, start: int) -> bool:
    """Whether every token that is legal in a state is a whole value."""
    return bool((tables.next_state[start][tables.allowed[start]] == END).all())


def _names(encoding: SentenceEncoding, clause: int | None, following: int | None) -> tuple[int, int] | None:
    """Of a fused encoding: prefixes of a clause and of the one behind it, `PADDING` where there is none."""
    if not encoding.fused:
        return None
    own, behind = (PADDING if one is None else encoding.prefixes[one][0] for one in (clause, following))
    return own, behind


def draw_tokens(logits: torch.Tensor, temperature: float, generator: torch.Generator) -> torch.Tensor:
    """Column drawn from each row of logits, shape (n,); the most likely one at temperature 0."""
    if temperature == 0:
        return logits.argmax(dim=1)
    probabilities = torch.softmax(logits.float() / temperature, dim=1)
    if probabilities.device.type != "cpu":
        return torch.multinomial(probabilities, 1, generator=generator)[:, 0]
    # Sums that pass a uniform number: 4 to 7 times faster than multinomial on a CPU. A number below the last sum falls
    # where the sums grow, so no illegal token, whose probability is 0, is drawn.
    sums = probabilities.cumsum(dim=1)
    total = sums[:, -1:]
    drawn = torch.rand(total.shape, generator=generator) * total
    drawn = torch.minimum(drawn, torch.nextafter(total, torch.zeros(())))
    return torch.searchsorted(sums, drawn, right=True)[:, 0]


class Run:
    """Cache and waiting tokens of one batch.

    Parameters
    ----------
    model
        A causal LM.
    n_rows
        Rows of the batch.
    """

    def __init__(self, model: LanguageModel, n_rows: int) -> None:
        self.n_rows = n_rows
        self.device: torch.device = model.get_input_embeddings().weight.device
        self._model = model
        self._cache = _empty_cache(model)
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
        return torch.tensor(tokens, device=self.device).expand(self.n_rows, -1)

    def queue_forced(self, tokens: tuple[int, ...], ahead: tuple[int, ...] | None = None) -> None:
        """Let tokens that are the same in all rows wait for the next forward pass."""
        self.queue(self.forced(tokens), None, None if ahead is None else self.forced(ahead))

    def queue(self, ids: torch.Tensor, real: torch.Tensor | None, ahead: torch.Tensor | None = None) -> None:
        """Let tokens wait for the next forward pass.

        Parameters
        ----------
        ids
            Tokens, shape (n, length).
        real
            Places that a row uses, shape (n, length); None: all of them.
        ahead
            Of a fused encoding: prefix of the clause that each next token belongs to, shape (n, length).
        """
        self._ids.append(ids)
        self._real.append(real)
        if ahead is not None:
            self._ahead.append(ahead)

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

    def share_queue(self) -> None:
        """Compute waiting tokens that are the same in all rows once, and give every row a copy of the cache."""
        self._ids, self._ahead = ([each[:1] for each in waiting] for waiting in (self._ids, self._ahead))
        self._real = [None] * len(self._ids)  # what is the same in all rows has no gaps
        read, _ = self._waiting()
        with autocast(self.device):
            output = self._model.base_model(**read, past_key_values=self._cache, use_cache=True)
        self._last = output.last_hidden_state[:, -1].float().expand(self.n_rows, -1)
        self._cache.batch_repeat_interleave(self.n_rows)

    def peek(self, tokens: tuple[int, ...], ahead: tuple[int, ...] | None = None) -> torch.Tensor:
        """Hidden state of each row's last token if these came next, (n, width); the tokens leave no trace."""
        last, mask, read = self.advance(), self._mask, self._read
        if not tokens:
            return last
        self.queue_forced(tokens, ahead)
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
                **read, attention_mask=mask, position_ids=places, past_key_values=self._cache, use_cache=True
            ).last_hidden_state
        self._last = hidden[:, -1].float() if real is None else self._last_states(hidden, real)
        return self._last

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


def _empty_cache(model: LanguageModel) -> Any:
    """A key-value cache: the compact backbone has its own, laid out once; others get that of transformers."""
    own = getattr(model, "new_cache", None)
    if own is not None:
        return own()
    from transformers import DynamicCache

    return DynamicCache(config=model.config)


def output_logits(model: LanguageModel, hidden: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Logits of the given tokens only, shape (n, len(tokens))."""
    head = model.get_output_embeddings()
    bias = None if head.bias is None else head.bias[tokens].float()
    return torch.nn.functional.linear(hidden, head.weight[tokens].float(), bias)


def _stacked(columns: list[torch.Tensor]) -> IntArray:
    """Clause columns of different lengths as one array, padded with -1."""
    longest = max(column.shape[1] for column in columns)
    widened = [torch.nn.functional.pad(column, (0, longest - column.shape[1]), value=-1) for column in columns]
    return torch.stack(widened, dim=1).cpu().numpy()
