"""The documentation is true: its code runs, its links lead somewhere, and what is generated is complete."""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import pkgutil
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

import imbllm_autogluon
from imbllm_autogluon import cli
from imbllm_autogluon._config import Config, parameters_of
from tests.pages import FENCE, links, python_blocks, small_budgets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

WRITTEN = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))}
"""Pages of docs/ by their path."""

RUN = [path for path, page in WRITTEN.items() if python_blocks(page)]

COSTLY = ("docs/guides/autogluon.md", "docs/guides/competitions.md", "docs/guides/regression.md")
"""Pages of several fits, tens of seconds on one core even under small budgets. The fits of docs/index.md and README.md
are of the same kind."""

ROOT_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md")
"""README.md has a test of its own."""

NOTEBOOKS = [file.relative_to(ROOT).as_posix() for file in sorted((ROOT / "examples").glob("*.py"))]
"""Prose and code that run when the documentation is built."""

GENERATED = ("reference/parameters.md", "reference/command-line.md", "changelog.md")


@pytest.fixture(scope="module")
def hooks() -> Iterator[dict[str, ModuleType]]:
    """Import the modules that write pages as mkdocs does, from their folder."""
    names = ("roles", "parameters", "commands", "results", "notebooks")
    sys.path.insert(0, str(DOCS / "hooks"))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(DOCS / "hooks"))
        for name in names:
            del sys.modules[name]


@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=pytest.mark.slow) if path in COSTLY else path for path in RUN]
)
def test_the_code_of_a_page_runs_block_after_block(path: str, tmp_path: Path) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    with small_budgets(tmp_path):
        for block in python_blocks(WRITTEN[path]):
            exec(compile(block, path, "exec"), names)


@pytest.mark.parametrize("path", RUN)
def test_every_block_imports_what_it_uses(path: str) -> None:
    """Only data goes from one block to the next."""
    data = set(dir(builtins))
    for block in _all_python(WRITTEN[path]):
        nodes = list(ast.walk(ast.parse(block)))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        imports = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
        imported = {(alias.asname or alias.name).partition(".")[0] for alias in imports}
        defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        data |= {name.id for name in names if isinstance(name.ctx, ast.Store)} | defined
        data |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        assert {name.id for name in names} <= data | imported


def test_a_block_that_is_not_run_says_why() -> None:
    for path, page in WRITTEN.items():
        infos = {block["info"].strip() for block in FENCE.finditer(page) if block["info"].strip().startswith("python")}
        assert all(re.fullmatch(r'python( title="needs .+")?', info) for info in infos), path


@pytest.mark.parametrize("path", [*WRITTEN, *ROOT_PAGES, *NOTEBOOKS])
def test_a_relative_link_leads_to_a_file(path: str, hooks: dict[str, ModuleType]) -> None:
    results = hooks["results"]
    made = {DOCS / name for name in GENERATED} | {DOCS / "results" / file.name for file in results.result_files()}
    made |= {DOCS / f"notebooks/{file.stem}.md" for file in hooks["notebooks"].sources()}
    page = (ROOT / path).read_text(encoding="utf-8")
    targets = [target.partition("#")[0] for target in links(page) if "://" not in target]
    for target in filter(None, targets):
        file = ((ROOT / path).parent / target).resolve()
        assert file in made or file.exists(), target


def test_every_configuration_class_is_on_the_page_of_parameters(hooks: dict[str, ModuleType]) -> None:
    """A configuration that somebody adds to a room is found by its module."""
    walked = pkgutil.walk_packages(imbllm_autogluon.__path__, "imbllm_autogluon.")
    modules = [
        importlib.import_module(info.name) for info in walked if re.search(r"\.(\w*config|parameters)$", info.name)
    ]
    found = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Config) and value.__module__ == module.__name__
    }
    listed = {one.__name__ for one in found if one is not Config and parameters_of(one)}
    assert listed - {one.__name__ for one in hooks["parameters"].documented_classes()} == set()
    assert len(listed) > 10


def test_every_parameter_is_on_its_page_once_with_its_range_default_and_meaning(hooks: dict[str, ModuleType]) -> None:
    page = " ".join(hooks["parameters"].page().replace("&lt;", "<").replace("&quot;", '"').split())
    for config_class in hooks["parameters"].documented_classes():
        for one in parameters_of(config_class):
            anchor = f"{config_class.__module__}.{config_class.__name__}.{one.name}"
            assert page.count(f'id="{anchor}"') == 1
            assert f"[`{one.name}`](#{anchor}) " in page
            assert f"{one.allowed}, default {one.default}</span>" in page
            assert hooks["roles"].linked(one.meaning, anchor) in page


def test_every_command_and_option_is_on_its_page(hooks: dict[str, ModuleType]) -> None:
    page = hooks["commands"].page()

    def check(command: Any, name: str) -> None:
        for inner, below in getattr(command, "commands", {}).items():
            check(below, f"{name} {inner}")
        if hasattr(command, "commands"):
            return
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
        assert command.help.splitlines()[0] in section
        assert [one.name for one in options if f"| `{one.opts[0]}" not in section] == []

    check(typer.main.get_command(cli.app), "imbllm")


def test_every_result_has_a_page_whose_nested_lists_stay_nested(hooks: dict[str, ModuleType], tmp_path: Path) -> None:
    pages = [file for file in hooks["results"].result_files() if file.suffix == ".md"]
    assert {file.stem for file in pages} >= {"autogluon", "paper", "ablation"}
    (tmp_path / "new.md").write_text("# new\n\n- a\n  - b\n", encoding="utf-8")
    assert hooks["results"].result_page(tmp_path / "new.md") == "# new\n\n- a\n    - b\n"


SCRIPT = """\
# %% [markdown]
# # Two
#
# See [report](../docs/guides/report.md) and [figures](../benchmarks/results/paper.md).

# %%
two = 1 + 1

# %%
print("two:", two)
"""


def test_a_script_in_cells_becomes_a_page_with_what_it_prints_and_a_notebook(
    hooks: dict[str, ModuleType],
) -> None:
    notebooks = hooks["notebooks"]
    printed = notebooks.run_apart("two.py", SCRIPT)
    assert printed == ["", "", "two: 2\n"]
    page = notebooks.page(notebooks.cells(SCRIPT), printed)
    assert page.startswith(
        "# Two\n\nSee [report](../guides/report.md) and [figures](../results/paper.md).\n\n```python"
    )
    assert page.endswith('print("two:", two)\n```\n\n```{.text .output}\ntwo: 2\n```')
    kinds = [cell["cell_type"] for cell in json.loads(notebooks.notebook(notebooks.cells(SCRIPT)))["cells"]]
    assert kinds == ["markdown", "code", "code"]


@pytest.mark.parametrize(
    ("code", "problem"),
    [("1 / 0", "ZeroDivisionError"), ("print(__import__('os').getcwd())", "a place on this machine")],
)
def test_a_notebook_that_fails_or_tells_of_the_machine_ends_the_build(
    hooks: dict[str, ModuleType], code: str, problem: str
) -> None:
    with pytest.raises(RuntimeError, match=problem):
        hooks["notebooks"].run_apart("bad.py", f"# %%\n{code}\n")


def test_every_script_in_cells_is_in_the_navigation(hooks: dict[str, ModuleType]) -> None:
    listed = re.findall(r"notebooks/(\w+)\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(listed) == [file.stem for file in hooks["notebooks"].sources()]


@pytest.mark.parametrize(
    ("link", "moved"),
    [
        ("[guide](docs/guides/report.md#x)", "[guide](guides/report.md#x)"),
        ("[figures](benchmarks/results/paper.md)", "[figures](results/paper.md)"),
        ("[script](examples/rare_targets.py)", "script"),
        ("[site](https://auto.gluon.ai)", "[site](https://auto.gluon.ai)"),
    ],
)
def test_links_of_the_changelog_are_moved_with_it(hooks: dict[str, ModuleType], link: str, moved: str) -> None:
    assert hooks["results"].relinked(f"See {link}.") == f"See {moved}."


@pytest.mark.parametrize(
    ("text", "identifier", "shown"),
    [
        (":class:`~a.b.C`", "a.b.C", "C"),
        (":func:`a.b.f`", "a.b.f", "a.b.f"),
        (":data:`NAME`", "a.b.NAME", "NAME"),
    ],
)
def test_a_role_becomes_a_link(hooks: dict[str, ModuleType], text: str, identifier: str, shown: str) -> None:
    expected = f'<autoref identifier="{identifier}" optional><code>{shown}</code></autoref>'
    assert hooks["roles"].linked(f"See {text}.", "a.b.here") == f"See {expected}."


def _all_python(page: str) -> list[str]:
    """Code of all blocks of Python, those that cannot run here too."""
    return [block["body"] for block in FENCE.finditer(page) if block["info"].strip().startswith("python")]
