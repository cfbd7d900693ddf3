"""Free text is cut into words in every script, and nothing that a text can hold breaks it."""

from __future__ import annotations

import unicodedata
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.sentences.free_texts import cut_text

CASES = {
    "punctuation and numbers are words": ("It's  4.5 km", [" It", "'", "s", " 4", ".", "5", " km"]),
    "quotes and syntax are words like others": (
        'say "hi", x is y',
        [" say", ' "', "hi", '"', ",", " x", " is", " y"],
    ),
    "letters and digits are apart": ("covid19 snake_case", [" covid", "19", " snake", "_", "case"]),
    "accents are composed": ("cafe\u0301 naïve", [" café", " naïve"]),
    "marks stay with their letters": ("हिन्दी भाषा", [" हिन्दी", " भाषा"]),
    "right to left, with vowel points": ("שָׁלוֹם עולם!", [f" {unicodedata.normalize('NFC', 'שָׁלוֹם')}", " עולם", "!"]),
    "Arabic behind a mark of direction": ("\u200fعيد سعيد", [" عيد", " سعيد"]),
    "Chinese and Japanese character by character": ("东京は ラーメン", [" 东", "京", "は", " ラ", "ー", "メ", "ン"]),
    "beyond the first plane": ("𠀋好", [" 𠀋", "好"]),
    "emoji are words, joiners are not": ("👨\u200d👩 ❤\ufe0f", [" 👨", "👩", " ❤\ufe0f"]),
    "controls are left out": ("a\x00b\x1b", [" a", "b"]),
    "a lone surrogate is a question mark": ("\ud800", [" ?"]),
    "any blank parts words": ("a\tb\u00a0c\u3000d\ne", [" a", " b", " c", " d", " e"]),
    "nothing": ("", []),
    "only blanks and marks of direction": (" \u200f\n\t ", []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_text_is_cut_into(case: str) -> None:
    text, words = CASES[case]
    assert list(cut_text(text)) == words


def test_words_without_end_are_cut() -> None:
    assert [len(word) for word in cut_text("a" * 70)] == [33, 32, 6]
    assert [len(word) for word in cut_text("7" * 70)] == [33, 32, 6]
    assert max(len(word) for word in cut_text("a" + "\u0301" * 100)) <= 33


def test_only_as_much_is_cut_as_is_read() -> None:
    assert list(islice(cut_text("x, " * 10**6), 3)) == [" x", ",", " x"]


@given(st.text())
def test_every_visible_character_of_a_text_is_kept_in_its_order(text: str) -> None:
    clean = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    visible = [c for c in clean if not c.isspace()]
    kept = [c for word in cut_text(text) for c in word.removeprefix(" ")]
    dropped = [c for c in visible if c not in kept]
    assert all(unicodedata.category(c) in {"Cc", "Cf"} for c in dropped)
    assert kept == [c for c in visible if c in kept]


@given(st.text())
def test_words_hold_no_blanks_and_can_be_encoded(text: str) -> None:
    for place, word in enumerate(cut_text(text)):
        bare = word.removeprefix(" ")
        assert bare
        assert not any(c.isspace() for c in bare)
        assert word.startswith(" ") or place > 0
        word.encode("utf-8")
