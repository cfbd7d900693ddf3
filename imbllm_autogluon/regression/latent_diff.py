"""LatentDiff: regression of rare targets by diffusion on the features of an encoder, as an estimator of scikit-learn.

The stages are encoder, features, denoiser, synthetic features, head.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d
from sklearn_compat.utils.validation import validate_data

from imbllm_autogluon._config import Range, SettingsMixin, current_names, refuse_unknown_keys, require_threads
from imbllm_autogluon._random import RandomState, base_seed, child_seed, seeded_torch
from imbllm_autogluon._storage import reading, writing
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import TargetBins, allocate, checked_targets
from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.cross_fit import CrossFit, FeatureScale, Task, part_of, source_of
from imbllm_autogluon.regression.diffusion import LatentDiffusion
from imbllm_autogluon.regression.gate import FeatureGenerator, RealFeatures, SyntheticFeatures
from imbllm_autogluon.regression.head import Head, choose_head
from imbllm_autogluon.tables import ColumnName, Kind
from imbllm_autogluon.tables.io import checked_frame

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.tables import ColumnName, Kind

_logger = logging.getLogger(__name__)
_ENCODER_SHARE = 0.8  # share of the time limit for the encoders
_DENOISER_SHARE = 0.6  # share of the time that is then left for the denoiser; the rest is for sampling
_KIND = "LatentDiff"
_SHOWN = (
    "method", "encoder_method", "n_bins", "bins", "head", "generation_ratio", "overall_budget", "error_weight",
    "synthetic", "guidance", "feature_size", "encoder_width", "encoder_epochs", "diffusion_steps",
)  # fmt: skip


class LatentDiffRegressor(SettingsMixin, RegressorMixin, BaseEstimator, config=LatentDiffConfig, shown=_SHOWN):  # type: ignore[misc]
    """Encoders whose linear head is retrained on real and synthetic features of rare targets.

    LatentDiff (arXiv 2509.23240): encoders with a linear head learn the table, each without one fold of the rows; a
    diffusion model learns the features of rows that their encoder has not seen, given the target; bins of the target
    where the encoders err, or with few rows, get synthetic features; a gate refuses those too far from the real ones;
    the head alone is trained again. A prediction is the mean over the encoders. Peers on one encoder are other values
    of `method`.

    Parameters
    ----------
    encoder : "table", "given" or transformer, default="table"
        Where features come from: networks trained on the table; X itself, such as embeddings of images or texts by a
        pretrained network; or a transformer of scikit-learn, which is cloned and fitted for each fold. The first heads
        of the latter two are ridge regressions, and methods are ``"latent_diff"`` and ``"none"``.
    random_state : int, RandomState, Generator or None, default=None
        Seed; the same seed on the same machine gives the same predictions.
    kinds : dict of column name to kind or None, default=None
        Overrides guessed column kinds.
    threads : int (1 to 1,024) or None, default=None
        torch threads; `None` leaves the process's count alone.
    time_limit : float (above 0) or None, default=None
        Seconds for `fit`; encoder, denoiser and sampling then end with what they have.
    settings : dict of name to value or None, default=None
        All other settings of :class:`~imbllm_autogluon.regression.config.LatentDiffConfig`.

    Attributes
    ----------
    bins_ : TargetBins
        Bins of the target.
    encoders_ : CrossFit
        The fitted encoders, and the fold of the rows that each has not seen.
    report_ : dataclass
        Allocation and acceptance per bin, training curves, seconds per stage, shortfalls.
    n_features_in_ : int
        Number of features seen.

    Raises
    ------
    InvalidInputError
        A setting is not allowed, there are fewer than 20 rows, the target is constant, or missing or infinite in a row.
    OutOfTimeError
        The time limit is too short for three epochs of the encoders.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"size": rng.normal(size=60), "town": rng.choice(["Oslo", "Bergen"], 60)})
    >>> model = LatentDiffRegressor(encoder_epochs=2, diffusion_steps=5, random_state=0).fit(X, np.exp(X["size"]))
    >>> model.predict(X.head(3)).shape
    (3,)
    """

    diffusion_: LatentDiffusion | None
    generator_: FeatureGenerator | None
    _config: LatentDiffConfig  # that of the fit, whatever parameters are set later

    def __init__(
        self,
        *,
        encoder: Any = "table",
        random_state: RandomState = None,
        kinds: dict[ColumnName, Kind] | None = None,
        threads: int | None = None,
        time_limit: float | None = None,
        settings: Mapping[str, object] | None = None,
        **parameters: Any,
    ) -> None:
        self.encoder = encoder
        self.random_state = random_state
        self.kinds = kinds
        self.threads = threads
        self.time_limit = time_limit
        self._set_parameters(settings, parameters)

    def config(self) -> LatentDiffConfig:
        """The parameters as a checked configuration."""
        return LatentDiffConfig.from_flat(self.flat_settings())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LatentDiffRegressor:
        """Learn rows and their targets.

        Parameters
        ----------
        X
            Data frame, or array of numbers, shape (n, m), n at least 20.
        y
            Targets, shape (n,); finite, not all equal.
        sample_weight
            Weight of each row in the losses, shape (n,), at least 0.
        """
        require_threads(self.threads)
        if self.time_limit is not None:
            Range(0.0, above=True).require("time_limit", self.time_limit)
        ends = None if self.time_limit is None else time.monotonic() + self.time_limit
        config = self.config()
        frame, targets, weights = self._rows(X, y, sample_weight)
        self.__dict__.pop("_head", None)  # a fit that fails leaves nothing that predicts
        self._config = config
        self._seed, self.diffusion_, self.generator_ = base_seed(self.random_state), None, None
        self.bins_ = TargetBins.fit(targets, config.imbalance.n_bins, config.imbalance.bins)
        self.report_ = _LatentReport(self.bins_.describe(targets))
        self._centre, self._spread = float(targets.mean()), float(targets.std())
        scaled, generates = self._standardized(targets), config.imbalance.method == "latent_diff"
        self._fit_encoders(frame, scaled, weights, _left(ends, _ENCODER_SHARE if generates else 1.0))
        if generates:
            self._retrain_head(frame, scaled, weights, ends)
        return self

    def refit_head(self, X: Any, y: Any, sample_weight: Any = None, **settings: Any) -> LatentDiffRegressor:
        """Return a regressor with the same encoders and denoiser, whose head is trained by other settings.

        It answers as a new fit would. The rows are those that this regressor was fitted on; settings are those of
        allocation, gate and head, `guidance` and `sampling_steps`; others, and another `method` than
        ``"latent_diff"``, are an `InvalidInputError`.
        """
        check_is_fitted(self)
        settings = current_names(settings, LatentDiffConfig)
        refuse_unknown_keys(settings, LatentDiffConfig.head_keys())
        if self._config.imbalance.method != "latent_diff":
            raise InvalidInputError("only method='latent_diff' retrains a head; fit a regressor of that method.")
        other: LatentDiffRegressor = clone(self).set_params(**settings)
        parameters = self.get_params(deep=False)
        fitted = {name: value for name, value in vars(self).items() if name not in parameters}
        config = LatentDiffConfig.from_flat({**self._config.flat(), **settings})
        other.__dict__.update({**fitted, "_config": config, "generator_": None})
        frame, targets, weights = other._rows(X, y, sample_weight)
        kept = {stage: taken for stage, taken in self.report_.seconds.items() if stage in {"encoder", "denoiser"}}
        other.report_ = _LatentReport(self.bins_.describe(targets), dict(self.report_.curves), kept)
        other._retrain_head(frame, self._standardized(targets), weights, None)
        return other

    def predict(self, X: Any) -> FloatArray:
        """Predicted targets, shape (n,), float64."""
        check_is_fitted(self)
        frame = checked_frame(X)
        validate_data(self, X=X, reset=False, skip_check_array=True)
        with seeded_torch(self._seed, self.threads):
            features = self.encoders_.features(frame.reset_index(drop=True))
        return np.asarray(self._centre + self._spread * self._head.predict(features).mean(axis=0))

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> tuple[pd.DataFrame, FloatArray, FloatArray]:
        """Checked rows with a fresh index, their targets and weights of mean 1."""
        frame = checked_frame(X)
        validate_data(self, X=X, y=y, reset=True, skip_check_array=True)
        targets = _targets(frame, y)
        weights = np.ones(len(targets)) if sample_weight is None else _weights(sample_weight, frame)
        return frame.reset_index(drop=True), targets, weights

    def _fit_encoders(self, X: pd.DataFrame, scaled: FloatArray, weights: FloatArray, limit: float | None) -> None:
        config, report = self._config, self.report_
        n_folds = config.encoder.encoder_folds if config.imbalance.method == "latent_diff" else 1
        bins = self.bins_.scaled(self._centre, self._spread)
        with report.timed("encoder"):
            source = source_of(self.encoder, X, self.kinds, config)
            task = Task(scaled, weights, bins, config, self._seed, self.threads, limit)
            self.encoders_, report.curves["encoder"] = CrossFit.fit(source, X, task, n_folds)
        self._head = Head.first(len(self.encoders_.maps[0].offset))

    def _standardized(self, targets: FloatArray) -> FloatArray:
        """Targets in deviations from the mean of those that were fitted."""
        return np.asarray((targets - self._centre) / self._spread)

    def _retrain_head(self, X: pd.DataFrame, scaled: FloatArray, weights: FloatArray, ends: float | None) -> None:
        """Generate features for rare targets and retrain the head on the mix."""
        config, bins = self._config, self.bins_.scaled(self._centre, self._spread)
        with seeded_torch(self._seed, self.threads):
            features = self.encoders_.honest(X)
        real = RealFeatures(features, scaled, weights, bins.assign(scaled))
        errors = bins.relative_errors(real.targets, np.abs(features[:, 0] - real.targets))
        ratio, shrinkage = self._choice(real, errors)
        wanted = allocate(errors, np.bincount(real.assigned, minlength=len(bins)), config.allocation, ratio or 0.0)
        made = self._synthetic(real, wanted, ends)
        with self.report_.timed("head"):
            if ratio is None:
                self._head = Head.first(features.shape[1])
            else:
                self._head = Head.retrained(real, made, config.imbalance, shrinkage)
        self.report_.ratio = ratio
        self.report_.add_synthetic(errors, wanted, made)

    def _choice(self, real: RealFeatures, errors: FloatArray) -> tuple[float | None, float]:
        """Ratio, None where the first heads stay, and shrinkage."""
        if self._config.imbalance.head == "none":
            return None, 0.0
        with self.report_.timed("choice"):
            ratio, shrinkage, self.report_.trials = choose_head(real, self.encoders_.fold, errors, self._config)
        return ratio, shrinkage

    def _synthetic(self, real: RealFeatures, wanted: IntArray, ends: float | None) -> SyntheticFeatures:
        """Features for the bins that want some."""
        if not wanted.any():
            return SyntheticFeatures.empty(real.features.shape[1], len(wanted))
        if self._config.allocation.synthetic == "copies":
            with self.report_.timed("sampling"):
                return SyntheticFeatures.copies(real, wanted, self._seed)
        if self.diffusion_ is None:
            self.diffusion_ = self._fit_diffusion(real, _left(ends, _DENOISER_SHARE))
        self.generator_ = FeatureGenerator(self.diffusion_, real, self._standardized(self.bins_.centres), self._config)
        with self.report_.timed("sampling"):
            return self.generator_.generate(wanted, self._seed, self.threads, ends)

    def _fit_diffusion(self, real: RealFeatures, limit: float | None) -> LatentDiffusion:
        config, seed = self._config.diffusion, child_seed(self._seed, "training", "diffusion")
        with self.report_.timed("denoiser"):
            features = FeatureScale.fit(real.features).transform(real.features)
            fitted = LatentDiffusion.fit(features, real.targets, real.shares(), config, seed, self.threads, limit)
        self.report_.curves["denoiser"] = fitted.curve
        return fitted

    def save(self, folder: str | Path) -> Path:
        """Write the fitted regressor into a folder as safetensors and JSON, never as pickle; returns the folder.

        `kinds`, `time_limit` and training curves are not kept. Columns of objects that cannot be stored, or a folder
        that cannot be written, are a `StoredStateError`, a file in its place an `InvalidInputError`.
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        with writing(Path(folder), _KIND) as draft:
            draft.data = {
                "config": self._config.flat(),
                "seed": self._seed,
                "schema": self.encoders_.schema(),
                "target": [self._centre, self._spread],
                "bent": self._head.bent,
                "report": self.report_.state(),
                "n_features": self.n_features_in_,
                "feature_names": None if names is None else [str(name) for name in names],
            }
            draft.arrays = self._arrays()
        return Path(folder)

    def _arrays(self) -> dict[str, Any]:
        """All arrays and tensors by name, those of parts as ``part/name``."""
        parts = {"encoders": self.encoders_.arrays()}
        if self.diffusion_ is not None:
            parts["diffusion"] = self.diffusion_.tensors()
        return {
            "edges": self.bins_.edges,
            "head": np.append(self._head.weights, self._head.intercept),
            **{f"{part}/{name}": array for part, own in parts.items() for name, array in own.items()},
        }

    @classmethod
    def load(cls, folder: str | Path, threads: int | None = None) -> LatentDiffRegressor:
        """Read what :meth:`save` wrote, which predicts the same, and whose `refit_head` works.

        A file that is absent, broken, or of another format is a `StoredStateError`.
        """
        with reading(Path(folder), _KIND) as stored:
            state = stored.data
            config, usual = LatentDiffConfig.from_flat(state["config"]), LatentDiffConfig().flat()
            loaded = cls(
                encoder="given" if state["schema"] is None else "table", random_state=state["seed"], threads=threads
            )
            loaded.set_params(**{name: value for name, value in config.flat().items() if value != usual[name]})
            loaded._config = config
            loaded._restore(state, stored.tensors())
            return loaded

    def _restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        config = self._config
        arrays = {name: part.numpy() for name, part in tensors.items()}
        self.encoders_ = CrossFit.restored(state["schema"], part_of(tensors, "encoders"), config.encoder)
        learned = part_of(tensors, "diffusion")
        self.diffusion_ = LatentDiffusion.from_tensors(learned, config.diffusion) if learned else None
        self.bins_ = TargetBins(arrays["edges"])
        self._head = Head(arrays["head"][:-1], float(arrays["head"][-1]), state["bent"])
        self._seed, (self._centre, self._spread) = state["seed"], state["target"]
        self.generator_, self.report_ = None, _LatentReport.from_state(state["report"])
        self.n_features_in_ = state["n_features"]
        if state["feature_names"] is not None:
            self.feature_names_in_ = np.asarray(state["feature_names"], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_head")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags


def _targets(frame: pd.DataFrame, y: Any) -> FloatArray:
    flat = column_or_1d(y, warn=True)
    if len(flat) != len(frame):
        raise InvalidInputError(f"X and y must have the same number of rows; got {len(frame)} and {len(flat)}.")
    if len(flat) < LatentDiffConfig.least_rows:
        raise InvalidInputError(
            f"LatentDiffRegressor needs at least {LatentDiffConfig.least_rows} rows; got n_samples = {len(flat)}, "
            f"n_features = {frame.shape[1]}. Use a linear model for so few."
        )
    try:
        numbers = np.asarray(flat, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"the target must be a number in every row; got {flat[:3]!r}, ...") from error
    return checked_targets(numbers)


def _weights(sample_weight: Any, frame: pd.DataFrame) -> FloatArray:
    """Weight of each row with a mean of 1, shape (n,); none negative, not all 0."""
    # Asked first: newer versions of scikit-learn refuse weights of 0 themselves, without saying what to do.
    if not np.any(sample_weight):
        raise InvalidInputError("sample_weight is zero in every row; at least one row must count.")
    weights: FloatArray = _check_sample_weight(sample_weight, frame, dtype=np.float64)
    if (weights < 0).any():
        raise InvalidInputError(f"sample_weight must be 0 or more; got {weights.min()} as its lowest value.")
    return np.asarray(weights / weights.mean())


@dataclass
class _LatentReport:
    """What happened in a fit."""

    # Per bin: edges, `n` real rows, `error` of the encoder over the largest, `wanted`, `kept`, `drawn` and `accepted`
    # synthetic features, and `acceptance`; NaN where nothing was drawn
    bins: pd.DataFrame
    curves: dict[str, object] = field(default_factory=dict)  # training of encoders (a list), of the `denoiser`
    seconds: dict[str, float] = field(default_factory=dict)  # seconds of each stage
    # Synthetic features for each real row that the head was trained with; None: the first heads stay
    ratio: float | None = None
    trials: pd.DataFrame | None = None  # errors of unseen rows by ratio and shrinkage, where heads were tried
    notes: list[str] = field(default_factory=list)  # what fell short of the wish, in sentences

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Take the seconds of a stage, and log its progress."""
        began = time.monotonic()
        _logger.info("LatentDiff: %s begins.", stage)
        yield
        self.seconds[stage] = time.monotonic() - began
        _logger.info("LatentDiff: %s took %.1f s.", stage, self.seconds[stage])

    def add_synthetic(self, errors: FloatArray, wanted: IntArray, made: SyntheticFeatures) -> None:
        """Say what each bin got; what is missing is also logged."""
        kept = np.bincount(made.assigned, minlength=len(wanted))
        acceptance = np.where(made.drawn > 0, made.accepted / np.maximum(made.drawn, 1), np.nan)
        columns = {"error": errors, "wanted": wanted, "kept": kept, "drawn": made.drawn, "accepted": made.accepted}
        self.bins = self.bins.assign(**columns, acceptance=acceptance)
        short = np.flatnonzero(kept < wanted)
        if len(short):
            self.note(
                f"{int((wanted - kept).sum())} of {int(wanted.sum())} synthetic features are missing: the gate let "
                f"through too few in the bins {', '.join(map(str, short))}."
            )

    def note(self, text: str) -> None:
        """Say what fell short of the wish, here and in the log."""
        self.notes.append(text)
        _logger.warning(text)

    def state(self) -> dict[str, Any]:
        """The report for JSON, without its curves and trials."""
        bins = self.bins.astype(object).where(self.bins.notna(), None)
        kept = {name: getattr(self, name) for name in ("seconds", "notes", "ratio")}
        return {"bins": bins.to_dict(orient="list"), **kept}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> _LatentReport:
        """The report whose :meth:`state` this is."""
        bins = pd.DataFrame({name: pd.Series(values).infer_objects() for name, values in state["bins"].items()})
        return cls(**{**state, "bins": bins.rename_axis("bin")})


def _left(ends: float | None, share: float) -> float | None:
    """Share of the seconds that are left."""
    return None if ends is None else max(0.0, ends - time.monotonic()) * share
