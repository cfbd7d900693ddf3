"""Refuse a release whose parts do not agree: `make release-check TAG=v0.2.0`; needs nothing but Python."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

PLACEHOLDER = ".invalid"
"""In an address that nobody has set; no such domain can exist (RFC 2606)."""


def disagreements(root: Path = ROOT) -> list[str]:
    """What always has to agree: the version of the package, of the citation, and the newest one of the changelog."""
    version = _found(r'__version__ = "(.+)"', root / "imbllm_autogluon/_package.py")
    others = {
        "CITATION.cff": _found(r"^version: (.+)$", root / "CITATION.cff"),
        "CHANGELOG.md": _found(r"^## (\d\S*)", root / "CHANGELOG.md"),
    }
    return [f"{file} names {other}, the package is {version}" for file, other in others.items() if other != version]


def problems(tag: str = "", home_url: str = "", root: Path = ROOT) -> list[str]:
    """What keeps the tree from being released, in words; a tag and an address are compared where they are given."""
    version = _found(r'__version__ = "(.+)"', root / "imbllm_autogluon/_package.py")
    home = _found(r'^home = "(.+)"', root / "pyproject.toml")
    found = disagreements(root)
    if _found(r"^## (.+)$", root / "CHANGELOG.md") == "Unreleased":
        found.append(f"CHANGELOG.md begins with Unreleased; call it {version} or another version")
    if PLACEHOLDER in home:
        found.append(f"pyproject.toml still has home = {home!r}; set it to the address of the repository")
    elif home_url not in ("", home):
        found.append(f"pyproject.toml has home = {home!r}, this repository is at {home_url!r}")
    if tag not in ("", f"v{version}"):
        found.append(f"the tag is {tag!r}, the package is {version}; the tag must be 'v{version}'")
    return found


def _found(pattern: str, file: Path) -> str:
    match = re.search(pattern, file.read_text(encoding="utf-8"), re.MULTILINE)
    return match[1] if match else "nothing"


if __name__ == "__main__":
    if found := problems(*sys.argv[1:]):
        sys.exit("\n".join(found))
