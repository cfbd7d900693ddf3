"""Result files of benchmarks: one tidy CSV and one Markdown table each."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from imbllm_autogluon.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

RESULTS = Path(__file__).parent / "results"

VERSIONED = ("imbllm-autogluon", "torch", "transformers", "autogluon.tabular", "imbalanced-learn")


def versions() -> str:
    """Versions of what was measured, as one text."""
    return " ".join(f"{name}={version(name)}" for name in VERSIONED)


def command_line(benchmark: str, tables: Sequence[str] = (), **options: object) -> str:
    """The command that repeats a benchmark; options of None are left out, of files only their names are told.

    Examples
    --------
    >>> command_line("prior", ["/data/bank.csv:subscribe"], batch_size=8, steps=None)
    'imbllm bench prior --batch-size 8 --table bank.csv:subscribe'
    """
    given = {name.replace("_", "-"): value for name, value in options.items() if value is not None}
    named = "".join(f" --table {shlex.quote(Path(table).name)}" for table in tables)
    return f"imbllm bench {benchmark}" + "".join(f" --{name} {value}" for name, value in given.items()) + named


def flags(**given: bool | Sequence[str] | Mapping[str, object]) -> str:
    """What stands behind the tables in a command: switches that are on, flags that are repeated, ``KEY=VALUE``.

    Examples
    --------
    >>> flags(axis=["order"], setting={"steps": 5, "time_limit": None}, slow_arms=True, quick=False)
    ' --axis order --setting steps=5 --setting time_limit=none --slow-arms'
    """
    return "".join(f" --{name.replace('_', '-')}{text}" for name, value in given.items() for text in _texts(value))


def _texts(value: bool | Sequence[str] | Mapping[str, object]) -> list[str]:
    """Behind the name of a flag, for each time that it stands there."""
    if isinstance(value, bool):
        return [""] if value else []
    if isinstance(value, Mapping):
        value = [f"{key}={'none' if own is None else own}" for key, own in value.items()]
    return [f" {shlex.quote(one)}" for one in value]


def write_results(name: str, tidy: pd.DataFrame, table: pd.DataFrame, text: str, folder: Path) -> Path:
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

    Raises
    ------
    MissingDependencyError
        The extra ``[bench]`` is not installed.
    """
    if find_spec("tabulate") is None:
        raise MissingDependencyError("benchmarks need the package tabulate: pip install 'imbllm-autogluon[bench]'.")
    folder.mkdir(parents=True, exist_ok=True)
    today = datetime.datetime.now(tz=datetime.timezone.utc).date()
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    page = f"# {name}\n\n{text}\n\n{table.to_markdown(index=False)}\n\n{today}; {machine}; {versions()}\n"
    for suffix, content in ((".csv", tidy.to_csv(index=False)), (".md", page)):
        draft = folder / f".{name}-{os.getpid()}{suffix}.draft"  # processes that share the work end at the same time
        draft.write_text(content, encoding="utf-8")
        draft.replace(folder / f"{name}{suffix}")
    return folder / f"{name}.md"
