"""GReaT: a language model of the whole table (Borisov et al. 2023, arXiv 2210.06280)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from imbllm_autogluon.oversampling.config import ConditioningConfig
from imbllm_autogluon.oversampling.lessons import Lessons
from imbllm_autogluon.oversampling.whole_table import WHOLE_TABLE_TEMPERATURE, WholeTableGenerator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.oversampling.lessons import LabelledCells
    from imbllm_autogluon.sentences import SentenceEncoding


class GReaT(WholeTableGenerator):
    """A generator that learns every row of a table with its own label, clauses in any order, and writes all classes.

    Rows begin with the label alone, so that each class gets its exact count without rejection. Stages and settings: see
    :class:`~imbllm_autogluon.oversampling.whole_table.WholeTableGenerator`.

    Parameters
    ----------
    config, random_state, threads
        See :class:`~imbllm_autogluon.oversampling.generator.LanguageGenerator`.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> from imbllm_autogluon.oversampling import GeneratorConfig, GReaT
    >>> X, y = load_hypothyroid()
    >>> quick = GeneratorConfig.from_flat({"warmup_steps": 2, "steps": 2})
    >>> generator = GReaT(quick, random_state=0).fit(X, y, {"hypothyroid": 3, "negative": 4})
    >>> generator.sample()[1].value_counts().to_dict()
    {'negative': 4, 'hypothyroid': 3}
    """

    method: ClassVar[str] = "great"
    own_choices: ClassVar[Mapping[str, Any]] = {
        "order": "permute_xy",
        "column_order_share": 0.0,
        "temperature": WHOLE_TABLE_TEMPERATURE,
    }

    def _conditioning(self) -> ConditioningConfig:
        """The label alone."""
        return ConditioningConfig(conditioning="y")

    def _lessons(self, fold: LabelledCells, encoding: SentenceEncoding) -> Lessons:
        """The whole fold."""
        return Lessons(encoding.encode(*fold.learned), encoding.encode(*fold.held_out), stage="whole table")
