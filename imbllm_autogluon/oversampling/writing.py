"""Write new rows for a labelled table: the job behind ``imbllm sample``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imbllm_autogluon.configuration import require_number
from imbllm_autogluon.errors import ClassTooSmallError, InvalidInputError
from imbllm_autogluon.oversampling.config import ImbLLMConfig
from imbllm_autogluon.oversampling.imbllm import ImbLLM

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import pandas as pd

    from imbllm_autogluon.oversampling.report import OversamplingReport
    from imbllm_autogluon.tables.labelled import LabelledTable


def balancing_counts(table: LabelledTable) -> dict[Hashable, int]:
    """Rows that bring every class to the size of the largest.

    Raises
    ------
    InvalidInputError
        All classes have the same size.
    """
    largest = max(table.counts.values())
    counts = {label: largest - n for label, n in table.counts.items() if n < largest}
    if not counts:
        raise InvalidInputError(f"{table.source}: every class has {largest} rows already; there is nothing to balance.")
    return counts


def write_rows(
    table: LabelledTable,
    counts: Mapping[Hashable, int],
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    threads: int | None = None,
) -> tuple[pd.DataFrame, OversamplingReport]:
    """Learn the classes of `counts` and write that many new rows of each.

    Parameters
    ----------
    table
        Rows to learn from.
    counts
        New rows by class (1 or more each).
    settings
        Settings of :class:`~imbllm_autogluon.oversampling.config.ImbLLMConfig` by their flat names.
    seed
        Seed of the generator; the same seed on the same machine with the same threads gives the same rows.
    threads
        torch threads; `None`: as the process has it.

    Returns
    -------
    rows, report
        Written rows only, with their label, in the columns, order and dtypes of the table.

    Raises
    ------
    ClassTooSmallError
        A class has a single row.
    InvalidInputError
        A setting or a count is not allowed.

    Examples
    --------
    >>> import pandas as pd
    >>> from imbllm_autogluon.tables.labelled import LabelledTable
    >>> table = LabelledTable.of(pd.DataFrame({"age": range(20), "sick": ["no"] * 14 + ["yes"] * 6}), "sick")
    >>> rows, _ = write_rows(table, {"yes": 3}, {"steps": 1, "warmup_steps": 1})
    >>> rows["sick"].tolist()
    ['yes', 'yes', 'yes']
    """
    config = ImbLLMConfig.from_flat(settings or {})
    for label, n in counts.items():
        require_number(f"the number of rows of {label!r}", n, 1, whole=True)
        if table.counts[label] < 2:
            raise ClassTooSmallError(
                f"{table.source}: class {label!r} of the label {table.label!r} has 1 row; at least 2 are needed to "
                "write more. Collect more rows of it, or ask for another class with --n and --label-value."
            )
    generator = ImbLLM(config, random_state=seed, threads=threads).fit(table.features, table.labels, counts)
    rows, labels = generator.sample()
    return rows.assign(**{table.label: labels})[list(table.frame.columns)], generator.report
