from __future__ import annotations

import numpy as np
import pandas as pd

from imbllm_autogluon.oversampling.lessons import LabelledCells
from tests.oversampling.tables import mixed, read


def test_a_row_is_either_learned_or_held_out_and_keeps_its_label() -> None:
    X = mixed(30)
    _, cells = read(X)
    fold = LabelledCells(cells, np.arange(30), X, pd.Series(np.arange(30)), None, np.arange(30) % 3 == 0)
    (learned, codes), (held_out, others) = fold.learned, fold.held_out
    assert codes.tolist() == [i for i in range(30) if i % 3]
    assert others.tolist() == list(range(0, 30, 3))
    for part, places in ((learned, codes), (held_out, others)):
        assert part.row_keys().tolist() == cells.take(places).row_keys().tolist()
