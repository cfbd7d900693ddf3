"""Scale of an encoder's features: mean 0 and deviation 1 in each, as a denoiser wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.regression.head import Head

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray


LEAST_SHARE = 1e-3
"""Deviations below this share of the mean one are lifted to it: noise of a dead feature is not to be blown up."""


@dataclass(frozen=True, eq=False)
class FeatureScale:
    """Mean and deviation of each feature.

    Examples
    --------
    >>> scale = FeatureScale.fit(np.array([[0.0, 5.0], [4.0, 5.0]]))
    >>> scale.transform(np.array([[4.0, 5.0]])).tolist()
    [[1.0, 0.0]]
    """

    means: FloatArray
    """Shape (d,)."""
    deviations: FloatArray
    """Shape (d,), above 0."""

    @classmethod
    def fit(cls, features: FloatArray) -> FeatureScale:
        """Measure features of shape (n, d)."""
        deviations = features.std(axis=0)
        least = LEAST_SHARE * float(deviations.mean())
        return cls(features.mean(axis=0), np.maximum(deviations, least if least > 0 else 1.0))

    def transform(self, features: FloatArray) -> FloatArray:
        """Standardised features, shape (n, d)."""
        scaled: FloatArray = (features - self.means) / self.deviations
        return scaled

    def head_on_scaled(self, head: Head) -> Head:
        """Return the head that predicts the same from standardised features."""
        return Head(head.weights * self.deviations, head.intercept + float(self.means @ head.weights))
