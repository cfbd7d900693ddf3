"""Save a fitted ImbLLM for regression beside the generator that it holds; never as pickle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from safetensors.numpy import load_file, save_file

from imbllm_autogluon.oversampling.storage import load_generator, save_generator
from imbllm_autogluon.regression.input_space import TargetImbLLM
from imbllm_autogluon.regression.target_groups import TargetGroups
from imbllm_autogluon.stored_state import read_state, reading
from imbllm_autogluon.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.oversampling.imbllm import ImbLLM

FORMAT = 1
"""Version of the stored form; raised whenever an older reader could misread it."""

MARKER = "targets.json"
"""Written last: a folder without it holds no finished generator of targets."""

GROUPS = "groups.safetensors"


def save_target_generator(writer: TargetImbLLM, folder: Path) -> None:
    """Write a fitted generator of targets into `folder`, which is created.

    Raises
    ------
    StoredStateError
        A column holds objects that cannot be stored (tuples, a user's own class, ...).
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).unlink(missing_ok=True)
    save_generator(writer.generator, folder)
    groups = writer.groups
    arrays = {"of_rows": groups.of_rows, "lows": groups.lows, "highs": groups.highs, "held": groups.held}
    save_file(arrays, folder / GROUPS)
    name = writer._target_name
    state = {
        "format": FORMAT,
        "version": __version__,
        "clause": writer.clause,
        "seed": writer.seed,
        "target": writer._target,
        "target_name": name if isinstance(name, (str, int)) else None,
        "counts": sorted(groups.counts.items()),
    }
    (folder / MARKER).write_text(json.dumps(state), encoding="utf-8")


def holds_target_generator(folder: Path) -> bool:
    """Whether a folder was written by :func:`save_target_generator`."""
    return (folder / MARKER).exists()


def load_target_generator(folder: Path) -> TargetImbLLM:
    """Read a generator written by :func:`save_target_generator`; it writes the same rows as the saved one.

    Raises
    ------
    StoredStateError
        A file is absent, broken, or of another format.
    """
    with reading("generator of targets", folder):
        state = read_state(folder / MARKER, FORMAT)
        arrays: dict[str, Any] = load_file(folder / GROUPS)
        writer = TargetImbLLM(clause=state["clause"], random_state=state["seed"])
        writer.generator = cast("ImbLLM", load_generator(folder))
        writer.groups = TargetGroups(**arrays, counts={int(group): int(n) for group, n in state["counts"]})
        writer._target, writer._target_name = state["target"], state["target_name"]
        return writer
