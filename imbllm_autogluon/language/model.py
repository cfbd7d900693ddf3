"""A language model of one table: trained on its rows, completing prompts into legal rows."""

from __future__ import annotations

import copy
import json
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from imbllm_autogluon.configuration import from_mapping
from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.language.compact import build_compact
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.decoding import ConstrainedDecoder
from imbllm_autogluon.language.process_state import seeded_torch
from imbllm_autogluon.language.training import CausalLM, Stage, TrainingCurve, train_stage
from imbllm_autogluon.randomness import child_rng, child_seed
from imbllm_autogluon.sentences import Clauses, SchemaVocabulary, Sentences, draw_orders
from imbllm_autogluon.stored_state import read_state, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from imbllm_autogluon.language.prompts import Prompts

FORMAT = 1
"""Version of the stored form; raised whenever an older reader could misread it."""

FINE_TUNING_RATE = 1 / 3
"""Peak learning rate of the stage after a warm-up, as a share of the warm-up's."""


class TableLanguageModel:
    """A causal LM together with the vocabulary of the table it writes.

    Parameters
    ----------
    vocabulary
        How rows become tokens.
    config
        Backbone, training and decoding.
    seed
        Seed of the initial weights, the batches and the decoding.

    Attributes
    ----------
    curves : dict of str to TrainingCurve
        Losses, tokens and seconds of each finished training stage, by name.
    """

    def __init__(self, vocabulary: SchemaVocabulary, config: LanguageConfig, seed: int) -> None:
        self.vocabulary = vocabulary
        self.config = config
        self.seed = seed
        self.encoding = vocabulary.encoding()
        self.curves: dict[str, TrainingCurve] = {}
        with seeded_torch(child_seed(seed, "training", "weights")):
            self._model: CausalLM = build_compact(self.encoding.n_tokens, self.encoding.longest_sentence, config)
        self._model.eval()

    @property
    def n_parameters(self) -> int:
        """Weights of the backbone."""
        return sum(parameter.numel() for parameter in self._model.parameters())

    def train(
        self,
        clauses: Clauses,
        *,
        warmup: Clauses | None = None,
        threads: int | None = None,
        time_limit: float | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Train on the fold (if `warmup` rows are given), then on `clauses`; afterwards `curves` tells how it went.

        Parameters
        ----------
        clauses
            Minority and interpolated rows.
        warmup
            Every row of the fold with its own label.
        threads
            torch threads; `None` leaves the process's count alone.
        time_limit
            Seconds that all stages may take, beside the limit of the configuration.
        progress
            Called with the number of steps done, after each.
        """
        started = time.perf_counter()
        limit = min((s for s in (time_limit, self.config.time_limit) if s is not None), default=None)
        planned = [("minority", clauses, self.config.steps, self.config.learning_rate)]
        if warmup is not None:
            planned[0] = (*planned[0][:3], self.config.learning_rate * FINE_TUNING_RATE)
            planned.insert(0, ("warm-up", warmup, self.config.warmup_steps, self.config.learning_rate))
        with seeded_torch(child_seed(self.seed, "training"), threads):
            for i, (name, rows, steps, rate) in enumerate(planned):
                share = steps / max(1, sum(later[2] for later in planned[i:]))
                left = None if limit is None else max(0.0, limit - (time.perf_counter() - started))
                stage = Stage(name, self._batches(name, rows), steps, rate, None if left is None else left * share)
                self.curves[name] = train_stage(self._model, self.encoding.tables, stage, progress)

    def with_config(self, config: LanguageConfig) -> TableLanguageModel:
        """The same weights under other settings of decoding."""
        other = copy.copy(self)
        other.config = config
        return other

    def complete(self, prompts: Iterable[Prompts], *, seed: int, threads: int | None = None) -> list[Clauses]:
        """Write the missing clauses of each batch of prompts; full rows, in the order of the batches.

        Parameters
        ----------
        prompts
            Batches; each batch has one clause order and at least one given clause.
        seed
            Seed of this decoding.
        threads
            torch threads; `None` leaves the process's count alone.
        """
        seed = child_seed(seed, "decoding")
        with seeded_torch(seed, threads):
            generator = torch.Generator().manual_seed(seed)
            decoder = ConstrainedDecoder(self._model, self.encoding, self.config.temperature, generator)
            rows = [decoder.complete(batch) for batch in prompts]
        return [Clauses(tokens, np.ones(tokens.shape[:2], dtype=bool)) for tokens in rows]

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and ``language.json`` into an existing folder."""
        # A weight that two layers share (input embedding and output layer) is listed and stored once.
        weights = {name: weight.detach().contiguous() for name, weight in self._model.named_parameters()}
        save_file(weights, folder / "model.safetensors")
        state = {
            "format": FORMAT,
            "config": vars(self.config),
            "seed": self.seed,
            "vocabulary": self.vocabulary.to_dict(),
            "curves": {name: vars(curve) for name, curve in self.curves.items()},
        }
        (folder / "language.json").write_text(json.dumps(state), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> TableLanguageModel:
        """Read a saved model.

        Raises
        ------
        StoredStateError
            A file is absent, broken, or of another format.
        """
        with reading("language model", folder):
            state = read_state(folder / "language.json", FORMAT)
            model = cls(
                SchemaVocabulary.from_dict(state["vocabulary"]),
                from_mapping(LanguageConfig, state["config"]),
                int(state["seed"]),
            )
            model._read_weights(load_file(folder / "model.safetensors"))
            model.curves = {n: TrainingCurve(**{**c, "losses": tuple(c["losses"])}) for n, c in state["curves"].items()}
        return model

    def _read_weights(self, weights: dict[str, torch.Tensor]) -> None:
        expected = dict(self._model.named_parameters())
        # copy_ would repeat a smaller weight until it fits.
        differing = {(n, w.shape) for n, w in weights.items()} ^ {(n, w.shape) for n, w in expected.items()}
        if differing:
            raise StoredStateError(
                f"the stored weights do not fit the model: {sorted({name for name, _ in differing})}"
            )
        with torch.no_grad():
            for name, weight in expected.items():
                weight.copy_(weights[name])

    def _batches(self, name: str, rows: Clauses) -> Callable[[], Sentences]:
        """Endless shuffled batches, each row in a freshly drawn order."""
        rng = child_rng(self.seed, "order", name)
        n_rows, n_features = len(rows.tokens), self.encoding.n_clauses - 1
        size = min(self.config.batch_size, n_rows)
        waiting = np.empty(0, dtype=np.int64)

        def draw() -> Sentences:
            nonlocal waiting
            while len(waiting) < size:
                waiting = np.concatenate([waiting, rng.permutation(n_rows)])
            picked, waiting = waiting[:size], waiting[size:]
            return self.encoding.assemble(rows.take(picked), draw_orders(size, n_features, self.config.order, rng))

        return draw
