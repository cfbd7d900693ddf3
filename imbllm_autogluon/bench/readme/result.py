"""Result files of one benchmark: its figures, and where they come from."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.readme.words import counted
from imbllm_autogluon.errors import StoredStateError

if TYPE_CHECKING:
    from collections.abc import Sequence

LINKED = "imbllm_autogluon/bench/results"
"""Folder of the pages, as README.md sees it."""

RUN_LINE, MEASURED_LINE = r"^Command: `(.+)`\.$", r"^(\d{4}-\d\d-\d\d; .+; \S+=.+)$"
"""What every page of results holds, see :func:`imbllm_autogluon.bench.results.write_results`."""


@dataclass(frozen=True)
class Result:
    """What one benchmark measured."""

    name: str
    """Of the files."""

    tidy: pd.DataFrame
    """One measured value in each row, as the CSV has them; `dataset` and `measure` are called `table` and `metric`."""

    page: str
    """The Markdown page."""

    @classmethod
    def read(cls, name: str, folder: Path) -> Result:
        """Read ``NAME.csv`` and ``NAME.md``.

        Raises
        ------
        StoredStateError
            One of them is missing.
        """
        csv, page = folder / f"{name}.csv", folder / f"{name}.md"
        for path in (csv, page):
            if not path.is_file():
                raise StoredStateError(
                    f"README.md has a block {name!r}, but there is no result file {path.name!r} in {str(folder)!r}; "
                    f"run `imbllm bench {name.replace('_', '-')}`, or remove the block."
                )
        # An arm may be called None or NA; only an empty cell is no value. By default pandas reads floats a little off,
        # so that a half may be rounded otherwise than on the page.
        tidy = pd.read_csv(csv, keep_default_na=False, na_values=[""], float_precision="round_trip")
        names = {"dataset": "table", "measure": "metric"}
        return cls(name, tidy.rename(columns=names), page.read_text(encoding="utf-8"))

    @property
    def command(self) -> str:
        """What repeats the measurement.

        Raises
        ------
        StoredStateError
            The page does not tell.
        """
        return self._line(RUN_LINE, "the line with its command")

    def option(self, name: str) -> str:
        """Value of an option of the command; an empty text where it was not given."""
        return next(iter(self._options(name)), "")

    def settings(self) -> list[str]:
        """``KEY=VALUE`` of each ``--setting`` of the command."""
        return self._options("setting")

    def title(self, table: str) -> str:
        """Name of a table; of a number cut in two the command tells where.

        The file and its label are all that the command tells: ``houses.csv:price>=200000`` is *houses, price ≥ 200000*.
        """
        for path, _, label in (named.partition(":") for named in self._options("table")):
            if Path(path).stem == table and ">=" in label:
                return f"{table}, {label.replace('>=', ' ≥ ')}"
        return table

    def by_arm(self, metric: str, arms: Sequence[str] = ()) -> pd.DataFrame:
        """One metric: means over the splits, a row for each table, a column for each arm.

        Parameters
        ----------
        metric
            Of the CSV.
        arms
            Columns wanted, in this order; those that were not measured are left out. None named: all.
        """
        chosen = self.tidy[self.tidy["metric"] == metric]
        wide = chosen.pivot_table("value", "table", "arm", sort=False).rename_axis(index=None, columns=None)
        return wide[[arm for arm in arms if arm in wide] if arms else list(wide)]

    def titled(self, frame: pd.DataFrame, heading: str = "table") -> pd.DataFrame:
        """A frame indexed by tables, as a table to print: its first column holds their titles."""
        return frame.rename(index=self.title).rename_axis(index=heading, columns=None).reset_index()

    @property
    def splits(self) -> str:
        """How many splits a table has, such as *3 splits* or *1 to 5 splits*."""
        numbers = self.tidy.groupby("table")["split"].nunique()
        if numbers.min() == numbers.max():
            return counted(int(numbers.max()), "split")
        return f"{numbers.min()} to {numbers.max()} splits"

    @property
    def threads(self) -> str:
        """Threads of the measurement."""
        return counted(int(self.option("threads") or 1), "thread")

    def origin(self, more: str) -> str:
        """The line below a block: date, machine, versions, command, and the page with everything else.

        Parameters
        ----------
        more
            What that page holds beside the block.
        """
        measured = self._line(MEASURED_LINE, "the line with date and versions")
        return f"<sub>{measured}; `{self.command}`; [{more}]({LINKED}/{self.name}.md)</sub>"

    def _options(self, name: str) -> list[str]:
        """Every value of an option of the command."""
        words = shlex.split(self.command)
        return [value for flag, value in pairwise(words) if flag == f"--{name}"]

    def _line(self, pattern: str, what: str) -> str:
        found = re.findall(pattern, self.page, re.MULTILINE)
        if not found:
            raise StoredStateError(f"{self.name}.md has lost {what}; run the benchmark again.")
        return str(found[-1])
