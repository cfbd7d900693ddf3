"""Pages and notebooks from the scripts in cells of examples/, which run whenever the documentation is built.

Cells begin with ``# %%`` or ``# %% [markdown]``, as Jupytext, VS Code, PyCharm and Spyder read them. Run as a script,
this module prints what each cell of the script on its standard input prints, as JSON.
"""

from __future__ import annotations

import functools
import io
import json
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]

CELL = re.compile(r"^# %%(?: \[(markdown)\])?\n", re.MULTILINE)

TAIL = (
    "\n\n---\n\nOutputs were written when these pages were built. This page as a [notebook]({name}.ipynb) and as a "
    "[script]({name}.py).\n"
)


class Cell(NamedTuple):
    """Text of a cell, and whether it is prose."""

    prose: bool
    text: str


def sources() -> list[Path]:
    """Scripts that have cells."""
    return [file for file in sorted((ROOT / "examples").glob("*.py")) if CELL.match(file.read_text(encoding="utf-8"))]


def cells(script: str) -> list[Cell]:
    r"""Cells of a script.

    Examples
    --------
    >>> cells("# %% [markdown]\n# # Title\n#\n# Text\n\n# %%\nprint(1)\n")
    [Cell(prose=True, text='# Title\\n\\nText'), Cell(prose=False, text='print(1)')]
    """
    _, *parts = CELL.split(script)
    return [
        Cell(True, re.sub(r"^# ?", "", text.strip(), flags=re.MULTILINE)) if kind else Cell(False, text.strip())
        for kind, text in zip(parts[::2], parts[1::2], strict=True)
    ]


def run(script: str, name: str) -> list[str]:
    """What each cell of code prints, run one after the other in this process."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = []
    for cell in cells(script):
        with redirect_stdout(io.StringIO()) as out:
            exec("" if cell.prose else compile(cell.text, name, "exec"), names)  # noqa: S102 - our own examples
        printed.append(out.getvalue())
    return printed


@functools.cache
def run_apart(name: str, script: str) -> list[str]:
    """Outputs of :func:`run` in a process and an empty folder of their own, once for each state of a script.

    Raises
    ------
    RuntimeError
        If a cell fails, or prints a place on this machine.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, name]
        done = subprocess.run(command, cwd=folder, input=script, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise RuntimeError(f"{name} does not run:\n{done.stderr}")
        for place in (folder, str(ROOT), sys.prefix):
            if place in done.stdout:
                raise RuntimeError(f"{name} prints a place on this machine, {place}")
    return list(json.loads(done.stdout))


def all_files() -> dict[str, str]:
    """Page, notebook and script of each source, by their places in the site; two sources are run at a time."""
    files = sources()
    scripts = [file.read_text(encoding="utf-8") for file in files]
    with ThreadPoolExecutor(2) as threads:
        printed = list(threads.map(run_apart, [file.name for file in files], scripts))
    made: dict[str, str] = {}
    for file, script, outputs in zip(files, scripts, printed, strict=True):
        texts = page(cells(script), outputs) + TAIL.format(name=file.stem), notebook(cells(script)), script
        made |= {f"notebooks/{file.stem}{end}": text for end, text in zip((".md", ".ipynb", ".py"), texts, strict=True)}
    return made


def page(of: list[Cell], outputs: list[str]) -> str:
    """Markdown of cells and outputs, with links that lead from notebooks/ of the site instead of examples/."""
    parts = []
    for cell, output in zip(of, outputs, strict=True):
        parts.append(cell.text if cell.prose else f"```python\n{cell.text}\n```")
        if output:
            parts.append(f"```{{.text .output}}\n{output.rstrip()}\n```")
    return "\n\n".join(parts).replace("](../docs/", "](../").replace("](../benchmarks/results/", "](../results/")


def notebook(of: list[Cell]) -> str:
    """The cells as a notebook (format 4.5), without outputs."""
    code = {"outputs": [], "execution_count": None}
    made = [
        {
            "cell_type": "markdown" if cell.prose else "code",
            "id": f"cell-{place}",
            "metadata": {},
            "source": cell.text,
            **({} if cell.prose else code),
        }
        for place, cell in enumerate(of)
    ]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}, indent=1)


if __name__ == "__main__":
    print(json.dumps(run(sys.stdin.read(), sys.argv[1])))  # noqa: T201
