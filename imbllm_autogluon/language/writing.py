"""Writes the missing clauses of prompts, batch by batch, with the decoder that fits the model and its settings."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import torch

from imbllm_autogluon.language.decoding import ConstrainedDecoder
from imbllm_autogluon.language.free_decoding import FreeDecoder
from imbllm_autogluon.language.joint_decoding import JointDecoder
from imbllm_autogluon.language.masked import MaskedDecoder
from imbllm_autogluon.language.memory import ran_out_of_memory, release_memory
from imbllm_autogluon.language.prompts import Prompts
from imbllm_autogluon.sentences import Clauses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imbllm_autogluon.arrays import IntArray
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.table_backbone import TableBackbone


log = logging.getLogger(__name__)


class RowWriter:
    """Completes batches of prompts; holds the activations of one batch at a time.

    Parameters
    ----------
    backbone
        Model and encoding of the table.
    config
        Temperature, and whether decoding is constrained.
    seed
        Seed of the draws.

    Attributes
    ----------
    written_freely, illegal : int
        Rows decoded without automata so far, and those among them that were not legal and were written again under
        the automata; 0 where decoding is constrained.
    """

    def __init__(self, backbone: TableBackbone, config: LanguageConfig, seed: int) -> None:
        generator = torch.Generator(backbone.device).manual_seed(seed)
        decoder = MaskedDecoder if backbone.family == "masked" else ConstrainedDecoder
        assert config.temperature is not None
        parts = (backbone.model, backbone.encoding, config.temperature, generator)
        self._decoder: ConstrainedDecoder | MaskedDecoder = decoder(*parts)
        free = not (config.constrained or backbone.encoding.fused or backbone.family == "masked")
        self._free = FreeDecoder(*parts) if free else None
        joint = backbone.family == "causal" and JointDecoder.can_write(backbone.encoding)
        self._joint = JointDecoder(*parts) if joint else None
        self._rows_at_once = config.generation_batch or 1
        self._most: int | None = None
        self.written_freely = 0
        self.illegal = 0

    def complete(self, prompts: Prompts) -> Clauses:
        """Write the missing clauses of one batch, in the order of the prompts; clauses left out of it are absent."""
        return _clauses(prompts, self._with_less_memory(prompts))

    def complete_all(self, batches: Iterable[Prompts]) -> Iterator[Clauses]:
        """:meth:`complete` of each batch in turn; where the encoding allows it, small ones are written together."""
        for group in self._groups(batches):
            for prompts, tokens in zip(group, self._together(group), strict=True):
                yield _clauses(prompts, tokens)

    def _groups(self, batches: Iterable[Prompts]) -> Iterator[list[Prompts]]:
        """Neighboring batches of one form, as many as may be decoded at once."""
        group: list[Prompts] = []
        for prompts in batches:
            rows = sum(len(each.tokens) for each in [*group, prompts])
            if group and (rows > self._most_together or _form(prompts) != _form(group[0])):
                yield group
                group = []
            group.append(prompts)
        if group:
            yield group

    @property
    def _most_together(self) -> int:
        """Rows of several batches that are written at once."""
        return 0 if self._joint is None else min(self._rows_at_once, self._most or self._rows_at_once)

    def _together(self, group: list[Prompts]) -> list[IntArray]:
        """Tokens of each batch of a group, which are written one by one where memory does not hold them all."""
        n_rows = sum(len(prompts.tokens) for prompts in group)
        if self._joint is None or n_rows > self._most_together:
            return [self._with_less_memory(prompts) for prompts in group]
        try:
            return self._joint.complete(group)
        except Exception as error:
            if n_rows < 2 or not ran_out_of_memory(error):
                raise
        self._most = n_rows // 2
        log.warning("Out of memory with %d rows at once; going on with %d.", n_rows, self._most)
        release_memory()
        return [self._with_less_memory(prompts) for prompts in group]

    def _with_less_memory(self, prompts: Prompts) -> IntArray:
        """Write all rows at once, or as many as memory has turned out to hold; half as many where it runs out."""
        n_rows = len(prompts.tokens)
        while True:
            most = min(n_rows, self._most or n_rows)
            try:
                return self._in_parts(prompts, most)
            except Exception as error:
                if most < 2 or not ran_out_of_memory(error):
                    raise
            self._most = most // 2
            log.warning("Out of memory with %d rows at once; going on with %d.", most, self._most)
            release_memory()

    def _in_parts(self, prompts: Prompts, most: int) -> IntArray:
        parts = [prompts.tokens[start : start + most] for start in range(0, len(prompts.tokens), most)]
        return _stacked([self._written(Prompts(prompts.order, prompts.given, part)) for part in parts])

    def _written(self, prompts: Prompts) -> IntArray:
        if self._free is None:
            return self._decoder.complete(prompts)
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


def _form(prompts: Prompts) -> tuple[int, int]:
    """What batches that are written in step have in common: clauses in all, and given ones."""
    return len(prompts.order), prompts.given


def _stacked(parts: list[IntArray]) -> IntArray:
    """Rows of several token arrays, padded to the longest value."""
    return Clauses.concat([Clauses(tokens, np.ones(tokens.shape[:2], dtype=bool)) for tokens in parts]).tokens
