"""Whole tables: the form of the learned one, shares of the classes, seeds, and answers for classes by Pred-LLM."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import ClassTooSmallError, InvalidInputError, TableError
from imbllm_autogluon.oversampling import GeneratorConfig, PredLLM
from imbllm_autogluon.oversampling.imbllm import GReaT, ImbLLM
from imbllm_autogluon.oversampling.synthesizer import TableSynthesizer, write_rows
from imbllm_autogluon.tables.labeled import LabeledTable
from tests.oversampling.tables import labels, mixed, quick

pytestmark = pytest.mark.usefixtures("uniform_backbone")


def table(*counts: int, dtype: str = "object") -> pd.DataFrame:
    frame = mixed(sum(counts))
    frame.insert(2, "class", labels(*counts).astype(dtype))
    return frame


def fitted(frame: pd.DataFrame, method: str = "great", seed: int = 0, **settings: Any) -> TableSynthesizer:
    return TableSynthesizer(method, quick(**settings), random_state=seed).fit(frame, "class")


def asking(frame: pd.DataFrame, **settings: Any) -> PredLLM:
    return PredLLM(quick(**settings), random_state=0, threads=1).fit(frame, "class")


@pytest.mark.parametrize(
    ("method", "dtype"),
    [
        *(("great", "object"), ("great", "category"), ("great", "string"), ("imbllm", "category")),
        ("pred_llm", "string"),
        pytest.param("imbllm", "object", marks=pytest.mark.exhaustive),
        pytest.param("imbllm", "string", marks=pytest.mark.exhaustive),
        pytest.param("pred_llm", "object", marks=pytest.mark.exhaustive),
        pytest.param("pred_llm", "category", marks=pytest.mark.exhaustive),
    ],
)
def test_a_written_table_has_the_form_and_the_shares_of_the_learned_one(method: str, dtype: str) -> None:
    frame = table(60, 30, 10, dtype=dtype)
    written = fitted(frame, method).sample(50)
    assert written.dtypes.to_dict() == frame.dtypes.to_dict()
    assert list(written.columns) == list(frame.columns)
    assert written["class"].value_counts().to_dict() == {"a": 30, "b": 15, "c": 5}
    assert written.index.tolist() == list(range(50))


@pytest.mark.parametrize("n", [0, 1, 77])
def test_a_table_with_the_models_own_classes_has_the_form_of_the_learned_one(n: int) -> None:
    frame = table(60, 30, 10, dtype="string")
    written = asking(frame).sample(n)
    assert written.dtypes.to_dict() == frame.dtypes.to_dict()
    assert list(written.columns) == list(frame.columns)
    assert written.index.tolist() == list(range(n))
    assert not written["class"].isna().any()


@pytest.mark.parametrize(("n", "expected"), [(0, {}), (1, {"a": 1}), (7, {"a": 4, "b": 2, "c": 1}), (203, None)])
def test_any_number_of_rows_can_be_written(n: int, expected: dict[str, int] | None) -> None:
    frame = table(60, 30, 10)
    written = fitted(frame).sample(n)
    assert len(written) == n
    assert written.dtypes.to_dict() == frame.dtypes.to_dict()
    if expected is not None:
        assert written["class"].value_counts().to_dict() == expected


@pytest.mark.parametrize("n_given", [0, 2])
def test_a_file_gets_no_row_of_another_class_and_where_none_is_left_an_error_says_why(
    n_given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of 24 candidates are given the class."""
    monkeypatch.setattr(
        "imbllm_autogluon.oversampling.pred_llm._CandidateWriter._answers",
        lambda writer, cells, *given: (np.arange(cells.n_rows) < n_given).astype(np.int64),
    )
    settings = {**quick().flat(), "method": "pred_llm", "candidates_per_row": 4.0}
    train = LabeledTable.from_frame(table(60, 12), "class", "rows")
    if not n_given:
        with pytest.raises(InvalidInputError, match=r"no row was written.*0 of 6 asked for.*Raise candidates_per_row"):
            write_rows(train, {"b": 6}, settings)
        return
    rows, report = write_rows(train, {"b": 6}, settings)
    assert rows["class"].tolist() == ["b", "b"]
    assert (report.classes[0].requested, report.classes[0].made) == (6, 2)


def test_classes_stand_in_no_order() -> None:
    written = fitted(table(60, 60)).sample(60)["class"]
    assert (written.to_numpy()[1:] != written.to_numpy()[:-1]).sum() > 15


def test_rows_of_chosen_classes_come_in_exact_numbers() -> None:
    written = fitted(table(60, 30, 10)).sample_class({"c": 12, "a": 3})
    assert written["class"].tolist() == ["c"] * 12 + ["a"] * 3


def test_a_sample_repeats_unless_it_is_given_a_seed_of_its_own() -> None:
    frame = table(60, 30)
    synthesizer, again = fitted(frame), fitted(frame)
    pd.testing.assert_frame_equal(synthesizer.sample(30), again.sample(30))
    pd.testing.assert_frame_equal(synthesizer.sample(30, random_state=3), again.sample(30, random_state=3))
    assert not synthesizer.sample(30).equals(synthesizer.sample(30, random_state=3))
    generators = np.random.default_rng(8), np.random.default_rng(8)
    pd.testing.assert_frame_equal(*(synthesizer.sample(30, random_state=rng) for rng in generators))


def test_the_learned_table_is_not_modified_and_a_label_may_be_a_number() -> None:
    frame = table(40, 20).rename(columns={"class": 3})
    before = frame.copy(deep=True)
    written = TableSynthesizer(settings=quick(), random_state=0).fit(frame, 3).sample(9)
    pd.testing.assert_frame_equal(frame, before)
    assert list(written.columns) == list(frame.columns)


def test_classes_without_rows_are_not_written() -> None:
    frame = table(40, 20)
    frame["class"] = frame["class"].astype(pd.CategoricalDtype(["none", "a", "b"]))
    written = fitted(frame).sample(12)
    assert written["class"].value_counts().to_dict() == {"a": 8, "b": 4, "none": 0}
    assert written["class"].dtype == frame["class"].dtype


def test_its_generator_is_of_the_wanted_method_and_its_report_is_the_generators() -> None:
    assert type(TableSynthesizer("imbllm").generator) is ImbLLM
    synthesizer = fitted(table(40, 20))
    synthesizer.sample(6)
    assert type(synthesizer.generator) is GReaT
    assert synthesizer.report == synthesizer.generator.report
    assert sum(entry.made for entry in synthesizer.report.classes) == 6


@pytest.mark.parametrize("synthesizer", [TableSynthesizer, PredLLM])
def test_settings_are_a_mapping_or_a_configuration_and_listed_by_help(synthesizer: Any) -> None:
    config = GeneratorConfig.from_flat({"steps": 3})
    assert (
        synthesizer(settings={"steps": 3}).generator.config == synthesizer(settings=config).generator.config == config
    )
    with pytest.raises(InvalidInputError, match="did you mean 'steps'"):
        synthesizer(settings={"stepz": 3})
    with pytest.warns(FutureWarning, match="config is called settings now"):
        assert synthesizer(config=config).generator.config == config
    assert "k_neighbors : int (1 to 1,000), default=5" in str(PredLLM.__doc__)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda: TableSynthesizer("pred_lm"), InvalidInputError, "did you mean 'pred_llm'"),
        (lambda: TableSynthesizer("gret"), InvalidInputError, "did you mean 'great'"),
        (lambda: TableSynthesizer().sample(3), InvalidInputError, "seen no table yet"),
        (lambda: PredLLM().sample(3), InvalidInputError, "seen no table yet"),
        (lambda: PredLLM().predict_proba(table(3)), InvalidInputError, "seen no table yet"),
        (lambda: asking(table(20, 9)).sample(2.5), InvalidInputError, "n must be a whole number"),
        (lambda: asking(table(20, 9), backbone="compact_masked"), InvalidInputError, "masked language model"),
        (lambda: TableSynthesizer().sample_class({"a": 3}), InvalidInputError, "seen no table yet"),
        (lambda: fitted(table(20, 9)).sample(-1), InvalidInputError, "n must be a whole number"),
        (lambda: fitted(table(20, 9)).sample_class({"z": 1}), InvalidInputError, "the label 'z'"),
        (
            lambda: fitted(table(20, 9).rename(columns={"class": "clas"})),
            TableError,
            r"no label column 'class' \(did you mean 'clas'\?\)",
        ),
        (lambda: fitted(table(20, 1)), ClassTooSmallError, "class 'b' has 1 row"),
        (lambda: fitted(table(20, 9).assign(**{"class": [None] + ["a", "b"] * 14})), TableError, "missing in 1 row"),
        (lambda: fitted(table(20, 9)[["class"]]), TableError, "no column besides the label"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(use: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        use()


@pytest.mark.real_backbone
def test_class_shares_are_near_the_learned_ones_and_follow_a_target_prior() -> None:
    frame = table(140, 60)
    settings = {"steps": 60, "learning_rate": 1e-2}
    rare = {
        prior: (asking(frame, target_prior=prior, **settings).sample(400)["class"] == "b").mean()
        for prior in (None, "uniform")
    }
    assert rare[None] == pytest.approx(0.3, abs=0.1)
    assert rare["uniform"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.real_backbone
def test_a_label_that_a_column_tells_is_told_by_the_written_rows_too() -> None:
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(["a", "b"], [120, 80]))
    frame = pd.DataFrame({"city": np.where(y == "a", "Oslo", "Narvik"), "x": rng.normal(size=200), "class": y})
    synthesizer = asking(frame, steps=150, learning_rate=1e-2)
    written = synthesizer.sample(200)
    assert ((written["city"] == "Oslo") == (written["class"] == "a")).mean() > 0.95
    answered = synthesizer.predict_proba(frame)
    assert (answered.idxmax(axis=1) == y).mean() > 0.95
    assert set(written["class"]) == {"a", "b"}


@pytest.mark.real_backbone
def test_asking_for_the_class_of_written_rows_gives_the_class_they_were_written_with() -> None:
    synthesizer = asking(table(60, 30, 10), answer="highest", steps=40, learning_rate=1e-2)
    written = synthesizer.sample(60)
    assert synthesizer.predict_proba(written).idxmax(axis=1).tolist() == written["class"].tolist()


def test_probabilities_stand_in_the_index_of_the_rows_and_need_no_label_and_no_texts() -> None:
    frame = table(60, 30, 10).assign(note=[f"a long text with many words about row {i}" for i in range(100)])
    synthesizer = asking(frame)
    rows = frame.set_index(pd.Index([f"r{i}" for i in range(100)])).iloc[::3]
    found = synthesizer.predict_proba(rows)
    assert found.index.equals(rows.index)
    assert sorted(found.columns) == ["a", "b", "c"]
    assert found.sum(axis=1).to_numpy() == pytest.approx(np.ones(len(rows)))
    pd.testing.assert_frame_equal(synthesizer.predict_proba(rows.drop(columns="class")), found)
    assert synthesizer.predict_proba(rows.drop(columns="note")).shape == found.shape
    strange = rows.assign(city="Atlantis")
    assert np.isfinite(synthesizer.predict_proba(strange).to_numpy()).all()
    with pytest.raises(TableError, match="city"):
        synthesizer.predict_proba(rows.drop(columns="city"))


def test_classes_too_small_for_a_language_model_have_the_shares_of_the_table() -> None:
    synthesizer = asking(table(4, 2))
    assert synthesizer.sample(9)["class"].value_counts().to_dict() == {"a": 6, "b": 3}
    with pytest.raises(InvalidInputError, match="at least 6 rows"):
        synthesizer.predict_proba(table(4, 2))


def test_a_small_class_beside_large_ones_is_learned_and_answered_too() -> None:
    synthesizer = asking(table(60, 30, 3))
    assert sorted(synthesizer.predict_proba(table(5, 5)).columns) == ["a", "b", "c"]
    assert len(synthesizer.sample(500)) == 500
    assert synthesizer.sample_class({"c": 4})["class"].tolist() == ["c"] * 4


@pytest.mark.parametrize("label", [None, ("class", 0)])
def test_columns_and_label_of_any_name_keep_it(label: Any) -> None:
    frame = table(60, 30, 10)
    names = [label if name == "class" else (name, 1) for name in frame.columns]
    frame = frame.set_axis(pd.Index(names, tupleize_cols=False), axis=1)
    synthesizer = PredLLM(quick(), random_state=0, threads=1).fit(frame, label)
    written = synthesizer.sample(5)
    assert list(written.columns) == list(frame.columns)
    assert synthesizer.predict_proba(frame.head(3)).shape == (3, 3)
