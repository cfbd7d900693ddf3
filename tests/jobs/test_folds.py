from __future__ import annotations

from math import sqrt
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from autogluon.common.utils.cv_splitter import CVSplitter

from imbllm_autogluon.jobs import folds
from imbllm_autogluon.jobs.folds import _bagged_rows, _child_reports, _record, fold_records, written_rows
from imbllm_autogluon.plugin.stage import plan_for
from imbllm_autogluon.rebalancing import Fold
from imbllm_autogluon.rebalancing.rows import ROWS_CACHE
from tests.jobs.fits import (
    CITIES,
    binary_outcome,
    copy_of,
    many_kinds,
    multiclass_outcome,
    target_outcome,
    unbagged_outcome,
)

if TYPE_CHECKING:
    from imbllm_autogluon.jobs.fit import FitOutcome


def entry(label: str, method: str = "language model", rows: int = 30, **counts: int) -> dict[str, Any]:
    """What a report says of the rows written for a class or a bin."""
    return {"method": method, "label": label, "rows": rows, "copies_dropped": 0, "copies_kept": 0, **counts}


def record_of(*classes: dict[str, Any], notes: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    edges = {"edges": more.pop("edges")} if "edges" in more else {}
    made = {"classes": classes, **more}
    report = {"before": {}, "added": {}, "reason": "", "notes": notes, "oversampling": made, **edges}
    return _record("S1F1", report, {"0": "no", "1": "yes"})


def test_classes_of_few_rows_and_copies_are_noted_by_the_users_class_names() -> None:
    record = record_of(
        entry("1", copies_dropped=3, implausible_dropped=2, implausible_kept=1),
        entry("0", "interpolation", 4, copies_kept=2),
        notes=("cut",),
        excluded={"id": "column 'id': an identifier."},
        stopped_by={"warm-up": "steps", "minority": "time limit"},
    )
    assert record["notes"] == [
        "cut.",
        "Not written by the language model: column 'id': an identifier.",
        "Rows of class 'yes' that looked like another class, written again: 2.",
        "Rows of class 'yes' that looked like another class and had to stay: 1.",
        "Copies of real rows of class 'yes', written again: 3.",
        "Class 'no': 4 rows; the new ones are made by interpolation.",
        "Copies of real rows of class 'no' that had to stay: 2.",
        "Training (minority) was stopped by the time limit.",
    ]


def test_near_copies_are_noted_by_the_users_class_names() -> None:
    record = record_of(entry("1", near_copies_dropped=7, near_copies_kept=1))
    assert record["copies"] == {"yes": {"dropped": 0, "kept": 0, "near_dropped": 7, "near_kept": 1}}
    assert record["notes"] == [
        "Near copies of real rows of class 'yes', written again: 7.",
        "Near copies of real rows of class 'yes' that had to stay: 1.",
    ]


def test_notes_on_written_rows_name_the_targets_of_a_bin() -> None:
    record = record_of(entry("3.5 to 9", "interpolation", 2, copies_kept=1), edges=[0.0, 9.0])
    assert record["notes"] == [
        "Targets 3.5 to 9: 2 rows; the new ones are made by interpolation.",
        "Copies of real rows of targets 3.5 to 9 that had to stay: 1.",
    ]


def test_folds_are_read_from_one_family_when_it_knows_all_generators() -> None:
    outcome = binary_outcome()
    assert fold_records(outcome.predictor, 2) == fold_records(outcome.predictor, 0)


def test_rows_before_and_added_are_counted_by_bins_with_known_edges() -> None:
    for fold in fold_records(target_outcome().predictor, 0):
        assert len(fold["edges"]) == 9
        assert sum(fold["before"].values()) in (74, 75)
        assert set(fold["added"]) <= set(fold["before"])


def key_of(outcome: FitOutcome, real: pd.DataFrame, label: str, kinds: dict[str, str]) -> str:
    """Key of the rows that would be written for a fold of the given real rows."""
    config = outcome.job.rebalancing
    y = real[label]
    plan = plan_for(outcome.job.task.problem_type, y, config, outcome.predictor.eval_metric)
    return Fold(real.drop(columns=label), y, plan, kinds).rows_key(config)


def test_the_real_rows_are_exactly_those_that_the_rows_were_written_for() -> None:
    outcome = binary_outcome()
    found = written_rows(outcome.predictor, outcome.job.train.frame)
    assert found is not None
    _, report = next(_child_reports(outcome.predictor, found.model))
    # The key is a hash of every cell of the fold in its order.
    assert key_of(outcome, found.real, "label", {"city": "categorical"}) == report["oversampling"]["rows"]
    moved = found.real.iloc[::-1].reset_index(drop=True)
    assert key_of(outcome, moved, "label", {"city": "categorical"}) != report["oversampling"]["rows"]


def test_a_fold_and_what_is_held_out_of_it_are_the_training_table() -> None:
    outcome = binary_outcome()
    found = written_rows(outcome.predictor)
    assert found is not None
    assert (found.name, found.method, found.label, found.original) == ("S1F1", "imbllm", "label", True)
    assert found.held_out is not None
    known = outcome.job.train.frame[list(found.real.columns)]
    both = pd.concat([found.real, found.held_out])
    order = list(known.columns)
    pd.testing.assert_frame_equal(
        both.sort_values(order, ignore_index=True), known.sort_values(order, ignore_index=True), check_dtype=False
    )


def test_written_rows_have_the_columns_dtypes_and_class_names_of_the_real_ones() -> None:
    outcome = multiclass_outcome()
    found = written_rows(outcome.predictor, outcome.job.train.frame)
    assert found is not None
    assert list(found.synthetic.columns) == list(found.real.columns)
    assert found.synthetic.dtypes.equals(found.real.dtypes)
    counts, added = found.real["label"].value_counts(), found.synthetic["label"].value_counts()
    assert set(added.index) == {"b", "c"}
    wanted = [round(sqrt(counts[rare] * counts["a"])) - counts[rare] for rare in ("b", "c")]
    assert [added["b"], added["c"]] == wanted
    assert set(found.synthetic["city"]) <= set(found.real["city"])


def test_original_values_come_back_whatever_the_columns_hold() -> None:
    outcome = many_kinds()
    found = written_rows(outcome.predictor, outcome.job.train.frame)
    assert found is not None
    assert found.name == "all rows"
    assert found.held_out is not None
    train = outcome.job.train.frame
    assert len(found.real) + len(found.held_out) == len(train)
    assert "note" not in found.real.columns  # copied from a real row, not written
    for rows in (found.real, found.held_out, found.synthetic):
        assert set(rows["member"]) <= {"ja", "nein"}
        assert set(rows["paid"]) <= {True, False}
        assert rows["since"].between(train["since"].min(), train["since"].max()).all()
    assert found.real["amount"].isna().any()
    assert len(found.real.merge(train[list(found.real.columns)])) >= len(found.real)


def test_without_the_training_table_the_other_of_two_values_is_called_not_the_known_one() -> None:
    found = written_rows(many_kinds().predictor)
    assert found is not None
    assert set(found.real["member"]) in ({"ja", "not ja"}, {"nein", "not nein"})


def test_targets_have_their_bins_for_classes_and_stand_beside_them() -> None:
    outcome = target_outcome()
    found = written_rows(outcome.predictor, outcome.job.train.frame)
    assert found is not None
    assert (found.label, found.method) == ("price range", "smogn")
    assert list(found.real.columns) == ["area", "city", "price", "price range"] == list(found.synthetic.columns)
    ends = found.real["price range"].str.extract(r"(\S+) to (\S+)").astype(float)
    assert ((found.real["price"] >= ends[0] - 0.5) & (found.real["price"] <= ends[1] + 0.5)).all()
    assert set(found.synthetic["city"]) <= set(CITIES)  # SMOGN was given codes


def test_without_original_columns_real_and_written_rows_are_codes_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folds, "exact_view", lambda *_: None)
    found = written_rows(target_outcome().predictor)  # SMOGN writes in AutoGluon's columns
    assert found is not None
    assert not found.original
    assert found.real["city"].dtype == found.synthetic["city"].dtype == "category"
    assert set(found.synthetic["city"]) <= {0, 1, 2}
    assert written_rows(binary_outcome().predictor) is None  # the language model wrote in original columns


def test_rows_that_are_no_longer_in_the_cache_are_none(tmp_path: Path) -> None:
    outcome = copy_of(binary_outcome(), tmp_path / "fit")
    assert written_rows(outcome.predictor) is not None
    rows = Path(outcome.predictor.path) / "utils" / "imbllm" / ROWS_CACHE.name
    for entry in rows.glob("*/state.json"):
        entry.unlink()
    ROWS_CACHE.forget()
    assert written_rows(outcome.predictor) is None


def test_a_fit_without_twins_has_no_written_rows() -> None:
    assert written_rows(unbagged_outcome().predictor) is None


def test_training_data_that_are_not_those_of_the_fold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = binary_outcome()
    trainer = outcome.predictor._trainer
    X, y = trainer.load_X().iloc[:-7], trainer.load_y().iloc[:-7]
    monkeypatch.setattr(trainer, "load_data", lambda: (X, y, None, None))
    assert written_rows(outcome.predictor) is None
    monkeypatch.setattr(trainer, "load_data", lambda: (None, None, None, None))
    assert written_rows(outcome.predictor) is None


@pytest.mark.parametrize(("fold", "place"), [("S1F1", 0), ("S1F3", 2), ("S2F1", 3), ("S2F2", 4)])
def test_every_fold_of_every_repeat_is_the_one_that_autogluon_fitted(fold: str, place: int) -> None:
    X, y = pd.DataFrame({"x": range(30)}), pd.Series([0, 1, 2] * 10)
    splitter = CVSplitter(n_splits=3, n_repeats=2, stratify=True, random_state=1)
    found = _bagged_rows(SimpleNamespace(_cv_splitters=[splitter] * 2, _k_per_n_repeat=[3, 3]), fold, X, y)
    training, validation = splitter.split(X, y)[place]
    assert found is not None
    assert [rows[0]["x"].tolist() for rows in found] == [training.tolist(), validation.tolist()]


def test_a_fold_of_another_name_or_of_an_unfinished_repeat_is_unknown() -> None:
    bag = SimpleNamespace(_cv_splitters=[None, None], _k_per_n_repeat=[3])
    assert _bagged_rows(bag, "other", pd.DataFrame(), pd.Series()) is None
    assert _bagged_rows(bag, "S2F1", pd.DataFrame(), pd.Series()) is None


def test_a_refitted_model_learned_from_all_rows(tmp_path: Path) -> None:
    outcome = copy_of(binary_outcome(), tmp_path / "fit")
    predictor = outcome.predictor
    twin = "LinearModelImb_BAG_L1"
    with pytest.MonkeyPatch.context() as patch:
        predictor.refit_full(model=twin, set_best_to_refit=False)
        patch.setattr(folds, "_twins_and_refitted", lambda _: [f"{twin}_FULL"])
        patch.setattr(folds, "model_kind", lambda *_: "twin")
        found = written_rows(predictor)
    assert found is not None
    assert (found.name, found.held_out) == ("all rows", None)
    assert len(found.real) == len(outcome.job.train.frame)
