"""Pred-LLM as a generator: rows from a marginal start, their class asked of the model (arXiv 2410.21717)."""

from __future__ import annotations

import itertools
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from imbllm_autogluon.classification.config import ClassifierConfig
from imbllm_autogluon.oversampling.acceptance import Acceptance, Asked
from imbllm_autogluon.oversampling.cell_files import load_cells, save_cells
from imbllm_autogluon.oversampling.conditioning import PromptPool
from imbllm_autogluon.oversampling.config import ConditioningConfig
from imbllm_autogluon.oversampling.copies import written_anew
from imbllm_autogluon.oversampling.progress import step_counter
from imbllm_autogluon.oversampling.prompted_rows import written_rows
from imbllm_autogluon.oversampling.report import listed
from imbllm_autogluon.oversampling.whole_table import WHOLE_TABLE_TEMPERATURE, WholeTableGenerator
from imbllm_autogluon.randomness import RandomState, base_seed, child_rng, child_seed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from typing_extensions import Self

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.classification.label_model import LabelModel
    from imbllm_autogluon.oversampling.config import GeneratorConfig
    from imbllm_autogluon.oversampling.copies import KnownRows
    from imbllm_autogluon.oversampling.lessons import LabelledCells, Lessons
    from imbllm_autogluon.sentences import SentenceEncoding
    from imbllm_autogluon.tables import Cells, TableSchema


log = logging.getLogger(__name__)

FEATURE_WEIGHT = 0.3
"""Weight of a feature's value in the loss beside the label's: the label is one clause among many, and the classes of
all written rows depend on it. The ROC AUC of the label query on `bank` was 86.1 with 0.3, 82.8 with 1, 83.6 with 0.1
(two splits)."""

STARTS = "starts.safetensors"
"""File of the rows that first values are drawn from."""

ONE_VALUE = ConditioningConfig(conditioning="yx", condition_pairs=1)
"""A row begins with the value of one feature; the features take turns."""


class PredLLMGenerator(WholeTableGenerator):
    """Learns the table with the label last, half of it in column order, and asks for the label of the rows it writes.

    Rows begin with one value drawn from its column, the columns taking turns; the other features follow in a random
    order; then the model is asked for the class, by scoring every class. For exact counts rows are written until every
    class has its own; the report holds the acceptance rate. Measures against copying the class shares of the table are
    settings. Stages: see :class:`~imbllm_autogluon.oversampling.whole_table.WholeTableGenerator`.

    Parameters
    ----------
    config, random_state, threads
        See :class:`~imbllm_autogluon.oversampling.generator.LanguageGenerator`.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> from imbllm_autogluon.oversampling import GeneratorConfig
    >>> X, y = load_hypothyroid()
    >>> quick = GeneratorConfig.from_flat({"warmup_steps": 2, "steps": 2})
    >>> generator = PredLLMGenerator(quick, random_state=0).fit(X, y, {"hypothyroid": 3})
    >>> generator.sample()[1].tolist()
    ['hypothyroid', 'hypothyroid', 'hypothyroid']
    """

    method: ClassVar[str] = "pred_llm"
    own_choices: ClassVar[Mapping[str, Any]] = {
        "order": "permute_x",
        "column_order_share": 0.5,
        "temperature": WHOLE_TABLE_TEMPERATURE,
    }

    _label_model: LabelModel
    _starts: Cells

    @property
    def label_model(self) -> LabelModel:
        """The label query and its calibration.

        Raises
        ------
        InvalidInputError
            No language model was trained.
        """
        _ = self.language_model
        return self._label_model

    def with_config(self, config: GeneratorConfig, *, threads: int | None) -> Self:
        """See :meth:`~imbllm_autogluon.oversampling.generator.LanguageGenerator.with_config`."""
        other = super().with_config(config, threads=threads)
        if other._model is not None:
            other._label_model = self._label_model.with_language_model(other._model, threads=threads)
        return other

    def sample_rows(self, n: int, *, random_state: RandomState = None) -> tuple[pd.DataFrame, pd.Series]:
        """Write `n` rows, whatever class the model gives each; all classes must be among the counts of the fit.

        First values are drawn from the whole table, whatever `start` says. Near copies are not refused: whose copies
        they would be, only the model's answer tells. Columns that nothing writes are copied from
        the nearest real row of a row's class.

        Raises
        ------
        InvalidInputError
            No language model was trained.
        """
        if n == 0:
            return self.sample({self._labels[code]: 0 for code in self._classes})
        started = time.perf_counter()
        seed = self.seed if random_state is None else base_seed(random_state)
        writer = self._writer(None)
        asked = writer.write(n, child_seed(seed, "decoding"))
        parents = pd.concat([self._counted_parents(code, asked) for code in np.unique(asked.answers)]).sort_index()
        self._count_written(writer, int(asked.answers[0]))
        labels = self.schema.decode_label(asked.answers)
        labels.name = self._label_name
        self._update_report(sampling_seconds=self.report.sampling_seconds + time.perf_counter() - started)
        return self.schema.decode(asked.cells, parents if parents.shape[1] else None), labels

    def _counted_parents(self, code: int, asked: Asked) -> pd.DataFrame:
        """Copied columns of the rows of one class, by their places; the rows are counted."""
        places = np.flatnonzero(asked.answers == code)
        self._count_rows(code, requested=len(places), made=len(places), candidates=asked.cells.n_rows)
        return self._classes[code].nearest_copied(self.schema, asked.cells.take(places)).set_axis(places)

    def _lessons(self, fold: LabelledCells, encoding: SentenceEncoding) -> Lessons:
        """Not used: the label model makes its own."""
        raise NotImplementedError

    def _hold_out(self, codes: IntArray) -> BoolArray:
        """No row: the label model chooses its own."""
        return np.zeros(len(codes), dtype=bool)

    def _train(
        self, fold: LabelledCells, time_limit: float | None, checkpoint: Path | None, warm_start: Path | None
    ) -> None:
        del warm_start
        from imbllm_autogluon.classification.label_model import LabelModel

        language = self._language()
        config = ClassifierConfig(feature_weight=FEATURE_WEIGHT, measures=self.config.measures, language=language)
        model = LabelModel(config, seed=self.seed, threads=self.threads)
        with step_counter("training", language.steps_for(fold.cells.n_rows)) as progress:
            model.fit(
                fold.X,
                fold.y,
                kinds=fold.kinds,
                time_limit=time_limit,
                checkpoint=checkpoint,
                stage="whole table",
                progress=progress,
            )
        self._label_model, self._model, self._starts = model, model.language_model, fold.cells

    def _write_classes(self, wanted: Mapping[int, int], seed: int) -> list[tuple[Cells, pd.DataFrame]]:
        """Classes with enough rows share their candidates; the small ones are interpolated one by one."""
        asked = {code: n for code, n in wanted.items() if n and self._reports[code].method == "language model"}
        accepted = self._accepted(asked, seed) if asked else {}
        written = []
        for code, n in wanted.items():
            if code in accepted:
                parents = self._classes[code].nearest_copied(self.schema, accepted[code])
                written.append((accepted[code], parents))
            else:
                written.append(self._write_class(code, n, child_seed(seed, "decoding", code)))
        return written

    def _accepted(self, wanted: Mapping[int, int], seed: int) -> dict[int, Cells]:
        """Exactly the wanted rows of each class, from as many candidates as it takes, or as are allowed."""
        limit = int(self.config.query.candidates_per_row * sum(wanted.values()))
        near = {code: found for code in wanted if (found := self._near_rows(code)) is not None}
        acceptance = Acceptance(wanted, limit, near)
        rounds = itertools.count()
        while acceptance.is_open:
            code = acceptance.neediest
            writer = self._writer(code if self.config.query.start == "class" else None)
            acceptance.take(writer.write(acceptance.next_round(), child_seed(seed, "decoding", "round", next(rounds))))
            self._count_written(writer, code)
        acceptance.fill_by_rank()
        accepted = {code: acceptance.rows(code) for code in wanted}
        for code, rows in accepted.items():
            self._count_rows(
                code,
                requested=wanted[code],
                made=rows.n_rows,
                candidates=acceptance.candidates[code],
                by_rank=acceptance.by_rank[code],
                copies_kept=int(self._known.copies(rows).sum()),
                near_copies_dropped=acceptance.refused[code],
                near_copies_kept=acceptance.near[code],
            )
        self._log_ranked(acceptance.by_rank, wanted)
        return accepted

    def _log_ranked(self, by_rank: Mapping[int, int], wanted: Mapping[int, int]) -> None:
        """Say once which classes ran out of candidates."""
        short = [f"{n} of {wanted[code]} of {str(self._labels[code])!r}" for code, n in by_rank.items() if n]
        if short:
            log.warning(
                "Too few candidates got the class that was wanted. Rows with the highest probability of their class "
                "among the others: %s. Raise candidates_per_row, or set start='class' or target_prior='uniform'.",
                listed(short),
            )

    def _writer(self, code: int | None) -> CandidateWriter:
        """Writer of candidates whose first values come from a class, or from the whole table."""
        model, answer = self.label_model, self.config.query.answer
        starts = self._starts if code is None else self._classes[code].real
        return CandidateWriter(model, self.schema, starts, self._known, answer, self.threads)

    def _count_written(self, writer: CandidateWriter, code: int) -> None:
        """Count what a writer did for a class; of the copies that it could not avoid only those taken matter."""
        counts = {name: n for name, n in writer.counts.items() if name != "copies_kept"}
        self._update_report(sampling_tokens=self.report.sampling_tokens + counts.pop("tokens", 0))
        self._count_rows(code, **counts)

    def _save_own(self, folder: Path) -> dict[str, Any]:
        """The label model beside its language model, and the rows that first values come from."""
        if self._model is None:
            return {}
        save_cells(self._starts, folder / STARTS)
        return self._label_model.save_beside(folder)

    def _load_own(self, folder: Path, state: Mapping[str, Any]) -> None:
        if self._model is None:
            return
        from imbllm_autogluon.classification.label_model import LabelModel

        self._starts = load_cells(folder / STARTS)
        self._label_model = LabelModel.load_beside(folder, state, self._model, threads=self.threads)


class CandidateWriter:
    """Writes rows without a class and asks for it.

    Parameters
    ----------
    model
        The fitted language model of the table, its label query and calibration.
    schema
        Columns of the table, without the hints that the model may have beside them.
    starts
        Rows that the first values are drawn from.
    known
        Real rows that must not come out.
    answer
        ``"sampled"`` draws a class from its probabilities, ``"highest"`` takes the one the model decides for.
    threads
        torch threads.

    Attributes
    ----------
    counts : Counter
        What happened so far: ``copies_dropped``, ``copies_kept``, ``tokens``, ``written_freely``, ``illegal``.
    """

    def __init__(
        self,
        model: LabelModel,
        schema: TableSchema,
        starts: Cells,
        known: KnownRows,
        answer: Literal["sampled", "highest"],
        threads: int | None,
    ) -> None:
        self._model = model
        self._schema = schema
        self._starts = starts
        self._known = known
        self._answer = answer
        self._threads = threads
        self.counts: Counter[str] = Counter()

    def write(self, n_rows: int, seed: int) -> Asked:
        """Exactly `n_rows` rows, in random order, and their classes.

        Copies of real rows are written again, a few times at most.
        """
        cells = written_anew(
            lambda missing, attempt: self._written(missing, child_seed(seed, "decoding", attempt)),
            n_rows,
            self._known,
            self.counts,
        )
        # Batches begin with one feature each: the first rows of a class must not all begin with the same one.
        cells = cells.take(child_rng(seed, "order", "candidates").permutation(n_rows))
        probabilities = self._model.probabilities(self._frame(cells))
        if self._answer == "highest":
            return Asked(cells, probabilities, self._model.decide(probabilities))
        draws = child_rng(seed, "decoding", "classes").random((cells.n_rows, 1))
        answers = (probabilities.cumsum(axis=1) < draws).sum(axis=1).clip(max=probabilities.shape[1] - 1)
        return Asked(cells, probabilities, answers.astype(np.int64))

    def _written(self, n_rows: int, seed: int) -> Cells:
        """Features only, batch by batch, given values restored."""
        language, m = self._model.language_model, len(self._schema.columns)
        most = language.config.generation_batch
        assert most is not None
        pool = PromptPool(
            self._model.encoder.feature_clauses(language.encoding, self._starts),
            self._starts.n_rows,
            self._schema.columns,
        )
        encoding, values = language.encoding, child_rng(seed, "values")
        batches = pool.batches(n_rows, ONE_VALUE, most, child_rng(seed, "prompts"), with_label=False)
        with language.writer(seed=seed, threads=self._threads) as writer:
            return written_rows(
                writer, batches, lambda rows: encoding.decode_features(rows, values, m), self._starts, self.counts
            )

    def _frame(self, cells: Cells) -> pd.DataFrame:
        """Written columns alone: what nothing writes is not asked about either."""
        columns = enumerate(self._schema.columns)
        return pd.DataFrame({c.name: c.decode(cells.values[j], cells.missing[:, j]) for j, c in columns})
