"""Pages from files outside docs/: one for each benchmark, and the changelog."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks/results"

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def result_files() -> list[Path]:
    """The pages that benchmarks wrote, and their pictures."""
    return sorted(file for file in RESULTS.iterdir() if file.suffix in (".md", ".png"))


def result_page(file: Path) -> str:
    """A page as a benchmark wrote it; lists in lists are indented as far as this Markdown wants it."""
    return re.sub(r"^  (?=[-*] )", "    ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)


def changelog() -> str:
    """CHANGELOG.md with links that work from this site."""
    return relinked((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))


def relinked(text: str) -> str:
    """A page that stood at the root of the repository, for the root of this site.

    Links to pages of this site lead there; of links to other files of the repository, which the site does not have,
    the words stay.
    """

    def link(found: re.Match[str]) -> str:
        words, target, anchor = found[1], PurePosixPath(found[2]), found[3] or ""
        if "://" in found[2]:
            return found[0]
        if target.is_relative_to("docs"):
            return f"[{words}]({target.relative_to('docs')}{anchor})"
        if target.is_relative_to("benchmarks/results") and target.suffix == ".md":
            return f"[{words}](results/{target.name}{anchor})"
        return words

    return LINK.sub(link, text)
