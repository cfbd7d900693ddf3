from __future__ import annotations

import numpy as np
import pytest

from imbllm_autogluon.classification import redrawing
from imbllm_autogluon.classification.redrawing import redrawn_rows


def test_redrawn_rows_keep_the_classes_and_are_the_same_each_time() -> None:
    codes = np.array([0] * 30 + [1] * 3)
    drawn = redrawn_rows(codes, "test")
    assert drawn.share == 1.0
    assert all(np.bincount(codes[rows]).tolist() == [30, 3] for rows in drawn.samples)
    again = redrawn_rows(codes, "test")
    assert all(np.array_equal(a, b) for a, b in zip(drawn.samples, again.samples, strict=True))
    assert not np.array_equal(drawn.samples[0], redrawn_rows(codes, "other").samples[0])


def test_samples_of_very_many_rows_are_smaller_and_the_error_is_that_of_all_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).normal(size=4000)
    codes = np.zeros(4000, dtype=np.int64)
    monkeypatch.setattr(redrawing, "N_SAMPLES", 400)
    whole = redrawn_rows(codes, "test")
    monkeypatch.setattr(redrawing, "MOST_ROWS", 500)
    part = redrawn_rows(codes, "test")
    assert len(part.samples[0]) == 500
    errors = [drawn.error([values[rows].mean() for rows in drawn.samples]) for drawn in (whole, part)]
    assert errors == pytest.approx([values.std() / np.sqrt(4000)] * 2, rel=0.15)
