"""ImbLLM: minority rows written by a language model (arXiv 2510.09783)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from imbllm_autogluon.oversampling.generator import LanguageGenerator
from imbllm_autogluon.oversampling.interpolation import interpolate
from imbllm_autogluon.oversampling.lessons import Lessons
from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.sentences import Clauses
from imbllm_autogluon.tables import Cells

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.arrays import BoolArray
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.oversampling.lessons import LabelledCells
    from imbllm_autogluon.oversampling.report import ClassReport
    from imbllm_autogluon.sentences import SentenceEncoding


class ImbLLM(LanguageGenerator):
    """A generator of rows for the rare classes of one table.

    A warm-up on the whole fold is followed by the real rows of the classes that need more, and interpolated ones:
    as many as rows are wanted, times `interpolation_ratio`. Rows begin with the label and some feature values. Those
    that look like another class are written again (`plausibility`; our addition).

    Parameters
    ----------
    config, random_state, threads
        See :class:`~imbllm_autogluon.oversampling.generator.LanguageGenerator`.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> from imbllm_autogluon.oversampling import GeneratorConfig, ImbLLM
    >>> X, y = load_hypothyroid()
    >>> quick = GeneratorConfig.from_flat({"warmup_steps": 2, "steps": 2})
    >>> generator = ImbLLM(quick, random_state=0).fit(X, y, {"hypothyroid": 100})
    >>> rows, labels = generator.sample()
    >>> len(rows), set(labels)
    (100, {'hypothyroid'})
    """

    method: ClassVar[str] = "imbllm"
    own_choices: ClassVar[Mapping[str, Any]] = {
        "order": "fix_y",
        "column_order_share": 0.0,
        "temperature": 0.7,
    }
    own_plausibility: ClassVar[float] = 0.5

    def _language(self) -> LanguageConfig:
        """Steps that suit the real rows of the classes to be written, where none were chosen."""
        learned = [code for code, report in self._reports.items() if report.method == "language model"]
        n_rows = sum(self._classes[code].real.n_rows - self._classes[code].held_out for code in learned)
        return self.config.language.with_defaults(**self.own_choices).for_rare_rows(n_rows).resolved()

    def _pool(self, code: int, real: Cells, report: ClassReport) -> tuple[Cells, ClassReport]:
        """Real rows and, behind them, rows interpolated between those that are learned."""
        config = self.config.interpolation
        n_interpolated = round(config.interpolation_ratio * self._counts[code])
        if not n_interpolated:
            return real, report
        learned = real.take(np.arange(report.held_out, real.n_rows))
        made = interpolate(self.schema, learned, n_interpolated, config, child_rng(self.seed, "interpolation", code))
        report = replace(report, interpolated=n_interpolated, low_density_share=made.low_density_share)
        return Cells.concat([real, made.cells]), report

    def _lessons(self, fold: LabelledCells, encoding: SentenceEncoding) -> Lessons:
        """The fold to warm up, then real and interpolated rows of all classes that the language model writes."""
        warmup = encoding.encode(*fold.learned) if self._language().warmup == "fold" else None
        interpolated = self._clauses_of_interpolated()
        learned = {code: self._classes[code] for code in self._counts if self._reports[code].method == "language model"}
        rows = [part.learned(encoding, code, interpolated) for code, part in learned.items()]
        judging = [part.judging(encoding, code) for code, part in learned.items()]
        return Lessons(Clauses.concat(rows), Clauses.concat(judging), warmup)

    def _clauses_of_interpolated(self) -> BoolArray:
        """Clauses that interpolated rows write, the label last, shape (n_clauses,)."""
        numeric = [column.is_number for column in self.schema.columns]
        alone = self.config.interpolation.interpolated_clauses == "continuous" and any(numeric)
        return np.array([*(numeric if alone else [True] * len(numeric)), True])
