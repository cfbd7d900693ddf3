from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from imbllm_autogluon.bench.speed import great_worker
from imbllm_autogluon.bench.speed.great_worker import Stopwatch, innermost, main, peak_memory, sampling_figures


def tiny_model() -> GPT2LMHeadModel:
    return GPT2LMHeadModel(GPT2Config(vocab_size=30, n_positions=64, n_embd=16, n_layer=1, n_head=1, eos_token_id=None))


class FakeGreat:
    """Stands in for a fine-tuned GReaT: its loop and its ``except`` are the same, its rows are never legal."""

    def __init__(self) -> None:
        self.model = tiny_model()
        self.asked: dict[str, Any] = {}

    def sample(self, n_samples: int, k: int, **named: Any) -> pd.DataFrame:
        self.asked = {"n_samples": n_samples, "k": k, **named}
        ids = torch.ones((k, 3), dtype=torch.long)
        try:
            for _ in range(5):
                self.model.generate(input_ids=ids, max_length=named["max_length"], do_sample=True, pad_token_id=0)
        except Exception as error:  # noqa: BLE001 - be_great's own
            self.asked["stopped by"] = str(error)
        return pd.DataFrame({"a": []})


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each batch whose cells were written."""
    sizes: list[int] = []
    monkeypatch.setattr(
        great_worker, "_write_cells", lambda great, batches, path: sizes.extend(len(batch) for batch in batches)
    )
    return sizes


def job(**changed: Any) -> dict[str, Any]:
    return {"device": "cpu", "samples": 10, "batch": 4, "budget": 1000.0, "written": "cells.parquet", **changed}


def test_every_attempted_row_and_every_token_fed_is_counted(written: list[int]) -> None:
    great = FakeGreat()
    figures = great_worker._sample(great, job(), max_length=8)
    assert great.asked["k"] == 4
    assert written == [4] * 5
    assert figures["rows"] == 20
    assert figures["accepted rows"] == 0
    assert figures["forward passes"] == 5 * 5  # 3 tokens of the prompt at once, then 4 single ones
    assert figures["tokens per row"] == 3 + 4
    assert 0 < figures["output layer seconds"] < figures["forward seconds"] < figures["sampling seconds"]


def test_no_batch_begins_behind_the_budget_but_the_first_is_finished(written: list[int]) -> None:
    great = FakeGreat()
    figures = great_worker._sample(great, job(budget=0.0), max_length=8)
    assert figures["rows"] == 4
    assert "0.0 s are over" in great.asked["stopped by"]


def test_the_stopwatch_times_functions_and_leaves_their_results() -> None:
    watch = Stopwatch("cpu")
    slow = watch.timed("pause", lambda seconds, *, back: time.sleep(seconds) or back)
    assert slow(0.02, back="yes") == "yes"
    assert watch.calls["pause"] == 1
    assert watch.seconds("pause") >= 0.02
    assert watch.seconds("never called") == 0


@pytest.mark.parametrize("named", ["input_ids", "inputs_embeds", None])
def test_tokens_are_counted_however_they_are_passed(named: str | None) -> None:
    model, watch = tiny_model(), Stopwatch("cpu")
    watch.watch("forward", innermost(model), count_tokens=True)
    ids = torch.ones((2, 5), dtype=torch.long)
    if named is None:
        model.transformer(ids)
    else:
        model(**{named: ids if named == "input_ids" else torch.zeros((2, 5, 16))})
    assert watch.tokens == 10


# peft 0.21 asks transformers 5.23 for a property by its old name.
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_below_adapters_the_same_module_is_watched() -> None:
    from peft import LoraConfig, get_peft_model

    model = tiny_model()
    inner = model.transformer
    assert innermost(model) is inner
    assert innermost(get_peft_model(model, LoraConfig(target_modules=["c_attn"], fan_in_fan_out=True))) is inner


def test_parts_of_the_seconds_add_up() -> None:
    watch = SimpleNamespace(seconds={"forward": 3.0, "output layer": 1.0}.get, calls={"forward": 7}, tokens=120)
    figures = sampling_figures(watch, 10, 5.0)  # type: ignore[arg-type]
    assert figures["other seconds"] == 1.0
    assert (figures["rows/s"], figures["tokens per row"], figures["forward passes"]) == (2.0, 12.0, 7.0)


def test_peak_memory_is_that_of_this_process() -> None:
    before = peak_memory("cpu")["peak MiB"]
    block = torch.ones(64, 2**20, dtype=torch.uint8)
    assert peak_memory("cpu")["peak MiB"] >= before > 50
    assert block.sum() == 64 * 2**20


@pytest.mark.parametrize(("tuning", "expected"), [({}, ""), ({"tuning": "lora"}, "lora")])
def test_be_great_is_told_the_plan_and_keeps_its_other_defaults(tuning: dict[str, str], expected: str) -> None:
    settings = great_worker._settings({"epochs": 2, "batch_size": 32, "seed": 5, "device": "cpu", "settings": tuning})
    assert settings == {
        "epochs": 2,
        "batch_size": 32,
        "efficient_finetuning": expected,
        "save_strategy": "no",
        "seed": 5,
        "use_cpu": True,
    }


def test_the_result_holds_figures_and_libraries(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps({"epochs": 3}))
    arguments = [str(tmp_path / "job.json"), str(tmp_path / "result.json")]
    main(arguments, lambda given: {"rows": given["epochs"]})
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["figures"] == {"rows": 3}
    assert f"torch={torch.__version__}" in result["libraries"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.json", "result.json"]


@pytest.mark.parametrize("arguments", [[], ["job.json"], ["a", "b", "c"]])
def test_other_than_two_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match=f"expected two arguments.* got {len(arguments)}"):
        main(arguments)


def test_the_script_starts_isolated_and_imports_nothing_of_this_package() -> None:
    script = Path(great_worker.__file__)
    imported = {
        name
        for node in ast.walk(ast.parse(script.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    known = set(sys.stdlib_module_names) | {"be_great", "torch", "pandas", "transformers"}
    assert {name.partition(".")[0] for name in imported} <= known
    done = subprocess.run([sys.executable, "-I", str(script)], capture_output=True, text=True, check=False)
    assert "expected two arguments" in done.stderr
