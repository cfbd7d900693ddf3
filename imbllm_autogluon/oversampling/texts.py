"""Text columns of written rows: a language model continues what else a row says, in words that are no real person's."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon._config import progress_bar
from imbllm_autogluon._random import child_seed
from imbllm_autogluon._storage import reading, writing
from imbllm_autogluon.encoding.text import distinct_texts
from imbllm_autogluon.tables.texts import KnownTexts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.texts import TextModel
    from imbllm_autogluon.oversampling.config import GeneratorConfig
    from imbllm_autogluon.tables import ColumnName, TableSchema

    _Texts = dict[ColumnName, list[Any]]

_ROUNDS = 4  # how often a text is drawn, at most, before one that repeats too many words is cut
_NO_WORD = 10**9  # shared words of a text that has none of its own: any other draw is better
_KIND, _MODEL = "writer of texts", "language_model"


def texts_to_write(schema: TableSchema, X: pd.DataFrame, config: GeneratorConfig) -> list[ColumnName]:
    """Columns of text that a model is to write: those of a pretrained, causal backbone; categories can have no new."""
    choice, names = config.texts.texts, _text_columns(schema, X)
    names = [name for name in names if not isinstance(X[name].dtype, pd.CategoricalDtype)]
    if not names or choice in ("copy", "leave_out") or not config.language.is_pretrained:
        return []
    from imbllm_autogluon.language.table_backbone import source_of

    return names if choice == "write" or source_of(config.language).family == "causal" else []


@dataclass(frozen=True, eq=False)
class _WrittenTexts:
    """Texts of n rows, and what happened."""

    columns: _Texts
    shared: Mapping[str, tuple[int, ...]]  # words of the longest run of each text that a learned one holds too
    redrawn: IntArray  # how often the texts of each row were drawn again, shape (n,)
    cut: IntArray  # texts of each row that were cut before such a run was too long, shape (n,)
    copied: IntArray  # texts of each row that are a real row's after all, shape (n,)

    def counts(self, rows: IntArray) -> Counter[str]:
        """Counters of `ClassReport` for some of the rows."""
        found = {f"texts_{name}": int(getattr(self, name)[rows].sum()) for name in ("redrawn", "cut", "copied")}
        return Counter({"texts_written": len(rows) * len(self.columns) - found["texts_copied"], **found})


@dataclass(frozen=True, eq=False)
class TextWriter:
    """Writes the text columns of rows whose other cells are known."""

    model: TextModel
    known: Mapping[ColumnName, KnownTexts]  # every text of the fold, by column
    has_gaps: tuple[bool, ...]  # whether some texts of each column are missing
    label: str
    told: tuple[ColumnName, ...]  # columns that a prompt tells of
    copied_words: int

    @classmethod
    def learn(
        cls,
        schema: TableSchema,
        X: pd.DataFrame,
        y: pd.Series,
        names: Sequence[ColumnName],
        held_out: BoolArray,
        config: GeneratorConfig,
        language: LanguageConfig,
        seed: int,
        **limits: Any,
    ) -> Self:
        """Learn the texts of columns in n rows, but those held out, (n,); `limits` are those of a fit."""
        from imbllm_autogluon.language.texts import TextModel

        assert schema.label is not None
        told = tuple(column.name for column in schema.columns)  # no identifiers: they would call a real text to mind
        known = {name: KnownTexts(X[name]) for name in names}
        gaps = tuple(not all(isinstance(cell, str) for cell in X[name]) for name in names)
        parts = (gaps, str(schema.label.name), told, config.texts.copied_words)
        writer = cls(TextModel(language, seed), known, *parts)
        texts = {
            key: [cell if isinstance(cell, str) else None for cell in X[name]]
            for key, name in zip(writer._keys, names, strict=True)
        }
        options = {"longest": config.texts.text_tokens, "held_out": held_out, **limits}
        with progress_bar(language.steps_for(int((~held_out).sum())), "training on texts") as bar:
            writer.model.fit(writer.prompts(X, y), texts, progress=bar.update, **options)
        return writer

    def with_config(self, config: GeneratorConfig, language: LanguageConfig) -> TextWriter:
        """The same writer under other settings of decoding."""
        return replace(self, model=self.model.with_config(language), copied_words=config.texts.copied_words)

    def prompts(self, X: pd.DataFrame, y: pd.Series) -> list[str]:
        """What rows say besides their texts: ``rating is neutral, drugName is Nubain``; gaps are left out."""
        columns = {self.label: y, **{str(name): X[name] for name in self.told}}
        parts = [
            [None if gone else f"{name} is {_cell(cell)}" for cell, gone in zip(column, column.isna(), strict=True)]
            for name, column in columns.items()
        ]
        return [", ".join(filter(None, row)) for row in zip(*parts, strict=True)]

    def write(
        self, X: pd.DataFrame, y: pd.Series, *, seed: int, threads: int | None, ends: float = math.inf
    ) -> _WrittenTexts:
        """Texts for rows that hold those of a real row until now.

        A text without a word, or with a run of `copied_words` words or more that a learned one holds too, is drawn
        again, a few times; then the draw with the shortest run is cut before that is too long. Where no draw has a
        word, or time runs out (`ends`, by ``time.perf_counter``), the real row's text stays.
        """
        prompts, left = self.prompts(X, y), np.arange(len(X))
        texts: _Texts = {name: list(X[name]) for name in self.known}
        shared, redrawn = np.full(len(X), _NO_WORD), np.zeros(len(X), dtype=np.int64)
        for attempt in range(_ROUNDS):
            redrawn[left] += attempt > 0
            own, asked = child_seed(seed, "decoding", "texts", attempt), [prompts[row] for row in left]
            with progress_bar(len(asked), "writing texts") as bar:
                options = {"threads": threads, "ends": ends, "progress": bar.update}
                found = self._drawn(self.model.write(asked, seed=own, **options))
            runs = self._runs(found)
            for place in np.flatnonzero(runs < shared[left[: len(runs)]]):
                shared[left[place]] = runs[place]
                for name, column in found.items():
                    texts[name][left[place]] = column[place]
            left = left[shared[left] >= self.copied_words]
            if not len(left) or time.perf_counter() >= ends:
                break
        cut = np.zeros(len(X), dtype=np.int64)
        for row in left[shared[left] < _NO_WORD]:
            for name, known in self.known.items():
                whole, texts[name][row] = texts[name][row], known.cut(texts[name][row] or "", self.copied_words) or None
                cut[row] += whole != texts[name][row]
        final = {str(name): tuple(known.longest_runs(texts[name]).tolist()) for name, known in self.known.items()}
        return _WrittenTexts(texts, final, redrawn, cut, (shared == _NO_WORD) * len(self.known))

    @property
    def _keys(self) -> tuple[str, ...]:
        """Names of the columns of text as sentences have them."""
        return distinct_texts(list(self.known))

    def _drawn(self, found: Mapping[str, Sequence[str | None]]) -> _Texts:
        """Written texts by column, up to what looks like the next clause of a prompt."""
        names = "|".join(re.escape(str(name)) for name in (self.label, *self.told, *self._keys))
        clause = re.compile(rf"(?:^|, *)(?:{names}) is\b")
        return {
            name: [text and (clause.split(text, maxsplit=1)[0].strip() or None) for text in found[key]]
            for name, key in zip(self.known, self._keys, strict=True)
        }

    def _runs(self, texts: _Texts) -> IntArray:
        """Words of the longest run of any text of each row that a learned one holds too."""
        runs = []
        for (name, known), has_gaps in zip(self.known.items(), self.has_gaps, strict=True):
            own = known.longest_runs(texts[name])
            wordless = [(text is not None or not has_gaps) and not re.search(r"\w", text or "") for text in texts[name]]
            runs.append(np.where(wordless, _NO_WORD, own))
        return np.asarray(np.max(runs, axis=0))

    def save(self, folder: Path) -> None:
        """Write the writer into a folder, which is created."""
        with writing(folder, _KIND) as draft:
            self.model.save(draft.folder / _MODEL)
            state = {name: value for name, value in vars(self).items() if name not in ("model", "known")}
            draft.data = {**state, "known": [[name, known.texts] for name, known in self.known.items()]}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        from imbllm_autogluon.language.texts import TextModel

        with reading(folder, _KIND) as stored:
            data = stored.data
            known = {name: KnownTexts(texts) for name, texts in data["known"]}
            parts = (tuple(data["has_gaps"]), data["label"], tuple(data["told"]), data["copied_words"])
            return cls(TextModel.load(stored.folder / _MODEL), known, *parts)


def _cell(value: object) -> str:
    """Text of a cell in a prompt: six digits of a number with decimals, no clock behind a day."""
    return f"{value:g}" if isinstance(value, float) else str(value).removesuffix(" 00:00:00")


def with_texts(
    X: pd.DataFrame,
    y: pd.Series,
    schema: TableSchema,
    config: GeneratorConfig,
    writer: TextWriter | None,
    **options: Any,
) -> tuple[pd.DataFrame, _WrittenTexts | None]:
    """Rows with the texts that they shall have, and what happened; `options` are those of :meth:`TextWriter.write`."""
    written = None if writer is None or not len(X) else writer.write(X, y, **options)
    columns = {} if written is None else written.columns
    if config.texts.texts == "leave_out":
        columns = {name: [None] * len(X) for name in _text_columns(schema, X)}
    for name, cells in columns.items():
        X[name] = pd.Series(cells, index=X.index, dtype=X[name].dtype)
    return X, written


def _text_columns(schema: TableSchema, X: pd.DataFrame) -> list[ColumnName]:
    """Columns of free text; what AutoGluon counts in texts is a text to the schema too, and holds none."""
    names = [part.name for part in schema.excluded if part.holds_text]
    return [name for name in names if any(isinstance(cell, str) for cell in X[name])]
