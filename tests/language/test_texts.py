"""Texts that a causal model writes behind prompts: budget, end, seed, memory, what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.encoding import PromptVocabulary
from imbllm_autogluon.encoding.values import WrittenTextCoding
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language import texts as module
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.decoding import _ConstrainedDecoder
from imbllm_autogluon.language.texts import TextModel
from tests.language.pretrained import tokenizer

if TYPE_CHECKING:
    from pathlib import Path

PROMPTS = [f"bought is {answer}, visits is {n}" for answer in ("yes", "no") for n in range(12)]
GOOD, BAD = "city is Oslo.", "visits is missing"
REVIEWS = [GOOD] * 12 + [BAD] * 12
NOTES = [None if n % 2 else "balance" for n in range(24)]


def fitted(folder: Path, texts: Any = None, longest: int = 16, **settings: Any) -> TextModel:
    config = {"steps": 2, "batch_size": 8, "device": "cpu", "validation_fraction": 0.0, **settings}
    model = TextModel(LanguageConfig(backbone=str(folder), **config), seed=0)
    return model.fit(PROMPTS, texts or {"review": REVIEWS}, longest=longest)


@pytest.fixture(scope="module")
def learned(pretrained_llama: Path) -> TextModel:
    return fitted(pretrained_llama, {"review": REVIEWS, "note": NOTES}, steps=60, learning_rate=2e-2)


def test_texts_are_learned_with_what_the_prompt_says_and_with_their_gaps(learned: TextModel) -> None:
    found = learned.write(PROMPTS, seed=1)
    right = [own == other for own, other in zip(found["review"], REVIEWS, strict=True)]
    assert np.mean(right) > 0.7
    assert None not in found["review"]  # none was missing
    assert {None, "balance"} <= set(found["note"])


def test_the_seed_says_which_texts_are_written_also_by_a_stored_model(learned: TextModel, tmp_path: Path) -> None:
    found = learned.write(PROMPTS, seed=1)
    assert learned.write(PROMPTS, seed=1) == found != learned.write(PROMPTS, seed=2)
    learned.save(tmp_path / "model")
    assert TextModel.load(tmp_path / "model").write(PROMPTS, seed=1) == found


def test_texts_end_within_their_budget_at_a_whole_word_and_are_never_empty(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, read, seen = fitted(folder, longest=6), WrittenTextCoding.texts, []

    def watched(self: WrittenTextCoding, tokens: Any) -> list[str | None]:
        seen.extend((tokens >= 0).sum(axis=1).tolist())
        return read(self, tokens)

    monkeypatch.setattr(WrittenTextCoding, "texts", watched)
    assert all(model.write(PROMPTS, seed=0)["review"])
    assert max(seen) == 6


def test_texts_hold_nothing_but_tokens_of_texts_and_frequent_words(pretrained_llama: Path) -> None:
    own = tokenizer("apart")
    vocabulary = PromptVocabulary.fit(own, ["a is 7\n"], {"note": ["city."]}, 8)
    written = {own.decode([token]) for token in vocabulary.token_ids[2 : vocabulary.n_written + 1]}
    assert "." in written
    assert all(text == "." or text.strip(" ").isalpha() for text in written)
    found = fitted(pretrained_llama).write(PROMPTS, seed=3)["review"]
    assert not any("\n" in text or "7" in text for text in found if text)


def test_few_texts_are_written_at_once_and_all_of_them_come(
    learned: TextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, complete = [], _ConstrainedDecoder.complete

    def counted(self: _ConstrainedDecoder, prompts: Any) -> Any:
        sizes.append(len(prompts.tokens))
        return complete(self, prompts)

    monkeypatch.setattr(_ConstrainedDecoder, "complete", counted)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 10)
    assert len(learned.write(PROMPTS, seed=1)["note"]) == len(PROMPTS)
    assert sizes == [10, 10, 4]


def test_tokens_come_from_the_nucleus_alone() -> None:
    decoder = object.__new__(_ConstrainedDecoder)
    decoder.temperature, decoder.generator = 1.0, torch.Generator().manual_seed(0)
    shares = torch.tensor([[0.5, 0.04, 0.46]]).log().repeat(2000, 1)
    counts = torch.bincount(decoder._draw_from_nucleus(shares), minlength=3) / 2000
    assert counts[1] == 0
    assert abs(counts[0] - 0.5 / 0.96) < 0.04


def test_rows_held_out_are_judged_and_not_learned(pretrained_gpt2: Path) -> None:
    config = LanguageConfig(backbone=str(pretrained_gpt2), steps=2, batch_size=4, device="cpu")
    held_out = np.arange(24) % 6 == 0
    model = TextModel(config, seed=0).fit(PROMPTS, {"review": REVIEWS}, held_out=held_out)
    curve = model.model.curves["texts"]
    assert [step for step, _ in curve.held_out] == [0, 1, 2]


def test_a_compact_backbone_writes_no_texts(pretrained_gpt2: Path) -> None:
    vocabulary = PromptVocabulary.fit(tokenizer(), PROMPTS, {"review": REVIEWS}, 8)
    with pytest.raises(InvalidInputError, match="texts are written by pretrained backbones"):
        module.TableLanguageModel(vocabulary, LanguageConfig(), seed=0)
