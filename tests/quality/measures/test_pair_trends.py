from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.quality.measures import pair_trends as module
from imbllm_autogluon.quality.measures.pair_trends import is_free_text, pair_trends
from imbllm_autogluon.quality.measures.pairs import paired_columns
from tests.quality.frames import mixed_rows
from tests.quality.generators import LABEL, labelled_rows, uniform_noise


def test_two_numbers_are_compared_by_their_correlation() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = (pd.DataFrame(rng.normal(size=(50, 2)), columns=["a", "b"]) for _ in range(2))
    synthetic.loc[3, "a"] = np.nan
    expected = 1 - abs(real.corr().iloc[0, 1] - synthetic.corr().iloc[0, 1]) / 2
    assert pair_trends(real, synthetic) == pytest.approx(expected)


def test_two_categories_are_compared_by_their_contingency_table() -> None:
    real = pd.DataFrame({"a": ["x", "x", "y", None], "b": [True, True, False, False]})
    synthetic = pd.DataFrame({"a": ["x", "x", None, None], "b": [True, False, False, False]})
    # Shares: (x, True) 0.5 and 0.25, (y, False) 0.25 and 0, (none, False) 0.25 and 0.5, (x, False) 0 and 0.25.
    assert pair_trends(real, synthetic) == pytest.approx(1 - (0.25 + 0.25 + 0.25 + 0.25) / 2)


def test_a_number_beside_a_category_is_cut_into_ten_bins_of_the_real_range() -> None:
    real = pd.DataFrame({"a": np.arange(11.0), "b": ["x"] * 11})
    assert pair_trends(real, real.assign(a=real["a"] + 0.5)) == 1.0
    assert pair_trends(real, real.assign(a=real["a"] + 1)) == pytest.approx(1 - 1 / 11)
    assert pair_trends(real, real.assign(a=real["a"].clip(upper=9.5))) == 1.0
    assert pair_trends(real, real.assign(a=np.nan)) == pytest.approx(0.0, abs=1e-12)


def test_a_number_that_is_written_as_a_constant_is_seen() -> None:
    real = pd.DataFrame({"a": np.arange(100.0), "b": np.arange(100.0) ** 2})
    assert pair_trends(real, real.assign(a=5.0)) < 0.3  # type: ignore[operator]
    assert pair_trends(real.assign(a=5.0), real.assign(a=5.0)) == 1.0


@pytest.mark.parametrize("kind", ["float64", "datetime64[ns]"])
def test_huge_numbers_and_times_have_correlations(kind: str) -> None:
    column = pd.Series(np.arange(100) * 10**15).astype(kind)
    real = pd.DataFrame({"a": column, "b": np.arange(100)})
    assert pair_trends(real, real) == pytest.approx(1.0)
    written = real.assign(a=column.iloc[::-1].to_numpy())
    assert pair_trends(real, written) == pytest.approx(0.0, abs=1e-9)
    if kind == "float64":
        assert pair_trends(real, real.assign(a=np.r_[np.inf, np.zeros(99)])) is not None


def test_rows_of_one_source_score_high_and_noise_low() -> None:
    real, other = labelled_rows(2000, 0), labelled_rows(2000, 1)
    assert pair_trends(real, other) > 0.93  # type: ignore[operator]
    assert pair_trends(real, uniform_noise(real, 2000)) < 0.7  # type: ignore[operator]


def test_broken_links_between_columns_are_seen() -> None:
    real = labelled_rows(2000, 0)[["a", "b"]]
    shuffled = real.assign(b=real["b"].sample(frac=1, random_state=0).to_numpy())
    assert pair_trends(real, shuffled) == pytest.approx(1 - real.corr().iloc[0, 1] / 2, abs=0.03)


def test_one_column_has_no_pair_and_free_text_is_left_out() -> None:
    real = pd.DataFrame({"a": range(60), "name": [f"name {i}" for i in range(60)]})
    assert pair_trends(real[["a"]], real[["a"]]) is None
    assert pair_trends(real, real) is None
    assert [is_free_text(column) for column in paired_columns(real, real)] == [False, True]


def test_of_many_pairs_a_random_part_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    real, synthetic = mixed_rows(200), mixed_rows(200, 1)
    whole = pair_trends(real, synthetic)
    monkeypatch.setattr(module, "MOST_PAIRS", 20)
    part = pair_trends(real, synthetic)
    assert part != whole
    assert part == pytest.approx(whole, abs=0.1)
    assert part == pair_trends(real, synthetic)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # pandas 3 changes what SDMetrics 0.32 groups by
def test_each_pair_is_what_sdmetrics_finds() -> None:
    """Where SDMetrics is installed: it is no dependency of this package."""
    statistical = pytest.importorskip("sdmetrics.column_pairs.statistical", exc_type=ImportError)
    real, synthetic = (labelled_rows(300, seed).drop(columns=LABEL) for seed in (0, 1))
    for frame in (real, synthetic):
        frame["dose"] = frame["dose"].astype("float64")
    for a, b in combinations(real.columns, 2):
        found = pair_trends(real[[a, b]], synthetic[[a, b]])
        assert found == pytest.approx(_by_sdmetrics(statistical, real[[a, b]], synthetic[[a, b]])), (a, b)


def _by_sdmetrics(statistical: Any, real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    numbers = [name for name in real if real[name].dtype.kind in "fM"]
    if len(numbers) == 2:
        return float(statistical.CorrelationSimilarity.compute(real, synthetic))
    plain = [frame.copy() for frame in (real, synthetic)]
    for frame in plain:
        for name in numbers:
            column = frame[name]
            frame[name] = column if column.dtype.kind == "f" else (column - pd.Timestamp(0)) / pd.Timedelta(days=1)
    return float(statistical.ContingencySimilarity.compute(*plain, continuous_column_names=numbers or None))


def test_the_figures_recorded_from_sdmetrics_are_reached() -> None:
    """SDMetrics 0.32: the pairs of `labelled_rows(300, 0)` and `labelled_rows(300, 1)`, without the label."""
    real, synthetic = (labelled_rows(300, seed).drop(columns=LABEL) for seed in (0, 1))
    found = {pair: pair_trends(real[list(pair)], synthetic[list(pair)]) for pair in RECORDED}
    assert found == pytest.approx(RECORDED, abs=1e-6)


RECORDED: dict[tuple[str, str], float] = {
    ("a", "b"): 0.984524,
    ("a", "dose"): 0.992092,
    ("a", "city"): 0.793333,
    ("a", "level"): 0.880000,
    ("a", "flag"): 0.856667,
    ("a", "day"): 0.960955,
    ("b", "dose"): 0.989074,
    ("b", "city"): 0.813333,
    ("b", "level"): 0.873333,
    ("b", "flag"): 0.873333,
    ("b", "day"): 0.953679,
    ("dose", "city"): 0.856667,
    ("dose", "level"): 0.873333,
    ("dose", "flag"): 0.896667,
    ("dose", "day"): 0.932489,
    ("city", "level"): 0.876667,
    ("city", "flag"): 0.916667,
    ("city", "day"): 0.783333,
    ("level", "flag"): 0.923333,
    ("level", "day"): 0.880000,
    ("flag", "day"): 0.800000,
}
