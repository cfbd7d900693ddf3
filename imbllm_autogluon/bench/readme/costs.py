"""The blocks of ``imbllm bench stage`` and ``imbllm bench overhead``: seconds and memory of rebalancing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.page_text import markdown, tenths
from imbllm_autogluon.bench.readme.words import counted, listed, paragraph, whole

if TYPE_CHECKING:
    from imbllm_autogluon.bench.readme.result import Result

OURS, PLAIN = "ImbLLM", "plain"

TWINS = "plain + ImbLLM twins"


def stage(result: Result) -> str:
    """Seconds of one fold, of training in it, memory, speed of writing and legal rows; seconds of the peers."""
    medians = result.tidy.pivot_table("value", "arm", "metric", aggfunc="median", sort=False)
    own, peers = medians.T[OURS], medians["seconds"].drop(OURS)
    size = [f"{int(result.option(name)):,}" for name in ("rows", "columns", "minority")]
    others = listed(f"{arm} {tenths(value)} s" for arm, value in peers.items())
    text = (
        f"A fold of {size[0]} rows and {size[1]} columns with {size[2]} rare rows brought to 1:1 takes {OURS} "
        f"{tenths(own['seconds'])} s on {result.threads} ({tenths(own['training seconds'])} s of them "
        f"training), {whole(own['peak MiB'])} MiB, {whole(own['rows/s of writing'])} written rows a second, "
        f"{100 * own['valid']:.0f} % of them valid; {others}."
    )
    return f"{paragraph(text)}\n\n{result.origin('all figures')}"


def overhead(result: Result) -> str:
    """Seconds of whole fits with each kind of twins, and how many times as long that is."""
    seconds = result.tidy[result.tidy["metric"] == "seconds"].pivot_table(
        "value", "table", "arm", aggfunc="median", sort=False
    )
    cells = pd.DataFrame({arm: _times(seconds, arm) for arm in map(str, seconds)}, index=seconds.index)
    about = (
        f"Seconds of a fit in {result.option('folds')} folds on {result.threads}, and times as long as `{PLAIN}`; "
        f"{counted(result.tidy['split'].nunique(), 'fit')} of each arm, the median where there are several."
    )
    text = f"{about} {_generators(result)}"
    return f"{paragraph(text)}\n\n{markdown(result.titled(cells))}\n\n{result.origin('all figures')}"


def _times(seconds: pd.DataFrame, arm: str) -> pd.Series[str]:
    texts = seconds[arm].map(whole) + " s"
    return texts if arm == PLAIN else texts + ", " + (seconds[arm] / seconds[PLAIN]).map(tenths) + " x"


def _generators(result: Result) -> str:
    """Seconds of the language models among those of the twins."""
    generators = result.by_arm("generators", (TWINS,))[TWINS]
    return (
        f"Training and writing of ImbLLM: {listed(f'{table} {whole(value)} s' for table, value in generators.items())}."
    )
