"""README.md is true: its code runs, its commands and links exist, its figures are those of the results."""

from __future__ import annotations

import ast
import builtins
import functools
import re
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.main import get_command

from imbllm_autogluon import cli
from imbllm_autogluon.rebalancing.config import RebalanceConfig
from imbllm_autogluon.rebalancing.plan import dose_of
from tests.pages import INLINE_CODE, LINK, RARE_ROWS, ROWS, links, prose, python_blocks, shell_lines, small_budgets

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks/results"

MOST_LINES, MOST_BYTES, MOST_TABLE_LINES = 200, 14 * 1024, 9

TWO, SEVERAL = "two classes", "several"

COLUMNS = (("average precision", TWO), ("log-loss", TWO), ("balanced accuracy", SEVERAL), ("macro F1", SEVERAL))
"""Of the table of README.md: metric, and which tables."""

LEAST_CHANGE = 1e-9
"""Points: what is smaller is the order of a sum."""


@functools.cache
def changes_against(other: str) -> pd.DataFrame:
    """Change by table and arm against another arm, means over the splits: points, of the log-loss percent."""
    tidy = pd.read_csv(RESULTS / "autogluon.csv")
    wide = tidy.pivot_table("value", ["table", "split", "arm"], "metric")
    compared = wide.xs(other, level="arm").reindex(wide.droplevel("arm").index).set_axis(wide.index)
    changes = wide - compared
    changes["log-loss"] = 100 * (wide["log-loss"] / compared["log-loss"] - 1)
    return changes.mask(changes.abs() < LEAST_CHANGE, 0.0).groupby(["table", "arm"]).mean()


def of_arm(changes: pd.DataFrame, arm: str, metric: str, tables: str) -> pd.Series[float]:
    """Changes of a metric on tables of two or of several classes."""
    own = changes.xs(arm, level="arm")
    return own.loc[own["macro F1"].isna() == (tables == TWO), metric]


def signed(value: float) -> str:
    """A change with one decimal; no sign where it rounds to zero."""
    return "0.0" if abs(value) < 0.05 else f"{value:+.1f}"


def as_cell(values: pd.Series[float], metric: str) -> str:
    gains = -values if metric == "log-loss" else values
    return f"{signed(values.mean())} ({(gains > 0).sum()} better, {(gains < 0).sum()} worse)"


def table_cells() -> dict[str, list[str]]:
    """The table of figures by arm."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if re.match(r"\| `[^`]+` \| [-+\d]", line)]
    return {first.strip("`"): cells for first, *cells in lines}


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) <= MOST_LINES
    assert len(PAGE.encode()) <= MOST_BYTES
    assert len(table_cells()) <= MOST_TABLE_LINES


@pytest.mark.parametrize("arm", table_cells())
def test_a_line_of_the_table_is_what_the_results_say(arm: str) -> None:
    changes = changes_against("plain")
    assert table_cells()[arm] == [as_cell(of_arm(changes, arm, name, tables), name) for name, tables in COLUMNS]


def test_the_table_shows_every_arm_so_that_controls_and_losses_stay() -> None:
    assert list(table_cells()) == [
        arm for arm in pd.read_csv(RESULTS / "autogluon.csv")["arm"].unique() if arm != "plain"
    ]


@functools.cache
def figures_of_sentences() -> dict[str, list[str]]:
    """Sentences of README.md with a gap for each figure, and the figures."""
    changes = changes_against("plain")

    ours, twins = "plain, our ensemble", "plain + default twins"
    precision = of_arm(changes, twins, "average precision", TWO)
    counts = [str(len(of_arm(changes, ours, "log-loss", tables))) for tables in (TWO, SEVERAL)]
    return {
        "means over {} tables with two classes and {} with several": counts,
        "change average precision by {} points, from {} on {} to {} on {}; our ensemble alone by {}": [
            signed(precision.mean()),
            *worst_and_best(precision),
            signed(of_arm(changes, ours, "average precision", TWO).mean()),
        ],
        "SMOTE-NC in all families by {}, duplicates by {}": [
            signed(of_arm(changes, arm, "average precision", TWO).mean())
            for arm in ("plain + SMOTE-NC twins", "plain + duplicates")
        ],
        "balanced accuracy by {} points and macro F1 by {}; our ensemble alone by {} and {}": [
            signed(of_arm(changes, arm, metric, SEVERAL).mean())
            for arm in (twins, ours)
            for metric in ("balanced accuracy", "macro F1")
        ],
        "takes {} to {} times the CPU seconds of the plain fit": times_as_long(),
        "within its interval on {} of {} tables": precisions_kept(),
        "has a macro F1 of {}; fine-tuning it gives {}, TF-IDF {}": of_texts("recommended", "plain", "TF-IDF"),
        "errors on rare targets are [{} % lower than": [of_rare_targets()],
        "it lifts their ensemble from {} to {}": of_texts("AutoGluon", "AutoGluon with the probe"),
    }


def worst_and_best(values: pd.Series[float]) -> list[str]:
    """Lowest and highest change and their tables."""
    return [signed(values.min()), str(values.idxmin()), signed(values.max()), str(values.idxmax())]


def times_as_long() -> list[str]:
    """Least and most of the CPU seconds of a fit with ImbLLM's twins over those of the plain fit."""
    tidy = pd.read_csv(RESULTS / "overhead.csv").query("metric == 'CPU seconds'")
    seconds = tidy.pivot_table("value", ["dataset", "split"], "arm")
    ratios = (seconds["plain + ImbLLM twins"] / seconds["plain"]).groupby("dataset").median()
    return [f"{ratios.min():.1f}", f"{ratios.max():.1f}"]


def of_texts(*methods: str) -> list[str]:
    """Mean macro F1 of methods on the drug reviews."""
    tidy = pd.read_csv(RESULTS / "texts.csv").query("metric == 'macro F1'")
    return [f"{tidy.loc[tidy['arm'] == method, 'value'].mean():.1f}" for method in methods]


def of_rare_targets() -> str:
    """How much lower few-shot errors of LatentDiff are than those of the untreated encoder, percent."""
    tidy = pd.read_csv(RESULTS / "regression.csv").query("metric == 'few MAE'")
    errors = tidy.pivot_table("value", ["table", "split"], "arm")
    changes = 100 * (1 - errors["LatentDiff"] / errors["none"])
    return f"{changes.groupby(level=0).mean().mean():.1f}"


def precisions_kept() -> list[str]:
    """Tables on which a wanted precision was reached within its interval on most splits, and all tables."""
    tidy = pd.read_csv(RESULTS / "decisions.csv").query("arm == 'precision 0.8' and metric == 'inside'")
    inside = tidy.groupby("table")["value"].mean() > 50
    return [str(inside.sum()), str(len(inside))]


@pytest.mark.parametrize("sentence", figures_of_sentences())
def test_a_sentence_gives_the_figures_of_the_results(sentence: str) -> None:
    page = " ".join(PAGE.split())
    assert sentence.format(*figures_of_sentences()[sentence]) in page


def test_every_measured_figure_stands_in_a_checked_sentence() -> None:
    """A decimal or a percentage elsewhere in the prose would go stale unseen."""
    known = [sentence.format(*figures) for sentence, figures in figures_of_sentences().items()]
    known += [
        f"within a factor of {RebalanceConfig().balanced_below:g}",
        "those of 0.1.0",
        "Apache-2.0",
        "CC BY 4.0",
    ]
    for paragraph in prose(PAGE):
        rest = paragraph
        for checked in (*known, "CPython 3.10 to 3.13"):
            rest = rest.replace(checked, "")
        rest = re.sub(r"arXiv:? \d{4}\.\d{5}", "", LINK.sub("](", INLINE_CODE.sub("", rest)))
        assert re.findall(r"\d+\.\d+|\d+ ?%", rest) == [], paragraph


def test_numbers_that_explain_a_default_are_those_of_the_configuration() -> None:
    rare, largest, afterwards = re.findall(r"(\d+) rows next to ([\d,]+) become (\d+)", " ".join(PAGE.split()))[0]
    sizes = int(rare), int(largest.replace(",", ""))
    assert RebalanceConfig().rows_wanted(*sizes, auto=dose_of(*sizes, 3, "classes")) == int(afterwards)


def test_the_code_runs_block_after_block(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    with small_budgets(tmp_path):
        for block in python_blocks(PAGE):
            exec(compile(block, "README.md", "exec"), names)
    assert "LightGBMImb_BAG_L1" in names["predictor"].model_names()
    assert names["sampler"].synthetic_mask_.sum() == (ROWS - RARE_ROWS) // 2 - RARE_ROWS


def test_every_block_imports_what_it_uses() -> None:
    """Only data goes from one block to the next: an import of an earlier block is out of sight."""
    data = set(dir(builtins))
    for block in python_blocks(PAGE):
        nodes = list(ast.walk(ast.parse(block)))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        imports = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
        imported = {(alias.asname or alias.name).partition(".")[0] for alias in imports}
        data |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
        assert {name.id for name in names} <= data | imported


@pytest.mark.parametrize("line", [line for line in shell_lines(PAGE) if line.startswith("imbllm ")])
def test_a_command_and_its_options_exist(line: str) -> None:
    command: Any = get_command(cli.app)
    words = shlex.split(line)[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert not hasattr(command, "commands"), f"{line}: no such command"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("line", [line for line in shell_lines(PAGE) if line.startswith("make ")])
def test_a_target_of_make_exists(line: str) -> None:
    assert re.search(rf"^{line.split()[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_commands_named_in_the_text_exist_too() -> None:
    command: Any = get_command(cli.app)
    assert set(re.findall(r"`imbllm ([a-z]+)[^`]*`", PAGE)) <= set(command.commands)
    assert all((RESULTS / f"{name}.md").is_file() for name in re.findall(r"python -m benchmarks (\w+)", PAGE))


@pytest.mark.parametrize("target", [target for target in links(PAGE) if "://" not in target])
def test_a_relative_link_leads_somewhere(target: str) -> None:
    path, _, anchor = target.partition("#")
    file = ROOT / path
    assert file.exists()
    if anchor:
        assert anchor in anchors(file.read_text(encoding="utf-8"))


def anchors(page: str) -> set[str]:
    """Anchors of the headings of a page, as Markdown makes them."""
    titles = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
