"""Writes the missing clauses of prompts, batch by batch, with the decoder that fits the model and its settings."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import torch

from imbllm_autogluon.encoding import Clauses
from imbllm_autogluon.language.batches import Prompts
from imbllm_autogluon.language.decoding import ConstrainedDecoder, FreeDecoder, JointDecoder
from imbllm_autogluon.language.hardware import ran_out_of_memory, release_memory
from imbllm_autogluon.language.masked import MaskedDecoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imbllm_autogluon.arrays import IntArray
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.table_backbone import TableBackbone

_log = logging.getLogger(__name__)


class RowWriter:
    """Completes batches of prompts; holds the activations of one batch at a time.

    Attributes
    ----------
    written_freely, illegal : int
        Rows decoded without automata so far, and those among them that were not legal and were written again under
        the automata; 0 where decoding is constrained.
    """

    def __init__(self, backbone: TableBackbone, config: LanguageConfig, seed: int) -> None:
        generator = torch.Generator(backbone.device).manual_seed(seed)
        assert config.temperature is not None
        parts = (backbone.model, backbone.encoding, config.temperature, generator)
        is_causal = backbone.family == "causal"
        self._decoder = ConstrainedDecoder(*parts) if is_causal else MaskedDecoder(*parts)
        is_free = is_causal and not (config.constrained or backbone.encoding.fused)
        self._free = FreeDecoder(*parts) if is_free else None
        self._joint = JointDecoder(*parts) if is_causal and JointDecoder.can_write(backbone.encoding) else None
        self._rows_at_once = config.generation_batch or 1
        self._most: int | None = None
        self.written_freely = 0
        self.illegal = 0

    def complete(self, prompts: Prompts) -> Clauses:
        """Write the missing clauses of one batch, in the order of the prompts; clauses left out of it are absent.

        All rows are written at once, or as many as memory has turned out to hold; half as many where it runs out.
        """
        write = self._decoder.complete if self._free is None else self._write_freely
        n_rows = len(prompts.tokens)
        while True:
            most = min(n_rows, self._most or n_rows)
            tokens = [prompts.tokens[start : start + most] for start in range(0, n_rows, most)]
            parts = [Prompts(prompts.order, prompts.given, part) for part in tokens]
            try:
                return _clauses(prompts, _stacked(list(map(write, parts))))
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

    def _write_together(self, joint: JointDecoder, group: list[Prompts]) -> list[IntArray] | None:
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
        again = self._decoder.complete(Prompts(prompts.order, prompts.given, prompts.tokens[~legal]))
        stacked = _stacked([tokens[legal], again])
        rows: IntArray = np.concatenate([np.flatnonzero(legal), np.flatnonzero(~legal)])
        return stacked[np.argsort(rows)]


def _clauses(prompts: Prompts, tokens: IntArray) -> Clauses:
    """Tokens of a batch; the clauses of its order are present."""
    present = np.zeros(tokens.shape[:2], dtype=bool)
    present[:, prompts.order] = True
    return Clauses(tokens, present)


def _stacked(parts: list[IntArray]) -> IntArray:
    """Rows of several token arrays, padded to the longest value."""
    return Clauses.concat([Clauses(tokens, np.ones(tokens.shape[:2], dtype=bool)) for tokens in parts]).tokens
