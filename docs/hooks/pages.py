"""Hooks of mkdocs: pages that are generated, and their places in the navigation."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import commands
import notebooks
import parameters
import results
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from typing import Any

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

LOADED = re.compile(r'<(?:script|link|img|iframe|source)[^>]*(?:src|href)="(?:https?:)?//[^"]*"')
"""What a browser would fetch from elsewhere."""

LESS_SOUGHT, MORE_SOUGHT = "---\nsearch: {boost: 0.5}\n---\n\n", "---\nsearch: {boost: 2}\n---\n\n"
"""Figures come behind guides in the answers of the search, parameters first."""

LOG = logging.getLogger("mkdocs.hooks")


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
        "reference/parameters.md": MORE_SOUGHT + parameters.page(),
        "reference/command-line.md": commands.page(),
        "changelog.md": results.changelog(),
        **notebooks.all_files(),
    }
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    for file in results.result_files():
        place = f"results/{file.name}"
        if file.suffix == ".md":
            files.append(File.generated(config, place, content=LESS_SOUGHT + results.result_page(file)))
        else:
            files.append(File.generated(config, place, abs_src_path=str(file)))
    return files


def on_page_content(html: str, page: Page, **_: Any) -> str:
    """Mark pages of figures, whose cells are not broken into lines: wide tables scroll."""
    return f'<div class="figures">{html}</div>' if page.file.src_uri.startswith("results/") else html


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Warn, and so fail, where a page of this site would ask the network for something."""
    for fetched in LOADED.findall(output):
        LOG.warning("%s loads something from elsewhere: %s", page.file.src_uri, fetched)
    return output
