from __future__ import annotations

import logging
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.classifiers import CLASSIFIERS, TableCoding, fit, scores_of
from benchmarks.ctgan import ctgan
from benchmarks.methods import METHODS, rebalanced
from benchmarks.scores import RARE_CLASS, of_all_classes
from benchmarks.tables import Rows, split_classes
from benchmarks.tests.frames import classes_table
from imbllm_autogluon.errors import MissingDependencyError, TableError

BARELY = {"layers": 1, "width": 16, "pretrain_steps": 0, "steps": 2}
COUNTS = {"rare": 30, "odd": 5}
SPLIT = split_classes(classes_table({"no": 60, "yes": 24}), 0, 0.2, 9)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("GReaT", "Pred-LLM")]


@pytest.mark.parametrize(
    "name", ["none", "class weights", "random oversampling", "SMOTE-NC", "SMOTE on codes", "ImbLLM", *SLOW]
)
def test_every_method_makes_the_wanted_rows_in_the_columns_of_the_real_ones(name: str) -> None:
    settings = BARELY if METHODS[name]["method"] in ("imbllm", "great", "pred_llm") else {}
    rows = rebalanced(SPLIT.real, {"yes": 7}, {**METHODS[name], **settings}, 0, 1)
    added = 0 if name in ("none", "class weights") else 7
    assert rows.y.value_counts().to_dict() == {"no": 48, "yes": 19 + added}
    pd.testing.assert_frame_equal(rows.X.head(67), SPLIT.real.X)
    pd.testing.assert_series_equal(rows.X.dtypes, SPLIT.real.X.dtypes)
    assert (rows.weights is not None) == (name == "class weights")


def test_class_weights_give_every_class_the_same_weight() -> None:
    rows = rebalanced(SPLIT.real, {}, METHODS["class weights"], 0, 1)
    sums = pd.Series(rows.weights).groupby(rows.y).sum()
    assert sums["no"] == pytest.approx(sums["yes"])


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_judges_rows_with_gaps_and_unseen_categories(name: str) -> None:
    X = SPLIT.real.X.assign(amount=SPLIT.real.X["amount"].mask(SPLIT.real.X.index % 5 == 0))
    X.loc[::7, "city"] = None
    test = Rows(SPLIT.test.X.assign(city="Paris"), SPLIT.test.y)
    found = scores_of(Rows(X, SPLIT.real.y), test, X, "yes", 0, name)
    assert list(found) == [metric.name for metric in RARE_CLASS]
    assert 0 < found["ROC AUC"] <= 100


def test_weights_reach_the_classifier() -> None:
    X, y = pd.DataFrame({"x": np.zeros(40)}), np.array([0] * 30 + [1] * 10)
    weights = np.where(y == 1, 9.0, 1.0)
    plain, weighted = (fit("logistic regression", X, y, w, 0).predict_proba(X)[0, 1] for w in (None, weights))
    assert plain == pytest.approx(0.25, abs=0.01)
    assert weighted == pytest.approx(0.75, abs=0.01)


def test_codes_come_back_as_the_categories_that_they_stand_for() -> None:
    X = pd.DataFrame({"age": [61.0, np.nan, 35.0], "city": ["Oslo", np.nan, "Bergen"], "ok": [True, False, True]})
    coding = TableCoding.fit(X)
    assert coding.as_numbers(X)["city"].tolist() == [1, 2, 0]
    pd.testing.assert_frame_equal(coding.from_numbers(coding.as_numbers(X), X), X)


def test_figures_of_all_classes_are_those_computed_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    truth = np.array([0, 0, 1, 1])
    found = of_all_classes(probabilities, probabilities.argmax(axis=1), truth)
    expected = {"rarest, true share": 50.0, "gap": 25.0, "gap, equal classes": 25.0, "ROC AUC": 100.0}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["balanced accuracy"] == 75.0
    assert found["log-loss"] == pytest.approx(-np.log([0.9, 0.9, 0.8, 0.4]).mean())


class StandIn:
    """Draws learned rows of the class asked for, a share of them with another label, and bends the numbers."""

    own = 0.5

    def __init__(self, batch_size: int, patience: int) -> None:
        import torch

        self.batch_size, self.generator = batch_size, torch.nn.BatchNorm1d(2)

    def fit(self, data: pd.DataFrame, discrete_columns: list[str], epochs: int) -> None:
        assert not data.isna().any(axis=None)
        assert discrete_columns[-1] == "label", "the last of the conditions"
        assert epochs * (len(data) // self.batch_size) >= 3000
        self.data = data
        sizes = [data[name].nunique() for name in discrete_columns]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        interval = np.column_stack([starts[:-1], sizes])
        self.cond_generator = SimpleNamespace(interval=interval, n_opt=int(starts[-1]))

    def sample(self, n: int) -> pd.DataFrame:
        assert not self.generator.training
        asked = self.cond_generator.sample_zero(n)
        code = int(asked[0].argmax()) - int(self.cond_generator.interval[-1, 0])
        is_own = (self.data["label"] == code).to_numpy()
        rng = np.random.default_rng(n)
        own, others = (rng.choice(np.flatnonzero(part), n) for part in (is_own, ~is_own))
        drawn = self.data.iloc[np.where(rng.random(n) < self.own, own, others)].reset_index(drop=True).astype(float)
        return drawn.assign(**{name: drawn[name] * 1.3 for name in drawn if name.startswith("number")})


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("_ctgan.synthesizer")
    module._CTGANSynthesizer = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "_ctgan", ModuleType("_ctgan"))
    monkeypatch.setitem(sys.modules, "_ctgan.synthesizer", module)


def mixed() -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Several kinds of columns; a cell tells the class of its row."""
    rng = np.random.default_rng(0)
    y = pd.Series(["often"] * 60 + ["rare"] * 20 + ["odd"] * 10, name="what")
    own = y.map({"often": 0, "rare": 1, "odd": 2})
    X = pd.DataFrame(
        {
            "amount": pd.Series(own * 10 + rng.random(90).round(3)).mask(rng.random(90) < 0.3),
            "visits": (own + rng.integers(0, 3, 90)).astype("int32"),
            "beds": pd.Series(own + 1, dtype="Int64").mask(rng.random(90) < 0.3),
            "city": own.map({0: "Oslo", 1: "Bergen", 2: None}),
            "grade": pd.Categorical(own.map({0: "low", 1: "mid", 2: "high"}), ["low", "mid", "high"], ordered=True),
            "empty": np.full(90, np.nan),
        }
    )
    return X, y


@pytest.mark.usefixtures("stand_in")
def test_rows_of_ctgan_have_the_classes_asked_for_and_the_ranges_of_the_real_ones() -> None:
    X, y = mixed()
    written, labels = ctgan(X, y, COUNTS, seed=0)
    assert labels.tolist() == ["rare"] * 30 + ["odd"] * 5
    pd.testing.assert_series_equal(written.dtypes, X.dtypes)
    assert (written.loc[labels == "rare", "city"] == "Bergen").all()
    assert written.loc[labels == "odd", "city"].isna().all()
    for name in ("amount", "visits", "beds"):
        assert X[name].min() <= written[name].min() <= written[name].max() <= X[name].max()
    assert 0 < written["amount"].isna().sum() < len(written)
    assert written["empty"].isna().all()


@pytest.mark.usefixtures("stand_in")
def test_rows_that_ctgan_labels_otherwise_are_used_in_the_end_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(StandIn, "own", 0.0)
    with caplog.at_level(logging.WARNING):
        written, _ = ctgan(*mixed(), {"odd": 4}, seed=0)
    assert len(written) == 4
    assert "4 of 4 rows of a class carry another label" in caplog.text


def test_ctgan_without_its_package_or_enough_rows_is_refused(monkeypatch: pytest.MonkeyPatch, request: Any) -> None:
    monkeypatch.setitem(sys.modules, "_ctgan.synthesizer", None)
    with pytest.raises(MissingDependencyError, match="pip install --no-deps tabgan"):
        ctgan(*mixed(), COUNTS, seed=0)
    request.getfixturevalue("stand_in")
    X, y = mixed()
    with pytest.raises(TableError, match="at least 10 rows; got 9"):
        ctgan(X.head(9), y.head(9), {"often": 1}, seed=0)
