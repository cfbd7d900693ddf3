"""From a tidy CSV to a Markdown page; nothing is measured here.

``NAME.csv`` holds the figures, ``NAME.json`` where they come from, ``NAME.md`` is written from both.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.protocol import Claim, Metric, Protocol, Result
from imbllm_autogluon.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    Series = pd.Series[float]

Section = Callable[[pd.DataFrame, Protocol], str]
"""Part of a page from the frame, with its heading; an empty text leaves it out."""

RESULTS = Path(__file__).parent / "results"

FEWEST_TABLES = 6
"""Fewer give no p below 0.05, and no interval over the tables."""

ROUNDING = 1e-9
"""A smaller difference is none: what is equal but for the order of a sum."""


def write_result(result: Result, protocol: Protocol, name: str, folder: Path = RESULTS) -> Path:
    """Write ``NAME.csv``, ``NAME.json`` and the page, each whole or not at all; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    file_names = {own: column for own, column in protocol.columns.items() if own in result.tidy}
    rest = [column for column in result.tidy if column not in file_names and column != "versions"]
    ordered = result.tidy[[*file_names, *rest, "versions"]].rename(columns=file_names)
    _replace(folder / f"{name}.csv", ordered.to_csv(index=False))
    _replace(folder / f"{name}.json", json.dumps(result.provenance, indent=1, ensure_ascii=False) + "\n")
    return write_page(protocol, name, folder)


def read_result(protocol: Protocol, name: str, folder: Path = RESULTS) -> Result:
    """Read what :func:`write_result` wrote; every number has the bits that were measured."""
    file = folder / f"{name}.csv"
    own_names = {column: own for own, column in protocol.columns.items()}
    tidy = pd.read_csv(
        file,
        keep_default_na=False,
        na_values={"value": [""]},
        float_precision="round_trip",
        dtype={"arm": str, "table": str, "dataset": str},
    )
    provenance = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    return Result(tidy.rename(columns=own_names), provenance)


def write_page(protocol: Protocol, name: str, folder: Path = RESULTS) -> Path:
    """Write ``NAME.md`` from what is stored; returns it."""
    _replace(folder / f"{name}.md", page_of(read_result(protocol, name, folder), protocol, name))
    return folder / f"{name}.md"


def page_of(result: Result, protocol: Protocol, name: str) -> str:
    """The page: about, tables, sections, provenance."""
    told, sections = result.provenance, STANDARD if protocol.page is None else protocol.page
    parts = [f"# {name}", (protocol.about or "").strip()]
    meant = [metric for metric in _metrics(result.tidy, protocol) if metric.meaning]
    parts.append("\n".join(f"- **{metric.name}**: {metric.meaning}" for metric in meant))
    if told.get("tables"):
        lines = "\n".join(f"- **{table}**: {line}" for table, line in told["tables"].items())
        parts.append(f"## Tables\n\nOf the first split.\n\n{lines}")
    parts += [section(result.tidy, protocol) for section in sections]
    versions = "; ".join(dict.fromkeys(result.tidy["versions"]))
    parts.append(f"Command: `{told['command']}`.\n\n{told['date']}; {told['machine']}; {versions}")
    return "\n\n".join(part for part in parts if part) + "\n"


# Figures


def wide(tidy: pd.DataFrame) -> pd.DataFrame:
    """A row for each table, split and method, a column for each metric; NaN where there is no such figure."""
    return tidy.pivot_table("value", ["table", "split", "method"], "metric", sort=False)


def by_table_means(tidy: pd.DataFrame) -> pd.DataFrame:
    """Means over the splits: a row for each table and method."""
    return wide(tidy).groupby(["table", "method"], sort=False).mean()


def means(tidy: pd.DataFrame) -> pd.DataFrame:
    """Means over the tables of the means over the splits: a row for each method."""
    return by_table_means(tidy).groupby("method", sort=False).mean()


def changes(tidy: pd.DataFrame, reference: str, metrics: Sequence[Metric]) -> pd.DataFrame:
    """How much higher each figure is than that of `reference` on the same split; percent of it where relative.

    A row for each table, split and other method.

    Examples
    --------
    >>> rows = [("visits", 0, "none", "F1", 40.0), ("visits", 0, "new", "F1", 43.0)]
    >>> tidy = pd.DataFrame(rows, columns=["table", "split", "method", "metric", "value"])
    >>> changes(tidy, "none", [Metric("F1")])["F1"].tolist()
    [3.0]
    >>> changes(tidy, "none", [Metric("F1", relative=True)])["F1"].tolist()
    [7.5]
    """
    figures = wide(tidy).reindex(columns=[metric.name for metric in metrics])
    of_reference = figures[figures.index.get_level_values("method") == reference].reindex(figures.index)
    base = of_reference.groupby(["table", "split"], sort=False).transform("first")
    found = figures - base
    for metric in metrics:
        if metric.relative:
            found[metric.name] = 100.0 * found[metric.name] / base[metric.name]
    found = found.mask(found.abs() < ROUNDING, 0.0)
    return found.drop(reference, level="method", errors="ignore")


def p_value(differences: Series) -> float:
    """Of Wilcoxon's signed-rank test, two-sided, without the equal pairs; NaN where none is left."""
    from scipy.stats import wilcoxon

    told = differences[(differences != 0) & differences.notna()]
    return float(wilcoxon(told.to_numpy()).pvalue) if len(told) else float("nan")


def mean_interval(differences: Series) -> tuple[float, float] | None:
    """Bootstrap interval of the mean over the tables, 95 %; None of fewer than six tables, or where all are equal."""
    from scipy.stats import bootstrap

    if len(differences) < FEWEST_TABLES or differences.nunique() < 2:
        return None
    own = bootstrap((differences.to_numpy(),), np.mean, method="percentile", n_resamples=2_000, rng=0)
    return float(own.confidence_interval.low), float(own.confidence_interval.high)


def half_widths(changed: pd.DataFrame) -> pd.DataFrame:
    """Half the width of Student's interval of a mean difference over its splits, 95 %; NaN of a single split."""
    from scipy.stats import t

    groups = changed.groupby(["table", "method"], sort=False)
    widths: pd.DataFrame = groups.sem() * t.ppf(0.975, groups.count() - 1)
    return widths


# Sections


def claims(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """Whether each claim holds, with its mean gain and the tables that gain and lose."""
    measured = set(tidy["method"])
    lines = [_claim_line(tidy, protocol, claim) for claim in protocol.claims if claim.method in measured]
    listed = "\n".join(line for line in lines if line)
    about = "Means over the splits; a gain is a difference in the better direction, with Wilcoxon's p over the tables."
    return f"## Verdict\n\n{about}\n\n{listed}" if listed else ""


def verdict(held: bool) -> str:
    """Whether what is asked holds, as pages say it."""
    return f"**{'holds' if held else 'does NOT hold'}**"


def _claim_line(tidy: pd.DataFrame, protocol: Protocol, claim: Claim) -> str:
    """One claim; empty where its figures were not measured."""
    metric = next((one for one in _metrics(tidy, protocol) if one.name == claim.metric), None)
    figures = tidy[tidy["metric"] == claim.metric]
    if claim.part and protocol.parts is not None:
        figures = figures[figures["table"].isin(list(protocol.parts(tidy).get(claim.part, ())))]
    if metric is None or figures.empty:
        return ""
    against = _strongest(figures, claim.against, metric)
    gains = _gains(figures, claim.method, against, metric)
    if gains.empty or (claim.against and against is None):
        return ""
    lost = gains[_lost(figures, claim.method, against, metric)] if claim.interval and against else gains[:0]
    checks = _checks(claim, gains, lost)
    versus = f" against {against}" if against else ""
    part = f", {claim.part[0].lower()}{claim.part[1:]}" if claim.part else ""
    judged = f"{verdict(all(checks))}: " if checks else ""
    told = "; ".join(_told(claim, gains, lost, metric, is_gain=against is not None))
    return f"- {claim.metric} of **{claim.method}**{versus}{part}: {judged}{told}"


def _checks(claim: Claim, gains: Series, lost: Series) -> list[bool]:
    """Whether each thing that is asked holds."""
    ends = mean_interval(gains) if claim.tied else None
    asked = [
        (claim.mean is not None, gains.mean() >= (claim.mean or ROUNDING)),
        (claim.worst is not None, gains.min() >= (claim.worst or 0.0)),
        (claim.most, 2 * (gains > 0).sum() > len(gains)),
        (claim.p is not None, gains.mean() > 0 and p_value(gains) < (claim.p or 0.0)),
        (claim.interval, lost.empty),
        (claim.tied, gains.mean() >= 0 or (ends is not None and ends[1] >= 0)),
        (claim.highest is not None, gains.max() <= (claim.highest or 0.0)),
    ]
    return [bool(held) for is_asked, held in asked if is_asked]


def _told(claim: Claim, gains: Series, lost: Series, metric: Metric, *, is_gain: bool) -> list[str]:
    """What was found, next to what was asked."""
    asked = [] if claim.mean is None else [f"{'at least' if claim.mean else 'above'} {claim.mean:g}"]
    asked += ["not below 0 by more than chance"] if claim.tied else []
    told = [f"{'mean gain' if is_gain else 'mean'} {_signed(gains.mean(), metric, signed=is_gain)}"]
    told[0] += (_interval(gains, metric) if is_gain else "") + (f" (asked: {', '.join(asked)})" if asked else "")
    if claim.worst is not None:
        told.append(f"below {claim.worst:g} on {_listed(gains[gains < claim.worst], metric, signed=is_gain)}")
    if claim.highest is not None:
        told.append(f"above {claim.highest:g} on {_listed(gains[gains > claim.highest], metric, signed=is_gain)}")
    if claim.interval:
        told.append(f"lower by more than its interval on {_listed(lost, metric, signed=is_gain)}")
    if is_gain:
        asked = ["better on most"] if claim.most else []
        asked += [] if claim.p is None else [f"p below {claim.p:g}"]
        told.append(_better_worse(gains) + (f" (asked: {', '.join(asked)})" if asked else ""))
    return told


def _listed(gains: Series, metric: Metric, *, signed: bool) -> str:
    """Tables with their gains."""
    listed = ", ".join(f"{table} ({_signed(value, metric, signed=signed)})" for table, value in gains.items())
    return listed or "no table"


def _lost(figures: pd.DataFrame, method: str, against: str, metric: Metric) -> list[str]:
    """Tables on which a method is worse by more than the interval over the splits."""
    found = changes(figures[figures["metric"] == metric.name], against, [metric])
    gains = found.groupby(["table", "method"], sort=False).mean() * (-1 if metric.better == "lower" else 1)
    ends = (gains + half_widths(found))[metric.name].xs(method, level="method")
    return list(ends.index[ends < 0])


def _strongest(figures: pd.DataFrame, against: str | tuple[str, ...], metric: Metric) -> str | None:
    """The method to be surpassed among several; None where none was measured."""
    names = (against,) if isinstance(against, str) else against
    found = means(figures)[metric.name].reindex(list(names)).dropna() if len(figures) else pd.Series(dtype=float)
    return None if found.empty else str((-found if metric.better == "lower" else found).idxmax())


def _gains(figures: pd.DataFrame, method: str, against: str | None, metric: Metric) -> Series:
    """Gain of a method on each table: mean over the splits."""
    if against is None:
        own = figures[figures["method"] == method]
        return own.groupby("table", sort=False)["value"].mean()
    found = changes(figures, against, [metric])[metric.name]
    own_changes = found[found.index.get_level_values("method") == method].dropna()
    gains: Series = own_changes.groupby("table", sort=False).mean()
    return -gains if metric.better == "lower" else gains


def summary(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """A row for each method: means over the tables, the best figure in bold."""
    texts = []
    for title, part in _parts(tidy, protocol):
        found, metrics = means(part), _metrics(part, protocol)
        frame = pd.DataFrame({metric.name: _marked(found[metric.name], metric) for metric in metrics})
        texts.append(f"{title}{markdown(frame.rename_axis('method').reset_index())}")
    return "\n\n".join(["## Means over the tables", *texts])


def compared(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """For each reference: how every other method differs from it over the tables."""
    texts = []
    for reference in protocol.references:
        for title, part in _parts(tidy, protocol):
            metrics = [metric for metric in _metrics(part, protocol) if metric.compared]
            if reference in set(part["method"]) and len(set(part["method"])) > 1 and metrics:
                texts.append(f"### Less {reference}\n\n{title}{markdown(_compared_table(part, reference, metrics))}")
    about = (
        "Mean difference over the tables (in percent where so marked), in square brackets its bootstrap interval over "
        "the tables, 95 %; in round ones on how many tables the method is better and worse, and p of Wilcoxon's "
        "signed-rank test over the tables, two-sided: below 0.05 only with six tables or more."
    )
    return "\n\n".join(["## Compared over the tables", about, *texts]) if texts else ""


def _compared_table(part: pd.DataFrame, reference: str, metrics: Sequence[Metric]) -> pd.DataFrame:
    tables = changes(part, reference, metrics).groupby(["table", "method"], sort=False).mean()
    methods = list(dict.fromkeys(tables.index.get_level_values("method")))
    lines = []
    for method in methods:
        own = tables.xs(method, level="method")
        lines.append({"method": method, **{one.name: _compared_cell(own[one.name].dropna(), one) for one in metrics}})
    return pd.DataFrame(lines)


def _compared_cell(differences: Series, metric: Metric) -> str:
    if differences.empty:
        return ""
    gains = -differences if metric.better == "lower" else differences
    return f"{_signed(differences.mean(), metric)}{_interval(differences, metric)} ({_better_worse(gains)})"


def _interval(differences: Series, metric: Metric) -> str:
    """Of a mean over the tables, as pages write it; empty where there is none."""
    ends = mean_interval(differences)
    return "" if ends is None else f" [{_signed(ends[0], metric)} to {_signed(ends[1], metric)}]"


def _better_worse(gains: Series) -> str:
    p = p_value(gains) if (gains != 0).sum() > 1 else float("nan")
    told = "" if np.isnan(p) else ", p < 0.001" if p < 0.001 else f", p {p:.3f}"
    return f"{(gains > 0).sum()} better, {(gains < 0).sum()} worse{told}"


def differences(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """For each reference and table: how all others differ by the first compared metric of the table, losses in bold."""
    metrics = {metric.name: metric for metric in _metrics(tidy, protocol) if metric.compared}
    measured = tidy.groupby("table", sort=False)["metric"].agg(set)
    first = measured.map(lambda own: next(name for name in metrics if name in own))
    texts = []
    for reference, name in product(protocol.references, dict.fromkeys(first)):
        part = tidy[tidy["table"].isin(first.index[first == name])]
        if reference in set(part["method"]) and len(set(part["method"])) > 1:
            found = markdown(_differences_table(part, reference, metrics[name]))
            texts.append(f"### Less {reference}, {name}\n\n{found}")
    about = (
        "± is half of Student's interval of the difference over the splits, 95 %; in bold: a loss by more than that, "
        "which chance alone makes of one difference in forty."
    )
    return "\n\n".join(["## Differences, table by table", about, *texts]) if texts else ""


def _differences_table(part: pd.DataFrame, reference: str, metric: Metric) -> pd.DataFrame:
    """A row for each table, a column for each other method."""
    found = changes(part, reference, [metric])
    gains = found.groupby(["table", "method"], sort=False).mean()[metric.name]
    half, sign = half_widths(found)[metric.name], -1 if metric.better == "lower" else 1
    texts = gains.map(lambda gain: _signed(gain, metric)) + half.map(
        lambda value: "" if np.isnan(value) else f" ± {value:.{_change_decimals(metric)}f}"
    )
    marked = texts.mask(sign * gains + half < 0, "**" + texts + "**").reset_index(name="text")
    cells: pd.DataFrame = marked.pivot_table("text", "table", "method", "first", fill_value="", sort=False)
    return cells.reset_index()


def by_table(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """A row for each table and method, the best figure of a table in bold."""
    found, metrics = by_table_means(tidy), _metrics(tidy, protocol)
    columns = {
        metric.name: found[metric.name].groupby("table", sort=False, group_keys=False).apply(_marked, metric=metric)
        for metric in metrics
    }
    return f"## Table by table\n\n{markdown(pd.DataFrame(columns, index=found.index).reset_index())}"


def medians(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """A row for each table and method: median and range over the splits."""
    groups, metrics = wide(tidy).groupby(["table", "method"], sort=False), _metrics(tidy, protocol)
    columns = {metric.name: groups[metric.name].agg(_median_and_range, metric=metric) for metric in metrics}
    title = "## Table by table\n\nMedian (minimum to maximum) over the splits."
    return f"{title}\n\n{markdown(pd.DataFrame(columns).reset_index())}"


def changes_by_table(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """Differences from the first reference with their standard errors over the splits."""
    reference = next((one for one in protocol.references if one in set(tidy["method"])), None)
    metrics = [metric for metric in _metrics(tidy, protocol) if metric.compared]
    if reference is None or len(set(tidy["method"])) < 2:
        return ""
    groups = changes(tidy, reference, metrics).groupby(["table", "method"], sort=False)
    columns = {metric.name: groups[metric.name].agg(spread, metric=metric) for metric in metrics}
    frame = pd.DataFrame(columns).reset_index()
    return f"## Less {reference}, table by table\n\n± is the standard error over the splits.\n\n{markdown(frame)}"


STANDARD: tuple[Section, ...] = (claims, summary, compared, changes_by_table, by_table)
"""Sections of a page unless a protocol has others."""


def _parts(tidy: pd.DataFrame, protocol: Protocol) -> list[tuple[str, pd.DataFrame]]:
    """Title and rows of each part of the tables."""
    if protocol.parts is None:
        return [("", tidy)]
    parts = [(title, tidy[tidy["table"].isin(list(names))]) for title, names in protocol.parts(tidy).items()]
    return [(f"**{title}**\n\n", part) for title, part in parts if len(part)]


def _metrics(tidy: pd.DataFrame, protocol: Protocol) -> list[Metric]:
    """Those of the protocol that were measured."""
    measured = set(tidy["metric"])
    return [metric for metric in protocol.metrics if metric.name in measured]


# Texts


def markdown(frame: pd.DataFrame) -> str:
    """A table of texts, as they are; `MissingDependencyError` where the package `tabulate` is absent."""
    try:
        text: str = frame.to_markdown(index=False, disable_numparse=True)
    except ImportError as absent:
        raise MissingDependencyError(
            "benchmarks need the package tabulate: pip install 'imbllm-autogluon[bench]'."
        ) from absent
    return text


def number(value: float, metric: Metric) -> str:
    """A figure with the decimals of its metric; empty where there is none."""
    if np.isnan(value):
        return ""
    if metric.decimals is None:
        return np.format_float_positional(float(f"{value:.4g}"), trim="-")
    return f"{value:.{metric.decimals}f}"


def _median_and_range(values: Series, metric: Metric) -> str:
    found = values.dropna()
    median, *ends = (number(value, metric) for value in (found.median(), found.min(), found.max()))
    return median if len(found) < 2 else f"{median} ({' to '.join(ends)})"


def spread(values: Series, metric: Metric) -> str:
    """Mean difference, with its standard error where there are several.

    Examples
    --------
    >>> spread(pd.Series([2.0, 4.0]), Metric("F1")), spread(pd.Series([-2.0]), Metric("MAE", relative=True))
    ('+3.0 ± 1.0', '-2.0 %')
    """
    found = values.dropna()
    if found.empty:
        return ""
    decimals = _change_decimals(metric)
    error = f" ± {found.std() / np.sqrt(len(found)):.{decimals}f}" if len(found) > 1 else ""
    return f"{found.mean():+.{decimals}f}{error}{' %' if metric.relative else ''}"


def _signed(value: float, metric: Metric, *, signed: bool = True) -> str:
    sign = "+" if signed else ""
    return f"{value:{sign}.{_change_decimals(metric)}f}{' %' if metric.relative and signed else ''}"


def _change_decimals(metric: Metric) -> int:
    return 1 if metric.relative or metric.decimals is None else metric.decimals


def _marked(values: Series, metric: Metric) -> pd.Series[str]:
    """Figures as texts; all that equal the best one as printed are in bold."""
    texts = values.map(lambda value: number(value, metric))
    if not metric.better or values.isna().all() or len(values) < 2:
        return texts
    best = texts.iloc[int(np.nanargmin(values) if metric.better == "lower" else np.nanargmax(values))]
    return texts.map(lambda text: f"**{text}**" if text == best else text)


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}-{os.getpid()}.draft")  # processes that share the work end at the same time
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
