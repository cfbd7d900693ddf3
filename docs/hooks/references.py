"""What mkdocstrings does with docstrings before it renders them."""

from __future__ import annotations

from typing import Any

import griffe
from roles import linked


class References(griffe.Extension):
    """Rewrite each docstring as it is collected."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called with every module, class, function and attribute."""
        if obj.docstring is not None and not obj.is_alias:
            obj.docstring.value = linked(obj.docstring.value, obj.path)
