"""The loss counts value tokens among legal ones only; steps and seconds bound the loop."""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.language.compact import build_compact
from imbllm_autogluon.language.training import Stage, TrainingCurve, train_stage
from imbllm_autogluon.sentences import END, SchemaVocabulary, SentenceEncoding, Sentences, draw_orders
from tests.language.tables import TINY, clauses_of, learnable, random_model, table, vocabulary_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from imbllm_autogluon.sentences.value_codings import Numbers

FRAME = table()


def tiny_model(encoding: SentenceEncoding) -> Any:
    torch.manual_seed(0)
    return build_compact(encoding.n_tokens, encoding.longest_sentence, TINY)


class Stages:
    """Batches of a small table, drawn again and again."""

    def __init__(self, numbers: Numbers = "bins", n_absent: int = 0) -> None:
        self.vocabulary: SchemaVocabulary = vocabulary_of(FRAME, numbers)
        self.encoding: SentenceEncoding = self.vocabulary.encoding()
        clauses = clauses_of(self.vocabulary, FRAME)
        present = clauses.present.copy()
        present[::2, :n_absent] = False
        self.clauses = clauses.with_present(present)

    def draw(self, seed: int = 0) -> Callable[[], Sentences]:
        rng = np.random.default_rng(seed)
        return lambda: self.encoding.assemble(self.clauses, draw_orders(60, 5, "fix_y", rng))

    def train(self, model: Any, steps: int, *, rate: float = 3e-3, seconds: float | None = None) -> TrainingCurve:
        stage = Stage("test", self.draw(), steps, rate, seconds)
        return train_stage(model, self.encoding.tables, stage, lambda _: None)


def loss_by_hand(model: Any, encoding: SentenceEncoding, sentences: Sentences) -> tuple[float, int]:
    """Mean negative log-likelihood, row by row, from the model's own full logits."""
    losses = []
    for ids, real, states in zip(sentences.ids, sentences.real, sentences.states, strict=True):
        row = torch.from_numpy(ids[real])[None]
        with torch.inference_mode():
            logits = model(input_ids=row).logits[0].double()
        for place in np.flatnonzero(states != END).tolist():
            legal = np.flatnonzero(encoding.tables.allowed[states[place]])
            chances = torch.log_softmax(logits[place - 1, legal], dim=0)
            losses.append(-float(chances[legal.tolist().index(ids[place])]))
    return float(np.mean(losses)), len(losses)


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
@pytest.mark.parametrize(("numbers", "n_absent"), [("bins", 0), ("bins", 3), ("digits", 0), ("digits", 3)])
def test_the_loss_is_the_likelihood_of_value_tokens_among_the_legal_ones(
    architecture: str, numbers: Numbers, n_absent: int
) -> None:
    stages = Stages(numbers, n_absent)
    model = random_model(architecture, stages.encoding)
    expected, n_tokens = loss_by_hand(model, stages.encoding, stages.draw()())
    curve = stages.train(model, steps=1)
    assert curve.losses[0] == pytest.approx(expected, rel=1e-4)
    assert curve.tokens == n_tokens


@pytest.mark.parametrize("numbers", ["bins", "digits"])
def test_an_untrained_model_loses_the_log_of_the_mean_number_of_choices(numbers: Numbers) -> None:
    stages = Stages(numbers)
    model = tiny_model(stages.encoding)
    sentences = stages.draw()()
    states = sentences.states[sentences.states != END]
    expected = np.log(stages.encoding.tables.allowed.sum(axis=1))[states].mean()
    assert stages.train(model, steps=1).losses[0] == pytest.approx(expected, rel=0.03)


def test_a_token_without_alternative_costs_nothing() -> None:
    stages = Stages()
    tables, row = stages.encoding.tables, stages.clauses.take(np.array([1]))
    sentences = stages.encoding.assemble(row, np.arange(6)[None])
    chosen = sentences.states != END
    only = np.zeros_like(tables.allowed)
    only[sentences.states[chosen], sentences.ids[chosen]] = True
    stage = Stage("one row", lambda: sentences, 1, 1e-3)
    forced = dataclasses.replace(tables, allowed=only)
    curve = train_stage(random_model("gpt2", stages.encoding), forced, stage, lambda _: None)
    assert curve.losses == (0.0,)


def test_training_lowers_the_loss_on_a_table_that_can_be_learned() -> None:
    vocabulary, frame = vocabulary_of(learnable()), learnable()
    encoding, clauses = vocabulary.encoding(), clauses_of(vocabulary, frame)
    rng = np.random.default_rng(0)
    stage = Stage("test", lambda: encoding.assemble(clauses, draw_orders(60, 2, "fix_y", rng)), 80, 1e-2)
    losses = train_stage(tiny_model(encoding), encoding.tables, stage, lambda _: None).losses
    # All that is left is the label itself, a third of the tokens: its entropy is 0.64 nats.
    assert losses[0] == pytest.approx(np.log(2), rel=0.03)
    assert losses[-1] == pytest.approx(0.64 / 3, abs=0.03)


def test_steps_are_counted_and_reported() -> None:
    stages, seen = Stages(), []
    model = tiny_model(stages.encoding)
    stage = Stage("test", stages.draw(), 4, 1e-3)
    curve = train_stage(model, stages.encoding.tables, stage, seen.append)
    assert seen == [1, 1, 1, 1]
    assert len(curve.losses) == 4
    assert curve.tokens == 4 * 60 * 6
    assert curve.stopped_by == "steps"
    assert curve.seconds > 0


def test_no_time_means_no_step() -> None:
    stages = Stages()
    model = tiny_model(stages.encoding)
    before = [weight.clone() for weight in model.parameters()]
    curve = stages.train(model, steps=10**6, seconds=0.0)
    assert (curve.losses, curve.tokens, curve.stopped_by) == ((), 0, "time limit")
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_training_stops_when_its_time_is_over() -> None:
    stages = Stages()
    model = tiny_model(stages.encoding)
    started = time.perf_counter()
    curve = stages.train(model, steps=10**6, seconds=0.3)
    assert curve.stopped_by == "time limit"
    assert curve.losses
    assert 0.3 <= curve.seconds <= time.perf_counter() - started < 10


def test_no_steps_leave_the_model_as_it_is() -> None:
    stages = Stages()
    model = tiny_model(stages.encoding)
    curve = stages.train(model, steps=0)
    assert (curve.losses, curve.stopped_by) == ((), "steps")
    assert not model.training


def test_the_model_is_left_in_evaluation_mode() -> None:
    stages = Stages()
    model = tiny_model(stages.encoding)
    stages.train(model, steps=1)
    assert not model.training


def test_the_learning_rate_rises_falls_to_a_tenth_and_never_exceeds_its_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    stages, rates = Stages(), []
    model = tiny_model(stages.encoding)
    step = torch.optim.AdamW.step

    def recorded(self: torch.optim.AdamW, *arguments: Any, **options: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", recorded)
    stages.train(model, steps=60, rate=1e-3)
    peak = int(np.argmax(rates))
    assert rates[:4] == pytest.approx([1e-3 / 3, 2e-3 / 3, 1e-3, 1e-3])
    assert max(rates) == pytest.approx(1e-3)
    assert (np.diff(rates[peak + 1 :]) < 0).all()
    assert rates[-1] == pytest.approx(1e-4, rel=0.2)


def test_transformers_has_nothing_to_warn_of(caplog: pytest.LogCaptureFixture) -> None:
    """It warns of padding without a mask, which would reach the user once in each process."""
    stages = Stages("digits", n_absent=3)
    logger = logging.getLogger("transformers")
    logger.addHandler(caplog.handler)
    vars(logging.Logger)["warning_once"].cache_clear()
    try:
        stages.train(tiny_model(stages.encoding), steps=1)
    finally:
        logger.removeHandler(caplog.handler)
    assert not caplog.records
