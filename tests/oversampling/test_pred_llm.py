"""Pred-LLM: candidates with a class each, exact counts whatever the model answers, and a report of what that took."""

from __future__ import annotations

import itertools
import logging
import pickle
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skops.io import dump

from imbllm_autogluon.classification import label_model
from imbllm_autogluon.errors import ClassTooSmallError, InvalidInputError, StoredStateError
from imbllm_autogluon.language.decoding import RowWriter
from imbllm_autogluon.oversampling.filters import KnownRows
from imbllm_autogluon.oversampling.generator import ClassRows, SampleRequest
from imbllm_autogluon.oversampling.methods import load_generator, save_generator
from imbllm_autogluon.oversampling.pred_llm import (
    _LARGEST_ROUND,
    _SMALLEST_ROUND,
    PredLLMGenerator,
    _Acceptance,
    _Candidates,
    _CandidateWriter,
)
from imbllm_autogluon.oversampling.synthesizer import PredLLM
from imbllm_autogluon.tables import EncodedTable
from tests.oversampling.tables import expect_legal, labels, mixed, quick

if TYPE_CHECKING:
    from collections.abc import Iterator
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
        {"target_prior": {"a": 0.2, "b": 0.3, "c": 0.5}, "calibration": "bias", "validation_fraction": 0.2},
        {"target_prior": "training", "calibration": "temperature", "decisions": "matched"},
        {"first_stage": "boosting", "steps": 1, "pretrain_steps": 0},
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
        assert (entry.method, entry.requested, entry.made) == ("language model", n, n)
        assert entry.acceptance_rate == n / entry.candidates
        assert 0.02 < entry.acceptance_rate <= 1.0
    assert generator.report.method == "pred_llm"
    assert generator.report.sampling_tokens > 0


def test_where_candidates_run_out_there_are_fewer_rows_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    generator = fitted({"c": 300, "b": 200}, candidates_per_row=1.0)
    with caplog.at_level(logging.WARNING):
        _, written = generator.sample()
    made = written.value_counts().to_dict()
    assert 0 < made["c"] < 300
    assert 0 < made["b"] <= 200
    rare = entries(generator)["c"]
    assert (rare.requested, rare.made) == (300, made["c"])
    assert 300 <= rare.candidates <= 500
    assert rare.acceptance_rate == made["c"] / rare.candidates
    assert len(caplog.messages) == 1
    assert f"{made['c']} of 300 of 'c'" in caplog.text
    assert "Raise candidates_per_row (1)" in caplog.text


def test_where_no_candidate_is_given_the_class_there_is_no_row_and_columns_that_nothing_writes_do_not_mind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        _CandidateWriter, "_answers", lambda writer, cells, *given: np.zeros(cells.n_rows, dtype=np.int64)
    )
    generator = fitted({"c": 9}, X=X.assign(**BESIDE))
    rows, written = generator.sample()
    assert rows.shape == (0, 10)
    assert len(written) == 0
    assert rows.dtypes.equals(X.assign(**BESIDE).dtypes)
    assert "0 of 9 of 'c'" in caplog.text


def fraud(signal: bool) -> pd.DataFrame:
    """20,000 rows of which 30 are frauds, told by three of five columns, or by none."""
    rng = np.random.default_rng(0)
    is_fraud = rng.permutation(np.arange(20_000) < 30)
    table = pd.DataFrame(rng.normal(size=(20_000, 4)).round(2), columns=list("wxyz"))
    table["c"] = rng.choice(list("abcde"), 20_000)
    if signal:
        told = rng.normal(4.0, 0.5, (30, 2)).round(2)
        table.loc[is_fraud, ["w", "x"]], table.loc[is_fraud, "c"] = told * [1, -1], "e"
    return table.assign(fraud=np.where(is_fraud, "yes", "no"))


@pytest.mark.slow
@pytest.mark.real_backbone
@pytest.mark.parametrize("signal", [True, False])
def test_a_class_of_0_15_percent_gets_its_rows_where_features_tell_it_and_few_where_none_does(signal: bool) -> None:
    synthesizer = PredLLM(random_state=0, threads=1).fit(fraud(signal), "fraud")
    rows = synthesizer.sample_class({"yes": 100})
    if signal:
        assert len(rows) == 100
        assert ((rows["w"] > 2) & (rows["x"] < -2)).mean() > 0.9
    else:
        assert len(rows) < 80
    shares = synthesizer.sample(10_000)["fraud"].value_counts()
    assert 2 <= shares["yes"] <= 45  # 15 expected


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


@pytest.mark.parametrize("settings", [{}, {"start": "class"}])
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


@pytest.mark.real_backbone
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "first_stage": "boosting",
            "suppression": True,
            "instruction": True,
            "start": "class",
            "validation_fraction": 0.2,
        },
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


@pytest.fixture(scope="module")
def generator() -> PredLLMGenerator:
    return PredLLMGenerator(quick(generation_batch=64), random_state=0, threads=1).fit(X, Y, {"c": 5, "b": 5, "a": 5})


def candidates(
    generator: PredLLMGenerator, n: int, seed: int = 0, start: EncodedTable | None = None, **settings: Any
) -> _Candidates:
    """Written with the first values, and the known rows, of `start`; None: with all real rows."""
    table = generator._table
    if start is not None:
        table = replace(table, known=KnownRows.from_cells(start))
    request = SampleRequest(table, quick(generation_batch=64, **settings), seed, threads=1)
    return generator._candidate_writer.candidates(n, request, start)[0]


@pytest.mark.parametrize("n", [1, 7, 300])
def test_exactly_the_wanted_number_of_rows_comes_with_a_class_each(generator: PredLLMGenerator, n: int) -> None:
    asked = candidates(generator, n, seed=3)
    assert (asked.cells.n_rows, asked.answers.shape) == (n, (n,))
    assert asked.answers.max() < 3


def test_prompts_give_one_feature_in_turn_and_never_the_label(
    generator: PredLLMGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: Counter[int] = Counter()
    original = RowWriter.complete_all

    def noted(self: RowWriter, batches: Any) -> Any:
        def looked_at() -> Iterator[Any]:
            for prompts in batches:
                assert prompts.given == 1
                assert X.shape[1] not in prompts.order.tolist()
                given[int(prompts.order[0])] += len(prompts.tokens)
                yield prompts

        return original(self, looked_at())

    monkeypatch.setattr(RowWriter, "complete_all", noted)
    candidates(generator, 240)
    assert given == dict.fromkeys(range(6), 40)


def test_first_values_come_from_the_given_rows(generator: PredLLMGenerator) -> None:
    row = generator.schema.encode(X).take([3])
    asked = candidates(generator, 120, start=row)
    same = [np.isclose(asked.cells.values[j], row.values[j][0]) for j in range(6)]
    gone = asked.cells.missing == row.missing
    assert (np.column_stack(same) & gone).any(axis=1).all()


def test_rows_stand_in_no_order_of_their_first_feature(generator: PredLLMGenerator) -> None:
    """The first rows of a class are taken: in blocks they would all begin with the same column."""
    row = generator.schema.encode(X).take([3])
    asked = candidates(generator, 240, start=row)
    score = np.isclose(asked.cells.values[1], row.values[1][0])
    blocks = [bool(block.any()) for block in np.split(score, 6)]
    assert sum(blocks) > 3


def test_the_highest_answer_is_the_models_decision_and_a_sampled_one_is_drawn(generator: PredLLMGenerator) -> None:
    highest, sampled = (candidates(generator, 400, seed=1, answer=answer) for answer in ("highest", "sampled"))
    probabilities = generator.label_model.probabilities(generator.schema.decode(highest.cells))
    assert highest.answers.tolist() == probabilities.argmax(axis=1).tolist()
    expected = probabilities.mean(axis=0)
    assert np.bincount(sampled.answers, minlength=3) / 400 == pytest.approx(expected, abs=0.08)
    assert len(set(sampled.answers.tolist())) == 3


def test_rows_of_repeated_classes_are_given_classes_so_that_the_table_has_its_own_shares() -> None:
    """A model that was taught `b` 15 times too often, and knows nothing, answers as often: Bayes tells what to keep."""
    table = pd.DataFrame({"p": np.arange(620) % 97, "q": np.tile(list("uvwx"), 155)})
    generator = PredLLMGenerator(quick(calibration="bias"), random_state=0, threads=1).fit(
        table, pd.Series(["a"] * 600 + ["b"] * 20), {"a": 5, "b": 5}
    )
    model, repeats = generator.label_model, np.array([1.0, 1.5])
    assert model.repeats.tolist() == pytest.approx(repeats)
    _, written = generator.sample_rows(4000)
    assert (written == "b").mean() == pytest.approx(20 / 620, abs=0.012)


def test_free_texts_which_nothing_writes_are_not_in_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    table = X.assign(note=[f"a long text with many words about row {i}" for i in range(120)])
    model = PredLLMGenerator(quick(), random_state=0, threads=1).fit(table, Y, {"c": 5})
    present: list[Any] = []
    original = label_model._query_label
    monkeypatch.setattr(
        label_model,
        "_query_label",
        lambda model, rows, *args, **kwargs: present.append(rows.present) or original(model, rows, *args, **kwargs),
    )
    candidates(model, 40)
    assert present[-1].shape == (40, 8)
    assert present[-1].all(axis=0).tolist() == [True] * 6 + [False, True]
    assert not present[-1][:, 6].any()


def test_copies_of_known_rows_are_written_again_and_kept_at_last() -> None:
    table = pd.DataFrame({"p": [False, True] * 40, "q": ["u", "u", "v", "v"] * 20})
    y = labels(50, 30)
    generator = PredLLMGenerator(quick(), random_state=0, threads=1).fit(table, y, {"b": 5})
    request = SampleRequest(generator._table, quick(), 0, threads=1)
    found, counts = generator._candidate_writer.candidates(30, request)
    assert found.cells.n_rows == 30
    assert (counts["copies_kept"], counts["copies_dropped"]) == (0, 30 * (KnownRows.rounds - 1))
    assert counts["tokens"] >= 2 * 30 * KnownRows.rounds


def asked(answers: list[int], first: int = 0) -> _Candidates:
    """Rows numbered from `first`."""
    rows = np.arange(first, first + len(answers))
    cells = EncodedTable((rows.astype(float),), np.zeros((len(answers), 1), dtype=bool))
    return _Candidates(cells, np.array(answers, dtype=np.int64))


def numbers(acceptance: _Acceptance, code: int) -> list[int]:
    return [int(value) for value in acceptance.rows(code).values[0]]


def of(acceptance: _Acceptance, counter: str) -> dict[int, int]:
    return {code: counts[counter] for code, counts in acceptance.counts.items()}


def test_each_class_takes_its_first_rows_and_no_more_than_it_wants() -> None:
    acceptance = _Acceptance({0: 2, 2: 1}, 30)
    acceptance.take(asked([1, 0, 2, 0, 0, 2]), 0)
    assert (numbers(acceptance, 0), numbers(acceptance, 2)) == ([1, 3], [2])
    assert acceptance.neediest is None


def test_candidates_are_counted_until_a_class_has_its_rows() -> None:
    acceptance = _Acceptance({0: 2, 2: 3}, 20)
    acceptance.take(asked([1, 0, 2, 0, 0, 2]), 2)
    acceptance.take(asked([0, 1, 2, 1], first=6), 2)
    assert of(acceptance, "candidates") == {0: 4, 2: 9}


def test_the_neediest_class_is_the_one_that_lacks_most_rows_and_may_still_have_candidates() -> None:
    acceptance = _Acceptance({0: 2, 1: 5, 2: 4}, 3)
    assert acceptance.neediest == 1
    acceptance.take(asked([1, 1, 1]), 1)
    assert acceptance.neediest == 2
    acceptance.take(asked([3] * 29), 2)
    assert acceptance.neediest == 2
    acceptance.take(asked([3]), 2)
    assert acceptance.neediest is None


def test_a_round_is_as_large_as_the_acceptance_so_far_asks_for() -> None:
    acceptance = _Acceptance({0: 1000, 1: 500}, 1000)
    assert acceptance.next_round(0) == 1500
    acceptance.take(asked([0] * 1000 + [1] * 100), 0)
    assert acceptance.next_round(1) == pytest.approx(1.1 * 400 * 11, abs=1)
    assert acceptance.next_round(1, from_class=True) == 800
    acceptance.take(asked([0] * 400_000), 1)
    assert acceptance.next_round(1, from_class=True) == acceptance.next_round(1) == _LARGEST_ROUND
    assert _Acceptance({0: 30}, 1000).next_round(0) == _SMALLEST_ROUND


def test_no_class_has_more_candidates_than_its_limit() -> None:
    acceptance = _Acceptance({0: 300, 1: 1}, 10)
    assert (acceptance.next_round(0), acceptance.next_round(1)) == (301, 20)
    acceptance.take(asked([0] * 300), 0)
    acceptance.take(asked([2] * 20), 1)
    assert acceptance.neediest is None


@settings(max_examples=60)
@given(
    st.dictionaries(st.integers(0, 4), st.integers(1, 40), min_size=1),
    st.floats(1, 30),
    st.integers(0, 10**6),
)
def test_no_class_gets_a_row_of_another_or_one_twice(wanted: dict[int, int], most: float, seed: int) -> None:
    rng, answers = np.random.default_rng(seed), np.zeros(0, dtype=np.int64)
    acceptance = _Acceptance(wanted, most)
    while (code := acceptance.neediest) is not None:
        drawn = rng.choice(5, acceptance.next_round(code), p=[0.6, 0.3, 0.1, 0, 0])
        acceptance.take(asked(drawn.tolist(), first=len(answers)), code)
        answers = np.concatenate([answers, drawn])
    taken = {code: numbers(acceptance, code) for code in wanted}
    assert {code: len(rows) + acceptance.missing[code] for code, rows in taken.items()} == wanted
    assert len(answers) <= most * sum(wanted.values())
    for code, rows in taken.items():
        assert rows == np.flatnonzero(answers == code)[: wanted[code]].tolist()
        assert len(rows) <= acceptance.counts[code]["candidates"] <= len(answers)


class EvenNumbers:
    """Refuses rows of even numbers."""

    def rejects(self, rows: EncodedTable) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return rows.values[0] % 2 == 0


def test_rows_too_near_to_real_ones_of_their_class_are_not_taken() -> None:
    acceptance = _Acceptance({0: 2, 2: 1}, 30, near={0: EvenNumbers()})
    acceptance.take(asked([0, 0, 0, 0, 2, 0, 0]), 0)
    assert (numbers(acceptance, 0), numbers(acceptance, 2)) == ([1, 3], [4])
    assert of(acceptance, "near_copies_dropped") == {0: 2, 2: 0}  # the last candidate came when all rows were there
    assert of(acceptance, "candidates") == {0: 4, 2: 5}
