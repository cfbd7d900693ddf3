"""Words that texts have in common: which runs of them a text repeats."""

from __future__ import annotations

import re
from functools import cache
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from imbllm_autogluon.arrays import IntArray

NO_BLANKS = "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
"""Chinese characters and Japanese kana of the first plane; those of the planes 2 and 3 follow in the pattern."""


class KnownTexts:
    """Texts that others are compared with, word by word, whatever letter case and the punctuation between words.

    What is no string is no text.

    >>> known = KnownTexts(["It worked well for me.", "No effect", None])
    >>> known.longest_runs(["So it WORKED, well", "no", ""]).tolist()
    [3, 1, 0]
    >>> known.cut("They say it worked well for some", 3)
    'They say it worked'
    """

    def __init__(self, texts: Iterable[object]) -> None:
        self.texts = tuple(dict.fromkeys(text for text in texts if isinstance(text, str)))
        self._numbers: dict[str, int] = {}
        for text in self.texts:
            for word in _words(text):
                self._numbers.setdefault(word.group().lower(), len(self._numbers) + 1)
        self._ids = self._numbered(self.texts)[0]

    def longest_runs(self, texts: Sequence[str | None]) -> IntArray:
        """Words of the longest run that each text shares with any known one, int64 of shape (n,)."""
        known = set(self.texts)
        copies = [text in known for text in texts]  # all their words, without a round for each
        longest = np.array([len(_words(t or "")) if is_copy else 0 for t, is_copy in zip(texts, copies, strict=True)])
        others = [None if is_copy else text for text, is_copy in zip(texts, copies, strict=True)]
        for words, (rows, _) in enumerate(self._shared(others), start=1):
            longest[rows] = words
        return longest.astype(np.int64)

    def cut(self, text: str, n_words: int) -> str:
        """The text up to the word before that which makes a shared run of `n_words` (1 or more), if there is one."""
        found = next(islice(self._shared([text]), n_words - 1, None), None)
        if found is None:
            return text
        last = int(found[1].min()) + n_words - 1
        return text[: _words(text)[last - 1].end()] if last else ""

    def _shared(self, texts: Sequence[str | None]) -> Iterator[tuple[IntArray, IntArray]]:
        """Text and first word of every run of 1, 2, … words that a known text holds too, until there is none.

        A longer run begins with a shorter one, so each round looks only at what the one before it found.
        """
        own, rows, words = self._numbered(texts)
        known, n_words = self._ids, len(self._numbers) + 1
        at, known_at = np.flatnonzero(own), np.flatnonzero(known)
        keys, known_keys = own[at], known[known_at]
        for length in count(1):
            is_shared, is_known = np.isin(keys, known_keys), np.isin(known_keys, keys)
            at, known_at = at[is_shared], known_at[is_known]
            if not len(at):
                return
            yield rows[at], words[at]
            _, ranks = np.unique(np.concatenate([keys[is_shared], known_keys[is_known]]), return_inverse=True)
            # Behind the last word of a text stands 0, which is no word's number.
            following, known_following = own[at + length], known[known_at + length]
            keys, known_keys = ranks[: len(at)] * n_words + following, ranks[len(at) :] * n_words + known_following
            at, keys = at[following > 0], keys[following > 0]
            known_at, known_keys = known_at[known_following > 0], known_keys[known_following > 0]

    def _numbered(self, texts: Sequence[str | None]) -> tuple[IntArray, IntArray, IntArray]:
        """Numbers of all words, 0 behind each text and for unknown ones, their texts, and their places in these."""
        numbers = [
            [self._numbers.get(word.group().lower(), 0) for word in _words(text or "")] + [0] for text in texts
        ] or [[0]]
        sizes = [len(each) for each in numbers]
        rows, words = np.repeat(np.arange(len(sizes)), sizes), np.concatenate([np.arange(size) for size in sizes])
        return np.concatenate([np.array(each, dtype=np.int64) for each in numbers]), rows, words


def _words(text: str) -> list[re.Match[str]]:
    """Words as people count them: "isn't" is one, and so is each character of a script without blanks."""
    return list(_word_pattern().finditer(text))


@cache
def _word_pattern() -> re.Pattern[str]:
    single, letters = f"{NO_BLANKS}\U00020000-\U0003ffff", rf"[^\W{NO_BLANKS}\U00020000-\U0003ffff]+"
    return re.compile(rf"[{single}]|{letters}(?:[^\w\s]+{letters})*")
