"""The block of ``imbllm bench ablation``: each setting's values, and what was expected beside what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.ablation.arms import DEFAULT, NONE, AxisArms, ablation_of
from imbllm_autogluon.bench.ablation.axes import NO_ROWS
from imbllm_autogluon.bench.ablation.page import (
    ALL,
    AS_EXPECTED,
    CHANCE,
    NOT_AS_EXPECTED,
    TOO_FEW,
    axis_table,
    finding,
    mean_figures,
)
from imbllm_autogluon.bench.changes import wide_figures
from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, F1
from imbllm_autogluon.bench.page_text import markdown, tenths
from imbllm_autogluon.bench.readme.words import listed, paragraph

if TYPE_CHECKING:
    from imbllm_autogluon.bench.readme.result import Result

VERDICTS = (AS_EXPECTED, NOT_AS_EXPECTED, CHANCE, TOO_FEW)


def ablation(result: Result) -> str:
    """One line for each setting, the default's figures first, and a count of the expectations that hold."""
    wide, means = wide_figures(result.tidy, ALL), mean_figures(result.tidy)
    axes = _measured_axes(result)
    found = {part.axis.name: _findings(wide, part) for part in axes}
    lines = [
        {
            "setting": f"`{part.axis.name}`",
            f"values: {F1} / {AVERAGE_PRECISION}": _values(wide, part),
            "expected, and found": "<br>".join(found[part.axis.name]),
        }
        for part in axes
    ]
    return "\n\n".join(
        [
            paragraph(f"{_about(result, means)} {_count([text for texts in found.values() for text in texts])}"),
            markdown(pd.DataFrame(lines)),
            result.origin("all figures, and who expects what"),
        ]
    )


def _about(result: Result, means: pd.DataFrame) -> str:
    """What is shown, with the figures of the default and of no oversampling."""
    told = [
        f"{what} {tenths(means[F1][arm])} / {tenths(means[AVERAGE_PRECISION][arm])}"
        for what, arm in (("defaults", DEFAULT), ("no oversampling", NONE))
    ]
    tables = result.tidy["table"].nunique()
    return (
        f"{F1} of the smallest class and {AVERAGE_PRECISION}, percent, one setting changed at a time, the default in "
        f"bold; means over {tables} {'table' if tables == 1 else 'tables'} with {result.splits} each: {listed(told)}."
    )


def _measured_axes(result: Result) -> list[AxisArms]:
    """Axes with the values that were measured; an axis of the default alone says nothing."""
    from imbllm_autogluon.cli_settings import parse_settings

    arms = set(result.tidy["arm"])
    known = ablation_of(settings=parse_settings(result.settings()), slow=True).axes
    kept = [AxisArms(part.axis, {value: arm for value, arm in part.arms.items() if arm in arms}) for part in known]
    return [part for part in kept if set(part.arms.values()) - {DEFAULT}]


def _values(wide: pd.DataFrame, part: AxisArms) -> str:
    """Figures of each value; the default's name is bold."""
    texts = []
    for (value, arm), line in zip(part.arms.items(), axis_table(wide, part).to_dict("records"), strict=True):
        name = f"**{value}**" if arm == DEFAULT else value
        texts.append(f"{name} {line[F1]} / {line[AVERAGE_PRECISION]}")
    return "<br>".join(texts)


def _findings(wide: pd.DataFrame, part: AxisArms) -> list[str]:
    claims = [claim for claim in part.axis.claims if {claim.higher, claim.lower} <= {*part.arms, NO_ROWS}]
    return [finding(wide, part, claim).removeprefix("- ") for claim in claims]


def _count(findings: list[str]) -> str:
    """How many expectations there are, and how many have each verdict."""
    numbers = {told: sum(text.endswith(f"**{told}**") for text in findings) for told in VERDICTS}
    return f"Of {len(findings)} expectations: {listed(f'{n} {told}' for told, n in numbers.items() if n)}."
