from __future__ import annotations

import itertools
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor
from autogluon.tabular.models import KNNModel, LGBModel, LinearModel

from imbllm_autogluon.plugin import clock
from imbllm_autogluon.plugin.clock import FitClock
from imbllm_autogluon.plugin.models import GeneratorModel, LatentDiffModel
from imbllm_autogluon.plugin.parameters import TwinOptions
from imbllm_autogluon.plugin.twins import twin_of

if TYPE_CHECKING:
    from pathlib import Path

Step = tuple[type[Any], dict[str, Any], float, float | None]
"""Class and hyperparameters of a model, the seconds that it takes, and its score (None: it fails)."""

GENERATOR: Step = (GeneratorModel, {}, 10.0, 0.1)
PLAIN: list[Step] = [
    (LGBModel, {}, 20.0, 0.8),
    (LGBModel, {"extra_trees": True}, 10.0, 0.7),
    (LinearModel, {}, 5.0, 0.6),
    (KNNModel, {}, 1.0, 0.2),
]
TWINS: list[Step] = [(twin_of(step[0]), *step[1:]) for step in PLAIN]


class Fit:
    """A fit of AutoGluon by a clock that stands still between models."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, limit: float | None, folds: int = 0, **options: Any) -> None:
        self.now, self.scores, self.fitted, self.shares = 0.0, {}, [], {}
        monkeypatch.setattr(time, "time", lambda: self.now)
        monkeypatch.setattr(clock, "_MOST_OF_PLAIN", 1.0)  # here a twin takes exactly as long as its plain model
        monkeypatch.setattr(clock, "_LEAST_ROOM", 0.0)
        self.clock = FitClock(TwinOptions.from_keywords(options))
        metric = SimpleNamespace(needs_class=False)
        self.trainer = SimpleNamespace(_time_limit=limit, _time_train_start=0.0, k_fold=folds, eval_metric=metric)
        self.trainer.get_model_attribute = lambda name, attribute: self.scores[name]
        self.names = (f"{number}" for number in itertools.count(1))

    def run(self, steps: list[Step]) -> list[str]:
        """Names of the models that were fitted: class and number of the step."""
        for model_class, hyperparameters, seconds, score in steps:
            name = f"{model_class.__name__}{next(self.names)}"
            model = model_class(path="", name=name, problem_type="binary", hyperparameters=dict(hyperparameters))
            left = None if self.trainer._time_limit is None else self.trainer._time_limit - self.now
            if self.clock.begins(self.trainer, model, left, 1):
                continue
            share = self.shares[name] = getattr(model, "imbllm_seconds", None)
            self.now += seconds if share is None else min(seconds, share * max(1, self.trainer.k_fold))
            self.scores[name] = score
            self.clock.ended(self.trainer, [name] if score is not None else [])
            self.fitted.append(name)
        return self.fitted


@pytest.fixture(autouse=True)
def libraries_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imbllm_autogluon.plugin.clock._left_after_loading", lambda seconds, least: seconds)
    monkeypatch.setattr("imbllm_autogluon.plugin.clock.find_spec", lambda name: None)


@pytest.mark.parametrize(
    ("twins", "fitted"),
    [
        ("top", ["LGBModelImb6", "LinearModelImb8"]),
        (1, ["LGBModelImb6", "LinearModelImb8", "KNNModelImb9"]),
        ("all", ["LGBModelImb6", "LGBModelImb7", "LinearModelImb8", "KNNModelImb9"]),
    ],
)
@pytest.mark.parametrize("limit", [None, 600.0])
def test_twins_are_those_of_the_best_model_of_each_family_that_can_matter(
    monkeypatch: pytest.MonkeyPatch, twins: Any, fitted: list[str], limit: float | None
) -> None:
    fit = Fit(monkeypatch, limit, twins=twins)
    assert fit.run([*PLAIN, GENERATOR, *TWINS])[5:] == fitted
    skipped = {f"{twin.__name__}{6 + place}" for place, (twin, *_) in enumerate(TWINS)} - set(fitted)
    assert set(fit.clock.left_out) == skipped
    assert len(fit.clock.facts()["notes"]) == len(set(fit.clock.left_out.values()))
    assert (set(fit.shares.values()) == {None}) == (limit is None)


@pytest.mark.parametrize(
    ("generator", "fitted"),
    [
        (1.0, ["LGBModelImb6", "LinearModelImb8", "KNNModelImb9"]),  # 21, 6 and 2 s of the 40 of all plain models
        (16.0, ["LGBModelImb6", "KNNModelImb9"]),  # 24 s are left: with 6 more it would be too long, with 2 it is not
        (30.0, ["LGBModelImb6"]),  # the best one has its twin whatever it takes
    ],
)
def test_without_a_limit_twins_and_generators_take_as_long_as_plain_models(
    monkeypatch: pytest.MonkeyPatch, generator: float, fitted: list[str]
) -> None:
    fit = Fit(monkeypatch, None, twins=1)
    assert fit.run([*PLAIN, (*GENERATOR[:2], generator, 0.1), *TWINS])[5:] == fitted
    if generator > 1.0:
        assert "more than twice" in fit.clock.facts()["notes"][-1]
    assert len(Fit(monkeypatch, None, twins="all").run([*PLAIN, (*GENERATOR[:2], 1e3, 0.1), *TWINS])) == 9


@pytest.mark.parametrize(("out_of_bag", "fitted"), [(False, 2), (True, 1)])
def test_a_twin_is_fitted_in_every_fold_where_its_plain_model_is_fitted_once(
    monkeypatch: pytest.MonkeyPatch, out_of_bag: bool, fitted: int
) -> None:
    fit = Fit(monkeypatch, None, folds=4)
    steps: list[Step] = [PLAIN[0], (LinearModel, {"use_child_oof": out_of_bag}, 1.0, 0.6)]
    twins: list[Step] = [(twin_of(step[0]), *step[1:]) for step in steps]
    assert len(fit.run([*steps, (*GENERATOR[:2], 0.0, 0.1), *twins])) == 3 + fitted


def test_no_model_is_far_from_the_best_by_its_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = Fit(monkeypatch, None)
    fit.trainer.eval_metric.needs_class = True
    assert fit.run([*PLAIN, GENERATOR, *TWINS])[5:] == ["LGBModelImb6", "LinearModelImb8", "KNNModelImb9"]


def test_twins_without_scores_to_choose_by_are_all_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(Fit(monkeypatch, None).run([GENERATOR, *TWINS])) == 5


def test_a_plain_model_or_a_generator_that_failed_leaves_no_twin_to_write_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost: list[Step] = [(*step[:3], None) for step in PLAIN]
    assert len(Fit(monkeypatch, None).run([*lost, GENERATOR, *TWINS])) == len(lost)
    fit = Fit(monkeypatch, None)
    assert fit.run([*PLAIN, (*GENERATOR[:3], None), *TWINS])[len(PLAIN) :] == ["GeneratorModel5"]
    assert "the generator wrote no rows" in fit.clock.facts()["notes"][0]


def test_twins_of_a_generator_without_time_do_not_write_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imbllm_autogluon.plugin.clock._left_after_loading", lambda seconds, least: 0.0)
    fit = Fit(monkeypatch, 100.0)
    assert len(fit.run([*PLAIN, GENERATOR, *TWINS])) == len(PLAIN)
    assert fit.clock.left_out["GeneratorModel5"] == "no time was left"


def test_generators_take_a_fifth_of_the_limit_and_twins_what_the_plain_models_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = Fit(monkeypatch, 100.0, folds=4, twins="all")
    endless: list[Step] = [(*step[:2], 1e9, step[3]) for step in [GENERATOR, *TWINS]]
    fit.run([*PLAIN, *endless])
    assert fit.shares["GeneratorModel5"] == 20.0 / 4
    assert fit.clock.seconds["generators"] == 20.0
    assert 30.0 < fit.clock.seconds["twins"] <= fit.clock.seconds["plain"] == 36.0
    assert fit.now < 100.0


def test_where_little_time_is_left_the_twins_of_the_best_models_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = Fit(monkeypatch, 70.0, twins="all")
    assert fit.run([*PLAIN, GENERATOR, *TWINS])[5:] == ["LGBModelImb6", "LGBModelImb7"]
    assert "no time was left" in fit.clock.left_out.values()
    assert fit.now < 70.0


def test_without_any_time_left_no_twin_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(Fit(monkeypatch, 40.0, twins="all").run([*PLAIN[:1], (*GENERATOR[:2], 25.0, 0.1), *TWINS[:1]])) == 2
    fit = Fit(monkeypatch, 40.0)
    fit.run(PLAIN[:1])
    fit.now = 41.0
    assert fit.run(TWINS[:1]) == ["LGBModel1"]


def test_large_portfolios_leave_time_for_twins_but_no_family_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    slow: list[Step] = [(LGBModel, {"num_leaves": n}, 25.0, 0.8) for n in range(2, 6)]
    fit = Fit(monkeypatch, 100.0)
    assert fit.run([*slow, (LinearModel, {}, 1.0, 0.6)]) == ["LGBModel1", "LGBModel2", "LGBModel3", "LinearModel5"]
    assert fit.clock.left_out == {"LGBModel4": "the family had a model when 60% of the time was over"}


def test_latent_diff_has_as_long_as_the_plain_models_had_and_half_of_what_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    latent: Step = (LatentDiffModel, {}, 1.0, 0.5)
    for limit, share in ((200.0, 40.0), (56.0, 10.0)):
        fit = Fit(monkeypatch, limit)
        fit.run([*PLAIN, latent])
        assert fit.shares["LatentDiffModel5"] == share


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("label", ["two classes", "seven classes", "numbers"])
def test_a_limit_of_a_minute_is_kept(label: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(3000, 10)), columns=[f"c{j}" for j in range(10)])
    score = table["c0"] + table["c1"] * table["c2"] + rng.normal(size=len(table))
    ranks = score.rank(pct=True)
    table["label"] = {
        "two classes": (ranks > 0.97).map({True: "rare", False: "usual"}),
        "seven classes": pd.cut(ranks, [0, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 1]).astype(str),
        "numbers": np.exp(score),
    }[label]
    predictor = TabularPredictor("label", path=str(tmp_path / "p"), verbosity=0)
    options = {"hyperparameters": {"GBM": {}, "RF": {}, "LR": {}}, "num_bag_folds": 4, "num_cpus": 1}
    started = time.time()
    predictor.fit(table, presets="imbllm", time_limit=60, **options)
    assert time.time() - started < 66
    assert predictor._trainer.imbllm_clock["seconds"]["generators"] < 0.25 * 60
