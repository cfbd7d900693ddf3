"""A language model that is asked for the label: learned with the chosen counter-measures, queried, corrected.

The prompt is the row's clauses followed by ``Y is``; the tokens of each class are scored behind it (after Pred-LLM,
arXiv 2410.21717, section 3.3).
"""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, f1_score

from imbllm_autogluon._config import progress_bar
from imbllm_autogluon._random import child_rng
from imbllm_autogluon.classification.calibration import LabelCalibration, held_out_rows
from imbllm_autogluon.classification.config import ClassifierConfig
from imbllm_autogluon.classification.features import RowEncoder
from imbllm_autogluon.encoding import Clauses
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.batches import Prompts
from imbllm_autogluon.language.losses import LabelObjective
from imbllm_autogluon.language.model import TableLanguageModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.classification.probe import LinearProbe
    from imbllm_autogluon.tables import ColumnName, EncodedTable, Kind, TableSchema

_MOST_TO_CORRECT = 2000  # rows, at most, whose predictions show the model's own class shares if none are held out
_ROWS_ON_CPU = 128  # predicted at once: with 1,024 activations leave the caches, and it takes 1.7 times as long
_LEAST_JUDGED = 0.1  # share of each class whose answers a stopping metric judges, at least
_METRICS = {"balanced_accuracy": balanced_accuracy_score, "f1_macro": partial(f1_score, average="macro")}
_TIE = 0.01  # of the loss in what is judged: few rows give few values of a metric


class _Rows(NamedTuple):
    """Features of rows, their auxiliary features, and label codes, shape (n,)."""

    X: pd.DataFrame
    auxiliary: pd.DataFrame
    codes: IntArray

    def take(self, rows: Any) -> _Rows:
        """The rows of a mask, or of places."""
        places = np.arange(len(self.codes))[np.asarray(rows, dtype=None if len(rows) else np.int64)]
        return _Rows(self.X.iloc[places], self.auxiliary.iloc[places], self.codes[places])

    def followed_by(self, others: _Rows) -> _Rows:
        """These rows and others behind them; without others as they are."""
        codes = np.append(self.codes, others.codes)
        return _Rows(_stacked(self.X, others.X), _stacked(self.auxiliary, others.auxiliary), codes)


class LabelModel:
    """Learns the rows of a table and predicts their classes.

    `threads` are those of torch; None leaves the process's count alone. A `first_stage` takes the place of the
    configuration's built-in ones.
    """

    language_model: TableLanguageModel
    calibration: LabelCalibration
    counts: IntArray  # rows of each class, shape (k,), int64
    held_out: int  # rows kept from training to evaluate or calibrate it
    written: dict[str, dict[str, int]]  # of each class the texts that were asked for, kept, and refused why
    seconds: float

    def __init__(
        self, config: ClassifierConfig, *, seed: int, threads: int | None = None, first_stage: Any = None
    ) -> None:
        self.config = config
        self.seed = seed
        self.threads = threads
        self.encoder = RowEncoder(config, first_stage, seed)
        self.probe: LinearProbe | None = None  # of tuning="probe", answers in the place of the class's tokens

    def fit(
        self,
        X: pd.DataFrame,
        y: pd.Series,
        *,
        weights: FloatArray | None = None,
        noisy: tuple[pd.DataFrame, pd.Series] | None = None,
        kinds: Mapping[ColumnName, Kind] | None = None,
        time_limit: float | None = None,
        checkpoint: Path | None = None,
        stage: str = "label",
    ) -> LabelModel:
        """Learn features, shape (n, m), and labels, shape (n,), none missing.

        `weights` of the rows, shape (n,), stand next to those of classes; `noisy` are further rows of the same columns
        and classes whose labels may be wrong: they are learned first and judge and calibrate nothing; `kinds` override
        the ones guessed from dtypes; `stage` names the stage on the label; the other parameters are those of
        :meth:`~imbllm_autogluon.language.model.TableLanguageModel.train`. `TableError` names a column that cannot be
        used, `InvalidInputError` a target prior of other classes.
        """
        started = time.perf_counter()
        doubtful = X.iloc[:0] if noisy is None else noisy[0]
        labels = y if noisy is None else pd.concat([y, noisy[1]], ignore_index=True)
        codes, doubted = np.split(self.encoder.fit(_stacked(X, doubtful), labels, kinds), [len(X)])
        self.counts = np.bincount(codes)
        self._wanted_shares()  # refuses a prior of other classes before anything is learned
        kept = self._kept(codes)
        rows = _Rows(X, self.encoder.fit_auxiliary(X, codes, kept), codes)
        first = rows.take([]) if noisy is None else _Rows(doubtful, self.encoder.natural(doubtful), doubted)
        language = self.config.resolved_language()
        written = self._written(rows.take(~kept), time_limit)
        every, unused = rows.followed_by(written), np.append(kept, np.zeros(len(written.codes), dtype=bool))
        vocabulary = self.encoder.vocabulary(*every.take(~unused).followed_by(first), language)
        self.language_model = model = TableLanguageModel(vocabulary, language, self.seed)

        def left() -> float | None:
            return None if time_limit is None else max(0.0, time_limit - (time.perf_counter() - started))

        if language.tuning == "probe":
            self.calibration = self._probed(every, first, len(rows.codes), weights, left())
        else:
            learned, evaluation = self._training_data(every, unused, weights)
            objective = LabelObjective(self.config.feature_weight, self.config.measures.focal_gamma)
            chosen = self._choice(np.arange(len(doubted)), "noisy")
            doubting = replace(objective, focal_gamma=0.0, robust_q=self.config.noisy_q)
            model.train(
                learned,
                pretrain=learned if model.config.pretrain == "fold" else None,
                held_out=evaluation,
                threads=self.threads,
                time_limit=left(),
                checkpoint=checkpoint,
                objective=objective,
                noisy=None if noisy is None else (self._clauses(first.take(chosen)), doubting),
                judge=None if self.config.stopping_metric == "loss" else self._judge(rows.take(kept)),
                stage=stage,
            )
            self.calibration = self._calibrated(rows, kept)
        self.held_out = int(kept.sum())
        self.seconds = time.perf_counter() - started
        return self

    def with_language_model(self, model: TableLanguageModel, *, threads: int | None) -> LabelModel:
        """The same label model around the same weights under other settings of decoding."""
        other = copy.copy(self)
        other.language_model, other.threads = model, threads
        return other

    def save_beside(self, folder: Path) -> dict[str, Any]:
        """Store what is not the language model's; returns the JSON-able part of it."""
        return {
            "config": self.config.flat(),
            "seed": self.seed,
            "encoder": self.encoder.save(folder),
            "counts": self.counts.tolist(),
            "held_out": self.held_out,
            "written": self.written,
            "seconds": self.seconds,
            "calibration": self.calibration.to_dict(),
        }

    @classmethod
    def load_beside(
        cls, folder: Path, state: Mapping[str, Any], model: TableLanguageModel, *, threads: int | None
    ) -> LabelModel:
        """The label model of :meth:`save_beside` around its language model."""
        found = cls(ClassifierConfig.from_flat(state["config"]), seed=int(state["seed"]), threads=threads)
        found.language_model = model
        found.encoder.load(folder, state["encoder"])
        found.counts = np.array(state["counts"], dtype=np.int64)
        found.held_out, found.seconds = int(state["held_out"]), float(state["seconds"])
        found.written = state["written"]
        found.calibration = LabelCalibration.from_dict(state["calibration"])
        return found

    @property
    def schema(self) -> TableSchema:
        """Columns of the fitted table, auxiliary features included."""
        return self.encoder.schema

    @property
    def repeats(self) -> FloatArray:
        """How often a row of each class was learned for once in the table, shape (k,).

        All 1 under measures that hide how frequent classes are: answers then do not follow the learned shares.
        """
        measures = self.config.measures
        if measures.oversampling_cap is None or measures.suppression or measures.weighting != "none":
            return np.ones(len(self.counts))
        least = np.ceil(self.counts.max() / measures.oversampling_cap)
        return np.where(self.counts > 0, np.maximum(1.0, least / self.counts.clip(min=1)), 1.0)

    def log_probabilities(self, X: pd.DataFrame) -> FloatArray:
        """The language model's own predictions, shape (n, k), uncorrected; unknown categories are not written."""
        cells = self.encoder.plain.encode_unseen(X)
        return self._query(self.encoder.cell_clauses(self.language_model.encoding, cells, X))

    def probabilities(self, X: pd.DataFrame) -> FloatArray:
        """Corrected class probabilities, shape (n, k), in the order of the schema's label categories."""
        return self.calibration.probabilities(self.log_probabilities(X))

    def log_probabilities_of_cells(self, cells: EncodedTable) -> FloatArray:
        """:meth:`log_probabilities` of rows without free texts, as cells of the table's own columns."""
        return self._query(self.encoder.cell_clauses(self.language_model.encoding, cells))

    def decide(self, probabilities: FloatArray) -> IntArray:
        """Codes of the decided classes, shape (n,), from :meth:`probabilities`."""
        return self.calibration.decide(probabilities)

    def _kept(self, codes: IntArray) -> BoolArray:
        measures, language = self.config.measures, self.config.resolved_language()
        least = 0.0 if self.config.stopping_metric == "loss" else _LEAST_JUDGED
        if language.tuning == "probe":  # predicts every row out of fold
            return np.zeros(len(codes), dtype=bool)
        share = max(measures.calibration_fraction if measures.holds_out else 0.0, language.validation_fraction or least)
        return held_out_rows(codes, range(len(self.counts)), share, self.seed)

    def _training_data(
        self, every: _Rows, kept: BoolArray, weights: FloatArray | None
    ) -> tuple[Clauses, Clauses | None]:
        """Clauses to learn, rows of rarer classes repeated and all weighted, and those that evaluate, if any can."""
        measures, codes = self.config.measures, every.codes
        rows, each = self._learned_rows(codes, kept, weights)
        if not each[rows].any():
            raise InvalidInputError(
                "every row of a positive sample_weight is held out; weigh more rows, or set calibration='none'."
            )

        def clauses(rows: IntArray, features: pd.DataFrame, weights: FloatArray | None) -> Clauses:
            own = self._clauses(every._replace(auxiliary=features).take(rows))
            return own if weights is None else own.with_weights(weights[rows])

        each = each / each[rows].mean()
        learned = clauses(self._choice(rows, "learned"), every.auxiliary, each)
        if measures.suppression:
            equal = self._choice(self._equal_shares(codes, rows), "equal shares")
            own = None if weights is None else weights / weights[rows].mean()
            learned = Clauses.concat([learned, clauses(equal, self.encoder.balanced(every.auxiliary), own)])
        evaluated = self._evaluation_weights(each, codes, rows, kept)
        return learned, None if evaluated is None else clauses(np.flatnonzero(kept), every.auxiliary, evaluated)

    def _learned_rows(
        self, codes: IntArray, kept: BoolArray, weights: FloatArray | None
    ) -> tuple[IntArray, FloatArray]:
        """Places of the rows to learn, those of rarer classes repeated, and the weight of each row of all."""
        measures, rows = self.config.measures, np.flatnonzero(~kept)
        if measures.oversampling_cap is not None:
            rng = child_rng(self.seed, "training", "repeated rows")
            rows = np.concatenate([rows, rows[_repeated_rows(codes[rows], measures.oversampling_cap, rng)]])
        counts = np.bincount(codes[rows], minlength=len(self.counts))
        each = _class_weights(counts, measures.weighting, measures.beta)[codes]
        if weights is not None:
            weights = np.append(weights, np.full(len(codes) - len(weights), weights.mean()))
            each = each * weights
        return rows, each

    def _probed(
        self, every: _Rows, doubtful: _Rows, n_real: int, weights: FloatArray | None, time_limit: float | None
    ) -> LabelCalibration:
        """Learn a probe of all rows, the first of which are the table's own, and correct it by out-of-fold answers."""
        from imbllm_autogluon.classification.probe import LinearProbe, ProbeRows

        rows, each = self._learned_rows(every.codes, np.zeros(len(every.codes), dtype=bool), weights)
        each = each * np.bincount(rows, minlength=len(each))
        clauses = self._clauses(every.followed_by(doubtful))
        features = self.language_model.states(clauses, threads=self.threads, time_limit=time_limit)
        codes, n = np.append(every.codes, doubtful.codes), len(doubtful.codes)
        own = np.append(each / each.mean(), np.ones(n))
        learned = ProbeRows(features, codes, own, np.arange(len(codes)) >= len(each))
        self.probe, logs = LinearProbe.fit(learned, len(self.counts), robust_q=self.config.noisy_q, seed=self.seed)
        measures = self.config.measures
        if not measures.asks_known_rows:
            return LabelCalibration.none(len(self.counts))
        others = logs[len(each) :] if n else None
        return self._calibration(logs[:n_real], codes[:n_real], measures.calibration, others)

    def _clauses(self, rows: _Rows) -> Clauses:
        return self.encoder.clauses(self.language_model.encoding, *rows)

    def _written(self, rows: _Rows, time_limit: float | None) -> _Rows:
        """Rows of rarer classes with new texts, if they are asked for."""
        cap, self.written = self.config.measures.synthetic_cap, {}
        rng = child_rng(self.seed, "training", "written rows")
        sources = rows.codes[:0] if cap is None else _repeated_rows(rows.codes, cap, rng)
        if not len(sources):
            return rows.take([])
        from imbllm_autogluon.classification.balancing import write_rows

        more: dict[str, Any] = {"seed": self.seed, "threads": self.threads, "time_limit": time_limit}
        X, codes, self.written = write_rows(rows.X, rows.codes, sources, self.encoder, self.config, **more)
        return _Rows(X, self.encoder.natural(X), codes)

    def _judge(self, rows: _Rows) -> Callable[[], float]:
        """Gives one minus the metric of answers to rows that were held out; of equal ones the lower loss is lower."""
        codes, clauses = rows.codes, self._clauses(rows._replace(auxiliary=self.encoder.balanced(rows.auxiliary)))
        even = (1 / np.bincount(codes).clip(min=1))[codes]

        def judge() -> float:
            logs = self._query(clauses)
            calibration = self._calibration(logs, codes, "none")
            probabilities = calibration.probabilities(logs)
            loss = -np.log(probabilities[np.arange(len(codes)), codes].clip(min=1e-12))
            score = _METRICS[self.config.stopping_metric](codes, calibration.decide(probabilities))
            return float(1 - score + _TIE * np.average(loss, weights=even))

        return judge

    def _choice(self, rows: IntArray, purpose: str) -> IntArray:
        """The places, or of very many a draw, ascending, unless passes over all rows are asked for."""
        most = self.config.language.rows_learned(len(rows))
        if most == len(rows):
            return rows
        return np.sort(child_rng(self.seed, "training", purpose).permutation(rows)[:most])

    def _equal_shares(self, codes: IntArray, rows: IntArray) -> IntArray:
        """About as many rows as are learned anyway, equally many of each class."""
        rng = child_rng(self.seed, "training", "equal shares")
        of_class = [rows[codes[rows] == code] for code in range(len(self.counts))]
        size = -(-len(rows) // len(of_class))
        return np.concatenate([rng.permutation(np.resize(members, size)) for members in of_class if len(members)])

    def _evaluation_weights(
        self, weights: FloatArray, codes: IntArray, rows: IntArray, kept: BoolArray
    ) -> FloatArray | None:
        """Weights of all rows under which each class weighs as much among those held out as among the learned ones.

        None where a learned class has no row among them: what is best for the others alone would unlearn it.
        """
        k = len(self.counts)
        learned = np.bincount(codes[rows], weights=weights[rows], minlength=k)
        evaluated = np.bincount(codes[kept], weights=weights[kept], minlength=k)
        if ((learned > 0) & (evaluated == 0)).any():
            return None
        each = weights * np.divide(learned, evaluated, out=np.zeros(k), where=evaluated > 0)[codes]
        return np.asarray(each / each[kept].mean())

    def _calibrated(self, known: _Rows, kept: BoolArray) -> LabelCalibration:
        """Corrections that the measures ask for, from the model's predictions for rows whose class is known."""
        measures, codes = self.config.measures, known.codes
        if not measures.asks_known_rows:
            return LabelCalibration.none(len(self.counts))
        calibration = measures.calibration if kept.any() else "none"
        if calibration != "none":
            # A class too small to hold rows out is predicted on learned ones: without any it would never be right.
            rows = np.flatnonzero(kept | ~np.isin(codes, codes[kept]))
        else:
            rng = child_rng(self.seed, "training", "own shares")
            rows = np.sort(rng.permutation(len(codes))[:_MOST_TO_CORRECT])
        asked = known.take(rows)
        logs = self._query(self._clauses(asked._replace(auxiliary=self.encoder.balanced(asked.auxiliary))))
        return self._calibration(logs, codes[rows], calibration)

    def _calibration(
        self,
        logs: FloatArray,
        codes: IntArray,
        kind: Literal["none", "bias", "temperature"],
        others: FloatArray | None = None,
    ) -> LabelCalibration:
        """What log-probabilities of rows of known classes, and for decisions those of `others`, say."""
        shares, matched = self.counts / self.counts.sum(), self.config.measures.decisions == "matched"
        wanted = self._wanted_shares()
        return LabelCalibration.from_predictions(logs, codes, shares, wanted, kind, matched=matched, others=others)

    def _wanted_shares(self) -> FloatArray | None:
        label = self.encoder.plain.label
        assert label is not None
        return self.config.measures.wanted_shares(label.categories, self.counts)

    def _query(self, clauses: Clauses) -> FloatArray:
        model, orders = self.language_model, self.config.query_orders
        if self.probe is not None:
            return self.probe.log_probabilities(model.states(clauses, threads=self.threads))
        return _query_label(model, clauses, len(self.counts), orders=orders, threads=self.threads)


def _stacked(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Rows one behind the other; none are added as they are, so that no dtype changes."""
    return pd.concat([first, second[first.columns]], ignore_index=True) if len(second) else first


def _query_label(
    model: TableLanguageModel, clauses: Clauses, n_classes: int, *, orders: int = 1, threads: int | None = None
) -> FloatArray:
    """Log-probabilities of the classes of rows, shape (n, n_classes), float64, by a trained causal language model.

    Absent clauses are not written, and labels are not read. With several `orders` each row is predicted in that of the
    columns and in drawn ones, and the probabilities are averaged. Masked models are refused by `InvalidInputError`.
    """
    label = model.encoding.n_clauses - 1
    values = model.encoding.codings[-1].encode(np.arange(n_classes), np.zeros(n_classes, dtype=bool))
    # Where no clause is known every class is as likely as any other.
    logs = np.full((orders, len(clauses.tokens), n_classes), -np.log(n_classes))
    batches = list(_batches(model, clauses.present[:, :label], _query_orders(model, orders)))
    told = progress_bar(len(batches), "answering", batches)
    prompts = (Prompts(order, len(order) - 1, clauses.tokens[rows]) for _, rows, order in told)
    scores = model.score_all(prompts, label, values, as_written=True, threads=threads)
    for (place, rows, _), score in zip(batches, scores, strict=True):
        logs[place, rows] = score
    return np.asarray(np.logaddexp.reduce(logs, axis=0) - np.log(orders))


def _query_orders(model: TableLanguageModel, n: int) -> list[IntArray]:
    n_features, rng = model.encoding.n_clauses - 1, child_rng(model.seed, "order", "query")
    return [np.arange(n_features), *(rng.permutation(n_features) for _ in range(n - 1))]


def _batches(
    model: TableLanguageModel, present: BoolArray, orders: list[IntArray]
) -> Iterator[tuple[int, IntArray, IntArray]]:
    """Of each batch the number of its order, its rows, and the clauses that they all have, the label last."""
    most = model.config.generation_batch or len(present)
    most = min(most, _ROWS_ON_CPU) if model.on_cpu else most
    patterns, groups = np.unique(present, axis=0, return_inverse=True)
    for pattern, holds in enumerate(patterns):
        rows = np.flatnonzero(groups.reshape(-1) == pattern)
        for place, order in enumerate(orders if holds.any() else ()):
            written = np.append(order[holds[order]], present.shape[1])
            for start in range(0, len(rows), most):
                yield place, rows[start : start + most], written


def _class_weights(counts: IntArray, weighting: Literal["none", "effective", "inverse"], beta: float) -> FloatArray:
    """Weight of each class, shape (k,), so that the mean weight of all rows is 1; 0 for a class without rows.

    The inverse of its rows, or of their effective number ``(1 - beta ** n) / (1 - beta)`` (Cui et al. 2019, eq. 2).
    """
    rows = counts.astype(np.float64)
    divisor = rows if weighting == "inverse" else np.ones(len(rows))
    if weighting == "effective" and beta > 0:
        divisor = -np.expm1(rows * np.log(beta))  # keeps the digits of 1 - beta ** n where beta is near 1
    one = 1.0 - beta if weighting == "effective" else 1.0
    weights = np.divide(one, divisor, out=np.zeros(len(rows)), where=rows > 0)
    return np.asarray(weights * rows.sum() / (weights * rows).sum())


def _repeated_rows(codes: IntArray, cap: float, rng: np.random.Generator) -> IntArray:
    """Places of rows to learn once more, so that the largest class has at most `cap` times any other's rows."""
    counts = np.bincount(codes)
    wanted = np.ceil(counts.max() / cap).astype(np.int64)
    added = [_drawn(np.flatnonzero(codes == code), wanted - n, rng) for code, n in enumerate(counts) if 0 < n < wanted]
    return np.concatenate([np.empty(0, dtype=np.int64), *added])


def _drawn(rows: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    """Draw `n` of the rows, all of them before any again."""
    rounds = -(-n // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(rounds)])[:n]
