"""Hooks of mkdocs: pages that are generated, and their places in the navigation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import commands
import parameters
import results
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add a page for each benchmark behind the overview of results."""
    for section in config.nav or []:
        for pages in section.values():
            if isinstance(pages, list) and "results/index.md" in pages:
                pages += [f"results/{file.name}" for file in results.result_files() if file.suffix == ".md"]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is generated."""
    pages = {
        "reference/parameters.md": parameters.page(),
        "reference/command-line.md": commands.page(),
        "changelog.md": results.changelog(),
    }
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    for file in results.result_files():
        files.append(File.generated(config, f"results/{file.name}", abs_src_path=str(file)))
    return files
