"""Candidates become rows of the wanted classes: exact numbers, first come first served, by rank where they run out."""

from __future__ import annotations

import functools
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbllm_autogluon.oversampling.pred_llm import _LARGEST_ROUND, _SMALLEST_ROUND, Acceptance, Candidates
from imbllm_autogluon.tables import Cells


def asked(answers: list[int], first: int = 0, k: int = 3, probabilities: list[list[float]] | None = None) -> Candidates:
    """Rows numbered from `first`; without probabilities a class's own rows have 0.5 of it."""
    rows = np.arange(first, first + len(answers))
    table = np.full((len(answers), k), 0.5 / (k - 1))
    table[np.arange(len(answers)), answers] = 0.5
    cells = Cells((rows.astype(float),), np.zeros((len(answers), 1), dtype=bool))
    found = table if probabilities is None else np.array(probabilities)
    return Candidates(cells, found, np.array(answers, dtype=np.int64))


def numbers(acceptance: Acceptance, code: int) -> list[int]:
    return [int(value) for value in acceptance.rows(code).values[0]]


def of(acceptance: Acceptance, counter: str) -> dict[int, int]:
    return {code: counts[counter] for code, counts in acceptance.counts.items()}


def test_each_class_takes_its_first_rows_and_no_more_than_it_wants() -> None:
    acceptance = Acceptance({0: 2, 2: 1}, limit=100)
    acceptance.take(asked([1, 0, 2, 0, 0, 2]))
    assert (numbers(acceptance, 0), numbers(acceptance, 2)) == ([1, 3], [2])
    assert not acceptance.is_open
    assert not acceptance.counts[0]["by_rank"]


def test_candidates_are_counted_until_a_class_has_its_rows() -> None:
    acceptance = Acceptance({0: 2, 2: 3}, limit=100)
    acceptance.take(asked([1, 0, 2, 0, 0, 2]))
    acceptance.take(asked([0, 1, 2, 1], first=6))
    assert of(acceptance, "candidates") == {0: 4, 2: 9}


def test_the_neediest_class_is_the_one_that_lacks_most_rows() -> None:
    acceptance = Acceptance({0: 2, 1: 5, 2: 4}, limit=100)
    assert acceptance.neediest == 1
    acceptance.take(asked([1, 1, 1]))
    assert acceptance.neediest == 2


def test_a_round_is_as_large_as_the_acceptance_so_far_asks_for() -> None:
    acceptance = Acceptance({0: 1000, 1: 500}, limit=10**6)
    assert acceptance.next_round() == 1500
    acceptance.take(asked([0] * 1000 + [1] * 100))
    assert acceptance.next_round() == pytest.approx(1.1 * 400 * 11, abs=1)
    acceptance.take(asked([0] * 400_000))
    assert acceptance.next_round() == _LARGEST_ROUND
    assert Acceptance({0: 3}, limit=10**6).next_round() == _SMALLEST_ROUND


def test_no_round_goes_beyond_the_limit_which_is_never_below_the_wanted_rows() -> None:
    acceptance = Acceptance({0: 30}, limit=40)
    assert acceptance.next_round() == 40
    acceptance.take(asked([1] * 40))
    assert not acceptance.is_open
    assert Acceptance({0: 30}, limit=1).next_round() == 30


def test_classes_that_lack_rows_get_the_spare_ones_with_their_highest_probability() -> None:
    acceptance = Acceptance({0: 1, 2: 2}, limit=4)
    spare = [[0.1, 0.8, 0.1], [0.0, 0.6, 0.4], [0.5, 0.3, 0.2], [0.1, 0.6, 0.3]]
    acceptance.take(asked([1, 1, 0, 1], probabilities=spare))
    acceptance.fill_by_rank()
    assert (numbers(acceptance, 0), numbers(acceptance, 2)) == ([2], [1, 3])
    assert of(acceptance, "by_rank") == {0: 0, 2: 2}
    assert acceptance.missing.total() == 0


def test_no_spare_row_is_given_to_two_classes_and_the_smaller_need_chooses_first() -> None:
    acceptance = Acceptance({0: 2, 2: 1}, limit=3)
    acceptance.take(asked([1, 1, 1], probabilities=[[0.4, 0.2, 0.4], [0.3, 0.5, 0.2], [0.2, 0.7, 0.1]]))
    acceptance.fill_by_rank()
    assert (numbers(acceptance, 2), numbers(acceptance, 0)) == ([0], [1, 2])


@settings(max_examples=60)
@given(
    st.dictionaries(st.integers(0, 4), st.integers(1, 40), min_size=1),
    st.integers(1, 300),
    st.integers(0, 10**6),
)
def test_counts_are_exact_and_no_row_is_used_twice(wanted: dict[int, int], limit: int, seed: int) -> None:
    rng, written = np.random.default_rng(seed), 0
    acceptance = Acceptance(wanted, limit)
    while acceptance.is_open:
        n = acceptance.next_round()
        acceptance.take(asked(rng.choice(5, n, p=[0.6, 0.3, 0.1, 0, 0]).tolist(), first=written, k=5))
        written += n
    acceptance.fill_by_rank()
    taken = {code: numbers(acceptance, code) for code in wanted}
    assert {code: len(rows) for code, rows in taken.items()} == wanted
    assert len(set(functools.reduce(operator.iadd, taken.values(), []))) == sum(wanted.values())
    assert written <= max(limit, sum(wanted.values()))
    for code, counts in acceptance.counts.items():
        assert wanted[code] - counts["by_rank"] <= counts["candidates"] <= written


def test_asked_rows_can_be_cut_and_joined() -> None:
    rows = asked([0, 1, 2, 1])
    joined = Candidates.concat([rows.take(rows.answers == 1), rows.take([0])])
    assert joined.answers.tolist() == [1, 1, 0]
    assert joined.cells.values[0].tolist() == [1.0, 3.0, 0.0]
    assert joined.probabilities.tolist() == rows.probabilities[[1, 3, 0]].tolist()


class EvenNumbers:
    """Refuses rows of even numbers."""

    def rejects(self, rows: Cells) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return rows.values[0] % 2 == 0


def test_rows_too_near_to_real_ones_of_their_class_are_not_taken() -> None:
    acceptance = Acceptance({0: 2, 2: 1}, limit=100, near={0: EvenNumbers()})
    acceptance.take(asked([0, 0, 0, 0, 2, 0, 0]))
    assert (numbers(acceptance, 0), numbers(acceptance, 2)) == ([1, 3], [4])
    assert of(acceptance, "near_copies_dropped") == {0: 2, 2: 0}  # the last candidate came when all rows were there
    assert of(acceptance, "candidates") == {0: 4, 2: 5}


def test_rows_too_near_are_the_last_to_be_taken_when_candidates_run_out() -> None:
    acceptance = Acceptance({0: 3}, limit=4, near={0: EvenNumbers()})
    probabilities = [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.8, 0.2, 0.0], [0.1, 0.9, 0.0]]
    acceptance.take(asked([0, 1, 0, 1], probabilities=probabilities))
    assert acceptance.missing[0] == 3
    acceptance.fill_by_rank()
    assert sorted(numbers(acceptance, 0)) == [0, 1, 3]
    assert acceptance.counts[0] == {"candidates": 4, "near_copies_dropped": 2, "near_copies_kept": 1, "by_rank": 3}
