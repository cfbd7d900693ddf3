"""The page of ``imbllm bench speed``: ratios, absolute figures, and where the time goes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.speed.great_worker import MARGIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.bench.speed.run import SpeedPlan

OURS, PEER, PEER_LORA = "ImbLLM", "be_great", "be_great, LoRA"
"""Our defaults and be_great's, between which the headline stands, and be_great's cheaper way of tuning."""

GENERATION_BATCH = 100
"""Rows decoded at once in both arms: be_great's default."""

NO_VALID_ROW = "no valid row"

COLUMNS = {
    "rows/s": "rows/s",
    "valid rows/s": "valid rows/s",
    "valid": "valid",
    "seconds per epoch": "s/epoch",
    "loading seconds": "s loading",
    "forward passes": "forward passes",
    "tokens per row": "tokens/row",
    "peak MiB": "peak MiB",
    "peak GPU MiB": "peak GPU MiB",
}
"""Metrics of the absolute table and their headings."""


def ratios(tidy: pd.DataFrame) -> pd.DataFrame:
    """How many times better each of our arms is than be_great, on each table: median and spread over repetitions.

    Parameters
    ----------
    tidy
        One figure in each row: columns table, arm, repetition, metric and value.

    Returns
    -------
    DataFrame
        One row for each table and arm of ours. Every ratio is above 1 where ours is better; a spread is
        "minimum to maximum".
    """
    figures = tidy.set_index(["table", "arm", "metric", "repetition"])["value"].sort_index()
    arms = [arm for arm in dict.fromkeys(tidy["arm"]) if not arm.startswith(PEER)]
    return pd.DataFrame(
        [
            {"table": table, "arm": arm, **_ratios_of(figures[table], arm)}
            for table in dict.fromkeys(tidy["table"])
            for arm in arms
        ]
    )


def absolute(tidy: pd.DataFrame) -> pd.DataFrame:
    """Median and spread of every figure, one row for each table and arm."""
    spread = {key: _spread(group["value"]) for key, group in tidy.groupby(["table", "arm", "metric"])}
    shown = {metric: heading for metric, heading in COLUMNS.items() if metric in set(tidy["metric"])}
    pairs = list(dict.fromkeys(zip(tidy["table"], tidy["arm"], strict=True)))
    return pd.DataFrame(
        [
            {"table": table, "arm": arm, **{h: spread.get((table, arm, m), "") for m, h in shown.items()}}
            for table, arm in pairs
        ]
    )


def text(
    tidy: pd.DataFrame,
    *,
    sizes: Mapping[str, tuple[int, int]],
    plan: SpeedPlan,
    command: str,
    between: tuple[str, str],
    libraries: tuple[str, str],
) -> str:
    """Everything that stands before the absolute figures.

    Parameters
    ----------
    tidy
        One figure in each row.
    sizes
        Learned rows and features of each table.
    plan
        What was measured.
    command
        The command that measured it.
    between
        UTC times of the first and the last measurement.
    libraries
        Versions in our process and in be_great's.
    """
    where = "\n".join(f"- `{name}`: {where_the_time_goes(tidy, name)}" for name in sizes)
    parts = [
        _introduction(plan, sizes, between, libraries, tidy["repetition"].nunique()),
        "Ratios, above 1 where ImbLLM is better:",
        ratios(tidy).to_markdown(index=False, disable_numparse=True),
        _notes(plan),
        f"Where the time of writing goes:\n\n{where}",
        f"Command: `{command}`.",
        "Absolute figures:",
    ]
    return "\n\n".join(parts)


def _introduction(
    plan: SpeedPlan,
    sizes: Mapping[str, tuple[int, int]],
    between: tuple[str, str],
    libraries: tuple[str, str],
    repeats: int,
) -> str:
    """What was measured, on what, when."""
    tables = "; ".join(f"`{name}` ({rows} rows, {columns} features)" for name, (rows, columns) in sizes.items())
    same = "the same libraries" if libraries[0] == libraries[1] else f"other libraries in be_great's ({libraries[1]})"
    return (
        f"ImbLLM and be_great fine-tune the same model files for {plan.epochs} epoch(s) on the rows of a rare class "
        f"and write {plan.generate} more: {tables}. Each arm ran in a process of its own, arms in turn (but for "
        "what an earlier run with the same settings had measured already), on "
        f"{plan.device} with {plan.threads} torch thread(s) and {same}; median (minimum to maximum) of "
        f"{repeats} run(s), measured {between[0]} to {between[1]}."
    )


def where_the_time_goes(tidy: pd.DataFrame, table: str) -> str:
    """Forward passes, tokens and shares of the seconds of both headline arms, and the factors of their ratio."""
    ours, peer = _medians(tidy, table, OURS), _medians(tidy, table, PEER)
    tokens = peer["tokens per row"] / ours["tokens per row"]
    costs = _token_milliseconds(peer) / _token_milliseconds(ours)
    return (
        f"{OURS} feeds {_shares(ours)}; {PEER} {_shares(peer)}. So the rows/s ratio of "
        f"{_number(ours['rows/s'] / peer['rows/s'])} is {_number(tokens)} (fewer tokens) x {_number(costs)} (cheaper "
        f"tokens)."
    )


def _shares(figures: Mapping[str, float]) -> str:
    """Tokens, passes and shares of one arm."""
    forward, output, other = (
        figures[f"{part} seconds"] / figures["sampling seconds"] for part in ("forward", "output layer", "other")
    )
    return (
        f"{_number(figures['tokens per row'])} tokens a row in {figures['forward passes']:,.0f} forward passes, "
        f"{_number(_token_milliseconds(figures))} ms a token ({forward:.0%} forward passes, {output:.0%} output layer, "
        f"{other:.0%} drawing and bookkeeping)"
    )


def _token_milliseconds(figures: Mapping[str, float]) -> float:
    return 1000 * figures["sampling seconds"] / (figures["tokens per row"] * figures["rows"])


def _notes(plan: SpeedPlan) -> str:
    """What the columns mean, and what was done in be_great's favour."""
    precision = " On a GPU ImbLLM trains in bfloat16 too."
    return (
        "`rows/s` compares with the rows that be_great attempted, legal or not; `valid rows/s` with its legal ones. A "
        "row is legal if every cell is within the range and on the decimals of its column, or one of its levels. "
        "be_great samples by its defaults with the label as start; its `max_length` is its longest training sentence "
        f"and {MARGIN} tokens, and it begins no further batch of {GENERATION_BATCH} rows after {plan.budget:g} s. Its "
        "seconds of training are those of its trainer alone; ours are all of fitting but loading, scaled to as many "
        f"sentences as there are rows. {OURS} stands for the defaults (a token for each column clause and category, "
        "LoRA, rows written in bfloat16 where the processor has it; be_great computes in float32) with no row held out "
        "and the label alone as prompt, so that both learn every row and write every feature; memory is the peak of "
        "the process."
        f"{precision if plan.device.startswith('cuda') else ''}"
    )


def _ratios_of(figures: pd.Series, arm: str) -> dict[str, str]:
    """One row of ratios; `figures` are those of one table."""
    valid = figures[PEER, "valid rows/s"]
    return {
        "rows/s": _spread(figures[arm, "rows/s"] / figures[PEER, "rows/s"]),
        "valid rows/s": _spread(figures[arm, "valid rows/s"] / valid) if (valid > 0).all() else _too_few(figures),
        "s/epoch": _spread(figures[PEER, "seconds per epoch"] / figures[arm, "seconds per epoch"]),
        "s/epoch, be_great with LoRA": _spread(
            figures[PEER_LORA, "seconds per epoch"] / figures[arm, "seconds per epoch"]
        ),
        "peak memory": _spread(_memory(figures, PEER) / _memory(figures, arm)),
    }


def _too_few(figures: pd.Series) -> str:
    """Why there is no ratio of valid rows."""
    empty = figures[PEER, "valid rows/s"] == 0
    seconds = figures[PEER, "sampling seconds"][empty].sum()
    return f"{NO_VALID_ROW} in {seconds:,.0f} s ({empty.sum()} of {len(empty)} runs)"


def _memory(figures: pd.Series, arm: str) -> pd.Series:
    """Peak MiB of the device that computes."""
    on_gpu = "peak GPU MiB" in figures[arm].index.get_level_values("metric")
    memory: pd.Series = figures[arm, "peak GPU MiB" if on_gpu else "peak MiB"]
    return memory


def _medians(tidy: pd.DataFrame, table: str, arm: str) -> dict[str, float]:
    chosen = tidy[(tidy["table"] == table) & (tidy["arm"] == arm)]
    return {str(metric): float(value) for metric, value in chosen.groupby("metric")["value"].median().items()}


def _spread(values: pd.Series) -> str:
    """Median (minimum to maximum), or the only value."""
    if len(values) == 1:
        return _number(values.iloc[0])
    return f"{_number(values.median())} ({_number(values.min())} to {_number(values.max())})"


def _number(value: float) -> str:
    """Three digits, without an exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"
