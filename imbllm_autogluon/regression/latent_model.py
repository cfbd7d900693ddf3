"""The stages of LatentDiff: encoder, features, denoiser, synthetic features, head.

Its peers train the encoder in their own ways, among them feature distribution smoothing (Yang et al. 2021, section 3.2:
nearby bins share statistics of features). Copies of real features in place of generated ones tell what of a gain is due
to rebalancing alone.
"""

from __future__ import annotations

import copy
import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from imbllm_autogluon._config import require_number
from imbllm_autogluon.process_state import seeded_torch
from imbllm_autogluon.randomness import child_rng, child_seed
from imbllm_autogluon.regression.allocation import allocate, bin_errors
from imbllm_autogluon.regression.amount import LEAST_JUDGES, RATIOS, RealFeatures, chosen_amount, head_on_mix
from imbllm_autogluon.regression.config import AllocationConfig, GateConfig
from imbllm_autogluon.regression.diffusion import fit_denoiser
from imbllm_autogluon.regression.encoder_training import fit_encoder
from imbllm_autogluon.regression.feature_generation import FeatureGenerator, SyntheticFeatures, nothing
from imbllm_autogluon.regression.feature_scale import FeatureScale
from imbllm_autogluon.regression.gate import MahalanobisGate, require_finite
from imbllm_autogluon.regression.head import Head
from imbllm_autogluon.regression.losses import BalancedMSE, RankSim, RegressionLoss, WeightedMSE
from imbllm_autogluon.regression.table_matrix import TableMatrix
from imbllm_autogluon.regression.weights import dense_weights, gaussian_window, lds_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt
    import pandas as pd
    from torch import Tensor

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.regression.bent_head import BentHead
    from imbllm_autogluon.regression.bins import TargetBins
    from imbllm_autogluon.regression.config import LatentDiffConfig
    from imbllm_autogluon.regression.diffusion import LatentDiffusion
    from imbllm_autogluon.regression.encoder import TabularEncoder
    from imbllm_autogluon.regression.encoder_training import FeatureSmoother
    from imbllm_autogluon.tables import ColumnName, Kind


logger = logging.getLogger(__name__)

ENCODER_SHARE = 0.6
"""Share of the time limit for the encoder; on 16,000 rows it takes about as much of an unlimited fit."""

HEAD_SETTINGS = (
    *AllocationConfig.flat_keys(), *GateConfig.flat_keys(), "head", "head_loss", "head_shrinkage", "guidance",
    "sampling_steps",
)  # fmt: skip
"""Settings that neither the encoder nor the denoiser reads."""

DENOISER_SHARE = 0.6
"""Share of the time that is then left for the denoiser; the rest is for sampling."""

LEAST_RATIO, MOST_RATIO = 0.1, 10.0
"""Limits of smoothed over own variance, as in the authors' code."""


@dataclass
class LatentReport:
    """What happened in a fit."""

    bins: pd.DataFrame
    """Per bin: edges, `n` real rows, `error` of the encoder over the largest, `wanted`, `kept`, `drawn` and `accepted`
    synthetic features, and `acceptance`; NaN where nothing was drawn."""
    curves: dict[str, object] = field(default_factory=dict)
    """Training of the `encoder` and of the `denoiser`."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds of each stage."""
    ratio: float | None = None
    """Synthetic features for each real row that the head was trained with; None: it was not trained anew."""
    trials: pd.DataFrame | None = None
    """Errors of held-out rows by ratio, where the ratio was chosen by them."""
    notes: list[str] = field(default_factory=list)
    """What fell short of the wish, in sentences."""

    def note(self, text: str) -> None:
        """Keep a sentence and log it."""
        self.notes.append(text)
        logger.warning(text)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Take the seconds of a stage, and log its progress."""
        began = time.monotonic()
        logger.info("LatentDiff: %s begins.", stage)
        yield
        self.seconds[stage] = time.monotonic() - began
        logger.info("LatentDiff: %s took %.1f s.", stage, self.seconds[stage])


class LatentModel:
    """A regression by an encoder and a linear head, with one treatment of rare targets.

    Parameters
    ----------
    config : LatentDiffConfig
        The treatment and all sizes.
    bins : TargetBins
        Bins of the target in its own unit.
    seed : int
        Seed of everything.
    threads : int or None
        torch threads.
    """

    encoder: TabularEncoder
    start: Head
    """The encoder's own head."""
    head: Head | BentHead
    """The one that predicts: trained anew, or the encoder's own."""
    generator: FeatureGenerator | FeatureCopier | None = None
    diffusion: LatentDiffusion | None = None
    """Trained where features are generated."""

    def __init__(self, config: LatentDiffConfig, bins: TargetBins, *, seed: int, threads: int | None = None) -> None:
        self.config = config
        self.bins = bins
        self.seed = seed
        self.threads = threads

    def fit(
        self,
        X: pd.DataFrame,
        targets: FloatArray,
        *,
        weights: FloatArray | None = None,
        kinds: Mapping[ColumnName, Kind] | None = None,
        time_limit: float | None = None,
    ) -> LatentModel:
        """Learn a table.

        Parameters
        ----------
        X
            Training rows, with a fresh index.
        targets
            In their own unit, shape (n,).
        weights
            Weight of each row, mean 1, shape (n,).
        kinds
            Overrides of guessed column kinds.
        time_limit
            Seconds for everything.
        """
        ends = None if time_limit is None else time.monotonic() + time_limit
        self.report = LatentReport(self.bins.describe(targets))
        self.centre, self.spread = float(targets.mean()), float(targets.std())
        scaled = self.standardised(targets)
        row_weights = np.ones(len(targets)) if weights is None else weights
        self._fit_encoder(X, scaled, row_weights, kinds, _share(ends, ENCODER_SHARE, self.config))
        if self.config.treatment.method == "latent_diff":
            self._retrain_head(self._features(X), scaled, row_weights, ends)
        return self

    def with_head(
        self, config: LatentDiffConfig, X: pd.DataFrame, targets: FloatArray, weights: FloatArray | None = None
    ) -> LatentModel:
        """The same encoder and denoiser, with a head trained by other settings.

        Parameters
        ----------
        config
            Differs in `HEAD_SETTINGS` alone.
        X, targets, weights
            The rows of the fit, see :meth:`fit`.
        """
        other = copy.copy(self)
        other.config, other.generator = config, None
        kept = {stage: taken for stage, taken in self.report.seconds.items() if stage in {"encoder", "denoiser"}}
        other.report = LatentReport(self.bins.describe(targets), dict(self.report.curves), kept)
        scaled = self.standardised(targets)
        other._retrain_head(self._features(X), scaled, np.ones(len(scaled)) if weights is None else weights, None)
        return other

    def predict(self, X: pd.DataFrame) -> FloatArray:
        """Predicted targets in their own unit, shape (n,)."""
        return self.centre + self.spread * self.head.predict(self._features(X))

    def standardised(self, targets: FloatArray) -> FloatArray:
        """Targets, shape (n,), in deviations from the mean of those that were fitted."""
        scaled: FloatArray = (targets - self.centre) / self.spread
        return scaled

    def _fit_encoder(
        self,
        X: pd.DataFrame,
        scaled: FloatArray,
        row_weights: FloatArray,
        kinds: Mapping[ColumnName, Kind] | None,
        time_limit: float | None,
    ) -> None:
        """Encoder, scale of its features, and its head on them."""
        with self.report.timed("encoder"):
            self.matrix = TableMatrix.fit(X, kinds, scaling=self.config.encoder.number_scaling)
            numbers, categories = self.matrix.transform(X)
            how = treatment(self.config, scaled, self.bins.scaled(self.centre, self.spread))
            self.encoder, head, curve, self._held_out = fit_encoder(
                numbers,
                categories,
                scaled,
                self.config.encoder,
                cardinalities=self.matrix.cardinalities,
                loss=how.loss,
                weights=row_weights * how.weights,
                smoother=how.smoother,
                seed=self.seed,
                threads=self.threads,
                time_limit=time_limit,
            )
        self.report.curves["encoder"] = curve
        # In double precision a prediction does not depend on the rows that are predicted with it.
        self.encoder.double()
        raw = self._raw_features(X)
        require_finite(raw)
        self.scale = FeatureScale.fit(raw)
        weights = head.weight.detach().numpy()[0].astype(np.float64)
        self.start = self.head = self.scale.head_on_scaled(Head(weights, float(head.bias.detach()[0])))

    def _features(self, X: pd.DataFrame) -> FloatArray:
        """Standardised features of rows, shape (n, d)."""
        return self.scale.transform(self._raw_features(X))

    def _raw_features(self, X: pd.DataFrame) -> FloatArray:
        """Features of rows as the encoder gives them, shape (n, d)."""
        numbers, categories = self.matrix.transform(X)
        wide: Any = numbers.astype(np.float64)
        with seeded_torch(self.seed, self.threads):
            features: FloatArray = self.encoder.features(wide, categories).numpy()
        return features

    def _retrain_head(
        self, features: FloatArray, scaled: FloatArray, row_weights: FloatArray, ends: float | None
    ) -> None:
        """Generate features for rare targets and train the head on the mix."""
        real = RealFeatures(features, scaled, row_weights, self._assigned(scaled))
        errors = bin_errors(np.abs(self.start.predict(features) - scaled), real.assigned, len(self.bins))
        counts, allocation = np.bincount(real.assigned, minlength=len(self.bins)), self.config.allocation
        tried = allocation.generation_ratio == "auto" and len(self._held_out) >= LEAST_JUDGES
        ratio: float | None = RATIOS[-1] if tried else allocation.fixed_ratio
        wanted = allocate(errors, counts, allocation, ratio)
        made = self._synthetic(real, wanted, ends) if wanted.any() else nothing(features.shape[1], wanted)
        with self.report.timed("head"):
            if tried:
                ratio, self.report.trials = chosen_amount(self.start, real, self._held_out, made, errors, self.config)
                wanted = allocate(errors, counts, allocation, ratio or 0.0)
                made = made.first(wanted)
            self.head = self.start if ratio is None else head_on_mix(self.start, real, made, self.config)
        self.report.ratio = ratio
        self._report_synthetic(errors, wanted, made)

    def _synthetic(self, real: RealFeatures, wanted: npt.NDArray[np.int64], ends: float | None) -> SyntheticFeatures:
        """Features for the bins that want some."""
        if self.config.allocation.synthetic == "copies":
            self.generator = FeatureCopier(real.features, real.targets, real.assigned)
        else:
            self.generator = self._fit_generator(real, ends)
        with self.report.timed("sampling"):
            return self.generator.generate(wanted, self.seed, self.threads)

    def _fit_generator(self, real: RealFeatures, ends: float | None) -> FeatureGenerator:
        """Diffusion, unless there is one, and gate on the real features."""
        config = self.config
        if self.diffusion is None:
            limit = None if ends is None else max(0.0, ends - time.monotonic()) * DENOISER_SHARE
            seed = child_seed(self.seed, "training", "diffusion")
            with self.report.timed("denoiser"):
                self.diffusion = fit_denoiser(
                    real.features, real.targets, config.diffusion, seed, threads=self.threads, time_limit=limit
                )
            self.report.curves["denoiser"] = self.diffusion.curve
        gated = config.gate.gate == "mahalanobis"
        gate = MahalanobisGate.fit(real.features, real.assigned, len(self.bins), config.gate) if gated else None
        centres = self.standardised(self.bins.centres)
        drawing = self.diffusion.with_config(config.diffusion)
        return FeatureGenerator(drawing, gate, real.targets, real.assigned, centres, config)

    def _assigned(self, scaled: FloatArray) -> npt.NDArray[np.int64]:
        """Bin of each standardised target."""
        return self.bins.scaled(self.centre, self.spread).assign(scaled)

    def _report_synthetic(self, errors: FloatArray, wanted: npt.NDArray[np.int64], made: SyntheticFeatures) -> None:
        kept = np.bincount(made.assigned, minlength=len(wanted))
        table = self.report.bins
        table["error"], table["wanted"] = errors, wanted
        table["kept"], table["drawn"], table["accepted"] = kept, made.drawn, made.accepted
        table["acceptance"] = np.where(made.drawn > 0, made.accepted / np.maximum(made.drawn, 1), np.nan)
        short = np.flatnonzero(kept < wanted)
        if len(short):
            self.report.note(
                f"{int((wanted - kept).sum())} of {int(wanted.sum())} synthetic features are missing: the gate let "
                f"through too few in the bins {', '.join(map(str, short))}."
            )


def _share(ends: float | None, share: float, config: LatentDiffConfig) -> float | None:
    """Seconds of the encoder; all there are where nothing comes after it."""
    if ends is None:
        return None
    left = max(0.0, ends - time.monotonic())
    return left * share if config.treatment.method == "latent_diff" else left


class FeatureCopier:
    """Repeats the features of bins.

    Parameters
    ----------
    features, targets : ndarray
        Real and standardised, shapes (n, d) and (n,).
    assigned : ndarray of shape (n,)
        Their bins.
    """

    def __init__(self, features: FloatArray, targets: FloatArray, assigned: IntArray) -> None:
        self._features, self._targets, self._assigned = features, targets, assigned

    def generate(self, wanted: IntArray, seed: int, threads: int | None = None) -> SyntheticFeatures:
        """Rows of each bin in a drawn order, again and again; nothing is refused.

        Parameters
        ----------
        wanted
            Copies of each bin, shape (n_bins,); 0 for bins without rows.
        seed
            Of the order.
        threads
            Not used.
        """
        del threads
        rng = child_rng(seed, "values", "copies")
        parts = [
            np.resize(rng.permutation(np.flatnonzero(self._assigned == number)), wanted[number])
            for number in np.flatnonzero(wanted)
        ]
        rows = np.concatenate([np.empty(0, dtype=np.int64), *parts]).astype(np.int64)
        return SyntheticFeatures(self._features[rows], self._targets[rows], self._assigned[rows], wanted, wanted)


class Treatment(NamedTuple):
    """Loss, weights and smoother of an encoder's training."""

    loss: RegressionLoss
    weights: FloatArray
    """Shape (n,), mean 1."""
    smoother: FeatureSmoother | None = None


def treatment(config: LatentDiffConfig, targets: FloatArray, bins: TargetBins) -> Treatment:
    """Return what the encoder of a method is trained with.

    Parameters
    ----------
    config
        The method; for ``"latent_diff"`` the one of its encoder.
    targets
        Standardised training targets, shape (n,).
    bins
        Bins of standardised targets.
    """
    chosen = config.treatment
    method = chosen.encoder_method if chosen.method == "latent_diff" else chosen.method
    smoother = FeatureDistributionSmoothing(bins, config.encoder.feature_size) if method == "fds" else None
    return Treatment(_loss(method), _weights(method, targets, bins), smoother)


def _loss(method: str) -> RegressionLoss:
    losses: dict[str, type[RegressionLoss]] = {"balanced_mse": BalancedMSE, "rank_sim": RankSim}
    return losses.get(method, WeightedMSE)()


def _weights(method: str, targets: FloatArray, bins: TargetBins) -> FloatArray:
    """Weight of each row in the loss, shape (n,)."""
    if method == "lds":
        return lds_weights(targets, bins)
    return dense_weights(targets) if method == "dense_weight" else np.ones(len(targets))


class FeatureDistributionSmoothing:
    """Calibrates features while an encoder learns: whitened by their bin's statistics, coloured by the smoothed ones.

    Unlike the authors' code, bins without rows take no part in the smoothing (there they stand for features of mean 0
    and variance 1), and in a bin of one row, which has no variance, only the mean is calibrated. The first epoch leaves
    features as they are, and so does prediction.

    Parameters
    ----------
    bins
        Bins of the target in the unit in which targets are given to `calibrate` and `update`
        (``bins.scaled(mean, deviation)`` for standardised ones).
    feature_size
        d.
    size, sigma
        Window over neighbouring bins, see :func:`~imbllm_autogluon.regression.weights.gaussian_window`; 5 and 2 are
        the authors'.
    momentum
        Share of the older statistics that an epoch keeps (0 to 1); 0.9 is the authors'.
    """

    def __init__(
        self, bins: TargetBins, feature_size: int, *, size: int = 5, sigma: float = 2.0, momentum: float = 0.9
    ) -> None:
        require_number("momentum", momentum, 0.0, 1.0)
        self._bins = bins
        self._momentum = momentum
        self._kernel = _smoothing_matrix(len(bins), size, sigma)
        self.means = torch.zeros(len(bins), feature_size)
        """Running mean of the features of each bin, shape (n_bins, d)."""
        self.variances = torch.zeros(len(bins), feature_size)
        """Running variance, shape (n_bins, d)."""
        self.counts = torch.zeros(len(bins))
        """Rows of each bin, shape (n_bins,); all 0 before the first epoch has ended."""

    @torch.no_grad()
    def update(self, features: Tensor, targets: Tensor) -> None:
        """Take in the features of all training rows, shape (n, d), after an epoch."""
        codes = self._codes(targets)
        counts = torch.bincount(codes, minlength=len(self._bins)).to(features.dtype)
        rows = counts.clamp(min=1.0)[:, None]
        means = torch.zeros_like(self.means).index_add_(0, codes, features) / rows
        variances = torch.zeros_like(means).index_add_(0, codes, (features - means[codes]) ** 2) / rows
        keep = self._momentum if self.counts.any() else 0.0
        self.means = keep * self.means + (1 - keep) * means
        self.variances = keep * self.variances + (1 - keep) * variances
        self.counts = counts

    def calibrate(self, features: Tensor, targets: Tensor) -> Tensor:
        """Features of a training batch, shape (n, d), with the smoothed mean and variance of their bins."""
        if not self.counts.any():
            return features
        codes = self._codes(targets)
        means, variances = self.smoothed()
        own = self.variances[codes]
        # Units without variance, as all are in a bin of one row, keep their scale.
        ratios = torch.where(own > 1e-10, variances[codes] / own.clamp(min=1e-10), 1.0).clamp(LEAST_RATIO, MOST_RATIO)
        return (features - self.means[codes]) * ratios.sqrt() + means[codes]

    def smoothed(self) -> tuple[Tensor, Tensor]:
        """Means and variances of the bins, shape (n_bins, d) each, averaged over neighbouring bins that hold rows."""
        return self._average(self.means, self.counts > 0), self._average(self.variances, self.counts > 1)

    def _average(self, statistics: Tensor, present: Tensor) -> Tensor:
        shares = self._kernel * present
        # A bin without any neighbour keeps its own.
        alone = ~present.any() | (shares.sum(dim=1) == 0)
        average = (shares @ statistics) / shares.sum(dim=1, keepdim=True).clamp(min=1e-12)
        return torch.where(alone[:, None], statistics, average)

    def _codes(self, targets: Tensor) -> Tensor:
        return torch.as_tensor(self._bins.assign(targets.detach().cpu().double().numpy()))


def _smoothing_matrix(n_bins: int, size: int, sigma: float) -> Tensor:
    """Share that each bin (column) has in the smoothed statistics of each bin (row); absent bins still count."""
    window = torch.as_tensor(gaussian_window(size, sigma), dtype=torch.float32)
    places = torch.arange(n_bins)
    offsets = places[None, :] - places[:, None] + size // 2
    return torch.where((offsets >= 0) & (offsets < size), window[offsets.clamp(0, size - 1)], 0.0)
