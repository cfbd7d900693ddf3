"""The stages of LatentDiff: encoder, features, denoiser, synthetic features, head."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.process_state import seeded_torch
from imbllm_autogluon.randomness import child_seed
from imbllm_autogluon.regression.allocation import allocate, bin_errors
from imbllm_autogluon.regression.diffusion import fit_denoiser
from imbllm_autogluon.regression.encoder import fit_encoder
from imbllm_autogluon.regression.feature_generation import FeatureGenerator, nothing
from imbllm_autogluon.regression.feature_scale import FeatureScale
from imbllm_autogluon.regression.gate import MahalanobisGate, require_finite
from imbllm_autogluon.regression.head import Head, retrained
from imbllm_autogluon.regression.table_matrix import TableMatrix
from imbllm_autogluon.regression.treatments import treatment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt
    import pandas as pd

    from imbllm_autogluon.regression.bins import TargetBins
    from imbllm_autogluon.regression.config import LatentDiffConfig
    from imbllm_autogluon.regression.encoder import TabularEncoder
    from imbllm_autogluon.regression.feature_generation import SyntheticFeatures
    from imbllm_autogluon.tables import ColumnName, Kind

    FloatArray = npt.NDArray[np.float64]

logger = logging.getLogger(__name__)

ENCODER_SHARE = 0.6
"""Share of the time limit for the encoder; on 16,000 rows it takes about as much of an unlimited fit."""

DENOISER_SHARE = 0.6
"""Share of the time that is then left for the denoiser; the rest is for sampling."""


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
    notes: list[str] = field(default_factory=list)
    """What fell short of the wish, in sentences."""

    def note(self, text: str) -> None:
        """Keep a sentence and log it."""
        self.notes.append(text)
        logger.warning(text)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Take the seconds of a stage."""
        began = time.monotonic()
        yield
        self.seconds[stage] = time.monotonic() - began


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
    head: Head
    generator: FeatureGenerator | None = None

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
        scaled = (targets - self.centre) / self.spread
        row_weights = np.ones(len(targets)) if weights is None else weights
        self._fit_encoder(X, scaled, row_weights, kinds, _share(ends, ENCODER_SHARE, self.config))
        if self.config.treatment.method == "latent_diff":
            self._retrain_head(self._features(X), scaled, row_weights, ends)
        return self

    def predict(self, X: pd.DataFrame) -> FloatArray:
        """Predicted targets in their own unit, shape (n,)."""
        return self.centre + self.spread * self.head.predict(self._features(X))

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
            self.encoder, head, curve = fit_encoder(
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
        self.head = self.scale.head_on_scaled(Head(weights, float(head.bias.detach()[0])))

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
        wanted = self._allocation(features, scaled)
        made = self._synthetic(features, scaled, wanted, ends) if wanted.any() else nothing(features.shape[1], wanted)
        self._report_synthetic(wanted, made)
        with self.report.timed("head"):
            self.head = retrained(
                self.head,
                np.concatenate([features, made.features]),
                np.concatenate([scaled, made.targets]),
                np.concatenate([row_weights, np.ones(len(made.targets))]),
                self.config.treatment.head_shrinkage,
                self.config.treatment.head_loss,
            )

    def _synthetic(
        self, features: FloatArray, scaled: FloatArray, wanted: npt.NDArray[np.int64], ends: float | None
    ) -> SyntheticFeatures:
        """Features drawn for the bins that want some."""
        with self.report.timed("denoiser"):
            self.generator = self._fit_generator(features, scaled, ends)
        with self.report.timed("sampling"):
            return self.generator.generate(wanted, self.seed, self.threads)

    def _allocation(self, features: FloatArray, scaled: FloatArray) -> npt.NDArray[np.int64]:
        """Synthetic features that each bin is to get."""
        assigned = self._assigned(scaled)
        errors = bin_errors(np.abs(self.head.predict(features) - scaled), assigned, len(self.bins))
        wanted = allocate(errors, np.bincount(assigned, minlength=len(self.bins)), self.config.allocation)
        self.report.bins["error"], self.report.bins["wanted"] = errors, wanted
        return wanted

    def _fit_generator(self, features: FloatArray, scaled: FloatArray, ends: float | None) -> FeatureGenerator:
        """Diffusion and gate on the real features."""
        assigned, config = self._assigned(scaled), self.config
        limit = None if ends is None else max(0.0, ends - time.monotonic()) * DENOISER_SHARE
        seed = child_seed(self.seed, "training", "diffusion")
        diffusion = fit_denoiser(features, scaled, config.diffusion, seed, threads=self.threads, time_limit=limit)
        self.report.curves["denoiser"] = diffusion.curve
        gated = config.gate.gate == "mahalanobis"
        gate = MahalanobisGate.fit(features, assigned, len(self.bins), config.gate) if gated else None
        centres = (self.bins.centres - self.centre) / self.spread
        return FeatureGenerator(diffusion, gate, scaled, assigned, centres, config)

    def _assigned(self, scaled: FloatArray) -> npt.NDArray[np.int64]:
        """Bin of each standardised target."""
        return self.bins.scaled(self.centre, self.spread).assign(scaled)

    def _report_synthetic(self, wanted: npt.NDArray[np.int64], made: SyntheticFeatures) -> None:
        kept = np.bincount(made.assigned, minlength=len(wanted))
        table = self.report.bins
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
