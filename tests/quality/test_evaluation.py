from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.quality import METRICS, evaluate
from tests.quality.generators import (
    LABEL,
    RELATED,
    copied,
    labelled_rows,
    nearly_copied,
    rare_rows,
    shuffled,
    uniform_noise,
)

if TYPE_CHECKING:
    from imbllm_autogluon.quality.evaluation import Evaluation

REAL, HOLDOUT = labelled_rows(1000, 0), labelled_rows(500, 1)
SMALL, SMALL_HOLDOUT, WRITTEN = REAL.iloc[:200], HOLDOUT.iloc[:120], rare_rows(200, 2)


def evaluated(synthetic: pd.DataFrame, real: pd.DataFrame = REAL, **options: Any) -> Evaluation:
    return evaluate(real, synthetic, **{"label": LABEL, "holdout": HOLDOUT, **options})


def poor(found: Evaluation) -> set[str]:
    return {measure.name for measure in found.measures if measure.verdict == "poor"}


def test_other_real_rows_are_good_in_every_measure() -> None:
    found = evaluated(rare_rows(1000, 2))
    assert [(m.name, m.verdict) for m in found.measures if m.verdict != "good"] == [
        ("precision gain at recall", "fair")
    ]
    assert (found.verdict, found.worst_associations) == ("good", ())
    assert {m.name for m in found.measures} == set(METRICS) - {"low-density interpolations"}


@pytest.mark.parametrize("name", RELATED)
def test_shuffled_columns_are_poor_and_named_and_real_rows_drawn_anew_are_not(name: str) -> None:
    real, further = RELATED[name](2), RELATED[name](3)
    independent, again = evaluate(real, shuffled(real), holdout=further), evaluate(real, further)
    assert independent.verdict == independent.measure("associations kept").verdict == "poor"
    assert independent.worst_associations[0].is_lost
    assert str(independent.worst_associations[0]) in independent.measure("associations kept").note
    assert again.verdict in ("good", "fair")
    assert not any(pair.is_lost for pair in again.worst_associations)


@pytest.mark.parametrize("name", RELATED)
def test_of_few_rows_shuffled_columns_are_never_good_and_real_rows_drawn_anew_never_poor(name: str) -> None:
    for seed in (4, 8):  # categories drawn anew by 8 have three poor metrics, numbers by 4 associations just kept
        real, further = RELATED[name](seed).iloc[:40], RELATED[name](seed + 1).iloc[:40]
        assert evaluate(real, shuffled(real, seed)).verdict != "good"
        assert evaluate(real, further).verdict != "poor"


def test_four_poor_metrics_make_rows_poor_unless_the_rows_are_too_few_to_tell() -> None:
    real = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 4)))
    found = evaluate(real, real + 9.0)
    assert len(poor(found)) >= 4
    assert (found.verdict, replace(found, rows={"real": 80, "synthetic": 19}).verdict) == ("poor", "unknown")


def test_rows_whose_associations_are_unknown_are_not_called_good() -> None:
    real, further = (pd.DataFrame(np.random.default_rng(seed).normal(size=(80, 4))) for seed in (0, 1))
    found = evaluate(real, further)
    assert found.measure("associations kept").verdict == "unknown"
    assert found.verdict == "unknown"


@pytest.mark.usefixtures("few_trees")
def test_lost_associations_of_several_classes_are_gathered() -> None:
    real = labelled_rows(600, 0)
    rare = real[LABEL] == "yes"
    written = pd.concat([shuffled(real[rare]), real[~rare]])
    found = evaluate(real, written, label=LABEL)
    measure = found.measure("associations kept")
    assert 0.5 < measure.value < 0.95  # type: ignore[operator]
    assert (measure.verdict, found.verdict) == ("poor", "poor")
    assert measure.note.startswith("Of ")
    assert "lost" in measure.note.split(".)")[0]
    assert ("a", "b") in {pair.columns for pair in found.worst_associations if pair.is_lost}


@pytest.mark.usefixtures("few_trees")
def test_a_generator_that_copies_its_training_rows_is_caught() -> None:
    caught = {
        "exact copies",
        "near copies",
        "nearer to train than to hold-out",
        "membership-inference advantage",
        "DCR to train (median)",
        "distinct rows",
    }
    found = evaluated(copied(REAL))
    assert caught <= poor(found)
    assert found.measure("exact copies").value == 1.0
    assert found.measure("close probability").verdict == "good"


@pytest.mark.usefixtures("few_trees")
def test_rows_that_differ_from_training_rows_in_one_digit_are_caught() -> None:
    found = evaluated(nearly_copied(REAL))
    assert {"near copies", "nearer to train than to hold-out", "membership-inference advantage"} <= poor(found)
    assert found.measure("exact copies").value == 0.0


@pytest.mark.usefixtures("few_trees")
def test_copies_are_caught_without_hold_out_rows_too() -> None:
    found = evaluated(copied(REAL), holdout=None)
    assert found.verdict == "poor"
    assert evaluate(SMALL, SMALL).verdict == "poor"
    assert {"exact copies", "near copies", "DCR to train (median)"} <= poor(found)
    unknown = {m.name for m in found.measures if m.verdict == "unknown"}
    assert unknown == {
        "DCR to hold-out (median)",
        "nearer to train than to hold-out",
        "membership-inference advantage",
    }
    assert all("no hold-out rows" in found.measure(name).note for name in unknown)
    assert found.distances.to_holdout is None
    assert any("Without hold-out" in note for note in found.notes)


@pytest.mark.usefixtures("few_trees")
def test_copies_are_caught_where_a_few_rows_are_looked_at() -> None:
    found = evaluated(copied(REAL), most_rows=60)
    assert {"exact copies", "near copies", "membership-inference advantage"} <= poor(found)
    assert "60 of 277 real rows" in found.measure("near copies").note
    assert "Drawn at random" not in found.measure("exact copies").note


def test_uniform_noise_is_caught() -> None:
    found = evaluated(uniform_noise(REAL, 300))
    caught = {"density", "coverage", "close probability", "inverse KL", "pair trends", "discriminator AUC"}
    assert caught | {"DCR to train (median)", "DCR to hold-out (median)"} <= poor(found)
    assert found.measure("exact copies").verdict == "good"


@pytest.mark.usefixtures("few_trees")
def test_the_same_seed_gives_the_same_figures() -> None:
    options = {"real": SMALL, "holdout": SMALL_HOLDOUT, "most_rows": 30}
    first, second = (evaluated(WRITTEN, seed=3, **options) for _ in range(2))
    assert first.to_dict() == second.to_dict()
    np.testing.assert_array_equal(first.distances.looked_at, second.distances.looked_at)
    assert evaluated(WRITTEN, seed=4, **options).to_dict() != first.to_dict()


@pytest.mark.usefixtures("few_trees")
def test_distances_lead_back_to_the_rows() -> None:
    written = pd.concat([copied(REAL).iloc[:40], REAL[REAL[LABEL] == "no"].iloc[:30]]).sample(frac=1, random_state=0)
    found = evaluated(written, most_rows=25).distances
    assert len(found.to_real) == len(found.looked_at) == len(found.nearest_real) == 50
    assert found.to_real == pytest.approx(np.zeros(50))
    looked_at, neighbors = written.iloc[found.looked_at], REAL.iloc[found.nearest_real]
    pd.testing.assert_frame_equal(looked_at.reset_index(drop=True), neighbors.reset_index(drop=True))


def test_each_class_is_compared_with_its_own_rows() -> None:
    swapped = labelled_rows(400, 2)
    swapped[LABEL] = swapped[LABEL].map({"yes": "no", "no": "yes"})
    right, wrong = (evaluated(rows, REAL.iloc[:400]) for rows in (labelled_rows(400, 2), swapped))
    assert right.rows == {"real": 400, "synthetic": 400, "holdout": 500}
    assert any("Means over 2 classes" in note for note in right.notes)
    assert wrong.measure("close probability").value < right.measure("close probability").value  # type: ignore[operator]
    assert wrong.measure("precision gain at recall").verdict == "poor"


@pytest.mark.usefixtures("few_trees")
def test_without_a_label_all_rows_are_one_class() -> None:
    features = [table.drop(columns=LABEL) for table in (REAL, rare_rows(1000, 2), HOLDOUT)]
    found = evaluate(*features[:2], holdout=features[2])
    assert found.rows == {"real": 1000, "synthetic": len(features[1]), "holdout": 500}
    assert "precision gain at recall" not in {m.name for m in found.measures}


@pytest.mark.usefixtures("few_trees")
def test_interpolated_rows_across_a_gap_lie_in_low_density() -> None:
    real = pd.DataFrame({"a": np.r_[np.linspace(0, 1, 60), np.linspace(9, 10, 60)], "b": ["x", "y"] * 60})
    for across, verdict in ((np.linspace(0.05, 0.95, 50), "good"), (np.linspace(2, 8, 50), "poor")):
        interpolated = pd.DataFrame({"a": across, "b": "x"})
        measure = evaluate(real, real, interpolated=interpolated).measure("low-density interpolations")
        assert measure.verdict == verdict


@pytest.mark.usefixtures("few_trees")
def test_everything_is_plain_json_and_one_table() -> None:
    found = evaluated(WRITTEN.iloc[:1], SMALL)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [entry["name"] for entry in plain["measures"]] == [m.name for m in found.measures]
    assert list(found.table().columns) == ["name", "value", "range", "direction", "verdict", "meaning"]
    assert found.table()["value"].isna().sum() == sum(m.value is None for m in found.measures) > 0
    with pytest.raises(InvalidInputError, match=r"no measure 'covrage' \(did you mean 'coverage'\?\)"):
        found.measure("covrage")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no written row": ({"synthetic": WRITTEN.iloc[:0]}, "synthetic table has 0 rows"),
    "no real row": ({"real": SMALL.iloc[:0]}, "real table has 0 rows"),
    "no hold-out row": ({"holdout": HOLDOUT.iloc[:0]}, "hold-out table has 0 rows"),
    "label absent": ({"synthetic": WRITTEN.drop(columns=LABEL)}, "synthetic table has no label column 'sick'"),
    "label misspelt": ({"label": "sik"}, r"did you mean 'sick'\?"),
    "labels missing": ({"synthetic": WRITTEN.assign(sick=None)}, "is the label missing in all rows"),
    "labels of another dtype": ({"synthetic": WRITTEN.assign(sick=1)}, "another dtype"),
    "column absent": ({"synthetic": WRITTEN.drop(columns="city")}, "synthetic table has no column 'city'"),
    "hold-out column absent": ({"holdout": HOLDOUT.drop(columns="city")}, "hold-out table has no column 'city'"),
    "words for numbers": ({"synthetic": WRITTEN.assign(a="x")}, "words cells in the synthetic table"),
    "hold-out words for numbers": ({"holdout": HOLDOUT.assign(a="x")}, "words cells in the hold-out table"),
    "infinite real number": ({"real": SMALL.assign(a=np.inf)}, "'a' holds an infinite number"),
    "no table": ({"synthetic": WRITTEN.to_numpy()}, "must be a pandas DataFrame; got ndarray"),
    "no rows to look at": ({"most_rows": 0}, "most_rows must be a whole number at least 1; got 0"),
    "negative seed": ({"seed": -1}, "seed must be a whole number between 0 and 4294967295; got -1"),
}


@pytest.mark.parametrize(("changed", "message"), REFUSED.values(), ids=REFUSED)
def test_tables_that_cannot_be_compared_are_refused(changed: dict[str, Any], message: str) -> None:
    given = {"real": SMALL, "synthetic": WRITTEN, "label": LABEL, "holdout": SMALL_HOLDOUT, **changed}
    with pytest.raises(InvalidInputError if "must be" in message else TableError, match=message):
        evaluate(given.pop("real"), given.pop("synthetic"), **given)


RARE = SMALL[SMALL[LABEL] == "yes"]
USUAL = SMALL[SMALL[LABEL] == "no"]
ODD: dict[str, dict[str, Any]] = {
    "one written row": {"synthetic": WRITTEN.iloc[:1]},
    "two written rows": {"synthetic": WRITTEN.iloc[:2]},
    "one real row of the class": {"real": pd.concat([USUAL, RARE.iloc[:1]])},
    "two real rows of the class": {"real": pd.concat([USUAL, RARE.iloc[:2]])},
    "one real class": {"real": RARE},
    "no hold-out row of the class": {"holdout": SMALL_HOLDOUT[SMALL_HOLDOUT[LABEL] == "no"]},
    "a column never written": {"synthetic": WRITTEN.assign(a=np.nan, city=None, day=pd.NaT)},
    "constant written columns": {"synthetic": WRITTEN.assign(a=1.0, city="Oslo", dose=3)},
    "an unseen category": {"synthetic": WRITTEN.assign(city="Paris")},
    "infinite written numbers": {"synthetic": WRITTEN.assign(a=np.inf)},
    "a further column": {"synthetic": WRITTEN.assign(other=1)},
    "equal index labels": {"real": SMALL.set_index(np.zeros(len(SMALL), dtype=int))},
    "times as objects": {"real": SMALL.assign(day=SMALL["day"].astype(object).mask(SMALL[LABEL] == "yes"))},
    "one row looked at": {"most_rows": 1},
}


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("changed", ODD.values(), ids=ODD)
def test_odd_tables_are_measured_as_far_as_they_can_be(changed: dict[str, Any]) -> None:
    given = {"real": SMALL, "synthetic": WRITTEN, "label": LABEL, "holdout": SMALL_HOLDOUT, **changed}
    found = evaluate(given.pop("real"), given.pop("synthetic"), **given)
    json.dumps(found.to_dict(), allow_nan=False)
    for measure in found.measures:
        if measure.value is None:
            assert measure.note, measure.name
        else:
            assert measure.low <= measure.value <= measure.high, measure.name


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("value", [1.0, None], ids=["constant", "missing"])
def test_tables_of_one_value_are_compared_by_what_is_left(value: float | None) -> None:
    tables = [table[["a", LABEL]].assign(a=value) for table in (SMALL, WRITTEN, SMALL_HOLDOUT)]
    found = evaluate(*tables[:2], label=LABEL, holdout=tables[2])
    assert found.measure("coverage").value == found.measure("close probability").value == 1.0
    assert found.measure("exact copies").verdict == "good"  # all real rows repeat each other, too
    assert found.measure("pair trends").value is None


@pytest.mark.usefixtures("few_trees")
def test_what_was_left_out_is_noted() -> None:
    written = pd.concat([WRITTEN, WRITTEN.iloc[:5].assign(**{LABEL: "new"}), WRITTEN.iloc[:3].assign(**{LABEL: None})])
    found = evaluate(SMALL, written, label=LABEL, holdout=SMALL_HOLDOUT)
    assert found.rows["synthetic"] == len(WRITTEN)
    assert "3 rows of the synthetic table have no label" in found.notes[0]
    assert "5 synthetic rows are of classes that no real row has" in found.notes[1]


@pytest.mark.usefixtures("few_trees")
def test_labels_of_other_dtypes_but_equal_values_are_one_class() -> None:
    coded = [
        table.assign(**{LABEL: (table[LABEL] == "yes").astype(kind)})
        for table, kind in ((SMALL, "int64"), (WRITTEN, "float64"), (SMALL_HOLDOUT, "Int64"))
    ]
    found = evaluate(*coded[:2], label=LABEL, holdout=coded[2])
    held = (SMALL_HOLDOUT[LABEL] == "yes").sum()
    assert found.rows == {"real": len(RARE), "synthetic": len(WRITTEN), "holdout": held}


@pytest.mark.slow
def test_a_hundred_thousand_rows_of_each_side_are_compared_within_bounded_memory() -> None:
    import resource
    import time

    real, written, holdout = (labelled_rows(100_000, seed).drop(columns=LABEL) for seed in (0, 1, 2))
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    found = evaluate(real, written, holdout=holdout.iloc[:30_000])
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 500, f"{grown:.0f} MiB above the start"
    assert time.monotonic() - start < 280
    assert not poor(found)
    assert "5000 of 100000 synthetic rows" in found.measure("coverage").note
