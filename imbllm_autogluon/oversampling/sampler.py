"""The generators as an imbalanced-learn sampler."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn_compat.utils.validation import validate_data

from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.methods import GENERATORS, generator_class
from imbllm_autogluon.tables.inspection import checked_names

if TYPE_CHECKING:
    from imbllm_autogluon.oversampling.generator import LanguageGenerator
    from imbllm_autogluon.oversampling.report import OversamplingReport
    from imbllm_autogluon.randomness import RandomState
    from imbllm_autogluon.tables import ColumnName, Kind


def _whole(low: int, high: int) -> Interval:
    return Interval(numbers.Integral, low, high, closed="both")


def _real(low: float, high: float) -> Interval:
    return Interval(numbers.Real, low, high, closed="both")


def _array_of(X: Any) -> Any:
    """Turn a list into an array without turning its numbers into text, as NumPy does where text stands beside them."""
    array = np.asarray(X) if isinstance(X, list) else X
    return np.asarray(X, dtype=object) if isinstance(X, list) and array.dtype.kind in "US" else array


class ImbLLMOverSampler(BaseOverSampler):  # type: ignore[misc]
    """Oversample rare classes with rows written by a language model (ImbLLM, arXiv 2510.09783).

    A drop-in replacement of imbalanced-learn's samplers: real rows come back first and unchanged, the written ones
    behind them. Mixed types, missing values, nullable, arrow and categorical dtypes are kept as they are.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn: ``"auto"`` brings every class to the size of the largest; a float is the wanted ratio
        minority to majority (two classes only); a dict gives the wanted number of rows of each class.
    method : {"imbllm", "great"}, default="imbllm"
        ``"imbllm"`` learns rare rows and interpolated ones, see :class:`~imbllm_autogluon.oversampling.imbllm.ImbLLM`;
        ``"great"`` learns the whole table, see :class:`~imbllm_autogluon.oversampling.great.GReaT`.
    random_state : int, RandomState, Generator or None, default=None
        Seed; the same seed on the same machine gives the same rows.
    kinds : dict of column name to kind or None, default=None
        Overrides guessed column kinds: ``"continuous"``, ``"integer"``, ``"categorical"``, ``"boolean"``,
        ``"datetime"``, ``"text"``.
    threads : int or None, default=None
        torch threads; `None` leaves the process's count alone.
    interpolation_ratio, interpolation, categories, interpolated_clauses, neighbours
        See :class:`~imbllm_autogluon.oversampling.config.InterpolationConfig`.
    conditioning, condition_pairs
        See :class:`~imbllm_autogluon.oversampling.config.ConditioningConfig`.
    backbone, revision, local_files_only, token_variable, device, clauses, layers, width, numbers, max_bins, order, \
column_order_share, tuning, lora_rank, top_blocks, warmup, warmup_steps, steps, epochs, batch_size, micro_batch, \
learning_rate, held_out, patience, time_limit, temperature, constrained, precision, generation_batch
        See :class:`~imbllm_autogluon.language.config.LanguageConfig`.

    Attributes
    ----------
    sampling_strategy_ : dict
        Rows to make, by class.
    generator_ : LanguageGenerator
        The fitted generator; it can write more rows.
    report_ : OversamplingReport
        Requested and made rows, dropped copies, seconds, tokens, losses.
    synthetic_mask_ : ndarray of bool, shape (n_samples_new,)
        Which returned rows were written.
    n_features_in_ : int
        Number of features seen.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, where all are strings.

    Examples
    --------
    >>> from imbllm_autogluon import ImbLLMOverSampler
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> X, y = load_hypothyroid()
    >>> sampler = ImbLLMOverSampler(sampling_strategy=0.2, random_state=0, warmup_steps=2, steps=2)
    >>> X_new, y_new = sampler.fit_resample(X, y)
    >>> y_new.value_counts().to_dict()
    {'negative': 3012, 'hypothyroid': 602}
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseOverSampler._parameter_constraints,
        "method": [StrOptions(set(GENERATORS))],
        "random_state": ["random_state", np.random.Generator],
        "kinds": [Mapping, None],
        "threads": [_whole(1, 1024), None],
        "interpolation_ratio": [_real(0, 10)],
        "interpolation": [StrOptions({"linear", "adaptive"})],
        "categories": [StrOptions({"keep", "neighbour", "vote"})],
        "interpolated_clauses": [StrOptions({"all", "continuous"})],
        "neighbours": [_whole(1, 1000)],
        "conditioning": [StrOptions({"y", "yx"})],
        "condition_pairs": [_whole(1, 100)],
        "backbone": [str],
        "revision": [str, None],
        "local_files_only": ["boolean"],
        "token_variable": [str, None],
        "device": [str, None],
        "clauses": [StrOptions({"text", "tokens"}), None],
        "layers": [_whole(1, 24)],
        "width": [_whole(16, 1024)],
        "numbers": [StrOptions({"bins", "digits"}), None],
        "max_bins": [_whole(2, 1024)],
        "order": [StrOptions({"fix_y", "permute_x", "permute_xy"}), None],
        "column_order_share": [_real(0, 1), None],
        "tuning": [StrOptions({"full", "lora", "top_blocks"}), None],
        "lora_rank": [_whole(1, 1024)],
        "top_blocks": [_whole(1, 1000)],
        "warmup": [StrOptions({"fold", "none"}), None],
        "warmup_steps": [_whole(0, 10**6), None],
        "steps": [_whole(0, 10**6), None],
        "epochs": [Interval(numbers.Real, 0, 10_000, closed="right"), None],
        "batch_size": [_whole(1, 65536), None],
        "micro_batch": [_whole(1, 65536), None],
        "learning_rate": [_real(1e-12, 1.0), None],
        "held_out": [_real(0, 0.5), None],
        "patience": [_whole(1, 1000)],
        "time_limit": [Interval(numbers.Real, 0, None, closed="left"), None],
        "temperature": [_real(0.01, 100)],
        "constrained": ["boolean"],
        "precision": [StrOptions({"float32", "bfloat16"}), None],
        "generation_batch": [_whole(1, 10**6), None],
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        method: str = "imbllm",
        random_state: RandomState = None,
        kinds: Mapping[ColumnName, Kind] | None = None,
        threads: int | None = None,
        interpolation_ratio: float = 1.0,
        interpolation: str = "linear",
        categories: str = "keep",
        interpolated_clauses: str = "all",
        neighbours: int = 5,
        conditioning: str = "yx",
        condition_pairs: int = 1,
        backbone: str = "compact",
        revision: str | None = None,
        local_files_only: bool = False,
        token_variable: str | None = None,
        device: str | None = None,
        clauses: str | None = None,
        layers: int = 2,
        width: int = 64,
        numbers: str | None = None,
        max_bins: int = 32,
        order: str | None = None,
        column_order_share: float | None = None,
        tuning: str | None = None,
        lora_rank: int = 16,
        top_blocks: int = 2,
        warmup: str | None = None,
        warmup_steps: int | None = None,
        steps: int | None = None,
        epochs: float | None = None,
        batch_size: int | None = None,
        micro_batch: int | None = None,
        learning_rate: float | None = None,
        held_out: float | None = None,
        patience: int = 3,
        time_limit: float | None = None,
        temperature: float = 0.7,
        constrained: bool = True,
        precision: str | None = None,
        generation_batch: int | None = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.method = method
        self.random_state = random_state
        self.kinds = kinds
        self.threads = threads
        self.interpolation_ratio = interpolation_ratio
        self.interpolation = interpolation
        self.categories = categories
        self.interpolated_clauses = interpolated_clauses
        self.neighbours = neighbours
        self.conditioning = conditioning
        self.condition_pairs = condition_pairs
        self.backbone = backbone
        self.revision = revision
        self.local_files_only = local_files_only
        self.token_variable = token_variable
        self.device = device
        self.clauses = clauses
        self.layers = layers
        self.width = width
        self.numbers = numbers
        self.max_bins = max_bins
        self.order = order
        self.column_order_share = column_order_share
        self.tuning = tuning
        self.lora_rank = lora_rank
        self.top_blocks = top_blocks
        self.warmup = warmup
        self.warmup_steps = warmup_steps
        self.steps = steps
        self.epochs = epochs
        self.batch_size = batch_size
        self.micro_batch = micro_batch
        self.learning_rate = learning_rate
        self.held_out = held_out
        self.patience = patience
        self.time_limit = time_limit
        self.temperature = temperature
        self.constrained = constrained
        self.precision = precision
        self.generation_batch = generation_batch

    generator_: LanguageGenerator
    report_: OversamplingReport
    synthetic_mask_: np.ndarray[Any, np.dtype[np.bool_]]

    def config(self) -> GeneratorConfig:
        """The parameters as a checked configuration."""
        return GeneratorConfig.from_flat({key: getattr(self, key) for key in GeneratorConfig.flat_keys()})

    def _check_X_y(self, X: Any, y: Any) -> tuple[Any, Any, bool]:
        """Keep data frames as they are; turn lists into arrays; refuse sparse matrices."""
        y, binarize_y = check_target_type(y, indicate_one_vs_all=True)
        if isinstance(X, pd.DataFrame):
            checked_names(X)
        else:
            X = check_array(_array_of(X), dtype=None, ensure_all_finite="allow-nan")
        validate_data(self, X=X, y=y, reset=True, skip_check_array=True)
        return X, y, binarize_y

    def _fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)
        labels = pd.Series(y)
        counts = {label: n for label, n in self.sampling_strategy_.items() if n > 0}
        make = generator_class(self.method)
        self.generator_ = make(self.config(), random_state=self.random_state, threads=self.threads)
        self.synthetic_mask_ = np.arange(len(frame) + sum(counts.values())) >= len(frame)
        if not counts:
            self.report_ = self.generator_.report
            return X, y
        rows, row_labels = self.generator_.fit(frame, labels, counts, kinds=self.kinds).sample()
        self.report_ = self.generator_.report
        whole = pd.concat([frame, rows], ignore_index=True)
        resampled = whole if isinstance(X, pd.DataFrame) else whole.to_numpy(dtype=X.dtype)
        return resampled, np.concatenate([y, row_labels.to_numpy(dtype=y.dtype)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags
