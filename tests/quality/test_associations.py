from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.quality.associations import (
    _BY_CHANCE,
    _FEWEST_OF_LEVEL,
    _KEPT_WELL,
    _MOST_NAMED,
    FEWEST_ROWS,
    _associations_kept,
    associations,
    worst_associations,
)
from imbllm_autogluon.quality.columns import paired_columns
from tests.quality.frames import mixed_rows
from tests.quality.generators import RELATED, half_shuffled, shuffled

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.quality.associations import KeptAssociation
    from imbllm_autogluon.quality.metrics import Finding

RNG = np.random.default_rng(0)


def strengths(frame: pd.DataFrame, weights: FloatArray | None = None) -> FloatArray:
    return associations(paired_columns(frame, frame), weights).strength


def kept(real: pd.DataFrame, synthetic: pd.DataFrame) -> tuple[Finding, list[KeptAssociation]]:
    return _associations_kept(paired_columns(real, synthetic), np.random.default_rng(0))


def test_strengths_are_symmetric_from_zero_to_one_and_only_numbers_have_a_sign() -> None:
    frame = mixed_rows(200).assign(opposite=np.arange(200), falling=-np.arange(200))
    found = strengths(frame)
    assert found.shape == (12, 12)
    assert np.array_equal(found, found.T)
    assert (np.abs(found) <= 1).all()
    assert (np.diag(found) == 1).all()
    numbers = [column.is_number for column in paired_columns(frame, frame)]
    assert (found[:, ~np.array(numbers)] >= 0).all()
    assert found[10, 11] == pytest.approx(-1)


@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "with gaps"])
def test_two_numbers_have_spearmans_correlation_but_for_the_correction(gaps: bool) -> None:
    x = RNG.normal(size=(400, 3)) @ np.array([[1, 0.9, -0.8], [0, 0.5, 0.3], [0, 0, 0.5]])
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame = frame.mask(RNG.random(frame.shape) < 0.1) if gaps else frame
    expected = frame.corr("spearman").to_numpy()
    assert strengths(frame) == pytest.approx(expected, abs=0.015)


def test_levels_and_numbers_of_too_few_rows_tell_nothing() -> None:
    rare = np.arange(100) >= 101 - _FEWEST_OF_LEVEL
    frame = pd.DataFrame({"flag": rare, "same": rare, "count": rare * 1.0})
    assert strengths(frame)[np.tril_indices(3, -1)].tolist() == [0, 0, 0]
    rare[50] = True
    frame = pd.DataFrame({"flag": rare, "same": rare, "count": rare * 1.0})
    assert strengths(frame)[np.tril_indices(3, -1)] == pytest.approx([1, 1, 1])


def test_p_values_of_independent_columns_of_any_kind_are_even() -> None:
    tables = [mixed_rows(120, seed, gaps=False) for seed in range(12)]
    found = np.concatenate(
        [associations(paired_columns(rows, rows)).p_value[np.tril_indices(10, -1)] for rows in tables]
    )
    assert np.mean(found < 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(found < 0.5) == pytest.approx(0.5, abs=0.08)


def test_weights_decide_which_rows_count() -> None:
    x = np.arange(200.0)
    frame = pd.DataFrame({"x": x, "y": np.append(x[:100], RNG.permutation(x[100:]))})
    assert strengths(frame, np.repeat([1.0, 1e-9], 100))[0, 1] == pytest.approx(1)
    assert strengths(frame, np.repeat([1e-9, 1.0], 100))[0, 1] < 0.3


@pytest.mark.parametrize("name", RELATED)
def test_copies_keep_all_rows_drawn_anew_most_half_shuffled_ones_half_and_shuffled_ones_nothing(name: str) -> None:
    real, further = RELATED[name](0), RELATED[name](1)
    found = {
        what: kept(real, rows)[0]
        for what, rows in {
            "copies": real,
            "again": further,
            "half": half_shuffled(pd.concat([real] * 3)),
            "shuffled": shuffled(pd.concat([real] * 3)),
        }.items()
    }
    assert found["copies"].value == pytest.approx(1)
    assert found["again"].value > _KEPT_WELL  # type: ignore[operator]
    assert found["half"].value == pytest.approx(0.5, abs=0.15)
    assert found["shuffled"].value < 0.1  # type: ignore[operator]
    for what, finding in found.items():
        low = finding.acceptable[0]  # type: ignore[index]
        assert (finding.is_poor or finding.value < low) == (what in ("half", "shuffled")), (what, finding)  # type: ignore[operator]


@pytest.mark.parametrize("name", RELATED)
@pytest.mark.parametrize("n", [25, 60])
def test_few_real_rows_drawn_anew_are_not_poor(name: str, n: int) -> None:
    for seed in range(5):
        finding, _ = kept(RELATED[name](10 + seed).iloc[:n], RELATED[name](20 + seed).iloc[:n])
        assert finding.value is None or (not finding.is_poor and finding.value >= finding.acceptable[0])  # type: ignore[index]


def test_one_strong_association_that_is_lost_is_poor_whatever_the_mean_says() -> None:
    z = RNG.normal(size=(200, 2))
    names = {f"a{k}": z[:, 0] + 0.3 * RNG.normal(size=200) for k in range(6)}
    real = pd.DataFrame({**names, "b": z[:, 1], "c": z[:, 1] + 0.8 * RNG.normal(size=200)})
    finding, pairs = kept(real, real.assign(c=RNG.permutation(real["c"])))
    assert finding.value > 0.9 > finding.acceptable[0]  # type: ignore[operator, index]
    assert finding.is_poor
    assert [pair.columns for pair in pairs if pair.is_lost] == [("b", "c")]
    assert f"a strong one is lost: b with c ({pairs[0].real:.2f} real, " in finding.note
    assert not kept(real, real)[0].is_poor


def test_a_sign_that_is_turned_keeps_nothing_and_a_stronger_association_is_off_but_not_lost() -> None:
    x, noise = RNG.normal(size=300), RNG.normal(size=300)
    real = pd.DataFrame({"x": x, "y": x + 1.6 * noise})
    turned, stronger = kept(real, real.assign(y=-real["y"])), kept(real, real.assign(y=x))
    assert turned[0].value == 0.0
    assert turned[1][0].is_lost
    assert stronger[1][0].synthetic == pytest.approx(1)
    assert stronger[1][0].kept < 0.3
    assert not stronger[1][0].is_lost


def test_a_gap_that_goes_with_a_column_is_an_association() -> None:
    x = RNG.normal(size=200)
    real = pd.DataFrame({"x": x, "y": np.where(x > 0.5, np.nan, RNG.normal(size=200))})
    written = real.assign(y=RNG.permutation(real["y"]))
    found, pairs = kept(real, written)
    assert found.value < 0.2  # type: ignore[operator]
    assert pairs[0].columns == ("x", "y is missing")
    assert pairs[0].is_lost


def test_independent_columns_and_few_rows_have_nothing_to_keep() -> None:
    real = pd.DataFrame(np.random.default_rng(3).normal(size=(60, 6)))
    nothing, few = kept(real, real)[0], kept(real, real.iloc[: FEWEST_ROWS - 1])[0]
    assert (nothing.value, few.value) == (None, None)
    assert nothing.note.startswith("Too few rows to tell: among 60 real ones only associations above 0.35 show")
    assert few.note.startswith("Too few rows to tell: 20 real and written ones are needed; one side has 19")
    many = pd.DataFrame(np.random.default_rng(3).normal(size=(400, 4)))
    assert kept(many, many)[0].note == "No two columns are associated beyond chance among 400 rows."
    assert kept(real[[0]], real[[0]])[1] == []


def test_of_many_independent_tables_few_have_an_association_beyond_chance() -> None:
    found = [bool(kept(rows, rows)[1]) for seed in range(40) for rows in [mixed_rows(40, 100 + seed, gaps=False)]]
    assert np.mean(found) <= 2 * _BY_CHANCE


def of_class(pairs: list[KeptAssociation]) -> Any:
    return SimpleNamespace(once=lambda _: (None, pairs))


def test_the_worst_are_named_lost_ones_first_and_those_that_are_kept_are_not() -> None:
    real = RELATED["numbers"](0)
    pairs = kept(real, shuffled(real))[1]
    half = len(pairs) // 2
    worst = worst_associations([of_class(pairs[half:]), of_class(pairs[:half])])
    assert len(worst) == _MOST_NAMED < len(pairs)
    assert all(pair.is_lost for pair in worst)
    assert [pair.cost for pair in worst] == sorted((pair.cost for pair in pairs if pair.is_lost), reverse=True)[:5]
    assert worst_associations([of_class(pairs), of_class(pairs)]) == worst
    assert worst_associations([of_class(kept(real, real)[1])]) == ()


def test_of_very_many_columns_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imbllm_autogluon.quality.associations._MOST_COLUMNS", 4)
    real = RELATED["numbers"](0)
    pairs = kept(real, shuffled(real))[1]
    assert len({name for pair in pairs for name in pair.columns}) <= 4
    assert pairs == kept(real, shuffled(real))[1]
