"""The block of ``imbllm bench synthesis``: whole tables written by Pred-LLM and GReaT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.page_text import markdown, tenths
from imbllm_autogluon.bench.readme.words import marked, named, paragraph, signed_or_zero

if TYPE_CHECKING:
    from imbllm_autogluon.bench.readme.result import Result

REAL, PRED_LLM, GREAT = "real rows", "Pred-LLM", "GReaT"

SCORES = ("accuracy", "macro F1")


def synthesis(result: Result) -> str:
    """Both scores of trees that learn written rows beside real rows and the label query, and where Pred-LLM loses."""
    scores = {name: result.by_arm(name, (REAL, PRED_LLM, GREAT)) for name in SCORES}
    texts = [_texts(frame) for frame in scores.values()]
    shown = texts[0] + " / " + texts[1]
    shown["label query of Pred-LLM"] = _query(result)
    about = f"{SCORES[0].capitalize()} / {SCORES[1]} on unseen real rows, percent, means over {result.splits}; rows by:"
    return "\n\n".join(
        [
            paragraph(about),
            markdown(result.titled(shown)),
            paragraph(f"{_against_great(scores)} {_against_real(scores)}"),
            result.origin("coverage, discriminator and copies included"),
        ]
    )


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Figures as text, the better generator in bold."""
    written = frame[[PRED_LLM, GREAT]].apply(marked, axis="columns")
    return pd.concat([frame[REAL].map(tenths), written], axis="columns")


def _query(result: Result) -> pd.Series[str]:
    accuracy, f1 = (result.by_arm(f"query {name}", (PRED_LLM,))[PRED_LLM].map(tenths) for name in SCORES)
    return accuracy + " / " + f1


def _against_great(scores: dict[str, pd.DataFrame]) -> str:
    """On how many tables Pred-LLM beats GReaT, and where it does not."""
    told = []
    for name, frame in scores.items():
        ahead = frame[PRED_LLM] - frame[GREAT]
        told.append(f"{name}: on {(ahead > 0).sum()} of {len(ahead)} tables, behind on {named(ahead[ahead < 0])}")
    return f"{PRED_LLM} ahead of {GREAT}, {'; '.join(told)}."


def _against_real(scores: dict[str, pd.DataFrame]) -> str:
    """What written rows cost beside real ones."""
    told = [
        f"{signed_or_zero((frame[PRED_LLM] - frame[REAL]).mean())} points of {name}" for name, frame in scores.items()
    ]
    return f"Learning from rows of {PRED_LLM} instead of real ones changes the mean by {' and '.join(told)}."
