"""What ``imbllm bench ablation`` changes, and what is expected of each change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, F1
from imbllm_autogluon.bench.paper.classifiers import CLASSIFIERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.language.config import LanguageConfig

CLOSE, COVERAGE, GAIN = "close probability", "coverage", "F1 above none"

KEPT, CLASSIFIER = "kept_share", "classifier"

OF_THE_JUDGING = (KEPT, CLASSIFIER)
"""Axes that are no settings of ImbLLM: they change what it is given, or who learns its rows, and with that the figures
without oversampling too."""

NO_ROWS = "no oversampling"
"""In a claim of such an axis: the arm without oversampling that is judged as the value's own."""

RATIO, TEMPERATURE = "interpolation_ratio", "temperature"
"""The axes of the picture."""

PAPER, OURS, HERE = "arXiv 2510.09783", "not in the paper", "expected here"


class Claim(NamedTuple):
    """One value of an axis is expected to have a higher figure than another."""

    metric: str
    higher: str

    lower: str
    """A value, or `NO_ROWS`."""


class Axis(NamedTuple):
    """One thing that is changed, everything else being as it is by default."""

    name: str
    """Of the setting."""

    values: Mapping[str, Mapping[str, Any]]
    """Settings of each value, by what a reader calls it."""

    source: str
    """Who expects it."""

    expected: str
    """In words."""

    claims: tuple[Claim, ...] = ()
    """In figures; none where nothing is expected."""


def axes_of(language: LanguageConfig, *, slow: bool = False) -> tuple[Axis, ...]:
    """All axes.

    Parameters
    ----------
    language
        Resolved settings of the default, the steps of which are moved where there is no warm-up.
    slow
        The pretrained backbone too: hours instead of minutes.
    """
    of_the_rows = (*_of_the_paper(), _warmup(language), *_of_interpolated_rows(), _plausibility())
    return (*of_the_rows, *_of_the_model(slow=slow), _kept_share(), _classifier())


def _of_the_paper() -> tuple[Axis, ...]:
    return (
        Axis(
            "order",
            _plain("order", ("fix_y", "permute_x", "permute_xy")),
            PAPER,
            "the label first (`fix_y`), so that all features can attend to it, is better than the label last "
            "(`permute_x`) or anywhere (`permute_xy`)",
            (Claim(F1, "fix_y", "permute_x"), Claim(F1, "fix_y", "permute_xy")),
        ),
        Axis(
            "conditioning",
            {
                "y": {"conditioning": "y"},
                **{f"yx {k}": {"conditioning": "yx", "condition_pairs": k} for k in (1, 2, 3, 5)},
            },
            PAPER,
            "prompts of the label and features (`yx`, with so many of them) beat the label alone (`y`), because the "
            "rows become more diverse",
            (Claim(F1, "yx 1", "y"), Claim(COVERAGE, "yx 1", "y")),
        ),
        Axis(
            RATIO,
            _plain(RATIO, (0.0, 0.25, 0.5, 0.75, 1.0)),
            PAPER,
            "learning interpolated rows too makes the written ones more diverse and the classifier better, the more "
            "the better",
            (Claim(COVERAGE, "1", "0"), Claim(F1, "1", "0")),
        ),
        Axis(
            TEMPERATURE,
            _plain(TEMPERATURE, (0.5, 0.7, 1.0)),
            "what a temperature is; the paper uses 0.7",
            "a lower one writes rows that are more typical, a higher one rows that are more diverse",
            (Claim(CLOSE, "0.5", "1"), Claim(COVERAGE, "1", "0.5")),
        ),
    )


def _warmup(language: LanguageConfig) -> Axis:
    every_step = (language.steps or 0) + (language.warmup_steps or 0)
    return Axis(
        "warmup",
        {
            **_plain("warmup", ("fold", "none")),
            "none, all steps": {"warmup": "none", "steps": every_step},
        },
        f"{OURS}, which begins with a pretrained model",
        "a small model that starts from random weights learns little from few rows; all rows of the fold first, each "
        "with its label, help it, and not for the number of steps alone",
        (
            Claim(AVERAGE_PRECISION, "fold", "none"),
            Claim(AVERAGE_PRECISION, "fold", "none, all steps"),
            Claim(CLOSE, "fold", "none, all steps"),
        ),
    )


def _of_interpolated_rows() -> tuple[Axis, ...]:
    return (
        Axis(
            "interpolation",
            _plain("interpolation", ("linear", "adaptive")),
            f"{OURS}, which is linear",
            "no straight line across the gap between two modes of a class (`adaptive`) keeps rows closer to real ones",
            (Claim(CLOSE, "adaptive", "linear"),),
        ),
        Axis(
            "categories",
            _plain("categories", ("keep", "neighbour", "vote")),
            f"{OURS}, which interpolates numbers alone",
            "categories of the neighbour make rows more diverse",
            (Claim(COVERAGE, "neighbour", "keep"),),
        ),
        Axis(
            "interpolated_clauses",
            _plain("interpolated_clauses", ("all", "continuous")),
            f"{OURS}; its authors' code writes interpolated rows without categories (`continuous`)",
            "nothing",
        ),
    )


def _plausibility() -> Axis:
    return Axis(
        "plausibility",
        _plain("plausibility", (0.0, 0.25, 0.5, 0.75, 1.0)),
        OURS,
        "rows that look like another class mislead a classifier; refusing them raises F1 and average precision",
        (Claim(F1, "0.5", "0"), Claim(AVERAGE_PRECISION, "0.5", "0")),
    )


def _of_the_model(*, slow: bool) -> tuple[Axis, ...]:
    return (
        Axis(
            "numbers",
            _plain("numbers", ("bins", "digits")),
            f"{OURS}, which writes digits",
            "digits suit a pretrained model; a small one learns quantile bins sooner",
            (Claim(F1, "bins", "digits"),),
        ),
        Axis(
            "constrained",
            {"true": {"constrained": True}, "false": {"constrained": False}},
            f"{OURS}, which samples freely and mends cells that are not legal",
            "legal rows at any stage of training cost nothing: not worse",
            (Claim(F1, "true", "false"),),
        ),
        Axis(
            "backbone",
            _plain("backbone", ("compact", "compact_masked", *(("smollm2",) if slow else ()))),
            HERE,
            "the method does not hang on one model",
        ),
    )


def _kept_share() -> Axis:
    return Axis(
        KEPT,
        _plain(KEPT, (0.1, 0.2, 0.3, 0.4, 0.5)),
        HERE,
        "the fewer rows of the minority there are, the more the written ones help",
        (Claim(GAIN, "0.1", "0.5"),),
    )


def _classifier() -> Axis:
    return Axis(
        CLASSIFIER,
        _plain(CLASSIFIER, tuple(CLASSIFIERS)),
        HERE,
        "the rows help whatever learns them",
        tuple(Claim(metric, name, NO_ROWS) for name in CLASSIFIERS for metric in (F1, AVERAGE_PRECISION)),
    )


def _plain(key: str, values: tuple[str | float, ...]) -> dict[str, dict[str, Any]]:
    """One setting with each value, called by the value."""
    return {value if isinstance(value, str) else f"{value:g}": {key: value} for value in values}
