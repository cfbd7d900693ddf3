"""Texts of synthetic rows next to real ones: lengths, words, repetitions, and the longest runs that real texts hold."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon._random import child_rng
from imbllm_autogluon.tables.texts import KnownTexts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from imbllm_autogluon.tables import ColumnName

_FEW_TEXTS, _WORDS = 20, 4.0  # a column of texts has more different ones, of so many words on average
_MOST = 5_000  # texts of each side that are looked at
_LONG = 8  # words of a run that is counted as copied, see `copied_words` of the generators
_SHOWN, _CHARACTERS = 5, 400  # texts next to their nearest real one, and how much of each


def text_facts(real: pd.DataFrame, synthetic: pd.DataFrame, seed: int = 0) -> list[dict[str, Any]]:
    """What a report says about each column of texts, as values that ``json.dumps`` accepts.

    Figures of real texts are of as many as there are synthetic ones, chosen by the seed, as a vocabulary grows with the
    number of texts. Shared words are those of the longest run of a text that another real one holds too.

    >>> import pandas as pd
    >>> real = pd.DataFrame({"note": [f"the drug of case {n} did help" for n in range(30)]})
    >>> text_facts(real, real.head(3))[0]["synthetic"]["shared_words"]["longest"]
    7
    """
    found = [name for name in real.columns if _is_text(real[name])]
    return [_column(name, _texts(real[name], seed), _texts(synthetic[name], seed)) for name in found]


def _is_text(column: pd.Series[Any]) -> bool:
    texts = {cell for cell in column if isinstance(cell, str)}
    is_wordy = len(texts) > max(_FEW_TEXTS, len(column) / 2)
    return is_wordy and float(np.mean([len(text.split()) for text in list(texts)[:_MOST]])) >= _WORDS


def _texts(column: pd.Series[Any], seed: int) -> list[str]:
    """Texts of a column in random order, of many a choice."""
    texts = [cell for cell in column if isinstance(cell, str)]
    return [texts[place] for place in child_rng(seed, "order", "texts").permutation(len(texts))[:_MOST]]


def _column(name: ColumnName, real: list[str], synthetic: list[str]) -> dict[str, Any]:
    part = real[: max(1, min(len(synthetic), len(real) // 2))]
    shared, among_real = KnownTexts(real).longest_runs(synthetic), KnownTexts(real[len(part) :]).longest_runs(part)
    return {
        "name": str(name),
        "real": {**_figures(part), "shared_words": _runs(among_real)},
        "synthetic": {**_figures(synthetic), "shared_words": _runs(shared)},
        "copied": len(set(synthetic) & set(real)),
        "long": _LONG,
        "examples": _examples(real, synthetic, shared.tolist()),
    }


def _figures(texts: list[str]) -> dict[str, Any]:
    """Number, words of a text, vocabulary, and which share of the runs of 1, 2 and 3 words are different ones."""
    cut = [text.lower().split() for text in texts]
    lengths = [len(words) for words in cut] or [0]
    grams = {
        n: list(chain.from_iterable(zip(*(words[k:] for k in range(n)), strict=False) for words in cut))
        for n in (1, 2, 3)
    }
    return {
        "texts": len(texts),
        "words": dict(
            zip(("least", "median", "most"), np.quantile(lengths, [0.05, 0.5, 0.95]).round().tolist(), strict=True)
        ),
        "vocabulary": len(set(grams[1])),
        "distinct": {str(n): len(set(found)) / max(1, len(found)) for n, found in grams.items()},
    }


def _runs(shared: Sequence[int] | np.ndarray[Any, Any]) -> dict[str, Any]:
    found = np.asarray(shared if len(shared) else [0])
    median, most = np.quantile(found, [0.5, 0.95]).tolist()
    return {"median": median, "most": most, "longest": int(found.max()), "long_share": float((found >= _LONG).mean())}


def _examples(real: list[str], synthetic: list[str], shared: list[int]) -> list[dict[str, Any]]:
    """Some synthetic texts, each next to the real one with the most similar words (cosine of TF-IDF)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    chosen = synthetic[:_SHOWN]
    if not chosen:
        return []
    vectors = TfidfVectorizer(analyzer=lambda text: text.lower().split()).fit_transform([*real, *chosen])
    similar = (vectors[len(real) :] @ vectors[: len(real)].T).toarray()
    nearest = similar.argmax(axis=1).tolist()
    return [
        {
            "synthetic": text[:_CHARACTERS],
            "real": real[place][:_CHARACTERS],
            "similarity": float(row[place]),
            "shared_words": run,
        }
        for text, place, row, run in zip(chosen, nearest, similar, shared[:_SHOWN], strict=True)
    ]
