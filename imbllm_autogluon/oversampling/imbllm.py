"""ImbLLM: minority rows written by a language model (arXiv 2510.09783)."""

from __future__ import annotations

import copy
import logging
import numbers
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import ClassTooSmallError, InvalidInputError
from imbllm_autogluon.oversampling.class_rows import ClassRows, draw_held_out
from imbllm_autogluon.oversampling.class_writing import ClassWriter
from imbllm_autogluon.oversampling.config import ImbLLMConfig
from imbllm_autogluon.oversampling.copies import KnownRows
from imbllm_autogluon.oversampling.interpolation import interpolate
from imbllm_autogluon.oversampling.neighbours import MixedSpace
from imbllm_autogluon.oversampling.progress import step_counter
from imbllm_autogluon.oversampling.report import ClassReport, Method, OversamplingReport
from imbllm_autogluon.randomness import RandomState, base_seed, child_rng, child_seed
from imbllm_autogluon.sentences import Clauses, SchemaVocabulary
from imbllm_autogluon.tables import Cells, TableSchema

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from imbllm_autogluon.language.model import TableLanguageModel
    from imbllm_autogluon.tables import ColumnName, Kind

    BoolArray = npt.NDArray[np.bool_]
    IntArray = npt.NDArray[np.int64]

log = logging.getLogger(__name__)

FEWEST_ROWS = 6
"""Rows of a class below which a language model has nothing to learn: 2 to 5 rows are interpolated instead."""


class ImbLLM:
    """A generator of rows for the rare classes of one table.

    Parameters
    ----------
    config
        How rows are interpolated, prompted, learned and decoded.
    random_state
        Seed, NumPy random generator, or `None` for a fresh seed. The same seed on the same machine with the same
        number of threads gives the same rows.
    threads
        torch threads; `None` leaves the process's count alone.

    Attributes
    ----------
    schema : TableSchema
        Columns of the fitted table.
    report : OversamplingReport
        What fitting and sampling did so far.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> from imbllm_autogluon.oversampling import ImbLLM, ImbLLMConfig
    >>> X, y = load_hypothyroid()
    >>> quick = ImbLLMConfig.from_flat({"warmup_steps": 2, "steps": 2})
    >>> generator = ImbLLM(quick, random_state=0).fit(X, y, {"hypothyroid": 100})
    >>> rows, labels = generator.sample()
    >>> len(rows), set(labels)
    (100, {'hypothyroid'})
    """

    def __init__(
        self, config: ImbLLMConfig | None = None, *, random_state: RandomState = None, threads: int | None = None
    ) -> None:
        self.config = config or ImbLLMConfig()
        self.seed = base_seed(random_state)
        self.threads = threads
        self.report = OversamplingReport()
        self.schema: TableSchema
        self._label_name: Hashable = None
        self._model: TableLanguageModel | None = None
        self._classes: dict[int, ClassRows] = {}
        self._reports: dict[int, ClassReport] = {}
        self._counts: dict[int, int] = {}
        self._known: KnownRows

    def fit(
        self,
        X: pd.DataFrame,
        y: pd.Series,
        counts: Mapping[Hashable, int],
        *,
        kinds: Mapping[ColumnName, Kind] | None = None,
        time_limit: float | None = None,
        checkpoint: Path | None = None,
        warm_start: Path | None = None,
    ) -> ImbLLM:
        """Learn the classes that need rows.

        Parameters
        ----------
        X
            Features of the training fold, shape (n, m). Never modified.
        y
            Labels, shape (n,), no missing ones.
        counts
            Rows to generate, by label; they fix the number of interpolated rows (ratio x count) and the default of
            :meth:`sample`.
        kinds
            Column kinds that override the ones guessed from dtypes.
        time_limit
            Seconds that training may take, beside the limit of the configuration.
        checkpoint
            Folder for the progress of training; the same fit goes on from there after an interruption.
        warm_start
            File for the weights after the warm-up, see
            :meth:`~imbllm_autogluon.language.model.TableLanguageModel.train`.

        Raises
        ------
        TableError
            The table cannot be used; the message names the column.
        ClassTooSmallError
            A class of `counts` has fewer than two rows.
        InvalidInputError
            `X` and `y` differ in length, `counts` is empty, one of its labels is not in `y`, or a count is no whole
            number of at least 0.
        """
        from imbllm_autogluon.language.processes import Processes

        started = time.perf_counter()
        if len(X) != len(y):
            raise InvalidInputError(f"X and y must have the same number of rows; got {len(X)} and {len(y)}.")
        self.seed = Processes.of_launch().common_seed(self.seed)
        self.report, self._model, self._classes, self._reports = OversamplingReport(), None, {}, {}
        self._label_name = y.name
        self.schema = _labelled_schema(X, y, kinds)
        cells, codes = self.schema.encode(X), self.schema.encode_label(y)
        self._counts = self._by_code(counts, list(self.schema.label.categories) if self.schema.label else [])
        self._known = KnownRows.of(cells)
        copied = X[[aside.name for aside in self.schema.set_aside if aside.fill == "copied"]]
        held_out = self._hold_out(codes)
        for code in self._counts:
            rows = np.flatnonzero(codes == code)
            rows = rows[np.argsort(~held_out[rows], kind="stable")]  # those held out come first
            self._take_class(code, cells.take(rows), copied.iloc[rows], int(held_out[rows].sum()))
        self._train(cells.take(~held_out), codes[~held_out], time_limit, checkpoint, warm_start)
        self.report = replace(
            self._describe_training(), set_aside={str(aside.name): aside.reason for aside in self.schema.set_aside}
        )
        self._update_report(training_seconds=time.perf_counter() - started)
        return self

    def sample(
        self, counts: Mapping[Hashable, int] | None = None, *, random_state: RandomState = None
    ) -> tuple[pd.DataFrame, pd.Series]:
        """Write new rows.

        Parameters
        ----------
        counts
            Rows by label, only labels given to :meth:`fit`; default: the counts given there.
        random_state
            Seed of this sample; default: the generator's own, so that repeated calls give the same rows.

        Returns
        -------
        X, y
            Exactly the wanted number of rows of each class, in the columns, order and dtypes of the fitted table,
            with a fresh index.
        """
        started = time.perf_counter()
        seed = self.seed if random_state is None else base_seed(random_state)
        wanted = self._counts if counts is None else self._by_code(counts, [*map(self._label, self._classes)])
        wanted = {code: n for code, n in wanted.items() if n > 0} or {next(iter(self._classes)): 0}
        parts = [self._write_class(code, n, child_seed(seed, "decoding", code)) for code, n in wanted.items()]
        codes = np.repeat(list(wanted), list(wanted.values())).astype(np.int64)
        labels = self.schema.decode_label(codes)
        labels.name = self._label_name
        cells = Cells.concat([cells for cells, _ in parts])
        parents = pd.concat([parents for _, parents in parts], ignore_index=True)
        X = self.schema.decode(cells, parents if parents.shape[1] else None)
        self._update_report(sampling_seconds=self.report.sampling_seconds + time.perf_counter() - started)
        return X, labels

    @property
    def language_model(self) -> TableLanguageModel:
        """The trained model, for benchmarks and further questions (scores, likelihoods).

        Raises
        ------
        InvalidInputError
            None was trained: every class was too small, or nothing is fitted yet.
        """
        if self._model is None:
            raise InvalidInputError("this generator has no language model; fit it on a class of at least 6 rows.")
        return self._model

    def with_config(self, config: ImbLLMConfig, *, threads: int | None) -> ImbLLM:
        """The same trained generator under other settings of sampling (temperature, conditioning, batch, threads).

        Settings of training have no effect any more. Neither generator sees the samples of the other in its report.
        """
        other = copy.copy(self)
        other.config, other.threads = config, threads
        other._reports = dict(self._reports)
        other._model = None if self._model is None else self._model.with_config(config.language)
        return other

    def _by_code(self, counts: Mapping[Hashable, int], known: list[Hashable]) -> dict[int, int]:
        """Counts by label code, checked; `known` are the labels that may be asked for."""
        assert self.schema.label is not None
        if not counts:
            raise InvalidInputError(f"counts is empty; name at least one of the labels: {known}.")
        for label, n in counts.items():
            if label not in known:
                raise InvalidInputError(f"counts name the label {label!r}; the labels are: {known}.")
            if not isinstance(n, numbers.Integral) or n < 0:
                raise InvalidInputError(f"counts ask for {n!r} rows of {label!r}; a count must be 0, 1, 2, ...")
        labels = list(self.schema.label.categories)
        return {labels.index(label): int(n) for label, n in counts.items()}

    def _hold_out(self, codes: IntArray) -> BoolArray:
        """Rows of the fold that are not learned but judge the language model, shape (n,)."""
        share = self.config.language.resolved().held_out or 0.0
        held_out = np.zeros(len(codes), dtype=bool)
        for code in self._counts:
            held_out |= draw_held_out(codes == code, share, child_rng(self.seed, "training", "held out", code))
        return held_out

    def _take_class(self, code: int, real: Cells, copied: pd.DataFrame, held_out: int) -> None:
        """Choose the method for a class by its size, and interpolate its rows."""
        label = str(self._label(code))
        if real.n_rows < 2:
            raise ClassTooSmallError(
                f"class {label!r} has {real.n_rows} row(s); at least 2 are needed to write more. Collect more rows, "
                "merge the class with another, or leave it out of the sampling strategy."
            )
        report = ClassReport(label, real.n_rows, self._method(real), held_out=held_out)
        pool = real
        n_interpolated = round(self.config.interpolation.interpolation_ratio * self._counts[code])
        if report.method == "language model" and n_interpolated:
            rng = child_rng(self.seed, "interpolation", code)
            learned = real.take(np.arange(held_out, real.n_rows))
            made = interpolate(self.schema, learned, n_interpolated, self.config.interpolation, rng)
            pool = Cells.concat([real, made.cells])
            report = replace(report, interpolated=n_interpolated, low_density_share=made.low_density_share)
        if report.method != "language model":
            log.warning("Class %r has %d rows; its new rows are made by %s.", label, real.n_rows, report.method)
        self._classes[code] = ClassRows(real, pool, copied.reset_index(drop=True), held_out)
        self._reports[code] = report

    def _method(self, real: Cells) -> Method:
        if not self.schema.columns:
            return "duplication"
        return "language model" if real.n_rows >= FEWEST_ROWS else "interpolation"

    def _train(
        self,
        cells: Cells,
        codes: IntArray,
        time_limit: float | None,
        checkpoint: Path | None,
        warm_start: Path | None,
    ) -> None:
        """Warm up on the fold, then learn real and interpolated rows of all classes that a language model writes."""
        learned = [code for code, report in self._reports.items() if report.method == "language model"]
        if not learned:
            return
        from imbllm_autogluon.language.model import TableLanguageModel

        language = self.config.language.resolved()
        assert language.numbers is not None
        vocabulary = SchemaVocabulary.fit(
            self.schema, cells, codes, numbers=language.numbers, max_bins=language.max_bins
        )
        self._model = model = TableLanguageModel(vocabulary, language, self.seed)
        warmup = model.encoding.encode(cells, codes) if language.warmup == "fold" else None
        interpolated = self._clauses_of_interpolated()
        clauses = [self._classes[code].learned(model.encoding, code, interpolated) for code in learned]
        judging = [self._classes[code].judging(model.encoding, code) for code in learned]
        rows = Clauses.concat(clauses)
        steps = language.steps_for(len(rows.tokens)) + (language.warmup_steps or 0 if warmup else 0)
        with step_counter("training", steps) as progress:
            model.train(
                rows,
                warmup=warmup,
                held_out=Clauses.concat(judging),
                threads=self.threads,
                time_limit=time_limit,
                checkpoint=checkpoint,
                warm_start=warm_start,
                progress=progress,
            )

    def _clauses_of_interpolated(self) -> BoolArray:
        """Clauses that interpolated rows write, the label last, shape (n_clauses,)."""
        numeric = [column.is_number for column in self.schema.columns]
        alone = self.config.interpolation.interpolated_clauses == "continuous" and any(numeric)
        return np.array([*(numeric if alone else [True] * len(numeric)), True])

    def _write_class(self, code: int, n_rows: int, seed: int) -> tuple[Cells, pd.DataFrame]:
        """Exactly `n_rows` cells of one class, and the columns copied from their nearest real rows."""
        rows, method = self._classes[code], self._reports[code].method
        if n_rows == 0:
            return rows.real.take([]), rows.copied.iloc[:0]
        rng = child_rng(seed, "prompts")
        self._count_rows(code, requested=n_rows, made=n_rows)
        if method == "duplication":
            parents = rng.integers(0, rows.real.n_rows, size=n_rows)
            return rows.real.take(parents), rows.copied.iloc[parents]
        if method == "interpolation":
            written = interpolate(self.schema, rows.real, n_rows, self.config.interpolation, rng).cells
        else:
            written = self._write_new(code, n_rows, seed, rng)
        return written, self._nearest_copied(rows, written)

    def _write_new(self, code: int, n_rows: int, seed: int, rng: np.random.Generator) -> Cells:
        """Rows from the language model, counted in the report."""
        writer = ClassWriter(self.language_model, self.schema, self.config, self._known, self.threads)
        written = writer.write(self._classes[code], code, n_rows, seed, rng)
        counts = dict(writer.counts)
        self._update_report(sampling_tokens=self.report.sampling_tokens + counts.pop("tokens", 0))
        self._count_rows(code, **counts)
        return written

    def _nearest_copied(self, rows: ClassRows, written: Cells) -> pd.DataFrame:
        """Copied columns of each written row's nearest real row of the class."""
        if rows.copied.shape[1] == 0:
            return rows.copied.iloc[np.zeros(written.n_rows, dtype=np.int64)]
        nearest, _ = MixedSpace.fit(self.schema, rows.real).nearest(written, rows.real, 1)
        return rows.copied.iloc[nearest[:, 0]]

    def _describe_training(self) -> OversamplingReport:
        if self._model is None:
            return self.report
        curves = self._model.curves
        return replace(
            self.report,
            parameters=self._model.n_parameters,
            learning=self._model.n_learning,
            loading_seconds=self._model.loading_seconds,
            losses={name: curve.losses for name, curve in curves.items()},
            stopped_by={name: curve.stopped_by for name, curve in curves.items()},
            held_out_losses={name: curve.held_out for name, curve in curves.items() if curve.held_out},
            tokens_per_second={name: curve.tokens_per_second for name, curve in curves.items()},
            training_tokens=sum(curve.tokens for curve in curves.values()),
        )

    def _count_rows(self, code: int, **added: int) -> None:
        """Add to the counters of one class's report."""
        report = self._reports[code]
        self._reports[code] = replace(report, **{name: getattr(report, name) + n for name, n in added.items()})
        self._update_report()

    def _update_report(self, **changed: float) -> None:
        self.report = replace(self.report, classes=tuple(self._reports.values()), **changed)  # type: ignore[arg-type]

    def _label(self, code: int) -> Hashable:
        assert self.schema.label is not None
        label: Hashable = self.schema.label.categories[code]
        return label


def _labelled_schema(X: pd.DataFrame, y: pd.Series, kinds: Mapping[ColumnName, Kind] | None) -> TableSchema:
    """Schema of features and label, whatever the label series is called."""
    name = "label"
    while name in X.columns:
        name += "_"
    return TableSchema.from_frame(X.assign(**{name: y.to_numpy() if y.dtype == object else y.array}), name, kinds)
