"""Which rows of a class are learned, which judge, and which clauses of interpolated rows are written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.oversampling.class_rows import ClassRows
from imbllm_autogluon.sentences import SchemaVocabulary
from imbllm_autogluon.tables import Cells, TableSchema
from tests.oversampling.tables import mixed

N_REAL, N_MADE, N_HELD_OUT = 25, 10, 4
FRAME = mixed(N_REAL + N_MADE).assign(label=["a", "b"] * 17 + ["a"])
SCHEMA = TableSchema.from_frame(FRAME, "label")
CELLS = SCHEMA.encode(FRAME)
ENCODING = SchemaVocabulary.fit(SCHEMA, CELLS, SCHEMA.encode_label(FRAME["label"]), numbers="bins").encoding()
ALL = np.ones(7, dtype=bool)


def class_rows(held_out: int = N_HELD_OUT) -> ClassRows:
    return ClassRows(CELLS.take(np.arange(N_REAL)), CELLS, pd.DataFrame(index=range(N_REAL)), held_out)


def keys(cells: Cells) -> list[object]:
    return cells.row_keys().tolist()


def test_learned_and_judging_rows_are_all_rows_and_have_none_in_common() -> None:
    rows = class_rows()
    clauses = rows.clauses(ENCODING, 1)
    learned, judging = rows.learned(ENCODING, 1, ALL), rows.judging(ENCODING, 1)
    assert learned.tokens.tolist() == clauses.tokens[N_HELD_OUT:].tolist()
    assert judging.tokens.tolist() == clauses.tokens[:N_HELD_OUT].tolist()
    assert judging.present.all()


def test_every_clause_is_labelled_with_the_class() -> None:
    for code in (0, 1):
        for clauses in (class_rows().learned(ENCODING, code, ALL), class_rows().judging(ENCODING, code)):
            _, labels = ENCODING.decode(clauses, np.random.default_rng(0))
            assert set(labels.tolist()) == {code}


@pytest.mark.parametrize("held_out", [0, N_HELD_OUT])
def test_interpolated_rows_write_the_clauses_asked_for_and_real_rows_all(held_out: int) -> None:
    wanted = np.array([True, True, True, False, False, True, True])
    learned = class_rows(held_out).learned(ENCODING, 0, wanted)
    n_real = N_REAL - held_out
    assert learned.present.shape == (n_real + N_MADE, 7)
    assert learned.present[:n_real].all()
    assert (learned.present[n_real:] == wanted).all()


def test_without_held_out_rows_nobody_judges() -> None:
    assert len(class_rows(0).judging(ENCODING, 0).tokens) == 0
    assert len(class_rows(0).learned(ENCODING, 0, ALL).tokens) == N_REAL + N_MADE
