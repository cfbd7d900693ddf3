"""Encoders that are each fitted without one fold of the rows, and the space that their features share.

Features of rows that an encoder learned are closer to their targets than those of unseen rows, so a head that is
trained on them again is nearly blind to where predictions fail. Here every row is described by the encoder that has not
seen it (cross-fitting, as in stacking: Wolpert 1992).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import clone

from imbllm_autogluon._config import require_choice
from imbllm_autogluon._random import child_rng, child_seed, seeded_torch
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.encoder import TableMatrix, TabularEncoder, fit_encoders
from imbllm_autogluon.regression.losses import ImbalanceMethod
from imbllm_autogluon.tables import TableSchema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from torch import Tensor

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.regression.bins import TargetBins
    from imbllm_autogluon.regression.config import EncoderConfig, LatentDiffConfig
    from imbllm_autogluon.tables import ColumnName, Kind

_LEAST_SHARE = 1e-3  # of the mean deviation, to which lower ones are lifted: a dead feature's noise is not blown up
_LEAST_GIVEN = 0.2  # the same of given features: pixels that are hardly ever on differ a lot in unseen rows
_LEAST_SPREAD = 1e-3  # of standardized features along a component that the shared space keeps
_RIDGE = 1e-2  # of the maps into the shared space, next to standardized features of variance 1
_PENALTIES = np.logspace(-2, 5, 15)  # that the ridge regression of given features chooses from


class FeatureScale(NamedTuple):
    """Mean and deviation (above 0) of each feature, shape (d,); scaled ones have 0 and 1."""

    means: FloatArray
    deviations: FloatArray

    @classmethod
    def fit(cls, features: FloatArray, least: float = _LEAST_SHARE) -> FeatureScale:
        """Measure features of shape (n, d); refuses infinite and missing ones."""
        bad = int((~np.isfinite(features)).any(axis=1).sum())
        if bad:
            raise InvalidInputError(
                f"the encoder's features are infinite or missing in {bad} of {len(features)} rows; every feature must "
                "be a finite number. A lower learning_rate keeps training from diverging."
            )
        deviations = features.std(axis=0)
        lowest = least * float(deviations.mean())
        return cls(features.mean(axis=0), np.maximum(deviations, lowest if lowest > 0 else 1.0))

    def transform(self, features: FloatArray) -> FloatArray:
        """Standardized features, shape (n, d)."""
        return np.asarray((features - self.means) / self.deviations)


class _Affine(NamedTuple):
    """The map ``features @ matrix + offset`` from an encoder's features (D,) to shared ones (d,)."""

    matrix: FloatArray
    offset: FloatArray

    def __call__(self, features: FloatArray) -> FloatArray:
        return np.asarray(features @ self.matrix + self.offset)


class _Learned(NamedTuple):
    """An encoder, its linear head on its features (D,), and how its training went, None where it has no epochs."""

    encoder: Any
    weights: FloatArray
    intercept: float
    curve: Any = None


class Task(NamedTuple):
    """What encoders learn: standardized targets and weights of rows, each (n,), with bins, settings and a seed.

    The limit is in seconds, as in `fit_encoders`.
    """

    targets: FloatArray
    weights: FloatArray
    bins: TargetBins
    config: LatentDiffConfig
    seed: int
    threads: int | None = None
    limit: float | None = None


class _TableSource:
    """Networks that are trained on the table with a linear head; `matrix` makes its arrays.

    A source reads rows, learns encoders, each without rows held out, by position, and has features (n, D) of rows.
    """

    def __init__(self, matrix: TableMatrix) -> None:
        self.matrix = matrix

    def read(self, X: pd.DataFrame) -> Any:
        return self.matrix.transform(X)

    def learn(self, rows: Any, task: Task, held_out: Sequence[IntArray]) -> list[_Learned]:
        encoders, curves = fit_encoders(
            rows[0],
            rows[1],
            task.targets,
            held_out,
            [ImbalanceMethod.from_config(task.config, task.targets, task.bins, task.weights) for _ in held_out],
            task.config.encoder,
            cardinalities=self.matrix.cardinalities,
            seed=task.seed,
            threads=task.threads,
            limit=task.limit,
        )
        # In double precision a prediction does not depend on the rows that are predicted with it.
        heads = [[part.detach().numpy() for part in encoder.double().head.parameters()] for encoder in encoders]
        each = zip(encoders, heads, curves, strict=True)
        return [_Learned(encoder, weights[0], float(offset[0]), curve) for encoder, (weights, offset), curve in each]

    def features(self, encoder: TabularEncoder, rows: Any) -> FloatArray:
        return np.asarray(encoder.features(rows[0].astype(np.float64), rows[1]).numpy())


class _MatrixSource:
    """Features that a transformer of scikit-learn makes, or, without one, the numbers of the table as they are.

    Each fold has its own transformer; the first head on standardized features is a ridge regression.
    """

    def __init__(self, transformer: Any = None) -> None:
        self.transformer = transformer

    def read(self, X: pd.DataFrame) -> Any:
        return X if self.transformer is not None else _finite(X)

    def learn(self, rows: Any, task: Task, held_out: Sequence[IntArray]) -> list[_Learned]:
        return [self._learn(rows, task, own, number) for number, own in enumerate(held_out)]

    def _learn(self, rows: Any, task: Task, held_out: IntArray, number: int) -> _Learned:
        from sklearn.linear_model import RidgeCV
        from sklearn.utils import _safe_indexing

        known = np.setdiff1d(np.arange(len(task.targets)), held_out)
        learned, targets = _safe_indexing(rows, known), task.targets[known]
        with seeded_torch(child_seed(task.seed, "training", "encoder", number), task.threads):
            encoder = None if self.transformer is None else clone(self.transformer).fit(learned, targets)
            features = self.features(encoder, learned)
        scale = FeatureScale.fit(features, _LEAST_GIVEN)
        ridge = RidgeCV(alphas=_PENALTIES).fit(scale.transform(features), targets, sample_weight=task.weights[known])
        weights = ridge.coef_ / scale.deviations
        return _Learned(encoder, weights, float(ridge.intercept_ - scale.means @ weights))

    def features(self, encoder: Any, rows: Any) -> FloatArray:
        found = rows if encoder is None else encoder.transform(rows)
        return np.asarray(found.toarray() if hasattr(found, "toarray") else found, dtype=np.float64)


_Source = _TableSource | _MatrixSource


def _finite(X: pd.DataFrame) -> FloatArray:
    """Numbers of a table of features, shape (n, D)."""
    try:
        numbers = X.to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"with encoder='given' every cell of X must be a number; {error}.") from error
    bad = int((~np.isfinite(numbers)).any(axis=1).sum())
    if bad:
        raise InvalidInputError(
            f"with encoder='given' every cell of X must be a finite number; {bad} of {len(X)} rows have others. Fill "
            "them, or give a transformer that does."
        )
    return numbers


def source_of(
    encoder: Any, X: pd.DataFrame, kinds: Mapping[ColumnName, Kind] | None, config: LatentDiffConfig
) -> _Source:
    """Where features come from: ``"table"``, ``"given"``, or a transformer."""
    if isinstance(encoder, str) and encoder == "table":
        return _TableSource(TableMatrix.fit(X, kinds, scaling=config.encoder.number_scaling))
    if {config.imbalance.method, config.imbalance.encoder_method} - {"latent_diff", "none"}:
        raise InvalidInputError("peers train networks on the table; use encoder='table', or method='none'.")
    if hasattr(encoder, "transform"):
        return _MatrixSource(encoder)
    require_choice("encoder", encoder, ("table", "given"))
    return _MatrixSource()


class CrossFit:
    """Encoders, the fold of the fitted rows that each has not seen, and a map to shared features for each.

    The first shared feature is the encoder's own prediction, so the first head is (1, 0, ..., 0). The others are
    uncorrelated components of unit variance of the first encoder's features beside its prediction, into which the
    others' are mapped by ridge regression.
    """

    def __init__(self, source: _Source, encoders: list[Any], maps: list[_Affine], fold: IntArray) -> None:
        self.source, self.encoders, self.maps, self.fold = source, encoders, maps, fold

    @classmethod
    def fit(cls, source: _Source, X: pd.DataFrame, task: Task, n_folds: int) -> tuple[CrossFit, list[Any]]:
        """Encoders for all folds, or for one a single one that holds out `validation_fraction`, and their curves."""
        rows, fold = source.read(X), _folds_of(task, n_folds)
        learned = source.learn(rows, task, [np.flatnonzero(fold == number) for number in range(n_folds)])
        with seeded_torch(task.seed, task.threads):
            features = [source.features(one.encoder, rows) for one in learned]
        least = _LEAST_GIVEN if isinstance(source, _MatrixSource) else _LEAST_SHARE
        maps = _maps_to_shared(features, learned, task.config.encoder.feature_size if n_folds > 1 else 1, least)
        return cls(source, [one.encoder for one in learned], maps, fold), [one.curve for one in learned if one.curve]

    def features(self, X: pd.DataFrame) -> FloatArray:
        """Shared features of rows by each of the K encoders, shape (K, n, d)."""
        rows = self.source.read(X)
        pairs = zip(self.encoders, self.maps, strict=True)
        return np.stack([to_shared(self.source.features(encoder, rows)) for encoder, to_shared in pairs])

    def honest(self, X: pd.DataFrame) -> FloatArray:
        """Features of the fitted rows by the encoder that has not seen them, shape (n, d)."""
        return np.asarray(self.features(X)[self.fold, np.arange(len(self.fold))])

    def arrays(self) -> dict[str, Any]:
        """Arrays and tensors by name; transformers are not among them."""
        parts: dict[str, Any] = {"fold": self.fold}
        if isinstance(self.source, _TableSource):
            parts |= {f"matrix/{name}": array for name, array in self.source.matrix.arrays().items()}
        for number, (encoder, to_shared) in enumerate(zip(self.encoders, self.maps, strict=True)):
            state = encoder.state_dict() if isinstance(encoder, TabularEncoder) else {}
            own = {**{f"encoder/{name}": tensor for name, tensor in state.items()}, **to_shared._asdict()}
            parts |= {f"{number}/{name}": array for name, array in own.items()}
        return parts

    def schema(self) -> dict[str, Any] | None:
        """Schema of the table that networks read, for JSON; refuses to store transformers."""
        if isinstance(self.source, _MatrixSource):
            if self.source.transformer is not None:
                raise InvalidInputError("a transformer cannot be stored; transform X, and use encoder='given'.")
            return None
        return self.source.matrix.schema.to_dict()

    @classmethod
    def restored(cls, schema: dict[str, Any] | None, tensors: Mapping[str, Tensor], config: EncoderConfig) -> CrossFit:
        """What this :meth:`schema` and these :meth:`arrays` belong to."""
        source: _TableSource | _MatrixSource = _MatrixSource()
        if schema is not None:
            matrix = {name: part.numpy() for name, part in part_of(tensors, "matrix").items()}
            table = TableMatrix.from_arrays(TableSchema.from_dict(schema), config.number_scaling, matrix)
            source = _TableSource(table)
        numbers = sorted({int(name.partition("/")[0]) for name in tensors if name[0].isdigit()})
        parts = [part_of(tensors, str(number)) for number in numbers]
        maps = [_Affine(own["matrix"].numpy(), own["offset"].numpy()) for own in parts]
        encoders: list[Any] = [None] * len(parts)
        if isinstance(source, _TableSource):
            encoders = [_network(source.matrix, part_of(own, "encoder"), config) for own in parts]
        return cls(source, encoders, maps, tensors["fold"].numpy())


def part_of(arrays: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Those whose names begin with ``part/``, without it."""
    return {name.removeprefix(f"{part}/"): one for name, one in arrays.items() if name.startswith(f"{part}/")}


def _network(matrix: TableMatrix, state: dict[str, Tensor], config: EncoderConfig) -> TabularEncoder:
    encoder = TabularEncoder(matrix.n_numbers, matrix.cardinalities, config).double()
    encoder.load_state_dict(state)
    return encoder.eval()


def _folds_of(task: Task, n_folds: int) -> IntArray:
    """Fold of each row, shape (n,): of each block of rows with neighboring targets, one at random goes to each fold.

    With a single fold `validation_fraction` of the rows, spread in the same way, are in fold 0, and the others in 1.
    """
    order, rng = np.argsort(task.targets, kind="stable"), child_rng(task.seed, "training", "folds")
    size = n_folds if n_folds > 1 else min(len(order), round(1 / task.config.encoder.validation_fraction))
    blocks = np.array_split(order, range(size, len(order), size))
    fold = np.empty(len(order), dtype=np.int64)
    for block in blocks:
        fold[block] = rng.permutation(size)[: len(block)]
    return fold if n_folds > 1 else np.minimum(fold, 1)


def _maps_to_shared(features: list[FloatArray], learned: list[_Learned], size: int, least: float) -> list[_Affine]:
    """Map of each encoder's features (n, D) of the same rows to at most `size` shared ones."""
    scales = [FeatureScale.fit(own, least) for own in features]
    goal = _components(scales[0].transform(features[0]), features[0] @ learned[0].weights, size - 1)
    maps = []
    for own, scale, one in zip(features, scales, learned, strict=True):
        read = scale.transform(own)
        gram = read.T @ read + _RIDGE * len(read) * np.eye(read.shape[1])
        slopes = np.linalg.solve(gram, read.T @ goal) / scale.deviations[:, None]
        maps.append(_Affine(np.column_stack([one.weights, slopes]), np.append(one.intercept, -scale.means @ slopes)))
    return maps


def _components(standardized: FloatArray, predicted: FloatArray, most: int) -> FloatArray:
    """At most so many principal components of unit variance of what features say beside the prediction, (n, k)."""
    centred = (predicted - predicted.mean())[:, None]
    rest = standardized - centred @ np.linalg.lstsq(centred, standardized, rcond=None)[0]
    left, spreads, _ = np.linalg.svd(rest, full_matrices=False)
    kept = int((spreads[:most] > _LEAST_SPREAD * np.sqrt(len(rest))).sum()) if most else 0
    return np.asarray(left[:, :kept] * np.sqrt(len(rest)))
