"""Decoding without automata, as the papers do it: an ablation that shows what constrained decoding is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from imbllm_autogluon.language.decoding import Decoder, Run, draw_tokens, given_first, output_logits
from imbllm_autogluon.sentences import END, PADDING

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.language.prompts import Prompts


class FreeDecoder(Decoder):
    """Continues prompts token by token, any token of the table at any place, until the model ends the sentence.

    The model has learned whole sentences (``constrained=False``); the padding token ends one.
    """

    @torch.inference_mode()
    def complete(self, prompts: Prompts) -> tuple[IntArray, BoolArray]:
        """Write rows freely.

        Returns
        -------
        tokens
            Value tokens of all clauses, shape (n, n_clauses, longest), padded with -1; all -1 in rows that are not
            legal.
        legal
            Rows that hold every clause once, each with a legal value, shape (n,).
        """
        run = Run(self._model, len(prompts.tokens))
        given_first(run, self._encoding, prompts)
        written = self._continue(run)
        rows = [self._read(row) for row in written.tolist()]
        return self._merged(rows, prompts)

    def _continue(self, run: Run) -> IntArray:
        """Tokens behind the prompts, padded behind the end of each sentence, shape (n, length)."""
        everything = torch.arange(self._encoding.n_tokens, device=run.device)
        open_rows = torch.ones(run.n_rows, dtype=torch.bool, device=run.device)
        steps = []
        # One step beyond the longest sentence: a row that does not end there either is not legal.
        for _ in range(self._encoding.longest_sentence + 1 - run.length):
            logits = output_logits(self._model, run.advance(), everything)
            token = draw_tokens(logits, self._temperature, self._generator)
            open_rows = open_rows & (token != PADDING)
            steps.append(torch.where(open_rows, token, PADDING))
            if not bool(open_rows.any()):
                break
            run.queue(steps[-1][:, None], open_rows[:, None])
        return torch.stack(steps, dim=1).cpu().numpy()

    def _read(self, row: list[int]) -> dict[int, list[int]] | None:
        """Value tokens by clause, or None where the row breaks off or holds something that is no clause."""
        ids = row[: row.index(PADDING)] if PADDING in row else row
        values: dict[int, list[int]] = {}
        while ids:
            clause = self._clause_at(ids)
            if clause is None or clause in values:
                return None
            ids = ids[len(self._encoding.prefixes[clause]) :]
            value = self._value_at(clause, ids)
            if value is None:
                return None
            values[clause] = value
            ids = ids[len(value) :]
        return values

    def _clause_at(self, ids: list[int]) -> int | None:
        """Clause whose prefix stands here; the longest where one begins with another."""
        prefixes = self._encoding.prefixes
        fitting = [j for j, prefix in enumerate(prefixes) if tuple(ids[: len(prefix)]) == prefix]
        return max(fitting, key=lambda j: len(prefixes[j]), default=None)

    def _value_at(self, clause: int, ids: list[int]) -> list[int] | None:
        """Legal value of a clause at the beginning of the tokens."""
        tables = self._encoding.tables
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
        tokens = np.full((len(rows), self._encoding.n_clauses, longest), -1, dtype=np.int64)
        for i, row in enumerate(rows):
            for clause, value in (row or {}).items() if legal[i] else ():
                tokens[i, clause, : len(value)] = value
        for clause in given:
            tokens[legal, clause, : prompts.tokens.shape[2]] = prompts.tokens[legal, clause]
        return tokens, legal
