"""What all generators share: a language model learns a table and writes exact numbers of rows for its classes.

A generator has a *learner* (what the model learns, in which stages) and, once fitted, a *writer* (how rows begin and
which ones are taken). Rows are cells until they leave the package as a frame.
"""

from __future__ import annotations

import copy
import logging
import math
import numbers
import time
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from imbllm_autogluon._config import progress_bar, require_threads
from imbllm_autogluon._random import RandomState, base_seed, child_rng, child_seed
from imbllm_autogluon.classification.calibration import held_out_rows
from imbllm_autogluon.errors import ClassTooSmallError, InvalidInputError
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.filters import KnownRows, NearRows, PlausibilityForest, RowFilter, reject_until
from imbllm_autogluon.oversampling.interpolation import MixedSpace, interpolate
from imbllm_autogluon.oversampling.report import ClassReport, OversamplingReport, listed
from imbllm_autogluon.oversampling.texts import TextWriter, texts_to_write, with_texts
from imbllm_autogluon.tables import EncodedTable, TableSchema
from imbllm_autogluon.tables.stored import with_plain_names

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.model import TableLanguageModel
    from imbllm_autogluon.tables import ColumnName, Kind

_log = logging.getLogger(__name__)

_FEWEST_ROWS = 6  # below it a language model has nothing to learn of a class: 2 to 5 rows are interpolated instead
_INTERPOLATION_ROUNDS = 20  # how often interpolated rows are drawn to find new ones; it costs next to nothing
_TOLD: set[object] = set()  # what was said already in this process: each fold of a fit has a generator of its own
# Steps where there are all rows to learn instead of those of a rare class (docs/decisions/generator.md).
_WHOLE_TABLE_STEPS = 600
_SHARE_OF_CELLS = 0.5  # of the time for training, and for writing; texts have the rest where they are written


@dataclass(frozen=True, eq=False)
class EncodedDataset:
    """Rows of a training fold, as they came and encoded."""

    X: pd.DataFrame
    y: pd.Series
    kinds: Mapping[ColumnName, Kind] | None
    schema: TableSchema
    cells: EncodedTable
    codes: IntArray  # label codes, shape (n,)
    is_held_out: BoolArray  # rows that are not learned but validate the language model, shape (n,)
    choice: IntArray  # places of the rows that training draws from, ascending

    def known_rows(self) -> tuple[EncodedTable, IntArray]:
        """Cells and label codes of all rows that are not held out."""
        return self.cells.take(~self.is_held_out), self.codes[~self.is_held_out]

    def rows(self, *, held_out: bool = False) -> tuple[EncodedTable, IntArray]:
        """Cells and label codes of the rows that training draws from, or of those of them that are held out."""
        chosen = self.choice[self.is_held_out[self.choice] == held_out]
        return self.cells.take(chosen), self.codes[chosen]


@dataclass(frozen=True, eq=False)
class ClassRows:
    """What is kept of one class to write more of it."""

    real: EncodedTable  # its rows in the training fold, those held out first
    pool: EncodedTable  # real rows, then interpolated ones: what is learned, and what prompts take their values from
    copied: pd.DataFrame  # columns of the real rows that nothing writes: a new row takes its nearest real row's
    held_out: int  # rows at the beginning that are not learned: they tell the validation loss
    method: str  # how new rows are made, see `ClassReport`

    def nearest_copied(self, schema: TableSchema, written: EncodedTable) -> pd.DataFrame:
        """Copied columns of each written row's nearest real row."""
        if self.copied.shape[1] == 0:
            return self.copied.iloc[np.zeros(written.n_rows, dtype=np.int64)]
        nearest, _ = MixedSpace.fit(schema, self.real).nearest(written, self.real, 1)
        return self.copied.iloc[nearest[:, 0]]


@dataclass(frozen=True, eq=False)
class LearnedTable:
    """What a generator keeps of the table that it was fitted on."""

    schema: TableSchema
    names: pd.Index  # of the features, as the user has them
    label_name: Hashable
    counts: Mapping[int, int]  # rows to write, by label code
    classes: dict[int, ClassRows]
    known: KnownRows
    forest: PlausibilityForest

    @property
    def labels(self) -> list[Hashable]:
        """All labels, in the order of their codes."""
        assert self.schema.label is not None
        return list(self.schema.label.categories)

    @property
    def learned(self) -> dict[int, ClassRows]:
        """The classes that the language model writes."""
        return {code: rows for code, rows in self.classes.items() if rows.method == "language model"}

    @property
    def n_rare(self) -> int:
        """Real rows of these classes that are learned."""
        return sum(rows.real.n_rows - rows.held_out for rows in self.learned.values())


@dataclass(frozen=True, eq=False)
class SampleRequest:
    """What new rows are written for, and how."""

    table: LearnedTable
    config: GeneratorConfig  # with the choices of the method
    seed: int
    threads: int | None
    ends: float = math.inf  # when writing stops, with fewer rows, by ``time.perf_counter``
    bar: Any = field(default_factory=lambda: progress_bar(0, "writing"))  # of rows

    def options(self, n_rows: int, attempt: int) -> dict[str, Any]:
        """How :meth:`PromptPool.complete` writes the next rows: with the seed of an attempt, told to the bar."""
        self.bar.total = max(self.bar.total, self.bar.n + n_rows)
        seed = child_seed(self.seed, "decoding", attempt)
        return {"seed": seed, "threads": self.threads, "ends": self.ends, "progress": self.bar.update}

    def part(self, *path: str | int, share: float = 1.0) -> SampleRequest:
        """The same request for one class or round, with a child of its seed and a share of the time that is left."""
        now = time.perf_counter()
        seed = child_seed(self.seed, "decoding", *path)
        return replace(self, seed=seed, ends=now + share * (self.ends - now))

    def near(self, code: int) -> NearRows | None:
        """What rejects rows too near to the real ones of a class; None: nothing does."""
        real, quantile = self.table.classes[code].real, self.config.filters.near_copies
        return NearRows(self.table.schema, real, quantile) if quantile else None

    def filters(self, code: int) -> list[RowFilter]:
        """What rejects rows of a class."""
        least = self.config.filters.plausibility
        plausible = self.table.forest.filter(code, least) if least else None
        return [each for each in (self.table.known, self.near(code), plausible) if each is not None]


@dataclass(frozen=True, eq=False)
class SyntheticRows:
    """New rows of one class."""

    cells: EncodedTable
    counts: Counter[str] = field(default_factory=Counter)  # by counters of `ClassReport`, and ``tokens``
    parents: IntArray | None = None  # real rows whose copied columns they take, shape (n,); None: the nearest ones'


class Writer(ABC):
    """Writes exact numbers of rows with a trained language model: how they begin, and which ones are taken."""

    def __init__(self, model: TableLanguageModel) -> None:
        self.model = model

    @abstractmethod
    def write(self, request: SampleRequest, wanted: Mapping[int, int]) -> dict[int, SyntheticRows]:
        """The wanted rows (1 or more) of each label code; fewer if time runs out or the model decides on the class."""

    @property
    def rows_at_once(self) -> int:
        """Rows of a batch of prompts."""
        assert self.model.config.generation_batch is not None
        return self.model.config.generation_batch

    def with_language(self, language: LanguageConfig, threads: int | None) -> Self:
        """The same writer under other settings of decoding."""
        del threads
        other = copy.copy(self)
        other.model = self.model.with_config(language)
        return other

    def save(self, folder: Path) -> tuple[dict[str, Any], dict[str, EncodedTable]]:
        """Store the model; returns what belongs to it, a JSON-able part and rows."""
        self.model.save(folder)
        return {}, {}


@dataclass(frozen=True)
class Learner(ABC):
    """What a method learns of a table: rows, their order, and the stages of training."""

    config: GeneratorConfig
    seed: int
    threads: int | None

    choices: ClassVar[Mapping[str, Any]]  # what the method makes of settings of the language model that are None
    plausibility: ClassVar[float] = 0.0  # what it makes of a `plausibility` of None

    def language(self, n_rare: int) -> LanguageConfig:
        """Settings of the language model, given the number of real rows of the classes to be written."""
        del n_rare
        return self.config.language.with_defaults(**self.choices).resolved()

    def text_language(self) -> LanguageConfig:
        """Settings of the model of texts: the method's temperature, and the steps of one stage."""
        return self.config.language.with_defaults(temperature=self.choices["temperature"]).resolved()

    def whole_table_language(self) -> LanguageConfig:
        """Settings of a model that learns all classes alike, in one stage from random weights.

        The stage has `pretrain_steps` + `steps` steps, or `epochs` passes over the table.
        """
        own = {} if self.config.language.is_pretrained else {"steps": _WHOLE_TABLE_STEPS, "pretrained": False}
        language = self.config.language.with_defaults(**self.choices, **own).resolved()
        assert language.pretrain_steps is not None
        assert language.steps is not None
        total = language.steps if language.epochs else language.pretrain_steps + language.steps
        return replace(language, pretrain="none", steps=total)

    def sampling(self) -> GeneratorConfig:
        """The configuration with the method's choices of how rows are written."""
        filters = self.config.filters
        least = self.plausibility if filters.plausibility is None else filters.plausibility
        return replace(self.config, filters=replace(filters, plausibility=least))

    def validation_classes(self, codes: IntArray, wanted: Iterable[int]) -> Iterable[int]:
        """Classes that rows are held out of, given all label codes and those to be written."""
        del codes
        return wanted

    def pool(
        self, schema: TableSchema, code: int, real: EncodedTable, n_wanted: int
    ) -> tuple[EncodedTable, float | None]:
        """Rows to learn in addition to the real ones of a class, and their share in low-density regions."""
        del schema, code, n_wanted
        return real.take([]), None

    @abstractmethod
    def train(self, fold: EncodedDataset, table: LearnedTable, **limits: Any) -> Writer:
        """Teach a language model; `limits` are `time_limit`, `checkpoint` and `warm_start` of the generator's fit."""

    @abstractmethod
    def load_writer(self, folder: Path, state: Mapping[str, Any], cells: Mapping[str, EncodedTable]) -> Writer:
        """The writer that :meth:`Writer.save` stored."""


class LanguageGenerator:
    """A generator of rows for the classes of one table; methods differ in their learner and their writer.

    Parameters
    ----------
    config
        How rows are learned, prompted and decoded.
    random_state
        Seed, NumPy random generator, or `None` for a fresh seed. The same seed on the same machine with the same
        number of threads gives the same rows.
    threads
        torch threads, 1 to 1,024; `None` leaves the process's count alone.

    Attributes
    ----------
    schema : TableSchema
        Columns of the fitted table.
    report : OversamplingReport
        What fitting and sampling did so far.
    """

    method: ClassVar[str]
    """Name among :data:`~imbllm_autogluon.oversampling.methods.GENERATORS`."""
    learner_class: ClassVar[type[Learner]]

    def __init__(
        self, config: GeneratorConfig | None = None, *, random_state: RandomState = None, threads: int | None = None
    ) -> None:
        require_threads(threads)
        self.config = config or GeneratorConfig()
        self.seed = base_seed(random_state)
        self.threads = threads
        self._table: LearnedTable
        self._writer: Writer | None = None
        self._texts: TextWriter | None = None
        self.report = OversamplingReport(self.method)

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
            Seconds, 0 or more, that the fit may take; training has what reading the table leaves of them.
        checkpoint
            Folder for the progress of training; the same fit resumes from there after an interruption.
        warm_start
            File for the weights after the warm-up; methods without a warm-up have none.

        Raises
        ------
        TableError
            The table cannot be used; the message names the column.
        ClassTooSmallError
            A class of `counts` has fewer than two rows.
        InvalidInputError
            `X` and `y` differ in length, or `counts` is empty, names another label, or a count is not 0, 1, 2, ...
        """
        from imbllm_autogluon.language.hardware import Processes

        started = time.perf_counter()
        if len(X) != len(y):
            raise InvalidInputError(f"X and y must have the same number of rows; got {len(X)} and {len(y)}.")
        self.seed = Processes.of_launch().common_seed(self.seed)
        self._writer = self._texts = None
        fold = self._read(X, y, counts, kinds)
        texts = texts_to_write(fold.schema, fold.X, self.config)

        def left(share: float = 1.0) -> float | None:
            return None if time_limit is None else share * max(0.0, time_limit + started - time.perf_counter())

        if self._table.learned:
            limits: dict[str, Any] = {"time_limit": left(_SHARE_OF_CELLS if texts else 1.0), "checkpoint": checkpoint}
            self._writer = self._learner.train(fold, self._table, warm_start=warm_start, **limits)
        if texts:
            limits = {"time_limit": left(), "checkpoint": checkpoint, "threads": self.threads}
            language, seed = self._learner.text_language(), child_seed(self.seed, "training", "texts")
            rows = fold.X.iloc[fold.choice], fold.y.iloc[fold.choice], texts, fold.is_held_out[fold.choice]
            self._texts = TextWriter.learn(fold.schema, *rows, self.config, language, seed, **limits)
        trained = [each.model for each in (self._writer, self._texts.model if self._texts else None) if each]
        self.report = self.report.with_training(*trained)
        self.report = replace(self.report, training_seconds=time.perf_counter() - started)
        return self

    def sample(
        self,
        counts: Mapping[Hashable, int] | None = None,
        *,
        random_state: RandomState = None,
        time_limit: float | None = None,
    ) -> tuple[pd.DataFrame, pd.Series]:
        """Write new rows.

        Parameters
        ----------
        counts
            Rows by label, only labels given to :meth:`fit`; default: the counts given there.
        random_state
            Seed of this sample; default: the generator's own, so that repeated calls give the same rows.
        time_limit
            Seconds, 0 or more, after which no further batch is begun.

        Returns
        -------
        X, y
            Exactly the wanted number of rows of each class (fewer where the time limit was reached), in the columns,
            order and dtypes of the fitted table, with a fresh index. Pred-LLM gives fewer, with a warning, of a class
            that its model gives too few rows.
        """
        started = time.perf_counter()
        ends = math.inf if time_limit is None else started + time_limit
        seed, table = self._seed_of(random_state), self._table
        known = [table.labels[code] for code in table.classes]
        wanted = dict(table.counts) if counts is None else _counts_by_code(counts, known, table.schema)
        wanted = {code: n for code, n in wanted.items() if n > 0} or {next(iter(table.classes)): 0}
        learned = {code: n for code, n in wanted.items() if n and code in table.learned}
        written: dict[int, SyntheticRows] = {}
        if learned:
            cells_end = started + (ends - started) * (_SHARE_OF_CELLS if self._texts else 1.0)
            with progress_bar(sum(learned.values()), "writing") as bar:
                request = SampleRequest(table, self._learner.sampling(), seed, self.threads, cells_end, bar)
                written = self._require_writer().write(request, learned)
        for code in [code for code in wanted if code not in learned]:
            written[code] = self._write_without_model(code, wanted[code], child_seed(seed, "decoding", code))
        return self._with_texts(*self._finished({code: written[code] for code in wanted}, wanted), seed, started, ends)

    @property
    def schema(self) -> TableSchema:
        """Columns of the fitted table."""
        return self._table.schema

    def renamed(self, X: pd.DataFrame) -> pd.DataFrame:
        """Rows of the user's under the names of the schema, which are strings or integers."""
        names = dict(zip(self._table.names, self.schema.names, strict=True))
        return X.set_axis(pd.Index([names.get(name, name) for name in X.columns], tupleize_cols=False), axis=1)

    @property
    def language_model(self) -> TableLanguageModel:
        """The trained model, for further questions (scores, likelihoods); without one an `InvalidInputError`."""
        return self._require_writer().model

    def with_config(self, config: GeneratorConfig, *, threads: int | None) -> Self:
        """The same trained generator under other settings of sampling; it has a report of its own."""
        require_threads(threads)
        other = copy.copy(self)
        other.config, other.threads = config, threads
        if self._writer is not None:
            other._writer = self._writer.with_language(other._learner.language(self._table.n_rare), threads)
        if self._texts is not None:
            other._texts = self._texts.with_config(config, other._learner.text_language())
        return other

    @property
    def _learner(self) -> Learner:
        return self.learner_class(self.config, self.seed, self.threads)

    def _require_writer(self) -> Writer:
        if self._writer is None:
            raise InvalidInputError(
                f"this generator has no language model; fit it on a class of at least {_FEWEST_ROWS} rows."
            )
        return self._writer

    def _seed_of(self, random_state: RandomState) -> int:
        return self.seed if random_state is None else base_seed(random_state)

    def _read(
        self, X: pd.DataFrame, y: pd.Series, counts: Mapping[Hashable, int], kinds: Mapping[ColumnName, Kind] | None
    ) -> EncodedDataset:
        """Encode the fold and keep what is needed of the classes that are to be written."""
        names = X.columns
        X, kinds = with_plain_names(X, kinds)
        schema = TableSchema.from_labeled(X, y, kinds, self.config.language.max_columns, unreadable="copy")
        assert schema.label is not None
        cells, codes = schema.encode(X), schema.encode_label(y)
        by_code = _counts_by_code(counts, schema.label.categories, schema)
        known, forest = KnownRows.from_cells(cells), PlausibilityForest(cells, codes, self.seed, self.threads)
        self._table = LearnedTable(schema, names, y.name, by_code, {}, known, forest)
        share = self._learner.language(0).validation_fraction or 0.0
        held_out = held_out_rows(codes, self._learner.validation_classes(codes, by_code), share, self.seed)
        drawn = child_rng(self.seed, "order", "choice").permutation(len(X))
        choice = np.sort(drawn[: self.config.language.rows_learned(len(X))])
        fold = EncodedDataset(X, y, kinds, schema, cells, codes, held_out, choice)
        reports = tuple(self._take_class(fold, code) for code in by_code)
        aside = {str(column.name): column.reason for column in schema.excluded}
        self.report = OversamplingReport(self.method, reports, aside)
        _log_small_classes(reports)
        _log_wide(schema)
        for column in schema.excluded:
            if column.is_unreadable:
                remedy = "%s Until then new rows copy its cells from their nearest real rows."
                _log_once(column.reason, remedy, column.reason)
        return fold

    def _take_class(self, fold: EncodedDataset, code: int) -> ClassReport:
        """Keep the rows of a class, those held out first; its size decides how it is written."""
        places = np.flatnonzero(fold.codes == code)
        places = places[np.argsort(~fold.is_held_out[places], kind="stable")]
        n_held_out = int(fold.is_held_out[places].sum())
        real, label = fold.cells.take(places), str(self._table.labels[code])
        method, added, low_density_share = _method_for(label, real, fold.schema), real.take([]), None
        if method == "language model":
            learned = real.take(np.arange(n_held_out, real.n_rows))
            added, low_density_share = self._learner.pool(
                fold.schema, code, learned, min(self.config.language.most_learned, self._table.counts[code])
            )
        copied = [column.name for column in fold.schema.excluded if column.fill == "copied"]
        parents = fold.X[copied].iloc[places].reset_index(drop=True)
        pool = EncodedTable.concat([real, added]) if added.n_rows else real
        self._table.classes[code] = ClassRows(real, pool, parents, n_held_out, method)
        return ClassReport(label, real.n_rows, method, added.n_rows, low_density_share, held_out=n_held_out)

    def _write_without_model(self, code: int, n_rows: int, seed: int) -> SyntheticRows:
        """Rows of a class that no language model writes: real ones again, or new ones between them."""
        rows, rng = self._table.classes[code], child_rng(seed, "prompts")
        if n_rows == 0 or rows.method == "duplication":
            parents = rng.integers(0, rows.real.n_rows, size=n_rows)
            return SyntheticRows(rows.real.take(parents), parents=parents)
        counts: Counter[str] = Counter()

        def draw(missing: int, attempt: int) -> EncodedTable:
            del attempt  # the random generator continues
            return interpolate(self.schema, rows.real, missing, self.config.interpolation, rng)[0]

        # They are near to real rows by construction, but no copies where that is possible.
        cells = reject_until(draw, n_rows, [self._table.known], counts, _INTERPOLATION_ROUNDS)
        return SyntheticRows(cells, counts)

    def _finished(
        self, written: Mapping[int, SyntheticRows], wanted: Mapping[int, int]
    ) -> tuple[EncodedTable, IntArray, pd.DataFrame]:
        """Written rows, class after class, their label codes and copied columns; the report counts them."""
        sizes = {code: rows.cells.n_rows for code, rows in written.items()}
        parents = []
        for code, rows in written.items():
            self._count(code, {**rows.counts, "requested": wanted[code], "made": sizes[code]})
            own = self._table.classes[code]
            repeated = None if rows.parents is None else own.copied.iloc[rows.parents]
            parents.append(own.nearest_copied(self.schema, rows.cells) if repeated is None else repeated)
        cells = EncodedTable.concat([rows.cells for rows in written.values()])
        codes = np.repeat(list(sizes), list(sizes.values()))
        return cells, codes, pd.concat(parents, ignore_index=True)

    def _with_texts(
        self, cells: EncodedTable, codes: IntArray, parents: pd.DataFrame, seed: int, started: float, ends: float
    ) -> tuple[pd.DataFrame, pd.Series]:
        """Rows and labels as the fitted table has them, with their texts; ends the time of sampling."""
        labels = self.schema.decode_label(codes)
        labels.name = self._table.label_name
        X = self.schema.decode(cells, parents if parents.shape[1] else None)
        options: dict[str, Any] = {"seed": seed, "threads": self.threads, "ends": ends}
        X, written = with_texts(X, labels, self.schema, self.config, self._texts, **options)
        if written is not None:
            for code in np.unique(codes).tolist():
                self._count(code, written.counts(np.flatnonzero(codes == code)))
            self.report = replace(self.report, shared_words=written.shared)
        X = X.set_axis(self._table.names, axis=1)
        seconds = self.report.sampling_seconds + time.perf_counter() - started
        self.report = replace(self.report, sampling_seconds=seconds)
        return X, labels

    def _count(self, code: int, counts: Mapping[str, int]) -> None:
        """Add to the counters of one class in the report."""
        self.report = self.report.counted(list(self._table.classes).index(code), counts)


def _log_once(key: object, message: str, *values: object) -> None:
    if key not in _TOLD:
        _TOLD.add(key)
        _log.warning(message, *values)


def _counts_by_code(counts: Mapping[Hashable, int], known: Sequence[Hashable], schema: TableSchema) -> dict[int, int]:
    """Counts by label code, of labels among `known`, which are all of the schema's or some."""
    assert schema.label is not None
    if not counts:
        raise InvalidInputError(f"counts is empty; name at least one of the labels: {list(known)}.")
    by_code: dict[int, int] = {}
    for given, n in counts.items():
        label = schema.label.category(given)
        if label not in known:
            raise InvalidInputError(f"counts name the label {label!r}; the labels are: {list(known)}.")
        if not isinstance(n, numbers.Integral) or n < 0:
            raise InvalidInputError(f"counts ask for {n!r} rows of {label!r}; a count must be 0, 1, 2, ...")
        by_code[schema.label.categories.index(label)] = int(n)
    return by_code


def _method_for(label: str, real: EncodedTable, schema: TableSchema) -> str:
    """How new rows of a class are made, by the number of its real ones."""
    if real.n_rows < 2:
        raise ClassTooSmallError(
            f"class {label!r} has {real.n_rows} row(s); at least 2 are needed to write more. Collect more rows, "
            "merge the class with another, or leave it out of the sampling strategy."
        )
    if not schema.columns:
        return "duplication"
    return "language model" if real.n_rows >= _FEWEST_ROWS else "interpolation"


def _log_small_classes(reports: Sequence[ClassReport]) -> None:
    """Say once which classes no language model writes."""
    for method in ("interpolation", "duplication"):
        found = [report for report in reports if report.method == method]
        sizes, names = [report.rows for report in found], listed([repr(report.label) for report in found])
        if len(found) == 1:
            _log.warning("Class %s has %d rows; its new rows are made by %s.", names, sizes[0], method)
        elif found:
            _log.warning(
                "%d classes have %d to %d rows: %s; their new rows are made by %s.",
                *(len(found), min(sizes), max(sizes), names, method),
            )


def _log_wide(schema: TableSchema) -> None:
    """Say which columns a limit lets be written."""
    n, n_beyond = len(schema.columns), sum(column.is_beyond for column in schema.excluded)
    if n_beyond:
        _log_once(
            (n, n_beyond),
            "Of %d columns the %d that tell most of the class are written (%s); a row copies the other %d together "
            "from its nearest real row. max_columns=%d writes them as well; it takes up to %.0f times as long.",
            *(n + n_beyond, n, listed([str(column.name) for column in schema.columns], 10), n_beyond),
            *(n + n_beyond, (1 + n_beyond / n) ** 2),
        )
