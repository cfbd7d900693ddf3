"""GReaT: a language model of the whole table (Borisov et al. 2023, arXiv 2210.06280)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from imbllm_autogluon.oversampling.config import ConditioningConfig
from imbllm_autogluon.oversampling.generator import LanguageGenerator
from imbllm_autogluon.oversampling.lessons import Lessons

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.oversampling.lessons import LabelledCells
    from imbllm_autogluon.sentences import SentenceEncoding

    IntArray = npt.NDArray[np.int64]


class GReaT(LanguageGenerator):
    """A generator that learns every row of a table with its own label, clauses in any order, and writes all classes.

    Rows begin with the label alone, so that each class gets its exact count without rejection. There is one stage of
    training, as long as the two of ImbLLM: `warmup_steps` + `steps`, or `epochs` passes over the table. Settings of
    interpolation only matter for classes of 2 to 5 rows; `conditioning` and `warmup` do not matter.

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
    own_choices: ClassVar[Mapping[str, Any]] = {"order": "permute_xy", "column_order_share": 0.0}

    def _language(self) -> LanguageConfig:
        """One stage as long as warm-up and fine-tuning together."""
        language = super()._language()
        assert language.warmup_steps is not None
        assert language.steps is not None
        steps = language.steps if language.epochs else language.warmup_steps + language.steps
        return replace(language, warmup="none", steps=steps)

    def _learned_classes(self, codes: IntArray) -> list[int]:
        """Every class."""
        return [int(code) for code in np.unique(codes)]

    def _conditioning(self) -> ConditioningConfig:
        """The label alone."""
        return ConditioningConfig(conditioning="y")

    def _lessons(self, fold: LabelledCells, encoding: SentenceEncoding) -> Lessons:
        """The whole fold."""
        return Lessons(encoding.encode(*fold.learned), encoding.encode(*fold.held_out))
