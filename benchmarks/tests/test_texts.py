"""Small clean sets, noisy ones made of the rest, and figures of texts that were written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import texts
from benchmarks.protocol import Options, run
from benchmarks.texts import METHODS, PROTOCOL, made_noisy, split_of, written_figures
from tests.language.pretrained import save_pretrained

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def reviews() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rating = rng.choice(["negative", "neutral", "positive"], 660, p=[0.3, 0.1, 0.6])
    said = {"negative": "it made me sick", "neutral": "it did nothing", "positive": "I&#039;m well"}
    columns = {
        "condition": rng.choice(["Pain", "Acne", None], 660),
        "review": [f"{said[one]} after {n} days" for n, one in enumerate(rating)],
        "rating": rating,
        "part": np.where(np.arange(660) % 3 == 0, "test", "train"),
    }
    return pd.DataFrame(columns)


def test_a_small_clean_set_is_drawn_and_the_rest_of_the_training_rows_is_made_noisy(reviews: pd.DataFrame) -> None:
    split = split_of(reviews, "rating", 0, small=True)
    assert split.noisy is not None
    assert (len(split.train.X), len(split.noisy.X), len(split.test.X)) == (40, 400, 220)
    assert not set(split.train.X["review"]) & set(split.noisy.X["review"])
    assert split.test.X["review"].str.contains("I'm well").any()
    rest = reviews[reviews["part"] == "train"].reset_index(drop=True)
    noisy = made_noisy(rest, "rating", 0)
    assert (noisy["rating"] != rest["rating"]).mean() == pytest.approx(0.3, abs=0.05)
    assert noisy["review"].equals(rest["review"])
    assert noisy["condition"].value_counts().equals(rest["condition"].value_counts())
    assert made_noisy(rest, "rating", 0).equals(noisy)
    assert split_of(reviews, "rating", 0, small=False).noisy is None


def test_the_share_of_refused_and_copied_texts_and_the_longest_run_are_told() -> None:
    counts = {"neutral": {"asked": 8, "kept": 6, "copied": 2, texts.RUN: 5}, "bad": {"asked": 2, "kept": 2}}
    expected = {texts.ASKED: 10, texts.REFUSED: 20, texts.COPIED: 20, texts.RUN: 5}
    assert written_figures(counts) == expected
    assert written_figures({}) == {}


def test_methods_learn_the_training_part_of_a_file_in_the_folder_of_the_data(
    reviews: pd.DataFrame, tmp_path: Path, cache: Path
) -> None:
    reviews.to_csv(tmp_path / "drug_reviews.csv", index=False)
    backbone = str(save_pretrained(tmp_path / "llama", "llama"))
    own: dict[str, Any] = {"data": tmp_path, "backbone": backbone, "steps": 2, "blocks": 1}
    chosen = (texts.PLAIN, texts.NOISY, texts.WORDS, texts.WRITTEN)
    result = run(PROTOCOL, Options(repeats=1, methods=chosen, own=own))
    figures = result.tidy.pivot_table("value", "method", "metric")
    assert list(result.tidy["method"].unique()) == [name for name in METHODS if name in chosen]
    assert figures.loc[texts.WORDS, "macro F1"] > 95
    assert np.isfinite(figures[["gap", "macro F1", "log-loss", "fit s"]]).all(axis=None)
    assert (cache / "benchmarks" / "texts" / "states.safetensors").is_file()
    assert figures.loc[texts.WRITTEN, texts.RUN] <= 7
