"""ImbLLM for regression: rows of rare targets written in input space, the peer of synthetic features.

The class of ImbLLM (arXiv 2510.09783) is the bin of the target, or its value, and the target itself is one more column,
so that a written row comes with an exact target. Pairing ImbLLM with bins is our own: the paper is about classes. It is
stored beside the generator that it holds, never as pickle.
"""

from __future__ import annotations

import copy
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from imbllm_autogluon._storage import kind_of, reading, writing
from imbllm_autogluon.configuration import require_choice
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.oversampling.methods import load_generator, save_generator
from imbllm_autogluon.randomness import base_seed, child_seed
from imbllm_autogluon.regression.target_groups import TargetGroups
from imbllm_autogluon.regression.targets import checked_counts, targets_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    import numpy.typing as npt
    from typing_extensions import Self

    from imbllm_autogluon.oversampling.report import OversamplingReport
    from imbllm_autogluon.randomness import RandomState
    from imbllm_autogluon.regression.bins import TargetBins
    from imbllm_autogluon.regression.target_groups import Clause
    from imbllm_autogluon.tables import ColumnName, Kind


log = logging.getLogger(__name__)

MOST_ROUNDS = 3
"""Times that rows are written again whose target lies outside the range that their first clause names."""

_KIND, _GENERATOR = "generator of targets", "generator"


class TargetImbLLM:
    """Writes rows for bins of a continuous target.

    Parameters
    ----------
    config
        How rows are learned, prompted and decoded.
    clause
        What a row begins with: the `bin` of its target, or the `value` where its bin is not crowded.
    random_state
        Seed, NumPy random generator, or `None` for a fresh seed.
    threads
        torch threads; `None` leaves the process's count alone.

    Attributes
    ----------
    groups : TargetGroups
        The classes that were learned: bins, small ones joined.
    generator : ImbLLM
        The generator behind it.
    agreement : float
        Share of the rows written so far whose target lay in the range that their first clause names; the others were
        written again, up to 3 times.

    Examples
    --------
    >>> from imbllm_autogluon.oversampling import GeneratorConfig
    >>> from imbllm_autogluon.regression.bins import TargetBins
    >>> X = pd.DataFrame({"rooms": range(1, 31), "town": ["A", "B", "A"] * 10})
    >>> y = pd.Series(np.linspace(0, 3, 30) ** 3, name="price")
    >>> quick = GeneratorConfig.from_flat({"warmup_steps": 2, "steps": 2})
    >>> writer = TargetImbLLM(quick, random_state=0).fit(X, y, TargetBins.fit(y, n_bins=3), {2: 4})
    >>> rows, prices = writer.sample()
    >>> rows.shape, prices.name
    ((4, 2), 'price')
    """

    def __init__(
        self,
        config: GeneratorConfig | None = None,
        *,
        clause: Clause = "bin",
        random_state: RandomState = None,
        threads: int | None = None,
    ) -> None:
        require_choice("clause", clause, ("bin", "value"))
        self.clause: Clause = clause
        self.seed = base_seed(random_state)
        self.generator = ImbLLM(_unjudged(config or GeneratorConfig()), random_state=self.seed, threads=threads)
        self.groups: TargetGroups
        self._target: str
        self._target_name: Hashable = None
        self._written = self._inside = 0

    def fit(
        self,
        X: pd.DataFrame,
        y: pd.Series,
        bins: TargetBins,
        counts: Mapping[int, int],
        *,
        kinds: Mapping[ColumnName, Kind] | None = None,
        time_limit: float | None = None,
        warm_start: Path | None = None,
    ) -> Self:
        """Learn to write rows of the bins that need some.

        Parameters
        ----------
        X, y
            Real rows, shapes (n, m) and (n,). Never modified. Targets are finite numbers.
        bins
            Bins of the target.
        counts
            New rows by number of the bin; those of a bin without rows go to the nearest target.
        kinds
            Column kinds that override the ones guessed from dtypes.
        time_limit
            Seconds that training may take.
        warm_start
            File for the weights after the warm-up, see
            :meth:`~imbllm_autogluon.oversampling.generator.LanguageGenerator.fit`.

        Raises
        ------
        TableError
            The table cannot be used; the message names the column.
        InvalidInputError
            Lengths differ, a target is missing or infinite, all are equal, or `counts` are not those of bins.
        """
        target = targets_of(X, y)
        self.groups = TargetGroups.of(target, bins, checked_counts(counts, len(bins)), self.clause)
        if not self.groups.counts:
            raise InvalidInputError("counts ask for 0 rows in all; ask for at least 1.")
        self._target, self._target_name = _free_name(y.name, X), y.name
        self._written = self._inside = 0
        names = self.groups.names
        label = pd.Series([names[group] for group in self.groups.of_rows], name=f"{self._target} range", dtype=object)
        table = X.reset_index(drop=True).assign(**{str(self._target): y.to_numpy()})
        kind: Kind = "integer" if pd.api.types.is_integer_dtype(y.dtype) else "continuous"
        wanted: dict[Hashable, int] = {names[group]: n for group, n in self.groups.counts.items()}
        own_kinds = {**(kinds or {}), self._target: kind}
        self.generator.fit(table, label, wanted, kinds=own_kinds, time_limit=time_limit, warm_start=warm_start)
        return self

    def with_config(self, config: GeneratorConfig, *, threads: int | None) -> TargetImbLLM:
        """The same trained generator under other settings of sampling; settings of training have no effect any more."""
        other = copy.copy(self)
        other.generator = self.generator.with_config(_unjudged(config), threads=threads)
        other._written = other._inside = 0
        return other

    @property
    def report(self) -> OversamplingReport:
        """What fitting and writing did so far, by range of the target."""
        return self.generator.report

    @property
    def agreement(self) -> float:
        """See the class; NaN before the first row."""
        return self._inside / self._written if self._written else float("nan")

    def sample(
        self, counts: Mapping[int, int] | None = None, *, random_state: RandomState = None
    ) -> tuple[pd.DataFrame, pd.Series]:
        """Write rows of the bins that were learned.

        Parameters
        ----------
        counts
            New rows by number of the bin; default: those that :meth:`fit` was asked for.
        random_state
            Seed of this sample; default: the generator's own, so that repeated calls give the same rows.

        Returns
        -------
        X, y
            Exactly the wanted number of rows of each range, in the dtypes of the real ones, with a fresh index. Targets
            are numbers that the real ones could be, their decimals and range included.

        Raises
        ------
        InvalidInputError
            `counts` name a bin that was not learned, or ask for no row.
        """
        wanted = self.groups.counts
        if counts is not None:
            wanted = self.groups.counts_of(checked_counts(counts, len(self.groups.held)), self.groups.counts)
        if not wanted:
            raise InvalidInputError("counts ask for 0 rows in all; ask for at least 1.")
        seed = self.seed if random_state is None else base_seed(random_state)
        written = {group: self._rows_of(group, n, seed) for group, n in wanted.items()}
        rows = pd.concat(written.values(), ignore_index=True)
        targets = rows.pop(self._target)
        targets.name = self._target_name
        return rows, targets

    def _rows_of(self, group: int, n_rows: int, seed: int) -> pd.DataFrame:
        """Rows of one group, targets included: those inside its range, or after some rounds the nearest to it."""
        name, parts, missing = self.groups.names[group], [], n_rows
        for number in range(MOST_ROUNDS + 1):
            rows, _ = self.generator.sample({name: missing}, random_state=child_seed(seed, "decoding", group, number))
            parts.append(rows)
            distance = self._distance(rows, group)
            self._written += len(rows)
            self._inside += int((distance == 0).sum())
            missing -= int((distance == 0).sum())
            if not missing:
                break
        table = pd.concat(parts, ignore_index=True)
        if missing:
            log.info("%d of %d rows of target %s lie outside; the nearest ones stay.", missing, n_rows, name)
        nearest = np.argsort(self._distance(table, group), kind="stable")[:n_rows]
        return table.iloc[np.sort(nearest)]

    def _distance(self, rows: pd.DataFrame, group: int) -> npt.NDArray[np.float64]:
        return self.groups.distance(rows[self._target].to_numpy(dtype=np.float64), group)


def _unjudged(config: GeneratorConfig) -> GeneratorConfig:
    """The same settings; no row is refused as implausible by default: a bin's neighbours are no other classes."""
    if config.filters.plausibility is not None:
        return config
    return replace(config, filters=replace(config.filters, plausibility=0.0))


def _free_name(name: object, X: pd.DataFrame) -> str:
    """A name for the column of targets that no feature has."""
    free = name if isinstance(name, str) and name else "target"
    while free in X.columns:
        free += "_"
    return free


def save_target_generator(writer: TargetImbLLM, folder: Path) -> None:
    """Write a fitted generator of targets into `folder`, which is created.

    Raises
    ------
    StoredStateError
        A column holds objects that cannot be stored (tuples, a user's own class, ...).
    """
    groups, name = writer.groups, writer._target_name
    with writing(folder, _KIND) as draft:
        save_generator(writer.generator, draft.folder / _GENERATOR)
        draft.arrays = {"of_rows": groups.of_rows, "lows": groups.lows, "highs": groups.highs, "held": groups.held}
        draft.data = {
            "clause": writer.clause,
            "seed": writer.seed,
            "target": writer._target,
            "target_name": name if isinstance(name, (str, int)) else None,
            "counts": sorted(groups.counts.items()),
        }


def holds_target_generator(folder: Path) -> bool:
    """Whether a folder was written by :func:`save_target_generator`."""
    return kind_of(folder) == _KIND


def load_target_generator(folder: Path) -> TargetImbLLM:
    """Read a generator written by :func:`save_target_generator`; it writes the same rows as the saved one.

    Raises
    ------
    StoredStateError
        A file is absent, broken, or of another format.
    """
    with reading(folder, _KIND) as stored:
        state, arrays = stored.data, stored.arrays()
        writer = TargetImbLLM(clause=state["clause"], random_state=state["seed"])
        writer.generator = cast("ImbLLM", load_generator(stored.folder / _GENERATOR))
        writer.groups = TargetGroups(**arrays, counts={int(group): int(n) for group, n in state["counts"]})
        writer._target, writer._target_name = state["target"], state["target_name"]
        return writer
