"""Processes that train together, memory that runs out, precisions of writing."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.hardware import Processes, device_named, ran_out_of_memory, release_memory
from imbllm_autogluon.language.model import _writing_model
from tests.language.pretrained import causal_model, save_pretrained
from tests.language.tables import LABEL, legal_rows
from tests.language.trainers import SmallTable, everyone, expect_close, model_over, tiny_model, trained, written
from tests.products import cases

if TYPE_CHECKING:
    from imbllm_autogluon.encoding import Sentences
    from tests.language.pretrained import Architecture


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:119] . DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 80000000000 bytes."), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("not enough memory"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_shortage_of_memory_is_told_from_other_errors(error: BaseException, expected: bool) -> None:
    assert ran_out_of_memory(error) is expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cuda",
            r"device='cuda' is not on this machine: torch .* finds 0 devices of this type. Leave device out, or use",
        ),
        ("cuda:1", "device='cuda:1' is not on this machine"),
        ("meta", "device='meta' is not on this machine"),
        ("gpu", "device must be the name of a torch device such as 'cpu' or 'cuda:0'; got 'gpu'"),
    ],
)
def test_a_device_that_is_not_here_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InvalidInputError, match=message):
        model_over("compact", device=name)
    assert device_named("cpu") == torch.device("cpu")


class Node:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.me = self


def test_what_a_failed_attempt_left_in_circles_is_given_back() -> None:
    gc.disable()
    try:
        alive = weakref.ref(Node())
        assert alive() is not None
        release_memory()
        assert alive() is None
    finally:
        gc.enable()


PRETRAINED = LanguageConfig(backbone="somewhere")


def with_cpu(monkeypatch: pytest.MonkeyPatch, *, able: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": able})


@pytest.mark.parametrize(
    ("config", "able", "dtype"),
    [
        (PRETRAINED, True, torch.bfloat16),
        (PRETRAINED, False, torch.float32),
        (LanguageConfig(), True, torch.float32),
        (LanguageConfig(precision="bfloat16"), False, torch.bfloat16),
        (LanguageConfig(backbone="somewhere", precision="float32"), True, torch.float32),
    ],
)
def test_rows_are_written_in_bfloat16_where_a_cpu_has_it_or_the_user_says_so(
    config: LanguageConfig, able: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cpu(monkeypatch, able=able)
    model = causal_model("llama", 40, 32)
    written_by = _writing_model(model, config)
    assert written_by.get_input_embeddings().weight.dtype == dtype
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert (written_by is model) == (dtype == torch.float32)


@pytest.mark.parametrize(
    ("architecture", "settings"),
    cases(["gpt2", "llama"], [{}, {"clauses": "text", "constrained": False}], together=1),
)
def test_a_model_in_bfloat16_writes_legal_rows_and_its_own_weights_stay_as_they_were(
    architecture: Architecture, settings: dict[str, Any], tmp_path: Path
) -> None:
    model = trained(save_pretrained(tmp_path, architecture), device="cpu", precision="bfloat16", **settings)
    before = {name: weight.clone() for name, weight in model._backbone.model.state_dict().items()}
    rows = written(model, 40)
    assert legal_rows(model.encoding, np.array(rows[0]))
    assert written(model, 40) == rows
    after = model._backbone.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_scores_are_those_of_float32_whatever_rows_are_written_with(tmp_path: Path) -> None:
    folder = save_pretrained(tmp_path, "llama")
    likelihoods = []
    for choice in ("float32", "bfloat16"):
        model = model_over(folder, device="cpu", precision=choice)
        rows = everyone(model).take(np.arange(5))
        orders = np.tile(np.array([LABEL, 0, 1, 2, 3, 4]), (5, 1))
        likelihoods.append(model.log_likelihoods(rows, orders))
    np.testing.assert_array_equal(*likelihoods)


ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("variable", [None, "0", "1"])
def test_without_a_launcher_there_is_one_process(variable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if variable is not None:
        monkeypatch.setenv("WORLD_SIZE", variable)
    processes = Processes.of_launch()
    assert processes == Processes(0, 1)
    assert processes.is_first
    assert processes.device is None


def test_one_process_agrees_with_itself_and_adds_nothing() -> None:
    one, cpu, tensor = Processes(), torch.device("cpu"), torch.ones(2)
    assert one.agree(True, cpu)
    assert not one.agree(False, cpu)
    one.add_up([tensor])
    one.wait()
    assert tensor.tolist() == [1, 1]
    assert one.common_seed(7) == 7


class Recorded:
    """A loss that remembers its sentences."""

    def __init__(self, loss: Any) -> None:
        self._loss = loss
        self.seen: list[Sentences] = []

    def __call__(self, model: Any, sentences: Sentences) -> tuple[torch.Tensor, int]:
        self.seen.append(sentences)
        result: tuple[torch.Tensor, int] = self._loss(model, sentences)
        return result


@pytest.mark.parametrize(("count", "size"), [(2, 16), (3, 16), (4, 3)])
def test_processes_share_each_batch_and_add_up_to_its_gradients(
    count: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Played one after the other: each process's sums are kept and given to the last one."""
    small, sums = SmallTable("digits"), []
    whole = tiny_model(small.encoding)
    expected = small.trainer(whole).run(small.stage(1, size=size))

    def added(self: Processes, tensors: Any) -> None:
        parts = list(tensors)
        sums.append([part.clone() for part in parts])
        if self.rank == count - 1:
            for place, part in enumerate(parts):
                part.copy_(sum(earlier[place] for earlier in sums))

    monkeypatch.setattr(Processes, "add_up", added)
    rows = 0
    for rank in range(count):
        loss, model = Recorded(small.loss), tiny_model(small.encoding)
        curve = small.trainer(model, loss=loss, processes=Processes(rank, count)).run(small.stage(1, size=size))
        rows += sum(len(sentences.ids) for sentences in loss.seen)
    assert rows == size
    assert curve.losses == pytest.approx(expected.losses, rel=1e-6)
    assert (curve.tokens, curve.tokens_read) == (expected.tokens, expected.tokens_read)
    expect_close(model, whole)


SCRIPT = textwrap.dedent(
    """
    import sys
    import warnings
    from pathlib import Path

    warnings.simplefilter("error")
    import pandas as pd
    from imbllm_autogluon.language.hardware import Processes
    from imbllm_autogluon.oversampling import ImbLLM, GeneratorConfig
    from imbllm_autogluon.oversampling.methods import save_generator
    from tests.oversampling.tables import labels, mixed

    backbone, folder, seed, checkpoint, settings = sys.argv[1:]
    config = GeneratorConfig.from_flat({
        "backbone": backbone, "steps": 6, "pretrain_steps": 4, "pretrain": "fold", "validation_fraction": 0.2,
        "batch_size": 9, "layers": 1, "width": 16, "device": "cpu", **eval(settings),
    })
    generator = ImbLLM(config, random_state=None if seed == "None" else int(seed), threads=1)
    generator.fit(mixed(90), labels(60, 30), {"b": 20}, checkpoint=Path(checkpoint) if checkpoint else None)
    processes = Processes.of_launch()
    Path(folder).mkdir(parents=True, exist_ok=True)
    Path(folder, f"digest-{processes.rank}").write_text(repr([
        (name, weight.detach().double().sum().item(), weight.detach().double().square().sum().item())
        for name, weight in generator.language_model._backbone.model.named_parameters()
    ]))
    if processes.is_first:
        save_generator(generator, Path(folder))
    """
)


def run(
    tmp_path: Path, folder: Path, backbone: str, processes: int, *, seed: str = "3", settings: str = "{}"
) -> subprocess.CompletedProcess[str]:
    """Fit and store a generator in fresh processes."""
    script = tmp_path / "fit.py"
    script.write_text(SCRIPT, encoding="utf-8")
    # Not accelerate's own launcher: with --cpu it starts one process, whatever it is asked for.
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes), "--standalone"]
    command = [sys.executable, *(launcher if processes > 1 else []), str(script), backbone, str(folder), seed]
    checkpoint = str(tmp_path / "checkpoint") if processes > 1 else ""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "IMBLLM_PROGRESS": "0"}
    done = subprocess.run(
        [*command, checkpoint, settings], capture_output=True, text=True, env=environment, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["compact", "gpt2"])
def test_two_launched_processes_learn_what_one_learns(backbone: str, tmp_path: Path) -> None:
    from tests.language.pretrained import save_pretrained

    name = str(save_pretrained(tmp_path / "base", "gpt2")) if backbone == "gpt2" else backbone
    run(tmp_path, tmp_path / "one", name, 1)
    both = run(tmp_path, tmp_path / "two", name, 2)
    files = [file.relative_to(tmp_path / "one") for file in (tmp_path / "one").rglob("*.safetensors")]
    assert len(files) == (3 if backbone == "gpt2" else 2)
    for file in files:
        weights, expected = load_file(tmp_path / "two" / file), load_file(tmp_path / "one" / file)
        assert weights.keys() == expected.keys()
        for key, weight in weights.items():
            if not key.endswith("c_attn.bias"):  # that of keys has no gradient but rounding, which Adam makes large
                torch.testing.assert_close(weight, expected[key], rtol=1e-5, atol=1e-5)
    assert (tmp_path / "two" / "digest-0").read_text() == (tmp_path / "two" / "digest-1").read_text()
    assert not (tmp_path / "checkpoint").exists()
    assert "destroy_process_group" not in both.stderr
    assert "Warning" not in both.stderr


@pytest.mark.slow
def test_launched_processes_without_a_seed_agree_on_one(tmp_path: Path) -> None:
    run(tmp_path, tmp_path / "two", "compact", 2, seed="None")
    assert (tmp_path / "two" / "digest-0").read_text() == (tmp_path / "two" / "digest-1").read_text()


@pytest.mark.slow
def test_launched_processes_stop_together_where_time_runs_out(tmp_path: Path) -> None:
    run(tmp_path, tmp_path / "two", "compact", 2, settings="{'time_limit': 1.0, 'steps': 10**6}")
    assert (tmp_path / "two" / "digest-0").read_text() == (tmp_path / "two" / "digest-1").read_text()
