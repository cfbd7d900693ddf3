"""The package stays small: a new file, a long one or one more public name has to earn its place."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / "imbllm_autogluon").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def count_lines(files: list[Path]) -> int:
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def trees() -> Iterator[ast.Module]:
    return (ast.parse(file.read_text(encoding="utf-8")) for file in PACKAGE)


def public_names(module: ast.Module) -> list[str]:
    """Functions, classes and constants of a module without a leading underscore."""
    names: list[str] = []
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in names if not name.startswith("_")]


def test_the_package_is_counted_where_it_is() -> None:
    assert (ROOT / "imbllm_autogluon" / "__init__.py") in PACKAGE


def test_at_most_30_718_lines_in_145_files() -> None:
    assert count_lines(PACKAGE) <= 30_718
    assert len(PACKAGE) <= 145


@pytest.mark.parametrize("file", [file for file in PACKAGE if count_lines([file]) > 400], ids=lambda file: file.stem)
def test_no_file_above_600_lines(file: Path) -> None:
    assert count_lines([file]) <= 600


def test_at_most_475_public_names() -> None:
    assert sum(len(public_names(tree)) for tree in trees()) <= 475


def test_the_median_function_has_at_most_10_lines() -> None:
    functions = [
        node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert median(node.end_lineno - node.lineno + 1 for node in functions if node.end_lineno) <= 10


def test_less_than_one_and_a_half_lines_of_tests_for_a_line_of_the_package() -> None:
    assert count_lines(TESTS) < 1.5 * count_lines(PACKAGE)
