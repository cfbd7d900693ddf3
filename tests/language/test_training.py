"""The training loop: steps, seconds, memory and held-out rows bound it; the optimizer against torch's."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.encoding import END
from imbllm_autogluon.language import training
from imbllm_autogluon.language.batches import Batches
from imbllm_autogluon.language.checkpoints import TrainingCurve
from imbllm_autogluon.language.hardware import Processes
from imbllm_autogluon.language.losses import LabelLoss, LabelObjective, ValueLoss
from imbllm_autogluon.language.training import _EVALUATIONS, Stage, _FlatAdamW, _LargeAdamW, _State
from tests.language.tables import clauses_of, learnable, random_model, vocabulary_of
from tests.language.trainers import CPU, Hungry, SmallTable, expect_close, same_weights, tiny_model, weights_of
from tests.products import cases

if TYPE_CHECKING:
    from imbllm_autogluon.encoding import SentenceEncoding, Sentences
    from imbllm_autogluon.encoding.values import Numbers


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


@pytest.mark.parametrize(
    ("architecture", "numbers", "n_absent"), cases(["gpt2", "llama"], ["bins", "digits"], [0, 3], together=1)
)
def test_the_loss_is_the_likelihood_of_value_tokens_among_the_legal_ones(
    architecture: str, numbers: Numbers, n_absent: int
) -> None:
    small = SmallTable(numbers, n_absent)
    model = random_model(architecture, small.encoding)
    stage = small.stage(1)
    batch = stage.batch(0)
    expected, n_tokens = loss_by_hand(model, small.encoding, batch)
    curve = small.trainer(model).run(stage)
    assert curve.losses[0] == pytest.approx(expected, rel=1e-4)
    assert (curve.tokens, curve.tokens_read) == (n_tokens, batch.real.sum())


def test_training_lowers_the_loss_on_a_table_that_can_be_learned() -> None:
    vocabulary, frame = vocabulary_of(learnable()), learnable()
    encoding, clauses = vocabulary.encoding(), clauses_of(vocabulary, frame)
    stage = Stage("test", Batches(encoding, clauses, 60, "fix_y", seed=0), 80, 1e-2)
    small = SmallTable()
    losses = small.trainer(tiny_model(encoding), loss=ValueLoss(encoding.tables, CPU)).run(stage).losses
    # All that is left is the label itself, a third of the tokens: its entropy is 0.64 nats.
    assert losses[0] == pytest.approx(np.log(2), rel=0.03)
    assert losses[-1] == pytest.approx(0.64 / 3, abs=0.03)


def test_steps_are_counted_and_reported() -> None:
    small, seen = SmallTable(), []
    curve = small.trainer(tiny_model(small.encoding)).run(small.stage(4), seen.append)
    assert seen == [1, 1, 1, 1]
    assert len(curve.losses) == 4
    assert curve.tokens == 4 * 60 * 6
    assert curve.stopped_by == "steps"
    assert curve.seconds > 0
    assert curve.tokens_per_second == pytest.approx(curve.tokens_read / curve.seconds)
    assert TrainingCurve((), 0, 0.0, "steps").tokens_per_second == 0


def test_no_time_means_no_step() -> None:
    small = SmallTable()
    model = tiny_model(small.encoding)
    before = weights_of(model)
    curve = small.trainer(model).run(small.stage(10**6, seconds=0.0))
    assert (curve.losses, curve.tokens, curve.stopped_by) == ((), 0, "time limit")
    assert same_weights(weights_of(model), before)


def test_training_stops_when_its_time_is_over() -> None:
    small = SmallTable()
    trainer, started = small.trainer(tiny_model(small.encoding)), time.perf_counter()
    curve = trainer.run(small.stage(10**6, seconds=0.3))
    assert curve.stopped_by == "time limit"
    assert curve.losses
    assert 0.3 <= curve.seconds <= time.perf_counter() - started < 10


def test_no_steps_leave_the_model_as_it_is() -> None:
    small = SmallTable()
    model = tiny_model(small.encoding)
    before = weights_of(model)
    curve = small.trainer(model).run(small.stage(0))
    assert (curve.losses, curve.stopped_by) == ((), "steps")
    assert same_weights(weights_of(model), before)
    assert not model.training


def test_the_learning_rate_rises_falls_to_a_tenth_and_never_exceeds_its_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    small, rates = SmallTable(), []
    step = _FlatAdamW.step

    def recorded(self: _FlatAdamW, rate: float, divisor: int) -> None:
        rates.append(rate)
        step(self, rate, divisor)

    monkeypatch.setattr(_FlatAdamW, "step", recorded)
    small.trainer(tiny_model(small.encoding)).run(small.stage(60, rate=1e-3))
    peak = int(np.argmax(rates))
    assert rates[:4] == pytest.approx([1e-3 / 3, 2e-3 / 3, 1e-3, 1e-3])
    assert max(rates) == pytest.approx(1e-3)
    assert (np.diff(rates[peak + 1 :]) < 0).all()
    assert rates[-1] == pytest.approx(1e-4, rel=0.2)


@pytest.mark.parametrize(("numbers", "rows"), cases(["bins", "digits"], [1, 7, 32, 59, 60, 1000], together=1))
def test_parts_of_a_batch_teach_what_the_whole_batch_does(numbers: Numbers, rows: int) -> None:
    small = SmallTable(numbers, n_absent=2)
    whole, parts = tiny_model(small.encoding), tiny_model(small.encoding)
    expected = small.trainer(whole).run(small.stage(4))
    curve = small.trainer(parts, micro_batch=rows).run(small.stage(4))
    assert curve.losses == pytest.approx(expected.losses, rel=1e-5)
    assert (curve.tokens, curve.tokens_read) == (expected.tokens, expected.tokens_read)
    expect_close(whole, parts)


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["GPU", "CPU", "Python"])
def test_where_memory_runs_out_half_the_rows_go_at_once_for_good(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    small = SmallTable()
    plain, tight = tiny_model(small.encoding), tiny_model(small.encoding)
    expected = small.trainer(plain).run(small.stage(3))
    loss = Hungry(small.loss, 20, error)
    trainer = small.trainer(tight, loss=loss)
    curve = trainer.run(small.stage(3))
    assert loss.sizes == [60, 30, *[15] * 12]
    assert trainer.micro_batch == 15
    assert curve.losses == pytest.approx(expected.losses, rel=1e-5)
    expect_close(plain, tight)
    assert [record.getMessage() for record in caplog.records] == [
        "Out of memory with 60 sentences at once; going on with 30.",
        "Out of memory with 30 sentences at once; going on with 15.",
    ]


def test_one_row_that_does_not_fit_is_an_error() -> None:
    small = SmallTable()
    trainer = small.trainer(tiny_model(small.encoding), loss=Hungry(small.loss, 0, MemoryError))
    with pytest.raises(MemoryError):
        trainer.run(small.stage(1))


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("can't allocate memory"), KeyError("x")])
def test_other_errors_are_no_shortage_of_memory(error: Exception) -> None:
    small = SmallTable()
    loss = Hungry(small.loss, 20, error)
    model = tiny_model(small.encoding)
    with pytest.raises(type(error)):
        small.trainer(model, loss=loss).run(small.stage(1))
    assert loss.sizes == [60]
    assert not model.training


@pytest.mark.parametrize("steps", [1, 4, 10, 40])
def test_the_held_out_loss_is_told_before_the_first_step_and_after_the_last_one(steps: int) -> None:
    small = SmallTable()
    model = tiny_model(small.encoding)
    before, _ = loss_by_hand(model, small.encoding, small.held_out())
    curve = small.trainer(model).run(small.stage(steps, held_out=small.held_out(), patience=1000))
    after, _ = loss_by_hand(model, small.encoding, small.held_out())
    judged = [step for step, _ in curve.held_out]
    assert judged == sorted(set(judged))
    assert (judged[0], judged[-1]) == (0, steps)
    assert len(judged) == min(_EVALUATIONS, steps) + 1
    assert curve.held_out[0][1] == pytest.approx(before, rel=1e-4)
    assert min(loss for _, loss in curve.held_out) == pytest.approx(after, rel=1e-4)


def test_judging_changes_nothing_of_what_is_learned() -> None:
    small = SmallTable()
    judged, plain = tiny_model(small.encoding), tiny_model(small.encoding)
    # With so small a rate every step is better than the last, so the last weights are the best.
    curve = small.trainer(judged).run(small.stage(20, rate=1e-4, held_out=small.held_out()))
    small.trainer(plain).run(small.stage(20, rate=1e-4))
    assert curve.held_out[-1][1] == min(loss for _, loss in curve.held_out)
    assert same_weights(weights_of(judged), weights_of(plain))


class Scripted:
    """A loss whose held-out values are given."""

    def __init__(self, loss: Any, values: list[float]) -> None:
        self._loss, self._values = loss, iter(values)

    def __call__(self, model: Any, sentences: Sentences) -> tuple[torch.Tensor, int]:
        if torch.is_grad_enabled():
            result: tuple[torch.Tensor, int] = self._loss(model, sentences)
            return result
        return torch.tensor(next(self._values)), 1


@pytest.mark.parametrize(
    ("values", "patience", "judged", "best"),
    [
        ([3.0, 2.0, 1.0, 4.0, 5.0, 6.0, 0.0], 3, 6, 2),
        ([3.0, 2.0, 1.0, 4.0, 5.0, 6.0, 0.0], 1, 4, 2),
        ([3.0, 4.0, 2.0, 5.0, 1.0, 6.0, 7.0, 0.0], 2, 7, 4),
        ([1.0, 2.0, 3.0, 4.0], 2, 3, 0),
    ],
)
def test_patience_ends_a_stage_and_the_best_weights_come_back(
    values: list[float], patience: int, judged: int, best: int
) -> None:
    small = SmallTable()
    model, weights = tiny_model(small.encoding), []
    weights.append(weights_of(model))
    trainer = small.trainer(model, loss=Scripted(small.loss, values))
    stage = small.stage(10, held_out=small.held_out(), patience=patience)
    curve = trainer.run(stage, lambda _: weights.append(weights_of(model)))
    assert curve.stopped_by == "held-out loss"
    assert [loss for _, loss in curve.held_out] == values[:judged]
    assert len(curve.losses) == judged - 1
    assert same_weights(weights_of(model), weights[best])


def test_time_that_runs_out_between_two_judgements_loses_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last steps are judged before they could be taken back."""
    small = SmallTable()
    model = tiny_model(small.encoding)
    is_over = iter([*[False] * 7, True])
    monkeypatch.setattr(Processes, "agree", lambda *_: next(is_over))
    before = weights_of(model)
    curve = small.trainer(model).run(small.stage(1000, held_out=small.held_out(), seconds=1.0))
    assert (curve.stopped_by, [step for step, _ in curve.held_out]) == ("time limit", [0, 7])
    assert curve.held_out[1][1] < curve.held_out[0][1]
    assert not same_weights(weights_of(model), before)


def test_stages_follow_each_other_and_share_the_seconds_by_their_steps() -> None:
    small = SmallTable()
    stages = [small.stage(10**6, name="one"), small.stage(3 * 10**6, name="two")]
    curves = small.trainer(tiny_model(small.encoding)).run_all(stages, 0.8, lambda _: None)
    assert list(curves) == ["one", "two"]
    assert 0.2 <= curves["one"].seconds < 0.5 < curves["two"].seconds


def test_a_stage_may_minimise_a_loss_of_its_own_and_judges_by_it_and_the_next_one_does_not() -> None:
    small = SmallTable()
    label = LabelLoss(small.encoding.tables, CPU, LabelObjective(feature_weight=0.0))
    own = small.stage(1, rate=1e-12, name="own", loss=label, held_out=small.held_out(60))
    trainer = small.trainer(tiny_model(small.encoding))
    curves = trainer.run_all([own, small.stage(1, rate=1e-12, name="usual")], None, lambda _: None)
    states = small.held_out(60).states
    choices = np.log(small.encoding.tables.allowed.sum(axis=1))[states[states != END]]
    assert curves["own"].losses[0] == pytest.approx(np.log(2), rel=0.08)
    assert curves["own"].held_out[0][1] == pytest.approx(np.log(2), rel=0.08)
    assert curves["own"].tokens == 60
    assert curves["usual"].losses[0] == pytest.approx(choices.mean(), rel=0.03)
    assert curves["usual"].tokens == 60 * 6


def small_weights() -> list[torch.nn.Parameter]:
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape)) for shape in ((3, 4), (5,), (2, 2, 2))]


def take_steps(optimizer: Any, learning: list[torch.nn.Parameter], first: int, last: int, size: float = 1.0) -> None:
    for step in range(first, last):
        for number, weight in enumerate(learning):
            generator = torch.Generator().manual_seed(100 * step + number)
            weight.grad = size * torch.randn(weight.shape, generator=generator)
        optimizer.step(0.1 / (step + 1), 3)


@pytest.mark.parametrize("size", [0.01, 100.0])
def test_all_weights_in_one_piece_learn_as_with_torchs_own(size: float) -> None:
    """Gradients below the norm that is allowed, and above it."""
    one, other = small_weights(), small_weights()
    take_steps(_FlatAdamW(one), one, 0, 6, size)
    take_steps(_LargeAdamW(other), other, 0, 6, size)
    for own, expected in zip(one, other, strict=True):
        torch.testing.assert_close(own, expected)
        assert own.grad is None


@pytest.mark.parametrize("kind", [_FlatAdamW, _LargeAdamW])
def test_it_goes_on_from_stored_moments(kind: Any) -> None:
    whole, parted = small_weights(), small_weights()
    take_steps(kind(whole), whole, 0, 8)
    first = kind(parted)
    take_steps(first, parted, 0, 5)
    second = kind(parted)
    second.load_state_dict({"state": copy.deepcopy(first.state_dict()["state"])})
    take_steps(second, parted, 5, 8)
    assert all(torch.equal(one, other) for one, other in zip(whole, parted, strict=True))


def test_a_weight_without_a_gradient_only_decays() -> None:
    learning = small_weights()
    before = learning[1].detach().clone()
    learning[0].grad = torch.ones(3, 4)
    _FlatAdamW(learning).step(0.1, 1)
    torch.testing.assert_close(learning[1].detach(), before * (1 - 0.1 * 0.01))


def test_large_models_get_torchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    learning = {str(number): weight for number, weight in enumerate(small_weights())}
    assert isinstance(_State(learning).optimizer, _FlatAdamW)
    monkeypatch.setattr(training, "_MOST_FLAT_WEIGHTS", 10)
    assert isinstance(_State(learning).optimizer, _LargeAdamW)
