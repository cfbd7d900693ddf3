"""Result files of benchmarks: one tidy CSV and one Markdown table each."""

from __future__ import annotations

import datetime
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

RESULTS = Path(__file__).parent / "results"

VERSIONED = ("imbllm-autogluon", "torch", "transformers", "autogluon.tabular", "imbalanced-learn")


def versions() -> str:
    """Versions of what was measured, as one text."""
    return " ".join(f"{name}={version(name)}" for name in VERSIONED)


def write_results(name: str, tidy: pd.DataFrame, table: pd.DataFrame, text: str, folder: Path = RESULTS) -> Path:
    """Write ``NAME.csv`` and ``NAME.md``; both appear whole or not at all.

    Parameters
    ----------
    name
        Name of the benchmark command.
    tidy
        One measured value in each row.
    table
        What a reader wants to see.
    text
        What was measured, how, and with which command.
    """
    folder.mkdir(parents=True, exist_ok=True)
    today = datetime.datetime.now(tz=datetime.timezone.utc).date()
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    page = f"# {name}\n\n{text}\n\n{markdown(table)}\n\n{today}; {machine}; {versions()}\n"
    for suffix, content in ((".csv", tidy.to_csv(index=False)), (".md", page)):
        draft = folder / f".{name}{suffix}.draft"
        draft.write_text(content, encoding="utf-8")
        draft.replace(folder / f"{name}{suffix}")
    return folder / f"{name}.md"


def markdown(table: pd.DataFrame) -> str:
    """A data frame as a Markdown table."""
    head = [str(column) for column in table.columns]
    rows = [[str(cell) for cell in row] for row in table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))
