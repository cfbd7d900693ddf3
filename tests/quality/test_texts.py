"""What reports say about columns of texts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.quality.reports import report
from imbllm_autogluon.quality.texts import text_facts

RNG = np.random.default_rng(0)
WORDS = [f"w{n}" for n in range(40)]


def texts(n_rows: int) -> list[str]:
    return [" ".join(RNG.choice(WORDS, 10)) for _ in range(n_rows)]


REAL = pd.DataFrame({"note": texts(60), "n": RNG.normal(size=60), "city": ["Oslo", "Bergen"] * 30})
SYNTHETIC = pd.DataFrame({"note": texts(20), "n": RNG.normal(size=20), "city": ["Oslo"] * 20})


def test_copies_are_found_and_new_texts_share_few_words() -> None:
    (new,) = text_facts(REAL, SYNTHETIC)
    (old,) = text_facts(REAL, REAL.head(20))
    assert (new["name"], new["copied"], old["copied"]) == ("note", 0, 20)
    assert new["synthetic"]["shared_words"]["long_share"] == 0
    assert old["synthetic"]["shared_words"] == {"median": 10.0, "most": 10.0, "longest": 10, "long_share": 1.0}
    assert new["real"]["shared_words"]["longest"] < 8
    assert all(example["similarity"] == pytest.approx(1) for example in old["examples"])
    assert all(example["synthetic"] == example["real"] for example in old["examples"])


def test_texts_that_are_all_alike_have_few_different_words() -> None:
    (found,) = text_facts(REAL, SYNTHETIC.assign(note="the very same words"))
    assert found["synthetic"]["vocabulary"] == 4
    assert found["synthetic"]["distinct"] == {"1": 4 / 80, "2": 3 / 60, "3": 2 / 40}
    assert found["real"]["texts"] == 20  # as many as there are synthetic ones
    assert found["synthetic"]["words"] == {"least": 4.0, "median": 4.0, "most": 4.0}


def test_a_report_shows_texts_beside_their_nearest_real_ones_and_escapes_them() -> None:
    made = report(REAL, SYNTHETIC.assign(note=["<b>w1</b> w2 | w3"] * 20))
    assert made.to_dict()["texts"][0]["name"] == "note"
    assert "Texts of note" in made.to_html()
    assert "&lt;b&gt;w1" in made.to_html()
    assert r"\<b\>w1" in made.to_markdown()
    assert "Texts of" not in report(REAL[["n", "city"]], SYNTHETIC[["n", "city"]]).to_markdown()


def test_texts_that_are_all_missing_are_reported_as_none() -> None:
    (found,) = text_facts(REAL, SYNTHETIC.assign(note=None))
    assert (found["synthetic"]["texts"], found["examples"]) == (0, [])
