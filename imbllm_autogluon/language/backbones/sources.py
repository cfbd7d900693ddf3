"""Where the files of a pretrained backbone are, and what the command `imbllm models list` says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imbllm_autogluon.errors import BackboneError

Family = Literal["causal", "masked"]
"""Whether a model predicts the next token or a masked one."""

OTHER_REMEDIES = (
    "or give the path of a local folder that holds a transformers model, or use the backbone 'compact', which needs no "
    "download."
)


@dataclass(frozen=True)
class BackboneSource:
    """Where the files of a backbone are: all that is needed to load it, here or elsewhere."""

    name: str
    """As asked for."""

    location: str
    """A folder, or the id of a model on the Hugging Face Hub."""

    revision: str | None
    """Commit of the Hub model, so that a later load gets the same weights; `None` for a folder."""

    local_files_only: bool
    """Whether loading must do without a connection; set wherever all files are here."""

    token_variable: str | None
    """Name of the environment variable that holds the Hub token, never the token."""

    family: Family
    """`masked` for BERT and its like, `causal` for GPT and its like."""


@dataclass(frozen=True)
class BackboneStatus:
    """One line of the list of backbones."""

    name: str
    """What to ask for."""

    ready: bool
    """Whether it can be loaded here without a connection."""

    parameters: int | None
    """Numbers in its weights; `None` if unknown."""

    size: int
    """Bytes on this machine's disk."""

    licence: str | None
    """Of the weights; `None` if they do not say."""

    where: str
    """Folder; empty if there is none."""

    remark: str
    """What it is, or how to get it."""


def absent(name: str, reason: str, first_remedy: str) -> BackboneError:
    """The error of a backbone that is not on this machine, with its three remedies."""
    return BackboneError(f"the backbone {name!r} is not on this machine: {reason}. {first_remedy}, {OTHER_REMEDIES}")
