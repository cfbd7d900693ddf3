"""Held-out rows, free decoding and interrupted fits of the generator."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tqdm.auto

from imbllm_autogluon import ImbLLMOverSampler
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.checkpoints import Checkpoint
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.oversampling import imbllm
from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.oversampling.methods import generator_class, load_generator, save_generator
from tests.language.pretrained import save_pretrained
from tests.oversampling.tables import expect_legal, fitted, labels, mixed, quick

if TYPE_CHECKING:
    from pathlib import Path

X, Y = mixed(120), labels(60, 40, 20)
COUNTS = {"b": 20, "c": 40}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pretrained(tmp_path_factory.mktemp("base"), "gpt2")


def recorded(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[Any]:
    """Arguments of all calls of a function or method."""
    calls: list[Any] = []
    original = getattr(owner, name)

    @functools.wraps(original)
    def call(*arguments: Any, **options: Any) -> Any:
        calls.append((arguments, options))
        return original(*arguments, **options)

    monkeypatch.setattr(owner, name, call)
    return calls


def keys(cells: Any) -> set[Any]:
    return set(cells.row_keys().tolist())


def test_held_out_rows_are_neither_learned_nor_interpolated(monkeypatch: pytest.MonkeyPatch) -> None:
    interpolations = recorded(monkeypatch, imbllm, "interpolate")
    trainings = recorded(monkeypatch, TableLanguageModel, "train")
    generator = fitted(X, Y, COUNTS, validation_fraction=0.25)
    classes = {generator.schema.label.categories[code]: rows for code, rows in generator._table.classes.items()}
    assert {label: rows.held_out for label, rows in classes.items()} == {"b": 10, "c": 5}
    for (_, learned, *_), _ in interpolations:
        rows = classes["b" if learned.n_rows == 30 else "c"]
        kept = keys(rows.real.take(np.arange(rows.held_out)))
        assert keys(learned) == keys(rows.real) - kept
    ((_, clauses), options) = trainings[0]
    sentences = {tuple(row.ravel().tolist()) for row in options["held_out"].tokens}
    assert len(options["held_out"].tokens) == 15
    assert len(clauses.tokens) == 60 - 15 + 60
    assert len(options["pretrain"].tokens) == 120 - 15
    for learned in (clauses, options["pretrain"]):
        assert not sentences & {tuple(row.ravel().tolist()) for row in learned.tokens}


def test_the_report_tells_who_was_held_out_and_the_loss_of_these_rows() -> None:
    generator = fitted(X, Y, COUNTS, validation_fraction=0.25, steps=12)
    report = generator.report
    assert {entry.label: entry.held_out for entry in report.classes} == {"b": 10, "c": 5}
    assert {entry.label: entry.rows for entry in report.classes} == {"b": 40, "c": 20}
    assert list(report.held_out_losses) == ["minority"]
    steps = [step for step, _ in report.held_out_losses["minority"]]
    assert steps[0] == 0
    assert steps[-1] == len(report.losses["minority"])
    assert report.learning == report.parameters > 0
    assert report.loading_seconds > 0
    assert all(speed > 0 for speed in report.tokens_per_second.values())


def test_held_out_rows_still_count_as_copies_and_give_values_to_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = recorded(monkeypatch, imbllm, "PromptPool")
    generator = fitted(X, Y, {"b": 30}, validation_fraction=0.5)
    rows, _ = generator.sample()
    ((_, clauses, n_real, _), _) = pools[0]
    assert (n_real, len(clauses.tokens)) == (40, 70)
    assert not keys(generator.schema.encode(rows)) & keys(generator.schema.encode(X))
    expect_legal(generator, rows, X)


def test_classes_too_small_to_spare_rows_learn_from_all() -> None:
    report = fitted(mixed(79), labels(60, 19), {"b": 20}, validation_fraction=0.5).report
    assert report.classes[0].held_out == 0
    assert report.held_out_losses == {}


@pytest.mark.parametrize(("epochs", "steps"), [(0.01, 1), (1, 4), (2.5, 8)])
def test_epochs_count_the_passes_over_real_and_interpolated_rows(epochs: float, steps: int) -> None:
    generator = fitted(X, Y, {"b": 20}, epochs=epochs, batch_size=16, interpolation_ratio=0.5)
    assert sum(report.interpolated + report.rows for report in generator.report.classes if report.label == "b") == 50
    assert len(generator.report.losses["minority"]) == steps
    assert len(generator.report.losses["warm-up"]) == 2


def test_of_a_large_table_a_choice_is_learned_and_all_rows_of_the_classes_to_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LanguageConfig, "most_learned", 30)
    trainings = recorded(monkeypatch, TableLanguageModel, "train")
    generator = fitted(X, Y, {"c": 45})
    (_, rows), options = trainings[0]
    assert len(options["pretrain"].tokens) == 30
    assert len(rows.tokens) == 20 + 30  # real ones and interpolated ones
    assert len(generator._table.known.hashes) == len(X.drop_duplicates())
    assert max(len(bins.knots) for bins in generator.language_model.vocabulary.bins.values()) == 120  # of all rows
    fitted(X, Y, {"c": 45}, epochs=0.1)
    assert len(trainings[1][1]["pretrain"].tokens) == 120


@pytest.mark.parametrize("method", ["imbllm", "pred_llm"])
def test_training_and_writing_have_bars_that_come_to_their_end(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[tqdm.auto.tqdm] = []

    class Recorded(tqdm.auto.tqdm):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options, file=io.StringIO())
            bars.append(self)

    monkeypatch.setenv("IMBLLM_PROGRESS", "1")
    monkeypatch.setattr(tqdm.auto, "tqdm", Recorded)
    settings = quick(generation_batch=8, candidates_per_row=9.0)
    generator_class(method)(settings, random_state=0).fit(X, Y, {"c": 24}).sample()
    by_name = {bar.desc.rstrip(": "): bar for bar in bars}
    assert all(bar.n == bar.total > 0 for bar in bars)
    assert by_name["imbllm writing"].total >= 24
    assert "imbllm training" in by_name


def test_copied_columns_follow_their_rows_where_some_are_held_out() -> None:
    named = X.assign(id=[f"id {i}" for i in range(120)])
    generator = fitted(named, Y, {"b": 5}, validation_fraction=0.25)
    rows = next(iter(generator._table.classes.values()))
    real = generator.schema.decode(rows.real, rows.copied)
    known = named.set_index("id")
    for _, row in real.iterrows():
        assert row["score"] == pytest.approx(known.loc[row["id"], "score"])


@pytest.mark.parametrize("steps", [1, 3])
def test_free_decoding_reports_what_was_not_legal_and_still_gives_exact_counts(steps: int) -> None:
    generator = fitted(X, Y, COUNTS, constrained=False, steps=steps, pretrain_steps=steps)
    rows, new_labels = generator.sample()
    assert new_labels.value_counts().to_dict() == COUNTS
    expect_legal(generator, rows, X)
    for entry in generator.report.classes:
        assert entry.written_freely == entry.requested + entry.copies_dropped
        assert entry.illegal_share == entry.illegal / entry.written_freely
        assert entry.illegal_share > 0.5


def test_a_trained_model_writes_legal_rows_freely() -> None:
    frame = pd.DataFrame({"p": np.arange(200) % 4 == 0, "q": np.arange(200) % 3})
    generator = fitted(
        frame, labels(150, 50), {"b": 60}, constrained=False, steps=80, pretrain_steps=80, learning_rate=1e-2
    )
    generator.sample()
    share = generator.report.classes[0].illegal_share
    assert share is not None
    assert share < 0.3


def test_constrained_decoding_has_no_illegal_share() -> None:
    generator = fitted(X, Y, COUNTS)
    generator.sample()
    assert [entry.illegal_share for entry in generator.report.classes] == [None, None]


@pytest.mark.parametrize(
    ("clauses", "tuning"),
    [
        *(("text", "lora"), ("tokens", "full"), ("tokens", "top_blocks")),
        pytest.param("tokens", "lora", marks=pytest.mark.exhaustive),
        pytest.param("text", "full", marks=pytest.mark.exhaustive),
        pytest.param("text", "top_blocks", marks=pytest.mark.exhaustive),
    ],
)
def test_a_pretrained_backbone_oversamples_and_survives_storage(
    clauses: str, tuning: str, backbone: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"clauses": clauses, "tuning": tuning, "device": "cpu", "generation_batch": 16}
    generator = fitted(X, Y, COUNTS, backbone=str(backbone), **settings)
    rows, new_labels = generator.sample()
    assert new_labels.value_counts().to_dict() == COUNTS
    expect_legal(generator, rows, X)
    assert {entry.label: entry.held_out for entry in generator.report.classes} == {"b": 4, "c": 2}
    save_generator(generator, tmp_path)
    pd.testing.assert_frame_equal(load_generator(tmp_path).sample()[0], rows)


def test_an_interrupted_fit_goes_on_to_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = fitted(X, Y, COUNTS, validation_fraction=0.2, steps=8).sample()[0]
    monkeypatch.setattr("imbllm_autogluon.language.model.Checkpoint", functools.partial(Checkpoint, every=0.0))
    store = Checkpoint.store

    def killed(self: Checkpoint, stage: str, done: Any, state: Any) -> None:
        store(self, stage, done, state)
        if (stage, done.step) == ("minority", 5):
            raise KeyboardInterrupt

    folder = tmp_path / "progress"
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "store", killed)
        with pytest.raises(KeyboardInterrupt):
            fit(folder)
    assert (folder / "state.json").is_file()
    generator = fit(folder)
    pd.testing.assert_frame_equal(generator.sample()[0], expected)
    assert not folder.exists()


def fit(folder: Path) -> ImbLLM:
    return ImbLLM(quick(validation_fraction=0.2, steps=8), random_state=0).fit(X, Y, COUNTS, checkpoint=folder)


def test_the_language_model_can_be_had_where_there_is_one() -> None:
    assert isinstance(fitted(X, Y, COUNTS).language_model, TableLanguageModel)
    small = fitted(mixed(63), labels(60, 3), {"b": 4})
    with pytest.raises(InvalidInputError, match="has no language model; fit it on a class of at least 6 rows"):
        _ = small.language_model


@pytest.mark.parametrize(("n_rare", "expected"), [(8, 20), (40, 40), (200, 150)])
def test_rare_rows_are_learned_in_as_many_steps_as_there_are_real_ones(n_rare: int, expected: int) -> None:
    X, y = mixed(300), labels(300 - n_rare, n_rare)
    generator = fitted(X, y, {"b": 50}, steps=None, pretrain_steps=1)
    assert len(generator.language_model.curves["minority"].losses) == expected


@pytest.mark.parametrize(
    "settings", [{}, {"settings": {"numbers": "digits"}}, {"method": "pred_llm"}], ids=["bins", "digits", "pred_llm"]
)
def test_a_column_over_many_powers_of_ten_is_written_at_the_scale_of_the_class(settings: dict[str, Any]) -> None:
    rng, rare = np.random.default_rng(0), np.arange(240) < 60
    p = pd.Series(10.0 ** np.where(rare, rng.normal(-9, 1, 240), rng.normal(-3, 1.5, 240)))
    p.iloc[-1] = 50.0
    sampler = ImbLLMOverSampler(random_state=0, pretrain_steps=10, steps=10, **settings)
    written = sampler.fit_resample(pd.DataFrame({"p": p}), rare)[0]["p"][sampler.synthetic_mask_]
    places = [float((p[rare] <= quantile).mean()) for quantile in np.quantile(written, [0.05, 0.25, 0.5, 0.75, 0.95])]
    assert places == pytest.approx([0.05, 0.25, 0.5, 0.75, 0.95], abs=0.15)
    assert written.nunique() > 40
