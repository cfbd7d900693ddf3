"""Writes the missing clauses of prompts: constrained by the columns' automata, free, or by unmasking.

A text has an automaton too, of any tokens up to the mark of its end, and a budget of tokens; its tokens are drawn from
the nucleus of the distribution (Holtzman et al. 2020, arXiv 1904.09751).

Constrained rows are legal by construction, at any stage of training. Rows of a batch share one clause order. The forced
tokens of a clause (its prefix) enter the key-value cache as one chunk together with the last sampled token, or share
its place where the encoding is fused; where the automaton leaves no choice the token is taken without asking the model.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from imbllm_autogluon.encoding import END, PADDING, Clauses
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.hardware import ran_out_of_memory, release_memory
from imbllm_autogluon.language.losses import NOT_LEGAL, require_single_tokens
from imbllm_autogluon.language.session import KVSession

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.encoding import SentenceEncoding
    from imbllm_autogluon.language.batches import Prompts
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.losses import LanguageModel
    from imbllm_autogluon.language.table_backbone import TableBackbone

_log = logging.getLogger(__name__)

_NUCLEUS, _MOST_DRAWN_FROM = 0.95, 200  # share of the probability, and tokens, that the next one of a text comes from


@dataclass(eq=False)
class _Decoder:
    model: LanguageModel
    encoding: SentenceEncoding
    temperature: float  # 0 takes the most likely token
    generator: torch.Generator  # on the model's device

    def __post_init__(self) -> None:
        """Lay out what a kind of decoder needs of the encoding for each batch."""

    def _draw(self, logits: torch.Tensor) -> torch.Tensor:
        return _draw_tokens(logits, self.temperature, self.generator)


class _ConstrainedDecoder(_Decoder):
    """Writes the missing clauses of a batch with a causal LM, each value under the automaton of its column."""

    def __post_init__(self) -> None:
        tables, device = self.encoding.tables, self.generator.device
        self._allowed = torch.from_numpy(tables.allowed).to(device)
        self._next_state = torch.from_numpy(tables.next_state).to(device)
        self._clause_tokens = _clause_tokens(self.encoding, device)
        self._choices = self._allowed.sum(dim=1)
        self._is_one_token = [
            bool((tables.next_state[start][tables.allowed[start]] == END).all()) for start in tables.starts.tolist()
        ]

    @torch.inference_mode()
    def complete(self, prompts: Prompts) -> IntArray:
        """Value tokens of all clauses, (n, n_clauses, longest), -1 behind the end and in clauses outside the order."""
        session = KVSession(self.model, self.encoding, len(prompts.tokens))
        nothing = torch.full((session.n_rows, 1), -1)
        columns = dict.fromkeys(range(self.encoding.n_clauses), nothing)
        missing = [*prompts.order[prompts.given :].tolist(), None]
        session.feed_given(prompts, missing[0])
        for clause, following in pairwise(missing):
            columns[clause] = self._decode_value(session, clause, following).cpu()
        for clause in prompts.order[: prompts.given].tolist():
            columns[clause] = torch.from_numpy(prompts.tokens[:, clause])
        longest = max(column.shape[1] for column in columns.values())
        widened = [functional.pad(column, (0, longest - column.shape[1]), value=-1) for column in columns.values()]
        return torch.stack(widened, dim=1).numpy()

    def _decode_value(self, session: KVSession, clause: int, following: int | None) -> torch.Tensor:
        """Sample the value of one clause for every row; returns tokens of shape (n, longest), padded with -1."""
        if self.encoding.tables.is_given[clause]:
            name = "".join(self.encoding.token_texts[token] for token in self.encoding.prefixes[clause]).strip()
            raise InvalidInputError(
                f"clause {clause} ({name!r}) is free text, which is read and never written; give it in the prompts or "
                "leave it out of their order."
            )
        if not self.encoding.fused:
            session.feed_forced(self.encoding.prefixes[clause])
        names = session.names(clause, following)
        if self._is_one_token[clause]:
            token = self._one_token(session, clause)
            session.feed(token[:, None], None, None if names is None else session.forced((names[1],)))
            return token[:, None]
        states = torch.full((session.n_rows,), int(self.encoding.tables.starts[clause]), device=session.device)
        tokens: list[torch.Tensor] = []
        while bool((states != END).any()) and len(tokens) != self.encoding.budgets[clause]:
            active = states != END
            token = torch.where(active, self._next_token(session, states, clause), END)
            states = torch.where(active, self._next_state[states, token], END)
            ahead = None if names is None else torch.where(states == END, names[1], names[0])[:, None]
            session.feed(token.clamp(min=0)[:, None], active[:, None], ahead)
            tokens.append(token)
        return torch.stack(tokens, dim=1)

    def _one_token(self, session: KVSession, clause: int) -> torch.Tensor:
        used = self._clause_tokens[clause]
        if len(used) == 1:
            return used.expand(session.n_rows)
        return used[self._draw(session.logits(session.advance(), used))]

    def _next_token(self, session: KVSession, states: torch.Tensor, clause: int) -> torch.Tensor:
        """The only legal token where no row has a choice, else a draw from the model's legal distribution."""
        legal = self._allowed[states]
        if bool((self._choices[states] == 1)[states != END].all()):
            return legal.to(torch.uint8).argmax(dim=1)
        used = self._clause_tokens[clause]
        logits = session.logits(session.advance(), used).masked_fill(~legal[:, used], NOT_LEGAL)
        return used[self._draw(logits) if self.encoding.budgets[clause] is None else self._draw_from_nucleus(logits)]

    def _draw_from_nucleus(self, logits: torch.Tensor) -> torch.Tensor:
        best, columns = logits.topk(min(_MOST_DRAWN_FROM, logits.shape[1]), dim=1)
        shares = torch.softmax(best.float() / max(self.temperature, 1e-3), dim=1)
        nucleus = best.masked_fill(shares.cumsum(dim=1) - shares >= _NUCLEUS, NOT_LEGAL)
        return columns.gather(1, self._draw(nucleus)[:, None])[:, 0]


def _draw_tokens(logits: torch.Tensor, temperature: float, generator: torch.Generator) -> torch.Tensor:
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


def _clause_tokens(encoding: SentenceEncoding, device: torch.device) -> list[torch.Tensor]:
    """Tokens that each clause can use."""
    return [torch.from_numpy(encoding.tables.clause_tokens(j)).to(device) for j in range(encoding.n_clauses)]


class _JointDecoder(_Decoder):
    """Writes the missing clauses of several batches, each with a clause order of its own, in step.

    Where every value is one token and the encoding is fused (:meth:`can_write`), the k-th place of every row holds its
    k-th value, whatever column that belongs to. The blocks of the causal LM then read the rows of all batches together,
    and only the output layer, which knows the tokens of one column, takes them batch by batch.
    """

    def __post_init__(self) -> None:
        encoding, device, head = self.encoding, self.generator.device, self.model.get_output_embeddings()
        used = [encoding.tables.clause_tokens(clause) for clause in range(encoding.n_clauses)]
        self._sizes = [len(tokens) for tokens in used]
        padded = np.stack([np.pad(tokens, (0, max(self._sizes) - len(tokens))) for tokens in used])
        self._used = torch.from_numpy(padded).to(device)
        self._names = np.array([prefix[-1] for prefix in encoding.prefixes], dtype=np.int64)
        tokens_of = [row[:size] for row, size in zip(self._used, self._sizes, strict=True)]
        self._weights = [head.weight[tokens].detach().float() for tokens in tokens_of]
        self._biases = [None if head.bias is None else head.bias[tokens].detach().float() for tokens in tokens_of]

    @staticmethod
    def can_write(encoding: SentenceEncoding) -> bool:
        """Whether every value of the encoding is one token, and its places are in step."""
        tables = encoding.tables
        whole = (tables.next_state == END)[tables.starts] | ~tables.allowed[tables.starts]
        return encoding.fused and bool(whole.all()) and not tables.is_given.any()

    @torch.inference_mode()
    def complete(self, batches: Sequence[Prompts]) -> list[IntArray]:
        """Value tokens of each batch, shape (n, n_clauses, 1); -1 in clauses that its order leaves out.

        All batches have orders of one length and the same number of given clauses.
        """
        sizes, given = [len(batch.tokens) for batch in batches], batches[0].given
        orders = np.stack([batch.order for batch in batches])
        session = KVSession(self.model, self.encoding, sum(sizes))
        of_row = torch.from_numpy(np.repeat(orders, sizes, axis=0)).to(session.device)
        known = torch.from_numpy(np.concatenate([batch.tokens[:, :, 0] for batch in batches])).to(session.device)
        tokens = torch.full((session.n_rows, self.encoding.n_clauses), -1, device=session.device)
        behind = np.pad(self._names[orders], ((0, 0), (0, 1)), constant_values=PADDING)
        names = torch.from_numpy(np.repeat(behind, sizes, axis=0)).to(session.device)
        first, *following = torch.split(names, 1, dim=1)  # what stands behind the opening and behind each clause
        begin = self.encoding.begin
        ahead = torch.cat([session.forced((PADDING,) * (len(begin) - 1)).long(), first], dim=1)
        session.feed(session.forced(begin), None, ahead)
        if (orders[:, 0] == orders[0, 0]).all():
            session.feed_shared()
        for place, name in enumerate(following):
            columns = of_row[:, place : place + 1]
            if place < given:
                value = known.gather(1, columns)
            else:
                drawn = self._draw(self._logits(session.advance(), orders[:, place].tolist(), sizes))
                value = self._used[columns[:, 0], drawn][:, None]
            tokens.scatter_(1, columns, value)
            session.feed(value, None, name)
        return np.split(tokens.cpu().numpy()[:, :, None], np.cumsum(sizes)[:-1])

    def _logits(self, hidden: torch.Tensor, clauses: list[int], sizes: list[int]) -> torch.Tensor:
        """The output layer: each batch is asked for the tokens of its own clause; others are not legal."""
        logits = hidden.new_full((len(hidden), max(self._sizes[clause] for clause in clauses)), NOT_LEGAL)
        stops = np.cumsum([0, *sizes]).tolist()
        for clause, (start, stop) in zip(clauses, pairwise(stops), strict=True):
            own = functional.linear(hidden[start:stop], self._weights[clause], self._biases[clause])
            logits[start:stop, : self._sizes[clause]] = own
        return logits


class _FreeDecoder(_Decoder):
    """Continues prompts, any token of the table at any place, until the model ends the sentence by the padding token.

    An ablation that decodes as the papers do: the model has learned whole sentences (``constrained=False``).
    """

    @torch.inference_mode()
    def complete(self, prompts: Prompts) -> tuple[IntArray, BoolArray]:
        """Value tokens as of the constrained decoder, and which rows are legal, (n,): others are all -1.

        A legal row holds every clause once, each with a legal value.
        """
        session = KVSession(self.model, self.encoding, len(prompts.tokens))
        session.feed_given(prompts)
        return self._merged([self._read(row) for row in self._continue(session).tolist()], prompts)

    def _continue(self, session: KVSession) -> IntArray:
        """Tokens behind the prompts, padded behind the end of each sentence, shape (n, length)."""
        everything = torch.arange(self.encoding.n_tokens, device=session.device)
        open_rows = torch.ones(session.n_rows, dtype=torch.bool, device=session.device)
        steps = []
        # One step beyond the longest sentence: a row that does not end there either is not legal.
        for _ in range(self.encoding.longest_sentence + 1 - session.length):
            token = self._draw(session.logits(session.advance(), everything))
            open_rows = open_rows & (token != PADDING)
            steps.append(torch.where(open_rows, token, PADDING))
            if not bool(open_rows.any()):
                break
            session.feed(steps[-1][:, None], open_rows[:, None])
        return torch.stack(steps, dim=1).cpu().numpy()

    def _read(self, row: list[int]) -> dict[int, list[int]] | None:
        """Value tokens by clause, or None where the row breaks off or holds something that is no clause."""
        ids = row[: row.index(PADDING)] if PADDING in row else row
        values: dict[int, list[int]] = {}
        while ids:
            clause = self._clause_at(ids)
            if clause is None or clause in values:
                return None
            ids = ids[len(self.encoding.prefixes[clause]) :]
            value = self._value_at(clause, ids)
            if value is None:
                return None
            values[clause] = value
            ids = ids[len(value) :]
        return values

    def _clause_at(self, ids: list[int]) -> int | None:
        """Clause whose prefix stands here; the longest where one begins with another."""
        prefixes = self.encoding.prefixes
        fitting = [j for j, prefix in enumerate(prefixes) if tuple(ids[: len(prefix)]) == prefix]
        return max(fitting, key=lambda j: len(prefixes[j]), default=None)

    def _value_at(self, clause: int, ids: list[int]) -> list[int] | None:
        """Legal value of a clause at the beginning of the tokens."""
        tables = self.encoding.tables
        state = int(tables.starts[clause])
        for place, token in enumerate(ids):
            if not tables.allowed[state, token]:
                return None
            state = int(tables.next_state[state, token])
            if state == END:
                return ids[: place + 1]
        return None

    def _merged(self, rows: list[dict[int, list[int]] | None], prompts: Prompts) -> tuple[IntArray, BoolArray]:
        """Given and written values together; a row is legal if that makes every clause once."""
        given = set(prompts.order[: prompts.given].tolist())
        missing = set(prompts.order.tolist()) - given
        legal = np.array([row is not None and set(row) == missing for row in rows], dtype=bool)
        longest = max([prompts.tokens.shape[2], *(len(v) for row in rows for v in (row or {}).values())])
        tokens = np.full((len(rows), self.encoding.n_clauses, longest), -1, dtype=np.int64)
        for i, row in enumerate(rows):
            for clause, value in (row or {}).items() if legal[i] else ():
                tokens[i, clause, : len(value)] = value
        for clause in given:
            tokens[legal, clause, : prompts.tokens.shape[2]] = prompts.tokens[legal, clause]
        return tokens, legal


class _MaskedDecoder(_Decoder):
    """Writes with a masked LM: in the order of the prompts, masks are replaced by tokens drawn under the automata."""

    def __post_init__(self) -> None:
        require_single_tokens(self.encoding)
        self._device = self.generator.device
        self._clause_tokens = _clause_tokens(self.encoding, self._device)

    @torch.inference_mode()
    def complete(self, prompts: Prompts) -> IntArray:
        """Value tokens of all clauses, (n, n_clauses, longest), padded with -1; given ones unchanged."""
        ids, places = self._opening(prompts)
        for clause in prompts.order[prompts.given :].tolist():
            ids[:, places[clause]] = self._value(ids, places[clause], clause)
        tokens = torch.full((len(ids), self.encoding.n_clauses, prompts.tokens.shape[2]), -1, device=self._device)
        tokens[:, list(places), 0] = ids[:, list(places.values())]
        return tokens.cpu().numpy()

    def _opening(self, prompts: Prompts) -> tuple[torch.Tensor, dict[int, int]]:
        """Sentences whose values are masks unless given, shape (n, length), and the place of each clause's value."""
        sentence = list(self.encoding.opening)
        places: dict[int, int] = {}
        for clause in prompts.order.tolist():
            sentence += self.encoding.prefixes[clause]
            places[clause] = len(sentence)
            sentence.append(self.encoding.n_tokens)
        ids = torch.tensor(sentence, device=self._device).repeat(len(prompts.tokens), 1)
        for clause in prompts.order[: prompts.given].tolist():
            ids[:, places[clause]] = torch.from_numpy(prompts.tokens[:, clause, 0]).to(self._device)
        return ids, places

    def _value(self, ids: torch.Tensor, place: int, clause: int) -> torch.Tensor:
        """Tokens for the mask at a place, shape (n,)."""
        legal = self._clause_tokens[clause]
        if len(legal) == 1:
            return legal.expand(len(ids))
        logits = self.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, place]
        return legal[self._draw(logits[:, legal])]

    def _draw(self, logits: torch.Tensor) -> torch.Tensor:
        if self.temperature == 0:
            return logits.argmax(dim=1)
        probabilities = torch.softmax(logits.float() / self.temperature, dim=1)
        return torch.multinomial(probabilities, 1, generator=self.generator)[:, 0]


class RowWriter:
    """Completes batches of prompts; holds the activations of one batch at a time.

    `written_freely` rows were decoded without automata so far; the `illegal` ones of them were written again under the
    automata.
    """

    def __init__(self, backbone: TableBackbone, config: LanguageConfig, seed: int) -> None:
        generator = torch.Generator(backbone.device).manual_seed(seed)
        assert config.temperature is not None
        parts = (backbone.model, backbone.encoding, config.temperature, generator)
        is_causal = backbone.family == "causal"
        self._decoder = _ConstrainedDecoder(*parts) if is_causal else _MaskedDecoder(*parts)
        is_free = is_causal and not (config.constrained or backbone.encoding.fused)
        self._free = _FreeDecoder(*parts) if is_free else None
        self._joint = _JointDecoder(*parts) if is_causal and _JointDecoder.can_write(backbone.encoding) else None
        self._rows_at_once = config.generation_batch or 1
        self._most: int | None = None
        self.written_freely = self.illegal = 0

    def complete(self, prompts: Prompts) -> Clauses:
        """Write the missing clauses of one batch, in the order of the prompts; clauses left out of it are absent.

        All rows are written at once, or as many as memory has turned out to hold; half as many where it runs out.
        """
        write = self._decoder.complete if self._free is None else self._write_freely
        n_rows = len(prompts.tokens)
        while True:
            most = min(n_rows, self._most or n_rows)
            parts = [prompts.with_tokens(prompts.tokens[start : start + most]) for start in range(0, n_rows, most)]
            try:
                return _clauses(prompts, _rows_together(list(map(write, parts))))
            except Exception as error:
                if most < 2 or not ran_out_of_memory(error):
                    raise
            self._halve(most)

    def complete_all(self, batches: Iterable[Prompts]) -> Iterator[Clauses]:
        """:meth:`complete` of each batch in turn; where the encoding allows it, small ones are written together."""
        if self._joint is None:
            for prompts in batches:
                yield self.complete(prompts)
            return
        for group in self._groups(batches):
            tokens = self._write_together(self._joint, group)
            for place, prompts in enumerate(group):
                yield self.complete(prompts) if tokens is None else _clauses(prompts, tokens[place])

    def _groups(self, batches: Iterable[Prompts]) -> Iterator[list[Prompts]]:
        """Neighboring batches of one form (clauses in all, and given ones), as many as may be decoded at once."""
        group: list[Prompts] = []
        form = None
        for prompts in batches:
            rows = sum(len(each.tokens) for each in [*group, prompts])
            before, form = form, (len(prompts.order), prompts.given)
            if group and (rows > self._most_together or form != before):
                yield group
                group = []
            group.append(prompts)
        if group:
            yield group

    @property
    def _most_together(self) -> int:
        """Rows of several batches that are written at once."""
        return min(self._rows_at_once, self._most or self._rows_at_once)

    def _write_together(self, joint: _JointDecoder, group: list[Prompts]) -> list[IntArray] | None:
        """Tokens of each batch of a group; None where memory does not hold them all."""
        n_rows = sum(len(prompts.tokens) for prompts in group)
        if n_rows > self._most_together:
            return None
        try:
            return joint.complete(group)
        except Exception as error:
            if n_rows < 2 or not ran_out_of_memory(error):
                raise
        self._halve(n_rows)
        return None

    def _halve(self, n_rows: int) -> None:
        self._most = n_rows // 2
        _log.warning("Out of memory with %d rows at once; going on with %d.", n_rows, self._most)
        release_memory()

    def _write_freely(self, prompts: Prompts) -> IntArray:
        assert self._free is not None
        tokens, legal = self._free.complete(prompts)
        self.written_freely += len(legal)
        self.illegal += int((~legal).sum())
        if legal.all():
            return tokens
        again = self._decoder.complete(prompts.with_tokens(prompts.tokens[~legal]))
        order = np.argsort(~legal, kind="stable")  # legal rows first
        return _rows_together([tokens[legal], again])[np.argsort(order)]


def _clauses(prompts: Prompts, tokens: IntArray) -> Clauses:
    """Tokens of a batch; the clauses of its order are present."""
    present = np.zeros(tokens.shape[:2], dtype=bool)
    present[:, prompts.order] = True
    return Clauses(tokens, present)


def _rows_together(parts: list[IntArray]) -> IntArray:
    """Rows of several token arrays, padded to the longest value."""
    return Clauses.concat([Clauses(tokens, np.ones(tokens.shape[:2], dtype=bool)) for tokens in parts]).tokens
