"""Batched decoding: constrained by the columns' automata, of one batch or of several in step, or free.

Constrained rows are legal by construction, at any stage of training. Rows of a batch share one clause order. The forced
tokens of a clause (its prefix) enter the key-value cache as one chunk together with the last sampled token, or share
its place where the encoding is fused; value tokens are drawn under the column's automaton; where the automaton leaves
no choice the token is taken without asking the model. Only the tokens that a clause can use take part in the output
layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from imbllm_autogluon.encoding import END, PADDING
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.losses import NOT_LEGAL
from imbllm_autogluon.language.session import KVSession

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.encoding import SentenceEncoding
    from imbllm_autogluon.language.batches import Prompts
    from imbllm_autogluon.language.losses import LanguageModel


@dataclass(eq=False)
class Decoder:
    """Writes rows with a language model, whose weights stay as they are."""

    model: LanguageModel
    encoding: SentenceEncoding
    """Prefixes and automata of the table's clauses."""

    temperature: float
    """Softmax temperature; 0 takes the most likely token (greedy)."""

    generator: torch.Generator
    """Source of randomness, on the model's device."""

    def __post_init__(self) -> None:
        """Lay out what a kind of decoder needs of the encoding for each batch."""

    def _draw(self, logits: torch.Tensor) -> torch.Tensor:
        return _draw_tokens(logits, self.temperature, self.generator)


class ConstrainedDecoder(Decoder):
    """Writes the missing clauses of a batch of prompts with a causal LM."""

    def __post_init__(self) -> None:
        tables, device, n_clauses = self.encoding.tables, self.generator.device, self.encoding.n_clauses
        self._allowed = torch.from_numpy(tables.allowed).to(device)
        self._next_state = torch.from_numpy(tables.next_state).to(device)
        self._clause_tokens = [torch.from_numpy(tables.clause_tokens(j)).to(device) for j in range(n_clauses)]
        self._choices = self._allowed.sum(dim=1)
        self._is_one_token = [
            bool((tables.next_state[start][tables.allowed[start]] == END).all()) for start in tables.starts.tolist()
        ]

    @torch.inference_mode()
    def complete(self, prompts: Prompts) -> IntArray:
        """Return value tokens of all clauses, shape (n, n_clauses, longest), padded with -1; given ones unchanged.

        Clauses that the order of the prompts leaves out hold nothing but padding.
        """
        session = KVSession(self.model, self.encoding, len(prompts.tokens))
        nothing = torch.full((session.n_rows, 1), -1)
        columns = dict.fromkeys(range(self.encoding.n_clauses), nothing)
        missing = [*prompts.order[prompts.given :].tolist(), None]
        session.feed_given(prompts, missing[0])
        for clause, following in pairwise(missing):
            columns[clause] = self._decode_value(session, clause, following).cpu()
        for clause in prompts.order[: prompts.given].tolist():
            columns[clause] = torch.from_numpy(prompts.tokens[:, clause])
        return _stacked([columns[clause] for clause in range(self.encoding.n_clauses)])

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
        tokens = []
        while bool((states != END).any()):
            active = states != END
            token = torch.where(active, self._next_token(session, states, clause), END)
            states = torch.where(active, self._next_state[states, token], END)
            ahead = None if names is None else torch.where(states == END, names[1], names[0])[:, None]
            session.feed(token.clamp(min=0)[:, None], active[:, None], ahead)
            tokens.append(token)
        return torch.stack(tokens, dim=1)

    def _one_token(self, session: KVSession, clause: int) -> torch.Tensor:
        """A draw among the tokens of a clause whose values are one token each, shape (n,)."""
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
        logits = session.logits(session.advance(), used)
        return used[self._draw(logits.masked_fill(~legal[:, used], NOT_LEGAL))]


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


def _stacked(columns: list[torch.Tensor]) -> IntArray:
    """Clause columns of different lengths as one array, padded with -1."""
    longest = max(column.shape[1] for column in columns)
    widened = [torch.nn.functional.pad(column, (0, longest - column.shape[1]), value=-1) for column in columns]
    return torch.stack(widened, dim=1).cpu().numpy()


class JointDecoder(Decoder):
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
        first, *following = self._names_behind(orders, sizes, session.device)
        self._open(session, first, is_shared=bool((orders[:, 0] == orders[0, 0]).all()))
        for place, name in enumerate(following):
            columns = of_row[:, place : place + 1]
            if place < given:
                value = known.gather(1, columns)
            else:
                value = self._drawn(session, orders[:, place].tolist(), sizes, columns)
            tokens.scatter_(1, columns, value)
            session.feed(value, None, name)
        return np.split(tokens.cpu().numpy()[:, :, None], np.cumsum(sizes)[:-1])

    def _names_behind(self, orders: IntArray, sizes: list[int], device: torch.device) -> tuple[torch.Tensor, ...]:
        """Prefix of the clause behind the opening and behind each clause, each of shape (n, 1)."""
        ahead = np.pad(self._names[orders], ((0, 0), (0, 1)), constant_values=PADDING)
        by_row = torch.from_numpy(np.repeat(ahead, sizes, axis=0)).to(device)
        return torch.split(by_row, 1, dim=1)

    def _open(self, session: KVSession, name: torch.Tensor, *, is_shared: bool) -> None:
        """Queue what stands in front of the first clause; computed once where that is the same in all rows."""
        begin = self.encoding.begin
        ahead = torch.cat([session.forced((PADDING,) * (len(begin) - 1)).long(), name], dim=1)
        session.feed(session.forced(begin), None, ahead)
        if is_shared:
            session.feed_shared()

    def _drawn(self, session: KVSession, clauses: list[int], sizes: list[int], columns: torch.Tensor) -> torch.Tensor:
        """Tokens drawn for the next place, whose clause differs from batch to batch, shape (n, 1)."""
        places = self._draw(self._logits(session.advance(), clauses, sizes))
        return self._used[columns[:, 0], places][:, None]

    def _logits(self, hidden: torch.Tensor, clauses: list[int], sizes: list[int]) -> torch.Tensor:
        """The output layer: each batch is asked for the tokens of its own clause; others are not legal."""
        logits = hidden.new_full((len(hidden), max(self._sizes[clause] for clause in clauses)), NOT_LEGAL)
        stops = np.cumsum([0, *sizes]).tolist()
        for clause, (start, stop) in zip(clauses, pairwise(stops), strict=True):
            logits[start:stop, : self._sizes[clause]] = torch.nn.functional.linear(
                hidden[start:stop], self._weights[clause], self._biases[clause]
            )
        return logits


class FreeDecoder(Decoder):
    """Continues prompts token by token, any token of the table at any place, until the model ends the sentence.

    An ablation that decodes as the papers do: the model has learned whole sentences (``constrained=False``); the
    padding token ends one.
    """

    @torch.inference_mode()
    def complete(self, prompts: Prompts) -> tuple[IntArray, BoolArray]:
        """Value tokens of all clauses, (n, n_clauses, longest), padded with -1, and which rows are legal, (n,).

        A legal row holds every clause once, each with a legal value; a row that is not legal is all -1.
        """
        session = KVSession(self.model, self.encoding, len(prompts.tokens))
        session.feed_given(prompts)
        written = self._continue(session)
        rows = [self._read(row) for row in written.tolist()]
        return self._merged(rows, prompts)

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
