"""The clock of one fit: which twins are fitted, and how long each model of ours may take.

Plain models come first and have their usual time. The generators of all folds have at most a fifth of the time limit,
all twins together what the plain models took, or that fifth if it is more. Without a time limit no model is cut, but
only twins are begun that, generators included, leave the whole fit at about twice the time of the plain models.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from autogluon.common.utils.resource_utils import ResourceManager
from autogluon.core.callbacks import AbstractCallback, EarlyStoppingCallback, EarlyStoppingCountCallback

from imbllm_autogluon.plugin.models import GeneratorModel, SettingsModel
from imbllm_autogluon.plugin.stage import RebalancingMixin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from imbllm_autogluon.plugin.parameters import TwinOptions

    _Kind = Literal["plain", "generators", "twins", "others"]
    _Key = tuple[type[Any], str]

_STOPPING = (EarlyStoppingCountCallback, EarlyStoppingCallback)  # and the one of ensembles, which is of the second
_GENERATOR_SHARE = 0.2  # of the time limit, for the generators of all folds
_PLAIN_SHARE = 0.6  # of the time limit, after which only the first plain model of a family is begun
_USED_BY_MODELS = 0.95  # of the time that is left; the rest is for the ensemble
_LEAST_OF_PLAIN = 0.6  # of the seconds of its plain model, with less of which a twin is not begun
# Of the seconds of all plain models, for generators and twins where there is no time limit: twins take longer than
# their plain models, so that this makes twice the time of the plain fit
_MOST_OF_PLAIN = 0.85
_LEAST_ROOM = 20.0  # seconds that they may always take, so that a quick fit has all its twins
_FIXED_SECONDS = 1.0  # of any model: copying, scoring, saving
_LEAST_SKILL = 0.5  # of the best model's gain over the constant answer, below which a plain model is hopeless
_LEAST_SECONDS = 1.0  # of a generator, below which it would learn next to nothing
_LOADING_SECONDS = 5.0  # of torch and transformers, once in a process, on one idle core


def _kind_of(model: Any) -> _Kind:
    """What a model of a fit is to this package; a bag is what its children are."""
    base = _base_of(model)
    if isinstance(base, GeneratorModel):
        return "generators"
    if isinstance(base, RebalancingMixin):
        return "twins"
    return "others" if isinstance(base, SettingsModel) else "plain"


def folds_at_once(hyperparameters: Mapping[str, Any]) -> int:
    """Folds that AutoGluon fits side by side, at most, by the hyperparameters of a bag: 1 without Ray."""
    chosen = hyperparameters.get("fold_fitting_strategy")
    return 1 if chosen == "sequential_local" or find_spec("ray") is None else int(ResourceManager.get_cpu_count())


@dataclass(eq=False)
class _Plain:
    """A plain model of the present level."""

    family: type[Any]
    fits: int = 1  # of its twin for each of its own: twins are bagged where some families are fitted once, out of bag
    seconds: float = _FIXED_SECONDS
    score: float | None = None  # on validation rows, higher is better; None: nothing was fitted


class FitClock:
    """Follows a fit from model to model."""

    def __init__(self, options: TwinOptions) -> None:
        self.options = options
        self.seconds: dict[_Kind, float] = {"plain": 0.0, "generators": 0.0, "twins": 0.0, "others": 0.0}
        self.left_out: dict[str, str] = {}  # why models were not fitted, by their names
        self.limit: float | None = None
        self._level = 0

    def hide_ours(self, callbacks: list[Any]) -> None:
        """Let limits on the number of models count plain models only: some presets fit just one on a small table."""
        counted: _Kind = "plain" if self.options.mode == "both" else "twins"
        callbacks[:] = [_PlainModelsOnly(own, counted) if isinstance(own, _STOPPING) else own for own in callbacks]

    def begins(self, trainer: Any, model: Any, time_limit: float | None = None, level: int = 1) -> bool:
        """Note that a model is to be fitted; whether it is skipped. One of ours gets its share of the time."""
        if level != self._level:
            self._level = level
            self._plain: dict[_Key, _Plain] = {}
            # Score of the generator, which gives every row the same answer; None where classes are scored, because a
            # model whose decisions are poor may have good probabilities
            self._constant: float | None = None
            self._has_rows = True
            self._refused: dict[_Key, str] | None = None  # plain models without a twin, and why
            self._expected: set[_Key] = set()  # plain models whose twins are still to come
        self._began, self._kind, self._key = time.time(), _kind_of(model), _key_of(model)
        self.limit, left = trainer._time_limit, _time_left(trainer, time_limit, self._began)
        reason = self._reason_to_skip(left)
        if not reason and left is not None and self._kind != "plain":
            share, side_by_side = self._share(left), folds_at_once(model._user_params)
            batches = max(1.0, trainer.k_fold / side_by_side)
            if self._kind == "generators" and side_by_side == 1:
                share = _left_after_loading(share, _LEAST_SECONDS * batches)
            _base_of(model).imbllm_seconds = share / batches
            reason = "" if share > 0 else "no time was left"
        if self._kind == "plain" and model._user_params.get("use_child_oof"):
            self._plain[self._key].fits = max(1, trainer.k_fold)
        if reason:
            self.left_out[model.name] = reason
            self._has_rows &= self._kind != "generators"
        return bool(reason)

    def ended(self, trainer: Any, names: list[str]) -> None:
        """Note what came of the model that began last: names of models, none where it failed."""
        seconds = time.time() - self._began
        self.seconds[self._kind] += seconds
        scores = [trainer.get_model_attribute(name, "val_score") for name in names]
        best = max((float(score) for score in scores if score is not None), default=None)
        if self._kind == "plain":
            plain = self._plain[self._key]
            plain.seconds, plain.score = plain.seconds + seconds, best
        elif self._kind == "generators":
            self._has_rows, self._constant = bool(names), None if trainer.eval_metric.needs_class else best

    def facts(self) -> dict[str, Any]:
        """What a report tells: the `limit`, `seconds` by kind of model, and `notes` on what was not fitted."""
        names: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            names.setdefault(reason, []).append(name)
        notes = [f"Not fitted because {reason}: {', '.join(those)}." for reason, those in names.items()]
        return {"limit": self.limit, "seconds": self.seconds, "notes": notes}

    def _reason_to_skip(self, left: float | None) -> str:
        """Why a model is not fitted; empty where it is."""
        if self._kind == "plain":
            return self._reason_against_plain(left)
        if self._kind == "twins":
            return self._reason_against_twin(left)
        is_useless = self._kind == "generators" and self._plain and not self._by_score()
        return "no plain model was fitted" if is_useless else ""

    def _reason_against_plain(self, left: float | None) -> str:
        """Large portfolios take all the time there is: beyond a share of it each family has one model."""
        family = self._key[0]
        begun = any(plain.family is family for plain in self._plain.values())
        self._plain.setdefault(self._key, _Plain(family))
        if begun and left is not None and self.limit and left < (1.0 - _PLAIN_SHARE) * self.limit:
            return f"the family had a model when {_PLAIN_SHARE:.0%} of the time was over"
        return ""

    def _reason_against_twin(self, left: float | None) -> str:
        plain = self._plain.get(self._key)
        if plain is not None and plain.score is None:
            return "the plain model was not fitted"
        if not self._has_rows and self.options.tune is None:
            return "the generator wrote no rows in its time"
        if plain is None:  # a twin of the user's own
            return ""
        if self._refused is None:
            self._refused = self._refusals(left)
            self._expected = {key for key in self._by_score() if key not in self._refused}
        self._expected.discard(self._key)
        return self._refused.get(self._key, "")

    def _by_score(self) -> list[_Key]:
        """Plain models that were fitted, the best first."""
        scores = {key: plain.score for key, plain in self._plain.items() if plain.score is not None}
        return sorted(scores, key=lambda key: -scores[key])

    def _refusals(self, left: float | None) -> dict[_Key, str]:
        """Plain models whose twins could not matter, or for whose twins there is no time."""
        ranked, wanted = self._by_score(), self.options.twins
        refused: dict[_Key, str] = {}
        if wanted != "all":
            count: Counter[type[Any]] = Counter()
            for key in ranked:
                count[key[0]] += 1
                if count[key[0]] > (1 if wanted == "top" else wanted):
                    refused[key] = "a better configuration of the family has a twin"
        if wanted == "top":
            refused |= dict.fromkeys(self._hopeless(ranked), "the plain model is far from the best")
        kept = [key for key in ranked if key not in refused]
        while kept and left is not None and _LEAST_OF_PLAIN * self._seconds_of(kept) > self._for_twins(left):
            refused[kept.pop()] = "no time was left"
        if left is None and wanted != "all":
            refused |= dict.fromkeys(self._too_long(kept), "the fit would take more than twice the plain models' time")
        return refused

    def _hopeless(self, ranked: list[_Key]) -> list[_Key]:
        """Plain models that gain less than half of what the best one gains over the same answer to every row."""
        scores = [self._plain[key].score or 0.0 for key in ranked]
        if self._constant is None or scores[0] <= self._constant:
            return []
        least = self._constant + _LEAST_SKILL * (scores[0] - self._constant)
        return [key for key, score in zip(ranked, scores, strict=True) if score < least]

    def _too_long(self, ranked: list[_Key]) -> list[_Key]:
        """Plain models, the best first, whose twins would make a fit without a limit too long; never the first."""
        plain = sum(each.seconds for each in self._plain.values())
        room = max(_LEAST_ROOM, _MOST_OF_PLAIN * plain) - self.seconds["generators"]
        dropped = []
        for place, key in enumerate(ranked):
            seconds = self._seconds_of([key])
            if place and seconds > room:
                dropped.append(key)
            else:
                room -= seconds
        return dropped

    def _seconds_of(self, keys: Iterable[_Key]) -> float:
        """Seconds that the twins of plain models are expected to take."""
        return sum(self._plain[key].fits * self._plain[key].seconds for key in keys)

    def _for_twins(self, left: float) -> float:
        """Seconds that all twins to come may take together."""
        return min(_USED_BY_MODELS * left, self._like_plain() - self.seconds["twins"])

    def _like_plain(self) -> float:
        return max(self.seconds["plain"], _GENERATOR_SHARE * (self.limit or 0.0))

    def _share(self, left: float) -> float:
        """Seconds that the present model may take of those left."""
        if self._kind == "generators":
            return min(_GENERATOR_SHARE * (self.limit or left), left / 2)
        if self._kind == "others":
            return min(self._like_plain(), left / 2)
        if not self._plain:  # twins alone
            return _USED_BY_MODELS * left
        own = self._seconds_of([self._key]) if self._key in self._plain else _FIXED_SECONDS
        total, others = self._for_twins(left), self._seconds_of(self._expected)
        return max(total - others, total * own / (own + others))


class _PlainModelsOnly(AbstractCallback):  # type: ignore[misc]
    """An early stopping of AutoGluon that sees no models of ours, and skips plain ones where it would end the fit.

    Twins come behind all plain models, and would never be fitted. A portfolio of twins alone is counted by them.
    """

    def __init__(self, inner: AbstractCallback, counted: _Kind) -> None:
        super().__init__()
        self._inner, self._counted = inner, ("plain", counted)
        self._sees = False

    def before_trainer_fit(self, trainer: Any, **kwargs: Any) -> None:
        """Hand on."""
        self._inner.before_trainer_fit(trainer, **kwargs)

    def _before_model_fit(self, trainer: Any, model: Any, stack_name: str = "core", **kwargs: Any) -> tuple[bool, bool]:
        self._sees = stack_name != "core" or _kind_of(model) in self._counted
        if not self._sees:
            return False, False
        stops, skips = self._inner.before_model_fit(trainer, model, stack_name=stack_name, **kwargs)
        return False, stops or skips

    def _after_model_fit(self, trainer: Any, **kwargs: Any) -> bool:
        return self._sees and bool(self._inner.after_model_fit(trainer, **kwargs))


def _base_of(model: Any) -> Any:
    return getattr(model, "model_base", None) or model


def _key_of(model: Any) -> _Key:
    """Family and hyperparameters of a plain model, the same for its twin."""
    base = _base_of(model)
    family = type(base).__bases__[-1] if isinstance(base, RebalancingMixin) else type(base)
    return family, repr(sorted(base._user_params.items(), key=str))


def _time_left(trainer: Any, time_limit: float | None, now: float) -> float | None:
    """Seconds until the end of the fit, or of what AutoGluon gives one model of a search; None: no limit."""
    if trainer._time_limit is None or time_limit is None:
        return time_limit
    return float(min(time_limit, trainer._time_limit - (now - trainer._time_train_start)))


def _left_after_loading(seconds: float, least: float) -> float:
    """Seconds that remain once the libraries that all folds need are loaded; 0 where `least` would not remain."""
    started = time.time()
    if seconds < least + (0.0 if "transformers" in sys.modules else _LOADING_SECONDS):
        return 0.0
    from transformers import DynamicCache, GPT2LMHeadModel  # noqa: F401

    import imbllm_autogluon.language.model  # noqa: F401

    left = seconds - (time.time() - started)
    return left if left >= least else 0.0
