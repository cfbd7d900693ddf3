"""Every counter-measure changes what it should: what is learned, how it is weighed, what is asked, what is answered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from imbllm_autogluon.classification import label_model as module
from imbllm_autogluon.classification.config import ClassifierConfig
from imbllm_autogluon.classification.label_model import (
    LabelModel,
    _class_weights,
    _query_label,
    _query_orders,
    _repeated_rows,
)
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.batches import Prompts
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.model import TableLanguageModel
from tests.classification.tables import label_model, mixed, noise
from tests.language.tables import LABEL, TINY, clauses_of, table, vocabulary_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from imbllm_autogluon.encoding import Clauses

GUESS, CONTROL, NATURAL, IGNORED = "first guess", "class frequencies", "as they are", "ignored"


class Training:
    """What a label model asked its language model to learn, without learning it."""

    def __init__(self, model: LabelModel, learned: Clauses, options: dict[str, Any]) -> None:
        self.model, self.learned, self.options = model, learned, options
        self.weights = np.ones(len(learned.tokens)) if learned.weights is None else learned.weights
        self.classes = labels_of(model, learned)

    def column(self, name: str) -> list[Any]:
        return cells_of(self.model, self.learned, name)


@pytest.fixture
def learn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Training]:
    def run(X: pd.DataFrame, y: pd.Series[Any], weights: Any = None, **settings: Any) -> Training:
        calls: list[tuple[Clauses, dict[str, Any]]] = []
        monkeypatch.setattr(TableLanguageModel, "train", lambda _, clauses, **options: calls.append((clauses, options)))
        model = label_model(X, y, weights, **settings)
        return Training(model, *calls[0])

    return run


def labels_of(model: LabelModel, clauses: Clauses) -> np.ndarray:
    label = model.schema.label
    assert label is not None
    codes, _ = model.language_model.encoding.codings[-1].decode(clauses.tokens[:, -1], np.random.default_rng(0))
    return np.array(label.categories, dtype=object)[codes.astype(int)]


def cells_of(model: LabelModel, clauses: Clauses, name: str) -> list[Any]:
    """Values of a column of the clauses; None where the clause is absent."""
    place = [column.name for column in model.schema.columns].index(name)
    cells = model.language_model.encoding.decode_features(clauses, np.random.default_rng(0), place + 1)
    decoded = model.schema.columns[place].decode(cells.values[place], cells.missing[:, place]).tolist()
    return [cell if there else None for cell, there in zip(decoded, clauses.present[:, place], strict=True)]


def asked_of(model: LabelModel, X: pd.DataFrame) -> Clauses:
    """Clauses of the query."""
    seen: list[Clauses] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            module, "_query_label", lambda _, clauses, *args, **kw: seen.append(clauses) or np.zeros((len(X), 2))
        )
        model.log_probabilities(X)
    return seen[0]


def test_without_measures_every_row_is_learned_once_with_the_weight_one(learn: Callable[..., Training]) -> None:
    X, y = mixed()
    found = learn(X, y)
    assert found.classes.tolist() == y.tolist()
    assert found.column("city") == X["city"].tolist()
    assert found.weights.tolist() == [1.0] * 120
    assert found.options["held_out"] is None
    assert (found.options["objective"].feature_weight, found.options["objective"].focal_gamma) == (0, 0)
    assert found.model.calibration.probabilities(np.log([[0.3, 0.7]]))[0] == pytest.approx([0.3, 0.7])


@pytest.mark.parametrize("weighting", ["inverse", "effective"])
@pytest.mark.parametrize("cap", [None, 2.0])
def test_weights_of_classes_have_mean_one_and_rare_rows_weigh_more(
    learn: Callable[..., Training], weighting: str, cap: float | None
) -> None:
    found = learn(*mixed(), weighting=weighting, oversampling_cap=cap)
    rare = found.classes == "yes"
    assert found.weights.mean() == pytest.approx(1.0)
    assert found.weights[rare].min() > found.weights[~rare].max()
    if weighting == "inverse":
        assert found.weights[rare].sum() == pytest.approx(found.weights[~rare].sum())


def test_of_a_large_table_a_choice_is_learned_in_which_rare_rows_are_repeated(
    learn: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = mixed(240)[0], pd.Series(np.where(np.arange(240) < 8, "rare", "usual"))
    monkeypatch.setattr(LanguageConfig, "most_learned", 60)
    few = learn(X, y, oversampling_cap=1.0)
    assert len(few.classes) == 60
    assert (few.classes == "rare").sum() > 15  # of 8 in 240
    assert len(learn(X, y, oversampling_cap=1.0, epochs=1).classes) == 464


def test_weights_of_rows_multiply_those_of_classes(learn: Callable[..., Training]) -> None:
    X, y = mixed()
    own = np.arange(120) % 3
    found = learn(X, y, own.astype(float), weighting="inverse")
    plain = learn(X, y, weighting="inverse")
    expected = plain.weights * own
    assert found.weights == pytest.approx(expected / expected.mean())


def test_the_focal_loss_and_the_weight_of_features_reach_the_training(learn: Callable[..., Training]) -> None:
    objective = learn(*mixed(), focal_gamma=2, feature_weight=0.5).options["objective"]
    assert (objective.focal_gamma, objective.feature_weight) == (2, 0.5)


def test_rows_of_the_rare_class_are_repeated_up_to_the_cap(learn: Callable[..., Training]) -> None:
    found = learn(*mixed(), oversampling_cap=2)
    assert pd.Series(found.classes).value_counts().to_dict() == {"no": 90, "yes": 45}


def test_each_sentence_begins_with_the_instruction(learn: Callable[..., Training]) -> None:
    found = learn(*mixed(), instruction=True)
    encoding = found.model.language_model.encoding
    opening = list(encoding.opening)
    sentences = encoding.assemble(found.learned, np.tile([0, 1, 2, 3], (120, 1)))
    assert opening
    assert (sentences.ids[:, : len(opening)] == opening).all()
    assert (sentences.states[:, : len(opening)] == -1).all()
    assert learn(*mixed()).model.language_model.encoding.opening == ()


def test_the_control_clause_tells_rows_with_the_tables_shares_from_as_many_with_equal_ones(
    learn: Callable[..., Training],
) -> None:
    X, y = mixed()
    found = learn(X, y, suppression=True)
    control = np.array(found.column(CONTROL))
    natural = found.classes[control == NATURAL]
    balanced = pd.Series(found.classes[control == IGNORED]).value_counts()
    assert natural.tolist() == y.tolist()
    assert balanced.to_dict() == {"no": 60, "yes": 60}
    assert set(cells_of(found.model, asked_of(found.model, X), CONTROL)) == {IGNORED}


def test_rows_without_weight_are_not_learned_under_the_control_clause_either(learn: Callable[..., Training]) -> None:
    X, y = mixed()
    ignored = X["city"] == "Narvik"
    found = learn(X, y, (~ignored).astype(float).to_numpy(), suppression=True)
    city = np.array(found.column("city"))
    assert (found.weights[city == "Narvik"] == 0).all()
    assert (found.weights[city != "Narvik"] > 0).all()


def test_guesses_of_the_first_stage_are_clauses_and_do_not_repeat_the_labels(learn: Callable[..., Training]) -> None:
    X, y = noise(200)
    found = learn(X, y, first_stage=KNeighborsClassifier(1))
    guesses = np.array(found.column(GUESS))
    assert set(guesses) == {"yes", "no"}
    assert (guesses == found.classes).mean() < 0.7
    asked = asked_of(found.model, X)
    assert (np.array(cells_of(found.model, asked, GUESS)) == y).all()
    assert [column.name for column in found.model.schema.columns] == ["a", "b", GUESS]  # the confidence is always 1


def test_noisy_rows_are_learned_first_by_a_robust_loss_and_count_nowhere_else(learn: Callable[..., Training]) -> None:
    X, y = mixed()
    noisy = X.assign(income=X["income"] + 1000).head(50), pd.Series(["yes"] * 50)
    found = learn(X, y, noisy=noisy, numbers="digits", calibration="bias", focal_gamma=2, noisy_q=0.6, suppression=True)
    rows, objective = found.options["noisy"]
    assert min(cells_of(found.model, rows, "income")) > 900 > max(found.column("income"))
    assert max(cells_of(found.model, found.options["held_out"], "income")) < 900
    assert labels_of(found.model, rows).tolist() == ["yes"] * 50
    assert set(cells_of(found.model, rows, CONTROL)) == {NATURAL}
    assert (objective.robust_q, objective.focal_gamma, found.options["objective"].robust_q) == (0.6, 0, 0)
    assert (found.model.counts.tolist(), found.model.held_out) == ([90, 30], 24)


@pytest.mark.parametrize("decisions", ["argmax", "matched"])
@pytest.mark.parametrize(("metric", "expected"), [("balanced_accuracy", 0.5), ("f1_macro", 3 / 7)])
def test_a_metric_of_answers_to_rows_held_out_judges_a_training_and_then_their_loss(
    learn: Callable[..., Training],
    monkeypatch: pytest.MonkeyPatch,
    decisions: str,
    metric: Literal["balanced_accuracy", "f1_macro"],
    expected: float,
) -> None:
    found = learn(*mixed(), stopping_metric=metric, decisions=decisions)
    assert learn(*mixed()).options["judge"] is None
    judge, truth = found.options["judge"], labels_of(found.model, found.options["held_out"]) == "yes"
    assert (len(truth), truth.sum()) == (12, 3)

    def judged(chances: npt.NDArray[np.float64]) -> float:
        logs = np.log(np.column_stack([1 - chances, chances]))
        monkeypatch.setattr(module, "_query_label", lambda *_, **__: logs)
        return float(judge())

    right, surer, usual = (judged(np.where(truth, 1 - p, p)) for p in (0.4, 0.1, 0.5))
    assert surer < right < 0.02
    if decisions == "argmax":
        assert judged(np.full(12, 0.4)) == pytest.approx(1 - expected, abs=0.02)
    assert usual > right


@pytest.mark.parametrize("settings", [{"calibration": "bias"}, {"calibration": "temperature", "decisions": "matched"}])
def test_rows_that_calibrate_are_not_learned(learn: Callable[..., Training], settings: dict[str, Any]) -> None:
    X, y = mixed()
    found = learn(X, y, numbers="digits", **settings)
    kept = cells_of(found.model, found.options["held_out"], "income")
    assert found.model.held_out == len(kept) == 24
    assert sorted([*found.column("income"), *kept]) == sorted(X["income"])
    assert pd.Series(labels_of(found.model, found.options["held_out"])).value_counts().to_dict() == {"no": 18, "yes": 6}


@pytest.mark.parametrize("settings", [{"decisions": "matched"}, {"target_prior": "uniform"}])
def test_without_a_calibration_all_rows_are_learned(learn: Callable[..., Training], settings: dict[str, Any]) -> None:
    found = learn(*mixed(), **settings)
    assert (found.model.held_out, len(found.classes)) == (0, 120)


@pytest.mark.parametrize("prior", ["uniform", "training", {"yes": 0.9, "no": 0.1}, {"yes": 9, "no": 1}])
def test_correction_moves_the_mean_probability_to_the_wanted_share(prior: Any) -> None:
    X, y = noise(120)
    yes = {"uniform": 0.5, "training": 1 / 3}.get(prior, 0.9) if isinstance(prior, str) else 0.9
    own, corrected = label_model(X, y, steps=10), label_model(X, y, steps=10, target_prior=prior)
    place = list(own.schema.label.categories).index("yes")  # type: ignore[union-attr]
    before, after = (model.probabilities(X)[:, place].mean() for model in (own, corrected))
    assert after == pytest.approx(yes, abs=0.03)
    assert abs(after - yes) <= abs(before - yes) + 1e-9


def test_a_class_too_small_to_hold_out_rows_keeps_its_share_after_calibration() -> None:
    """Asked about rows of the other class alone, a bias could only make this one rarer."""
    X, y = mixed(600, rare_every=50)
    model = label_model(X, y, steps=60, target_prior="training", calibration="bias")
    assert model.held_out > 0
    assert model.probabilities(X)[:, 1].mean() == pytest.approx(0.02, rel=0.3)


def test_matched_decisions_answer_with_the_wanted_shares_on_the_rows_they_were_fitted_to() -> None:
    X, y = mixed(600, rare_every=8)
    for settings in ({}, {"calibration": "bias", "calibration_fraction": 0.5}):
        model = label_model(X, y, steps=60, decisions="matched", **settings)
        kept = model._kept(model.encoder.plain.encode_label(y))
        asked = X[kept] if settings else X
        probabilities = model.probabilities(asked)
        alike = np.unique(probabilities[:, 1].round(6), return_counts=True)[1].max()
        assert alike < len(asked) / 10
        assert model.decide(probabilities).mean() == pytest.approx(1 / 8, abs=alike / len(asked) + 0.005)


def test_a_decoder_that_copies_the_prior_is_repaired() -> None:
    """One row in twelve is rare and signals are weak: without measures the class is hardly ever answered."""
    X, y = mixed(720, rare_every=12)
    new, truth = mixed(720, rare_every=12, seed=1)
    plain = label_model(X, y, steps=80)
    measured = label_model(
        X, y, steps=80, weighting="effective", instruction=True, target_prior="training", decisions="matched"
    )
    share = (truth == "yes").mean()
    copied, repaired = (model.decide(model.probabilities(new)).mean() for model in (plain, measured))
    assert copied < share / 2
    assert abs(repaired - share) < abs(copied - share) / 2


def test_the_target_prior_must_name_the_tables_classes_before_anything_is_learned() -> None:
    X, y = mixed()
    for prior in ({"yes": 0.5, "maybe": 0.5}, {"yes": 1.0}, {"yes": 1, "no": 1, "other": 1}):
        with pytest.raises(
            InvalidInputError, match=r"target_prior names the classes .*; the table has \['no', 'yes'\]"
        ):
            label_model(X, y, steps=10**6, target_prior=prior)


def test_a_column_with_the_name_of_an_added_clause_is_refused() -> None:
    X, y = mixed()
    with pytest.raises(InvalidInputError, match="'class frequencies' has the name of a clause"):
        label_model(X.rename(columns={"income": CONTROL}), y, suppression=True)
    label_model(X.rename(columns={"income": CONTROL}), y, steps=1)


def test_new_categories_are_not_written(learn: Callable[..., Training]) -> None:
    X, y = mixed()
    found = learn(X, y)
    asked = asked_of(found.model, X.head(3).assign(city=["Oslo", "Paris", None], income=[1.0, 2.0, np.nan]))
    assert asked.present[:, :3].tolist() == [[True, True, True], [True, False, True], [False, False, True]]


def test_cells_that_may_be_missing_are_written_as_missing(learn: Callable[..., Training]) -> None:
    X, y = mixed()
    found = learn(X.mask(np.random.default_rng(0).random(X.shape) < 0.2), y)
    asked = asked_of(found.model, X.head(2).assign(city=["Paris", None]))
    assert asked.present.all()


@pytest.mark.parametrize("measure", [{"suppression": True}, {"first_stage": "logistic"}])
def test_hints_do_not_change_the_codes_of_classes_and_categories(measure: dict[str, Any]) -> None:
    """They are numbered by how frequent they are; one row more of the first class would turn these two around."""
    y = pd.Series(["b", "a"] * 60 + ["a"])
    X = pd.DataFrame({"c": y.map({"a": "p", "b": "q"})})
    model = label_model(X, y, steps=60, **measure)
    assert model.schema.label == model.encoder.plain.label
    assert model.schema.columns[0] == model.encoder.plain.columns[0]
    answers = model.decide(model.probabilities(X))
    assert (answers == model.encoder.plain.encode_label(y)).all()


def test_clauses_of_features_alone_leave_hints_and_texts_absent_or_missing(learn: Callable[..., Training]) -> None:
    X, y = mixed()
    found = learn(X, y, suppression=True)
    clauses = found.model.encoder.feature_clauses(
        found.model.language_model.encoding, found.model.encoder.plain.encode(X)
    )
    place = [column.name for column in found.model.schema.columns].index("city")
    assert clauses.tokens[:, place].tolist() == found.learned.tokens[:120, place].tolist()


def test_a_fit_reports_its_seconds_and_the_rows_of_each_class() -> None:
    X, y = mixed()
    model = label_model(X, y)
    assert model.seconds > 0
    assert model.counts.tolist() == [90, 30]
    assert list(model.language_model.curves) == ["label"]
    assert isinstance(model.config, ClassifierConfig)


def test_time_that_runs_out_ends_the_training() -> None:
    X, y = mixed()
    config = ClassifierConfig.from_flat({"layers": 1, "width": 16, "steps": 10**6, "pretrain": "none"})
    model = LabelModel(config, seed=0, threads=1).fit(X, y, time_limit=0.3)
    assert model.language_model.curves["label"].stopped_by == "time limit"
    assert model.seconds < 10


def test_held_out_rows_judge_with_the_shares_that_classes_have_among_the_learned_ones(
    learn: Callable[..., Training],
) -> None:
    X, y = mixed()
    found = learn(X, y, oversampling_cap=1.0, validation_fraction=0.2)
    judging = found.options["held_out"]
    by_class = pd.Series(judging.weights).groupby(labels_of(found.model, judging)).sum()
    assert by_class["yes"] == pytest.approx(by_class["no"])
    assert judging.weights.mean() == pytest.approx(1.0)


def test_training_is_not_ended_by_rows_that_lack_a_class(learn: Callable[..., Training]) -> None:
    X, y = mixed()
    few = pd.concat([X[y == "no"], X[y == "yes"].head(10)]), pd.concat([y[y == "no"], y[y == "yes"].head(10)])
    found = learn(*(part.reset_index(drop=True) for part in few), validation_fraction=0.2)
    assert found.model.held_out > 0
    assert found.options["held_out"] is None


FRAME = table()


def model_of(batch: int | None = None, backbone: str = "compact") -> TableLanguageModel:
    """A model with weights so large that each clause changes the answer."""
    config = replace(TINY, generation_batch=batch, backbone=backbone)
    model = TableLanguageModel(vocabulary_of(FRAME), config, 0)
    generator = torch.Generator().manual_seed(0)
    for weight in model._backbone.model.parameters():
        if weight.ndim > 1:
            weight.data.normal_(0, 0.4, generator=generator)
    return model


def rows_of(model: TableLanguageModel, *, ragged: bool = True) -> Clauses:
    """Rows of the table; some clauses absent, and every clause of row 7."""
    clauses = clauses_of(model.vocabulary, FRAME)
    present = clauses.present.copy()
    if ragged:
        present[::3, 1] = False
        present[::5, 3:5] = False
        present[7, :LABEL] = False
    return clauses.with_present(present)


def one_by_one(model: TableLanguageModel, clauses: Clauses, order: list[int]) -> npt.NDArray[np.float64]:
    """Each row in a prompt of its own that holds what it has."""
    values = model.encoding.codings[LABEL].encode(np.arange(2), np.zeros(2, dtype=bool))
    answers = []
    for row in range(len(clauses.tokens)):
        given = [clause for clause in order if clauses.present[row, clause]]
        prompt = Prompts(np.array([*given, LABEL]), len(given), clauses.tokens[[row]])
        answers.append(model.score_all([prompt], LABEL, values)[0][0] if given else np.log([0.5, 0.5]))
    return np.array(answers)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("batch", [None, 1, 7])
def test_answers_are_those_of_one_question_at_a_time(ragged: bool, batch: int | None) -> None:
    model = model_of(batch)
    clauses = rows_of(model, ragged=ragged)
    found = _query_label(model, clauses, 2, threads=1)
    assert found.dtype == np.float64
    assert np.exp(found).sum(axis=1) == pytest.approx(np.ones(60))
    assert found == pytest.approx(one_by_one(model, clauses, [0, 1, 2, 3, 4]), abs=1e-4)
    assert np.ptp(np.exp(found[:, 0])) > 0.1


def test_rows_of_which_nothing_is_known_could_be_of_any_class() -> None:
    model = model_of()
    assert np.exp(_query_label(model, rows_of(model), 2)[7]).tolist() == pytest.approx([0.5, 0.5])


def test_several_orders_are_averaged_and_the_first_is_that_of_the_columns() -> None:
    model = model_of()
    clauses = rows_of(model)
    orders = [order.tolist() for order in _query_orders(model, 3)]
    assert orders[0] == [0, 1, 2, 3, 4]
    assert len({tuple(order) for order in orders}) == 3
    each = [np.exp(one_by_one(model, clauses, order)) for order in orders]
    assert np.exp(_query_label(model, clauses, 2, orders=3)) == pytest.approx(np.mean(each, axis=0), abs=1e-4)
    assert np.abs(each[0] - each[1]).max() > 0.01


def test_the_label_of_the_rows_and_the_values_of_absent_clauses_are_not_read() -> None:
    model = model_of()
    clauses = rows_of(model)
    other = replace(clauses, tokens=np.where(clauses.present[:, :, None], clauses.tokens, -1))
    other.tokens[:, LABEL] = clauses.tokens[0, LABEL]
    assert _query_label(model, other, 2).tolist() == _query_label(model, clauses, 2).tolist()


def test_no_rows_have_no_answers() -> None:
    model = model_of()
    none = rows_of(model).take(np.arange(0))
    assert _query_label(model, none, 2).shape == (0, 2)


def test_a_masked_model_cannot_be_asked() -> None:
    model = model_of(backbone="compact_masked")
    with pytest.raises(InvalidInputError, match="'compact_masked' is a masked language model"):
        _query_label(model, rows_of(model), 2)


COUNTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any)
WEIGHTINGS = st.sampled_from(["none", "effective", "inverse"])


@given(counts=COUNTS, weighting=WEIGHTINGS, beta=st.floats(0, 1 - 1e-12))
def test_the_mean_weight_of_all_rows_is_one(
    counts: list[int], weighting: Literal["none", "effective", "inverse"], beta: float
) -> None:
    rows = np.array(counts)
    weights = _class_weights(rows, weighting, beta)
    assert np.isfinite(weights).all()
    assert (weights * rows).sum() / rows.sum() == pytest.approx(1.0, rel=1e-6)
    assert (weights[rows == 0] == 0).all()


def test_by_the_inverse_every_class_weighs_the_same_in_all() -> None:
    counts = np.array([900, 90, 10])
    assert _class_weights(counts, "inverse", 0.0) * counts == pytest.approx(np.full(3, 1000 / 3))


def test_effective_numbers_are_those_of_the_paper() -> None:
    counts, beta = np.array([500, 50, 5]), 0.99
    expected = (1 - beta) / (1 - beta**counts)
    found = _class_weights(counts, "effective", beta)
    assert found / found[0] == pytest.approx(expected / expected[0])


@pytest.mark.parametrize(("beta", "like"), [(0.0, "none"), (1 - 1e-9, "inverse")])
def test_beta_leads_from_equal_rows_to_the_inverse(beta: float, like: Literal["none", "inverse"]) -> None:
    counts = np.array([500, 50, 5])
    assert _class_weights(counts, "effective", beta) == pytest.approx(_class_weights(counts, like, 0.0), rel=1e-4)


def codes_of(*counts: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


@pytest.mark.parametrize("cap", [1.0, 2.0, 2.5, 3.0, 50.0])
@pytest.mark.parametrize("counts", [(100, 10), (100, 60, 7, 1), (5, 5), (0, 30, 2)])
def test_the_largest_class_has_at_most_the_cap_times_any_others_rows(cap: float, counts: tuple[int, ...]) -> None:
    codes = codes_of(*counts)
    more = _repeated_rows(codes, cap, np.random.default_rng(0))
    before, after = np.bincount(codes), np.bincount(np.concatenate([codes, codes[more]]))
    present = before > 0
    assert after.max() == before.max()
    assert after.max() <= cap * after[present].min() + 1e-9
    wanted = np.maximum(before, np.ceil(before.max() / cap))
    assert after[present].tolist() == wanted[present].tolist()


def test_every_row_of_a_class_is_repeated_as_often_as_any_other_give_or_take_one() -> None:
    codes = codes_of(100, 7)
    times = np.bincount(_repeated_rows(codes, 2.0, np.random.default_rng(0)), minlength=107)
    assert set(times[codes == 0]) == {0}
    assert np.ptp(times[codes == 1]) <= 1
    assert times[codes == 1].sum() == 43


def test_where_the_cap_is_met_no_row_is_repeated() -> None:
    more = _repeated_rows(codes_of(20, 10), 2.0, np.random.default_rng(0))
    assert (len(more), more.dtype) == (0, np.int64)
