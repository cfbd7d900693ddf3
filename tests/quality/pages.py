"""What a page shows, for assertions."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """Tags, attributes and shown text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._in_style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._in_style = tag == "style" or (self._in_style and tag != "style")
        self.text += " " if tag == "br" else ""

    def handle_endtag(self, tag: str) -> None:
        self._in_style = self._in_style and tag != "style"
        self.text += " " if tag in ("td", "th", "p", "h2", "h3", "figcaption", "text") else ""

    def handle_data(self, data: str) -> None:
        self.text += "" if self._in_style else data

    @property
    def words(self) -> str:
        """Shown text with single spaces."""
        return " ".join(self.text.split())
