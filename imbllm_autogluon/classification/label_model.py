"""A language model that is asked for the label: learned with the chosen counter-measures, queried, corrected."""

from __future__ import annotations

import copy
import pickle
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.classification.calibration import (
    LabelCalibration,
    fitted_scaling,
    matching_biases,
    prior_biases,
)
from imbllm_autogluon.classification.class_weights import class_weights, repeated_rows
from imbllm_autogluon.classification.held_out import draw_held_out
from imbllm_autogluon.classification.hints import Hints
from imbllm_autogluon.classification.label_query import LabelQuery
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.label_loss import LabelObjective
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.sentences import Clauses, SchemaVocabulary, TextColumn
from imbllm_autogluon.tables import Cells, TableSchema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from imbllm_autogluon.classification.config import ClassifierConfig
    from imbllm_autogluon.tables import ColumnName, Kind

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]
    BoolArray = npt.NDArray[np.bool_]

INSTRUCTION = "Name the class that fits these values best, regardless of how frequent it is:"
"""In front of every sentence where the instruction is switched on."""

FIRST_STAGE = "first_stage.pkl"
"""File of a fitted classifier of scikit-learn, which has no other form; it holds no weights of a language model."""

ASKED_FOR_OWN_SHARES = 2000
"""Rows, at most, that tell which class shares a model answers with, where none are held out."""


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
    schema : TableSchema
        Columns of the fitted table, hints included.
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

    schema: TableSchema
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
        self._hints = Hints(config.measures, first_stage, seed)
        self._plain: TableSchema
        self._text_names: list[ColumnName] = []

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
        self._plain = TableSchema.of_labelled(X, y, kinds)
        self._text_names = [aside.name for aside in self._plain.set_aside if aside.holds_text]
        codes = self._plain.encode_label(y)
        self.counts = np.bincount(codes)
        self._wanted_shares()
        kept = self._kept(codes)
        hints = self._hints.fit(X, self._plain, codes, kept)
        self.schema = self._with_hints(X, hints)
        self.language_model = model = self._untrained(X, hints, codes, kept)
        learned, judging = self._learned(X, hints, codes, kept, weights)
        model.train(
            learned,
            warmup=learned if model.config.warmup == "fold" else None,
            held_out=judging if kept.any() else None,
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

    def feature_clauses(self, cells: Cells) -> Clauses:
        """Rows of the table's own columns as clauses, everything else of them absent."""
        n_rows, beside = cells.n_rows, len(self.schema.columns) - cells.n_columns
        nothing = np.zeros(n_rows, dtype=np.int64)
        whole = Cells(
            (*cells.values, *[nothing] * beside), np.hstack([cells.missing, np.ones((n_rows, beside), dtype=bool)])
        )
        return self.language_model.encoding.encode(whole, nothing, [[None] * n_rows for _ in self._text_names])

    def with_language_model(self, model: TableLanguageModel, *, threads: int | None) -> LabelModel:
        """The same label model around the same weights under other settings of decoding."""
        other = copy.copy(self)
        other.language_model, other.threads = model, threads
        return other

    def save_beside(self, folder: Path) -> dict[str, Any]:
        """Store what is not the language model's; returns the JSON-able part of it."""
        (folder / FIRST_STAGE).unlink(missing_ok=True)  # of a model that was stored there before
        if self._hints.stage is not None:
            (folder / FIRST_STAGE).write_bytes(pickle.dumps(self._hints.stage))
        return {
            "config": self.config.flat(),
            "seed": self.seed,
            "plain": self._plain.to_dict(),
            "schema": self.schema.to_dict(),
            "texts": self._text_names,
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
        found._plain, found.schema = TableSchema.from_dict(state["plain"]), TableSchema.from_dict(state["schema"])
        found._text_names = list(state["texts"])
        found.counts = np.array(state["counts"], dtype=np.int64)
        found.held_out, found.seconds = int(state["held_out"]), float(state["seconds"])
        found.calibration = LabelCalibration.from_dict(state["calibration"])
        if (folder / FIRST_STAGE).is_file():
            found._hints.stage = pickle.loads((folder / FIRST_STAGE).read_bytes())  # noqa: S301 - the folder of a cache
        return found

    def log_probabilities(self, X: pd.DataFrame) -> FloatArray:
        """The language model's own answers, shape (n, k), before any correction; unknown categories are not written."""
        return self._asked(X, self._hints.of(X, self._plain))

    def probabilities(self, X: pd.DataFrame) -> FloatArray:
        """Corrected class probabilities, shape (n, k), in the order of the schema's label categories."""
        return self.calibration.probabilities(self.log_probabilities(X))

    def decide(self, probabilities: FloatArray) -> IntArray:
        """Codes of the answered classes, shape (n,), from :meth:`probabilities`."""
        return self.calibration.decide(probabilities)

    def _with_hints(self, X: pd.DataFrame, hints: pd.DataFrame) -> TableSchema:
        """Schema of the table and its hints; codes of the table's own cells stay what they are."""
        if not hints.shape[1]:
            return self._plain
        taken = [name for name in hints.columns if name in X.columns]
        if taken:
            raise InvalidInputError(
                f"column {taken[0]!r} has the name of a clause that this classifier adds; rename it, or switch off "
                "first_stage and suppression."
            )
        # One row more, so that the control clause has both of its values.
        frame = pd.concat([hints, self._hints.balanced(hints.iloc[:1])], ignore_index=True)
        hinted, plain = TableSchema.from_frame(frame, kinds=self._hints.kinds_of(hints)), self._plain
        return TableSchema(
            (*plain.names, *hinted.names),
            (*plain.columns, *hinted.columns),
            plain.label,
            (*plain.set_aside, *hinted.set_aside),
        )

    def _kept(self, codes: IntArray) -> BoolArray:
        """Rows that are not learned, shape (n,)."""
        measures, language = self.config.measures, self.config.resolved_language()
        share = max(measures.calibration_share if measures.holds_out else 0.0, language.held_out or 0.0)
        kept = np.zeros(len(codes), dtype=bool)
        for code in range(len(self.counts)):
            kept |= draw_held_out(codes == code, share, child_rng(self.seed, "training", "held out", code))
        return kept

    def _untrained(self, X: pd.DataFrame, hints: pd.DataFrame, codes: IntArray, kept: BoolArray) -> TableLanguageModel:
        language = self.config.resolved_language()
        assert language.numbers is not None
        cells = self.schema.encode(_beside(X, hints)).take(~kept)
        longest = self.config.text_words
        texts = zip(self._text_names, self._texts(X[~kept]), strict=True)
        vocabulary = SchemaVocabulary.fit(
            self.schema,
            cells,
            codes[~kept],
            numbers=language.numbers,
            max_bins=language.max_bins,
            instruction=self._instruction(),
            texts=tuple(TextColumn.fit(str(name), column, longest=longest) for name, column in texts),
        )
        return TableLanguageModel(vocabulary, language, self.seed)

    def _instruction(self) -> str:
        """What stands in front of every sentence; one token for a backbone that knows no words."""
        if not self.config.measures.instruction:
            return ""
        return INSTRUCTION if self.config.language.is_pretrained else "instruction"

    def _learned(
        self, X: pd.DataFrame, hints: pd.DataFrame, codes: IntArray, kept: BoolArray, weights: FloatArray | None
    ) -> tuple[Clauses, Clauses]:
        """Clauses to learn, rows of rarer classes repeated and all weighed, and those that judge."""
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
        clauses = self._clauses(X, hints, codes).with_weights(each / each[rows].mean())
        learned = clauses.take(rows)
        if measures.suppression:
            learned = Clauses.concat([learned, self._with_equal_shares(X, hints, codes, rows, weights)])
        return learned, clauses.take(np.flatnonzero(kept))

    def _with_equal_shares(
        self, X: pd.DataFrame, hints: pd.DataFrame, codes: IntArray, rows: IntArray, weights: FloatArray | None
    ) -> Clauses:
        """About as many rows as are learned anyway, equally many of each class, under the other control clause."""
        rng = child_rng(self.seed, "training", "equal shares")
        of_class = [rows[codes[rows] == code] for code in range(len(self.counts))]
        size = -(-len(rows) // len(of_class))
        drawn = np.concatenate([rng.permutation(np.resize(members, size)) for members in of_class if len(members)])
        clauses = self._clauses(X, self._hints.balanced(hints), codes)
        return (clauses if weights is None else clauses.with_weights(weights / weights[rows].mean())).take(drawn)

    def _calibrated(self, X: pd.DataFrame, hints: pd.DataFrame, codes: IntArray, kept: BoolArray) -> LabelCalibration:
        """Corrections that the measures ask for, from the model's answers to rows whose class is known."""
        measures, k = self.config.measures, len(self.counts)
        if not measures.asks_known_rows:
            return LabelCalibration.none(k)
        asked = self._asked_rows(codes, kept)
        logs = self._asked(X.iloc[asked], self._hints.balanced(hints.iloc[asked]))
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
        prior, k = self.config.measures.target_prior, len(self.counts)
        if prior is None:
            return None
        if not isinstance(prior, Mapping):
            return self.counts / self.counts.sum() if prior == "training" else np.full(k, 1.0 / k)
        assert self._plain.label is not None
        labels = [str(label) for label in self._plain.label.categories]
        named = {str(label): share for label, share in prior.items()}
        if set(named) != set(labels):
            raise InvalidInputError(f"target_prior names the classes {list(named)}; the table has {labels}.")
        shares = np.array([named[label] for label in labels], dtype=np.float64)
        normalised: FloatArray = shares / shares.sum()
        return normalised

    def _asked(self, X: pd.DataFrame, hints: pd.DataFrame) -> FloatArray:
        query = LabelQuery(self.language_model, len(self.counts), orders=self.config.query_orders, threads=self.threads)
        return query.log_probabilities(self._clauses(X, hints, np.zeros(len(X), dtype=np.int64)))

    def _texts(self, X: pd.DataFrame) -> list[list[str | None]]:
        """Cells of the columns of free text; what is no text is missing, and so is a column that is not there."""
        columns = [X[name] if name in X.columns else [None] * len(X) for name in self._text_names]
        return [[cell if isinstance(cell, str) else None for cell in column] for column in columns]

    def _clauses(self, X: pd.DataFrame, hints: pd.DataFrame, codes: IntArray) -> Clauses:
        """Rows as clauses; what a row does not have, and training never lacked, is not written."""
        cells = self.schema.encode(_beside(X, hints), unknown="missing")
        clauses = self.language_model.encoding.encode(cells, codes, self._texts(X))
        never_missing = np.array([not column.has_missing for column in self.schema.columns], dtype=bool)
        absent = np.zeros_like(clauses.present)
        absent[:, : cells.n_columns] = cells.missing & never_missing
        absent[:, cells.n_columns : -1] = [name not in X.columns for name in self._text_names]
        clauses.tokens[absent] = -1
        return clauses.with_present(~absent)


def _beside(X: pd.DataFrame, hints: pd.DataFrame) -> pd.DataFrame:
    """Features and hints of the same rows, by position."""
    return X if not hints.shape[1] else pd.concat([X.reset_index(drop=True), hints.reset_index(drop=True)], axis=1)
