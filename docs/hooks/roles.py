"""Sphinx roles in docstrings become links of this site, where the object has a place in it."""

from __future__ import annotations

import re

ROLE = re.compile(r":(?:class|func|meth|data|mod|attr|exc):`(~?)([\w.]+)`")


def linked(text: str, here: str) -> str:
    """Text with a link in place of each role.

    Parameters
    ----------
    text
        A docstring, or the meaning of a parameter.
    here
        Full name of what it describes, for roles that name a neighbor alone.

    Examples
    --------
    >>> linked("See :class:`~a.b.C`.", "a.b.D")
    'See <autoref identifier="a.b.C" optional><code>C</code></autoref>.'
    """

    def link(role: re.Match[str]) -> str:
        short, name = role.groups()
        full = name if "." in name else f"{here.rpartition('.')[0]}.{name}"
        shown = name.rpartition(".")[2] if short else name
        return f'<autoref identifier="{full}" optional><code>{shown}</code></autoref>'

    return ROLE.sub(link, text)
