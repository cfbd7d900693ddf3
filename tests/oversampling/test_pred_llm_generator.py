"""Pred-LLM as a generator: exact counts whatever the model answers, and a report of what that took."""

from __future__ import annotations

import itertools
import logging
import pickle
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from skops.io import dump

from imbllm_autogluon.errors import ClassTooSmallError, InvalidInputError, StoredStateError, TableError
from imbllm_autogluon.oversampling.generator import ClassRows
from imbllm_autogluon.oversampling.methods import load_generator, save_generator
from imbllm_autogluon.oversampling.pred_llm import PredLLMGenerator, _CandidateWriter
from tests.oversampling.tables import expect_legal, labels, mixed, quick

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.oversampling.report import ClassReport

pytestmark = pytest.mark.usefixtures("uniform_backbone")

N = 120
X, Y = mixed(N), labels(60, 40, 20)
COUNTS = {"c": 40, "b": 25, "a": 10}
BESIDE = {
    "id": [f"id {i}" for i in range(N)],
    "note": [f"a long text with many words about row {i}" for i in range(N)],
    "one": 1,
    "none": None,
}


def fitted(
    counts: dict[Any, int] = COUNTS, X: pd.DataFrame = X, y: pd.Series[Any] = Y, seed: int = 0, **settings: Any
) -> PredLLMGenerator:
    return PredLLMGenerator(quick(**settings), random_state=seed, threads=1).fit(X, y, counts)


def entries(generator: PredLLMGenerator) -> dict[str, ClassReport]:
    return {entry.label: entry for entry in generator.report.classes}


# Every setting occurs; those that meet in one case do not exclude each other.
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"start": "class", "weighting": "effective", "numbers": "digits"},
        {"weighting": "inverse", "beta": 0.9, "order": "permute_xy", "epochs": 1.0},
        {"focal_gamma": 2.0, "oversampling_cap": 1.5, "instruction": True, "suppression": True},
        {"first_stage": "logistic", "suppression": True, "target_prior": "uniform"},
        {"target_prior": {"a": 0.2, "b": 0.3, "c": 0.5}, "calibration": "bias", "held_out": 0.2},
        {"target_prior": "training", "calibration": "temperature", "decisions": "matched", "answer": "highest"},
        {"first_stage": "boosting", "steps": 0, "warmup_steps": 0},
        {"constrained": False},
    ],
)
def test_every_setting_gives_exact_counts_of_legal_rows_beside_columns_that_nothing_writes(
    settings: dict[str, Any],
) -> None:
    table = X.assign(**BESIDE)
    generator = fitted({"c": 20, "b": 10}, X=table, **settings)
    rows, written = generator.sample()
    assert written.value_counts().to_dict() == {"c": 20, "b": 10}
    assert written.name == "class"
    expect_legal(generator, rows, table)
    for label in ("b", "c"):
        assert set(rows.loc[written == label, "id"]) <= set(table.loc[label == Y, "id"])


def test_the_acceptance_rate_stands_in_the_report() -> None:
    generator = fitted()
    generator.sample()
    for label, n in COUNTS.items():
        entry = entries(generator)[label]
        assert (entry.method, entry.requested, entry.made, entry.by_rank) == ("language model", n, n, 0)
        assert entry.acceptance_rate == n / entry.candidates
        assert 0.02 < entry.acceptance_rate <= 1.0
    assert generator.report.method == "pred_llm"
    assert generator.report.sampling_tokens > 0


def test_where_candidates_run_out_the_most_probable_ones_are_taken_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    generator = fitted({"c": 300, "b": 200}, candidates_per_row=1.0)
    with caplog.at_level(logging.WARNING):
        rows, written = generator.sample()
    assert written.value_counts().to_dict() == {"c": 300, "b": 200}
    assert len(rows.drop_duplicates()) > 450
    rare = entries(generator)["c"]
    assert 0 < rare.by_rank < 300
    assert rare.candidates == 500
    assert rare.acceptance_rate == (300 - rare.by_rank) / 500
    assert len(caplog.messages) == 1
    assert f"{rare.by_rank} of 300 of 'c'" in caplog.text
    assert "Raise candidates_per_row" in caplog.text


def rare_table() -> tuple[pd.DataFrame, pd.Series[Any]]:
    """One class has 6 of 100 rows, and no column tells it."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200), "c": rng.choice(list("uvw"), 200)})
    return frame, pd.Series(rng.permutation(np.where(np.arange(200) < 12, "yes", "no")))


@pytest.mark.real_backbone
def test_a_uniform_target_prior_raises_the_acceptance_of_a_rare_class() -> None:
    rates = []
    for prior in ("training", "uniform", {"yes": 0.8, "no": 0.2}):
        generator = fitted({"yes": 60}, *rare_table(), target_prior=prior, steps=60, learning_rate=1e-2)
        generator.sample()
        rates.append(entries(generator)["yes"].acceptance_rate or 0.0)
    assert rates[0] < 0.2 < 0.35 < rates[1] < rates[2]


@pytest.mark.real_backbone
def test_rows_that_begin_with_values_of_the_class_are_accepted_more_often() -> None:
    """One column tells the class: only rows that begin with it can know."""
    rng = np.random.default_rng(0)
    y = pd.Series(rng.permutation(np.where(np.arange(200) < 20, "yes", "no")))
    table = pd.DataFrame({"city": np.where(y == "yes", "Narvik", "Oslo"), "noise": rng.integers(0, 500, 200)})
    settings = {"steps": 120, "learning_rate": 1e-2}
    rates = {}
    for start in ("table", "class"):
        generator = fitted({"yes": 80}, table, y, start=start, **settings)
        rows, _ = generator.sample()
        rates[start] = entries(generator)["yes"].acceptance_rate or 0.0
        assert (rows["city"] == "Narvik").mean() > 0.8
    assert rates["class"] > 1.5 * rates["table"]


@pytest.mark.real_backbone
def test_the_classes_of_written_rows_are_the_models_own_answers() -> None:
    generator = fitted(answer="highest", steps=60, learning_rate=1e-2)
    rows, written = generator.sample_rows(80)
    model = generator.label_model
    assert model.schema.label is not None
    answers = [model.schema.label.categories[code] for code in model.decide(model.probabilities(rows))]
    assert written.tolist() == answers


def test_any_number_of_rows_is_written_as_the_model_classes_them_and_counted() -> None:
    generator = fitted(X=X.assign(**BESIDE), start="class")
    rows, written = generator.sample_rows(90)
    assert len(rows) == len(written) == 90
    assert {label: entry.made for label, entry in entries(generator).items()} == written.value_counts().to_dict()
    assert {entry.candidates for entry in generator.report.classes} == {90}
    for label in COUNTS:
        assert set(rows.loc[written == label, "id"]) <= {f"id {i}" for i in np.flatnonzero(label == Y)}
    pd.testing.assert_frame_equal(generator.sample_rows(90)[0], rows)
    assert not generator.sample_rows(90, random_state=7)[0].equals(rows)
    assert generator.sample_rows(0)[0].shape == (0, 10)


def test_first_values_come_from_the_whole_table_or_from_the_class_that_lacks_most_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []
    original = _CandidateWriter._pool
    monkeypatch.setattr(
        _CandidateWriter,
        "_pool",
        lambda writer, starts, schema: sizes.append(starts.n_rows) or original(writer, starts, schema),
    )
    generator = fitted({"b": 10, "c": 20}, start="class")
    generator.sample()
    assert set(sizes[:1]) == {20}
    sizes.clear()
    fitted({"b": 10, "c": 20}).sample()
    fitted(start="class").sample_rows(9)
    assert set(sizes) == {N}


def test_a_class_of_one_row_is_refused_and_harmless_where_nobody_wants_it() -> None:
    with pytest.raises(ClassTooSmallError, match=r"class 'c' has 1 row\(s\); at least 2 are needed"):
        fitted({"c": 4}, mixed(61), labels(40, 20, 1))
    assert fitted({"b": 7}, mixed(61), labels(40, 20, 1)).sample()[1].tolist() == ["b"] * 7


@pytest.mark.parametrize("n_rows", [2, 5])
def test_small_classes_are_interpolated_beside_larger_ones(n_rows: int) -> None:
    table, y = mixed(80 + n_rows), labels(60, 20, n_rows)
    generator = fitted({"b": 12, "c": 9}, table, y)
    rows, written = generator.sample()
    assert written.value_counts().to_dict() == {"b": 12, "c": 9}
    assert entries(generator)["c"].method == "interpolation"
    assert entries(generator)["c"].acceptance_rate is None
    expect_legal(generator, rows, table)


@pytest.mark.parametrize(("each", "method"), [(3, "interpolation"), (6, "language model")])
def test_two_hundred_classes_get_their_counts_with_one_line_in_the_log(
    each: int, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    names = [f"k{i:03}" for i in range(200)]
    y = pd.Series(np.repeat(names, each))
    table = pd.DataFrame({"x": rng.normal(size=len(y)), "c": rng.choice(list("uvw"), len(y))})
    counts = dict.fromkeys(names, 3) | {"k007": 11}
    with caplog.at_level(logging.WARNING):
        generator = fitted(counts, table, y)
    assert generator.sample()[1].value_counts().to_dict() == counts
    assert {entry.method for entry in generator.report.classes} == {method}
    if method == "interpolation":
        line = "200 classes have 3 to 3 rows: 'k000', 'k001', 'k002', 'k003', 'k004', ...; their new rows are made by"
        assert caplog.messages == [f"{line} interpolation."]


def test_a_missing_label_is_refused() -> None:
    with pytest.raises(TableError, match="is missing in 1 rows"):
        fitted({"c": 3}, y=Y.mask(Y.index == 4))


@pytest.mark.parametrize("settings", [{}, {"answer": "highest", "start": "class"}])
def test_a_table_that_holds_nearly_every_possible_row_gives_exact_counts(settings: dict[str, Any]) -> None:
    grid = pd.DataFrame(list(itertools.product("abc", "de", [True, False], "fgh")), columns=list("wxyz"))
    y = pd.Series(np.where((grid["w"] == "a") & grid["y"], "yes", "no"))
    generator = fitted({"yes": 30}, grid.iloc[:-1], y.iloc[:-1], **settings)
    rows, written = generator.sample()
    entry = entries(generator)["yes"]
    real = {*map(tuple, grid.iloc[:-1].to_numpy())}
    assert written.tolist() == ["yes"] * 30
    assert sum(tuple(row) in real for row in rows.to_numpy()) == entry.copies_kept > 20
    assert entry.copies_dropped > 30


def test_where_nothing_can_be_written_real_rows_are_repeated() -> None:
    generator = fitted({"c": 8, "b": 2}, pd.DataFrame(BESIDE)[["id", "one"]])
    rows, written = generator.sample()
    assert written.value_counts().to_dict() == {"c": 8, "b": 2}
    assert set(rows["one"]) == {1}
    with pytest.raises(InvalidInputError, match="at least 6 rows"):
        generator.sample_rows(3)
    with pytest.raises(InvalidInputError, match="at least 6 rows"):
        _ = generator.label_model


def unused_class(y: pd.Series[Any]) -> pd.Series[Any]:
    return y.astype(pd.CategoricalDtype(["0 rows", "a", "b", "c", "z"]))


@pytest.mark.parametrize("settings", [{"target_prior": "uniform"}, {"first_stage": "logistic", "calibration": "bias"}])
def test_classes_without_rows_and_odd_indices_change_nothing(settings: dict[str, Any]) -> None:
    odd = pd.Index(["x"] * N)
    generator = fitted({"c": 9}, X.set_axis(odd), unused_class(Y).set_axis(odd), **settings)
    rows, written = generator.sample()
    assert written.dtype == unused_class(Y).dtype
    assert written.tolist() == ["c"] * 9
    pd.testing.assert_frame_equal(rows, fitted({"c": 9}, **settings).sample()[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backbone": "compact_masked"}, "'compact_masked' is a masked language model"),
        ({"order": "fix_y"}, "order='fix_y' writes the class first"),
        ({"target_prior": {"a": 0.5, "b": 0.5}}, r"target_prior names the classes \['a', 'b'\]; the table has"),
    ],
)
def test_what_cannot_answer_for_the_class_is_refused_before_any_training(
    settings: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imbllm_autogluon.language.model.Trainer", None)
    with pytest.raises(InvalidInputError, match=message):
        fitted(steps=900_000, **settings)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    first, again, other = (fitted(seed=seed).sample() for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first[0], again[0])
    pd.testing.assert_series_equal(first[1], again[1])
    assert not first[0].equals(other[0])


@pytest.mark.real_backbone
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"first_stage": "boosting", "suppression": True, "instruction": True, "start": "class", "held_out": 0.2},
        {
            "target_prior": {"a": 0.2, "b": 0.3, "c": 0.5},
            "calibration": "temperature",
            "decisions": "matched",
            "answer": "highest",
        },
    ],
)
def test_a_loaded_generator_writes_the_same_rows(settings: dict[str, Any], tmp_path: Path) -> None:
    generator = fitted(X=X.assign(**BESIDE), **settings)
    save_generator(generator, tmp_path)
    loaded = load_generator(tmp_path)
    assert isinstance(loaded, PredLLMGenerator)
    assert loaded.config == generator.config
    assert loaded.report == generator.report
    for arguments in ({}, {"counts": {"b": 7}, "random_state": 4}):
        pd.testing.assert_frame_equal(loaded.sample(**arguments)[0], generator.sample(**arguments)[0])
    pd.testing.assert_frame_equal(loaded.sample_rows(20)[0], generator.sample_rows(20)[0])
    assert loaded.report.classes == generator.report.classes


def test_a_generator_stored_in_the_place_of_another_has_nothing_of_it(tmp_path: Path) -> None:
    save_generator(fitted(first_stage="logistic"), tmp_path)
    generator = fitted()
    save_generator(generator, tmp_path)
    pd.testing.assert_frame_equal(load_generator(tmp_path).sample()[0], generator.sample()[0])
    assert not list(tmp_path.rglob("*.skops"))


def test_classes_that_are_numpy_numbers_can_be_named_in_a_stored_target_prior(tmp_path: Path) -> None:
    y = (Y == "c").astype("int64")
    shares = dict(zip(np.unique(y), np.array([0.4, 0.6]), strict=True))
    generator = fitted({1: 9}, y=y, target_prior=shares)
    save_generator(generator, tmp_path)
    pd.testing.assert_frame_equal(load_generator(tmp_path).sample()[0], generator.sample()[0])


@pytest.mark.real_backbone
def test_another_temperature_changes_the_rows_and_not_the_model() -> None:
    generator = fitted()
    before = generator.sample()[0]
    warmer = generator.with_config(quick(temperature=5.0), threads=1)
    assert not warmer.sample()[0].equals(before)
    pd.testing.assert_frame_equal(generator.sample()[0], before)
    probabilities = (found.label_model.probabilities(X) for found in (generator, warmer))
    np.testing.assert_array_equal(*probabilities)


def test_columns_that_nothing_writes_come_from_rows_of_the_class_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    original = ClassRows.nearest_copied
    monkeypatch.setattr(
        ClassRows, "nearest_copied", lambda rows, *given: asked.append(rows.real.n_rows) or original(rows, *given)
    )
    fitted({"c": 6, "a": 3}, X=X.assign(**BESIDE)).sample()
    assert sorted(asked) == [20, 60]


@pytest.mark.parametrize("stage", ["boosting", "logistic"])
def test_a_stored_first_stage_of_foreign_make_is_refused_and_runs_nothing(stage: str, tmp_path: Path) -> None:
    save_generator(fitted(first_stage=stage), tmp_path)
    file = next(tmp_path.rglob("first_stage.skops"))
    dump(Scaffold(), file)
    with pytest.raises(StoredStateError, match=r"first_stage\.skops holds .*Scaffold"):
        load_generator(tmp_path)
    file.write_bytes(pickle.dumps(Scaffold()))
    with pytest.raises(StoredStateError, match="no usable generator"):
        load_generator(tmp_path)
    assert not Scaffold.restored


class Scaffold:
    """Notes that it was restored."""

    restored: ClassVar[list[bool]] = []

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.restored.append(True)

    def __getstate__(self) -> dict[str, Any]:
        return {"any": "thing"}
