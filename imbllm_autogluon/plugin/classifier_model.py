"""The language-model classifier as a model class of AutoGluon, key ``IMBLLM_CLF``."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from autogluon.common.features import types
from autogluon.common.space import Categorical, Int, Real, Space
from autogluon.common.utils.pandas_utils import get_approximate_df_mem_usage
from autogluon.common.utils.resource_utils import ResourceManager

from imbllm_autogluon._config import hidden_bars
from imbllm_autogluon.classification.config import (
    LABEL_STEPS,
    RECOMMENDED,
    RECOMMENDED_FOR_TEXTS,
    ClassifierConfig,
    DebiasingConfig,
)
from imbllm_autogluon.errors import InvalidInputError, OutOfTimeError
from imbllm_autogluon.language.config import COMPACT, OWN_DEFAULTS
from imbllm_autogluon.plugin.models import SettingsModel
from imbllm_autogluon.plugin.original_features import (
    _DERIVED_TEXT,
    _RAW_TEXT,
    exact_view,
    kinds_of_features,
    unwritten_features,
)
from imbllm_autogluon.plugin.stage import answers_by_highest_probability, predictor_folder, skipped_by_autogluon
from imbllm_autogluon.rebalancing.rows import require_time
from imbllm_autogluon.tables.io import read_table

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from autogluon.common.features.feature_metadata import FeatureMetadata

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.plugin.original_features import OriginalColumns, RawView
    from imbllm_autogluon.tables import ColumnName, Kind


_log = logging.getLogger("autogluon.imbllm")

_LEAST_LABEL_STEPS = 10  # below which a fit that ran out of time is no model; fewer where fewer were asked for
_LIBRARIES = 6e8  # bytes of torch, transformers and a small table: 400 rows peaked at 557 MB, 222 of them AutoGluon
_PRETRAINED = 3e9  # of a backbone of 135 million weights in float32, its gradients and a batch: not measured

# Choices of a search that names none itself.
_SEARCHED_MEASURES: Mapping[str, tuple[Any, ...]] = {
    "weighting": ("none", "effective", "inverse"),
    "oversampling_cap": (None, 3.0, 1.0),
    "focal_gamma": (0.0, 1.0, 2.0),
}


class ClassifierModel(SettingsModel):
    """A decoder that is asked for the class of a row, with measures against copying the class shares.

    Hyperparameters are the settings of :class:`~imbllm_autogluon.classification.config.ClassifierConfig`, without a
    prefix, each a value or a search space of AutoGluon, and ``random_state``. The default ones are the recommended
    measures (the instruction for pretrained backbones only: to the others it is constant tokens that cost time).
    Decisions are ``"matched"`` by default, and part of the probabilities, where a metric of classes judges more than
    two of them; elsewhere AutoGluon reads probabilities, or tunes a threshold, and ``decisions`` changes nothing.

    ``noisy`` is a table of the columns of the training table, label included, some labels of which are wrong: a CSV or
    Parquet file, or a data frame. Its rows are learned before those of each fold; they count in no class share, and
    neither AutoGluon nor the model validates on them. Those of classes that the fold lacks are left out.

    Free texts are read as they are: AutoGluon hands them on where this model is in the portfolio. Categories, dates and
    labels are read by their original names where the folder of the predictor tells them.

    Examples
    --------
    >>> from autogluon.tabular import TabularPredictor
    >>> portfolio = {"GBM": {}, "IMBLLM_CLF": {"backbone": "smollm2", "clauses": "text"}}
    >>> TabularPredictor("sick").fit(table, hyperparameters=portfolio)  # doctest: +SKIP
    """

    ag_key = "IMBLLM_CLF"
    ag_name = "ImbLLMClassifier"
    ag_priority = -400  # behind the plain models, before the generator
    settings_class = ClassifierConfig
    own_names = ("noisy",)
    training_share = 0.8
    _supported_problem_types = ["binary", "multiclass"]  # noqa: RUF012 - AutoGluon asks for a list
    _default_auxiliary_params_extra = {  # noqa: RUF012
        "valid_raw_types": [types.R_BOOL, types.R_INT, types.R_FLOAT, types.R_CATEGORY, types.R_OBJECT],
        "ignored_type_group_special": [types.S_IMAGE_PATH, types.S_IMAGE_BYTEARRAY],
    }

    _imbllm_metadata: FeatureMetadata | None = None
    _imbllm_columns: OriginalColumns | None = None
    _imbllm_places: IntArray  # of each class code among the label's categories; -1 where the training rows lacked it

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        noisy = (self._user_params or {}).get("noisy")
        if isinstance(noisy, (str, Path)) and not Path(noisy).is_file():
            raise InvalidInputError(f"there is no table of noisy rows at {noisy}; give a CSV or Parquet file.")

    @classmethod
    def _class_tags(cls) -> dict[str, Any]:
        return {"handles_text": True, "reset_torch_threads": True}

    def _set_default_params(self) -> None:
        pretrained, probe = self._backbone() not in COMPACT, self._is_probe()
        by_probability = answers_by_highest_probability(self.problem_type, self.eval_metric)
        usual: dict[str, Any] = dict(RECOMMENDED_FOR_TEXTS if probe else {**RECOMMENDED, "instruction": pretrained})
        usual["decisions"] = usual["decisions"] if by_probability else "argmax"
        metric = getattr(self.eval_metric, "name", "")
        if pretrained and not probe and metric in ("balanced_accuracy", "f1_macro"):
            usual["stopping_metric"] = metric
        for name, value in usual.items():
            self._set_default_param_value(name, value)

    def _get_default_searchspace(self) -> dict[str, Space]:
        usual = {**vars(DebiasingConfig()), **RECOMMENDED}
        # The usual choice is in front, which is tried first.
        measures = {
            name: Categorical(usual[name], *(choice for choice in choices if choice != usual[name]))
            for name, choices in _SEARCHED_MEASURES.items()
        }
        if self._is_probe():  # nothing that only a training heeds
            return {"weighting": Categorical(*_SEARCHED_MEASURES["weighting"])}
        if self._backbone() not in COMPACT:
            steps = OWN_DEFAULTS["pretrained"]["steps"]
            return {**measures, "steps": Int(steps // 2, 2 * steps, default=steps)}
        rate = OWN_DEFAULTS["compact"]["learning_rate"]
        return {
            **measures,
            "steps": Int(LABEL_STEPS // 2, 2 * LABEL_STEPS, default=LABEL_STEPS),
            "learning_rate": Real(rate / 3, 3 * rate, default=rate, log=True),
            "layers": Categorical(2, 1, 3),
            "width": Categorical(64, 32, 128),
        }

    def _get_default_resources(self) -> tuple[int, float]:
        """All cores, and a GPU for a pretrained backbone where there is one."""
        gpus = ResourceManager.get_gpu_count_torch(cuda_only=True) if self._backbone() not in COMPACT else 0
        return ResourceManager.get_cpu_count(), min(1, gpus)

    @classmethod
    def _estimate_memory_usage_static(
        cls, *, X: pd.DataFrame, hyperparameters: dict[str, Any] | None = None, **kwargs: Any
    ) -> int:
        """Roughly: the libraries, the table, the weights with their gradients, and the batches of queries."""
        del kwargs
        config = ClassifierConfig.from_flat(cls.settings_among(cls.without_spaces(hyperparameters))).resolved_language()
        table = 4 * int(get_approximate_df_mem_usage(X).sum())
        if config.is_pretrained:
            return int(_LIBRARIES + _PRETRAINED + table)
        weights = 16 * 12 * config.layers * config.width**2
        queries = 8 * 4 * min(len(X), config.generation_batch or 1) * 2 * X.shape[1] * config.width
        return int(_LIBRARIES + weights + queries + table)

    def _preprocess_set_features(self, X: pd.DataFrame, feature_metadata: FeatureMetadata | None = None) -> None:
        self._imbllm_metadata = feature_metadata  # of all columns: the model's own is cut to what it reads
        super()._preprocess_set_features(X=X, feature_metadata=feature_metadata)

    def _get_valid_features(self, feature_metadata: FeatureMetadata = None) -> list[ColumnName]:
        """Without counts of words where the texts themselves are read."""
        features: list[ColumnName] = super()._get_valid_features(feature_metadata=feature_metadata)
        dropped = set(_features_made_of_texts(feature_metadata))
        return [name for name in features if name not in dropped]

    def _fit(
        self,
        X: pd.DataFrame,
        y: pd.Series,
        sample_weight: FloatArray | None = None,
        time_limit: float | None = None,
        num_cpus: object = None,
        num_gpus: float = 0,
        **kwargs: Any,
    ) -> None:
        del kwargs  # validation rows among them: the model holds rows out of the training rows itself
        started = time.time()
        view = self._find_original_columns(X)
        names: Mapping[int, Hashable] = {} if view is None else view.labels
        noisy = self._noisy_table(view, y)
        X = self.preprocess(X, y=y)
        labels = pd.Series([names.get(code, code) for code in y], name=y.name)
        with skipped_by_autogluon(self.name):
            left, threads = self.time_to_train(time_limit, started), num_cpus if isinstance(num_cpus, int) else None
            self._learn(X, labels, sample_weight, noisy, left, threads, num_gpus)
        codes = range(max(self.num_classes or 2, int(y.max()) + 1))
        label = self.model.schema.label
        assert label is not None
        places, absent = label.encode(pd.Series([names.get(code, code) for code in codes]), unknown="missing")
        self._imbllm_places = np.where(absent, -1, places)

    def _find_original_columns(self, X: pd.DataFrame) -> RawView | None:
        """Keep how the columns came about, and return that, if the predictor's folder tells."""
        metadata = self._imbllm_metadata
        view = exact_view(predictor_folder(self.path), X.drop(columns=unwritten_features(metadata, X)), metadata)
        # Features of the model's own (`ag.prep_params`) may mean something else under the same names.
        self._imbllm_columns = view.columns if view is not None and self.get_preprocessor() is None else None
        return view

    def _noisy_table(self, view: RawView | None, y: pd.Series) -> tuple[pd.DataFrame, pd.Series] | None:
        """Features, as the predictor makes them, and labels of noisy rows whose class the fold has; None without."""
        given = self._get_model_params().get("noisy")
        if given is None:
            return None
        table = given if isinstance(given, pd.DataFrame) else read_table(Path(given))
        wanted = [y.name, *([] if view is None else view.generator.features_in)]
        if missing := [name for name in wanted if name not in table.columns]:
            raise InvalidInputError(
                f"the noisy rows have no column {missing[0]!r}; give them all columns of the training table."
            )
        names = {} if view is None else view.labels
        known = {str(name): name for name in (names.get(code, code) for code in y.unique())}
        table = table[table[y.name].astype(str).isin(known)].reset_index(drop=True)
        if table.empty:
            return None
        X = table.drop(columns=y.name)
        return X if view is None else view.generator.transform(X), table[y.name].astype(str).map(known)

    def _learn(
        self,
        X: pd.DataFrame,
        labels: pd.Series,
        weights: Any,
        noisy: tuple[pd.DataFrame, pd.Series] | None,
        left: float | None,
        threads: int | None,
        num_gpus: float,
    ) -> None:
        from imbllm_autogluon.classification.label_model import LabelModel

        if labels.nunique() < 2:
            raise InvalidInputError(f"the training fold holds one class, {labels.iloc[0]}; 2 or more are needed.")
        require_time(left)
        settings = self.settings_among(self._get_model_params())
        if not num_gpus and settings.get("device") is None:
            settings["device"] = "cpu"  # AutoGluon gave no GPU to this model
        rows, kinds = self._rows(X)
        model = LabelModel(ClassifierConfig.from_flat(settings), seed=self.random_seed or 0, threads=threads)
        weights = None if weights is None else np.asarray(weights, dtype=np.float64)
        if noisy is not None:
            noisy = self._rows(self.preprocess(noisy[0]))[0].reset_index(drop=True), noisy[1]
        model.fit(rows.reset_index(drop=True), labels, weights=weights, noisy=noisy, kinds=kinds, time_limit=left)
        curve = model.language_model.curves.get("label")
        done = 0 if curve is None else len(curve.losses)
        ran_out = left is not None and model.probe is None and (curve is None or curve.stopped_by == "time limit")
        if ran_out and done < _LEAST_LABEL_STEPS:
            raise OutOfTimeError(
                f"{left:.1f} s of training were enough for {done} steps on the label; at least {_LEAST_LABEL_STEPS} "
                "are needed. Give the fit more time, or make the model smaller (layers, width)."
            )
        self.model = model
        self._note(labels, 0 if noisy is None else len(noisy[1]))

    def _predict_proba(self, X: pd.DataFrame, **kwargs: Any) -> FloatArray:
        rows = self._rows(self.preprocess(X, **kwargs))[0].reset_index(drop=True)
        with hidden_bars(not _log.isEnabledFor(logging.INFO)):
            probabilities: FloatArray = self.model.probabilities(rows)
        if answers_by_highest_probability(self.problem_type, self.eval_metric):
            probabilities = self.model.calibration.decisive(probabilities)
        seen = np.flatnonzero(self._imbllm_places >= 0)  # a fold may lack a rare class
        ordered = np.zeros((len(rows), len(self._imbllm_places)))
        ordered[:, seen] = probabilities[:, self._imbllm_places[seen]]
        unified: FloatArray = self._convert_proba_to_unified_form(ordered)
        return unified

    def _rows(self, X: pd.DataFrame) -> tuple[pd.DataFrame, dict[ColumnName, Kind]]:
        """Rows as they are read, and the kinds of columns that dtypes alone would not show."""
        kinds = kinds_of_features(self._imbllm_metadata, X, read=True)
        columns = self._imbllm_columns
        if columns is None:
            return X, kinds
        raw, own = columns.raw(X)
        beyond = columns.beyond(X)
        return pd.concat([raw, X[beyond]], axis=1), {**{n: kinds[n] for n in beyond if n in kinds}, **own}

    def _note(self, labels: pd.Series, n_noisy: int) -> None:
        curves = self.model.language_model.curves
        self.imbllm_report = {
            "rows": {str(label): n for label, n in labels.value_counts().items()},
            "noisy_rows": n_noisy,
            "written": self.model.written,
            "held_out": self.model.held_out,
            "original_columns": self._imbllm_columns is not None,
            "not_read": [aside.reason for aside in self.model.schema.excluded if not aside.holds_text],
            "steps": {name: len(curve.losses) for name, curve in curves.items()},
            "stopped_by": {name: curve.stopped_by for name, curve in curves.items()},
            "seconds": self.model.seconds,
        }
        _log.log(15, "\t%s: %s", self.name, self.imbllm_report)

    def _is_probe(self) -> bool:
        return bool(self.without_spaces(self._user_params).get("tuning") == "probe")

    def _backbone(self) -> str:
        return str(self.without_spaces(self._user_params).get("backbone", COMPACT[0]))


def _features_made_of_texts(metadata: FeatureMetadata) -> list[ColumnName]:
    """Columns made of free texts that are there themselves; none where AutoGluon did not hand the texts on."""
    special: dict[str, list[ColumnName]] = metadata.type_group_map_special
    raw = special.get(_RAW_TEXT)
    return [name for kind in _DERIVED_TEXT for name in special.get(kind, []) if name not in raw] if raw else []
