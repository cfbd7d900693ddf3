"""Pred-LLM: rows from a marginal start, their class asked of the model (arXiv 2410.21717)."""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import pandas as pd

from imbllm_autogluon._config import progress_bar
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

    from imbllm_autogluon.arrays import IntArray
    from imbllm_autogluon.classification.config import DebiasingConfig
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
_SMALLEST_ROUND, _LARGEST_ROUND = 256, 8192  # candidates written at once, but no more than
_ROUND_PER_ROW = 20  # for each wanted row in the smallest round
_RAREST = 20.0  # the largest class has at most this many times the learned rows of any other, which are repeated


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

        language, measures = self.language(table.n_rare), self._measures(fold.codes)
        config = ClassifierConfig(feature_weight=_FEATURE_WEIGHT, measures=measures, language=language)
        model = LabelModel(config, seed=self.seed, threads=self.threads)
        del limits["warm_start"]  # there is no warm-up
        aside = [column.name for column in fold.schema.excluded if column.is_unreadable or column.is_beyond]
        kinds = {name: kind for name, kind in (fold.kinds or {}).items() if name not in aside}
        model.fit(fold.X.drop(columns=aside), fold.y, kinds=kinds, stage="whole table", **limits)
        return _CandidateWriter(model, fold.rows()[0])

    def _measures(self, codes: IntArray) -> DebiasingConfig:
        """The chosen measures; where rows of rare classes are repeated, and remembered, unlearned ones correct it."""
        chosen, sizes = self.config.measures, np.bincount(codes)
        cap = chosen.oversampling_cap or _RAREST
        hides_shares = chosen.weighting != "none" or chosen.suppression
        if hides_shares or sizes.max() <= cap * sizes[sizes > 0].min():
            return chosen
        calibration = "temperature" if chosen.calibration == "none" else chosen.calibration
        prior = chosen.target_prior or "training"
        return replace(chosen, oversampling_cap=cap, target_prior=prior, calibration=calibration)

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
        """At most the wanted rows of each label code: those candidates that the model gave the class."""
        query, classes = request.config.query, request.table.classes
        near = {code: found for code in wanted if (found := request.near(code)) is not None}
        acceptance = _Acceptance(wanted, query.candidates_per_row, near)
        is_repeated = self.label_model.repeats > 1
        rounds = itertools.count()
        while (code := acceptance.neediest) is not None:
            from_class = (query.start or ("class" if is_repeated[code] else "table")) == "class"
            size, own = acceptance.next_round(code, from_class=from_class), request.part("round", next(rounds))
            candidates, spent = self.candidates(size, own, classes[code].real if from_class else None)
            acceptance.take(candidates, code)
            acceptance.counts[code].update(spent)
            if time.perf_counter() >= request.ends:
                break
        _log_short(acceptance.missing, wanted, request)
        written = {code: SyntheticRows(acceptance.rows(code), acceptance.counts[code]) for code in wanted}
        for rows in written.values():
            rows.counts["copies_kept"] += int(request.table.known.rejects(rows.cells).sum())
        return written

    def write_table(self, n_rows: int, request: SampleRequest) -> tuple[_Candidates, Counter[str]]:
        """Exactly `n_rows` rows with the classes that the model gives them, and what happened."""
        parts: list[_Candidates] = []
        missing, counts = n_rows, Counter[str]()
        while missing:
            own = request.part("round", len(parts)) if parts else request
            found, spent = self.candidates(missing, own, like_table=True)
            given = found.answers < self.label_model.counts.size
            parts.append(_Candidates(found.cells.take(given), found.answers[given]))
            missing -= int(given.sum())
            counts.update(spent)
        answers = np.concatenate([part.answers for part in parts])
        return _Candidates(EncodedTable.concat([part.cells for part in parts]), answers), counts

    def candidates(
        self, n_rows: int, request: SampleRequest, starts: EncodedTable | None = None, *, like_table: bool = False
    ) -> tuple[_Candidates, Counter[str]]:
        """Exactly `n_rows` rows, in random order, with the classes given to them, and what happened.

        First values are drawn from `starts`; None: from the whole table. See :meth:`_answers` for `like_table`.
        """
        counts: Counter[str] = Counter()
        pool = self._pool(self._starts if starts is None else starts, request.table.schema)

        def draft(missing: int, attempt: int) -> EncodedTable:
            options = request.options(missing, attempt)
            rng = child_rng(options["seed"], "prompts")
            batches = pool.batches(missing, _ONE_VALUE, self.rows_at_once, rng, with_label=False)
            return pool.complete(self.model, batches, counts, **options)

        cells = reject_until(draft, n_rows, [request.table.known], counts, ends=request.ends)
        del counts["copies_kept"]  # of those that could not be avoided only those matter that are taken
        # Batches begin with one feature each: the first rows of a class must not all begin with the same one.
        cells = cells.take(child_rng(request.seed, "order", "candidates").permutation(cells.n_rows))
        return _Candidates(cells, self._answers(cells, request, like_table)), counts

    def _answers(self, cells: EncodedTable, request: SampleRequest, like_table: bool) -> IntArray:
        """Class of each row: drawn from its probabilities, or decided by the model; the number of classes: none.

        Rows of rare classes were repeated, so rows like them are written more often than the table has them. Where the
        rows shall be `like_table`, as many of them are given no class; else only those that are given a frequent class.
        """
        logs, repeats = self.label_model.log_probabilities_of_cells(cells), self.label_model.repeats
        probabilities = self.label_model.calibration.probabilities(logs)
        # How often the table has a row for once that it is written, and what part of such rows a class may take.
        rate = (np.exp(logs) / repeats).sum(axis=1, keepdims=True)
        taken = np.minimum(1.0, rate if like_table else rate * repeats) if (repeats > 1).any() else np.ones((1, 1))
        if request.config.query.answer == "highest":
            probabilities = np.eye(len(repeats))[self.label_model.decide(probabilities)]
        draws = child_rng(request.seed, "decoding", "classes").random((len(logs), 1))
        return np.asarray(((probabilities * taken).cumsum(axis=1) <= draws).sum(axis=1), dtype=np.int64)

    def _pool(self, starts: EncodedTable, schema: TableSchema) -> PromptPool:
        clauses = self.label_model.encoder.feature_clauses(self.model.encoding, starts)
        return PromptPool(starts, clauses, starts.n_rows, schema.columns)


def _log_short(missing: Mapping[int, int], wanted: Mapping[int, int], request: SampleRequest) -> None:
    """Say once which classes got fewer rows than wanted."""
    labels, most = request.table.labels, request.config.query.candidates_per_row
    short = [f"{wanted[code] - n} of {wanted[code]} of {str(labels[code])!r}" for code, n in missing.items() if n]
    if short:
        _log.warning(
            "Too few candidates were given the class that was wanted; rows written: %s. Raise candidates_per_row (%g), "
            "or set target_prior='uniform' to ask as if all classes were equally frequent. Where features do not tell "
            "the class, the methods 'imbllm' and 'great' write rows behind it.",
            *(listed(short), most),
        )


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Written rows and the classes that a model gave them."""

    cells: EncodedTable
    answers: IntArray  # label codes, shape (n,); the number of classes for a row that is given none


class _Acceptance:
    """Takes candidates for the classes that still lack rows; at most `most` are written for each wanted row.

    None of k classes has more of them written for it than if all wanted as many rows.
    """

    def __init__(self, wanted: Mapping[int, int], most: float, near: Mapping[int, NearRows] | None = None) -> None:
        self._wanted = dict(wanted)
        self._near = near or {}
        self._limit = int(most * sum(wanted.values()))
        self._most = {code: int(most * n * len(wanted)) for code, n in wanted.items()}
        self._left = dict(self._most)
        self._written = 0
        self._taken: dict[int, list[EncodedTable]] = {code: [] for code in wanted}
        self.missing = Counter(wanted)
        self.counts: dict[int, Counter[str]] = {code: Counter() for code in wanted}

    @property
    def neediest(self) -> int | None:
        """The class that lacks most rows, of those that candidates may still be written for."""
        is_open = self._written < self._limit
        return next((code for code, n in self.missing.most_common() if is_open and n and self._left[code]), None)

    def next_round(self, code: int, *, from_class: bool = False) -> int:
        """Candidates to write next for a class: as many as should bring all that is missing, by what was accepted."""
        if not self._written:
            size = sum(self._wanted.values())
        elif from_class and self._left[code] == self._most[code]:
            size = 2 * self.missing[code]  # many rows that begin with a value of the class belong to it
        else:
            rates = {code: (self._wanted[code] - n) / self._written for code, n in self.missing.items() if n}
            size = int(1.1 * max(self.missing[code] / max(rate, 1 / self._written) for code, rate in rates.items()))
        size = max(size, min(_SMALLEST_ROUND, _ROUND_PER_ROW * sum(self._wanted.values())))
        return min(_LARGEST_ROUND, size, self._left[code], self._limit - self._written)

    def take(self, found: _Candidates, purpose: int) -> None:
        """Take what is still wanted of each class, first come first served; the candidates were written for one."""
        self._written += found.cells.n_rows
        self._left[purpose] -= found.cells.n_rows
        for code in [code for code, n in self.missing.items() if n]:
            answered = np.flatnonzero(found.answers == code)
            near = self._near.get(code)
            is_near = near.rejects(found.cells.take(answered)) if near else np.zeros(len(answered), dtype=bool)
            rows = answered[~is_near][: self.missing[code]]
            self._taken[code].append(found.cells.take(rows))
            self.missing[code] -= len(rows)
            seen = found.cells.n_rows if self.missing[code] else int(rows[-1]) + 1
            self.counts[code].update(candidates=seen, near_copies_dropped=int(is_near[answered < seen].sum()))

    def rows(self, code: int) -> EncodedTable:
        return EncodedTable.concat(self._taken[code])


class PredLLMGenerator(LanguageGenerator):
    """Learns the table with the label last, half of it in column order, and asks for the label of the rows it writes.

    Rows begin with one value drawn from its column, the columns taking turns; the other features follow in a random
    order; then the model is asked for the class, by scoring every class. For counts rows are written until every class
    has its own, or `candidates_per_row` is reached, with fewer rows; the report holds the acceptance rate. Rows of
    classes with less than a twentieth of the rows of the largest are repeated in training (`oversampling_cap`), and
    what is written and answered is corrected for that. Measures against copying the class shares of the table are
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
        with progress_bar(n, "writing") as bar:
            request = SampleRequest(table, self._learner.sampling(), seed, self.threads, bar=bar)
            found, counts = self._candidate_writer.write_table(n, request)
        self._count(int(found.answers[0]), counts)
        parents = pd.concat([self._counted_parents(code, found) for code in np.unique(found.answers)]).sort_index()
        return self._with_texts(found.cells, found.answers, parents, seed, started, math.inf)

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
