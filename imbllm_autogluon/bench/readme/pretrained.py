"""The blocks of ``imbllm bench speed`` and ``imbllm bench clauses``: a pretrained backbone and its sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.page_text import hundredths, markdown, tenths
from imbllm_autogluon.bench.readme.words import counted, listed, paragraph, whole
from imbllm_autogluon.bench.speed.page import OURS, PEER, ratios

if TYPE_CHECKING:
    from imbllm_autogluon.bench.readme.result import Result

SHOWN = {"rows/s": "rows attempted per second", "s/epoch": "seconds per epoch", "peak memory": "peak memory"}

NATS, DISTANCE, TOKENS = "held-out nats", "marginal distance", "tokens/row"


def speed(result: Result) -> str:
    """Ratios to be_great of all our arms, and how many rows of each are legal."""
    frame = ratios(result.tidy)
    shown = frame[["table", "arm"]].join(frame[list(SHOWN)].rename(columns=SHOWN) + " x")
    valid = result.tidy[result.tidy["metric"] == "valid"].groupby(["table", "arm"])["value"].mean()
    shown["legal rows"] = [_legal(valid[table, arm]) for table, arm in zip(frame["table"], frame["arm"], strict=True)]
    runs, epochs = counted(result.tidy["repetition"].nunique(), "run"), counted(int(result.option("epochs")), "epoch")
    about = f"Ratios to {PEER}, above 1 where {OURS} is better; {epochs}, {runs} of each arm:"
    return "\n\n".join(
        [
            paragraph(about),
            markdown(shown.assign(table=shown["table"].map(result.title))),
            paragraph(_of_peer(result)),
            result.origin("all figures and where the time goes"),
        ]
    )


def _legal(share: float) -> str:
    return f"{100 * share:.0f} %"


def _of_peer(result: Result) -> str:
    """Legal rows among those that be_great attempted."""
    attempted, valid = (result.by_arm(name, (PEER,))[PEER] for name in ("rows", "valid"))
    told = [f"{100 * valid[table]:.0f} % of {whole(attempted[table])} on {table}" for table in attempted.index]
    return f"Legal rows of {PEER}, by its defaults and with so few rows and epochs: {listed(told)}."


def clauses(result: Result) -> str:
    """What training does to both kinds of sentences."""
    first, last = result.tidy["steps"].min(), result.tidy["steps"].max()
    figures = result.tidy.groupby(["table", "arm", "steps", "metric"], sort=False)["value"].mean()
    pairs = result.tidy[["table", "arm"]].drop_duplicates().itertuples(index=False)
    lines = [{"table": table, "arm": arm, **_line(figures[table][arm], first, last)} for table, arm in pairs]
    about = f"Before and after {last} LoRA steps, {result.splits} (lower is better; nats of bins are of another kind):"
    return "\n\n".join(
        [paragraph(about), markdown(pd.DataFrame(lines)), result.origin("coverage and what a classifier learns")]
    )


def _line(figures: pd.Series[float], first: int, last: int) -> dict[str, str]:
    """Figures of one table and arm, indexed by steps and metric."""
    return {
        TOKENS: whole(figures[last, TOKENS]),
        NATS: f"{tenths(figures[first, NATS])} → {tenths(figures[last, NATS])}",
        DISTANCE: f"{hundredths(figures[first, DISTANCE])} → {hundredths(figures[last, DISTANCE])}",
    }
