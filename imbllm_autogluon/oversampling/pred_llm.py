"""Pred-LLM: rows from a marginal start, their class asked of the model (arXiv 2410.21717)."""

from __future__ import annotations

import itertools
import logging
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import pandas as pd

from imbllm_autogluon._random import RandomState, child_rng, child_seed
from imbllm_autogluon.classification.config import ClassifierConfig
from imbllm_autogluon.oversampling.config import ConditioningConfig
from imbllm_autogluon.oversampling.filters import reject_until
from imbllm_autogluon.oversampling.generator import LanguageGenerator, Learner, SampleRequest, SyntheticRows, Writer
from imbllm_autogluon.oversampling.prompts import PromptPool
from imbllm_autogluon.oversampling.report import listed
from imbllm_autogluon.tables import EncodedTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from typing_extensions import Self

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.classification.label_model import LabelModel
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.oversampling.filters import NearRows
    from imbllm_autogluon.oversampling.generator import EncodedDataset, LearnedTable
    from imbllm_autogluon.tables import TableSchema

_log = logging.getLogger(__name__)

_FEATURE_WEIGHT = 0.3
"""Weight of a feature's value in the loss next to the label's: the label is one clause among many, and the classes of
all written rows depend on it. The ROC AUC of the label query on `bank` was 86.1 with 0.3, 82.8 with 1, 83.6 with 0.1
(two splits)."""

_STARTS = "starts"  # name of the stored rows that first values are drawn from
_ONE_VALUE = ConditioningConfig(conditioning="yx", condition_pairs=1)  # the features take turns
_SMALLEST_ROUND, _LARGEST_ROUND = 256, 8192  # candidates written at once


class _LabelLearner(Learner):
    """Learns the whole table with the label last, as a model that is asked for it."""

    choices = {"order": "permute_x", "column_order_share": 0.5, "temperature": 1.0}  # noqa: RUF012 - of the base class

    def language(self, n_rare: int) -> LanguageConfig:
        del n_rare
        return self.whole_table_language()

    def validation_classes(self, codes: IntArray, wanted: Iterable[int]) -> Iterable[int]:
        """None: the label model holds out its own rows."""
        del codes, wanted
        return ()

    def train(self, fold: EncodedDataset, table: LearnedTable, **limits: Any) -> _CandidateWriter:
        from imbllm_autogluon.classification.label_model import LabelModel

        language = self.language(table.n_rare)
        config = ClassifierConfig(feature_weight=_FEATURE_WEIGHT, measures=self.config.measures, language=language)
        model = LabelModel(config, seed=self.seed, threads=self.threads)
        del limits["warm_start"]  # there is no warm-up
        with self.progress(language.steps_for(fold.cells.n_rows)) as progress:
            model.fit(fold.X, fold.y, kinds=fold.kinds, stage="whole table", progress=progress, **limits)
        return _CandidateWriter(model, fold.cells)

    def load_writer(
        self, folder: Path, state: Mapping[str, Any], cells: Mapping[str, EncodedTable]
    ) -> _CandidateWriter:
        from imbllm_autogluon.classification.label_model import LabelModel
        from imbllm_autogluon.language.model import TableLanguageModel

        language_model = TableLanguageModel.load(folder)
        model = LabelModel.load_beside(folder, state, language_model, threads=self.threads)
        return _CandidateWriter(model, cells[_STARTS])


class _CandidateWriter(Writer):
    """Writes rows without a class and asks for it; first values are drawn from the rows `starts`."""

    def __init__(self, label_model: LabelModel, starts: EncodedTable) -> None:
        super().__init__(label_model.language_model)
        self.label_model = label_model
        self._starts = starts

    def with_language(self, language: LanguageConfig, threads: int | None) -> Self:
        other = super().with_language(language, threads)
        other.label_model = self.label_model.with_language_model(other.model, threads=threads)
        return other

    def save(self, folder: Path) -> tuple[dict[str, Any], dict[str, EncodedTable]]:
        super().save(folder)
        return self.label_model.save_beside(folder), {_STARTS: self._starts}

    def write(self, request: SampleRequest, wanted: Mapping[int, int]) -> dict[int, SyntheticRows]:
        query, classes = request.config.query, request.table.classes
        near = {code: found for code in wanted if (found := request.near(code)) is not None}
        acceptance = _Acceptance(wanted, int(query.candidates_per_row * sum(wanted.values())), near)
        rounds = itertools.count()
        while acceptance.is_open:
            code = acceptance.neediest
            starts = classes[code].real if query.start == "class" else None
            own = request.part("round", next(rounds))
            candidates, spent = self.candidates(acceptance.next_round(), own, starts)
            acceptance.take(candidates)
            acceptance.counts[code].update(spent)
            if time.perf_counter() >= request.ends:
                break
        acceptance.fill_by_rank()
        _log_ranked({code: counts["by_rank"] for code, counts in acceptance.counts.items()}, wanted, request.table)
        written = {code: SyntheticRows(acceptance.rows(code), acceptance.counts[code]) for code in wanted}
        for rows in written.values():
            rows.counts["copies_kept"] += int(request.table.known.rejects(rows.cells).sum())
        return written

    def candidates(
        self, n_rows: int, request: SampleRequest, starts: EncodedTable | None = None
    ) -> tuple[_Candidates, Counter[str]]:
        """Exactly `n_rows` rows (fewer where time runs out), in random order, with their classes, and what happened.

        First values are drawn from `starts`; None: from the whole table.
        """
        counts: Counter[str] = Counter()
        pool = self._pool(self._starts if starts is None else starts, request.table.schema)

        def draft(missing: int, attempt: int) -> EncodedTable:
            seed = child_seed(request.seed, "decoding", attempt)
            rng = child_rng(seed, "prompts")
            batches = pool.batches(missing, _ONE_VALUE, self.rows_at_once, rng, with_label=False)
            return pool.complete(self.model, batches, counts, seed=seed, threads=request.threads, ends=request.ends)

        cells = reject_until(draft, n_rows, [request.table.known], counts, ends=request.ends)
        del counts["copies_kept"]  # of those that could not be avoided only those matter that are taken
        # Batches begin with one feature each: the first rows of a class must not all begin with the same one.
        cells = cells.take(child_rng(request.seed, "order", "candidates").permutation(cells.n_rows))
        probabilities = self.label_model.probabilities_of_cells(cells)
        return _Candidates(cells, probabilities, self._answers(probabilities, request)), counts

    def _answers(self, probabilities: FloatArray, request: SampleRequest) -> IntArray:
        """Class of each row: the one the model decides for, or one drawn from its probabilities."""
        if request.config.query.answer == "highest":
            return self.label_model.decide(probabilities)
        draws = child_rng(request.seed, "decoding", "classes").random((len(probabilities), 1))
        answers = (probabilities.cumsum(axis=1) < draws).sum(axis=1).clip(max=probabilities.shape[1] - 1)
        return np.asarray(answers, dtype=np.int64)

    def _pool(self, starts: EncodedTable, schema: TableSchema) -> PromptPool:
        clauses = self.label_model.encoder.feature_clauses(self.model.encoding, starts)
        return PromptPool(starts, clauses, starts.n_rows, schema.columns)


def _log_ranked(by_rank: Mapping[int, int], wanted: Mapping[int, int], table: LearnedTable) -> None:
    """Say once which classes ran out of candidates."""
    short = [f"{n} of {wanted[code]} of {str(table.labels[code])!r}" for code, n in by_rank.items() if n]
    if short:
        _log.warning(
            "Too few candidates got the class that was wanted. Rows with the highest probability of their class "
            "among the others: %s. Raise candidates_per_row, or set start='class' or target_prior='uniform'.",
            listed(short),
        )


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Written rows and what a model says of their classes."""

    cells: EncodedTable
    probabilities: FloatArray  # shape (n, k)
    answers: IntArray  # label codes, shape (n,)

    def take(self, rows: IntArray | BoolArray) -> _Candidates:
        return _Candidates(self.cells.take(rows), self.probabilities[rows], self.answers[rows])


class _Acceptance:
    """Takes candidates for the classes that still lack rows, at most `limit`, but as many as rows are wanted."""

    def __init__(self, wanted: Mapping[int, int], limit: int, near: Mapping[int, NearRows] | None = None) -> None:
        self._wanted = dict(wanted)
        self._near = near or {}
        self._limit = max(limit, sum(wanted.values()))
        self._written = 0
        self._taken: dict[int, list[EncodedTable]] = {code: [] for code in wanted}
        self._spare: list[_Candidates] = []
        self.missing = Counter(wanted)
        self.counts: dict[int, Counter[str]] = {code: Counter() for code in wanted}

    @property
    def is_open(self) -> bool:
        return self.missing.total() > 0 and self._written < self._limit

    @property
    def neediest(self) -> int:
        return self.missing.most_common(1)[0][0]

    def next_round(self) -> int:
        """Candidates to write next: as many as should bring what is missing, by the acceptance so far."""
        if not self._written:
            size = sum(self._wanted.values())
        else:
            rates = {code: (self._wanted[code] - n) / self._written for code, n in self.missing.items() if n}
            size = int(1.1 * max(self.missing[code] / max(rate, 1 / self._written) for code, rate in rates.items()))
        return min(_LARGEST_ROUND, max(_SMALLEST_ROUND, size), self._limit - self._written)

    def take(self, found: _Candidates) -> None:
        """Take what is still wanted of each class, first come first served, and keep the rest in mind."""
        self._written += found.cells.n_rows
        left = np.ones(found.cells.n_rows, dtype=bool)
        for code in [code for code, n in self.missing.items() if n]:
            answered = np.flatnonzero(found.answers == code)
            is_near = self._is_near(code, found.cells.take(answered))
            rows = answered[~is_near][: self.missing[code]]
            self._taken[code].append(found.cells.take(rows))
            left[rows] = False
            self.missing[code] -= len(rows)
            seen = found.cells.n_rows if self.missing[code] else int(rows[-1]) + 1
            self.counts[code].update(candidates=seen, near_copies_dropped=int(is_near[answered < seen].sum()))
        self._spare.append(found.take(left))

    def fill_by_rank(self) -> None:
        """Give classes that lack rows the spare candidates of their highest probability, near copies last."""
        if not self.missing.total():
            return
        rest = _Candidates(
            EncodedTable.concat([part.cells for part in self._spare]),
            np.concatenate([part.probabilities for part in self._spare]),
            np.concatenate([part.answers for part in self._spare]),
        )
        for code, n in sorted(self.missing.items(), key=lambda item: item[1]):
            is_near = self._is_near(code, rest.cells)
            order = np.lexsort((-rest.probabilities[:, code], is_near))
            self.counts[code].update(by_rank=n, near_copies_kept=int(is_near[order[:n]].sum()))
            self._taken[code].append(rest.cells.take(order[:n]))
            self.missing[code] = 0
            rest = rest.take(np.sort(order[n:]))

    def rows(self, code: int) -> EncodedTable:
        return EncodedTable.concat(self._taken[code])

    def _is_near(self, code: int, cells: EncodedTable) -> BoolArray:
        near = self._near.get(code)
        return np.zeros(cells.n_rows, dtype=bool) if near is None else near.rejects(cells)


class PredLLMGenerator(LanguageGenerator):
    """Learns the table with the label last, half of it in column order, and asks for the label of the rows it writes.

    Rows begin with one value drawn from its column, the columns taking turns; the other features follow in a random
    order; then the model is asked for the class, by scoring every class. For exact counts rows are written until every
    class has its own; the report holds the acceptance rate. Measures against copying the class shares of the table are
    settings. The one stage of training has `pretrain_steps` + `steps` steps, or `epochs` passes over the table.
    Parameters: see :class:`~imbllm_autogluon.oversampling.generator.LanguageGenerator`.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> from imbllm_autogluon.oversampling import GeneratorConfig
    >>> X, y = load_hypothyroid()
    >>> quick = GeneratorConfig.from_flat({"pretrain_steps": 2, "steps": 2})
    >>> generator = PredLLMGenerator(quick, random_state=0).fit(X, y, {"hypothyroid": 3})
    >>> generator.sample()[1].tolist()
    ['hypothyroid', 'hypothyroid', 'hypothyroid']
    """

    method: ClassVar[str] = "pred_llm"
    learner_class = _LabelLearner

    @property
    def label_model(self) -> LabelModel:
        """The label query and its calibration; an `InvalidInputError` where no language model was trained."""
        return self._candidate_writer.label_model

    def sample_rows(self, n: int, *, random_state: RandomState = None) -> tuple[pd.DataFrame, pd.Series]:
        """Write `n` rows, whatever class the model gives each; all classes must be among the counts of the fit.

        First values are drawn from the whole table, whatever `start` says. Near copies are not rejected. Columns that
        nothing writes are copied from the nearest real row of a row's class.
        """
        table = self._table
        if n == 0:
            return self.sample({table.labels[code]: 0 for code in table.classes})
        started, seed = time.perf_counter(), child_seed(self._seed_of(random_state), "decoding")
        request = SampleRequest(table, self._learner.sampling(), seed, self.threads)
        found, counts = self._candidate_writer.candidates(n, request)
        self._count(int(found.answers[0]), counts)
        parents = [self._counted_parents(code, found) for code in np.unique(found.answers)]
        return self._decoded(found.cells, found.answers, pd.concat(parents).sort_index(), started)

    @property
    def _candidate_writer(self) -> _CandidateWriter:
        return cast("_CandidateWriter", self._require_writer())

    def _counted_parents(self, code: int, found: _Candidates) -> pd.DataFrame:
        """Copied columns of the rows of one class, by their places; the rows are counted."""
        places = np.flatnonzero(found.answers == code)
        n = len(places)
        self._count(code, {"requested": n, "made": n, "candidates": found.cells.n_rows})
        rows = self._table.classes[code].nearest_copied(self.schema, found.cells.take(places))
        return rows.set_axis(places)
