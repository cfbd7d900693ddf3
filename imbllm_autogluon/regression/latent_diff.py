"""Regression of rare targets by diffusion on the features of an encoder, as an estimator of scikit-learn.

It is stored as safetensors and JSON, never as pickle.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d
from sklearn_compat.utils.validation import validate_data
from torch import as_tensor

from imbllm_autogluon._storage import reading, writing
from imbllm_autogluon.configuration import refuse_unknown_keys, set_parameters, settings_as_parameters
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.field_docs import documented_settings
from imbllm_autogluon.randomness import base_seed
from imbllm_autogluon.regression.bent_head import BentHead
from imbllm_autogluon.regression.bins import TargetBins, checked_targets
from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.denoiser import Denoiser
from imbllm_autogluon.regression.diffusion import LatentDiffusion
from imbllm_autogluon.regression.encoder import TabularEncoder
from imbllm_autogluon.regression.feature_scale import FeatureScale
from imbllm_autogluon.regression.head import Head
from imbllm_autogluon.regression.latent_model import LatentModel, LatentReport
from imbllm_autogluon.regression.table_matrix import TableMatrix
from imbllm_autogluon.tables import TableSchema
from imbllm_autogluon.tables.io import checked_frame

if TYPE_CHECKING:
    from torch import Tensor

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.randomness import RandomState
    from imbllm_autogluon.tables import ColumnName, Kind

    Tensors = dict[str, Tensor]


LEAST_ROWS = 20
"""Rows below which neither an encoder nor the distribution of its features can be learned."""

_KIND = "LatentDiff"

SCALER_STATE = {
    "QuantileTransformer": ("quantiles_", "references_"),
    "StandardScaler": ("mean_", "var_", "scale_"),
}
"""What scikit-learn's transformers need to transform."""


@documented_settings(LatentDiffConfig)
@settings_as_parameters(LatentDiffConfig)
class LatentDiffRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An encoder whose linear head is trained anew on real and synthetic features of rare targets.

    LatentDiff (arXiv 2509.23240) for tables: an encoder with a linear head learns the table; a diffusion model learns
    its features given the target; bins of the target where the encoder errs, or with few rows, get synthetic features;
    a gate refuses those too far from the real ones; the head alone is trained again. Peers on the same encoder are
    other values of `method`. Bins are laid on the training targets and kept. A bin of 1 to 4 rows borrows the gate's
    covariance from all bins; a bin without rows gets nothing.

    Parameters
    ----------
    random_state : int, RandomState, Generator or None, default=None
        Seed; the same seed on the same machine gives the same predictions.
    kinds : dict of column name to kind or None, default=None
        Overrides guessed column kinds.
    threads : int or None, default=None
        torch threads; `None` leaves the process's count alone.
    time_limit : float or None, default=None
        Seconds for `fit`; encoder and denoiser then end with what they have learned.
    **settings
        `method` and bins: :class:`~imbllm_autogluon.regression.config.MethodConfig`. The encoder:
        :class:`~imbllm_autogluon.regression.config.EncoderConfig`. The denoiser:
        :class:`~imbllm_autogluon.regression.config.DiffusionConfig`. Which bins get how much:
        :class:`~imbllm_autogluon.regression.config.AllocationConfig`. The gate:
        :class:`~imbllm_autogluon.regression.config.GateConfig`.

    Attributes
    ----------
    bins_ : TargetBins
        Bins of the target.
    encoder_ : TabularEncoder
        The fitted encoder.
    report_ : LatentReport
        Allocation and acceptance per bin, training curves, seconds per stage, shortfalls.
    n_features_in_ : int
        Number of features seen.

    Raises
    ------
    InvalidInputError
        A setting is not allowed, there are fewer than 20 rows, the target is constant, or missing or infinite in a row.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"size": rng.normal(size=60), "town": rng.choice(["Oslo", "Bergen"], 60)})
    >>> quick = {"encoder_epochs": 2, "diffusion_steps": 5}
    >>> model = LatentDiffRegressor(random_state=0, **quick).fit(X, np.exp(X["size"]))
    >>> model.predict(X.head(3)).shape
    (3,)
    """

    model_: LatentModel
    bins_: TargetBins

    def __init__(
        self,
        *,
        random_state: RandomState = None,
        kinds: dict[ColumnName, Kind] | None = None,
        threads: int | None = None,
        time_limit: float | None = None,
        **settings: Any,
    ) -> None:
        self.random_state = random_state
        self.kinds = kinds
        self.threads = threads
        self.time_limit = time_limit
        set_parameters(self, settings)

    def config(self) -> LatentDiffConfig:
        """The parameters as a checked configuration."""
        return LatentDiffConfig.from_flat({key: getattr(self, key) for key in LatentDiffConfig.flat_keys()})

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
        from imbllm_autogluon.regression.latent_model import LatentModel

        config = self.config()
        frame, targets, weights = self._rows(X, y, sample_weight)
        self.bins_ = TargetBins.fit(targets, config.treatment.n_bins, config.treatment.bins)
        model = LatentModel(config, self.bins_, seed=base_seed(self.random_state), threads=self.threads)
        self.model_ = model.fit(frame, targets, weights=weights, kinds=self.kinds, time_limit=self.time_limit)
        return self

    def refit_head(self, X: Any, y: Any, sample_weight: Any = None, **settings: Any) -> LatentDiffRegressor:
        """Return a regressor with the same encoder and denoiser, whose head is trained by other settings.

        An ablation then takes the seconds of the head, not those of a fit; both answer alike.

        Parameters
        ----------
        X, y, sample_weight
            The rows that this regressor was fitted on.
        **settings
            Of allocation, gate and head, ``guidance`` and ``sampling_steps``; the others stay.

        Raises
        ------
        InvalidInputError
            A setting belongs to the encoder or to the training of the denoiser, or `method` is not ``"latent_diff"``.
        """
        from imbllm_autogluon.regression.latent_model import HEAD_SETTINGS

        check_is_fitted(self)
        refuse_unknown_keys(settings, HEAD_SETTINGS)
        if self.config().treatment.method != "latent_diff":
            raise InvalidInputError("only method='latent_diff' trains a head anew; fit a regressor of that method.")
        other: LatentDiffRegressor = clone(self).set_params(**settings)
        frame, targets, weights = other._rows(X, y, sample_weight)
        other.bins_, other.model_ = self.bins_, self.model_.with_head(other.config(), frame, targets, weights)
        return other

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> tuple[pd.DataFrame, FloatArray, FloatArray | None]:
        """Checked rows with a fresh index, their targets and weights."""
        frame = checked_frame(X)
        validate_data(self, X=X, y=y, reset=True, skip_check_array=True)
        targets = _targets(frame, y)
        weights = None if sample_weight is None else _weights(sample_weight, frame)
        return frame.reset_index(drop=True), targets, weights

    def predict(self, X: Any) -> FloatArray:
        """Predicted targets, shape (n,), float64."""
        check_is_fitted(self)
        frame = checked_frame(X)
        validate_data(self, X=X, reset=False, skip_check_array=True)
        return self.model_.predict(frame.reset_index(drop=True))

    def save(self, folder: str | Path) -> Path:
        """Write the fitted regressor into a folder as safetensors and JSON, never as pickle; returns the folder.

        `kinds` and `time_limit`, which only fitting reads, are not kept; neither are training curves.

        Raises
        ------
        StoredStateError
            A column holds objects that cannot be stored.
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        seen = {"n": self.n_features_in_, "names": None if names is None else [str(name) for name in names]}
        return save_model(self.model_, Path(folder), seen)

    @classmethod
    def load(cls, folder: str | Path, threads: int | None = None) -> LatentDiffRegressor:
        """Read a regressor written by :meth:`save`; it predicts the same, and `refit_head` works.

        Raises
        ------
        StoredStateError
            A file is absent, broken, or of another format.
        """
        model, seen = load_model(Path(folder), threads)
        loaded = cls(random_state=model.seed, threads=threads, **model.config.flat())
        loaded.model_, loaded.bins_, loaded.n_features_in_ = model, model.bins, seen["n"]
        if seen["names"] is not None:
            loaded.feature_names_in_ = np.asarray(seen["names"], dtype=object)
        return loaded

    @property
    def encoder_(self) -> TabularEncoder:
        """The fitted encoder."""
        return self.model_.encoder

    @property
    def report_(self) -> LatentReport:
        """What happened in `fit`."""
        return self.model_.report

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


def _targets(frame: pd.DataFrame, y: Any) -> FloatArray:
    """Targets as float64, shape (n,), one for each row."""
    flat = column_or_1d(y, warn=True)
    if len(flat) != len(frame):
        raise InvalidInputError(f"X and y must have the same number of rows; got {len(frame)} and {len(flat)}.")
    if len(flat) < LEAST_ROWS:
        raise InvalidInputError(
            f"LatentDiffRegressor needs at least {LEAST_ROWS} rows; got n_samples = {len(flat)}, "
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
    shares: FloatArray = weights / weights.mean()
    return shares


def save_model(model: LatentModel, folder: Path, seen: dict[str, Any]) -> Path:
    """Write a fitted model, and what its owner wants back, into `folder`, which is created and returned.

    Raises
    ------
    StoredStateError
        A column holds objects that cannot be stored.
    InvalidInputError
        The folder is a file.
    """
    with writing(folder, _KIND) as draft:
        draft.arrays = _tensors(model)
        draft.data = {
            "config": model.config.flat(),
            "seed": model.seed,
            "schema": model.matrix.schema.to_dict(),
            "scaler": None if model.matrix.scaler is None else type(model.matrix.scaler).__name__,
            "bent": isinstance(model.head, BentHead),
            "report": _report_state(model.report),
            "seen": seen,
        }
    return folder


def load_model(folder: Path, threads: int | None = None) -> tuple[LatentModel, dict[str, Any]]:
    """Read a model and what its owner gave to :func:`save_model`.

    Parameters
    ----------
    folder
        Where it was saved.
    threads
        torch threads.

    Raises
    ------
    StoredStateError
        A file is absent, broken, or of another format.
    """
    with reading(folder, _KIND) as stored:
        state, tensors = stored.data, stored.tensors()
        config = LatentDiffConfig.from_flat(state["config"])
        arrays = {name: part.numpy() for name, part in tensors.items() if "/" not in name}
        model = LatentModel(config, TargetBins(arrays["edges"]), seed=state["seed"], threads=threads)
        model.matrix = TableMatrix(
            TableSchema.from_dict(state["schema"]),
            arrays["medians"],
            _scaler(state["scaler"], tensors),
            arrays["marked"],
        )
        model.encoder = TabularEncoder(model.matrix.n_numbers, model.matrix.cardinalities, config.encoder).double()
        model.encoder.load_state_dict(_part(tensors, "encoder"))
        model.encoder.eval()
        model.scale = FeatureScale(arrays["means"], arrays["deviations"])
        model.centre, model.spread = (float(value) for value in arrays["target"])
        model.start = Head(arrays["start"][:-1], float(arrays["start"][-1]))
        whole = Head(arrays["head"][:-1], float(arrays["head"][-1]))
        model.head = BentHead(model.start, whole) if state["bent"] else whole
        model._held_out = arrays["held_out"]
        model.diffusion = _diffusion(_part(tensors, "denoiser"), arrays, config)
        model.report = _report(state["report"])
        return model, state["seen"]


def _tensors(model: LatentModel) -> Tensors:
    """All numbers of a model by name; parts of networks and of the scaler as ``part/name``."""
    head = model.head.whole if isinstance(model.head, BentHead) else model.head
    arrays: dict[str, Any] = {
        "edges": model.bins.edges,
        "medians": model.matrix.medians,
        "marked": model.matrix.marked,
        "means": model.scale.means,
        "deviations": model.scale.deviations,
        "target": np.array([model.centre, model.spread]),
        "start": np.append(*model.start),
        "head": np.append(*head),
        "held_out": model._held_out,
    }
    scaler = model.matrix.scaler
    arrays |= {f"scaler/{name}": getattr(scaler, name) for name in SCALER_STATE.get(type(scaler).__name__, ())}
    tensors = {name: as_tensor(array) for name, array in arrays.items()}
    tensors |= {f"encoder/{name}": part for name, part in model.encoder.state_dict().items()}
    if model.diffusion is not None:
        diffusion = model.diffusion
        tensors |= {"low": diffusion.low, "high": diffusion.high, "curve": as_tensor(diffusion.curve)}
        tensors |= {f"denoiser/{name}": part for name, part in diffusion.denoiser.state_dict().items()}
    return tensors


def _part(tensors: Tensors, part: str) -> Tensors:
    return {name.removeprefix(f"{part}/"): value for name, value in tensors.items() if name.startswith(f"{part}/")}


def _scaler(name: str | None, tensors: Tensors) -> Any:
    """scikit-learn's transformer as it was fitted."""
    from sklearn import preprocessing

    if name is None:
        return None
    scaler = getattr(preprocessing, name)()
    if name == "QuantileTransformer":
        scaler.set_params(output_distribution="normal", random_state=0)
    for key, part in _part(tensors, "scaler").items():
        setattr(scaler, key, part.numpy())
    scaler.n_features_in_ = next(iter(_part(tensors, "scaler").values())).shape[-1]
    return scaler


def _diffusion(weights: Tensors, arrays: dict[str, Any], config: LatentDiffConfig) -> LatentDiffusion | None:
    if not weights:
        return None
    sizes = config.diffusion
    denoiser = Denoiser(
        len(arrays["low"]), width=sizes.denoiser_width, blocks=sizes.denoiser_blocks, timesteps=sizes.timesteps
    )
    denoiser.load_state_dict(weights)
    bounds = {name: as_tensor(arrays[name]) for name in ("low", "high")}
    return LatentDiffusion(denoiser.eval(), sizes, **bounds, curve=arrays["curve"].tolist())


def _report_state(report: LatentReport) -> dict[str, Any]:
    """A report without its curves and trials."""
    bins = report.bins.astype(object).where(report.bins.notna(), None)
    kept = {name: getattr(report, name) for name in ("seconds", "notes", "ratio")}
    return {"bins": bins.to_dict(orient="list"), **kept}


def _report(state: dict[str, Any]) -> LatentReport:
    columns = {name: pd.Series(values).infer_objects() for name, values in state["bins"].items()}
    kept = {name: state[name] for name in ("seconds", "notes", "ratio")}
    return LatentReport(pd.DataFrame(columns).rename_axis("bin"), **kept)
