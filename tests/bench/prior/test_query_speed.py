from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.bench.prior import query_speed
from imbllm_autogluon.bench.prior.query_speed import describe, measure
from imbllm_autogluon.errors import InvalidInputError
from tests.jobs.fits import mixed_table
from tests.language.pretrained import save_pretrained

if TYPE_CHECKING:
    from pathlib import Path

FIGURES = {
    "query s": 0.4, "decoding s": 20.0, "generate s": 19.6, "x decoding": 50.0, "x generate": 49.0,
    "same, decoding": 1.0, "same, generate": 0.95, "prompt tokens": 51.0, "rows": 1000.0, "one by one": 20.0,
}  # fmt: skip


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of three columns and classes in place of the packaged one."""
    table = mixed_table({"never": 60, "not often": 30, "often": 30})
    monkeypatch.setattr(
        "imbllm_autogluon.datasets.load_hypothyroid", lambda: (table.drop(columns="label"), table["label"])
    )


@pytest.mark.usefixtures("_small")
def test_a_row_is_decoded_as_the_class_that_the_query_finds_and_generate_is_free() -> None:
    figures = measure(rows=60, one_by_one=20, steps=20)
    assert set(figures) == set(FIGURES)
    assert figures["same, decoding"] == 1.0
    assert 0 <= figures["same, generate"] <= 1
    assert (figures["rows"], figures["one by one"]) == (60.0, 20.0)


@pytest.mark.usefixtures("_small")
def test_generate_reads_the_prompts_that_the_query_reads() -> None:
    X, y = query_speed._packaged(30, 1)
    model = query_speed._fitted(X, y, {"warmup": "none", "steps": 20, "random_state": 0, "threads": 1})
    asked = query_speed._Questions.of(model, X)
    language_model: Any = model.language_model._backbone.model
    with torch.inference_mode():
        logits = [language_model(input_ids=torch.tensor([ids])).logits[0, -1, asked.values[:, 0]] for ids in asked.ids]
    shares = torch.log_softmax(torch.stack(logits).double(), dim=1).numpy()
    np.testing.assert_allclose(shares, model.log_probabilities(X), atol=1e-5)
    assert np.ptp(shares, axis=0).max() > 1e-3, "rows are told apart"


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("classes", [0, 1])
def test_answers_of_generate_are_compared_with_the_classes_of_the_query(
    monkeypatch: pytest.MonkeyPatch, classes: int
) -> None:
    fitted = query_speed._fitted

    def answering(X: Any, y: Any, settings: dict[str, Any]) -> Any:
        """A model whose generate writes the most likely class, or the next one."""
        model = fitted(X, y, settings)
        language_model: Any = model.language_model._backbone.model
        values = query_speed._Questions.of(model, X.iloc[:1]).values

        def generate(input_ids: torch.Tensor, **_: Any) -> torch.Tensor:
            best = int(language_model(input_ids=input_ids).logits[0, -1, values[:, 0]].argmax())
            return torch.cat([input_ids, torch.tensor([values[(best + classes) % len(values)].tolist()])], dim=1)

        monkeypatch.setattr(language_model, "generate", generate)
        return model

    monkeypatch.setattr(query_speed, "_fitted", answering)
    assert measure(rows=20, one_by_one=20, steps=20)["same, generate"] == 1 - classes


@pytest.mark.usefixtures("_small")
def test_seconds_are_those_of_a_thousand_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = query_speed._timed
    monkeypatch.setattr(query_speed, "_timed", lambda work, n_rows: (0.5, timed(work, n_rows)[1]))
    figures = measure(rows=50, one_by_one=10, steps=1)
    assert figures["query s"] == pytest.approx(10.0)
    assert figures["decoding s"] == figures["generate s"] == pytest.approx(50.0)
    assert figures["x decoding"] == figures["x generate"] == pytest.approx(5.0)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("clauses", ["tokens", "text"])
def test_a_pretrained_backbone_decodes_the_class_that_the_query_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clauses: str
) -> None:
    fitted = query_speed._fitted
    monkeypatch.setattr(query_speed, "_fitted", lambda X, y, settings: fitted(X, y, {**settings, "clauses": clauses}))
    figures = measure(str(save_pretrained(tmp_path, "llama")), rows=8, one_by_one=4, steps=1)
    assert figures["same, decoding"] == 1.0
    assert figures["prompt tokens"] > 4


@pytest.mark.parametrize(("rows", "one_by_one"), [(10, 11), (10, 0), (10_000, 10)])
def test_rows_that_the_table_does_not_have_are_refused(rows: int, one_by_one: int) -> None:
    with pytest.raises(InvalidInputError, match="rows must be at most 3163 and one_by_one from 1 to rows"):
        measure(rows=rows, one_by_one=one_by_one)


def test_the_text_says_how_fast_and_whether_that_is_enough() -> None:
    text = describe(FIGURES, "models/tiny", 2)
    assert text.startswith(
        "Label of 1,000 rows of the packaged table on tiny, 2 thread(s), prompts of 51 tokens: 0.40 s"
    )
    assert "(127,500 tokens/s) in batches, measured on 1,000 rows; 20 rows one by one" in text
    lines = text.splitlines()[-2:]
    assert lines[0].endswith("20.0 s (2,550 tokens/s), 50.0 times as long (reached); 100 % same answers")
    assert lines[1].endswith("19.6 s (2,602 tokens/s), 49.0 times as long (NOT reached); 95 % same answers")
