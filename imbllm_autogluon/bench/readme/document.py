"""The page with its blocks: everything outside of the markers stays, everything between them is written anew."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from imbllm_autogluon.bench.readme.blocks import text_of
from imbllm_autogluon.bench.results import RESULTS
from imbllm_autogluon.errors import InvalidInputError, StoredStateError

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = "make readme"

README = Path("README.md")

BEGIN, END = re.compile(r"(\s*)<!-- from bench/results: (\S+) -->"), re.compile(r"\s*<!-- end -->")
"""Each on a line of its own; a block is indented like its first marker, so that it can stand in a list."""

MARKER = re.compile(r"<!--.*(bench/results|\bend\b)")
"""What looks like a marker; a misspelt one would leave its block as it is for ever."""


def run(file: Path = README, *, check: bool = False, folder: Path = RESULTS) -> str:
    """Write the blocks of a page from the result files; returns one line that says what was done.

    Parameters
    ----------
    file
        The page.
    check
        Write nothing; a page that differs is an error.
    folder
        Of the result files.

    Raises
    ------
    InvalidInputError
        A marker is broken, a name is unknown, or `check` found a difference.
    StoredStateError
        The page or a result file is missing or incomplete.
    """
    if not file.is_file():
        raise StoredStateError(f"there is no page {str(file)!r}; run the command in the folder of README.md.")
    found = file.read_text(encoding="utf-8")
    wanted = filled(found, folder)
    if found == wanted:
        return f"{file} is what the results give"
    if check:
        raise InvalidInputError(f"{file} is not what the results give{_first_change(found, wanted)}; run `{COMMAND}`.")
    file.write_text(wanted, encoding="utf-8")
    return f"{file} written"


def filled(page: str, folder: Path = RESULTS) -> str:
    """The page with each block written from its result files.

    Raises
    ------
    InvalidInputError
        A marker is broken, or a name is unknown.
    StoredStateError
        A result file is missing or incomplete.
    """
    return with_blocks(page, lambda name: text_of(name, folder))


def with_blocks(page: str, block: Callable[[str], str]) -> str:
    r"""The page with the text of each block in its place.

    Examples
    --------
    >>> page = "<!-- from bench/results: speed -->\nold\n<!-- end -->"
    >>> with_blocks(page, str.upper)
    '<!-- from bench/results: speed -->\nSPEED\n<!-- end -->'
    """
    lines: list[str] = []
    opened: tuple[int, str] | None = None
    for number, line in enumerate(page.split("\n"), start=1):
        begin, end = BEGIN.fullmatch(line), END.fullmatch(line)
        _require_order(number, line, opened, begin=begin is not None, end=end is not None)
        if begin:
            opened = (number, begin[2])
            lines += [line, indent(block(begin[2]), begin[1])]
        elif end:
            opened = None
        if not begin and opened is None:
            lines.append(line)
    if opened:
        raise InvalidInputError(f"the block {opened[1]!r} of line {opened[0]} does not end; put `<!-- end -->` behind.")
    return "\n".join(lines)


def _require_order(number: int, line: str, opened: tuple[int, str] | None, *, begin: bool, end: bool) -> None:
    if begin and opened:
        raise InvalidInputError(
            f"line {number} begins a block within {opened[1]!r} of line {opened[0]}; end that one with `<!-- end -->`."
        )
    if end and not opened:
        raise InvalidInputError(f"line {number} ends a block, but none has begun; remove it, or begin one before it.")
    if MARKER.search(line) and not (begin or end):
        raise InvalidInputError(
            f"line {number} is a broken marker: {line.strip()!r}; allowed, alone on a line: "
            "`<!-- from bench/results: NAME -->` and `<!-- end -->`."
        )


def _first_change(found: str, wanted: str) -> str:
    """Where the first line differs."""
    pairs = zip(found.split("\n"), wanted.split("\n"), strict=False)
    for number, (have, want) in enumerate(pairs, start=1):
        if have != want:
            return f": line {number} is {_short(have)!r}, not {_short(want)!r}"
    return ": it has lines too many or too few"


def _short(line: str) -> str:
    return line if len(line) <= 80 else f"{line[:80]}…"
