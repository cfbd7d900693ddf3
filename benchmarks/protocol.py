"""One benchmark is a :class:`Protocol`; one runner measures all of them.

The runner takes the product of tables, splits and methods. Each run is stored as one JSON file as soon as it is
measured, so an interrupted benchmark resumes, and several processes share the work.
"""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import shlex
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pandas as pd
from filelock import FileLock, Timeout

from benchmarks.tables import Table, read_tables
from imbllm_autogluon._config import cache_dir
from imbllm_autogluon.errors import InvalidInputError, nearest

if TYPE_CHECKING:
    from benchmarks.report import Section

log = logging.getLogger(__name__)

Spec = Mapping[str, Any]
"""What a method is, JSON-able: usually ``method`` and its settings; see :data:`benchmarks.methods.METHODS`."""

Row = Mapping[str, Any]
"""``metric`` and ``value`` of one measurement; ``method`` where one run measures several, and columns of its own."""

VERSIONED = ("imbllm-autogluon", "torch", "transformers", "autogluon.tabular", "imbalanced-learn")

FIRST_TO_CHOOSE = 100
"""Number of the first split on which defaults are chosen: splits that chose are not reported."""

COLUMNS = {"table": "table", "split": "split", "method": "arm", "metric": "metric", "value": "value"}
"""Columns of the frame, and what the stored files call them, in their order."""


class Metric(NamedTuple):
    """One figure, as pages write it."""

    name: str
    meaning: str = ""
    better: Literal["higher", "lower", ""] = "higher"
    decimals: int | None = 1
    """None: four significant digits."""

    compared: bool = False
    """Whether pages compare methods by it."""

    relative: bool = False
    """Whether a difference is told in percent of the reference's figure instead of in the metric's unit."""


class Claim(NamedTuple):
    """What is asked of a method; a gain is a difference in the direction that is better."""

    method: str
    metric: str
    against: str | tuple[str, ...] = ()
    """Method to be surpassed, several: the one with the best mean; none: the figure itself is the gain."""

    mean: float | None = None
    """Least mean gain over the tables; 0: above 0."""

    worst: float | None = None
    """Least gain on every table."""

    most: bool = False
    """Whether there must be a gain on more than half of the tables."""

    part: str = ""
    """Title of the protocol's part whose tables count; empty: all tables."""

    p: float | None = None
    """Wilcoxon's p over the tables has to be below this."""

    interval: bool = False
    """Whether no table may lose by more than its own interval over the splits."""

    tied: bool = False
    """Whether the interval of the mean gain over the tables may not lie below 0."""

    highest: float | None = None
    """Highest figure, or gain, on every table."""


class Option(NamedTuple):
    """An option that only one protocol has."""

    kind: Any
    """Its type on the command line."""

    default: Any
    help: str


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run is asked for."""

    tables: tuple[str, ...] = ()
    """See :mod:`benchmarks.tables`; none: the protocol's."""

    rows: int | None = None
    """Most rows of a table; None: the protocol's."""

    repeats: int | None = None
    """Splits of each table; None: the protocol's."""

    seed: int = 0
    """Number of the first split; the others follow."""

    threads: int | None = None
    methods: tuple[str, ...] = ()
    """Names or patterns (``temperature: *``) of the methods; none: all but the slow ones."""

    settings: Spec = field(default_factory=dict)
    """Of ImbLLM, by their flat names, in all methods that are ImbLLM."""

    own: Spec = field(default_factory=dict)
    """Values of the protocol's own options."""

    def __getitem__(self, name: str) -> Any:
        """Value of one of the protocol's own options."""
        return self.own[name]


class Task(NamedTuple):
    """One run: what is measured on one split of one table."""

    table: Table
    split: int
    """Number of the split, and seed of everything random."""

    methods: Mapping[str, Spec]
    threads: int
    options: Options

    @property
    def spec(self) -> Spec:
        """Of the only method."""
        (spec,) = self.methods.values()
        return spec


def each_alone(methods: Mapping[str, Spec]) -> list[Mapping[str, Spec]]:
    """One run for each method."""
    return [{name: spec} for name, spec in methods.items()]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a benchmark measures, on what, and how its page reads."""

    name: str
    about: str | None
    """What is measured and how, in Markdown: the docstring of the module."""

    methods: Mapping[str, Spec] | Callable[[Options], Mapping[str, Spec]]
    """What is compared, in the order of pages."""

    measure: Callable[[Task], Mapping[str, float | None] | Sequence[Row]]
    """Figures of a run by metric, or rows; None: there is no such figure."""

    metrics: tuple[Metric, ...]
    tables: tuple[str, ...] = ("hypothyroid",)
    choosing: tuple[str, ...] = ()
    """Tables on which defaults are chosen, by splits of their own, where the option `half` asks for them."""

    rows: int = 3000
    repeats: int = 3
    threads: int = 1
    slow: tuple[str, ...] = ()
    """Methods that are measured only where they are named."""

    always: tuple[str, ...] = ()
    """Methods that are measured whatever is named."""

    together: Callable[[Mapping[str, Spec]], Sequence[Mapping[str, Spec]]] = each_alone
    """Methods that are measured in one run."""

    options: Mapping[str, Option] = field(default_factory=dict)
    number: bool | None = False
    """Whether a number is predicted, not a class; None: as the label of each table says."""

    describe: Callable[[Table, Options], str] | None = None
    """One line on a table; called before anything is measured, so that an unusable table is refused at once."""

    derive: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    """Adds figures that follow from several runs."""

    references: tuple[str, ...] = ()
    """Methods with which pages compare the others."""

    claims: tuple[Claim, ...] = ()
    parts: Callable[[pd.DataFrame], Mapping[str, Sequence[str]]] | None = None
    """Titles and tables of parts of the page that no mean should mix; None: one part."""

    page: tuple[Section, ...] | None = None
    """Sections of the page; None: :data:`benchmarks.report.STANDARD`."""

    columns: Mapping[str, str] = field(default_factory=lambda: COLUMNS)

    def with_defaults(self, options: Options) -> Options:
        """Fill in what was not asked for."""
        numbers = {name: getattr(options, name) for name in ("rows", "repeats", "threads")}
        numbers = {name: getattr(self, name) if value is None else value for name, value in numbers.items()}
        for name, value in numbers.items():
            if value < 1:
                raise InvalidInputError(f"{name} must be at least 1; got {value}.")
        own = {name: options.own.get(name, option.default) for name, option in self.options.items()}
        usual, first = (self.choosing, FIRST_TO_CHOOSE) if own.get("half") == "choosing" else (self.tables, 0)
        if own.get("data"):
            usual = tuple(str(Path(own["data"], name)) for name in usual)
        return replace(options, **numbers, tables=options.tables or usual, seed=options.seed or first, own=own)

    def all_methods(self, options: Options) -> Mapping[str, Spec]:
        """Every method, with the settings that were asked for in those that are ImbLLM."""
        if callable(self.methods):
            return self.methods(options)
        if options.settings:
            from imbllm_autogluon.oversampling.config import GeneratorConfig

            GeneratorConfig.from_flat(options.settings)
            if all(spec.get("method") != "imbllm" for spec in self.methods.values()):
                raise InvalidInputError(f"{self.name} compares no method that takes settings of ImbLLM.")
        return {
            name: {**options.settings, **spec} if spec.get("method") == "imbllm" else spec
            for name, spec in self.methods.items()
        }

    def chosen_methods(self, options: Options) -> Mapping[str, Spec]:
        """The methods that were asked for, and those that are always measured."""
        known = self.all_methods(options)
        for wanted in options.methods:
            if not any(fnmatchcase(name, wanted) for name in known):
                listed = ", ".join(known)
                raise InvalidInputError(f"there is no method {wanted!r}{nearest(wanted, known)}; known: {listed}.")
        if not options.methods:
            return {name: spec for name, spec in known.items() if name not in self.slow}
        wanted_names = {name for name in known if any(fnmatchcase(name, wanted) for wanted in options.methods)}
        return {name: spec for name, spec in known.items() if name in {*wanted_names, *self.always}}


class Run(NamedTuple):
    """A measurement to be made or read."""

    stem: Path
    """Path of its file without the suffix."""

    task: Task


class Result(NamedTuple):
    """What was measured, and where it comes from."""

    tidy: pd.DataFrame
    """One figure in each row: table, split, method, metric, value, versions."""

    provenance: dict[str, Any]
    """``protocol``, ``command``, ``date``, ``machine``, and ``tables``: a line on each."""


def versions() -> str:
    """Versions of what is measured, as one text."""
    return " ".join(f"{name}={version(name)}" for name in VERSIONED)


def run(protocol: Protocol, options: Options, *, processes: int = 1, fresh: bool = False) -> Result:
    """Measure all that is asked for and no earlier run has stored; `fresh` forgets that first, and nothing else.

    Several processes may share the work, and several commands; only the first may ask for `fresh`.
    """
    options = protocol.with_defaults(options)
    work = cache_dir() / "benchmarks" / protocol.name
    runs = runs_of(protocol, options, work)
    tables = {one.task.table.name: one.task.table for one in runs}
    lines = {name: protocol.describe(table, options) for name, table in tables.items()} if protocol.describe else {}
    for one in runs if fresh else ():
        one.stem.with_suffix(".json").unlink(missing_ok=True)
    if processes > 1:
        with ProcessPoolExecutor(processes - 1, mp_context=multiprocessing.get_context("spawn")) as pool:
            others = [pool.submit(_work, protocol, options, work) for _ in range(processes - 1)]
            measure_runs(protocol, runs)
            for other in others:
                other.result()
    measure_runs(protocol, runs)
    tidy = tidy_frame(protocol, runs)
    provenance = {"protocol": protocol.name, "command": command_line(protocol, options), **_here(), "tables": lines}
    return Result(protocol.derive(tidy) if protocol.derive else tidy, provenance)


def _work(protocol: Protocol, options: Options, work: Path) -> None:
    measure_runs(protocol, runs_of(protocol, options, work))


def runs_of(protocol: Protocol, options: Options, work: Path) -> list[Run]:
    """All runs, table by table and split by split."""
    repeats, threads = options.repeats or protocol.repeats, options.threads or protocol.threads
    groups, splits = protocol.together(protocol.chosen_methods(options)), range(options.seed, options.seed + repeats)
    tables = read_tables(options.tables, options.rows or protocol.rows, number=protocol.number)
    keys = product(tables, splits, groups)
    return [_run(Task(table, split, methods, threads, options), work) for table, split, methods in keys]


def _run(task: Task, work: Path) -> Run:
    """A run is stored under what a person calls it, and a hash of all that its figures depend on."""
    from imbllm_autogluon.plugin.ensemble import _ENSEMBLE_VERSION
    from imbllm_autogluon.rebalancing.rows import _KEY_VERSION

    name = f"{task.table.name} {task.split} {' '.join(task.methods)[:60]}"
    table = [task.table.name, task.table.label, task.table.digest]
    own = [dict(task.methods), dict(task.options.own), task.threads, task.split]
    text = json.dumps([versions(), _KEY_VERSION, _ENSEMBLE_VERSION, table, own], sort_keys=True, default=str)
    plain = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
    return Run(work / f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:12]}", task)


def measure_runs(protocol: Protocol, runs: Sequence[Run]) -> None:
    """Measure runs next to other processes that measure the same ones.

    A process skips what another one is measuring, and waits for it when nothing else is left. What a killed process was
    measuring is measured by the next one: a lock ends with its holder.
    """
    for timeout in (0, -1):  # seconds; -1: no limit
        for one in runs:
            _measure_alone(protocol, one, timeout)


def _measure_alone(protocol: Protocol, one: Run, timeout: float) -> None:
    """Measure a run unless it is stored, or locked elsewhere for longer than `timeout` seconds."""
    stored = one.stem.with_suffix(".json")
    stored.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(one.stem.with_suffix(".lock"), timeout=timeout):
            if not stored.is_file():
                log.warning("%s: measuring %s.", protocol.name, one.stem.name)
                found = protocol.measure(one.task)
                if isinstance(found, Mapping):
                    found = [{"metric": name, "value": value} for name, value in found.items()]
                draft = one.stem.with_suffix(".draft")
                draft.write_text(json.dumps({"rows": found, **_here()}), encoding="utf-8")
                draft.replace(stored)
    except Timeout:
        log.warning("%s: another process measures %s.", protocol.name, one.stem.name)


def tidy_frame(protocol: Protocol, runs: Sequence[Run]) -> pd.DataFrame:
    """The stored figures of all runs, one in each row, without those that are None; methods in the protocol's order."""
    rows: list[dict[str, Any]] = []
    for one in runs:
        found = json.loads(one.stem.with_suffix(".json").read_text(encoding="utf-8"))["rows"]
        keys = {"table": one.task.table.name, "split": one.task.split, "method": next(iter(one.task.methods))}
        rows += [{**keys, **row} for row in found if row["value"] is not None]
    tidy = pd.DataFrame(rows, columns=list(dict.fromkeys([*protocol.columns, *(key for row in rows for key in row)])))
    return tidy.astype({"value": "float64"}).assign(versions=tidy.get("versions", versions()))


def command_line(protocol: Protocol, options: Options) -> str:
    """The command that repeats a run; of files only their names are told."""
    named = options.tables if options.tables not in (protocol.tables, protocol.choosing) else ()
    words = ["python -m benchmarks", protocol.name]
    words += [f"--table {shlex.quote(Path(table).name)}" for table in named]
    numbers = {name: getattr(options, name) for name in ("rows", "repeats", "threads")}
    numbers["seed"] = options.seed or None
    words += [f"--{name} {value}" for name, value in numbers.items() if value is not None]
    words += [f"--method {shlex.quote(method)}" for method in options.methods]
    words += [f"--setting {key}={'none' if value is None else value}" for key, value in options.settings.items()]
    changed = {name: value for name, value in options.own.items() if value != protocol.options[name].default}
    return " ".join([*words, *(text for name, value in changed.items() for text in _flags(name, value))])


def _flags(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag] if value else []
    many = value if isinstance(value, (list, tuple)) else [value]
    return [f"{flag} {shlex.quote(Path(str(one)).name if Path(str(one)).exists() else str(one))}" for one in many]


def _here() -> dict[str, str]:
    import platform

    today = datetime.now(tz=timezone.utc).date().isoformat()
    return {"date": today, "machine": f"{platform.machine()}, Python {platform.python_version()}"}


def in_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a module's function in a fresh interpreter, so that peak memory and caches are its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(partial(function, *arguments)).result()
