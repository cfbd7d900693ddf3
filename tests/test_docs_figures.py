"""Figures in guides and decisions come from the result pages that they link to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages import FENCE, INLINE_CODE, LINK

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"

PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if "reference" not in page.parts)

NUMBER = re.compile(r"\d+(?:\.\d+)?")
FIGURE = re.compile(r"(?<![\w.=])\d+\.\d+(?![\w.])")

NOT_MEASURED = re.compile(r"arXiv:? \S+|Apache-2\.0|version 0\.1\.0|be_great \S+|0\.5 ± 0\.1")


def linked_results(page: str) -> str:
    """Text of the result pages that a page links to."""
    targets = [Path(link["target"].partition("#")[0]) for link in LINK.finditer(page)]
    names = {target.name for target in targets if "results" in target.parts} - {"index.md"}
    return " ".join((RESULTS / name).read_text(encoding="utf-8") for name in sorted(names))


def figures(page: str) -> list[str]:
    """Decimal figures of the paragraphs and tables of a page, but for explorations and defaults."""
    paragraphs = re.split(r"\n\s*\n", FENCE.sub("", page))
    told = [paragraph for paragraph in paragraphs if "xploration" not in paragraph]
    bare = [NOT_MEASURED.sub("", LINK.sub("]", INLINE_CODE.sub("", " ".join(text.split())))) for text in told]
    return [figure for text in bare for figure in FIGURE.findall(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_figure_stands_on_a_result_page_that_is_linked(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = {float(number) for number in NUMBER.findall(linked_results(text))}
    assert [figure for figure in figures(text) if float(figure) not in known] == []
