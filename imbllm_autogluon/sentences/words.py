"""Free text cut into words: letters, numbers, punctuation, and each character where a script has no blanks."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_BLANKS = "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
"""Chinese characters and Japanese kana of the first plane; those of the planes 2 and 3 follow in the pattern."""

_LONGEST = 31
"""Characters of a word behind its first; what is longer (encoded files, laughter) is cut."""

_INVISIBLE = frozenset({"Cc", "Cf"})
"""Categories of characters that are no word: controls, direction marks, joiners."""


def cut_text(text: str) -> Iterator[str]:
    """Yield the words of a text in their order and letter case, with a blank in front where the text has one.

    The first word has one too. A word is a run of letters with their combining marks, a run of digits, a single
    Chinese character or kana, or a single other character; controls and other invisible characters are left out.

    Examples
    --------
    >>> list(cut_text("It's  4.5 km"))
    [' It', "'", 's', ' 4', '.', '5', ' km']
    """
    # A lone surrogate cannot be encoded, so no tokenizer takes it; it becomes a question mark.
    clean = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    end, blank = 0, True
    for match in _pattern().finditer(clean):
        blank = blank or match.start() > end  # only blanks are no match
        end = match.end()
        if unicodedata.category(match.group()[0]) not in _INVISIBLE:
            yield f" {match.group()}" if blank else match.group()
            blank = False


@cache
def _pattern() -> re.Pattern[str]:
    """Regular expression of a word; `re` knows neither scripts nor combining marks."""
    marks, single = _combining_marks(), f"{_NO_BLANKS}\U00020000-\U0003ffff"
    letter, behind = rf"[^\W\d_{single}]", f"{{0,{_LONGEST}}}"
    return re.compile(
        rf"{letter}(?:{letter}|[{marks}]){behind}|\d\d{behind}|[{single}][{marks}]{behind}|(?:[^\w\s]|_)[{marks}]{behind}"
    )


def _combining_marks() -> str:
    """Ranges of all combining marks, as they stand in a class of a regular expression."""
    marks = (code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith("M"))
    runs = [list(run) for _, run in groupby(enumerate(marks), key=lambda item: item[1] - item[0])]
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs)
