from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from imbllm_autogluon.bench.speed.imbllm_worker import configuration, measure, sentences_learned, steps
from imbllm_autogluon.bench.tables import mixed_table
from imbllm_autogluon.bench.validity import legal_rows

if TYPE_CHECKING:
    from pathlib import Path


def job(**changed: Any) -> dict[str, Any]:
    return {
        "folder": "compact",
        "device": "cpu",
        "settings": {},
        "epochs": 2,
        "batch_size": 8,
        "batch": 100,
        "samples": 30,
        "threads": 1,
        "seed": 0,
        "label": "label",
        "rare": "rare",
        **changed,
    }


def test_the_arm_writes_legal_rows_and_reports_where_the_time_went(tmp_path: Path) -> None:
    X, y = mixed_table(60, 6, 20)
    X.assign(label=y).to_parquet(tmp_path / "fold.parquet")
    figures = measure(job(fold=str(tmp_path / "fold.parquet"), written=str(tmp_path / "written.parquet")))
    written = pd.read_parquet(tmp_path / "written.parquet")
    assert len(written) == figures["rows"] == 30
    assert legal_rows(written, X).all()
    assert 0 < figures["output layer seconds"] < figures["sampling seconds"]
    assert 0 < figures["forward seconds"] < figures["sampling seconds"]
    assert figures["forward passes"] >= 6  # one for each feature at least
    assert figures["tokens per row"] > 6
    assert figures["loading seconds"] > 0
    assert figures["seconds per epoch"] == pytest.approx(figures["training seconds"] * 20 / 40)


def test_it_learns_the_same_rows_as_the_peer_and_no_others() -> None:
    config = configuration(job(settings={"tuning": "full"}), n_rows=20)
    assert config.language.steps == 5
    assert config.language.batch_size == 8
    assert config.language.generation_batch == 100
    assert (config.language.warmup, config.language.held_out, config.language.tuning) == ("none", 0.0, "full")
    assert config.interpolation.interpolation_ratio == 0
    assert config.conditioning.conditioning == "y"


@pytest.mark.parametrize(
    ("rows", "epochs", "expected_steps", "sentences"), [(100, 1, 4, 128), (100, 8, 25, 800), (20, 3, 3, 60)]
)
def test_seconds_per_epoch_count_the_sentences_that_were_learned(
    rows: int, epochs: int, expected_steps: int, sentences: int
) -> None:
    wanted = job(epochs=epochs, batch_size=32)
    assert (steps(wanted, rows), sentences_learned(wanted, rows)) == (expected_steps, sentences)
