"""GReaT learns the whole table in one stage and begins every row with its label."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.language.decoding import RowWriter
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.oversampling.imbllm import GReaT
from imbllm_autogluon.oversampling.methods import load_generator, save_generator
from imbllm_autogluon.oversampling.pred_llm import PredLLMGenerator
from tests.language.pretrained import save_pretrained
from tests.oversampling.tables import expect_legal, labels, mixed, quick

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.oversampling.generator import LanguageGenerator

pytestmark = pytest.mark.usefixtures("uniform_backbone")

X, Y = mixed(120), labels(60, 40, 20)
COUNTS = {"c": 40, "b": 25, "a": 10}


def fitted(
    counts: dict[Any, int] = COUNTS,
    X: pd.DataFrame = X,
    y: pd.Series[Any] = Y,
    seed: int = 0,
    **settings: Any,
) -> GReaT:
    return GReaT(quick(**settings), random_state=seed).fit(X, y, counts)


def noted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[Any]:
    """Arguments of all calls of a method."""
    calls: list[Any] = []
    original = getattr(owner, name)

    @functools.wraps(original)
    def call(*arguments: Any, **options: Any) -> Any:
        calls.append((arguments, options))
        return original(*arguments, **options)

    monkeypatch.setattr(owner, name, call)
    return calls


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"numbers": "digits"},
        {"conditioning": "yx", "condition_pairs": 3},
        {"order": "permute_x"},
        {"column_order_share": 1.0, "temperature": 50.0},
        {"constrained": False},
        {"backbone": "compact_masked"},
        {"pretrain_steps": 0, "steps": 1},
    ],
)
def test_every_class_gets_its_exact_count_of_legal_rows(settings: dict[str, Any]) -> None:
    generator = fitted(**settings)
    rows, written = generator.sample()
    assert written.value_counts().to_dict() == COUNTS
    assert written.name == "class"
    expect_legal(generator, rows, X)


def test_it_learns_every_row_with_its_own_label_whatever_classes_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = noted(monkeypatch, TableLanguageModel, "train")
    generator = fitted({"c": 5})
    ((model, clauses), options) = calls[0]
    expected = model.encoding.encode(generator.schema.encode(X), generator.schema.encode_label(Y))
    np.testing.assert_array_equal(clauses.tokens, expected.tokens)
    assert clauses.present.all()
    assert options["pretrain"] is None


def test_nothing_is_interpolated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imbllm_autogluon.oversampling.generator.interpolate", None)
    generator = fitted(interpolation_ratio=1.0)
    generator.sample()
    assert [entry.interpolated for entry in generator.report.classes] == [0, 0, 0]


def test_prompts_give_the_label_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, original = set(), RowWriter.complete_all

    def noted_batches(self: RowWriter, batches: Any) -> Any:
        prompted = list(batches)
        seen.update((batch.given, int(batch.order[0])) for batch in prompted)
        return original(self, prompted)

    monkeypatch.setattr(RowWriter, "complete_all", noted_batches)
    fitted(conditioning="yx").sample()
    assert seen == {(1, X.shape[1])}


@pytest.mark.parametrize("make", [GReaT, PredLLMGenerator])
@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"pretrain_steps": 3, "steps": 2}, 5),
        ({"pretrain_steps": 0, "steps": 2}, 2),
        ({"pretrain_steps": 3, "steps": 2, "pretrain": "none"}, 5),
        ({"pretrain_steps": 3, "epochs": 2.0, "batch_size": 10}, 16),
    ],
)
def test_the_one_stage_is_as_long_as_both_of_imbllm_or_counts_its_epochs(
    make: type[LanguageGenerator], settings: dict[str, Any], steps: int
) -> None:
    generator = make(quick(**settings), random_state=0).fit(mixed(80), labels(50, 30), {"b": 4})
    assert {name: len(curve) for name, curve in generator.report.losses.items()} == {"whole table": steps}


@pytest.mark.parametrize(("make", "order", "share"), [(GReaT, "permute_xy", 0.0), (PredLLMGenerator, "permute_x", 0.5)])
def test_each_method_has_its_own_order_of_clauses(make: type[LanguageGenerator], order: str, share: float) -> None:
    language = make.learner_class(quick(), 0, None).language(9)
    assert (language.chosen_order, language.column_order_share, language.pretrain) == (order, share, "none")


@pytest.mark.parametrize(
    ("settings", "order"), [({}, "permute_xy"), ({"order": "fix_y"}, "fix_y"), ({"order": "permute_x"}, "permute_x")]
)
def test_clauses_are_learned_in_any_order_unless_the_user_names_one(settings: dict[str, Any], order: str) -> None:
    generator = fitted(**settings)
    assert generator.language_model.config.order == order
    again = generator.with_config(quick(**settings, temperature=1.5), threads=1)
    assert (again.language_model.config.order, again.language_model.config.temperature) == (order, 1.5)


def test_rows_of_every_large_class_judge_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = noted(monkeypatch, TableLanguageModel, "train")
    generator = fitted({"c": 5}, validation_fraction=0.25)
    ((_, clauses), options) = calls[0]
    assert len(options["held_out"].tokens) == 15 + 10 + 5
    assert len(clauses.tokens) == 120 - 30
    learned = {tuple(row.ravel().tolist()) for row in clauses.tokens}
    assert not learned & {tuple(row.ravel().tolist()) for row in options["held_out"].tokens}
    assert generator.report.classes[0].held_out == 5


def test_a_loaded_generator_is_of_the_same_method_and_writes_the_same_rows(tmp_path: Path) -> None:
    generator = fitted(X=X.assign(id=[f"id {i}" for i in range(120)]), validation_fraction=0.2)
    save_generator(generator, tmp_path)
    loaded = load_generator(tmp_path)
    assert type(loaded) is GReaT
    assert loaded.report == generator.report
    for arguments in ({}, {"counts": {"b": 7}, "random_state": 4}):
        pd.testing.assert_frame_equal(loaded.sample(**arguments)[0], generator.sample(**arguments)[0])


def test_it_leaves_no_weights_for_a_warm_start(tmp_path: Path) -> None:
    GReaT(quick(), random_state=0).fit(X, Y, COUNTS, warm_start=tmp_path / "warm.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.real_backbone
def test_classes_told_apart_by_a_column_stay_apart() -> None:
    """A label that means something reaches the rows that are written for it."""
    rng = np.random.default_rng(0)
    y = pd.Series(rng.permutation(np.repeat(["a", "b"], [150, 50])))
    frame = pd.DataFrame({"city": np.where(y == "a", "Oslo", "Narvik"), "noise": rng.integers(0, 500, 200)})
    generator = fitted({"a": 60, "b": 60}, X=frame, y=y, steps=150, pretrain_steps=0, learning_rate=1e-2)
    rows, written = generator.sample()
    assert ((rows["city"] == "Oslo") == (written == "a")).mean() > 0.9


@pytest.mark.parametrize("clauses", ["text", "tokens"])
def test_a_pretrained_backbone_writes_the_whole_table(clauses: str, tmp_path: Path) -> None:
    base = save_pretrained(tmp_path / "base", "gpt2")
    generator = fitted(backbone=str(base), clauses=clauses, device="cpu", generation_batch=16)
    rows, written = generator.sample()
    assert written.value_counts().to_dict() == COUNTS
    expect_legal(generator, rows, X)
