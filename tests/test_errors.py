from __future__ import annotations

import pytest

from imbllm_autogluon import errors
from imbllm_autogluon.errors import ImbLLMError, nearest


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.InvalidInputError, ValueError),
        (errors.TableError, ValueError),
        (errors.ClassTooSmallError, ValueError),
        (errors.StoredStateError, OSError),
        (errors.BackboneError, OSError),
        (errors.OutOfTimeError, TimeoutError),
        (errors.MissingDependencyError, ImportError),
    ],
)
def test_every_error_is_ours_and_the_builtin_a_caller_expects(
    error: type[ImbLLMError], builtin: type[Exception]
) -> None:
    for expected in (ImbLLMError, builtin):
        with pytest.raises(expected, match="the reason"):
            raise error("the reason")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("temprature", " (did you mean 'temperature'?)"),
        ("steps", " (did you mean 'steps'?)"),
        ("STEPS", " (did you mean 'steps'?)"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_a_misspelt_word_gets_the_nearest_allowed_one_as_a_hint(word: str, hint: str) -> None:
    assert nearest(word, ("temperature", "steps")) == hint


def test_without_allowed_words_there_is_no_hint() -> None:
    assert nearest("steps", iter(())) == ""
