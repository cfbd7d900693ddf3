"""A language model that is asked for the label: learned with the chosen counter-measures, queried, corrected.

The query is Pred-LLM's (arXiv 2410.21717, section 3.3) with probabilities instead of free generation: the prompt is the
row's clauses followed by ``Y is``; the tokens of each class are scored behind it, in batches. Rarer classes may weigh
more in the loss, or have their rows repeated up to a cap.
"""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from imbllm_autogluon.classification.calibration import (
    LabelCalibration,
    fitted_scaling,
    matching_biases,
    prior_biases,
    wanted_shares,
)
from imbllm_autogluon.classification.held_out import held_out_rows
from imbllm_autogluon.classification.row_reader import RowReader
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.batches import Prompts
from imbllm_autogluon.language.losses import LabelObjective
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.sentences import Clauses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pandas as pd

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.classification.config import ClassifierConfig
    from imbllm_autogluon.tables import ColumnName, Kind, TableSchema


ASKED_FOR_OWN_SHARES = 2000
"""Rows, at most, that tell which class shares a model answers with, where none are held out."""

ROWS_ON_CPU = 128
"""Rows asked about at once without an accelerator: with 1,024 the compact model's activations leave the caches, and it
takes 1.7 times as long."""


class LabelModel:
    """Learns the rows of a table and tells their classes.

    Parameters
    ----------
    config
        Counter-measures, language model and training.
    seed
        Seed of everything drawn.
    threads
        torch threads; None leaves the process's count alone.
    first_stage
        A classifier in place of the built-in first stages of the configuration.

    Attributes
    ----------
    reader : RowReader
        How rows become clauses.
    language_model : TableLanguageModel
        The trained model.
    calibration : LabelCalibration
        What corrects its answers.
    counts : ndarray of shape (k,), int64
        Rows of each class.
    held_out : int
        Rows kept from training for the calibration.
    seconds : float
        Wall-clock time of the fit.
    """

    language_model: TableLanguageModel
    calibration: LabelCalibration
    counts: IntArray
    held_out: int
    seconds: float

    def __init__(
        self, config: ClassifierConfig, *, seed: int, threads: int | None = None, first_stage: Any = None
    ) -> None:
        self.config = config
        self.seed = seed
        self.threads = threads
        self.reader = RowReader(config, first_stage, seed)

    def fit(
        self,
        X: pd.DataFrame,
        y: pd.Series,
        *,
        weights: FloatArray | None = None,
        kinds: Mapping[ColumnName, Kind] | None = None,
        time_limit: float | None = None,
        checkpoint: Path | None = None,
        stage: str = "label",
        progress: Callable[[int], None] = lambda _: None,
    ) -> LabelModel:
        """Learn the rows.

        Parameters
        ----------
        X, y
            Features, shape (n, m), and labels, shape (n,), none missing.
        weights
            Weight of each row, shape (n,), beside the weights of classes.
        kinds
            Column kinds that override the ones guessed from dtypes.
        time_limit
            Seconds that training may take.
        checkpoint
            Folder for the progress of training; the same fit goes on from there after an interruption.
        stage
            Name of the stage after the warm-up.
        progress
            Called with the number of steps done.

        Raises
        ------
        TableError
            The table cannot be used; the message names the column.
        InvalidInputError
            The target prior names a class that is not there, or lacks one.
        """
        started = time.perf_counter()
        codes = self.reader.read_columns(X, y, kinds)
        self.counts = np.bincount(codes)
        self._wanted_shares()
        kept = self._kept(codes)
        hints = self.reader.fit_hints(X, codes, kept)
        language = self.config.resolved_language()
        vocabulary = self.reader.vocabulary(X[~kept], hints[~kept], codes[~kept], language)
        self.language_model = model = TableLanguageModel(vocabulary, language, self.seed)
        learned, judging = self._learned(X, hints, codes, kept, weights)
        model.train(
            learned,
            warmup=learned if model.config.warmup == "fold" else None,
            held_out=judging,
            threads=self.threads,
            time_limit=time_limit,
            checkpoint=checkpoint,
            objective=LabelObjective(self.config.feature_weight, self.config.measures.focal_gamma),
            stage=stage,
            progress=progress,
        )
        self.held_out = int(kept.sum())
        self.calibration = self._calibrated(X, hints, codes, kept)
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
            "reader": self.reader.save(folder),
            "counts": self.counts.tolist(),
            "held_out": self.held_out,
            "seconds": self.seconds,
            "calibration": self.calibration.to_dict(),
        }

    @classmethod
    def load_beside(
        cls, folder: Path, state: Mapping[str, Any], model: TableLanguageModel, *, threads: int | None
    ) -> LabelModel:
        """Rebuild a label model around its language model from :meth:`save_beside`."""
        from imbllm_autogluon.classification.config import ClassifierConfig

        found = cls(ClassifierConfig.from_flat(state["config"]), seed=int(state["seed"]), threads=threads)
        found.language_model = model
        found.reader.load(folder, state["reader"])
        found.counts = np.array(state["counts"], dtype=np.int64)
        found.held_out, found.seconds = int(state["held_out"]), float(state["seconds"])
        found.calibration = LabelCalibration.from_dict(state["calibration"])
        return found

    @property
    def schema(self) -> TableSchema:
        """Columns of the fitted table, hints included."""
        return self.reader.schema

    def log_probabilities(self, X: pd.DataFrame) -> FloatArray:
        """The language model's own answers, shape (n, k), before any correction; unknown categories are not written."""
        return self._asked(X, self.reader.hints_of(X))

    def probabilities(self, X: pd.DataFrame) -> FloatArray:
        """Corrected class probabilities, shape (n, k), in the order of the schema's label categories."""
        return self.calibration.probabilities(self.log_probabilities(X))

    def decide(self, probabilities: FloatArray) -> IntArray:
        """Codes of the answered classes, shape (n,), from :meth:`probabilities`."""
        return self.calibration.decide(probabilities)

    def _kept(self, codes: IntArray) -> BoolArray:
        """Rows that are not learned, shape (n,)."""
        measures, language = self.config.measures, self.config.resolved_language()
        share = max(measures.calibration_share if measures.holds_out else 0.0, language.held_out or 0.0)
        return held_out_rows(codes, range(len(self.counts)), share, self.seed)

    def _learned(
        self, X: pd.DataFrame, hints: pd.DataFrame, codes: IntArray, kept: BoolArray, weights: FloatArray | None
    ) -> tuple[Clauses, Clauses | None]:
        """Clauses to learn, rows of rarer classes repeated and all weighed, and those that judge, if any can."""
        measures = self.config.measures
        rows = np.flatnonzero(~kept)
        if measures.oversampling_cap is not None:
            rng = child_rng(self.seed, "training", "repeated rows")
            rows = np.concatenate([rows, rows[repeated_rows(codes[rows], measures.oversampling_cap, rng)]])
        counts = np.bincount(codes[rows], minlength=len(self.counts))
        each = class_weights(counts, measures.weighting, measures.beta)[codes]
        each = each if weights is None else each * weights
        if not each[rows].any():
            raise InvalidInputError(
                "every row of a positive sample_weight is held out; weigh more rows, or set calibration='none'."
            )
        encoding = self.language_model.encoding
        clauses = self.reader.clauses(encoding, X, hints, codes).with_weights(each / each[rows].mean())
        learned = clauses.take(rows)
        if measures.suppression:
            learned = Clauses.concat([learned, self._with_equal_shares(X, hints, codes, rows, weights)])
        return learned, self._judging(clauses, codes, rows, kept)

    def _judging(self, clauses: Clauses, codes: IntArray, rows: IntArray, kept: BoolArray) -> Clauses | None:
        """Held-out rows that end training early, each class weighing as much as it does among the learned rows.

        None where a learned class has no row among them: what is best for the others alone would unlearn it.
        """
        assert clauses.weights is not None
        k, weights = len(self.counts), clauses.weights
        learned = np.bincount(codes[rows], weights=weights[rows], minlength=k)
        judged = np.bincount(codes[kept], weights=weights[kept], minlength=k)
        if ((learned > 0) & (judged == 0)).any():
            return None
        share = np.divide(learned, judged, out=np.zeros(k), where=judged > 0)
        each = weights[kept] * share[codes[kept]]
        return clauses.take(np.flatnonzero(kept)).with_weights(each / each.mean())

    def _with_equal_shares(
        self, X: pd.DataFrame, hints: pd.DataFrame, codes: IntArray, rows: IntArray, weights: FloatArray | None
    ) -> Clauses:
        """About as many rows as are learned anyway, equally many of each class, under the other control clause."""
        rng = child_rng(self.seed, "training", "equal shares")
        of_class = [rows[codes[rows] == code] for code in range(len(self.counts))]
        size = -(-len(rows) // len(of_class))
        drawn = np.concatenate([rng.permutation(np.resize(members, size)) for members in of_class if len(members)])
        encoding = self.language_model.encoding
        clauses = self.reader.clauses(encoding, X, self.reader.balanced(hints), codes)
        return (clauses if weights is None else clauses.with_weights(weights / weights[rows].mean())).take(drawn)

    def _calibrated(self, X: pd.DataFrame, hints: pd.DataFrame, codes: IntArray, kept: BoolArray) -> LabelCalibration:
        """Corrections that the measures ask for, from the model's answers to rows whose class is known."""
        measures, k = self.config.measures, len(self.counts)
        if not measures.asks_known_rows:
            return LabelCalibration.none(k)
        asked = self._asked_rows(codes, kept)
        logs = self._asked(X.iloc[asked], self.reader.balanced(hints.iloc[asked]))
        training, wanted = self.counts / self.counts.sum(), self._wanted_shares()
        natural = (training / (np.bincount(codes[asked], minlength=k) / len(asked)).clip(min=1e-12))[codes[asked]]
        weights = natural if wanted is None else natural * (wanted / training)[codes[asked]]
        slopes, biases = np.ones(k), np.zeros(k)
        if wanted is not None:
            biases = prior_biases(wanted, np.average(np.exp(logs), axis=0, weights=natural))
        if measures.calibration != "none" and kept.any():
            slopes, biases = fitted_scaling(logs, codes[asked], weights, biases, measures.calibration)
        found = LabelCalibration(slopes, biases, np.zeros(k))
        if measures.decisions == "argmax":
            return found
        matched = matching_biases(found.probabilities(logs), weights, training if wanted is None else wanted)
        return LabelCalibration(slopes, biases, matched)

    def _asked_rows(self, codes: IntArray, kept: BoolArray) -> IntArray:
        """Rows whose answers are looked at: held-out ones to calibrate, else a sample of all."""
        if self.config.measures.calibration != "none" and kept.any():
            # A class too small to hold rows out is asked about learned ones: without any it would never be right.
            return np.flatnonzero(kept | ~np.isin(codes, codes[kept]))
        rng = child_rng(self.seed, "training", "own shares")
        return np.sort(rng.permutation(len(codes))[:ASKED_FOR_OWN_SHARES])

    def _wanted_shares(self) -> FloatArray | None:
        """Class shares of the target prior, shape (k,); None without one."""
        label = self.reader.plain.label
        assert label is not None
        return wanted_shares(self.config.measures.target_prior, label.categories, self.counts)

    def _asked(self, X: pd.DataFrame, hints: pd.DataFrame) -> FloatArray:
        query = LabelQuery(self.language_model, len(self.counts), orders=self.config.query_orders, threads=self.threads)
        codes = np.zeros(len(X), dtype=np.int64)
        return query.log_probabilities(self.reader.clauses(self.language_model.encoding, X, hints, codes))


class LabelQuery:
    """Asks a trained language model for the class of rows.

    Parameters
    ----------
    model
        A causal language model of a table.
    n_classes
        Classes of the label.
    orders
        Orders of the clauses in which each row is asked about: that of the columns, then drawn ones.
    threads
        torch threads.
    """

    def __init__(
        self, model: TableLanguageModel, n_classes: int, *, orders: int = 1, threads: int | None = None
    ) -> None:
        self._model = model
        self._n_features = model.encoding.n_clauses - 1
        codes = np.arange(n_classes)
        self._values = model.encoding.codings[-1].encode(codes, np.zeros(n_classes, dtype=bool))
        rng = child_rng(model.seed, "order", "query")
        drawn = [rng.permutation(self._n_features) for _ in range(orders - 1)]
        self._orders = [np.arange(self._n_features), *drawn]
        self._threads = threads

    def log_probabilities(self, clauses: Clauses) -> FloatArray:
        """Log-probability of every class, shape (n, k), float64; absent clauses are not written.

        Raises
        ------
        InvalidInputError
            The backbone is a masked language model.
        """
        # Where no clause is known every class is as likely as any other.
        logs = np.full((len(self._orders), len(clauses.tokens), len(self._values)), -np.log(len(self._values)))
        batches = list(self._batches(clauses))
        prompts = (Prompts(order, len(order) - 1, clauses.tokens[rows]) for _, rows, order in batches)
        scores = self._model.score_all(prompts, self._n_features, self._values, as_written=True, threads=self._threads)
        for (place, rows, _), score in zip(batches, scores, strict=True):
            logs[place, rows] = score
        mean: FloatArray = np.logaddexp.reduce(logs, axis=0) - np.log(len(self._orders))
        return mean

    def _batches(self, clauses: Clauses) -> Iterator[tuple[int, IntArray, IntArray]]:
        """Of each batch the number of its order, its rows, and the clauses that they all have, the label last."""
        present = clauses.present[:, : self._n_features]
        most = self._model.config.generation_batch or len(present)
        most = min(most, ROWS_ON_CPU) if self._model.on_cpu else most
        patterns, groups = np.unique(present, axis=0, return_inverse=True)
        for pattern, holds in enumerate(patterns):
            rows = np.flatnonzero(groups.reshape(-1) == pattern)
            for place, order in enumerate(self._orders if holds.any() else ()):
                written = np.append(order[holds[order]], self._n_features)
                for start in range(0, len(rows), most):
                    yield place, rows[start : start + most], written


def class_weights(counts: IntArray, weighting: Literal["none", "effective", "inverse"], beta: float) -> FloatArray:
    """Weight of each class, so that the mean weight of all rows is 1.

    Parameters
    ----------
    counts
        Rows of each class, shape (k,); a class without rows gets the weight 0.
    weighting
        ``"effective"``: ``(1 - beta) / (1 - beta ** n)``, the inverse of the effective number of rows (Cui et al. 2019,
        equation 2); ``"inverse"``: ``1 / n``; ``"none"``: 1.
    beta
        0 up to but not 1; only ``"effective"`` reads it.

    Returns
    -------
    numpy.ndarray of shape (k,), float64

    Examples
    --------
    >>> class_weights(np.array([90, 10]), "inverse", 0.0).round(3).tolist()
    [0.556, 5.0]
    """
    rows = counts.astype(np.float64)
    weights = np.ones(len(rows))
    if weighting == "effective":
        # -expm1(n log beta) keeps the digits of 1 - beta ** n where beta is near 1.
        effective = -np.expm1(rows * np.log(beta)) if beta > 0 else np.ones(len(rows))
        weights = np.divide(1.0 - beta, effective, out=np.zeros(len(rows)), where=rows > 0)
    elif weighting == "inverse":
        weights = np.divide(1.0, rows, out=np.zeros(len(rows)), where=rows > 0)
    weights = np.where(rows > 0, weights, 0.0)
    scaled: FloatArray = weights * rows.sum() / (weights * rows).sum()
    return scaled


def repeated_rows(codes: IntArray, cap: float, rng: np.random.Generator) -> IntArray:
    """Positions of rows to learn in addition, so that the largest class has at most `cap` times any other's rows.

    Parameters
    ----------
    codes
        Class of each row, shape (n,).
    cap
        Largest class over any other afterwards, 1 or more.
    rng
        Source of the choice: every row of a class is repeated as often as any other, give or take one.
    """
    counts = np.bincount(codes)
    wanted = np.ceil(counts.max() / cap).astype(np.int64)
    added = [_drawn(np.flatnonzero(codes == code), wanted - n, rng) for code, n in enumerate(counts) if 0 < n < wanted]
    return np.concatenate([np.empty(0, dtype=np.int64), *added])


def _drawn(rows: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    """Draw `n` of the rows, all of them before any again."""
    rounds = -(-n // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(rounds)])[:n]
