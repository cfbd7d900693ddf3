"""The generators as an imbalanced-learn sampler."""

from __future__ import annotations

import logging
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval
from sklearn_compat.utils.validation import validate_data

from imbllm_autogluon._config import SettingsMixin
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.methods import generator_class
from imbllm_autogluon.tables.io import check_frame, checked_frame

if TYPE_CHECKING:
    from imbllm_autogluon._random import RandomState
    from imbllm_autogluon.oversampling.generator import LanguageGenerator
    from imbllm_autogluon.oversampling.report import OversamplingReport
    from imbllm_autogluon.tables import ColumnName, Kind

# Settings that are parameters; all others are given in `settings`.
_SHOWN = (
    "backbone", "device", "pretrain_steps", "steps", "time_limit", "temperature", "conditioning", "interpolation_ratio",
    "k_neighbors", "plausibility", "near_copies", "target_prior",
)  # fmt: skip


_log = logging.getLogger(__name__)


class ImbLLMOverSampler(SettingsMixin, BaseOverSampler, config=GeneratorConfig, shown=_SHOWN):  # type: ignore[misc]
    """Oversample rare classes with rows written by a language model (ImbLLM, arXiv 2510.09783).

    A drop-in replacement of imbalanced-learn's samplers: real rows come back first and unchanged, the written ones
    behind them. Mixed types, missing values, nullable, arrow and categorical dtypes are kept as they are.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn: ``"auto"`` brings every class to the size of the largest; a float is the wanted ratio
        minority to majority (two classes only); a dict gives the wanted number of rows of each class.
    method : {"imbllm", "great", "pred_llm"}, default="imbllm"
        :class:`~imbllm_autogluon.oversampling.imbllm.ImbLLM` learns rare rows and interpolated ones,
        :class:`~imbllm_autogluon.oversampling.imbllm.GReaT` the whole table; ``"pred_llm"`` learns it with the label
        last and is asked for the class of its rows, see
        :class:`~imbllm_autogluon.oversampling.pred_llm.PredLLMGenerator`.
    random_state : int, RandomState, Generator or None, default=None
        Seed; the same seed on the same machine gives the same rows.
    kinds : dict of column name to kind or None, default=None
        Overrides guessed column kinds: ``"continuous"``, ``"integer"``, ``"categorical"``, ``"boolean"``,
        ``"datetime"``, ``"text"``.
    threads : int (1 to 1,024) or None, default=None
        torch threads; `None` leaves the process's count alone.
    settings : dict of name to value or None, default=None
        All other settings of :class:`~imbllm_autogluon.oversampling.config.GeneratorConfig` by name, such as
        ``{"order": "permute_xy"}``; each method uses its part.

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

    Raises
    ------
    InvalidInputError
        From ``fit_resample``: a setting is not allowed.

    Examples
    --------
    >>> from imbllm_autogluon import ImbLLMOverSampler
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> X, y = load_hypothyroid()
    >>> sampler = ImbLLMOverSampler(sampling_strategy=0.1, random_state=0, pretrain_steps=2, steps=2)
    >>> X_new, y_new = sampler.fit_resample(X, y)
    >>> y_new.value_counts().to_dict()
    {'negative': 3012, 'hypothyroid': 301}
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseOverSampler._parameter_constraints,
        "random_state": ["random_state", np.random.Generator],
        "kinds": [Mapping, None],
        "threads": [Interval(numbers.Integral, 1, 1024, closed="both"), None],
    }  # of parameters that no configuration holds; `config` checks the settings

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        method: str = "imbllm",
        random_state: RandomState = None,
        kinds: Mapping[ColumnName, Kind] | None = None,
        threads: int | None = None,
        settings: Mapping[str, object] | None = None,
        **parameters: Any,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.method = method
        self.random_state = random_state
        self.kinds = kinds
        self.threads = threads
        self._set_parameters(settings, parameters)

    generator_: LanguageGenerator
    report_: OversamplingReport
    synthetic_mask_: np.ndarray[Any, np.dtype[np.bool_]]

    def config(self) -> GeneratorConfig:
        """The parameters as a checked configuration."""
        return GeneratorConfig.from_flat(self.flat_settings())

    def _check_X_y(self, X: Any, y: Any) -> tuple[Any, Any, bool]:
        """Keep data frames as they are; turn lists into arrays; refuse sparse matrices."""
        named: Any
        # scikit-learn reads booleans among categories as floats, which are no longer among them.
        classes = np.asarray(y) if isinstance(getattr(y, "dtype", None), pd.CategoricalDtype) else y
        y, binarize_y = check_target_type(classes, indicate_one_vs_all=True)
        if isinstance(X, pd.DataFrame):
            check_frame(X, "the table")
            # scikit-learn keeps names that are all strings, and refuses some of the others.
            named = X if all(isinstance(name, str) for name in X.columns) else X.set_axis(range(X.shape[1]), axis=1)
        elif isinstance(X, list):
            named = X = checked_frame(X).to_numpy()
        else:
            named = X = check_array(X, dtype=None, ensure_all_finite=False)
        validate_data(self, X=named, y=y, reset=True, skip_check_array=True)
        return X, y, binarize_y

    def _fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        frame, labels = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X), pd.Series(y)
        counts = self._without_lone({label: n for label, n in self.sampling_strategy_.items() if n > 0}, labels)
        make = generator_class(self.method)
        self.generator_ = make(self.config(), random_state=self.random_state, threads=self.threads)
        self.synthetic_mask_ = np.zeros(len(frame), dtype=bool)
        if not counts:
            self.report_ = self.generator_.report
            return X, y
        rows, row_labels = self.generator_.fit(frame, labels, counts, kinds=self.kinds).sample()
        self.report_ = self.generator_.report
        self.synthetic_mask_ = np.arange(len(frame) + len(rows)) >= len(frame)
        whole = pd.concat([frame, rows], ignore_index=True)
        resampled = whole if isinstance(X, pd.DataFrame) else whole.to_numpy(dtype=X.dtype)
        return resampled, np.concatenate([y, row_labels.to_numpy(dtype=y.dtype)])

    def _without_lone(self, counts: dict[Any, int], labels: pd.Series) -> dict[Any, int]:
        """Counts without classes of one row, unless these are named or there are no others."""
        sizes = labels.value_counts()
        several = {label: n for label, n in counts.items() if sizes[label] > 1}
        if not isinstance(self.sampling_strategy, str) or not several or several == counts:
            return counts
        lone = ", ".join(repr(label) for label in counts if label not in several)
        _log.warning("Too small to continue, and left as it is: %s (1 row).", lone)
        return several

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags
