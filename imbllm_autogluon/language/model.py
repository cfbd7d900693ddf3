"""A language model of one table: trained on its rows, completing prompts into legal rows.

Weights after the warm-up may be kept for trainings of the same fold that differ only in what follows it.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from imbllm_autogluon._config import progress_bar
from imbllm_autogluon._random import child_seed, seeded_torch
from imbllm_autogluon._storage import fingerprint, reading, write_whole, writing
from imbllm_autogluon.encoding import PromptVocabulary, SchemaVocabulary
from imbllm_autogluon.errors import InvalidInputError, OutOfTimeError, TableError
from imbllm_autogluon.language.batches import Batches
from imbllm_autogluon.language.checkpoints import Checkpoint, TrainingCurve
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.decoding import RowWriter
from imbllm_autogluon.language.frozen import FrozenBlocks
from imbllm_autogluon.language.hardware import Processes, device_named
from imbllm_autogluon.language.losses import LabelLoss, LanguageModel, MaskedValueLoss, SentenceLoss, ValueLoss
from imbllm_autogluon.language.scoring import log_likelihoods, score_values
from imbllm_autogluon.language.table_backbone import build_table_backbone
from imbllm_autogluon.language.table_start import settle, start_from_other_tables, start_from_rows
from imbllm_autogluon.language.training import Stage, Trainer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.encoding import Clauses, SentenceEncoding
    from imbllm_autogluon.language.batches import Prompts
    from imbllm_autogluon.language.losses import LabelObjective, Loss

_log = logging.getLogger(__name__)

_WARM_UP = "warm-up"  # name of the stage on the whole fold
_NOISY = "noisy"  # name of the stage on rows whose labels may be wrong
_KIND = "language model"
_READ_AT_ONCE = 128  # rows whose tokens are embedded together
_STATES_DEPTH = 0.75  # share of the blocks whose hidden states describe a row
_FINE_TUNING_RATE = 1 / 3  # peak of the learning rate after a warm-up, as a share of the warm-up's

# They may change while training is interrupted: a checkpoint of other values still fits.
_NOT_LEARNED = frozenset(
    (
        "time_limit", "micro_batch", "device", "local_files_only", "token_variable", "temperature", "precision",
        "generation_batch",
    )
)  # fmt: skip


class TableLanguageModel:
    """A language model together with the vocabulary of the table it writes; `seed` is of weights, batches and decoding.

    `config` is resolved; `curves` tell of each finished training stage, by name; `loading_seconds` is the time that
    building the backbone took. A `BackboneError` where a pretrained backbone is not here and cannot be fetched, an
    `InvalidInputError` where the table does not fit the backbone: sentences too long, or categories that its tokenizer
    cannot tell apart.
    """

    def __init__(self, vocabulary: SchemaVocabulary | PromptVocabulary, config: LanguageConfig, seed: int) -> None:
        started = time.perf_counter()
        self.vocabulary = vocabulary
        self.config = config.resolved()
        self.seed = seed
        self.curves: dict[str, TrainingCurve] = {}
        with seeded_torch(child_seed(seed, "training", "weights")):
            self._backbone = build_table_backbone(vocabulary, self.config)
        self.loading_seconds = time.perf_counter() - started

    @property
    def encoding(self) -> SentenceEncoding:
        """How rows are written in the backbone's tokens."""
        return self._backbone.encoding

    @property
    def on_cpu(self) -> bool:
        """Whether the backbone is on no accelerator."""
        return self._backbone.device.type == "cpu"

    @property
    def n_parameters(self) -> int:
        """Weights of the backbone, trimmed to the table's vocabulary."""
        return sum(parameter.numel() for parameter in self._backbone.model.parameters())

    @property
    def n_learning(self) -> int:
        """Weights that training changes."""
        return sum(parameter.numel() for parameter in self._backbone.tuning.learning().values())

    def train(
        self,
        clauses: Clauses,
        *,
        pretrain: Clauses | None = None,
        held_out: Clauses | None = None,
        threads: int | None = None,
        time_limit: float | None = None,
        checkpoint: Path | None = None,
        warm_start: Path | None = None,
        objective: LabelObjective | None = None,
        noisy: tuple[Clauses, LabelObjective] | None = None,
        judge: Callable[[], float] | None = None,
        stage: str = "minority",
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Train on every row of the fold with its own label (`pretrain`, if given), then on the rows to be written.

        The loss of `held_out` rows is reported and ends the second stage early. `threads` of None leaves torch's count
        alone; `time_limit` is in seconds of all stages, next to the limit of the configuration. The folder `checkpoint`
        keeps the progress, from which the same training is resumed, and is emptied at the end. The file `warm_start`
        keeps the weights after the warm-up and is read instead of warming up where it exists: the caller names it after
        everything that a warm-up depends on. `objective` says how the label counts in the second stage, None: as every
        other value; `stage` is the name of that stage. `progress` is called with the steps done after each.
        """
        if self.config.tuning == "probe":
            raise InvalidInputError(
                "tuning='probe' learns no weight of the backbone: it is for classifiers. Use 'lora' to write rows."
            )
        limit = min((s for s in (time_limit, self.config.time_limit) if s is not None), default=None)
        planned = self._planned(clauses, pretrain, held_out, objective, noisy, stage)
        if judge is not None:
            planned = [one if one.held_out is None else dataclasses.replace(one, judge=judge) for one in planned]
        processes = Processes.of_launch()
        others = (pretrain, held_out) if noisy is None else (pretrain, held_out, noisy[0])
        identity = self._identity(clauses, *others, objective=objective)
        stored = None if checkpoint is None else Checkpoint(checkpoint, identity)
        self._backbone.tuning.unmerge()
        if not self.config.is_pretrained and not self.curves:
            start = start_from_other_tables if self.config.pretrained else start_from_rows
            start(self._backbone.model, self.encoding, clauses if pretrain is None else pretrain, self.seed)
        learning = self._backbone.tuning.learning()
        shared = warm_start if planned[0].name == _WARM_UP else None
        known = {}
        if shared is not None and (curve := _restore_warm(shared, learning)):
            known = {_WARM_UP: curve}

        def keep(name: str, curve: TrainingCurve) -> None:
            if shared is not None and name == _WARM_UP and curve.stopped_by == "steps" and processes.is_first:
                _store_warm(shared, learning, curve)

        def tell(n: int) -> None:
            bar.update(n)
            progress(n)

        bar = progress_bar(sum(each.steps for each in planned), "training")
        with bar, seeded_torch(child_seed(self.seed, "training"), threads):
            trainer = Trainer(self._backbone.model, learning, self._loss(), self.config.micro_batch, processes, stored)
            if known:
                tell(planned[0].steps)
            self.curves = known | trainer.run_all(planned[len(known) :], limit, tell, finished=keep)
        settle(self._backbone.model)
        self._backbone.tuning.merge()
        processes.wait()  # until the last one has read the checkpoint that the first one deletes
        if stored is not None and processes.is_first:
            stored.clear()

    def with_config(self, config: LanguageConfig) -> TableLanguageModel:
        """The same weights under other settings of decoding."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, config=config.resolved())
        return other

    @contextmanager
    def writer(self, *, seed: int, threads: int | None = None) -> Iterator[RowWriter]:
        """A writer of batches of prompts, whose torch generators and threads (None: as they are) hold in the block."""
        seed = child_seed(seed, "decoding")
        with seeded_torch(seed, threads):
            written_by = _writing_model(self._backbone.model, self.config)
            yield RowWriter(dataclasses.replace(self._backbone, model=written_by), self.config, seed)

    def score_all(
        self,
        prompts: Iterable[Prompts],
        clause: int,
        values: IntArray,
        *,
        as_written: bool = False,
        threads: int | None = None,
    ) -> list[FloatArray]:
        """:func:`~imbllm_autogluon.language.scoring.score_values` of several batches, each of shape (n, k).

        `as_written`: in the precision that rows are written in; `threads` of None leaves torch's count alone. Masked
        language models are refused: their predictions are no product of conditional probabilities.
        """
        self._require_causal()
        with seeded_torch(self.seed, threads):
            model, frozen = self._backbone.model, self._frozen
            if as_written and frozen is None:  # kept states save more than bfloat16 does
                model = _writing_model(model, self.config)
            return [score_values(model, self.encoding, batch, clause, values, frozen) for batch in prompts]

    def states(self, clauses: Clauses, *, threads: int | None = None, time_limit: float | None = None) -> FloatArray:
        """What the backbone makes of rows that are asked for their label, shape (n, 2 * width), float64.

        The mean and the last hidden state behind three quarters of the blocks: the middle of a network tells more of a
        text than its end, which turns to the next token (Skean et al. 2025, arXiv 2502.02013). The label is not read.
        An `OutOfTimeError` where so many seconds do not suffice.
        """
        ends = np.inf if time_limit is None else time.monotonic() + time_limit
        self._require_causal()
        assert self._backbone.base is not None
        order = np.arange(self.encoding.n_clauses)
        orders = np.tile(order, (len(clauses.tokens), 1))
        given = clauses.with_present(clauses.present & (order < order[-1]))
        with seeded_torch(self.seed, threads):
            model = _writing_model(self._backbone.model, self.config)
            base = f"{self._backbone.base.fingerprint}{model.get_input_embeddings().weight.dtype}"
            blocks = FrozenBlocks.of(model, base, _STATES_DEPTH)
            assert blocks is not None
            sentences = self.encoding.assemble(given, orders).followed_by(self.encoding.prefixes[-1])
            by_length = np.argsort(sentences.real.sum(axis=1), kind="stable")
            parts = [by_length[start : start + _READ_AT_ONCE] for start in range(0, len(orders), _READ_AT_ONCE)]
            read: list[FloatArray] = []
            for part in progress_bar(len(parts), "reading", parts):
                read.append(blocks.pooled(sentences.take(part)).cpu().double().numpy())
                if time.monotonic() > ends:
                    raise OutOfTimeError(
                        f"{time_limit:.1f} s were not enough to read {len(orders)} rows by {self.config.backbone!r}; "
                        "give the fit more time, or read fewer tokens of a text (text_words)."
                    )
        return np.asarray(np.concatenate(read)[np.argsort(by_length)])

    def log_likelihoods(self, clauses: Clauses, orders: IntArray, *, threads: int | None = None) -> FloatArray:
        """Log-likelihood of each row's values in the given orders, shape (n,), nats; causal backbones only."""
        self._require_causal()
        with seeded_torch(self.seed, threads):
            rows = self.config.generation_batch or len(orders)
            return log_likelihoods(self._backbone.model, self.encoding, clauses, orders, rows_at_once=rows)

    def __getstate__(self) -> dict[str, bytes]:
        """The files of :meth:`save`: a pickle never holds the weights of a base model."""
        with tempfile.TemporaryDirectory() as draft:
            self.save(Path(draft))
            files = [file for file in Path(draft).rglob("*") if file.is_file()]
            return {str(file.relative_to(draft)): file.read_bytes() for file in files}

    def __setstate__(self, files: dict[str, bytes]) -> None:
        with tempfile.TemporaryDirectory() as draft:
            for name, content in files.items():
                file = Path(draft, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            self.__dict__.update(self.load(Path(draft)).__dict__)

    def save(self, folder: Path) -> None:
        """Write settings, vocabulary, curves and the weights that learned into a folder, never the base weights."""
        with writing(folder, _KIND) as draft:
            draft.data = {
                "config": vars(self.config),
                "seed": self.seed,
                "vocabulary": self.vocabulary.to_dict(),
                "curves": {name: vars(curve) for name, curve in self.curves.items()},
                "base": vars(self._backbone.base) if self._backbone.base else None,
            }
            draft.arrays = self._backbone.save_weights(draft.folder)

    @classmethod
    def load(cls, folder: Path) -> TableLanguageModel:
        """Read a saved model; a `StoredStateError` where files or base model are not those that were written."""
        with reading(folder, _KIND) as stored:
            data = stored.data
            kind = PromptVocabulary if "longest_prompt" in data["vocabulary"] else SchemaVocabulary
            vocabulary = kind.from_dict(data["vocabulary"])
            model = cls(vocabulary, _loadable(LanguageConfig.from_flat(data["config"])), int(data["seed"]))
            model._backbone.load_weights(data["base"], stored.tensors(), stored.folder)
            model.curves = {name: TrainingCurve.from_dict(curve) for name, curve in data["curves"].items()}
        return model

    def _require_causal(self) -> None:
        if self._backbone.family != "causal":
            raise InvalidInputError(
                f"{self.config.backbone!r} is a masked language model: no row has a probability. Use a causal one."
            )

    @property
    def _frozen(self) -> FrozenBlocks | None:
        """Blocks whose states may be kept: where every row is one sentence, however often it is read."""
        return self._backbone.frozen if self.config.column_order_share == 1.0 else None

    def _planned(
        self,
        clauses: Clauses,
        pretrain: Clauses | None,
        held_out: Clauses | None,
        objective: LabelObjective | None,
        noisy: tuple[Clauses, LabelObjective] | None,
        stage: str,
    ) -> list[Stage]:
        """Stages in their order."""
        config = self.config
        assert config.learning_rate is not None
        kept = None
        if held_out is not None and len(held_out.tokens):
            share = config.column_order_share or 0.0
            kept = Batches.fixed(self.encoding, held_out, config.chosen_order, self.seed, share)
        rate = config.learning_rate * (1 if pretrain is None and noisy is None else _FINE_TUNING_RATE)

        def to_label(name: str, rows: Clauses, rate: float, objective: LabelObjective | None) -> Stage:
            loss = None if objective is None else self._label_loss(objective)
            steps = config.steps_for(len(rows.tokens))
            return Stage(
                name, self._batches(name, rows), steps, rate, held_out=kept, patience=config.patience, loss=loss
            )

        stages = [to_label(stage, clauses, rate, objective)]
        if noisy is not None:
            stages.insert(0, to_label(_NOISY, noisy[0], config.learning_rate, noisy[1]))
        if pretrain is not None:
            assert config.pretrain_steps is not None
            first = self._batches(_WARM_UP, pretrain)
            stages.insert(0, Stage(_WARM_UP, first, config.pretrain_steps, config.learning_rate))
        return stages

    def _label_loss(self, objective: LabelObjective) -> LabelLoss:
        self._require_causal()
        return LabelLoss(self.encoding.tables, self._backbone.device, objective, self._frozen)

    def _batches(self, name: str, rows: Clauses) -> Batches:
        config, seed = self.config, child_seed(self.seed, "order", name)
        assert config.batch_size is not None
        share = config.column_order_share or 0.0
        return Batches(self.encoding, rows, config.batch_size, config.chosen_order, seed, share)

    def _loss(self) -> Loss:
        tables, device = self.encoding.tables, self._backbone.device
        if self._backbone.family == "masked":
            return MaskedValueLoss(tables, device, child_seed(self.seed, "training", "masks"))
        return ValueLoss(tables, device, self._frozen) if self.config.constrained else SentenceLoss(device)

    def _identity(self, *parts: Clauses | None, objective: LabelObjective | None) -> str:
        """What is trained on what, for checkpoints."""
        arrays = [(part.tokens, part.present, part.weights) for part in parts if part is not None]
        rows = [array for row_arrays in arrays for array in row_arrays if array is not None]
        settings = {name: value for name, value in vars(self.config).items() if name not in _NOT_LEARNED}
        base = self._backbone.base.fingerprint if self._backbone.base else None
        asked = None if objective is None else vars(objective)
        return fingerprint({**settings, "seed": self.seed, "base": base, "objective": asked}, rows)


def _store_warm(file: Path, learning: dict[str, torch.nn.Parameter], curve: TrainingCurve) -> None:
    """Write weights and curve of a finished warm-up; the file appears whole or not at all."""
    weights = {name: weight.detach().cpu().contiguous() for name, weight in learning.items()}
    metadata = {"curve": json.dumps(vars(curve))}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, lambda draft: save_file(weights, draft, metadata=metadata))
    except (OSError, TableError) as error:
        _log.warning("The warm-up could not be stored in %s (%s).", file, error)


def _restore_warm(file: Path, learning: dict[str, torch.nn.Parameter]) -> TrainingCurve | None:
    """Give the weights what a stored warm-up left; `None`, and nothing changed, where there is none that fits."""
    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="pt") as stored:
            curve = TrainingCurve.from_dict(json.loads(stored.metadata()["curve"]))
            weights = {name: stored.get_tensor(name) for name in learning}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        _log.warning("A stored warm-up is of no use and is learned again (%s: %s).", file, error)
        return None
    if any(weights[name].shape != weight.shape for name, weight in learning.items()):
        return None
    with torch.no_grad():
        for name, weight in learning.items():
            weight.copy_(weights[name])
    return curve


def _writing_model(model: LanguageModel, config: LanguageConfig) -> LanguageModel:
    """The model to write rows with: itself, or a copy in bfloat16 on a CPU.

    SmolLM2 writes 2 to 2.5 times as fast in bfloat16 where the CPU has it; the label query reads with it too. Training,
    other scores and likelihoods stay in float32 there; on GPUs both are autocast, see :func:`autocast`.
    """
    on_cpu = model.get_input_embeddings().weight.device.type == "cpu"
    has = torch.cpu.get_capabilities()
    is_fast = on_cpu and (has.get("avx512_bf16") or has.get("amx_bf16"))  # elsewhere bfloat16 is slower than float32
    wanted = config.precision or ("bfloat16" if config.is_pretrained and is_fast else "float32")
    return copy.deepcopy(model).to(torch.bfloat16) if on_cpu and wanted == "bfloat16" else model


def _loadable(config: LanguageConfig) -> LanguageConfig:
    """The configuration of a saved model; one trained on a device that this machine lacks goes where others go."""
    try:
        device_named(config.device or "cpu")
    except InvalidInputError:
        _log.info("The model was trained on %s, which this machine lacks; it runs elsewhere.", config.device)
        return dataclasses.replace(config, device=None)
    return config
