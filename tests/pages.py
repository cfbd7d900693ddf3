"""Markdown pages as tests read them: their code, their links, and small budgets under which the code runs."""

from __future__ import annotations

import functools
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}[^\n]+\n)+", re.MULTILINE)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
INLINE_CODE = re.compile(r"`[^`\n]+`")

ROWS, RARE_ROWS = 240, 20
"""Of the packaged table that are learned by code of a page."""


def python_blocks(page: str) -> list[str]:
    """Code of the blocks that a reader can run, in their order."""
    return [block["body"] for block in FENCE.finditer(page) if block["info"].strip() == "python"]


def shell_lines(page: str) -> list[str]:
    """Commands of the indented blocks of a page, without comments; lines that end in a backslash are joined."""
    blocks = INDENTED.findall(FENCE.sub("", page))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [bare for line in lines if (bare := re.sub(r"(^|\s)# .*", "", line).strip())]


def links(page: str) -> list[str]:
    """Targets of the links of a page, outside of its code."""
    return [link["target"] for link in LINK.finditer(FENCE.sub("", page))]


def prose(page: str) -> list[str]:
    """Paragraphs and items of lists of a page: no code, no tables, no headings."""
    bare = INDENTED.sub("\n", FENCE.sub("", page))
    kept = [line for line in bare.splitlines() if not line.startswith(("|", "#"))]
    return [" ".join(each.split()) for each in re.split(r"\n\s*\n|\n(?=\s*[-*] )", "\n".join(kept)) if each.strip()]


@contextmanager
def small_budgets(folder: Path) -> Iterator[None]:
    """Few rows of the packaged table, few training steps, and one small family where a page names none.

    What a page says then runs in seconds. Only data and defaults change, never the text of a block.
    """
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon import datasets
    from imbllm_autogluon.classification import config as classification
    from imbllm_autogluon.language.config import _SEEN_DEFAULTS, OWN_DEFAULTS
    from imbllm_autogluon.oversampling import generator

    X, y = datasets.load_hypothyroid()
    rare = y == "hypothyroid"
    kept = [*y.index[rare][:RARE_ROWS], *y.index[~rare][: ROWS - RARE_ROWS]]
    small: dict[str, Any] = {"num_bag_folds": 2, "num_bag_sets": 1, "num_cpus": 1, "verbosity": 0}
    one_family: dict[str, Any] = {"hyperparameters": {"GBM": {"num_boost_round": 5}}}
    fit = TabularPredictor.fit

    @functools.wraps(fit)
    def small_fit(predictor: Any, train: Any, **arguments: Any) -> Any:
        return fit(predictor, train, **{**one_family, **arguments, **small})

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(datasets, "load_hypothyroid", lambda: (X.loc[kept].copy(), y.loc[kept].copy()))
        patch.setattr(TabularPredictor, "fit", small_fit)
        patch.setattr(classification, "LABEL_STEPS", 2)
        patch.setattr(generator, "_WHOLE_TABLE_STEPS", 2)
        for name in ("pretrain_steps", "steps"):
            patch.setitem(OWN_DEFAULTS["compact"], name, 2)
        patch.setitem(_SEEN_DEFAULTS, "pretrain_steps", 2)
        yield
