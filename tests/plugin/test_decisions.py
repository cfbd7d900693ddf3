"""Decisions by a wish: what is chosen, what is expected, and what is stored."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon import calibrated_probabilities
from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.plugin import decisions
from imbllm_autogluon.plugin.decisions import _answering, _decided, _Rows, _Wish, decide, stored_decision
from tests.fresh import run_afresh
from tests.jobs.fits import binary_outcome, copy_of, many_kinds, mixed_table, multiclass_outcome
from tests.plugin.tables import imbalanced_table

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ["no", "yes"]


def answers(n: int, rare: int, seed: int) -> _Rows:
    """Rows whose probabilities tell a rare class apart, as well as a good model does; some are equal."""
    rng = np.random.default_rng(seed)
    codes = (np.arange(n) < rare).astype(np.int64)
    chances = np.round(1 / (1 + np.exp(3 - 4 * codes - rng.normal(0, 1.2, n))), 3)
    return _Rows(LABELS, np.column_stack([1 - chances, chances]), codes, (chances > 0.5).astype(np.int64), "given")


def alarms_of(rows: _Rows, **wish: Any) -> tuple[np.ndarray, bool]:
    threshold, reached = _Wish.checked(LABELS, **wish).threshold(rows.chances[:, 1], rows.codes == 1)
    return rows.chances[:, 1] > threshold, reached


def test_each_wish_is_met_by_the_rows_and_by_no_better_threshold() -> None:
    rows = answers(600, 40, 0)
    scores, rare = rows.chances[:, 1], rows.codes == 1
    tries = [scores > at for at in (*np.unique(scores), -1.0)]
    costs = {"miss": 20, "alarm": 1}

    alarmed, reached = alarms_of(rows, precision=0.8)
    assert reached
    believed = {int(each.sum()): (each & rare).sum() / (each.sum() + 2) for each in tries}
    assert alarmed.sum() == max(n for n, precision in believed.items() if precision >= 0.8)
    alarmed, _ = alarms_of(rows, recall=0.9)
    enough = [int(each.sum()) for each in tries if (each & rare).sum() >= math.ceil(0.9 * 41)]
    assert alarmed.sum() == min(enough)
    alarmed, _ = alarms_of(rows, budget=30)
    assert alarmed.sum() == max(int(each.sum()) for each in tries if each.sum() <= 18)
    alarmed, _ = alarms_of(rows, cost_matrix=costs)
    spent = [20 * (rare & ~each).sum() + (each & ~rare).sum() for each in (alarmed, *tries)]
    assert spent[0] == min(spent)


def test_no_alarm_at_all_is_a_choice_even_where_many_probabilities_are_one() -> None:
    rows = answers(100, 10, 0)
    rows.chances[:30] = [0.0, 1.0]
    for wish in ({"budget": 100}, {"cost_matrix": {"miss": 0, "alarm": 1}}):
        alarmed, _ = alarms_of(rows, **wish)
        assert not alarmed.any()


def test_all_rows_are_alarms_where_a_recall_needs_those_of_probability_zero() -> None:
    rows = answers(100, 60, 0)
    rows.chances[:, 1] *= rows.codes == 0
    assert alarms_of(rows, recall=0.9)[0].all()


def test_labels_that_are_true_and_false_are_decided_as_any_others() -> None:
    made = _decided(
        answers(400, 30, 0)._replace(labels=[False, True]), _Wish.checked(LABELS, recall=0.8), True, "m", 9, 0
    )
    assert made.apply(pd.DataFrame({True: [0.9, 0.1, 0.9], False: [0.1, 0.9, 0.1]})).tolist() == [True, False, True]
    with pytest.raises(InvalidInputError, match=r"classes \[False, True\] are needed; got \['False'\]"):
        made.apply(pd.DataFrame({"False": [0.1]}))


def test_a_wish_that_rows_do_not_show_to_be_met_says_so_and_is_met_as_nearly_as_can_be() -> None:
    rows = answers(300, 6, 1)
    alarmed, reached = alarms_of(rows, precision=0.8)
    assert (reached, alarmed.any()) == (False, True)
    assert alarms_of(rows, recall=0.9)[1] is False, "six rows tell nothing of one in ten"
    made = _decided(rows, _Wish.checked(LABELS, precision=0.8), "yes", "m", 300, 0)
    assert "do not show that such a precision can be reached" in str(made)


def test_the_interval_holds_what_other_rows_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `python -m benchmarks decisions` measures with models; here without one, many times."""
    monkeypatch.setattr(decisions, "_N_SAMPLES", 60)
    inside = []
    for seed in range(20):
        made = _decided(answers(400, 30, seed), _Wish.checked(LABELS, precision=0.8), "yes", "m", 200, 0)
        unseen = answers(200, 15, 1000 + seed)
        alarmed, rare = unseen.chances[:, 1] > made.threshold, unseen.codes == 1
        low, high = made.expected["precision"][1:]
        inside.append(low <= (alarmed & rare).sum() / alarmed.sum() <= high)
        assert high - low < 0.6
    assert np.mean(inside) >= 0.85


def test_fewer_unseen_rows_vary_more_and_a_seed_gives_the_same() -> None:
    rows, wish = answers(400, 30, 0), _Wish.checked(LABELS, precision=0.8)
    few, many, again = (_decided(rows, wish, "yes", "m", n, 0).expected["precision"] for n in (60, 4000, 60))
    assert few == again
    assert few.high - few.low > many.high - many.low


def test_a_decision_is_found_with_the_predictor_by_another_process(tmp_path: Path) -> None:
    outcome = copy_of(binary_outcome(), tmp_path / "fit")
    assert stored_decision(outcome.predictor) is None
    made = decide(outcome.predictor, recall=0.8)
    rows = mixed_table({"no": 20, "yes": 20}, seed=3)
    script = (
        "import sys; from autogluon.tabular import TabularPredictor; import pandas as pd\n"
        "from imbllm_autogluon.plugin.decisions import stored_decision\n"
        "predictor = TabularPredictor.load(sys.argv[1]); made = stored_decision(predictor); print(made)\n"
        "print(made.predict(predictor, pd.read_csv(sys.argv[2])).to_json())"
    )
    rows.to_csv(tmp_path / "rows.csv", index=False)
    *text, answers_there = run_afresh(script, str(tmp_path / "fit"), str(tmp_path / "rows.csv")).stdout.splitlines()
    assert "\n".join(text).endswith(str(made))
    predicted = made.predict(outcome.predictor, rows)
    assert json.loads(answers_there) == {str(row): label for row, label in predicted.items()}
    chances = outcome.predictor.predict_proba(rows)["yes"]
    assert ((predicted == "yes") == (chances > made.threshold)).all()
    decide(outcome.predictor, precision=0.5, store=False)
    assert stored_decision(outcome.predictor) == made


def test_costs_of_several_classes_decide_by_untilted_probabilities() -> None:
    predictor = multiclass_outcome().predictor
    costs = pd.DataFrame(1.0 - np.eye(4), index=[*"abcd"], columns=[*"abcd"])
    costs.loc["c"] *= 9
    made = decide(predictor, cost_matrix=costs, store=False)
    rows = mixed_table({"a": 30, "b": 20, "c": 20}, seed=3)
    chances = calibrated_probabilities(predictor, rows)
    cheapest = np.array([*"abcd"])[(chances[[*"abcd"]].to_numpy(float) @ costs.to_numpy()).argmin(axis=1)]
    assert made.predict(predictor, rows).tolist() == cheapest.tolist()
    assert made.expected["cost"].value <= made.otherwise["cost"].value
    assert (made.threshold, made.positive, list(made.expected)) == (None, None, ["cost"])
    assert "for the least expected cost, by" in made.headline
    with pytest.raises(InvalidInputError, match="costs decide among all classes: leave out the positive class 'c'"):
        decide(predictor, cost_matrix=costs, positive_class="c", store=False)


def test_a_wish_about_one_of_several_classes_names_it() -> None:
    predictor = multiclass_outcome().predictor
    with pytest.raises(InvalidInputError, match="name the class that the wish is about, one of a, b, c, d"):
        decide(predictor, recall=0.7, store=False)
    made = decide(predictor, recall=0.7, positive_class="c", store=False)
    rows = mixed_table({"a": 30, "b": 20, "c": 20}, seed=3)
    decided = made.predict(predictor, rows)
    assert (decided[rows["label"] == "c"] == "c").any()
    assert set(decided) == {"a", "b", "c"}
    with pytest.raises(InvalidInputError, match="no out-of-fold row is of the class 'd'"):
        decide(predictor, recall=0.7, positive_class="d", store=False)


def test_without_bags_validation_rows_decide_and_given_rows_where_there_are_some() -> None:
    predictor = many_kinds().predictor
    made = decide(predictor, budget=100, store=False)
    assert (made.source, made.rows) == ("validation", len(predictor._trainer.load_y_val()))
    outcome = binary_outcome()
    given = decide(outcome.predictor, budget=100, data=mixed_table({"no": 30, "yes": 9}, seed=5), store=False)
    assert (given.source, given.rows, given.positives) == ("given", 39, 9)


def test_rows_that_a_refitted_model_has_learned_do_not_decide(tmp_path: Path) -> None:
    train = imbalanced_table()
    predictor = TabularPredictor("paid", path=str(tmp_path), verbosity=0)
    predictor.fit(train, hyperparameters={"LR": {}}, num_cpus=1, refit_full=True, set_best_to_refit_full=True)
    predictor.delete_models(models_to_keep="best", dry_run=False)
    with pytest.raises(InvalidInputError, match=r"_FULL has not learned \(it is fitted on all of them\)"):
        decide(predictor, recall=0.5)
    made = decide(predictor, recall=0.5, data=imbalanced_table(seed=1))
    assert len(made.predict(predictor, train)) == len(train)


@pytest.mark.parametrize(
    ("best", "left", "answering"),
    [("A", ["A", "A_FULL"], "A"), ("A_FULL", ["A", "A_FULL"], "A_FULL"), ("B", ["A_FULL"], "A_FULL")],
)
def test_the_model_of_the_decision_or_its_refitted_copy_answers(best: str, left: list[str], answering: str) -> None:
    predictor: Any = SimpleNamespace(
        model_best=best, model_refit_map=lambda: {"A": "A_FULL"}, model_names=lambda can_infer: [*left, "B"]
    )
    assert _answering(predictor, "A") == answering
    with pytest.raises(StoredStateError, match="about C, which the predictor no longer has"):
        _answering(predictor, "C")


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({}, "give one of cost_matrix"),
        ({"precision": 0.8, "recall": 0.8}, r"got \['precision', 'recall'\]"),
        ({"precision": 80}, "precision must be a number"),
        ({"budget": 2000}, "budget must be a number"),
        ({"budget": 20, "unseen_rows": 0}, "unseen_rows must be a whole number"),
        ({"budget": 20, "data": pd.DataFrame({"label": ["yes"]})}, "data lacks columns that decisions are chosen by: "),
    ],
)
def test_anything_but_one_wish_in_its_range_and_whole_rows_is_refused(wishes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        decide(binary_outcome().predictor, **wishes, store=False)


def test_a_broken_decision_is_named(tmp_path: Path) -> None:
    outcome = copy_of(binary_outcome(), tmp_path / "fit")
    decide(outcome.predictor, budget=50)
    for broken in ('{"kind": "decision"}', '{"kind'):
        (decisions._folder(outcome.predictor) / "state.json").write_text(broken)
        with pytest.raises(StoredStateError, match="no usable decision"):
            stored_decision(outcome.predictor)
