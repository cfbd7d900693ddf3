"""The classifier on whatever users hand over: it works and says how, or refuses with the reason."""

from __future__ import annotations

import logging
import pickle
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier

from imbllm_autogluon.errors import InvalidInputError, TableError
from tests.classification.tables import QUICK, classifier, mixed, noise

if TYPE_CHECKING:
    from imbllm_autogluon.classification import LanguageModelClassifier

X, Y = mixed()
TEXTS = [f"a good word {i} here and {i * 7} there it is" for i in range(120)]
ALL: dict[str, Any] = {
    "weighting": "effective",
    "focal_gamma": 1.0,
    "oversampling_cap": 3,
    "instruction": True,
    "suppression": True,
    "first_stage": "logistic",
    "target_prior": "training",
    "calibration": "temperature",
    "decisions": "matched",
}
"""Every counter-measure at once."""


@pytest.fixture(scope="module")
def fitted() -> LanguageModelClassifier:
    return classifier().fit(X, Y)


def shares(probabilities: np.ndarray) -> None:
    assert np.isfinite(probabilities).all()
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(probabilities)))


def test_a_class_that_a_column_tells_is_learned_with_and_without_measures() -> None:
    frame = pd.DataFrame({"sort": np.where(Y == "yes", "p", "q"), "income": X["income"]})
    for settings in ({}, {**ALL, "first_stage": "none"}):
        fitted = classifier(steps=60, **settings).fit(frame, Y)
        assert fitted.classes_.tolist() == ["no", "yes"]
        assert fitted.score(frame, Y) == 1.0


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series(np.arange(120) % 3),
        pd.Series(np.arange(120) % 2 == 0),
        pd.Series(np.arange(120) % 2 + 0.0),
        (np.arange(120) % 2).astype("int8"),
        Y.astype("category"),
        Y.astype(pd.CategoricalDtype(["yes", "never", "no"], ordered=True)),
        Y.astype("string"),
        Y.tolist(),
        pd.Series(np.arange(120) % 2).astype("Int64"),
        pd.Series(pd.to_datetime(np.where(Y == "yes", "2020-01-01", "2020-01-02"))),
        pd.Series(np.arange(120) % 2 - 5).set_axis(np.arange(500, 620)),
    ],
    ids=lambda labels: type(labels).__name__ + str(getattr(labels, "dtype", "")),
)
def test_labels_of_any_dtype_are_told_apart_in_the_order_of_the_classes(labels: Any) -> None:
    truth = np.asarray(labels)
    frame = pd.DataFrame({"code": [f"c{np.unique(truth).tolist().index(value)}" for value in truth.tolist()]})
    frame["income"] = X["income"]
    fitted = classifier(steps=40).fit(frame, labels)
    probabilities = fitted.predict_proba(frame)
    shares(probabilities)
    assert (fitted.classes_ == np.unique(truth)).all()
    assert (fitted.predict(frame) == truth).mean() > 0.95
    assert (fitted.classes_[probabilities.argmax(axis=1)] == truth).mean() > 0.95


@pytest.mark.parametrize(
    "labels",
    [
        Y.mask(np.arange(120) == 3),
        Y.mask(np.arange(120) == 3).to_numpy(),
        [None, *Y.tolist()[1:]],
        np.where(np.arange(120) == 3, np.nan, np.arange(120) % 2),
        pd.Series(np.arange(120) % 2).astype("Int64").mask(np.arange(120) == 3),
        Y.astype("category").mask(np.arange(120) == 3),
    ],
    ids=lambda labels: type(labels).__name__ + str(getattr(labels, "dtype", "")),
)
def test_a_missing_label_is_refused_with_the_number_of_rows(labels: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"the label is missing .* in 1 rows; drop them"):
        classifier().fit(X, labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"] * 120, "y holds one class, .*'a'.*; a classifier needs at least 2 classes"),
        (np.random.default_rng(0).normal(size=120), "Unknown label type"),
        (np.where(np.arange(120) == 3, np.inf, 1.0), "the label is infinite"),
        (Y[:50], "same number of rows; got 120 and 50"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, labels)


def test_many_noisy_rows_help_few_clean_ones() -> None:
    few, many, unseen = mixed(16, 2), mixed(400, 2, seed=1), mixed(300, 2, seed=2)
    flipped = many[1].where(np.random.default_rng(0).random(400) > 0.3, many[1].map({"yes": "no", "no": "yes"}))
    scores = [classifier(steps=80).fit(*few, noisy=noisy).score(*unseen) for noisy in (None, (many[0], flipped))]
    assert scores[1] > scores[0] + 0.02


@pytest.mark.parametrize(
    ("noisy", "message"),
    [
        ((X[["income"]], Y), "the noisy rows have no column"),
        ((X, Y.mask(Y == "no", "maybe")), "the noisy labels hold 'maybe', which no label of y is"),
        ((X, Y[:5]), "noisy must be rows and as many labels, one or more; got 120 and 5"),
    ],
)
def test_noisy_rows_of_another_form_are_refused(noisy: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        classifier().fit(X, Y, noisy=noisy)


def test_more_than_a_thousand_classes_are_taken_for_a_number() -> None:
    with pytest.raises(InvalidInputError, match="1001 classes; at most 1000"):
        classifier().fit(pd.DataFrame({"a": np.arange(3003.0)}), np.arange(3003) % 1001)


@pytest.mark.parametrize("measures", [{}, ALL])
def test_a_class_with_one_row_is_learned_and_not_held_out(measures: dict[str, Any]) -> None:
    y = Y.mask(np.arange(120) == 3, "lonely")
    fitted = classifier(**measures).fit(X, y)
    shares(fitted.predict_proba(X))
    assert fitted.classes_.tolist() == ["lonely", "no", "yes"]
    kept = fitted.model_._kept(fitted.model_.encoder.plain.encode_label(y))
    assert not kept[3]
    assert kept.any() == bool(measures)


@pytest.mark.parametrize("measures", [{}, {**ALL, "target_prior": "uniform"}])
def test_two_hundred_classes_of_three_rows_are_told_apart(measures: dict[str, Any]) -> None:
    y = np.repeat([f"c{i}" for i in range(200)], 3)
    frame = pd.DataFrame({"a": np.repeat(np.arange(200.0), 3), "b": np.repeat([f"k{i % 50}" for i in range(200)], 3)})
    if measures:  # the first stage is fitted three times
        frame, y = frame.iloc[:90], y[:90]
    fitted = classifier(steps=150, **measures).fit(frame, y)
    probabilities = fitted.predict_proba(frame)
    shares(probabilities)
    assert probabilities.shape == (len(y), len(y) // 3)
    own = probabilities[np.arange(len(y)), np.searchsorted(fitted.classes_, y)]
    assert own.mean() > 1.2 * 3 / len(y)


def test_a_class_that_was_not_there_only_counts_as_wrong(fitted: LanguageModelClassifier) -> None:
    assert fitted.score(X.head(4), ["maybe"] * 4) == 0


def test_a_new_category_is_left_out_of_the_sentence(fitted: LanguageModelClassifier) -> None:
    new, none = X.head(9).assign(city="Paris"), X.head(9).assign(city=None)
    assert fitted.predict_proba(new).tolist() == fitted.predict_proba(none).tolist()
    assert fitted.predict_proba(new).tolist() != fitted.predict_proba(X.head(9)).tolist()


def test_of_a_row_of_which_nothing_is_known_each_class_is_as_likely(fitted: LanguageModelClassifier) -> None:
    nothing = X.head(2).assign(city="Paris", income=np.nan, member=None)
    assert fitted.predict_proba(nothing).tolist() == [[0.5, 0.5]] * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame[["member", "city", "income"]], "must be in the same order"),
        (lambda frame: frame.rename(columns={"city": "town"}), "unseen at fit time:\n- town"),
        (lambda frame: frame.drop(columns="city"), "now missing:\n- city"),
        (lambda frame: frame.head(0), "the table has 0 rows"),
    ],
)
def test_other_tables_than_the_learned_one_are_refused(
    change: Any, message: str, fitted: LanguageModelClassifier
) -> None:
    for method in (fitted.predict, fitted.predict_proba):
        with pytest.raises(ValueError, match=message):
            method(change(X))


def test_cells_unlike_those_of_training_cost_no_other_row_its_prediction(
    fitted: LanguageModelClassifier, caplog: pytest.LogCaptureFixture
) -> None:
    rows = X.head(6).astype(object)
    rows.iloc[0, 0], rows.iloc[1, 0], rows.loc[2, "city"], rows.loc[3, "member"] = np.inf, "high", 2.5, "yes"
    odd, plain = fitted.predict_proba(rows), fitted.predict_proba(X.head(6))
    assert np.allclose(odd.sum(axis=1), 1)
    np.testing.assert_allclose(odd[4:], plain[4:], rtol=1e-5)
    assert len(caplog.records) == len({record.getMessage() for record in caplog.records}) > 0
    assert len(fitted.predict(rows)) == 6


@pytest.mark.parametrize("first_stage", ["none", "boosting", "logistic"])
def test_whole_numbers_may_have_fractions_and_arrays_infinite_cells_at_prediction(first_stage: Any) -> None:
    counts = np.column_stack([np.arange(120) % 5, np.arange(120) % 3])
    learned = classifier(first_stage=first_stage).fit(counts, Y)
    near = learned.predict_proba(np.array([[2, 1], [4, 2], [0, 0]]))
    odd = learned.predict_proba(np.array([[2.4, 1.0], [np.inf, 2.2], [-np.inf, 0.1]]))
    np.testing.assert_allclose(odd, near, rtol=1e-5)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (X.assign(income=X["income"].mask(np.arange(120) == 3, -np.inf)), "column 'income' holds the infinite value"),
        (pd.concat([X, X[["city"]]], axis=1), "column name 'city' occurs more than once"),
        (X.head(0), "0 rows"),
        (pd.DataFrame(index=range(120)), "0 feature columns"),
    ],
)
def test_tables_that_cannot_be_learned_are_refused(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(TableError, match=message):
        classifier().fit(frame, Y[: len(frame)])


USELESS = {
    "constant": pd.DataFrame({"a": [1] * 120, "b": ["u"] * 120}),
    "missing": pd.DataFrame({"a": [np.nan] * 120, "b": [None] * 120}),
    "identifiers": pd.DataFrame({"id": [f"u{i:03}" for i in range(120)]}),
}


@pytest.mark.parametrize("table", USELESS)
def test_without_a_usable_column_rows_get_the_wanted_shares_or_equal_ones(table: str) -> None:
    frame = USELESS[table]
    assert classifier().fit(frame, Y).predict_proba(frame)[:, 1] == pytest.approx(np.full(120, 0.5))
    corrected = classifier(target_prior="training").fit(frame, Y)
    assert corrected.predict_proba(frame)[:, 1] == pytest.approx(np.full(120, 0.25))
    shares(classifier(**ALL).fit(frame, Y).predict_proba(frame))


def test_a_column_without_a_value_is_set_aside(fitted: LanguageModelClassifier) -> None:
    probabilities = classifier().fit(X.assign(empty=np.nan), Y).predict_proba(X.assign(empty=7.0))
    assert probabilities.tolist() == fitted.predict_proba(X).tolist()


def test_free_text_is_read() -> None:
    telling = [text + (" excellent" if label == "yes" else " poor") for text, label in zip(TEXTS, Y, strict=True)]
    frame = pd.DataFrame({"review": telling})
    fitted = classifier(steps=150).fit(frame, Y)
    assert fitted.score(frame, Y) > 0.9
    shares(fitted.predict_proba(pd.DataFrame({"review": ["never seen words", None, ""]})))


def test_arrays_are_read_and_a_column_may_be_called_label(fitted: LanguageModelClassifier) -> None:
    numbers = X[["income"]].to_numpy()
    assert classifier().fit(numbers, Y).predict(numbers).shape == (120,)
    named = X.rename(columns={"income": "label"})
    found = classifier().fit(named, Y).predict_proba(named)
    assert found == pytest.approx(fitted.predict_proba(X), abs=1e-5)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.where(np.arange(120) == 3, -1.0, 1.0), r"sample_weight must be 0 or more; got -1\.0"),
        (np.zeros(120), "at least one"),
        (np.full(120, np.nan), "NaN"),
        (np.ones(7), r"sample_weight\.shape"),
    ],
)
def test_weights_that_weigh_nothing_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, Y, sample_weight=weights)


def test_weight_on_held_out_rows_alone_is_refused() -> None:
    kept = classifier(calibration="bias", steps=1).fit(X, Y).model_._kept
    held_out = kept(np.where(Y == "yes", 1, 0))
    with pytest.raises(InvalidInputError, match="every row of a positive sample_weight is held out"):
        classifier(calibration="bias").fit(X, Y, sample_weight=held_out.astype(float))


def test_rows_of_weight_zero_are_not_learned() -> None:
    """Half the rows have the other label: without weight they say nothing."""
    frame = pd.DataFrame({"sort": np.where(Y == "yes", "p", "q"), "income": X["income"]})
    wrong = Y.where(np.arange(120) < 60, np.where(Y == "yes", "no", "yes"))
    fitted = classifier(steps=60).fit(frame, wrong, sample_weight=(np.arange(120) < 60).astype(float))
    assert fitted.score(frame, Y) == 1.0


@pytest.mark.parametrize("settings", [{}, ALL])
def test_the_same_seed_gives_the_same_probabilities_and_another_seed_others(settings: dict[str, Any]) -> None:
    first, again, other = (
        classifier(**settings, random_state=seed).fit(X, Y).predict_proba(X).tolist() for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("settings", [{}, {**ALL, "query_orders": 3}])
def test_rows_of_a_batch_do_not_change_each_other(settings: dict[str, Any]) -> None:
    frame = X.mask(np.random.default_rng(0).random(X.shape) < 0.2).assign(text=TEXTS)
    fitted = classifier(**settings).fit(frame, Y)
    together = fitted.predict_proba(frame)
    alone = np.concatenate([fitted.predict_proba(frame.iloc[[row]]) for row in range(20)])
    assert alone == pytest.approx(together[:20], abs=1e-5)


def state() -> tuple[Any, ...]:
    numpy_state = str(np.random.get_state())  # noqa: NPY002 - the global generator is meant
    level = logging.getLogger("transformers").level
    return random.getstate(), numpy_state, torch.get_rng_state().tolist(), torch.get_num_threads(), level


def test_nothing_global_is_left_changed() -> None:
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global generator is meant
    torch.manual_seed(3)
    before, table = state(), X.copy(deep=True)
    classifier(**ALL, threads=2, steps=2).fit(X, Y).predict(X)
    assert state() == before
    pd.testing.assert_frame_equal(X, table)


@pytest.mark.parametrize("settings", [{}, ALL])
def test_a_pickled_classifier_answers_alike(settings: dict[str, Any]) -> None:
    frame = X.assign(text=TEXTS)
    fitted = classifier(**settings).fit(frame, Y)
    again = pickle.loads(pickle.dumps(fitted))
    assert again.predict_proba(frame).tolist() == fitted.predict_proba(frame).tolist()
    assert again.predict(frame).tolist() == fitted.predict(frame).tolist()


def test_a_first_stage_of_ones_own_is_a_parameter_like_any() -> None:
    frame, y = noise(200)
    own = classifier(first_stage=KNeighborsClassifier(1))
    assert clone(own).get_params()["first_stage__n_neighbors"] == 1
    fitted = own.fit(frame, y)
    # A leak would teach the decoder to repeat the guess, which is the label of each learned row.
    assert fitted.predict_proba(frame).max() < 0.999
    assert not hasattr(own.first_stage, "classes_")


def test_all_settings_are_listed_and_checked_when_fitted() -> None:
    chosen = classifier(weighting="inverse")
    assert clone(chosen).get_params() == chosen.get_params()
    assert QUICK.items() <= chosen.get_params().items()
    with pytest.raises(InvalidInputError, match="weighting must be one of"):
        classifier(weighting="much").fit(X, Y)


def test_a_masked_backbone_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="masked language model"):
        classifier(backbone="compact_masked").fit(X, Y)
