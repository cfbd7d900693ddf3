"""The trials of one model: drawn by Optuna from AutoGluon's search spaces, fitted by AutoGluon, kept as folders."""

from __future__ import annotations

import copy
import hashlib
import logging
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pandas as pd
from autogluon.common.loaders import load_pkl
from autogluon.common.space import Bool, Categorical, Int, Real, Space
from autogluon.core.models.abstract.model_trial import fit_and_save_model, init_model
from autogluon.core.utils.exceptions import TimeLimitExceeded
from optuna.trial import TrialState

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.clock import folds_at_once
from imbllm_autogluon.plugin.parameters import AUX_PREFIX, TwinParameters
from imbllm_autogluon.plugin.stage import RebalancingMixin, predictor_folder, task_of
from imbllm_autogluon.rebalancing.cache import STUDIES, cache_of
from imbllm_autogluon.search.studies import journal_storage, open_study, quiet_optuna, study_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optuna.trial import FrozenTrial

    from imbllm_autogluon.plugin.parameters import TuningOptions
    from imbllm_autogluon.search.space import SearchSpace, TargetSearchSpace


_log = logging.getLogger("autogluon.imbllm")

_PLAIN = (str, int, float, bool, type(None))  # stored by Optuna as a choice; of anything else the place in the list is


class Trials:
    """Trials of one model of a fit, in a study of their own in the journal of the predictor.

    Hyperparameters that are search spaces are drawn; `task` is what AutoGluon hands to its own trial function: model
    class, arguments, paths of the data, time.
    """

    def __init__(self, options: TuningOptions, hyperparameters: Mapping[str, Any], task: Mapping[str, Any]) -> None:
        self._options = options
        self._hyperparameters = dict(hyperparameters)
        self._task = task
        self._init_params: dict[str, Any] = task["init_params"]
        # Arguments of the model itself, where those given are of a bag around it.
        self._of_model: Mapping[str, Any] = self._init_params.get("model_base_kwargs") or self._init_params
        self._aux: dict[str, Any] = (self._of_model.get("hyperparameters") or {}).get("ag_args_fit", {})
        self._is_bagged = bool(task.get("is_bagged_model", False))
        self._train = load_pkl.load(task["train_path"])
        self._validation = load_pkl.load(task["val_path"])
        self._rebalancing = self._rebalancing_space()
        self._root: Path = Path(self._init_params["path"]) / self._init_params["name"]
        self._failed = 0
        self.study = self._open()

    @property
    def n_wanted(self) -> int:
        """Trials in all: a single one where nothing is searched."""
        spaces = any(isinstance(value, Space) for value in self._hyperparameters.values())
        return self._options.num_trials if spaces or self._rebalancing is not None else 1

    def run(self, has_time: Callable[[float, float], bool]) -> None:
        """Fit trials until there are enough, or `has_time(seconds spent, seconds of a usual trial)` says no."""
        self._pick_up()
        durations: list[float] = []
        while self._n_finished() + self._failed < self.n_wanted:
            started = time.time()
            if not has_time(started - self._task["time_start"], float(np.median(durations)) if durations else 0.0):
                _log.log(20, "\tNo time is left for another trial; %d are finished.", self._n_finished())
                break
            if not self._one():
                break
            durations.append(time.time() - started)

    def best(self, k: int) -> list[FrozenTrial]:
        """The k finished trials with the highest scores whose models are on disk, in the order of their numbers."""
        there = [trial for trial in self._complete() if self.folder(trial).is_dir()]
        return sorted(there[:k], key=lambda trial: trial.number)

    def delete_all_but(self, kept: list[FrozenTrial]) -> None:
        """Delete the folders of all other trials; the study keeps their scores."""
        numbers = {trial.number for trial in kept}
        for trial in self.study.get_trials(deepcopy=False):
            if trial.number not in numbers:
                shutil.rmtree(self.folder(trial), ignore_errors=True)

    def folder(self, trial: FrozenTrial | optuna.Trial) -> Path:
        """Folder of a trial's model, by AutoGluon's name for it."""
        return self._root / f"T{trial.number + 1}"

    def _one(self) -> bool:
        """Fit one trial; returns whether there is time for more."""
        trial = self.study.ask()
        folder, is_time_left = self.folder(trial), True
        shutil.rmtree(folder, ignore_errors=True)
        try:
            score = self._fitted(trial)
        except optuna.TrialPruned:
            self.study.tell(trial, state=TrialState.PRUNED)
            _log.log(15, "\t%s is pruned.", folder.name)
        except TimeLimitExceeded:
            self.study.tell(trial, state=TrialState.FAIL)
            is_time_left = False
        except Exception as error:  # noqa: BLE001 - whatever a model raises, it is one trial less
            self.study.tell(trial, state=TrialState.FAIL)
            self._failed += 1
            _log.warning("\tTrial %s failed: %s: %s", folder.name, type(error).__name__, error)
        else:
            self.study.tell(trial, score)
            _log.log(15, "\t%s: %.4f with %s", folder.name, score, trial.params)
            return True
        shutil.rmtree(folder, ignore_errors=True)
        return is_time_left

    def _fitted(self, trial: optuna.Trial) -> float:
        """Fit, score and save the model of a trial; returns its score."""
        (X, y), (X_val, y_val) = self._train, self._validation
        model = init_model(
            args={**self._drawn(trial), "task_id": trial.number},
            model_cls=self._task["model_cls"],
            init_params=self._undrawn(),
            backend="custom",
            is_bagged_model=self._is_bagged,
        )
        fit_args = {"X": X, "y": y, "X_val": X_val, "y_val": y_val, **self._task["fit_kwargs"]}
        started = time.time()
        first = self._folds_before_pruning(model)
        if first:
            fit_args = self._fit_first_folds(model, fit_args, first, trial)
        before = time.time() - started
        times = {name: self._task[name] for name in ("time_start", "time_limit")}
        model = fit_and_save_model(
            model=model, fit_args=fit_args, predict_proba_args={"X": X_val}, y_val=y_val, **times
        )
        model.fit_time += before
        model.save()
        return float(model.val_score)

    def _fit_first_folds(self, model: Any, fit_args: dict[str, Any], first: int, trial: optuna.Trial) -> dict[str, Any]:
        """Fit some folds and prune by their score; returns the arguments for the others."""
        limit = self._task["time_limit"]
        left = None if limit is None else limit - (time.time() - self._task["time_start"])
        if left is not None and left <= 0:
            raise TimeLimitExceeded
        share = None if left is None else left * first / fit_args["k_fold"]
        model.fit(**{**fit_args, "k_fold_start": 0, "k_fold_end": first, "time_limit": share})
        trial.report(float(model.score_with_oof(fit_args["y"])), first)
        if trial.should_prune():
            raise optuna.TrialPruned
        return {**fit_args, "k_fold_start": first, "k_fold_end": fit_args["k_fold"]}

    def _folds_before_pruning(self, model: Any) -> int:
        """Folds to fit before a trial may be pruned: as many as run side by side; 0: it cannot be."""
        fit_kwargs = self._task["fit_kwargs"]
        k_fold = fit_kwargs.get("k_fold") or 0
        whole = fit_kwargs.get("k_fold_end") in (None, k_fold)
        if not (self._options.prune and self._is_bagged and whole and k_fold > 1) or self.n_wanted == 1:
            return 0
        if model.params.get("refit_folds", False) or fit_kwargs.get("n_repeats", 1) != 1:
            return 0
        cpus = fit_kwargs.get("num_cpus")
        return max(1, min(k_fold // 2, folds_at_once(model.params), cpus if isinstance(cpus, int) else 1))

    def _drawn(self, trial: optuna.Trial) -> dict[str, Any]:
        fixed = {name: value for name, value in self._hyperparameters.items() if not isinstance(value, Space)}
        own = {} if self._rebalancing is None else self._rebalancing.suggest(trial, AUX_PREFIX)
        named = {f"ag.{AUX_PREFIX}{name}": value for name, value in own.items()}
        return {**fixed, **named, **_suggest_all(trial, self._hyperparameters)}

    def _undrawn(self) -> dict[str, Any]:
        """Arguments of the model's class, without the search spaces that are drawn."""
        params: dict[str, Any] = copy.deepcopy(self._init_params)
        aux = ((params.get("model_base_kwargs") or params).get("hyperparameters") or {}).get("ag_args_fit", {})
        for name in [name for name, value in aux.items() if isinstance(value, Space)]:
            del aux[name]
        return params

    def _rebalancing_space(self) -> SearchSpace | TargetSearchSpace | None:
        """What is searched about rebalancing: for twins, but for what their hyperparameters name."""
        base = self._init_params.get("model_base") if self._is_bagged else self._task["model_cls"]
        task = task_of(self._of_model.get("problem_type"))
        if task is None or not issubclass(base if isinstance(base, type) else type(base), RebalancingMixin):
            return None
        return self._options.search_space(TwinParameters.among(self._aux), task)

    def _open(self) -> optuna.Study:
        folder = predictor_folder(str(self._root / "model"))
        storage = None if folder is None else journal_storage(cache_of(folder) / STUDIES)
        first = _first_all(self._hyperparameters)
        if self._rebalancing is not None:
            first |= self._rebalancing.first(AUX_PREFIX)
        name, options = study_name(self._init_params["name"], self._identity()), self._options
        return open_study(name, storage, seed=options.seed, first=[first] if first else [], prune=options.prune)

    def _identity(self) -> list[Any]:
        """All that scores depend on: data, metric, folds, model and spaces."""
        digest = hashlib.sha256()
        for part in (*self._train, *self._validation):
            if part is not None:
                digest.update(pd.util.hash_pandas_object(part, index=False).to_numpy().tobytes())
        metric = self._init_params.get("eval_metric")
        return [
            digest.hexdigest(),
            getattr(metric, "name", str(metric)),
            self._task["fit_kwargs"].get("k_fold"),
            sorted(f"{name}={_described(value)}" for name, value in {**self._hyperparameters, **self._aux}.items()),
            None if self._rebalancing is None else vars(self._rebalancing),
        ]

    def _pick_up(self) -> None:
        """Queue again what an interrupted fit left unfinished, and good trials whose models are gone."""
        for trial in self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            shutil.rmtree(self.folder(trial), ignore_errors=True)
        n_left = _retry_interrupted(self.study)
        there = [trial.params for trial in self._complete() if self.folder(trial).is_dir()]
        lost = [trial.params for trial in self._complete()[: self._options.top_k] if trial.params not in there]
        for params in lost:
            self.study.enqueue_trial(params)
        self._failed -= len(lost)
        n_known = self._n_finished()
        if n_left or n_known:
            _log.log(20, "\tGoing on with %d finished trials and %d interrupted ones.", n_known, n_left)

    def _n_finished(self) -> int:
        return len(self.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED]))

    def _complete(self) -> list[FrozenTrial]:
        """Finished trials, the best first."""
        found = self.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        return sorted(found, key=lambda trial: (-(trial.value or 0.0), trial.number))


def _described(value: Any) -> str:
    """Text of a hyperparameter; that of a search space names its default and scale, which AutoGluon's leaves out."""
    return f"{type(value).__name__}{sorted(vars(value).items())}" if isinstance(value, Space) else repr(value)


def _suggest_all(trial: optuna.trial.BaseTrial, spaces: Mapping[str, Any]) -> dict[str, Any]:
    """Draw every space of a mapping; other values are left out."""
    return {name: _suggest(trial, name, space) for name, space in spaces.items() if isinstance(space, Space)}


def _suggest(trial: optuna.trial.BaseTrial, name: str, space: Space) -> Any:
    """Draw one value; `InvalidInputError` where the space is none that AutoGluon 1.6 knows."""
    if isinstance(space, Bool):  # before Int, which it is
        return trial.suggest_categorical(name, [False, True])
    if isinstance(space, Int):
        return trial.suggest_int(name, space.lower, space.upper)
    if isinstance(space, Real):
        return trial.suggest_float(name, space.lower, space.upper, log=space.log)
    if isinstance(space, Categorical):
        if all(isinstance(choice, _PLAIN) for choice in space.data):
            return trial.suggest_categorical(name, space.data)
        place = trial.suggest_categorical(name, list(range(len(space.data))))
        chosen = space.data[place]
        return _suggest(trial, f"{name}.{place}", chosen) if isinstance(chosen, Space) else chosen
    raise InvalidInputError(
        f"{name} has a search space of type {type(space).__name__}; Categorical, Real, Int and Bool are known."
    )


def _first_all(spaces: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that lead to the default of every space: AutoGluon tries defaults first."""
    found = (_first(name, space) for name, space in spaces.items() if isinstance(space, Space))
    return {name: value for each in found for name, value in each.items()}


def _first(name: str, space: Space) -> dict[str, Any]:
    default = space.default
    if isinstance(space, Bool):
        return {name: bool(default)}
    if isinstance(space, Categorical) and not all(isinstance(choice, _PLAIN) for choice in space.data):
        place = next(place for place, choice in enumerate(space.data) if choice is default)
        nested = _first(f"{name}.{place}", default) if isinstance(default, Space) else {}
        return {name: place, **nested}
    return {name: default}


def _retry_interrupted(study: optuna.Study) -> int:
    """Queue the trials again that a killed process left running, and count them; for studies of a single process."""
    left = study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
    with quiet_optuna():
        for trial in left:
            study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
            # A trial killed before its first draw still knows what it was queued with.
            queued = trial.system_attrs.get("fixed_params", {})
            study.enqueue_trial({**queued, **trial.params}, user_attrs={"retried": trial.number})
    return len(left)
