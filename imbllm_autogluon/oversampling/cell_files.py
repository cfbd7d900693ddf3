"""Cells as arrays of a safetensors file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file, save_file

from imbllm_autogluon.tables import Cells

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    Arrays = dict[str, npt.NDArray[Any]]


def cell_arrays(prefix: str, cells: Cells) -> Arrays:
    """Arrays of cells, their names behind a prefix."""
    values = {f"{prefix}values.{j}": np.ascontiguousarray(column) for j, column in enumerate(cells.values)}
    return {**values, f"{prefix}missing": np.ascontiguousarray(cells.missing)}


def cells_from(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Cells:
    """Cells that :func:`cell_arrays` stored."""
    missing = arrays[f"{prefix}missing"]
    return Cells(tuple(arrays[f"{prefix}values.{j}"] for j in range(missing.shape[1])), missing)


def save_cells(cells: Cells, file: Path) -> None:
    """Write cells alone into a file."""
    save_file(cell_arrays("", cells), file)


def load_cells(file: Path) -> Cells:
    """Read what :func:`save_cells` wrote."""
    return cells_from("", load_file(file))
