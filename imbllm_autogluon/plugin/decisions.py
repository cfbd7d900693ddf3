"""Decisions that a rare class asks for: a wanted precision or recall, so many alarms, or the least cost.

Rows that the models have not learned choose a threshold; bootstrap samples tell what it leads to on unseen rows. Of
thresholds that look precise enough on few rows the luckiest is chosen: so precision is counted with two more false
alarms, and every sample chooses anew (the page of the benchmark `decisions` has the rules that were tried).
"""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from imbllm_autogluon._config import require_number
from imbllm_autogluon._random import child_rng
from imbllm_autogluon._storage import STATE_NAME, reading, writing
from imbllm_autogluon.classification.logit_adjustment import redrawn_within_classes
from imbllm_autogluon.errors import InvalidInputError, StoredStateError, TableError
from imbllm_autogluon.plugin.class_scorers import _costs_of
from imbllm_autogluon.plugin.ensemble import _without_tilt, calibrated_probabilities
from imbllm_autogluon.rebalancing.cache import cache_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    import numpy.typing as npt
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.plugin.class_scorers import Costs

    Figures = Mapping[str, "_Estimate"]
    Judge = Callable[[npt.NDArray[Any], npt.NDArray[np.intp]], dict[str, float]]  # what is decided, on which rows

_log = logging.getLogger("autogluon.imbllm")

_KIND = "decision"  # what is stored, and its folder next to generators and rows
_N_SAMPLES = 400  # bootstrap samples: the ends of a 95 % interval are stable to about a tenth of its width
_SPARE = 2  # false alarms that are added before a precision is believed


class _Estimate(NamedTuple):
    """What is to be expected, with its 95 % interval; NaN where nothing can be said."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return "-" if math.isnan(self.value) else f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class Decision:
    """How the rows of a predictor are decided, and what that leads to; made by :func:`decide`."""

    wish: str  # `precision`, `recall`, `budget` or `cost_matrix`
    wanted: float | None  # of precision, recall or budget
    costs: Sequence[Sequence[float]] | None  # true classes by decided classes, in the order of `labels`
    labels: Sequence[Any]  # classes, as columns of probabilities are named
    positive: Any  # class of the alarms; None where costs decide among several classes
    threshold: float | None  # a probability above it is an alarm; None where there are no alarms
    reached: bool  # whether the rows show that the wish can be met; if not, the nearest is chosen
    model: str  # whose probabilities were looked at; its refitted copy has the same threshold
    source: str  # rows that it was chosen on: `out-of-fold`, `validation` or `given`
    rows: int
    positives: int  # of these, of the positive class
    unseen_rows: int  # that intervals are about
    # On these: `caught`, `missed`, `false alarms` and `alarms` per 1,000 rows, `precision`, `recall`, and with costs
    # `cost`, the mean of a row; `cost` alone where there are no alarms
    expected: Figures
    otherwise: Figures  # the same of AutoGluon's own answers

    def apply(self, probabilities: pd.DataFrame) -> pd.Series[Any]:
        """Decide rows by probabilities, shape (n, classes), of :func:`imbllm_autogluon.calibrated_probabilities`.

        Returns labels, shape (n,). A row that is no alarm gets the most probable of the other classes.
        """
        columns = probabilities.columns.get_indexer(pd.Index(self.labels))
        if (columns < 0).any():
            raise InvalidInputError(f"probabilities of the classes {self.labels} are needed; got {[*probabilities]}.")
        chances = probabilities.to_numpy(dtype=np.float64)[:, columns]
        if self.threshold is None:
            places = (chances @ np.asarray(self.costs)).argmin(axis=1)
        else:
            place = self.labels.index(self.positive)
            others = np.where(np.arange(len(self.labels)) == place, -1.0, chances).argmax(axis=1)
            places = np.where(chances[:, place] > self.threshold, place, others)
        labels = pd.Series(self.labels, dtype=probabilities.columns.dtype)
        return labels.take(places).set_axis(probabilities.index)

    def predict(self, predictor: TabularPredictor, data: pd.DataFrame) -> pd.Series[Any]:
        """Decide the rows of a table with the model that the decision is about, or its refitted copy; shape (n,)."""
        model = _answering(predictor, self.model)
        return self.apply(calibrated_probabilities(predictor, data, model)).rename(predictor.label)

    @property
    def headline(self) -> str:
        """What was wished, what was chosen, and on which rows."""
        others = {"budget": "at most {:g} alarms per 1,000 rows", "cost_matrix": "the least expected cost"}
        wish = others.get(self.wish, f"a {self.wish} of at least {{}}").format(self.wanted)
        what, own = "the class of the least cost", ""
        if self.threshold is not None:
            what, own = f"{self.positive!r} above {self.threshold:.4g}", f", {self.positives} of the class"
        short = "" if self.reached else f" They do not show that such a {self.wish} can be reached: it is the nearest."
        return f"{what}, for {wish}, by {self.model}. Chosen on {self.rows} {self.source} rows{own}.{short}"

    def __str__(self) -> str:
        lines = [f"{name:14}{self.expected[name]!s:>28}{self.otherwise[name]!s:>28}" for name in self.expected]
        about = f"Expected on {self.unseen_rows} unseen rows with 95 % intervals, counts per 1,000 rows:"
        return "\n".join([self.headline, about, f"{'':14}{'chosen':>28}{'AutoGluon':>28}", *lines])


class _Wish(NamedTuple):
    """What is asked of a decision."""

    wish: str
    wanted: Any  # number; None of costs
    costs: Sequence[Sequence[float]] | None  # shape (k, k)

    @classmethod
    def checked(cls, labels: Sequence[Hashable], **wishes: Any) -> _Wish:
        """The only one that is not None of the wishes of :func:`decide`, for classes in this order."""
        given = {name: value for name, value in wishes.items() if value is not None}
        if len(given) != 1:
            raise InvalidInputError(f"give one of cost_matrix, precision, recall and budget; got {[*given]}.")
        ((kind, wanted),) = given.items()
        if kind == "cost_matrix":
            return cls(kind, None, _costs_of(wanted, labels).tolist())
        require_number(kind, wanted, 1e-6, 1000 if kind == "budget" else 1)
        return cls(kind, float(wanted), None)

    def threshold(self, scores: FloatArray, positive: BoolArray) -> tuple[float, bool]:
        """Probability above which rows are alarms, and whether the rows show that this meets the wish."""
        order = np.argsort(-scores, kind="stable")
        # Beyond 0 and 1, so that there are thresholds without alarms, and without others, whatever the probabilities.
        ranked = np.concatenate([[1.0 + 1e-9], scores[order], [-1e-9]])
        # Alarms at each threshold: none, then up to each last one of the rows with equal probabilities.
        alarms = np.flatnonzero(np.append(ranked[1:-1] < ranked[:-2], True))
        hits = np.concatenate([[0], np.cumsum(positive[order])])[alarms]
        place, reached = self._place(alarms, hits, len(scores), int(positive.sum()))
        return float(ranked[alarms[place] : alarms[place] + 2].mean()), reached

    def _place(self, alarms: IntArray, hits: IntArray, n: int, n_positive: int) -> tuple[int, bool]:
        """Place of the chosen number of alarms, and whether it meets the wish."""
        if self.wish == "precision":
            believed = hits / (alarms + _SPARE)
            enough = np.flatnonzero(believed >= self.wanted)
            return int(enough[-1] if len(enough) else believed.argmax()), len(enough) > 0
        if self.wish == "recall":
            # Of unseen positive rows j / (n + 1) are above the one of rank j, on average.
            rank = math.ceil(self.wanted * (n_positive + 1) - 1e-9)
            return int(np.argmax(hits >= min(rank, n_positive))), rank <= n_positive
        if self.wish == "budget":
            return int(np.flatnonzero(alarms <= self.wanted / 1000 * n)[-1]), True
        decided = np.stack([n - n_positive - alarms + hits, alarms - hits, n_positive - hits, hits], axis=1)
        return int((decided @ np.ravel(np.asarray(self.costs))).argmin()), True


class _Rows(NamedTuple):
    """Rows that a model has not learned."""

    labels: list[Any]
    chances: FloatArray  # calibrated, shape (n, k)
    codes: IntArray  # places of the true classes among the labels, shape (n,)
    answers: IntArray  # of the classes that AutoGluon answers with, shape (n,)
    source: str

    @classmethod
    def of(cls, predictor: TabularPredictor, model: str, data: pd.DataFrame | None) -> _Rows:
        """Those of a table, or the predictor's own."""
        if data is None:
            source = "validation" if predictor._trainer.has_val else "out-of-fold"
            raw, truth = _own_rows(predictor, model)
        else:
            absent = [str(name) for name in (*predictor.features(), predictor.label) if name not in data.columns]
            if absent:
                raise TableError(f"data lacks columns that decisions are chosen by: {', '.join(absent[:20])}.")
            source, raw, truth = "given", predictor.predict_proba(data, model=model), data[predictor.label]
        labels = raw.columns.tolist()
        codes = pd.Index(labels).get_indexer(pd.Index(truth))
        raw, codes = raw[codes >= 0], codes[codes >= 0]
        calibrated, own = _without_tilt(predictor, model, raw), predictor.decision_threshold
        values = raw.to_numpy(dtype=np.float64)
        # Of two classes AutoGluon's second one is the positive one.
        answers = values.argmax(axis=1) if own is None else (values[:, 1] > own).astype(np.int64)
        return cls(labels, calibrated.to_numpy(dtype=np.float64), codes, answers, source)

    def redrawn(
        self, decided: Callable[[Any], Any], own: Any, judge: Judge, n: int, seed: int
    ) -> tuple[Figures, Figures]:
        """Figures on n unseen rows of what is decided by rows at given places, and of AutoGluon's own answers.

        Each sample draws rows to choose by, others that stand for all there are, and from these the unseen ones:
        chance is in what is chosen, in what is known of it, and in the rows that come.
        """
        rng = child_rng(seed, "order", "decision")
        drawn = [redrawn_within_classes(self.codes, rng, _N_SAMPLES) for _ in range(2)]
        chosen, usual = [], []
        for choosing, known in zip(*drawn, strict=True):
            (places,) = redrawn_within_classes(self.codes[known], rng, 1, n / len(self.codes))
            chosen.append(judge(decided(choosing), known[places]))
            usual.append(judge(own, known[places]))
        return _estimates(chosen), _estimates(usual)


def _estimates(samples: list[dict[str, float]]) -> Figures:
    table = pd.DataFrame(samples)
    ends = table.quantile([0.025, 0.975])
    return {str(name): _Estimate(*map(float, (each.mean(), *ends[name]))) for name, each in table.items()}


def _own_rows(predictor: TabularPredictor, model: str) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Probabilities of out-of-fold or validation rows, and their labels."""
    trainer = predictor._trainer
    try:
        if trainer.get_refit_full_parent(model) != model:
            raise AssertionError("it is fitted on all of them")
        chances = predictor.predict_proba_multi(models=[model])[model]
        codes = trainer.load_y_val() if trainer.has_val else trainer.load_y()
    except (AssertionError, FileNotFoundError, KeyError) as error:
        raise InvalidInputError(
            f"the predictor has no rows that {model} has not learned ({error}): give some with their labels as data."
        ) from error
    named = {code: label for label, code in predictor.class_labels_internal_map.items()}
    return chances, codes[~codes.index.duplicated()].loc[chances.index].map(named)


def decide(
    predictor: TabularPredictor,
    *,
    cost_matrix: Costs | None = None,
    precision: float | None = None,
    recall: float | None = None,
    budget: float | None = None,
    positive_class: Hashable = None,
    data: pd.DataFrame | None = None,
    unseen_rows: int | None = None,
    store: bool = True,
    seed: int = 0,
) -> Decision:
    """Decide by one wish how rows are answered, on rows that the best model has not learned.

    Parameters
    ----------
    predictor
        Fitted, for classes.
    cost_matrix
        For the least cost: as :func:`imbllm_autogluon.plugin.expected_cost` takes it. Of two classes the threshold that
        costs least on these rows, of more the class of the least expected cost by its probabilities.
    precision
        As many caught as possible at a precision of at least this (above 0, at most 1).
    recall
        As few alarms as possible at a recall of at least this (above 0, at most 1).
    budget
        At most so many alarms per 1,000 rows (above 0, at most 1,000): those of the highest probability.
    positive_class
        Class of the alarms, of several; of two it is the predictor's own. Costs of several classes need none.
    data
        Rows with label that no model has learned; by default out-of-fold rows, without bagging validation rows.
    unseen_rows
        How many unseen rows the intervals are about, 1 or more; default: as many as are decided on. Fewer vary more.
    store
        Whether :func:`stored_decision` and ``imbllm predict`` find it with the predictor.
    seed
        Of the bootstrap samples, drawn within classes; 0 or more.

    Returns
    -------
    Decision
        Where no threshold meets the wish the nearest one, `reached` being False; the log says so.

    Raises
    ------
    InvalidInputError
        Not exactly one wish, a value out of range, an unknown class, no rows of it, or a column that `data` lacks.
    """
    if unseen_rows is not None:
        require_number("unseen_rows", unseen_rows, 1, whole=True)
    if predictor.problem_type not in ("binary", "multiclass"):
        raise InvalidInputError(f"decisions are about classes; the label {predictor.label!r} holds numbers.")
    best = predictor.model_best
    parent = predictor._trainer.get_refit_full_parent(best)
    model = parent if parent in predictor.model_names() else best
    rows = _Rows.of(predictor, model, data)
    wish = _Wish.checked(rows.labels, cost_matrix=cost_matrix, precision=precision, recall=recall, budget=budget)
    positive = _positive_class(predictor, positive_class, rows.labels, by_costs=wish.costs is not None)
    made = _decided(rows, wish, positive, model, unseen_rows or len(rows.codes), seed)
    if not made.reached:
        _log.warning("imbllm: %s", made.headline)
    if store:
        with writing(_folder(predictor), _KIND) as draft:
            draft.data = asdict(made)
    return made


def stored_decision(predictor: TabularPredictor) -> Decision | None:
    """The decision stored with a predictor, None where there is none; `StoredStateError` where it is broken."""
    if not (_folder(predictor) / STATE_NAME).exists():
        return None
    with reading(_folder(predictor), _KIND) as stored:
        sides = ("expected", "otherwise")
        told = {side: {name: _Estimate(*ends) for name, ends in stored.data[side].items()} for side in sides}
        return Decision(**{**stored.data, **told})


def _positive_class(predictor: TabularPredictor, given: Hashable, labels: list[Any], *, by_costs: bool) -> Any:
    """The class of the alarms; None where costs decide among several."""
    if predictor.problem_type == "binary":
        labels = [label for label in labels if label == predictor.positive_class]
        given = labels[0] if given is None else given
    elif by_costs:
        if given is not None:
            raise InvalidInputError(f"costs decide among all classes: leave out the positive class {given!r}.")
        return None
    known = {key: label for label in labels for key in (str(label), label)}
    if given not in known:
        listed = ", ".join(map(str, labels))
        raise InvalidInputError(f"name the class that the wish is about, one of {listed}; got {given!r}.")
    return known[given]


def _decided(rows: _Rows, wish: _Wish, positive: Any, model: str, unseen_rows: int, seed: int) -> Decision:
    threshold, reached, own, costs = None, True, rows.answers, np.asarray(wish.costs)
    is_positive = rows.codes == (rows.codes if positive is None else rows.labels.index(positive))
    if not is_positive.any():
        which = "a known class" if positive is None else f"the class {positive!r}"
        raise InvalidInputError(f"no {rows.source} row is of {which}: give rows that are as data, labeled as learned.")
    decided: Callable[[Any], Any]
    if positive is None:
        cheapest = (rows.chances @ costs).argmin(axis=1)
        decided = lambda _: cheapest  # noqa: E731
        judge: Judge = lambda decided, at: {"cost": float(costs[rows.codes[at], decided[at]].mean())}  # noqa: E731
    else:
        place = rows.labels.index(positive)
        scores, own = rows.chances[:, place], own == place
        threshold, reached = wish.threshold(scores, is_positive)
        decided = lambda at: scores > wish.threshold(scores[at], is_positive[at])[0]  # noqa: E731
        judge = partial(_judged, is_positive, None if wish.costs is None else costs)
    expected, otherwise = rows.redrawn(decided, own, judge, unseen_rows, seed)
    return Decision(
        **wish._asdict(),
        labels=rows.labels,
        positive=positive,
        threshold=threshold,
        reached=reached,
        model=model,
        source=rows.source,
        rows=len(rows.codes),
        positives=0 if positive is None else int(is_positive.sum()),
        unseen_rows=unseen_rows,
        expected=expected,
        otherwise=otherwise,
    )


def _judged(is_positive: BoolArray, costs: FloatArray | None, alarmed: Any, at: Any) -> dict[str, float]:
    """Counts per 1,000 rows, shares, and with costs the mean cost, of the rows at these places."""
    true, alarm = is_positive[at], alarmed[at]
    caught, alarms, positives = float((true & alarm).sum()), float(alarm.sum()), float(true.sum())
    counts = {"caught": caught, "missed": positives - caught, "false alarms": alarms - caught, "alarms": alarms}
    found = {name: 1000 * n / len(at) for name, n in counts.items()}
    found |= {"precision": caught / alarms if alarms else math.nan, "recall": caught / positives}
    return found if costs is None else {**found, "cost": float(costs[true.astype(int), alarm.astype(int)].mean())}


def _answering(predictor: TabularPredictor, model: str) -> str:
    """The model that a decision is about, or its refitted copy where that is in use or alone is left."""
    refitted = predictor.model_refit_map().get(model)
    left = [name for name in (model, refitted) if name in predictor.model_names(can_infer=True)]
    if not left:
        raise StoredStateError(f"the decision is about {model}, which the predictor no longer has: decide again.")
    return str(refitted if predictor.model_best == refitted else left[0])


def _folder(predictor: TabularPredictor) -> Path:
    return cache_of(Path(predictor.path)) / _KIND
