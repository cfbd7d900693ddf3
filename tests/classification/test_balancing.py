"""Texts of rare classes: what is refused, what is asked for again, what written rows are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.classification import ClassifierConfig, balancing
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.texts import TextModel
from tests.classification.tables import label_model, mixed
from tests.language.pretrained import save_pretrained

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GOOD = ["it", "works", "as", "it", "should", "and", "we", "are", "very", "happy", "with", "number", "{}", "of", "them"]
BAD = ["it", "broke", "after", "one", "day", "so", "we", "sent", "number", "{}", "back", "and", "asked", "for", "money"]


def texts(words: Sequence[str], n_rows: int, seed: int) -> list[str]:
    """Sentences of some of the words in a drawn order."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.permutation(words)[:9]).format(row) for row in range(n_rows)]


def orders(n_rare: int = 12, n_usual: int = 60) -> tuple[pd.DataFrame, pd.Series[Any]]:
    notes = [*texts(BAD, n_rare, 0), *texts(GOOD, n_usual, 1)]
    X = pd.DataFrame({"note": notes, "city": ["Oslo"] * n_rare + ["Bergen"] * n_usual})
    return X, pd.Series(["bad"] * n_rare + ["good"] * n_usual, name="outcome")


def test_copies_and_texts_of_another_class_or_of_none_are_refused_and_the_rest_is_kept() -> None:
    X, y = orders()
    judge = balancing._Judge(X["note"].tolist(), (y == "good").to_numpy().astype(np.int64))
    real = X["note"][0]
    wanted = {
        real: "copied",
        f"I say that {' '.join(real.split()[:8])}": "copied",
        texts(GOOD, 1, 9)[0]: "another class",
        "die Katze sass am Fenster": "unlike any real text",
        "": "unlike any real text",
        (new := "so it broke one day and my money went back"): "",
    }
    assert judge.reasons(list(wanted), np.zeros(len(wanted), dtype=np.int64)) == list(wanted.values())
    assert judge.reasons([new], np.zeros(1, dtype=np.int64)) == ["copied"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_pretrained(tmp_path, "llama")


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    plain = {"backbone": str(folder), "clauses": "text", "steps": 2, "device": "cpu", "validation_fraction": 0.0}
    return {**plain, "synthetic_cap": 2.0, **more}


def test_written_rows_are_real_ones_with_new_texts_and_count_in_no_class_share(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def write(_: TextModel, prompts: Sequence[str], **options: Any) -> dict[str, list[str | None]]:
        asked.append(list(prompts))
        good = texts(BAD, len(prompts), 50 + options["seed"])
        return {"note": [None if row % 3 == 0 else text for row, text in enumerate(good)]}

    monkeypatch.setattr(TextModel, "fit", lambda self, *_, **__: self)
    monkeypatch.setattr(TextModel, "write", write)
    X, y = orders()
    model = label_model(X, y, **settings(folder))
    counts = model.written["bad"]
    assert set(asked[0]) == {"outcome is bad, city is Oslo"}
    assert [len(prompts) for prompts in asked] == [18, *(len(prompts) for prompts in asked[1:])]
    assert counts["asked"] == sum(map(len, asked))
    assert counts["unlike any real text"] >= 6
    assert sum(n for name, n in counts.items() if name not in ("asked", balancing._RUN)) == counts["asked"]
    assert counts[balancing._RUN] <= 7
    assert sorted(model.counts) == [12, 60]
    assert list(model.written) == ["bad"]


def test_the_backbone_itself_writes_and_the_same_seed_gives_the_same_answers(folder: Path) -> None:
    X, y = orders()
    found = [label_model(X, y, **settings(folder, calibration="bias")) for _ in range(2)]
    assert found[0].written == found[1].written
    assert found[0].written["bad"]["asked"] > 0
    assert np.array_equal(found[0].probabilities(X), found[1].probabilities(X))


def test_without_a_pretrained_backbone_or_a_text_nothing_can_be_written(folder: Path) -> None:
    with pytest.raises(InvalidInputError, match="synthetic_cap needs a pretrained backbone"):
        ClassifierConfig.from_flat({"synthetic_cap": 3})
    with pytest.raises(InvalidInputError, match="synthetic_cap writes texts, and no column holds any"):
        label_model(*mixed(40), **settings(folder))
