"""What all generators share: a language model learns a table and writes exact numbers of rows for its classes."""

from __future__ import annotations

import copy
import logging
import time
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from imbllm_autogluon.classification.held_out import held_out_rows
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling.class_rows import FEWEST_ROWS, ClassRows, method_for
from imbllm_autogluon.oversampling.class_writing import ClassWriter
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.copies import KnownRows, written_anew
from imbllm_autogluon.oversampling.counts import counts_by_code
from imbllm_autogluon.oversampling.interpolation import interpolate
from imbllm_autogluon.oversampling.lessons import LabelledCells
from imbllm_autogluon.oversampling.near_copies import NearRows
from imbllm_autogluon.oversampling.plausibility import ClassPlausibility, PlausibilityJudge
from imbllm_autogluon.oversampling.progress import step_counter
from imbllm_autogluon.oversampling.report import ClassReport, OversamplingReport, listed
from imbllm_autogluon.randomness import RandomState, base_seed, child_rng, child_seed
from imbllm_autogluon.sentences import SchemaVocabulary
from imbllm_autogluon.tables import Cells, TableSchema

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from typing_extensions import Self

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.model import TableLanguageModel
    from imbllm_autogluon.oversampling.config import ConditioningConfig
    from imbllm_autogluon.oversampling.lessons import Lessons
    from imbllm_autogluon.sentences import SentenceEncoding
    from imbllm_autogluon.tables import ColumnName, Kind


log = logging.getLogger(__name__)

INTERPOLATION_ROUNDS = 20
"""How often interpolated rows are drawn to find new ones; it costs next to nothing."""


class LanguageGenerator(ABC):
    """A generator of rows for the classes of one table; methods differ in what they learn and how they begin a row.

    Parameters
    ----------
    config
        How rows are learned, prompted and decoded.
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
    """

    method: ClassVar[str]
    """Name of the method among :data:`~imbllm_autogluon.oversampling.methods.GENERATORS`."""

    own_choices: ClassVar[Mapping[str, Any]]
    """What the method makes of settings of the language model that are None."""

    own_plausibility: ClassVar[float] = 0.0
    """What the method makes of a `plausibility` of None."""

    def __init__(
        self, config: GeneratorConfig | None = None, *, random_state: RandomState = None, threads: int | None = None
    ) -> None:
        self.config = config or GeneratorConfig()
        self.seed = base_seed(random_state)
        self.threads = threads
        self.report = OversamplingReport(self.method)
        self.schema: TableSchema
        self._label_name: Hashable = None
        self._model: TableLanguageModel | None = None
        self._classes: dict[int, ClassRows] = {}
        self._reports: dict[int, ClassReport] = {}
        self._counts: dict[int, int] = {}
        self._known: KnownRows
        self._judge: PlausibilityJudge

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
    ) -> Self:
        """Learn to write the classes that need rows.

        Parameters
        ----------
        X
            Features of the training fold, shape (n, m). Never modified.
        y
            Labels, shape (n,), no missing ones.
        counts
            Rows to generate, by label: the default of :meth:`sample`.
        kinds
            Column kinds that override the ones guessed from dtypes.
        time_limit
            Seconds that training may take, beside the limit of the configuration.
        checkpoint
            Folder for the progress of training; the same fit goes on from there after an interruption.
        warm_start
            File for the weights after the warm-up, see
            :meth:`~imbllm_autogluon.language.model.TableLanguageModel.train`; methods without a warm-up have none.

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
        from imbllm_autogluon.language.hardware import Processes

        started = time.perf_counter()
        if len(X) != len(y):
            raise InvalidInputError(f"X and y must have the same number of rows; got {len(X)} and {len(y)}.")
        self.seed = Processes.of_launch().common_seed(self.seed)
        self._model, self._classes, self._reports = None, {}, {}
        self._label_name = y.name
        self.schema = TableSchema.of_labelled(X, y, kinds)
        self.report = OversamplingReport(
            self.method, set_aside={str(aside.name): aside.reason for aside in self.schema.set_aside}
        )
        cells, codes = self.schema.encode(X), self.schema.encode_label(y)
        self._counts = counts_by_code(counts, self._labels, self._labels)
        self._known = KnownRows.of(cells)
        self._judge = PlausibilityJudge.of(cells, codes, self.seed, self.threads)
        fold = LabelledCells(cells, codes, X, y, kinds, self._hold_out(codes))
        self._take_classes(fold, X[[aside.name for aside in self.schema.set_aside if aside.fill == "copied"]])
        if any(report.method == "language model" for report in self._reports.values()):
            self._train(fold, time_limit, checkpoint, warm_start)
            self.report = self.report.with_training(self.language_model)
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
        known = [self._labels[code] for code in self._classes]
        wanted = self._counts if counts is None else counts_by_code(counts, known, self._labels)
        wanted = {code: n for code, n in wanted.items() if n > 0} or {next(iter(self._classes)): 0}
        parts = self._write_classes(wanted, seed)
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
            raise InvalidInputError(
                f"this generator has no language model; fit it on a class of at least {FEWEST_ROWS} rows."
            )
        return self._model

    def with_config(self, config: GeneratorConfig, *, threads: int | None) -> Self:
        """The same trained generator under other settings of sampling (temperature, conditioning, batch, threads).

        Settings of training have no effect any more. Neither generator sees the samples of the other in its report.
        """
        other = copy.copy(self)
        other.config, other.threads = config, threads
        other._reports = dict(self._reports)
        other._model = None if self._model is None else self._model.with_config(other._language())
        return other

    def _save_own(self, folder: Path) -> dict[str, Any]:
        """Store what a method has beside its rows and its language model; returns the JSON-able part of it."""
        del folder
        return {}

    def _load_own(self, folder: Path, state: Mapping[str, Any]) -> None:
        """Read what :meth:`_save_own` stored."""
        del folder, state

    @abstractmethod
    def _lessons(self, fold: LabelledCells, encoding: SentenceEncoding) -> Lessons:
        """What the language model learns."""

    def _language(self) -> LanguageConfig:
        """Settings of the language model, the method's and the backbone's own choices filled in."""
        return self.config.language.with_defaults(**self.own_choices).resolved()

    def _learned_classes(self, codes: IntArray) -> list[int]:
        """Label codes of the classes that the language model learns; `codes` are those of the fold."""
        del codes
        return list(self._counts)

    def _pool(self, code: int, real: Cells, report: ClassReport) -> tuple[Cells, ClassReport]:
        """Rows to learn of a class and to take the values of prompts from, real ones first, and how they were made."""
        del code
        return real, report

    def _conditioning(self) -> ConditioningConfig:
        """What prompts give."""
        return self.config.conditioning

    def _hold_out(self, codes: IntArray) -> BoolArray:
        """Rows of the fold that are not learned but judge the language model, shape (n,)."""
        return held_out_rows(codes, self._learned_classes(codes), self._language().held_out or 0.0, self.seed)

    def _take_classes(self, fold: LabelledCells, copied: pd.DataFrame) -> None:
        """Keep the rows of each class that is to be written, those held out first."""
        for code in self._counts:
            rows = np.flatnonzero(fold.codes == code)
            rows = rows[np.argsort(~fold.is_held_out[rows], kind="stable")]
            self._take_class(code, fold.cells.take(rows), copied.iloc[rows], int(fold.is_held_out[rows].sum()))
        self._log_small_classes()

    def _take_class(self, code: int, real: Cells, copied: pd.DataFrame, held_out: int) -> None:
        """Choose how a class is written by its size."""
        label, pool = str(self._labels[code]), real
        report = ClassReport(label, real.n_rows, method_for(label, real, self.schema), held_out=held_out)
        if report.method == "language model":
            pool, report = self._pool(code, real, report)
        self._classes[code] = ClassRows(real, pool, copied.reset_index(drop=True), held_out)
        self._reports[code] = report

    def _log_small_classes(self) -> None:
        """Say once which classes no language model writes."""
        for method in ("interpolation", "duplication"):
            found = [report for report in self._reports.values() if report.method == method]
            if len(found) == 1:
                log.warning("Class %r has %d rows; its new rows are made by %s.", found[0].label, found[0].rows, method)
            elif found:
                sizes = [report.rows for report in found]
                names = listed([repr(report.label) for report in found])
                log.warning(
                    "%d classes have %d to %d rows: %s; their new rows are made by %s.",
                    *(len(found), min(sizes), max(sizes), names, method),
                )

    def _train(
        self, fold: LabelledCells, time_limit: float | None, checkpoint: Path | None, warm_start: Path | None
    ) -> None:
        """Build the language model and teach it."""
        from imbllm_autogluon.language.model import TableLanguageModel

        language = self._language()
        assert language.numbers is not None
        vocabulary = SchemaVocabulary.fit(
            self.schema, *fold.learned, numbers=language.numbers, max_bins=language.max_bins
        )
        self._model = model = TableLanguageModel(vocabulary, language, self.seed)
        lessons = self._lessons(fold, model.encoding)
        steps = language.steps_for(len(lessons.rows.tokens)) + (language.warmup_steps or 0 if lessons.warmup else 0)
        with step_counter("training", steps) as progress:
            model.train(
                lessons.rows,
                warmup=lessons.warmup,
                held_out=lessons.judging,
                threads=self.threads,
                time_limit=time_limit,
                checkpoint=checkpoint,
                warm_start=warm_start,
                stage=lessons.stage,
                progress=progress,
            )

    def _write_classes(self, wanted: Mapping[int, int], seed: int) -> list[tuple[Cells, pd.DataFrame]]:
        """Rows of each class of `wanted`, and the columns copied from their nearest real rows."""
        return [self._write_class(code, n, child_seed(seed, "decoding", code)) for code, n in wanted.items()]

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
            written = self._interpolated(code, n_rows, rng)
        else:
            written = self._write_new(code, n_rows, seed, rng)
        return written, rows.nearest_copied(self.schema, written)

    def _write_new(self, code: int, n_rows: int, seed: int, rng: np.random.Generator) -> Cells:
        """Rows from the language model, counted in the report."""
        near, plausible = self._near_rows(code), self._plausible(code)
        writer = ClassWriter(
            self.language_model, self.schema, self._conditioning(), self._known, self.threads, near, plausible
        )
        written = writer.write(self._classes[code], code, n_rows, seed, rng)
        counts = dict(writer.counts)
        self._update_report(sampling_tokens=self.report.sampling_tokens + counts.pop("tokens", 0))
        self._count_rows(code, **counts)
        return written

    def _interpolated(self, code: int, n_rows: int, rng: np.random.Generator) -> Cells:
        """Rows between those of a small class: near to them by nature, but no copies where that is possible."""
        counts: Counter[str] = Counter()
        real, config = self._classes[code].real, self.config.interpolation

        def write(missing: int, attempt: int) -> Cells:
            del attempt  # the source of randomness goes on
            return interpolate(self.schema, real, missing, config, rng).cells

        written = written_anew(write, n_rows, self._known, counts, rounds=INTERPOLATION_ROUNDS)
        self._count_rows(code, **counts)
        return written

    def _near_rows(self, code: int) -> NearRows | None:
        """How near to the real rows of a class new ones may come."""
        return NearRows.of(self.schema, self._classes[code].real, self.config.copies.near_copies)

    def _plausible(self, code: int) -> ClassPlausibility | None:
        """How likely new rows of a class must be under it."""
        chosen = self.config.plausible.plausibility
        least = self.own_plausibility if chosen is None else chosen
        return ClassPlausibility(self._judge, code, least) if least else None

    def _count_rows(self, code: int, **added: int) -> None:
        """Add to the counters of one class's report."""
        report = self._reports[code]
        self._reports[code] = replace(report, **{name: getattr(report, name) + n for name, n in added.items()})
        self._update_report()

    def _update_report(self, **changed: float) -> None:
        self.report = replace(self.report, classes=tuple(self._reports.values()), **changed)  # type: ignore[arg-type]

    @property
    def _labels(self) -> list[Hashable]:
        """All labels, in the order of their codes."""
        assert self.schema.label is not None
        return list(self.schema.label.categories)
