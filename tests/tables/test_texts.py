"""Words that texts have in common."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.tables.texts import KnownTexts

few_words = st.lists(st.sampled_from(["a", "b", "c", "isn't"]), max_size=12).map(" ".join)


def longest_run(text: str, other: str) -> int:
    own, known = text.split(), [f" {other} "]
    runs = [own[i:j] for i in range(len(own)) for j in range(i + 1, len(own) + 1)]
    return max((len(run) for run in runs if f" {' '.join(run)} " in known[0]), default=0)


@given(st.lists(few_words, max_size=4), st.lists(few_words, min_size=1, max_size=4))
def test_the_longest_run_of_words_is_found_in_any_known_text_and_never_across_two(
    known: list[str], texts: list[str]
) -> None:
    found = KnownTexts(known).longest_runs(texts)
    assert found.tolist() == [max((longest_run(text, each) for each in known), default=0) for text in texts]


@given(st.lists(few_words, min_size=1, max_size=3), few_words, st.integers(1, 5))
def test_a_text_is_cut_where_it_would_share_too_many_words_and_no_earlier(
    known: list[str], text: str, n_words: int
) -> None:
    compared = KnownTexts(known)
    kept = compared.cut(text, n_words)
    assert compared.longest_runs([kept])[0] < n_words
    following = text[len(kept) :].split()
    assert text.startswith(kept)
    if following:
        assert compared.longest_runs([f"{kept} {following[0]}"])[0] == n_words


@pytest.mark.parametrize(
    ("text", "known", "words"),
    [
        ("It ISN'T, so", "it isn't so bad", 3),  # whatever case and punctuation; a word with an apostrophe is one
        ("'good' drug", "a good drug", 2),
        ("薬は効く", "この薬は", 2),  # each character of a script without blanks is a word
        ("...", "...", 0),
    ],
)
def test_words_are_compared_as_people_count_them(text: str, known: str, words: int) -> None:
    assert KnownTexts([known]).longest_runs([text]).tolist() == [words]
