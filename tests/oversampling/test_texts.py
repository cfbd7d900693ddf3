"""Text columns of written rows: written for the row, new, and nothing of it silent."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.methods import generator_of, load_generator, save_generator
from imbllm_autogluon.oversampling.texts import TextWriter
from imbllm_autogluon.tables.texts import KnownTexts
from tests.language.pretrained import save_pretrained

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

WORDS = ["visits", "city", "Oslo", "Bergen", "balance", "missing", "bought", "since"]
RNG = np.random.default_rng(0)
Y = pd.Series(np.where(np.arange(60) < 20, "rare", "common"), name="kind")
X = pd.DataFrame(
    {
        "age": RNG.integers(20, 60, 60),
        "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 99, 60), unit="D"),
        "note": [" ".join(RNG.choice(WORDS, 9)) + "." for _ in range(60)],
        "height": np.where(np.arange(60) % 5 == 0, np.nan, RNG.normal(1.7, 0.1, 60).round(2)),
    }
)
COUNTS = {"rare": 7, "common": 2}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_pretrained(tmp_path_factory.mktemp("llama"), "llama"))


def made(method: str, backbone: str, frame: pd.DataFrame = X, **settings: Any) -> Any:
    own = {"steps": 3, "pretrain_steps": 2, "plausibility": 0.0, "text_tokens": 16, "device": "cpu"}
    generator = generator_of({"method": method, "backbone": backbone, **own, **settings}, random_state=0)
    return generator.fit(frame, Y, COUNTS)


@pytest.mark.parametrize("method", ["imbllm", "great", "pred_llm"])
def test_texts_are_new_and_every_other_cell_is_as_it_would_be_without_them(method: str, backbone: str) -> None:
    written, copied = made(method, backbone), made(method, backbone, texts="copy")
    rows, labels = written.sample()
    like, _ = copied.sample()
    pd.testing.assert_frame_equal(rows.drop(columns="note"), like.drop(columns="note"))
    assert set(like["note"]) <= set(X["note"])
    assert not set(rows["note"]) & set(X["note"])
    assert rows["note"].str.len().gt(0).all()
    assert list(rows.columns) == list(X.columns)
    assert rows.dtypes.equals(X.dtypes)
    if method != "pred_llm":
        assert labels.value_counts().to_dict() == COUNTS
    report = written.report
    assert sum(entry.texts_written for entry in report.classes) == len(rows)
    assert report.shared_words["note"] == tuple(KnownTexts(X["note"]).longest_runs(list(rows["note"])))
    assert "texts" in report.losses
    assert "texts" not in copied.report.losses


def test_the_seed_and_a_stored_generator_give_the_same_texts(backbone: str, tmp_path: Path) -> None:
    generator = made("imbllm", backbone)
    rows, _ = generator.sample()
    save_generator(generator, tmp_path / "generator")
    stored = load_generator(tmp_path / "generator")
    pd.testing.assert_frame_equal(stored.sample()[0], rows)
    pd.testing.assert_frame_equal(stored.with_config(stored.config, threads=None).sample()[0], rows)
    assert stored.report.to_dict()["shared_words"] == stored.report.from_dict(stored.report.to_dict()).shared_words
    assert list(generator.sample(random_state=5)[0]["note"]) != list(rows["note"])


def test_a_table_of_a_text_alone_gets_new_texts_too(backbone: str) -> None:
    rows, labels = made("imbllm", backbone, X[["note"]]).sample()
    assert labels.value_counts().to_dict() == COUNTS
    assert not set(rows["note"]) & set(X["note"])


def test_texts_that_are_left_out_are_missing_whatever_the_backbone() -> None:
    quick = {"layers": 1, "width": 16, "pretrain_steps": 1, "steps": 1}
    rows, _ = generator_of({**quick, "texts": "leave_out"}, random_state=0).fit(X, Y, {"rare": 5}).sample()
    like, _ = generator_of(quick, random_state=0).fit(X, Y, {"rare": 5}).sample()
    assert rows["note"].isna().all()
    assert set(like["note"]) <= set(X["note"])  # the compact backbone copies them
    pd.testing.assert_frame_equal(rows.drop(columns="note"), like.drop(columns="note"))


def test_a_compact_backbone_that_shall_write_texts_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="texts='write' needs a pretrained backbone"):
        GeneratorConfig.from_flat({"texts": "write"})


class Script:
    """A model that writes given texts, the same at each draw, or those of each draw."""

    def __init__(self, *draws: Sequence[str | None]) -> None:
        self.draws = draws
        self.asked: list[list[str]] = []

    def write(self, prompts: Sequence[str], **_: Any) -> Mapping[str, list[str | None]]:
        draw = self.draws[min(len(self.asked), len(self.draws) - 1)]
        self.asked.append(list(prompts))
        return {"note": list(draw[: len(prompts)])}


KNOWN = "one two three four five six"


def writer(script: Script, *, has_gaps: bool = False) -> Any:
    model: Any = script
    return TextWriter(model, {"note": KnownTexts([KNOWN])}, (has_gaps,), "kind", ("age", "when", "height"), 4)


def write(script: Script, n_rows: int, **options: Any) -> Any:
    part = X.head(n_rows).assign(note="of a person")
    return writer(script, **options).write(part, Y.head(n_rows), seed=0, threads=None)


def test_prompts_tell_the_label_and_all_cells_that_are_there() -> None:
    day = str(X["when"][1].date())
    prompts = writer(Script()).prompts(X.head(2), Y.head(2))
    assert prompts[1] == f"kind is rare, age is {X['age'][1]}, when is {day}, height is {X['height'][1]}"
    assert "height" not in prompts[0]


def test_a_text_that_repeats_too_many_words_is_drawn_again_and_then_cut() -> None:
    script = Script(["is two three four five, no", "new words"], ["is two three four five, no"])
    found = write(script, 2)
    assert [len(asked) for asked in script.asked] == [2, 1, 1, 1]
    assert found.columns == {"note": ["is two three four", "new words"]}
    assert found.shared == {"note": (3, 0)}
    assert found.counts(np.arange(2)) == {"texts_written": 2, "texts_redrawn": 3, "texts_cut": 1, "texts_copied": 0}


def test_of_several_draws_that_repeat_too_much_the_shortest_run_stays() -> None:
    script = Script([f"a {KNOWN}"], ["b one two three four c"], [f"d {KNOWN}"])
    assert write(script, 1).columns == {"note": ["b one two three"]}


@pytest.mark.parametrize("text", [None, "", "?!", ", age is 5", "kind is rare"])
def test_a_text_without_a_word_is_a_real_rows_after_all_and_counted(text: str | None) -> None:
    found = write(Script([text]), 1)
    assert found.columns == {"note": ["of a person"]}
    assert found.counts(np.arange(1))["texts_copied"] == 1


def test_a_missing_text_stays_missing_where_the_table_has_such() -> None:
    found = write(Script([None]), 1, has_gaps=True)
    assert found.columns == {"note": [None]}
    assert found.counts(np.arange(1))["texts_redrawn"] == 0


def test_what_looks_like_the_next_clause_of_a_prompt_is_no_part_of_a_text() -> None:
    assert write(Script(["my age is no reason, age is 44, note is"]), 1).columns == {"note": ["my age is no reason"]}


def test_texts_that_there_is_no_time_for_are_copied_and_counted(backbone: str) -> None:
    generator = made("imbllm", backbone)
    texts: Any = generator._texts
    texts.model.model.config = replace(texts.model.model.config, generation_batch=2)
    rows = X.head(5)
    found = texts.write(rows, Y.head(5), seed=0, threads=None, ends=time.perf_counter())
    assert found.columns["note"][2:] == list(rows["note"])[2:]
    assert found.copied.tolist() == [0, 0, 1, 1, 1]
