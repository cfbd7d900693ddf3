"""Pictures of reports, drawn by matplotlib as SVG for a page: colors and font are the page's, texts stay texts.

Lengths are in SVG units (points). No picture uses pyplot, and matplotlib's settings are afterwards as before.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from imbllm_autogluon.quality.curves import loss_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.quality.pictures import AssociationMaps, Cloud, ColumnShares, Histogram

    Ticks = tuple[list[float], list[str]]
    Box = tuple[float, float, float, float]  # left and upper end, width and height

_DASHES: tuple[Any, ...] = ("-", (0, (7, 3)), (0, (2, 3)), (0, (8, 3, 2, 3)), (0, (12, 4)), (0, (4, 2)))
# Variables of the page's style, and the color that is drawn in place of each.
_COLORS = {
    "ink": "#1c2430", "faint": "#5c6675", "rule": "#d9dee5", "line-1": "#0b62c4", "line-2": "#b3470f",
    "line-3": "#1b7a43", "line-4": "#7b3fa8", "line-5": "#8a6d00", "line-6": "#a3245c",
}  # fmt: skip
_VARIABLES = {color: f"var(--{name})" for name, color in _COLORS.items()}
_LINES = [color for name, color in _COLORS.items() if name.startswith("line-")]
_REAL, _SYNTHETIC, _HOLDOUT = _LINES[:3]
_INK, _FAINT, _RULE = (_COLORS[name] for name in ("ink", "faint", "rule"))

_STYLE = {
    "svg.fonttype": "none", "text.parse_math": False, "path.simplify": False, "lines.linewidth": 1.5, "font.size": 11,
    "text.color": _FAINT, "axes.labelcolor": _FAINT, "axes.edgecolor": _RULE, "axes.axisbelow": True,
    "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlecolor": _INK, "axes.titlelocation": "left",
    "axes.labelsize": 11, "grid.color": _RULE, "xtick.labelcolor": _FAINT, "xtick.labelsize": 11,
    "xtick.major.size": 0, "xtick.major.pad": 5, "ytick.labelcolor": _FAINT, "ytick.labelsize": 11,
    "ytick.major.size": 0, "ytick.major.pad": 7,
}  # fmt: skip
_NOT_SET = ("backend", "backend_fallback", "interactive", "timezone", "toolbar")
_UNUSED = re.compile(r"<metadata>.*?</metadata>|<defs>.*?</defs>|<!--.*?-->", re.DOTALL)
_UNUSED_PARTS = re.compile(r' id="[^"]*"| transform="rotate\(-0 [^"]*"|font-family: [^;"]*;? ?|\n')
_WIDE_NUMBER = re.compile(r"\d+\.\d{2,}")

_UNITS = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))  # from which size on, the divisor, and its sign
_CHARACTER, _GAP = 7.2, 8.0  # width of a character of 11 units, and room between two labels of an axis
_WIDTH, _BAR, _NAMES = 260, 17, 104  # of the chart of a column, height of the bar of a level, room for its name
_MAP, _MAP_NAMES = 280, 132  # side of a map of associations, and room for the names of its rows
_BOX = "top bottom left right"

# Color, width, corners and matplotlib's path codes of the mark of each kind of rows, told apart without color.
_MARKS: dict[str, tuple[str, float, list[tuple[float, float]], list[int]]] = {
    "others": (_FAINT, 3.0, [(0, 0), (0, 0.1)], [1, 2]),
    "real": (_REAL, 1.2, [(-3.5, 0), (0, 3.5), (3.5, 0), (0, -3.5), (-3.5, 0)], [1, 2, 2, 2, 79]),
    "holdout": (_HOLDOUT, 1.2, [(-3, -3), (3, -3), (3, 3), (-3, 3), (-3, -3)], [1, 2, 2, 2, 79]),
    "synthetic": (_SYNTHETIC, 1.2, [(-3, -3), (3, 3), (3, -3), (-3, 3)], [1, 2, 1, 2]),
}


def _column_svg(shares: ColumnShares) -> Markup:
    """Shares of the rows by value: real ones as filled bars, synthetic ones as outlines."""
    label = f"Values of {shares.name} in real and synthetic rows"
    if shares.edges is not None:
        return _chart(label, (_WIDTH + 30, 128), (12, 4, _WIDTH, 104), partial(_draw_numbers, shares), "bottom")
    height, cut = _BAR * len(shares.levels), [(name, _NAMES - 6) for name in shares.levels]
    box = (12 + _NAMES, 4, _WIDTH - _NAMES, height)
    return _svg((_WIDTH + 30, height + 24), label, lambda figure: _draw_levels(shares, _axes(figure, box)), cut)


def _draw_numbers(shares: ColumnShares, ax: Axes) -> None:
    assert shares.edges is not None
    low, high = shares.edges[0], shares.edges[-1]
    lacks = bool(shares.real[-1] or shares.synthetic[-1])
    room = _WIDTH - 62 * lacks
    ends = (shares.edges - low) / (high - low) * room
    sides = [side[:-1] for side in (shares.real, shares.synthetic)]
    at, texts = _day_ticks(low, high) if shares.is_day else _ticks(low, high, room - 24 * lacks)
    at = [(value - low) / (high - low) * room for value in at]
    if lacks:
        ends = np.append(ends, [_WIDTH - 34, _WIDTH - 18])
        sides = [np.append(side[:-1], [np.nan, side[-1]]) for side in (shares.real, shares.synthetic)]
        kept = [k for k, place in enumerate(at) if place < room - 24]
        at, texts = [*(at[k] for k in kept), _WIDTH - 26], [*(texts[k] for k in kept), "missing"]
    _bars(ax, ends, sides[0], sides[1])
    ax.set(xlim=(0, _WIDTH), ylim=(0, _top(shares)), yticks=[])
    ax.set_xticks(at, texts)


def _draw_levels(shares: ColumnShares, ax: Axes) -> None:
    n, top = len(shares.levels), _top(shares)
    ends = (np.arange(n)[:, None] * _BAR + [2.5, _BAR - 2.5]).ravel()
    apart = [np.column_stack([side, np.full(n, np.nan)]).ravel()[:-1] for side in (shares.real, shares.synthetic)]
    _bars(ax, ends, apart[0], apart[1], "horizontal")
    ax.set(xlim=(0, top), ylim=(n * _BAR, 0))
    ax.set_xticks(*_ticks(0, top, _WIDTH - _NAMES, lambda share: f"{share:.0%}"))
    ax.set_yticks((np.arange(n) + 0.5) * _BAR, [_shortened(name, _NAMES - 6) for name in shares.levels])


def _top(shares: ColumnShares) -> float:
    return max(shares.real.max(), shares.synthetic.max()) or 1.0


def _bars(ax: Axes, ends: FloatArray, real: FloatArray, synthetic: FloatArray, orientation: Any = "vertical") -> None:
    real, synthetic = (np.where(side > 0, side, np.nan) for side in (real, synthetic))
    ax.stairs(real, ends, orientation=orientation, fill=True, color=_REAL, alpha=0.4, linewidth=0, clip_on=False)
    ax.stairs(synthetic, ends, orientation=orientation, color=_SYNTHETIC, clip_on=False)


def _associations_svg(maps: AssociationMaps) -> Markup:
    """Two heat maps side by side: associations of columns among real and among synthetic rows."""

    def draw(figure: Figure) -> None:
        for k, (title, matrix) in enumerate({"real": maps.real, "synthetic": maps.synthetic}.items()):
            left = _MAP_NAMES + k * (_MAP + 44)
            _draw_map(_axes(figure, (left, 24, _MAP, _MAP), _BOX), matrix, title)
        names = [f"{_shortened(name, room)} {k}" for k, name in enumerate(maps.names, 1)]
        figure.axes[0].set_yticks(figure.axes[0].get_xticks(), names)
        _draw_scale(_axes(figure, (_MAP_NAMES, _MAP + 52, 140, 10)))

    room = _MAP_NAMES - 32
    label = "Associations of columns in real and in synthetic rows"
    size = (_MAP_NAMES + 2 * _MAP + 48, _MAP + 72)
    return _svg(size, label, draw, [(name, room) for name in maps.names])


def _draw_map(ax: Axes, matrix: FloatArray, title: str) -> None:
    """Cells by their strength, in ten shades; those near 0 stay empty."""
    n = len(matrix)
    cell, steps = _MAP / n, np.rint(np.nan_to_num(matrix) * 10).astype(np.int64)
    edge = cell - min(1.0, cell / 8)
    for step in range(1, 11):
        _draw_cells(ax, np.argwhere(steps == step)[:, ::-1] * cell, edge, edge, step)
    ax.set(xlim=(0, _MAP), ylim=(_MAP, 0), title=title, yticks=[])
    ax.set_xticks((np.arange(n) + 0.5) * cell, [str(k + 1) for k in range(n)], size=9)


def _draw_scale(ax: Axes) -> None:
    for step in range(1, 11):
        _draw_cells(ax, [(14 * step - 14, 0)], 13, 10, step)
    ax.set(xlim=(0, 140), ylim=(0, 10), xticks=[], yticks=[])
    for x, text, side in ((-6, "0", "right"), (146, "1", "left")):
        ax.text(x, 5, text, ha=side, va="center_baseline")


def _draw_cells(ax: Axes, places: npt.ArrayLike, width: float, height: float, step: int) -> None:
    corners = [(0, 0), (width, 0), (width, height), (0, height), (0, 0)]
    _stamp(ax, places, corners, [1, 2, 2, 2, 79], facecolor=_REAL, alpha=step / 10, linewidth=0)


def _plane_svg(clouds: Sequence[Cloud], variance: tuple[float, float]) -> Markup:
    """Rows as marks on two principal components."""

    def draw(ax: Axes) -> None:
        for cloud in clouds:
            color, width, corners, codes = _MARKS[cloud.kind]
            alpha = 0.5 if cloud.kind == "others" else None
            style = {"edgecolor": color, "linewidth": width, "alpha": alpha, "capstyle": "round", "fill": False}
            _stamp(ax, np.rint(cloud.points * [640, 380]), corners, codes, **style)
        first, second = (f"{100 * share:.0f} %" for share in variance)
        ax.set(xlim=(0, 640), ylim=(0, 380), xticks=[], yticks=[])
        ax.set_xlabel(f"first component: {first} of the variance of real rows; second, upwards: {second}")

    return _chart("Rows on two principal components", (652, 412), (6, 6, 640, 380), draw, frame=_BOX)


def _distances_svg(edges: FloatArray, histograms: Sequence[Histogram]) -> Markup:
    """Shares of the rows by their distance to the closest record, the first kind of rows filled."""

    def draw(ax: Axes) -> None:
        for k, found in enumerate(histograms):
            ax.stairs(found.shares, edges, color=_LINES[k], clip_on=False, linestyle="-" if k < 2 else (0, (5, 3)))
        ax.stairs(histograms[0].shares, edges, color=_LINES[0], alpha=0.2, fill=True, linewidth=0, clip_on=False)
        top = max(float(found.shares.max()) for found in histograms)
        ax.set(xlim=(0, edges[-1]), ylim=(0, top), xlabel="distance to the closest record")
        ax.set_xticks(*_ticks(0, edges[-1], 644, n=8))
        ax.set_yticks(*_ticks(0, top, 200, lambda share: f"{100 * share:.3g} %"))
        ax.grid(axis="y", clip_on=False)

    return _chart("Distances to the closest record", (712, 250), (52, 8, 644, 200), draw)


def _curves_svg(chart: Mapping[str, Any]) -> Markup:
    """Lines of several models, as :mod:`imbllm_autogluon.quality.curves` makes them, and one to compare with."""

    def draw(ax: Axes) -> None:
        end = chart["end"]
        ticks = _ticks(0, end, 300)
        ax.plot([0, end], chart["guide"], color=_FAINT, linestyle=(0, (3, 3)), linewidth=1, clip_on=False)
        for k, line in enumerate(chart["lines"]):
            color = _LINES[k % 6]
            ax.plot(line["x"], line["y"], color=color, linestyle=_DASHES[k % 6], clip_on=False)
            if chart["dotted"]:
                points = np.column_stack([line["x"], line["y"]])
                if "low" in line:  # reports of earlier versions have none
                    ends = line["low"], np.minimum(line["high"], end)
                    ax.vlines(line["x"], *ends, color=color, linewidth=1, alpha=0.6, clip_on=False)
                _stamp(ax, points, [(0, 0), (0, 0)], [1, 2], edgecolor=color, linewidth=5, capstyle="round", fill=False)
        ax.set(xlim=(0, end), ylim=(0, end), xlabel=chart["x_title"], ylabel=chart["y_title"])
        ax.set_xticks(*ticks)
        ax.set_yticks(*ticks)
        ax.grid(axis="y", clip_on=False)

    return _chart(chart["title"], (368, 298), (56, 10, 300, 240), draw)


def _losses_svg(folds: Mapping[str, Mapping[str, Sequence[float]]]) -> Markup:
    """Loss by step of each fold, as :func:`loss_windows` takes them, and where each stage of the first one begins."""
    windows = loss_windows(folds)
    steps = max(sum(map(len, stages.values())) for stages in folds.values())
    top = max(max(y) for _, y in windows.values()) or 1.0

    def draw(ax: Axes) -> None:
        begin = 0
        for stage, losses in folds[next(iter(windows))].items():
            ax.plot([begin, begin], [0, top], color=_FAINT, linestyle=(0, (3, 3)), linewidth=1, clip_on=False)
            ax.text(begin + steps / 128, 1.03 * top, stage)
            begin += len(losses)
        for k, (x, y) in enumerate(windows.values()):
            ax.plot(x, y, color=_LINES[k % 6], clip_on=False)
        ax.set(xlim=(0, steps), ylim=(0, top), xlabel="step")
        ax.set_xticks(*_ticks(0, steps, 640))
        ax.set_yticks(*_ticks(0, top, 220))
        ax.grid(axis="y", clip_on=False)

    return _chart("Training loss by step, one line for each fold", (704, 276), (48, 18, 640, 220), draw)


def _shortened(text: str, room: float) -> str:
    """A text cut to `room` SVG units, with an ellipsis where something is missing; line breaks become spaces."""
    line = " ".join(str(text).split())
    if _text_width(line) <= room:
        return line
    while line and _text_width(line) + _CHARACTER > room:
        line = line[:-1]
    return line.rstrip() + "…"


def _text_width(text: str) -> float:
    """Characters of East Asian scripts are twice as wide."""
    return _CHARACTER * sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _tick_text(value: float) -> str:
    """A number as an axis shows it: 0.25, 9000, 25k, 1.5M, 3e+15."""
    size = abs(value)
    if size >= 1e12:
        return f"{value:.3g}"
    divisor, suffix = next((unit for unit in _UNITS if size >= unit[0]), (0, 1.0, ""))[1:]
    return f"{value / divisor:.4g}{suffix}"


def _ticks(low: float, high: float, room: float, text: Callable[[float], str] = _tick_text, n: int = 5) -> Ticks:
    """Round values between two ends, at most about n; fewer where their texts would touch or be the same."""
    from matplotlib.ticker import MaxNLocator

    for most in range(n, 0, -1):
        found = MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(low, high)
        at = [float(value) for value in found if low <= value <= high]
        texts = [text(value + 0.0) for value in at]
        widest = max(map(_text_width, texts), default=0.0) + _GAP
        if len(at) < 2 or ((at[1] - at[0]) / (high - low) * room >= widest and len(set(texts)) == len(texts)):
            break
    else:
        at, texts = at[:1], texts[:1]
    return at, texts


def _day_ticks(low: float, high: float) -> Ticks:
    """Three days since 1970 as dates; of spans over years, as months."""
    at = [low + (high - low) * share for share in (0.15, 0.5, 0.85)]
    days = [str(np.datetime64(round(day), "D")) for day in at]
    return at, [day[:-3] if high - low > 700 else day for day in days]


def _axes(figure: Figure, box: Box, frame: str = "") -> Axes:
    """Axes with the spines that `frame` names."""
    (left, top, width, height), (full_width, full_height) = box, figure.get_size_inches() * 72
    bottom = 1 - (top + height) / full_height
    ax = figure.add_axes((left / full_width, bottom, width / full_width, height / full_height))
    ax.patch.set_visible(False)
    for side, spine in ax.spines.items():
        spine.set_visible(side in frame)
    return ax


def _stamp(
    ax: Axes, places: npt.ArrayLike, corners: Sequence[tuple[float, float]], codes: list[int], **style: Any
) -> None:
    """The same small shape at many places, as one path."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    at = np.asarray(places, dtype=np.float64).reshape(-1, 1, 2)
    if len(at):
        path = Path((at + np.asarray(corners)).reshape(-1, 2), codes * len(at))
        ax.add_patch(PathPatch(path, clip_on=False, **style))


@contextmanager
def _style() -> Iterator[None]:
    """Matplotlib's own settings and those of the pictures, whatever the user's are."""
    import matplotlib as mpl

    settings: Any = {name: value for name, value in mpl.rcParamsDefault.items() if name not in _NOT_SET}
    with mpl.rc_context(settings | _STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the browser has the signs that matplotlib's font lacks
        yield


def _chart(label: str, size: tuple[float, float], box: Box, draw: Callable[[Axes], None], frame: str = "") -> Markup:
    return _svg(size, label, lambda figure: draw(_axes(figure, box, frame)))


def _svg(
    size: tuple[float, float], label: str, draw: Callable[[Figure], None], cut: Sequence[tuple[str, float]] = ()
) -> Markup:
    """A picture as one SVG element; texts that were `cut` to a room are whole in tooltips."""
    from markupsafe import Markup
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    written = io.StringIO()
    with _style():
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72)
        figure.patch.set_visible(False)
        draw(figure)
        FigureCanvasSVG(figure).print_svg(written, metadata={"Date": None})  # type: ignore[no-untyped-call]
    text = _UNUSED.sub("", written.getvalue())
    text = re.sub(r">\s+<", "><", re.sub(r"<[^>]*>", _page_tag, text[text.index("<svg") :]))
    head = f'<svg viewBox="0 0 {size[0]:g} {size[1]:g}" role="img" aria-label={quoteattr(label)}>'
    text = head + text[text.index(">") + 1 :].strip()
    for whole, room in cut:
        short = _shortened(whole, room)
        if short.endswith("…"):
            text = text.replace(f">{escape(short)}</text>", f">{escape(short)}<title>{escape(whole)}</title></text>", 1)
    return Markup(text)  # noqa: S704 - matplotlib has escaped what it drew


def _page_tag(tag: re.Match[str]) -> str:
    """A tag without what a page does not need, in the page's font and colors, lengths to a tenth."""
    text = _WIDE_NUMBER.sub(lambda number: f"{float(number[0]):.1f}", _UNUSED_PARTS.sub("", tag[0]))
    return re.sub("#[0-9a-f]{6}", lambda color: _VARIABLES.get(color[0], color[0]), text)


DRAWINGS = {
    "column_svg": _column_svg,
    "associations_svg": _associations_svg,
    "plane_svg": _plane_svg,
    "distances_svg": _distances_svg,
    "curves_svg": _curves_svg,
    "losses_svg": _losses_svg,
}  # by the names of the templates
