"""Whole tables: learn one, write another of the same form; what ``imbllm train`` and ``imbllm sample`` run."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon._config import list_settings, require_number
from imbllm_autogluon._random import RandomState, base_seed, child_rng
from imbllm_autogluon._storage import STATE_NAME, files_in, kind_of, locked, reading, require_writable, writing
from imbllm_autogluon.errors import ClassTooSmallError, InvalidInputError, StoredStateError, nearest
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.methods import generator_of, load_generator, save_generator
from imbllm_autogluon.tables.labeled import check_label_column

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from typing_extensions import Self

    from imbllm_autogluon.oversampling.generator import LanguageGenerator
    from imbllm_autogluon.oversampling.pred_llm import PredLLMGenerator
    from imbllm_autogluon.oversampling.report import OversamplingReport
    from imbllm_autogluon.tables import ColumnName, Kind
    from imbllm_autogluon.tables.labeled import LabeledTable

_CHECKPOINT = "checkpoint"  # folder of unfinished training inside the folder of a generator
_KIND, _GENERATOR = "trained generator", "generator"


class TableSynthesizer:
    """Writes tables like one that it has seen, every class of the label included.

    Parameters
    ----------
    method
        Name of the method of `generator`, see :data:`~imbllm_autogluon.oversampling.methods.GENERATORS`.
    settings : Mapping or GeneratorConfig, optional
        How rows are learned, prompted and decoded: settings by name, or a configuration.
    random_state, threads
        See :class:`~imbllm_autogluon.oversampling.generator.LanguageGenerator`.
    config
        Former name of `settings`.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> X, y = load_hypothyroid()
    >>> quick = {"pretrain_steps": 2, "steps": 2}
    >>> table = TableSynthesizer(settings=quick, random_state=0).fit(X.assign(diagnosis=y), "diagnosis")
    >>> table.sample(100)["diagnosis"].value_counts().to_dict()
    {'negative': 95, 'hypothyroid': 5}
    """

    def __init__(
        self,
        method: str = "great",
        settings: Mapping[str, Any] | GeneratorConfig | None = None,
        random_state: RandomState = None,
        threads: int | None = None,
        *,
        config: GeneratorConfig | None = None,
    ) -> None:
        if config is not None:
            warnings.warn(
                "config is called settings now; the next version will refuse it.", FutureWarning, stacklevel=2
            )
            settings = config
        flat = settings.flat() if isinstance(settings, GeneratorConfig) else settings or {}
        self.generator: LanguageGenerator = generator_of(
            {**flat, "method": method}, random_state=random_state, threads=threads
        )
        self._label: ColumnName = ""
        self._columns: list[ColumnName] = []
        self._sizes: dict[Hashable, int] = {}

    def fit(self, df: pd.DataFrame, label: ColumnName, *, kinds: Mapping[ColumnName, Kind] | None = None) -> Self:
        """Learn a table.

        Parameters
        ----------
        df
            Features and label, shape (n, m + 1), no missing labels. Never modified.
        label
            Name of the label column.
        kinds
            Column kinds that override the ones guessed from dtypes.

        Raises
        ------
        TableError
            The table or its label cannot be used; the message names the column.
        ClassTooSmallError
            A class has a single row.
        """
        check_label_column(df, label, "the table")
        y = df[label]
        sizes = {value: int(n) for value, n in y.value_counts(sort=False).items() if n}
        self.generator.fit(df.drop(columns=[label]), y, sizes, kinds=kinds)
        self._label, self._columns, self._sizes = label, list(df.columns), sizes
        return self

    def sample(self, n: int, *, random_state: RandomState = None) -> pd.DataFrame:
        """Write a table whose classes have the shares of the learned one.

        Parameters
        ----------
        n
            Rows, 0 or more.
        random_state
            Seed of this sample; default: the synthesizer's own, so that repeated calls give the same rows.

        Returns
        -------
        DataFrame
            Exactly `n` rows in random order, in the columns, order and dtypes of the learned table, with a fresh index;
            shares are exact but for rounding.
        """
        require_number("n", n, 0, whole=True)
        self._require_fit()
        seed = self.generator.seed if random_state is None else base_seed(random_state)
        rows = self.sample_class(_in_shares(n, self._sizes), random_state=seed)
        return rows.iloc[child_rng(seed, "order", "written rows").permutation(len(rows))].reset_index(drop=True)

    def sample_class(self, counts: Mapping[Hashable, int], *, random_state: RandomState = None) -> pd.DataFrame:
        """Write so many rows (0 or more) of each class of `counts`; `InvalidInputError` for unknown classes.

        Pred-LLM writes fewer, with a warning, of a class that its model gives too few rows.
        """
        self._require_fit()
        return _with_label(*self.generator.sample(counts, random_state=random_state), self._label, self._columns)

    @property
    def report(self) -> OversamplingReport:
        """What fitting and sampling did so far."""
        return self.generator.report

    def _require_fit(self) -> None:
        if not self._columns:
            raise InvalidInputError("this synthesizer has seen no table yet; call fit(df, label) first.")


@list_settings(GeneratorConfig)
class PredLLM(TableSynthesizer):
    """Writes tables like one that it has seen, and asks its model for the label of each written row.

    Parameters
    ----------
    settings : Mapping or GeneratorConfig, default=None
        How rows are learned, prompted and decoded: settings by name, or a configuration.
    random_state : int, RandomState, Generator or None, default=None
        Seed; the same seed on the same machine with the same number of threads gives the same rows.
    threads : int (1 to 1,024) or None, default=None
        torch threads; `None` leaves the process's count alone.
    config
        Former name of `settings`.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> X, y = load_hypothyroid()
    >>> table = PredLLM({"pretrain_steps": 2, "steps": 2}, random_state=0).fit(X.assign(diagnosis=y), "diagnosis")
    >>> table.sample(100).shape, table.predict_proba(X.head(3)).columns.tolist()
    ((100, 26), ['negative', 'hypothyroid'])
    """

    generator: PredLLMGenerator

    def __init__(
        self,
        settings: Mapping[str, Any] | GeneratorConfig | None = None,
        random_state: RandomState = None,
        threads: int | None = None,
        *,
        config: GeneratorConfig | None = None,
    ) -> None:
        super().__init__("pred_llm", settings, random_state, threads, config=config)

    def sample(self, n: int, *, random_state: RandomState = None) -> pd.DataFrame:
        """Write a table; each row has the class that the model gives it, so class shares are the model's own.

        Where every class is too small for a language model, see :meth:`TableSynthesizer.sample`.
        """
        require_number("n", n, 0, whole=True)
        self._require_fit()
        if self.generator._writer is None:
            return super().sample(n, random_state=random_state)
        return _with_label(*self.generator.sample_rows(n, random_state=random_state), self._label, self._columns)

    def predict_proba(self, df: pd.DataFrame) -> pd.DataFrame:
        """Probability of each class of the rows of `df`, by the label query: a column for each class, in its index.

        Columns that are no features are not looked at; unknown categories are left out of a row's sentence.
        """
        self._require_fit()
        model = self.generator.label_model
        assert model.schema.label is not None
        rows = self.generator.renamed(df)
        return pd.DataFrame(model.probabilities(rows), index=df.index, columns=list(model.schema.label.categories))


def write_rows(
    table: LabeledTable,
    counts: Mapping[Hashable, int],
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    threads: int | None = None,
) -> tuple[pd.DataFrame, OversamplingReport]:
    """Learn the classes of `counts` and write that many new rows (1 or more) of each.

    Returns the written rows alone, with their label, in the columns, order and dtypes of the table. `settings` are
    those of :func:`~imbllm_autogluon.oversampling.methods.generator_of`. A class of one row is a `ClassTooSmallError`,
    no written row at all an `InvalidInputError`.
    """
    generator = _trained(table, counts, generator_of(settings or {}, random_state=seed, threads=threads))
    rows = _with_label(*generator.sample(), table.label, list(table.frame.columns))
    return _some(rows, generator.report, table.frame.attrs)


def train_into(
    folder: Path,
    table: LabeledTable,
    counts: Mapping[Hashable, int],
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    threads: int | None = None,
    force: bool = False,
) -> OversamplingReport | None:
    """Train a generator as :func:`write_rows` does and save it; its report, or None in all processes but the first.

    Interrupted and called again, training resumes where it stopped. Started by ``accelerate launch`` in several
    processes, all of them train one generator and the first one saves it. A folder of other files, or with a generator
    that `force` does not allow to replace, is an `InvalidInputError`.
    """
    from imbllm_autogluon.language.hardware import Processes

    _check_folder(folder, force)
    generator = generator_of(settings or {}, random_state=seed, threads=threads)
    processes = Processes.of_launch()
    with locked(folder) if processes.is_first else nullcontext():
        _trained(table, counts, generator, folder / _CHECKPOINT)
        if processes.is_first:
            with writing(folder, _KIND) as draft:
                frame = table.frame
                draft.data = {"label": table.label, "columns": list(frame.columns), "attrs": dict(frame.attrs)}
                save_generator(generator, draft.folder / _GENERATOR)
    processes.wait()
    return generator.report if processes.is_first else None


def write_from(
    folder: Path, counts: Mapping[str, int] | None, *, seed: int = 0, threads: int | None = None
) -> tuple[pd.DataFrame, OversamplingReport]:
    """Write rows with a generator that :func:`train_into` saved: by class as text, or as many as it was trained for.

    A folder without a usable generator is a `StoredStateError`, an unknown class or no row an `InvalidInputError`.
    """
    if not (folder / STATE_NAME).exists():
        interrupted = "its training was interrupted: repeat the same 'imbllm train' to go on with it"
        remedy = interrupted if (folder / _CHECKPOINT).is_dir() else "make one with 'imbllm train', or name its folder"
        raise StoredStateError(f"{folder} holds no trained generator; {remedy}.")
    for name, n in (counts or {}).items():
        _require_rows(name, n)
    with reading(folder, _KIND) as stored:
        generator, form = load_generator(stored.folder / _GENERATOR), stored.data
    generator = generator.with_config(generator.config, threads=threads)
    named = None if counts is None else _by_label(generator, counts)
    rows = _with_label(*generator.sample(named, random_state=seed), form["label"], form["columns"])
    return _some(rows, generator.report, form["attrs"])


def _some(
    rows: pd.DataFrame, report: OversamplingReport, attrs: Mapping[Any, Any]
) -> tuple[pd.DataFrame, OversamplingReport]:
    """The rows, one at least and with the attributes of their table (how its file writes numbers), and the report."""
    if rows.empty:
        raise InvalidInputError(
            f"no row was written, because the model gave none the class that was wanted: {report.describe()}. Raise "
            "candidates_per_row, or choose the method 'imbllm' or 'great', which write rows behind their label."
        )
    rows.attrs.update(attrs)
    return rows, report


def _require_rows(label: Hashable, n: int) -> None:
    require_number(f"the number of rows of {label!r}", n, 1, whole=True)


def _trained(
    table: LabeledTable, counts: Mapping[Hashable, int], generator: LanguageGenerator, checkpoint: Path | None = None
) -> LanguageGenerator:
    for label, n in counts.items():
        _require_rows(label, n)
        if table.counts[label] < 2:
            raise ClassTooSmallError(
                f"{table.source}: class {label!r} of the label {table.label!r} has 1 row; at least 2 are needed to "
                "write more. Collect more rows of it, or ask for another class with --n and --label-value."
            )
    return generator.fit(table.features, table.labels, counts, checkpoint=checkpoint)


def _check_folder(folder: Path, force: bool) -> None:
    """Refuse a folder with a generator, unless it is to be replaced, one with anything else, and one without access."""
    require_writable(folder)
    found = files_in(folder) if folder.is_dir() else set()
    if kind_of(folder) == _KIND and not force:
        raise InvalidInputError(f"{folder} holds a trained generator; write rows with it, or train again with --force.")
    if found and kind_of(folder) != _KIND and _CHECKPOINT not in found:
        raise InvalidInputError(f"{folder} holds other files ({min(found)}, …); name a new folder.")


def _by_label(generator: LanguageGenerator, counts: Mapping[str, int]) -> dict[Hashable, int]:
    """Counts by the label itself instead of its text."""
    assert generator.schema.label is not None
    labels = {str(label): label for label in generator.schema.label.categories}
    for name in counts:
        if name not in labels:
            raise InvalidInputError(f"{name!r} is no class of this generator{nearest(name, labels)}: {[*labels]}.")
    return {labels[name]: n for name, n in counts.items()}


def _in_shares(total: int, sizes: Mapping[Hashable, int]) -> dict[Hashable, int]:
    """Cut `total` in proportion to `sizes`, exactly: rests go to the largest remainders, equal ones to the first."""
    whole = sum(sizes.values())
    counts = {label: total * size // whole for label, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda label: -(total * sizes[label] % whole))
    for label in by_remainder[: total - sum(counts.values())]:
        counts[label] += 1
    return counts


def _with_label(rows: pd.DataFrame, labels: pd.Series, label: ColumnName, columns: list[ColumnName]) -> pd.DataFrame:
    """Written rows in the columns of the learned table."""
    rows[label] = labels
    return rows[columns]
