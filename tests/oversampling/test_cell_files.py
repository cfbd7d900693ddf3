from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from imbllm_autogluon.oversampling.cell_files import cell_arrays, cells_from, load_cells, save_cells
from imbllm_autogluon.tables import Cells
from tests.oversampling.tables import mixed, read

if TYPE_CHECKING:
    from pathlib import Path

_, CELLS = read(mixed(20))


def expect_equal(found: Cells, expected: Cells) -> None:
    assert found.missing.tolist() == expected.missing.tolist()
    for mine, theirs in zip(found.values, expected.values, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    "cells", [CELLS, CELLS.take([]), CELLS.take(np.arange(20)[::-2]), Cells((), np.zeros((4, 0), dtype=bool))]
)
def test_cells_come_back_from_a_file_as_they_were(cells: Cells, tmp_path: Path) -> None:
    save_cells(cells, tmp_path / "cells.safetensors")
    expect_equal(load_cells(tmp_path / "cells.safetensors"), cells)


def test_several_cells_share_one_mapping_under_prefixes() -> None:
    first, second = CELLS.take([0, 1]), CELLS.take([5])
    arrays = {**cell_arrays("1.", first), **cell_arrays("11.", second)}
    expect_equal(cells_from("1.", arrays), first)
    expect_equal(cells_from("11.", arrays), second)
