"""Metadata that the build makes: the addresses of the project, and its README with links that work anywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

ADDRESSES = {
    "Homepage": "",
    "Documentation": "/tree/main/docs",
    "Source": "",
    "Issues": "/issues",
    "Changelog": "/blob/main/CHANGELOG.md",
}
"""What index pages show, behind the home of the project."""

RELATIVE = re.compile(r"\]\((?!\w+://|#)([^)\s]+)\)")


class Metadata(MetadataHookInterface):
    """Fills in ``urls`` and ``readme`` from ``home`` in pyproject.toml."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Called by hatchling with the ``project`` table and its version; links lead to the files of that release."""
        home, readme = self.config["home"], Path(self.root, "README.md").read_text(encoding="utf-8")
        text = RELATIVE.sub(rf"]({home}/blob/v{metadata['version']}/\1)", readme)
        metadata["urls"] = {name: home + place for name, place in ADDRESSES.items()}
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
