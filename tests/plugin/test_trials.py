"""Trials without fits: what is drawn, queued, counted and kept."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

import optuna
import pandas as pd
import pytest
from autogluon.common.savers import save_pkl
from autogluon.common.space import Bool, Categorical, Int, Real, Space
from autogluon.core.utils.exceptions import TimeLimitExceeded
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial, TrialState

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.parameters import TuningOptions
from imbllm_autogluon.plugin.trials import Trials, _first_all, _suggest, _suggest_all
from imbllm_autogluon.plugin.twins import twin_of
from imbllm_autogluon.rebalancing.cache import STUDIES, cache_of
from imbllm_autogluon.search import SearchSpace
from tests.plugin.recording import RecordingModel

if TYPE_CHECKING:
    from pathlib import Path


DEPTH = Int(2, 9, default=5)


class Scored(Trials):
    """Trials whose models are empty folders; the value is that of `scores` at the trial's number, else 0.5."""

    def __init__(self, *args: Any, scores: dict[int, Any] | None = None) -> None:
        super().__init__(*args)
        self.drawn: list[dict[str, Any]] = []
        self.scores = scores or {}

    def _fitted(self, trial: optuna.Trial) -> float:
        self.drawn.append(self._drawn(trial))
        self.folder(trial).mkdir(parents=True)
        score = self.scores.get(trial.number, 0.5)
        if isinstance(score, BaseException):
            raise score
        return float(score)


def trials(
    root: Path,
    hyperparameters: dict[str, Any] | None = None,
    *,
    own: dict[str, Any] | None = None,
    twin: bool = True,
    y: list[int] | None = None,
    scores: dict[int, Any] | None = None,
    metric: str = "roc_auc",
    problem_type: str = "binary",
    **options: Any,
) -> Scored:
    root.mkdir(exist_ok=True)
    (root / "learner.pkl").touch()
    X = pd.DataFrame({"a": range(4), "b": pd.Categorical(["x", "y", "x", None])})
    save_pkl.save(str(root / "train.pkl"), (X, pd.Series(y or [0, 0, 1, 1])))
    save_pkl.save(str(root / "val.pkl"), (None, None))
    params = {
        "path": str(root / "models"),
        "name": "M",
        "problem_type": problem_type,
        "eval_metric": metric,
        "hyperparameters": {"ag_args_fit": own or {}},
    }
    task = {
        "model_cls": twin_of(RecordingModel) if twin else RecordingModel,
        "init_params": params,
        "train_path": str(root / "train.pkl"),
        "val_path": str(root / "val.pkl"),
        "time_start": time.time(),
        "time_limit": None,
        "fit_kwargs": {},
    }
    return Scored(TuningOptions(**{"num_trials": 4, "top_k": 2, **options}), hyperparameters or {}, task, scores=scores)


def always(spent: float, usual: float) -> bool:
    return True


def states(of: Trials) -> str:
    """One letter for each trial."""
    return "".join(trial.state.name[0] for trial in of.study.trials)


@pytest.mark.parametrize(
    ("hyperparameters", "twin", "expected"),
    [({}, True, 4), ({"depth": DEPTH}, False, 4), ({"depth": 3}, False, 1), ({}, False, 1)],
)
def test_a_model_without_anything_to_search_is_fitted_once(
    hyperparameters: dict[str, Any], twin: bool, expected: int, tmp_path: Path
) -> None:
    made = trials(tmp_path, hyperparameters, twin=twin)
    made.run(always)
    assert made.n_wanted == len(made.study.trials) == expected


def test_the_first_trial_has_all_defaults_and_the_study_lies_in_the_predictors_cache(tmp_path: Path) -> None:
    made = trials(tmp_path, {"depth": DEPTH, "rounds": 7})
    made.run(always)
    first = {f"ag.imbllm.{name}": value for name, value in SearchSpace().first().items()}
    assert made.drawn[0] == {"depth": 5, "rounds": 7, **first}
    assert (cache_of(tmp_path) / STUDIES).stat().st_size > 0


def test_a_setting_that_the_user_names_is_not_searched_and_a_space_replaces_ours(tmp_path: Path) -> None:
    own = {"imbllm.method": "imbllm", "imbllm.temperature": Real(0.3, 0.4), "imbllm.steps": 2}
    made = trials(tmp_path, {"ag.imbllm.temperature": own["imbllm.temperature"]}, own=own, num_trials=3)
    made.run(always)
    for drawn in made.drawn:
        assert drawn["ag.imbllm.method"] == "imbllm"
        assert 0.3 <= drawn["ag.imbllm.temperature"] <= 0.4
        assert "ag.imbllm.steps" not in drawn
    assert made.drawn[0]["ag.imbllm.temperature"] == 0.3


def test_the_best_are_kept_in_the_order_of_their_numbers_and_the_folders_of_others_deleted(tmp_path: Path) -> None:
    made = trials(tmp_path, scores={0: 0.6, 1: 0.9, 2: 0.3, 3: 0.8})
    made.run(always)
    best = made.best(2)
    assert [made.folder(trial).name for trial in best] == ["T2", "T4"]
    made.delete_all_but(best)
    assert sorted(path.name for path in (tmp_path / "models" / "M").iterdir()) == ["T2", "T4"]


def test_among_equal_scores_the_earlier_trial_is_kept(tmp_path: Path) -> None:
    made = trials(tmp_path)
    made.run(always)
    assert [trial.number for trial in made.best(2)] == [0, 1]


def test_negative_scores_are_ranked_too(tmp_path: Path) -> None:
    made = trials(tmp_path, scores={0: -0.6, 1: -0.2, 2: -0.9, 3: -0.3})
    made.run(always)
    assert [trial.number for trial in made.best(2)] == [1, 3]


def test_a_trial_out_of_time_ends_the_search(tmp_path: Path) -> None:
    made = trials(tmp_path, scores={1: TimeLimitExceeded()})
    made.run(always)
    assert states(made) == "CF"
    assert [trial.number for trial in made.best(2)] == [0]


def test_no_trial_begins_without_time(tmp_path: Path) -> None:
    asked: list[tuple[float, float]] = []
    made = trials(tmp_path)
    made.run(lambda spent, usual: not asked.append((spent, usual)) and len(asked) < 3)
    assert states(made) == "CC"
    assert asked[0][1] == 0.0
    assert asked[2][1] > 0.0
    assert asked[0][0] <= asked[1][0] <= asked[2][0]


def test_an_interrupted_trial_is_tried_again_and_finished_ones_are_not(tmp_path: Path) -> None:
    first = trials(tmp_path, scores={2: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        first.run(always)
    assert states(first) == "CCR"
    again = trials(tmp_path)
    again.run(always)
    assert states(again) == "CCFCC"
    assert again.drawn[0] == first.drawn[2]
    assert len(again.drawn) == 2
    assert not (tmp_path / "models" / "M" / "T3").exists()


def test_more_trials_go_on_with_those_there_are(tmp_path: Path) -> None:
    trials(tmp_path, num_trials=2).run(always)
    again = trials(tmp_path, num_trials=5)
    again.run(always)
    assert states(again) == "CCCCC"
    assert len(again.drawn) == 3


def test_a_good_trial_whose_model_is_gone_is_fitted_once_more(tmp_path: Path) -> None:
    first = trials(tmp_path, {"rate": Real(0.0, 1.0)}, scores={1: 0.9})
    first.run(always)
    shutil.rmtree(tmp_path / "models" / "M" / "T2")
    again = trials(tmp_path, {"rate": Real(0.0, 1.0)}, scores={4: 0.9})
    again.run(always)
    assert again.drawn == [first.drawn[1]]
    assert [trial.number for trial in again.best(2)] == [0, 4]
    third = trials(tmp_path, {"rate": Real(0.0, 1.0)})
    third.run(always)
    assert third.drawn == []


@pytest.mark.parametrize(
    "other",
    [
        {"y": [0, 1, 0, 1]},
        {"metric": "f1"},
        {"hyperparameters": {"depth": Int(2, 8, default=5)}},
        {"hyperparameters": {"depth": Int(2, 9, default=6)}},
        {"own": {"imbllm.steps": 3}},
        {"own": {"imbllm.steps": Categorical(3, 4)}},
        {"space": {"method": ("none", "random")}},
        {"twin": False},
    ],
)
def test_other_conditions_are_another_study(other: dict[str, Any], tmp_path: Path) -> None:
    usual = {"hyperparameters": {"depth": DEPTH}}
    first, again = trials(tmp_path / "a", **usual), trials(tmp_path / "b", **usual)
    changed = trials(tmp_path / "b", **{**usual, **other})
    assert first.study.study_name == again.study.study_name != changed.study.study_name


def test_the_scale_of_a_search_space_is_part_of_the_studys_name(tmp_path: Path) -> None:
    names = {trials(tmp_path, {"rate": Real(0.1, 1.0, log=log)}).study.study_name for log in (True, False)}
    assert len(names) == 2


def test_without_a_predictor_the_study_lives_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imbllm_autogluon.plugin.trials.predictor_folder", lambda path: None)
    made = trials(tmp_path)
    made.run(always)
    assert states(made) == "CCCC"
    assert not cache_of(tmp_path).exists()


@pytest.mark.parametrize(
    ("options", "fit_kwargs", "params", "expected"),
    [
        ({}, {"k_fold": 8}, {}, 1),
        ({"prune": False}, {"k_fold": 8}, {}, 0),
        ({}, {"k_fold": 1}, {}, 0),
        ({}, {"k_fold": 8, "k_fold_end": 4}, {}, 0),
        ({}, {"k_fold": 8, "k_fold_end": 8}, {}, 1),
        ({}, {"k_fold": 8, "n_repeats": 2}, {}, 0),
        ({}, {"k_fold": 8}, {"refit_folds": True}, 0),
        ({}, {"k_fold": 8, "num_cpus": 3}, {"fold_fitting_strategy": "sequential_local"}, 1),
        ({}, {"k_fold": 8, "num_cpus": 3, "ray": True}, {}, 3),
        ({}, {"k_fold": 8, "num_cpus": 16, "ray": True}, {}, 4),
        ({}, {"k_fold": 8, "num_cpus": "auto", "ray": True}, {}, 1),
    ],
)
def test_as_many_folds_as_run_side_by_side_are_fitted_before_pruning(
    options: dict[str, Any],
    fit_kwargs: dict[str, Any],
    params: dict[str, Any],
    expected: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ray = fit_kwargs.pop("ray", None)
    monkeypatch.setattr("imbllm_autogluon.plugin.clock.find_spec", lambda name: ray)
    monkeypatch.setattr("imbllm_autogluon.plugin.clock.ResourceManager.get_cpu_count", lambda: 16)
    made = trials(tmp_path, **options)
    made._is_bagged = True
    made._task = {**made._task, "fit_kwargs": fit_kwargs}
    assert made._folds_before_pruning(RecordingWithParams(params)) == expected


class RecordingWithParams:
    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params


def test_finished_trials_are_those_that_count(tmp_path: Path) -> None:
    made = trials(tmp_path)
    made.study.add_trial(optuna.trial.create_trial(state=TrialState.PRUNED))
    made.run(always)
    assert states(made) == "CPCC"


def test_a_regression_is_searched_by_the_ratio_of_new_rows(tmp_path: Path) -> None:
    made = trials(tmp_path, problem_type="regression", own={"imbllm.method": "smogn"}, num_trials=1)
    made.run(always)
    assert made.study.trials[0].params == {"imbllm.method": "smogn", "imbllm.generation_ratio": 0.5}


def test_a_problem_that_is_not_rebalanced_has_nothing_to_search(tmp_path: Path) -> None:
    assert trials(tmp_path, problem_type="quantile", num_trials=4).n_wanted == 1


LAYERS = ([50], [50, 50])


def distribution(space: Space) -> Any:
    trial = optuna.create_study().ask()
    _suggest(trial, "x", space)
    return trial.distributions["x"]


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (Real(0.1, 0.9), FloatDistribution(0.1, 0.9)),
        (Real(1e-4, 1.0, log=True), FloatDistribution(1e-4, 1.0, log=True)),
        (Int(2, 60), IntDistribution(2, 60)),
        (Bool(), CategoricalDistribution((False, True))),
        (Categorical("gbdt", "dart"), CategoricalDistribution(("gbdt", "dart"))),
        (Categorical(None, 5, 0.5), CategoricalDistribution((None, 5, 0.5))),
        (Categorical(*LAYERS), CategoricalDistribution((0, 1))),
    ],
)
def test_a_space_of_autogluon_becomes_one_of_optuna(space: Space, expected: Any) -> None:
    assert distribution(space) == expected


@pytest.mark.parametrize("place", [0, 1])
def test_choices_that_optuna_cannot_store_are_stored_by_their_place(place: int) -> None:
    assert _suggest(FixedTrial({"x": place}), "x", Categorical(*LAYERS)) == LAYERS[place]


def test_a_nested_space_is_drawn_only_where_it_is_chosen() -> None:
    space = Categorical(Real(0.1, 0.2), Categorical("a", "b"), "off")
    assert _suggest(FixedTrial({"x": 0, "x.0": 0.15}), "x", space) == 0.15
    assert _suggest(FixedTrial({"x": 1, "x.1": "b"}), "x", space) == "b"
    trial = FixedTrial({"x": 2})
    assert _suggest(trial, "x", space) == "off"
    assert trial.params == {"x": 2}


def test_values_that_are_no_spaces_are_left_out() -> None:
    trial = FixedTrial({"depth": 4})
    assert _suggest_all(trial, {"depth": Int(2, 8), "rounds": 100}) == {"depth": 4}


def later_default(space: Space, default: Any) -> Space:
    space.default = default
    return space


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (Real(0.1, 0.9), 0.1),
        (Real(0.1, 0.9, default=0.5), 0.5),
        (Int(2, 60, default=20), 20),
        (Bool(), False),
        (Categorical("a", "b"), "a"),
        (later_default(Categorical("a", "b"), "b"), "b"),
        (Categorical(*LAYERS), LAYERS[0]),
        (later_default(Categorical(*LAYERS), LAYERS[1]), LAYERS[1]),
        (Categorical(Real(0.1, 0.2, default=0.15), "off"), 0.15),
        (Categorical("off", Real(0.1, 0.2)), "off"),
        (Categorical(Categorical(Int(1, 9, default=7), [1]), None), 7),
    ],
)
def test_the_first_trial_gets_the_default_of_a_space(space: Space, expected: Any) -> None:
    study = optuna.create_study()
    study.enqueue_trial(_first_all({"x": space, "fixed": 3}))
    trial = study.ask()
    assert _suggest_all(trial, {"x": space}) == {"x": expected}


def test_an_unknown_space_is_refused_by_name() -> None:
    class Simplex(Space):
        default = 0

    with pytest.raises(InvalidInputError, match="depth has a search space of type Simplex"):
        _suggest(FixedTrial({}), "depth", Simplex())


@pytest.mark.parametrize(("error", "expected"), [(ValueError("no luck"), "CFCC"), (optuna.TrialPruned(), "CPCC")])
def test_a_failed_or_pruned_trial_counts_and_leaves_no_folder(
    error: Exception, expected: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = trials(tmp_path, scores={1: error})
    with caplog.at_level(30, "autogluon.imbllm"):
        made.run(always)
    assert states(made) == expected
    assert not (tmp_path / "models" / "M" / "T2").exists()
    assert ("Trial T2 failed: ValueError: no luck" in caplog.text) == (expected == "CFCC")
