from __future__ import annotations

import pytest

from imbllm_autogluon.cli_rows import parse_settings
from imbllm_autogluon.errors import InvalidInputError


@pytest.mark.parametrize(
    ("pair", "settings"),
    [
        ("steps=50", {"steps": 50}),
        ("temperature=1", {"temperature": 1}),
        ("learning_rate=1e-3", {"learning_rate": 0.001}),
        ("temperature=.5", {"temperature": 0.5}),
        ("time_limit=None", {"time_limit": None}),
        ("conditioning=y", {"conditioning": "y"}),
        ("backbone=a=b", {"backbone": "a=b"}),
        (" steps = 5 ", {"steps": 5}),
        ("cache_dir=", {"cache_dir": ""}),
        ("order=none-such", {"order": "none-such"}),
    ],
)
def test_values_become_numbers_where_they_are_numbers(pair: str, settings: dict[str, object]) -> None:
    parsed = parse_settings([pair])
    assert parsed == settings
    assert type(next(iter(parsed.values()))) is type(next(iter(settings.values())))


def test_the_last_value_of_a_key_counts() -> None:
    assert parse_settings(["steps=1", "steps=2"]) == {"steps": 2}


@pytest.mark.parametrize("pair", ["steps", "=3", "", " = "])
def test_a_pair_without_key_or_sign_is_refused(pair: str) -> None:
    with pytest.raises(InvalidInputError, match="key=value"):
        parse_settings([pair])
