from __future__ import annotations

import pandas as pd
import pytest

from benchmarks import ablation, paper
from benchmarks.ablation import CLOSE, COVERAGE, DEFAULT, GAIN, SLOW, axes_of, method_of, methods_of, with_gains
from benchmarks.classifiers import CLASSIFIERS
from benchmarks.paper import split_of
from benchmarks.protocol import Options
from benchmarks.tables import Rows
from benchmarks.tests.frames import classes_table, task_of
from imbllm_autogluon.errors import InvalidInputError

SIZES = {"no": 200, "often": 100, "yes": 50}
TABLE = classes_table(SIZES)
BARELY = {"layers": 1, "width": 16, "pretrain_steps": 0, "steps": 2}


def test_the_rarest_class_is_rare_in_training_alone_and_all_are_wanted_up_to_the_largest() -> None:
    split = split_of(TABLE, 0)
    assert split.test.y.value_counts().to_dict() == {"no": 40, "often": 20, "yes": 10}
    assert split.real.y.value_counts().to_dict() == {"no": 160, "often": 80, "yes": 8}
    assert split.counts == {"often": 80, "yes": 152}
    assert split_of(classes_table({"no": 50, "often": 45, "yes": 40}), 0).counts == {"often": 4, "yes": 34}


def test_another_share_keeps_the_test_rows_and_the_rows_of_smaller_shares() -> None:
    split, half = split_of(TABLE, 0), split_of(TABLE, 0, kept=0.5)
    assert half.real.y.value_counts().to_dict() == {"no": 160, "often": 80, "yes": 20}
    pd.testing.assert_frame_equal(half.test.X, split.test.X)
    fewer, more = (set(part.real.X.itertuples(index=False, name=None)) for part in (split, half))
    assert fewer < more
    with pytest.raises(InvalidInputError, match=r"kept must be a number between 0\.1 and 1\.0; got 0\.05"):
        split_of(TABLE, 0, kept=0.05)


def test_a_method_is_judged_by_what_a_classifier_learns() -> None:
    found = {
        name: paper.measure(task_of(paper.PROTOCOL, TABLE, name)) for name in ("none", "class weights", "SMOTE-NC")
    }
    assert found["none"]["rows added"] == found["class weights"]["rows added"] == 0.0
    assert found["SMOTE-NC"]["rows added"] == 232.0
    assert len({figures["log-loss"] for figures in found.values()}) == 3
    assert set(found["none"]) == {metric.name for metric in paper.PROTOCOL.metrics}


def test_each_axis_changes_one_thing_and_the_default_is_measured_once() -> None:
    methods, defaults = methods_of(Options()), []
    for axis, (values, _) in axes_of(Options()).items():
        named = {value: method_of(axis, value, changed, Options()) for value, changed in values.items()}
        defaults.append([*named.values()].count(DEFAULT))
        for value, name in named.items():
            if name != DEFAULT:
                assert methods[name] == {"method": "imbllm", **values[value]}
    assert defaults == [1] * 14
    assert SLOW in methods
    assert methods["none, kept_share: 0.5"] == {"method": "none", "kept_share": 0.5}


def test_settings_are_in_all_methods_and_may_be_the_default_of_an_axis() -> None:
    methods = methods_of(Options(settings={"temperature": 0.5}))
    assert "temperature: 0.5" not in methods
    assert methods["temperature: 0.7"]["temperature"] == 0.7
    assert methods["order: permute_x"] == {"method": "imbllm", "temperature": 0.5, "order": "permute_x"}


@pytest.mark.parametrize("name", ["none, kept_share: 0.5", "kept_share: 0.5", "classifier: LightGBM"])
def test_a_method_has_the_figures_of_its_rows_where_it_has_any(name: str) -> None:
    task = task_of(ablation.PROTOCOL, classes_table({"no": 120, "yes": 60}), name)
    spec = {**task.spec, **(BARELY if task.spec["method"] == "imbllm" else {})}
    found = ablation.measure(task._replace(methods={name: spec}))
    kept = 24 if "0.5" in name else 10
    assert found["rows added"] == (0.0 if name.startswith("none") else 96.0 - kept)
    assert (found[CLOSE] is None) == (found[COVERAGE] is None) == name.startswith("none")


def test_rows_of_the_class_itself_are_close_and_cover_it_and_distant_ones_do_not() -> None:
    split = split_of(classes_table({"no": 300, "yes": 300}), 0)
    own = split.real.X[(split.real.y == split.classes[-1]).to_numpy()]
    figures = []
    for new in (own, own.assign(amount=own["amount"] + 90.0)):
        y = pd.concat([split.real.y, pd.Series([split.classes[-1]] * len(new))], ignore_index=True)
        learned = Rows(pd.concat([split.real.X, new], ignore_index=True), y)
        figures.append(ablation.written_figures(learned, split, 0))
    assert (figures[0][CLOSE] or 0) > 85
    assert (figures[0][COVERAGE] or 0) > 70
    assert figures[1] == {CLOSE: 0.0, COVERAGE: 0.0}


def test_gains_are_over_no_oversampling_that_is_judged_alike() -> None:
    rows = [("none", 40.0), (DEFAULT, 44.0), ("none, classifier: LightGBM", 50.0), ("classifier: LightGBM", 57.0)]
    rows += [("classifier: CatBoost", 60.0)]
    tidy = pd.DataFrame(rows, columns=["method", "value"]).assign(table="visits", split=0, metric="F1")
    found = with_gains(tidy)
    gains = found[found["metric"] == GAIN].set_index("method")["value"].to_dict()
    assert gains == {"none": 0, DEFAULT: 4, "none, classifier: LightGBM": 0, "classifier: LightGBM": 7}
    assert "CatBoost" in CLASSIFIERS, "measured without its reference, it has no gain"
