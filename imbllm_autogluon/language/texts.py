"""A pretrained causal language model that continues prompts by texts, after fine-tuning on prompts and their texts."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.encoding import Clauses, PromptVocabulary
from imbllm_autogluon.language.batches import Prompts
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.language.pretrained import load_tokenizer
from imbllm_autogluon.language.table_backbone import source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from imbllm_autogluon.arrays import BoolArray
    from imbllm_autogluon.language.config import LanguageConfig

_STAGE = "texts"  # of training
_LEARNED_AT_ONCE = 4  # sentences, at most, that go through the model together: 16 take 5 GB with SmolLM2
_ROWS_AT_ONCE = 32  # texts, at most, that are written together: the cache of 128 takes 1 GB with SmolLM2
# What reads prompts as they are: each in its own order, every token of the text in the loss.
_FORM: dict[str, Any] = {"clauses": "text", "numbers": "digits", "order": "permute_x", "column_order_share": 1.0}
_FORM |= {"constrained": True, "pretrain": "none"}


class TextModel:
    """Learns to continue prompts by texts, one or more of each, and writes new ones.

    The backbone, its tuning and its decoding are those of `config`; the prompt is never learned.

    Examples
    --------
    >>> config = LanguageConfig(backbone="smollm2", steps=100)  # doctest: +SKIP
    >>> model = TextModel(config, seed=0).fit(["rating is good"], {"review": ["It helped."]})  # doctest: +SKIP
    >>> model.write(["rating is good", "rating is bad"], seed=0)["review"]  # doctest: +SKIP
    """

    def __init__(self, config: LanguageConfig, seed: int) -> None:
        micro_batch = min(_LEARNED_AT_ONCE, config.micro_batch or _LEARNED_AT_ONCE)
        self.config = dataclasses.replace(config, micro_batch=micro_batch, **_FORM).resolved()
        self.seed = seed
        self.model: TableLanguageModel

    def fit(
        self,
        prompts: Sequence[str],
        texts: Mapping[str, Sequence[str | None]],
        *,
        longest: int = 64,
        held_out: BoolArray | None = None,
        **options: Any,
    ) -> Self:
        """Learn n prompts and their n texts of each name; None: a text is missing.

        Parameters
        ----------
        prompts
            What stands in front of the texts, such as ``"rating is good, drug is Nubain"``; cut at 128 tokens.
        texts
            Texts by the name of their clause, such as ``{"review": [...]}``; a row's texts follow each other.
        longest
            Most tokens of a text that are learned, and written; fewer where nearly all texts are shorter.
        held_out
            Rows that are not learned but may end the training early, shape (n,).
        **options
            Those of :meth:`~imbllm_autogluon.language.model.TableLanguageModel.train`: threads, time_limit, ...

        Raises
        ------
        BackboneError
            The backbone is not here and cannot be fetched.
        InvalidInputError
            It is no causal model with an end of text.
        """
        vocabulary = PromptVocabulary.fit(load_tokenizer(source_of(self.config)), prompts, texts, longest)
        self.model = TableLanguageModel(vocabulary, self.config, self.seed)
        rows = self._clauses(prompts, texts)
        kept = np.zeros(len(prompts), dtype=bool) if held_out is None else held_out
        learned, judged = rows.take(np.flatnonzero(~kept)), rows.take(np.flatnonzero(kept))
        self.model.train(learned, held_out=judged, stage=_STAGE, **options)
        return self

    def write(
        self,
        prompts: Sequence[str],
        *,
        seed: int,
        threads: int | None = None,
        ends: float = math.inf,
        progress: Callable[[int], Any] = lambda _: None,
    ) -> dict[str, list[str | None]]:
        """A text of each name behind each prompt, by name; None where it is missing, as some that were learned are.

        A text ends by itself, or behind a sentence or word within its budget of tokens. The same seed gives the same
        texts. Few are written at once, so memory does not grow with their number; no more of them are begun after
        `ends` (by ``time.perf_counter``). `progress` is called with the number of prompts just done.
        """
        first, *others = self._codings
        order = np.arange(self.model.encoding.n_clauses)
        at_once = min(_ROWS_AT_ONCE, self.model.config.generation_batch or 1)
        written: dict[str, list[str | None]] = {name: [] for name in self._names}
        with self.model.writer(seed=seed, threads=threads) as writer:
            for start in range(0, len(prompts), at_once):
                given = first.encode(prompts[start : start + at_once])
                tokens = writer.complete(Prompts(order, 1, np.stack([given] * len(order), axis=1))).tokens
                for clause, (name, coding) in enumerate(zip(self._names, others, strict=True), start=1):
                    written[name] += coding.texts(tokens[:, clause])
                progress(len(given))
                if time.perf_counter() >= ends:
                    break
        return written

    def with_config(self, config: LanguageConfig) -> TextModel:
        """The same weights under other settings of decoding."""
        other = TextModel(config, self.seed)
        other.model = self.model.with_config(other.config)
        return other

    @property
    def _names(self) -> tuple[str, ...]:
        assert isinstance(self.model.vocabulary, PromptVocabulary)
        return self.model.vocabulary.names

    @property
    def _codings(self) -> tuple[Any, ...]:
        """Coding of the prompt, and of each text."""
        return self.model.encoding.codings

    def _clauses(self, prompts: Sequence[str], texts: Mapping[str, Sequence[str | None]]) -> Clauses:
        first, *others = self._codings
        columns = [coding.encode(texts[name]) for coding, name in zip(others, self._names, strict=True)]
        return Clauses.side_by_side([first.encode(prompts), *columns])

    def save(self, folder: Path) -> None:
        """Write what was learned into a folder, never the weights of the base model."""
        self.model.save(folder)

    @classmethod
    def load(cls, folder: Path) -> TextModel:
        """Read a saved model; it writes the same texts."""
        model = TableLanguageModel.load(folder)
        found = cls(model.config, model.seed)
        found.model = model
        return found
