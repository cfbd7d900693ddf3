"""The block of ``imbllm bench quality``: coverage, closeness and copies of written rows beside the usual peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.page_text import hundredths, markdown
from imbllm_autogluon.bench.quality.arms import GREAT, IMBLLM, OTHERS, PRED_LLM, RANDOM, SMOTE
from imbllm_autogluon.bench.quality.page import good_share
from imbllm_autogluon.bench.readme.words import hundredths_changed, listed, named, paragraph, whole

if TYPE_CHECKING:
    from imbllm_autogluon.bench.readme.result import Result

WRITTEN = (IMBLLM, GREAT, PRED_LLM, SMOTE, RANDOM)

COVERAGE, CLOSE, COPIES, GAIN = "coverage", "close probability", "near copies", "precision gain at recall"


def quality(result: Result) -> str:
    """Three measures of each table and arm, the share of good verdicts, and whether the rows help a classifier."""
    figures = {name: result.by_arm(name, WRITTEN) for name in (COVERAGE, CLOSE, COPIES)}
    texts = [figures[COVERAGE].map(hundredths), figures[CLOSE].map(hundredths), figures[COPIES].map(_percent)]
    cells = texts[0] + " / " + texts[1] + " / " + texts[2]
    about = f"Means over {result.splits} with a third of the rows held out: {COVERAGE} / {CLOSE} / {COPIES}, percent."
    return "\n\n".join(
        [
            paragraph(about),
            markdown(result.titled(cells)),
            paragraph(f"{_verdicts(result)} {_gains(result)}"),
            result.origin("every measure and two controls"),
        ]
    )


def _percent(share: float) -> str:
    return whole(100 * share)


def _verdicts(result: Result) -> str:
    """How many of all verdicts are good."""
    shares = {arm: good_share(result.tidy[result.tidy["arm"] == arm]) for arm in (*WRITTEN, OTHERS)}
    told = [f"{100 * share:.0f} % for {arm}" for arm, share in shares.items() if not pd.isna(share)]
    return f"Verdicts that are good, of all measures: {listed(told)}."


def _gains(result: Result) -> str:
    """Change of the precision at fixed recall when a classifier learns ImbLLM's rows too."""
    gains = result.by_arm(GAIN, (IMBLLM,))[IMBLLM]
    return (
        f"Whether the rows help a classifier is another question: precision at fixed recall changes by "
        f"{named(gains.sort_values(ascending=False), hundredths_changed)}."
    )
