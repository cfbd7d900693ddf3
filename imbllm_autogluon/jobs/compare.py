"""The plain ensemble against the whole one: scores on the same rows, which is better, and whether by chance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from autogluon.core.metrics import Scorer, get_metric

from imbllm_autogluon._config import progress_bar
from imbllm_autogluon.classification.calibration import correct_prior
from imbllm_autogluon.classification.logit_adjustment import redrawn_within_classes, resampled_scores
from imbllm_autogluon.plugin.classifier_model import ClassifierModel
from imbllm_autogluon.plugin.ensemble import adjustment_of, fit_ensemble
from imbllm_autogluon.plugin.models import GeneratorModel, LatentDiffModel
from imbllm_autogluon.plugin.scorers import geometric_mean_error
from imbllm_autogluon.plugin.stage import RebalancingMixin
from imbllm_autogluon.quality.curves import calibration_chart, precision_recall_chart
from imbllm_autogluon.quality.reports import measure, metric_name, number
from imbllm_autogluon.regression.bins import SHOTS, TargetBins, shots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.tables.labeled import Task

    Positions = npt.NDArray[np.intp]
    _Gains = dict[tuple[str, str], tuple[float, float]]  # of one model over another, and half of the 95 % interval

# How readers see scores of each task: those of numbers are in the unit of the target
FIGURES: Mapping[str, Callable[[float | None], str]] = {"classification": number, "regression": measure}
_KINDS = {"twin": RebalancingMixin, "generator": GeneratorModel, "latent_diff": LatentDiffModel}
_OURS = {"twin": "twins", "latent_diff": "LatentDiff"}
_SHOT_METRICS = {f"{shot}_mae": shot for shot in reversed(SHOTS)}  # mean absolute errors over targets of one sort
# Metrics of every comparison; the predictor's own comes first, if it is another
_METRICS = {
    "binary": ("average_precision", "roc_auc", "f1", "log_loss"),
    "multiclass": ("balanced_accuracy", "f1_macro", "log_loss", "roc_auc_ovo"),
    "regression": ("mean_absolute_error", *_SHOT_METRICS, "root_mean_squared_error", geometric_mean_error.name),
}
_EQUAL = 1e-9  # difference, as a share of the larger score, up to which two scores count as equal
_RESAMPLES = 100  # enough for the width of a 95 % interval to be known to about a tenth
_DEVIATIONS = 1.96  # that a 95 % interval reaches to either side
_MOST_RESAMPLED = 100_000  # rows of two models, above which no interval is made: it takes a minute, chance is small
_MOST_CURVES = 3  # of more than two classes the rarest ones have curves, each against all others


@dataclass(frozen=True)
class _EnsemblePair:
    """Names of the two models to compare."""

    whole: str  # what the predictor uses by default: as a rule, the weighted ensemble over plain models and twins
    # The weighted ensemble over plain models only; `None` where there is nothing to compare, for this reason
    plain: str | None
    reason: str = ""
    ours: str = "twins"  # what the whole ensemble has next to plain models, in words

    def by_side(self) -> dict[str, str]:
        """Names of the models that there are, by ``plain`` and ``whole``."""
        return {**({} if self.plain is None else {"plain": self.plain}), "whole": self.whole}


def pair_ensembles(predictor: TabularPredictor) -> _EnsemblePair:
    """Fit the weighted ensemble over plain models next to the one over all models, into the predictor.

    The model that the predictor uses stays the same, unless the plain ensemble is strictly better on the rows that
    AutoGluon itself chooses by (out-of-fold or validation rows): "no rebalancing" is a legal answer. The training data
    must have been kept (``cache_data=True``, the default).
    """
    whole = predictor.model_best
    plain, ours = base_models(predictor)
    if not ours:
        lacking = f"no twin{' and no LatentDiff' if predictor.problem_type == 'regression' else ''} was fitted"
        held = {predictor._trainer.get_model_attribute(name, "type_inner") for name in plain}
        consequence = "" if ClassifierModel in held else ", so the ensemble holds plain models only"
        return _EnsemblePair(whole, None, f"{lacking}{consequence}")
    if not plain:
        return _EnsemblePair(whole, None, "no plain model was fitted, so there is none to compare with")
    refitted = whole in predictor.model_refit_map().values()
    made = fit_ensemble(predictor, plain, "Plain")
    if made is None:
        return _EnsemblePair(whole, None, "the ensemble over plain models could not be fitted")
    best = whole if refitted else predictor.model_best
    if refitted:
        made = predictor.refit_full(model=made)[made]
    predictor.set_model_best(best, save_trainer=True)
    kinds = {model_kind(predictor, name) for name in ours}
    return _EnsemblePair(whole, made, ours=" and ".join(text for kind, text in _OURS.items() if kind in kinds))


def base_models(predictor: TabularPredictor) -> tuple[list[str], list[str]]:
    """Names of the plain models and of ours (twins and LatentDiff), ensembles and refitted copies left out."""
    refitted = set(predictor.model_refit_map().values())
    names = [name for name in predictor._trainer.get_model_names(stack_name="core") if name not in refitted]
    kinds = {name: model_kind(predictor, name) for name in names}
    ours = [name for name in names if kinds[name] in _OURS]
    return [name for name in names if name not in ours and kinds[name] != "generator"], ours


def model_kind(predictor: TabularPredictor, name: str) -> str:
    """What a model, or what it bags, is: ``twin``, ``generator``, ``latent_diff``, ``ensemble`` or ``plain``."""
    model_class = predictor._trainer.get_model_attribute(name, "type_inner")
    for kind, base in _KINDS.items():
        if isinstance(model_class, type) and issubclass(model_class, base):
            return kind
    return "ensemble" if name.startswith("WeightedEnsemble") else "plain"


@dataclass(frozen=True)
class _Score:
    """One metric of both ensembles."""

    metric: str
    higher_is_better: bool
    plain: float | None
    whole: float | None
    # Decision thresholds of plain and whole, for binary metrics of labels
    thresholds: tuple[float | None, float | None] = (None, None)
    rows: int | None = None  # scored rows that the metric looks at; `None`: all

    @property
    def gain(self) -> float | None:
        """How much better the whole ensemble is; negative if it is worse."""
        if self.plain is None or self.whole is None:
            return None
        return (self.whole - self.plain) * (1.0 if self.higher_is_better else -1.0)

    @property
    def better(self) -> str:
        """The ensemble that has the better value: ``whole``, ``plain`` or ``neither``."""
        if self.gain is None or abs(self.gain) <= _EQUAL * max(abs(self.plain or 0.0), abs(self.whole or 0.0)):
            return "neither"
        return "whole" if self.gain > 0 else "plain"


@dataclass(frozen=True)
class Comparison:
    """Both ensembles on the same rows."""

    pair: _EnsemblePair
    scores: tuple[_Score, ...]  # the predictor's own metric first
    # `test`: rows that took no part in the fit; `out-of-fold`, `validation`: those that weights were chosen by
    rows: str
    counts: Mapping[str, int]  # scored rows of each class, or of each sort of target
    interval: tuple[float, float] | None = None  # 95 % interval of the first score's gain (paired bootstrap)
    twins: tuple[Mapping[str, Any], ...] = ()  # each beside its plain model, see :func:`compare`
    baseline: str = ""  # whether duplicated rows would have done as much, or why that is not known
    notes: tuple[str, ...] = ()
    curves: tuple[Mapping[str, Any], ...] = ()  # precision-recall and calibration curves; none for numbers
    task: Task = "classification"

    @property
    def verdict(self) -> str:
        """One sentence: which ensemble is better, by how much, on which rows."""
        first, figure, ours = self.scores[0], FIGURES[self.task], self.pair.ours
        if self.pair.plain is None or first.plain is None or first.whole is None:
            return f"Nothing to compare: {self.pair.reason or 'a score is missing'}."
        figures = (
            f"{metric_name(first.metric)} {figure(first.whole)} with {ours}, {figure(first.plain)} without, "
            f"on {sum(self.counts.values())} {self.rows} rows"
        )
        if first.better == "neither":
            return f"Both ensembles are equal ({figures}).{self._opposite('whole')}{self._opposite('plain')}"
        other = "plain" if first.better == "whole" else "whole"
        words = _gain_words(abs(first.gain or 0.0), self.spread, figure)
        is_chance = self.interval is not None and self.interval[0] <= 0.0 <= self.interval[1]
        gain = f"The {self._named(first.better)} is {words}{': within chance' * is_chance} ({figures})."
        return f"{gain}{self._opposite(other)}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "verdict": self.verdict,
            "winner": self.scores[0].better,
            "models": {"plain": self.pair.plain, "whole": self.pair.whole},
            "scores": [{**vars(score), "gain": score.gain, "better": score.better} for score in self.scores],
            "rows": self.rows,
            "counts": dict(self.counts),
            "interval": self.interval,
            "twins": list(self.twins),
            "baseline": self.baseline,
            "notes": list(self.notes),
            "curves": list(self.curves),
        }

    @property
    def spread(self) -> float | None:
        """Half of the interval."""
        return None if self.interval is None else (self.interval[1] - self.interval[0]) / 2

    def _opposite(self, winner: str) -> str:
        names = [metric_name(score.metric) for score in self.scores[1:] if score.better == winner]
        return f" The {self._named(winner)} is better by {', '.join(names)}." if names else ""

    def _named(self, ensemble: str) -> str:
        ours = self.pair.ours
        joined = f"plain models{',' if ' and ' in ours else ' and'} {ours}"
        return "plain ensemble" if ensemble == "plain" else f"whole ensemble ({joined})"


def _gain_words(gain: float, spread: float | None, figure: Callable[[float | None], str]) -> str:
    """``better by 0.0019 ± 0.0040``, or worse; of no known spread the gain alone. None is written as 0.0000."""
    told, *around = [
        measure(value, 1) if value and not float(figure(value)) else figure(value)
        for value in (abs(gain), *([] if spread is None else [spread]))
    ]
    return f"{'worse' if gain < 0 else 'better'} by {' ± '.join([told, *around])}"


@dataclass(frozen=True)
class _Metric:
    """A metric of AutoGluon, and the rows it is about."""

    name: str
    scorer: Scorer
    shot: str | None = None  # targets of this sort only; `None`: all rows


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """Labels and predictions of the scored rows."""

    task: Task
    metrics: tuple[_Metric, ...]  # the predictor's own first, each once
    labels: npt.NDArray[Any]  # classes in AutoGluon's codes, or numbers, shape (n,)
    strata: npt.NDArray[Any]  # class, or sort of target, of each row, shape (n,): the bootstrap draws within these
    names: Mapping[Any, str]  # text of each stratum
    # By model: probabilities, the positive class's (n,) or those of all (n, k); or numbers (n,)
    predictions: Mapping[str, npt.NDArray[Any]]
    # Of classes, without the adjustment towards decisions that our ensemble has for metrics of more than two classes
    probabilities: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by model and metric; of two classes
    notes: tuple[str, ...] = ()
    index: pd.Index[Any] | None = None  # of the rows in their table

    @classmethod
    def of_classes(
        cls,
        predictor: TabularPredictor,
        models: Iterable[str],
        train: pd.DataFrame,
        test: pd.DataFrame | None,
        n_metrics: int | None = None,
        others: Iterable[str] = (),
    ) -> ScoredRows:
        """Predict rows with a class: those of `test`, or out of fold (of validation) those of `train`.

        The first `n_metrics` metrics count, of `others` the first one: thresholds of each take seconds.
        """
        full, metrics = set(models), _metrics(predictor)[:n_metrics]
        names = [*dict.fromkeys((*models, *others))]
        proba = predictor.predict_proba_multi(test, models=names, as_multiclass=False, inverse_transform=False)
        index = proba[names[0]].index  # AutoGluon returns the models of the ensembles, too
        codes = (train if test is None else test).loc[index, predictor.label].map(predictor.class_labels_internal_map)
        known = codes.notna().to_numpy()
        n_unknown = int((~known).sum())
        labels = codes[known].astype("int64").to_numpy()
        predictions = {name: proba[name].to_numpy()[known] for name in names}
        return cls(
            "classification",
            metrics,
            labels,
            labels,
            {code: str(label) for label, code in predictor.class_labels_internal_map.items()},
            predictions,
            {name: _untilted(predictor, name, values) for name, values in predictions.items()},
            {name: _thresholds(predictor, name, metrics if name in full else metrics[:1]) for name in names},
            (f"{n_unknown} rows of classes that the predictor does not know are not scored.",) if n_unknown else (),
            index[known],
        )

    @classmethod
    def of_targets(
        cls,
        predictor: TabularPredictor,
        models: Iterable[str],
        train: pd.DataFrame,
        test: pd.DataFrame | None,
        bins: TargetBins,
    ) -> ScoredRows:
        """Predict rows with a number, as :meth:`of_classes` those with a class.

        The bins are laid on the targets of `train`; with its rows they say which are few-, medium- and many-shot.
        """
        predicted = predictor.predict_multi(test, models=list(models))
        index = next(iter(predicted.values())).index
        targets = (train if test is None else test).loc[index, predictor.label].to_numpy(dtype=np.float64)
        return cls(
            "regression",
            _metrics(predictor),
            targets,
            shots(bins.counts(train[predictor.label]))[bins.assign(targets)],
            {shot: shot for shot in SHOTS},
            {name: values.to_numpy(dtype=np.float64) for name, values in predicted.items()},
        )

    def counts(self) -> dict[str, int]:
        """Rows of each class that has some, or of each sort of target."""
        sizes = {text: int((self.strata == stratum).sum()) for stratum, text in self.names.items()}
        return {text: n for text, n in sizes.items() if n or self.task == "regression"}

    def positions(self, metric: _Metric) -> Positions:
        """Rows that a metric is about."""
        return np.flatnonzero(self.strata == metric.shot) if metric.shot else np.arange(len(self.strata))

    def score(self, metric: _Metric, model: str, at: Positions) -> float:
        """Score of a model in AutoGluon's sign, on those rows at the given positions that the metric is about."""
        at = at[self.strata[at] == metric.shot] if metric.shot else at
        return float(metric.scorer(self.labels[at], self.answers(metric, model)[at]))

    def resampled(self, metric: _Metric, models: list[str], samples: Iterable[Positions]) -> FloatArray:
        """Scores on samples of the rows, shape (number of samples, number of models)."""
        if metric.scorer.needs_class:
            return resampled_scores(metric.scorer, self.labels, [self.answers(metric, m) for m in models], samples)
        return np.array([[self.score(metric, model, at) for model in models] for at in samples])

    def answers(self, metric: _Metric, model: str) -> npt.NDArray[Any]:
        """What the metric looks at: numbers, probabilities, or codes of decided classes."""
        predictions = self.predictions[model]
        if self.task == "regression":
            return predictions
        if not metric.scorer.needs_pred:
            return self.probabilities[model]
        if predictions.ndim == 2:
            return np.asarray(predictions.argmax(axis=1))
        return (predictions > (self.thresholds[model].get(metric.name) or 0.5)).astype(np.int64)


def compare(
    scored: ScoredRows,
    pair: _EnsemblePair,
    rows: str,
    twins: Mapping[str, Mapping[str, Any]] | None = None,
    no_duplicates: str = "",
) -> Comparison:
    """Score both ensembles on the same rows; `rows` says which, see :class:`Comparison`.

    The `twins` are by their names the ``plain`` model of each, the ``kind``, ``twin`` or ``duplicates``, and of these
    the twin that they are ``of``; `no_duplicates` says why there are none.
    """
    scores = tuple(_score(scored, metric, pair) for metric in scored.metrics)
    pairs = [(pair.whole, pair.plain)] if pair.plain is not None else []
    for name, entry in (twins or {}).items():
        pairs += [(name, entry["plain"]), *([(entry["of"], name)] if "of" in entry else [])]
    gains = _gains(scored, pairs)
    interval, curves = _interval(gains.get((pair.whole, str(pair.plain)))), _class_curves(scored, pair)
    beside = tuple(
        {"model": name, **entry, **_beside(scored, name, entry["plain"], gains)}
        for name, entry in (twins or {}).items()
    )
    baseline = next((_against_duplicates(scored, each, gains) for each in beside if "of" in each), no_duplicates)
    counts = scored.counts()
    return Comparison(pair, scores, rows, counts, interval, beside, baseline, scored.notes, curves, scored.task)


def _beside(scored: ScoredRows, twin: str, plain: str, gains: _Gains) -> dict[str, Any]:
    """Scores of a twin and its plain model by the first metric, the gain, half its 95 % interval, and words."""
    values = {
        "twin_score": _value(scored, scored.metrics[0], twin),
        "plain_score": _value(scored, scored.metrics[0], plain),
    }
    gain, spread = gains.get((twin, plain), (None, None))
    return {**values, "gain": gain, "spread": spread, "words": _words(scored, gains.get((twin, plain)))}


def _words(scored: ScoredRows, gain: tuple[float, float] | None) -> str:
    if gain is None:
        return "no interval: the rows are many, or one has no score"
    is_chance = abs(gain[0]) <= gain[1]
    return f"{_gain_words(*gain, FIGURES[scored.task])}{': within chance' * is_chance}"


def _against_duplicates(scored: ScoredRows, duplicates: Mapping[str, Any], gains: _Gains) -> str:
    """One sentence: whether duplicated rows would have done as much as those of the twin."""
    twin, name, plain = duplicates["of"], duplicates["model"], duplicates["plain"]
    lead, gain = gains.get((twin, name)), gains.get((twin, plain))
    told = f"With duplicated rows in place of its own {twin} is {duplicates['words']} (next to {plain})."
    if lead is None or gain is None:
        return told
    if gain[0] <= gain[1]:
        return f"{told} Its own rows are not shown to be better than none."
    if lead[0] > lead[1]:
        return f"{told} Its own rows are better than duplicates beyond chance: {_words(scored, lead)}."
    return f"{told} Duplicates do as much: next to them its own rows are {_words(scored, lead)}."


def _score(scored: ScoredRows, metric: _Metric, pair: _EnsemblePair) -> _Score:
    values = {side: _value(scored, metric, model) for side, model in pair.by_side().items()}
    thresholds = {side: scored.thresholds.get(model, {}).get(metric.name) for side, model in pair.by_side().items()}
    rows = len(scored.positions(metric)) if scored.task == "regression" else None
    both, higher = (thresholds.get("plain"), thresholds["whole"]), bool(metric.scorer.greater_is_better_internal)
    return _Score(metric.name, higher, values.get("plain"), values["whole"], both, rows)


def _value(scored: ScoredRows, metric: _Metric, model: str) -> float | None:
    """Score of a model; `None` where there is none: ROC AUC of one class, R² of one row, a correlation of constants."""
    at = scored.positions(metric)
    try:
        value = float(metric.scorer.convert_score_to_original(scored.score(metric, model, at))) if len(at) else np.nan
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _gains(scored: ScoredRows, pairs: Sequence[tuple[str, str]]) -> _Gains:
    """Gain of each model over another by the first metric, and half of its 95 % interval: a paired bootstrap in strata.

    The first pair comes before all others where the rows are many; none where a sample has no score (Efron and
    Tibshirani 1993, chapters 6 and 13).
    """
    metric, n_rows = scored.metrics[0], len(scored.strata)
    n_models = 2 * _MOST_RESAMPLED // max(1, n_rows)
    models = [*dict.fromkeys(name for pair in pairs for name in pair)][:n_models]
    if not models or n_models < 2 or not len(at := scored.positions(metric)):
        return {}
    samples = redrawn_within_classes(scored.strata, np.random.default_rng(0), _RESAMPLES)
    samples = progress_bar(_RESAMPLES, "comparing", samples)
    try:
        drawn = dict(zip(models, scored.resampled(metric, models, samples).T, strict=True))
        scores = {model: scored.score(metric, model, at) for model in models}
    except ValueError:
        return {}
    found = {
        (one, other): (scores[one] - scores[other], _DEVIATIONS * float(np.std(drawn[one] - drawn[other])))
        for one, other in pairs
        if one in drawn and other in drawn
    }
    return {pair: gain for pair, gain in found.items() if np.isfinite(gain).all()}


def _interval(gain: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if gain is None else (gain[0] - gain[1], gain[0] + gain[1])


def _class_curves(scored: ScoredRows, pair: _EnsemblePair) -> tuple[Mapping[str, Any], ...]:
    """Precision-recall and calibration curves of the positive class of two, or of the rarest of more classes."""
    if scored.task == "regression":
        return ()
    probabilities = {f"{side} ensemble": scored.probabilities[model] for side, model in pair.by_side().items()}
    codes, sizes = np.unique(scored.labels, return_counts=True)
    is_binary = next(iter(probabilities.values())).ndim == 1
    chosen = [1] if is_binary else codes[np.argsort(sizes, kind="stable")][:_MOST_CURVES].tolist()
    return tuple(
        _curves(
            scored.labels == code,
            scored.names[code],
            {name: proba if is_binary else proba[:, code] for name, proba in probabilities.items()},
        )
        for code in chosen
        if 0 < (scored.labels == code).sum() < len(scored.labels)
    )


def _curves(truth: npt.NDArray[np.bool_], label: str, probabilities: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Curves of one class against all others: its text and rows, figures by model, and the charts as they are drawn."""
    charts = precision_recall_chart(truth, probabilities), calibration_chart(truth, probabilities)
    figures = {chart["figure_name"]: {line["name"]: line["figure"] for line in chart["lines"]} for chart in charts}
    return {"label": label, "rows": int(truth.sum()), "figures": figures, "charts": list(charts)}


def _metrics(predictor: TabularPredictor) -> tuple[_Metric, ...]:
    """The predictor's own metric, then the others of every comparison."""
    own, problem = predictor.eval_metric, predictor.problem_type
    known = {geometric_mean_error.name: geometric_mean_error, own.name: own}
    metrics = {own.name: _Metric(own.name, own)}
    for name in _METRICS[problem]:
        shot = _SHOT_METRICS.get(name)
        scorer = get_metric("mean_absolute_error", problem) if shot else known.get(name) or get_metric(name, problem)
        metrics[name] = _Metric(name, scorer, shot)
    return tuple(metrics.values())


def _untilted(predictor: TabularPredictor, model: str, predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
    factors = adjustment_of(predictor, model)
    return predictions if factors is None else correct_prior(predictions, 1.0 / factors)


def _thresholds(predictor: TabularPredictor, model: str, metrics: Iterable[_Metric]) -> dict[str, float]:
    if predictor.problem_type != "binary":
        return {}
    wanted = [metric for metric in metrics if metric.scorer.needs_pred]
    return {each.name: calibrated_threshold(predictor, model, each.scorer) for each in wanted}


def calibrated_threshold(predictor: TabularPredictor, model: str, metric: Scorer | str) -> float:
    """Probability above which a row gets the positive label, best for a metric on out-of-fold or validation rows."""
    return float(predictor.calibrate_decision_threshold(metric=metric, model=model, verbose=False))
