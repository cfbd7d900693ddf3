from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.input_space import (
    TargetImbLLM,
    holds_target_generator,
    load_target_generator,
    save_target_generator,
)
from tests.regression.frames import skewed

if TYPE_CHECKING:
    from pathlib import Path

QUICK = GeneratorConfig.from_flat({"layers": 1, "width": 16, "warmup_steps": 2, "steps": 2})


@pytest.fixture(scope="module")
def writer() -> TargetImbLLM:
    X, y = skewed(100)
    return TargetImbLLM(QUICK, clause="value", random_state=4).fit(X, y, TargetBins.fit(y, n_bins=5), {1: 6, 3: 4})


def test_a_read_generator_writes_the_same_rows(writer: TargetImbLLM, tmp_path: Path) -> None:
    save_target_generator(writer, tmp_path / "g")
    read = load_target_generator(tmp_path / "g")
    for counts in (None, {1: 9, 3: 2}):
        rows, prices = writer.sample(counts)
        again, same_prices = read.sample(counts)
        pd.testing.assert_frame_equal(again, rows)
        pd.testing.assert_series_equal(same_prices, prices)
    assert read.groups.names == writer.groups.names
    np.testing.assert_array_equal(read.groups.of_rows, writer.groups.of_rows)
    assert (read.clause, read.seed) == ("value", 4)


def test_a_folder_says_whether_it_holds_one(writer: TargetImbLLM, tmp_path: Path) -> None:
    assert not holds_target_generator(tmp_path)
    save_target_generator(writer, tmp_path)
    assert holds_target_generator(tmp_path)


def test_an_incomplete_folder_is_refused(writer: TargetImbLLM, tmp_path: Path) -> None:
    save_target_generator(writer, tmp_path)
    (generator,) = tmp_path.glob("*/generator/state.json")
    generator.unlink()
    with pytest.raises(StoredStateError):
        load_target_generator(tmp_path)
