"""The block of ``imbllm bench paper``: ImbLLM beside no treatment and the best peer, losses named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, F1
from imbllm_autogluon.bench.page_text import markdown, tenths
from imbllm_autogluon.bench.paper.arms import IMBLLM, NONE
from imbllm_autogluon.bench.paper.page import OWN, USUAL, against_each
from imbllm_autogluon.bench.readme.words import listed, marked, named, paragraph, signed_or_zero

if TYPE_CHECKING:
    from imbllm_autogluon.bench.readme.result import Result

BEST = "best peer"


def paper(result: Result) -> str:
    """F1 of each table, the means of all arms, and where ImbLLM loses."""
    f1 = result.by_arm(F1)
    rows = f" of up to {int(result.option('rows')):,} rows" if result.option("rows") else ""
    about = f"{F1} of the smallest class on untouched test rows, percent, means over {result.splits}{rows}:"
    figures = result.titled(pd.DataFrame([_line(f1.loc[table]) for table in f1.index], index=f1.index))
    mean = pd.DataFrame([{"table": f"mean over {len(f1)} tables", **_line(f1.mean())}])
    return "\n\n".join(
        [
            paragraph(about),
            markdown(pd.concat([figures, mean])),
            paragraph(f"{_means(f1)} {_gains(result)} {_losses(f1.round(1))}"),
            result.origin("every arm, balanced accuracy, ranking, log-loss"),
        ]
    )


def _line(values: pd.Series[float]) -> dict[str, str]:
    """One table: the best of three in bold; the peer is named, for it differs from table to table."""
    peers = values.drop([NONE, *OWN], errors="ignore")
    texts = marked(pd.Series({NONE: values[NONE], BEST: peers.max(), IMBLLM: values[IMBLLM]}))
    return {NONE: texts[NONE], BEST: f"{texts[BEST]} {peers.idxmax()}", IMBLLM: texts[IMBLLM]}


def _means(f1: pd.DataFrame) -> str:
    """All arms, the best first."""
    means = f1.mean().sort_values(ascending=False, kind="stable")
    return f"Means over the tables: {listed(f'{arm} {tenths(value)}' for arm, value in means.items())}."


def _gains(result: Result) -> str:
    """ImbLLM above no treatment and above the best of the usual peers in F1, and what becomes of the ranking."""
    against, means = against_each(result.tidy).set_index("arm"), result.by_arm(F1).mean()
    usual = str(means[[arm for arm in USUAL if arm in means]].idxmax())
    told = [f"{_against(against, arm, F1)} against {arm}" for arm in (NONE, usual)]
    return (
        f"{IMBLLM}'s {F1} changes by {listed(told)}, the best of {listed(USUAL)}; its {AVERAGE_PRECISION} by "
        f"{_against(against, NONE, AVERAGE_PRECISION)} against {NONE}."
    )


def _against(against: pd.DataFrame, arm: str, name: str) -> str:
    line = against.T[arm]
    p = f", p {line[f'{name}, p']}" if line[f"{name}, p"] else ""
    return f"{signed_or_zero(float(line[name]))} points (higher on {line[f'{name}, tables higher']} tables{p})"


def _losses(f1: pd.DataFrame) -> str:
    """Tables on which a peer, or doing nothing, is better, with the difference; F1 as it is printed."""
    others = {"the best peer": f1.drop(columns=[NONE, *OWN], errors="ignore").max(axis=1), "doing nothing": f1[NONE]}
    lost = {name: f1[IMBLLM] - other for name, other in others.items()}
    told = [
        f"to {name} on {len(values[values < 0])} of {len(values)} tables: {named(values[values < 0])}"
        for name, values in lost.items()
    ]
    return f"**It loses** {'; '.join(told)}."
