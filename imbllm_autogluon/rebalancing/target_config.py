"""How a fold with a continuous target is rebalanced: its bins, and how many rows of rare targets are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from imbllm_autogluon.configuration import Range, require_allowed
from imbllm_autogluon.field_docs import documented
from imbllm_autogluon.regression.bins import MOST_BINS, BinKind
from imbllm_autogluon.regression.target_groups import Clause  # noqa: TC001 - read at run time by require_allowed

MOST_GENERATED = 10.0
"""New rows for each real one, at most."""


@documented
@dataclass(frozen=True)
class TargetsConfig:
    """Bins of the target of a regression and the rows made for them; read for regression only."""

    n_bins: Annotated[int, Range(2, MOST_BINS)] = 20
    """Bins of the target, laid on the targets of each fold. `quantile` lays fewer where targets repeat, `unit` does not
    read it."""

    bins: BinKind = "equal_width"
    """`equal_width`: between the lowest and the highest target; `quantile`: of about equal counts, so that no target is
    rare; `unit`: one for each whole number, as for ages in years."""

    generation_ratio: Annotated[float, Range(0.0, MOST_GENERATED)] = 0.5
    """New rows for each real one, the more for a bin the fewer rows it holds; `max_growth` limits them."""

    clause: Clause = "bin"
    """What a row of `imbllm` begins with: the `bin` of its target, or the `value` where its bin is not crowded."""

    def __post_init__(self) -> None:
        require_allowed(self)
