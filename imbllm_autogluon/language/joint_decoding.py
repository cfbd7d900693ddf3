"""Several batches of prompts written at once: each with a clause order of its own, all of them in step.

Where every value is one token and the encoding is fused, the k-th place of every row holds its k-th value, whatever
column that belongs to. The blocks then read the rows of all batches together, and only the output layer, which knows
the tokens of one column, takes them batch by batch.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from imbllm_autogluon.language.decoding import Decoder, Run, draw_tokens
from imbllm_autogluon.language.losses import NOT_LEGAL
from imbllm_autogluon.sentences import END, PADDING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.arrays import IntArray
    from imbllm_autogluon.language.losses import LanguageModel
    from imbllm_autogluon.language.prompts import Prompts
    from imbllm_autogluon.sentences import SentenceEncoding


class JointDecoder(Decoder):
    """Writes the missing clauses of several batches with a causal LM.

    See :class:`Decoder` for the parameters; :meth:`can_write` tells which encodings are possible.
    """

    def __init__(
        self, model: LanguageModel, encoding: SentenceEncoding, temperature: float, generator: torch.Generator
    ) -> None:
        super().__init__(model, encoding, temperature, generator)
        device, head = generator.device, model.get_output_embeddings()
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
        run = Run(self._model, sum(sizes))
        of_row = torch.from_numpy(np.repeat(orders, sizes, axis=0)).to(run.device)
        known = torch.from_numpy(np.concatenate([batch.tokens[:, :, 0] for batch in batches])).to(run.device)
        tokens = torch.full((run.n_rows, self._encoding.n_clauses), -1, device=run.device)
        first, *following = self._names_behind(orders, sizes, run.device)
        self._open(run, first, is_shared=bool((orders[:, 0] == orders[0, 0]).all()))
        for place, name in enumerate(following):
            columns = of_row[:, place : place + 1]
            if place < given:
                value = known.gather(1, columns)
            else:
                value = self._drawn(run, orders[:, place].tolist(), sizes, columns)
            tokens.scatter_(1, columns, value)
            run.queue(value, None, name)
        return np.split(tokens.cpu().numpy()[:, :, None], np.cumsum(sizes)[:-1])

    def _names_behind(self, orders: IntArray, sizes: list[int], device: torch.device) -> tuple[torch.Tensor, ...]:
        """Prefix of the clause behind the opening and behind each clause, each of shape (n, 1)."""
        ahead = np.pad(self._names[orders], ((0, 0), (0, 1)), constant_values=PADDING)
        by_row = torch.from_numpy(np.repeat(ahead, sizes, axis=0)).to(device)
        return torch.split(by_row, 1, dim=1)

    def _open(self, run: Run, name: torch.Tensor, *, is_shared: bool) -> None:
        """Queue what stands in front of the first clause; computed once where that is the same in all rows."""
        begin = self._encoding.begin
        run.queue(run.forced(begin), None, torch.cat([run.forced((PADDING,) * (len(begin) - 1)).long(), name], dim=1))
        if is_shared:
            run.share_queue()

    def _drawn(self, run: Run, clauses: list[int], sizes: list[int], columns: torch.Tensor) -> torch.Tensor:
        """Tokens drawn for the next place, whose clause differs from batch to batch, shape (n, 1)."""
        places = draw_tokens(self._logits(run.advance(), clauses, sizes), self._temperature, self._generator)
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
