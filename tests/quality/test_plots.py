from __future__ import annotations

import re
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from imbllm_autogluon.quality import plots
from imbllm_autogluon.quality.curves import calibration_chart, precision_recall_chart
from imbllm_autogluon.quality.pictures import _MOST_POINTS, _all_column_shares, _compared_rows, pictures
from imbllm_autogluon.quality.plots import _day_ticks, _shortened, _text_width, _ticks
from tests.quality.evaluations import evaluation_of
from tests.quality.test_reports import labelled

if TYPE_CHECKING:
    from imbllm_autogluon.quality.pictures import ColumnShares

RNG = np.random.default_rng(0)
LONG = "a level <b> & of a name that never ends $x_1$ 漢字"


def shares(real: Any, synthetic: Any) -> ColumnShares:
    return _all_column_shares(_compared_rows(pd.DataFrame({"a": real}), pd.DataFrame({"a": synthetic})))[0]


def all_pictures() -> dict[str, str]:
    """One of every kind, by its name."""
    real, written, held = labelled(200, 0), labelled(160, 1).query("y == 'rare'"), labelled(80, 2)
    distances = evaluation_of(real, written, label="y", holdout=held).distances
    found = pictures(real, written, distances, "y", held)
    truth, scores = RNG.random(300) < 0.3, RNG.random(300)
    assert found.associations is not None
    return {
        **{f"column {column.name}": plots._column_svg(column) for column in found.columns},
        "associations": plots._associations_svg(found.associations),
        "plane": plots._plane_svg(found.clouds, found.variance),
        "distances": plots._distances_svg(found.edges, found.histograms),
        "recall": plots._curves_svg(precision_recall_chart(truth, {"a": scores, "b": scores**2})),
        "calibration": plots._curves_svg(calibration_chart(truth, {"a": scores})),
        "losses": plots._losses_svg({"S1F1": {"warm-up": [2.0, 1.5], "minority": [1.0]}, "S1F2": {}}),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return all_pictures()


def test_pictures_are_whole_elements_with_a_label_in_the_colors_of_the_page(drawn: dict[str, str]) -> None:
    for name, svg in drawn.items():
        element = ElementTree.fromstring(svg)
        assert (element.tag, element.get("role")) == ("svg", "img"), name
        assert element.get("aria-label"), name
        assert not re.search(r"#[0-9a-f]{6}|\bid=|href|url\(|http|font-family", svg), name
        assert "var(--line-1)" in svg, name


def test_nothing_is_drawn_outside_of_a_picture(drawn: dict[str, str]) -> None:
    for name, svg in drawn.items():
        element = ElementTree.fromstring(svg)
        width, height = map(float, element.get("viewBox", "").split()[2:])
        for path in element.iter("path"):
            at = np.array(re.findall(r"-?[\d.]+", path.get("d", "")), dtype=float).reshape(-1, 2)
            assert (at >= -1).all() and (at <= [width + 1, height + 1]).all(), name  # noqa: PT018


def test_pictures_are_the_same_every_time_and_leave_matplotlib_as_it_was() -> None:
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": True}):
        before, had_pyplot = dict(mpl.rcParams), "matplotlib.pyplot" in sys.modules
        svg = plots._column_svg(shares([1, 2, 2], [1, 1, 2]))
        assert dict(mpl.rcParams) == before
        assert ("matplotlib.pyplot" in sys.modules) == had_pyplot
    assert svg == plots._column_svg(shares([1, 2, 2], [1, 1, 2]))


def test_bars_have_the_shares_of_the_rows() -> None:
    ax = Figure().add_axes((0, 0, 1, 1))
    plots._draw_numbers(shares([1, 2, 2, None], [1, 1, 2, 2]), ax)
    real, synthetic = (patch.get_data().values for patch in ax.patches)
    assert (real[-1], np.nansum(real), np.nansum(synthetic)) == (0.25, 1.0, 1.0)
    assert np.isnan(synthetic[-1])
    assert [label.get_text() for label in ax.get_xticklabels()][-1] == "missing"


def test_names_are_cut_to_their_room_shown_as_they_are_and_whole_in_tooltips() -> None:
    svg = plots._column_svg(shares([LONG, "漢字" * 20, "b"], [LONG, "b", "b"]))
    element = ElementTree.fromstring(svg)
    texts = [text.text for text in element.iter("text")]
    assert "a level <b>…" in texts
    assert {title.text for title in element.iter("title")} == {LONG, "漢字" * 20}
    assert "$y$" in plots._column_svg(shares(["$y$"], ["$y$"]))


@pytest.mark.parametrize(
    ("real", "synthetic"),
    [
        ([None, None], [None]),
        ([1e100, -1e100, 0.0], [float("inf"), 1.0]),
        ([1e-300, 2e-300], [1e-300]),
        ([1e18] * 3, [1e18]),
        ([True, False], [True]),
        (pd.to_datetime(["1700-01-01", "2200-01-01"]), pd.to_datetime(["2000-01-01"])),
        (["", " "], ["\n"]),
        ([f"level {k}" for k in range(500)], ["new"]),
    ],
)
def test_odd_columns_are_drawn(real: Any, synthetic: Any) -> None:
    svg = plots._column_svg(shares(real, synthetic))
    ElementTree.fromstring(svg)
    assert "nan" not in svg.replace("NaN", "nan")


def test_large_tables_have_small_pictures() -> None:
    many = pd.DataFrame({f"c{k}": RNG.normal(size=2000) for k in range(40)})
    found = pictures(many, many, evaluation_of(many[:50], many[:50]).distances, holdout=many)
    assert len(plots._plane_svg(found.clouds, found.variance)) < 160 * _MOST_POINTS
    assert found.associations is not None
    assert len(plots._associations_svg(found.associations)) < 80_000
    assert max(len(plots._column_svg(column)) for column in found.columns[:3]) < 6_000


def test_all_rows_may_be_equal() -> None:
    rows = pd.DataFrame({"x": [1] * 9, "y": ["a"] * 9})
    found = pictures(rows, rows, evaluation_of(rows, rows).distances)
    for svg in (plots._plane_svg(found.clouds, found.variance), plots._distances_svg(found.edges, found.histograms)):
        ElementTree.fromstring(svg)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_round_values_lie_inside_the_axis_are_few_and_their_texts_do_not_touch(low: float, size: float) -> None:
    at, texts = _ticks(low, low + size, 200)
    assert len(at) <= 6
    assert len(set(texts)) == len(texts)
    assert all(low <= tick <= low + size for tick in at)
    places = [(value - low) / size * 200 for value in at]
    for (left, right), (a, b) in zip(pairwise(places), pairwise(texts), strict=True):
        assert right - left >= (_text_width(a) + _text_width(b)) / 2


def test_zero_has_no_sign() -> None:
    assert _ticks(-1, 1, 300)[1] == ["-1", "-0.5", "0", "0.5", "1"]


@pytest.mark.parametrize(("span", "text"), [(2.0, "2024-03-01"), (5000.0, "2024-03"), (-1.0, "1969-12-31")])
def test_days_are_dates_and_months_over_years(span: float, text: str) -> None:
    low = 19783.2 - span / 2 if span > 0 else -1.0
    assert _day_ticks(low, low + abs(span) / 1e3 if span < 0 else low + span)[1][1] == text


@given(st.text(), st.floats(20, 200))
def test_a_shortened_text_fits_its_room(text: str, room: float) -> None:
    assert _text_width(_shortened(text, room)) <= room
    assert "\n" not in _shortened(text, room)
