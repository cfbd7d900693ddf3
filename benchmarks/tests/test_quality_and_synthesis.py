from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import quality, synthesis
from benchmarks.protocol import Options
from benchmarks.quality import NOISE, OTHERS, written
from benchmarks.synthesis import REAL, taught, tree_scores
from benchmarks.tables import Table
from benchmarks.tests.frames import classes_table, task_of
from imbllm_autogluon.errors import InvalidInputError

SIZES = {"no": 90, "often": 30, "yes": 15}
SPLIT = quality.split_of(classes_table(SIZES), 0)
BARELY = {"layers": 1, "width": 16, "pretrain_steps": 0, "steps": 2}


def test_rarer_classes_are_wanted_up_to_the_largest_or_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SPLIT.counts == {"often": 40, "yes": 50}
    monkeypatch.setattr(quality, "MOST_WRITTEN", 45)
    assert quality.split_of(classes_table(SIZES), 0).counts == {"often": 40, "yes": 45}
    with pytest.raises(InvalidInputError, match="no class that is rarer"):
        quality.split_of(classes_table({"no": 30, "yes": 30}), 0)


@pytest.mark.parametrize("name", ["ImbLLM", "SMOTE-NC", "random oversampling", NOISE])
def test_every_method_writes_the_wanted_rows_in_the_columns_of_the_table(name: str) -> None:
    spec = {**quality.PROTOCOL.all_methods(Options())[name], **(BARELY if name == "ImbLLM" else {})}
    real, synthetic = written(SPLIT, spec, 0, 1)
    assert synthetic["label"].value_counts().to_dict() == {"yes": 50, "often": 40}
    pd.testing.assert_series_equal(synthetic.dtypes[real.columns], real.dtypes)


def test_other_real_rows_are_a_half_that_is_taken_out_of_the_table() -> None:
    real, synthetic = written(SPLIT, {"method": OTHERS}, 0, 1)
    assert synthetic["label"].value_counts().to_dict() == {"often": 10, "yes": 5}
    both = pd.concat([real, synthetic])
    assert sorted(map(tuple, both.to_numpy())) == sorted(map(tuple, SPLIT.real.frame.to_numpy()))


def test_noise_is_even_within_the_ends_of_columns_and_among_their_values() -> None:
    frame = classes_table({"no": 900, "yes": 90}).frame
    frame["amount"] = frame["amount"].where(frame.index % 4 != 0) ** 3
    split = quality.split_of(Table(frame, "label", "visits"), 0)
    rows, real = written(split, {"method": NOISE}, 0, 1)[1], split.real.X
    ends = real["amount"].min(), real["amount"].max()
    assert rows["amount"].dropna().between(*ends).all()
    assert rows["amount"].mean() == pytest.approx(np.mean(ends), abs=0.1 * (ends[1] - ends[0])), "not where rows are"
    assert rows["amount"].isna().mean() == pytest.approx(0.25, abs=0.07)
    assert set(rows["city"]) == set(real["city"])


def test_figures_of_quality_have_verdicts_and_controls_differ() -> None:
    table = classes_table({"no": 120, "yes": 60})
    found = {
        name: {row["metric"]: row for row in quality.measure(task_of(quality.PROTOCOL, table, name))}
        for name in (NOISE, OTHERS)
    }
    assert found[NOISE]["rows written"]["value"] == 40
    assert found[NOISE]["close probability"]["value"] < found[OTHERS]["close probability"]["value"]
    assert {row["verdict"] for row in found[OTHERS].values()} <= {"good", "fair", "poor", "unknown", ""}


def test_good_shares_count_what_was_judged_and_poor_figures_are_marked() -> None:
    rows = [("coverage", 0.9, "good"), ("density", 0.2, "poor"), ("entropy", None, "unknown"), ("seconds", 3.0, "")]
    tidy = pd.DataFrame(rows, columns=["metric", "value", "verdict"]).assign(table="visits", split=0, method="ImbLLM")
    assert "50 %" in quality.verdicts(tidy, quality.PROTOCOL)
    told = quality.all_figures(tidy, quality.PROTOCOL)
    assert "0.200*" in told
    assert "0.900 " in told
    assert "entropy" not in told


def test_real_rows_teach_the_classes_and_shuffled_labels_nothing() -> None:
    rows, unseen = (classes_table({"no": 300, "yes": 150}, seed).frame for seed in (0, 1))
    told = (
        {"label": np.where(rows["amount"] > 0.6, "yes", "no")},
        {"label": np.where(unseen["amount"] > 0.6, "yes", "no")},
    )
    found = taught(rows.assign(**told[0]), unseen.assign(**told[1]), "label")
    assert min(found.values()) > 95
    shuffled = rows.assign(label=rows["label"].sample(frac=1, random_state=0).to_numpy())
    assert 35 < taught(shuffled, unseen, "label")["ROC AUC"] < 65


def test_scores_of_trees_are_those_computed_by_hand() -> None:
    truth = np.array([0, 0, 0, 1])
    first = np.array([0.9, 0.6, 0.2, 0.7])  # of class 0: the third row and the rare one are mistaken
    found = tree_scores(truth, np.column_stack([first, 1 - first]))
    expected = {"accuracy": 0.5, "balanced accuracy": 1 / 3, "macro F1": 1 / 3, "ROC AUC": 1 / 3}
    assert found == pytest.approx(expected)
    # Class 2 is never given a probability: AUC 1, 1 and 0.5.
    without = np.array([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0], [0.5, 0.5, 0]])
    assert tree_scores(np.array([0, 1, 2, 2]), without)["ROC AUC"] == pytest.approx((1 + 1 + 0.5) / 3)


@pytest.mark.parametrize("name", [REAL, "Pred-LLM", "GReaT"])
def test_a_table_is_written_and_judged_on_unseen_rows(name: str) -> None:
    task = task_of(synthesis.PROTOCOL, classes_table({"no": 60, "yes": 40}), name)
    found = synthesis.measure(task._replace(methods={name: {**task.spec, **(BARELY if task.spec else {})}}))
    assert ("fit s" in found) == (name != REAL)
    assert ("query accuracy" in found) == (name != "GReaT")
    assert {"accuracy", "discriminator", "density", "coverage", "copies", "rarest gap"} <= set(found)
    assert all(np.isfinite(value) for value in found.values())
