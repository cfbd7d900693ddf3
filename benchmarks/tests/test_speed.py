"""The comparison with be_great: equal jobs, its environment, the judge of rows; and sentences as text or as tokens."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks import clauses, speed
from benchmarks.protocol import Options, run
from benchmarks.speed import PEER, PROTOCOL, great_worker, imbllm_worker, ratios
from benchmarks.speed.rare_rows import legal_rows, read_cells, with_few_rare
from benchmarks.tables import Table, read_named
from imbllm_autogluon.errors import ImbLLMError, InvalidInputError
from tests.language.pretrained import save_pretrained

REAL = pd.DataFrame({"dose": [0.25, 1.5, None], "visits": [1, 4, 9], "city": ["Oslo", "Bergen", None]}).assign(
    member=[True, False, True], seen=pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01"])
)
TEXTS = {"dose": "0.50", "visits": "5.0", "city": "Oslo", "member": "False", "seen": "2020-05-04"}
ILLEGAL = {"visits": ("1.5", "10", "1 4", None), "city": ("Paris",), "member": ("placeholder", None)}
ILLEGAL |= {"dose": ("0.255", "2.0", "a lot", "nan", "inf"), "seen": ("2019-12-31", "last summer")}


def test_one_illegal_cell_makes_its_row_illegal() -> None:
    spoilt = [{**TEXTS, column: text} for column, texts in ILLEGAL.items() for text in texts]
    written = read_cells(pd.DataFrame([TEXTS, {**TEXTS, "dose": None, "city": None}, *spoilt]), REAL)
    assert legal_rows(written, REAL).tolist() == [True, True, *[False] * len(spoilt)]


def test_columns_that_imbllm_sets_aside_are_left_out_and_few_rare_rows_are_kept() -> None:
    frame = read_named("seeded:60x4:20").frame.assign(nothing=1, level=pd.Categorical(["a", "b"] * 30))
    few, rare = with_few_rare(Table(frame, "label", "small"), 12)
    assert (rare, few.counts) == ("rare", {"usual": 40, "rare": 12})
    assert [*few.features] == [*(f"feature {place}" for place in range(4)), "level"]
    assert few.frame["level"].dtype == object


class FakeGreat:
    """Stands in for a fine-tuned GReaT: its loop and its ``except`` are the same."""

    def __init__(self) -> None:
        size = {"vocab_size": 30, "n_positions": 64, "n_embd": 16, "n_layer": 1, "n_head": 1, "eos_token_id": None}
        self.model = GPT2LMHeadModel(GPT2Config(**size))

    def sample(self, n_samples: int, k: int, **named: Any) -> pd.DataFrame:
        ids = torch.ones((k, 3), dtype=torch.long)
        try:
            for _ in range(5):
                self.model.generate(input_ids=ids, max_length=named["max_length"], do_sample=True, pad_token_id=0)
        except Exception:  # noqa: BLE001 - be_great's own
            assert named["max_length"] == 9
        return pd.DataFrame({"a": []})


def test_every_attempted_row_is_counted_and_no_batch_begins_behind_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(great_worker, "_write_cells", lambda *_: None)
    job = {"device": "cpu", "samples": 10, "batch": 4, "budget": 1000.0, "written": "cells.parquet"}
    figures = great_worker._sample(FakeGreat(), job, max_length=8)
    assert (figures["rows"], figures["accepted rows"], figures["tokens per row"]) == (20, 0, 3 + 4)
    assert figures["forward passes"] == 5 * 5  # 3 tokens of the prompt at once, then 4 single ones
    assert 0 < figures["output layer seconds"] < figures["forward seconds"] < figures["sampling seconds"]
    assert great_worker._sample(FakeGreat(), {**job, "budget": 0.0}, max_length=9)["rows"] == 4


def test_the_script_of_be_great_imports_nothing_of_this_project() -> None:
    tree = ast.walk(ast.parse(Path(great_worker.__file__).read_text(encoding="utf-8")))
    imported = {node.module for node in tree if isinstance(node, ast.ImportFrom)}
    assert {str(name).partition(".")[0] for name in imported} <= {*sys.stdlib_module_names, "be_great", "transformers"}
    with pytest.raises(SystemExit, match=r"expected two arguments.* got 1"):
        great_worker.main(["job.json"])


def test_imbllm_learns_the_same_rows_as_the_peer_and_no_others() -> None:
    job = {"folder": "compact", "device": "cpu", "batch": 100, "epochs": 8, "batch_size": 32}
    config = imbllm_worker.configuration({**job, "settings": {"tuning": "full"}}, 100)
    language, others = config.language, (config.interpolation.interpolation_ratio, config.conditioning.conditioning)
    assert (language.steps, language.generation_batch, language.tuning) == (25, 100, "full")
    assert (language.pretrain, language.validation_fraction, *others) == ("none", 0.0, 0.0, "y")


def test_imbllm_writes_legal_rows_and_reports_where_the_time_went(tmp_path: Path) -> None:
    fold, written = tmp_path / "fold.parquet", tmp_path / "written.parquet"
    table = read_named("seeded:60x6:20")
    table.frame.to_parquet(fold)
    job = {"folder": "compact", "device": "cpu", "settings": {}, "epochs": 2, "batch_size": 8, "batch": 100}
    job |= {"samples": 30, "threads": 1, "seed": 0, "label": "label", "rare": "rare"}
    figures = imbllm_worker.measure({**job, "fold": str(fold), "written": str(written)})
    rows = pd.read_parquet(written)
    assert len(rows) == figures["rows"] == legal_rows(rows, table.features).sum() == 30
    assert 0 < figures["output layer seconds"] < figures["sampling seconds"] > figures["forward seconds"] > 0
    assert figures["seconds per epoch"] == pytest.approx(figures["training seconds"] * 20 / 40)


WORKER = """import json, sys, pandas as pd
job = json.load(open(sys.argv[1]))
rows = pd.read_parquet(job["rows"])
(rows if job["settings"] else rows.map(str).replace("nan", None)).to_parquet(job["written"])
figures = {"seconds per epoch": 3.0, "rows/s": 2.0, "sampling seconds": 5.0, "peak MiB": 9.0}
json.dump({"figures": figures, "libraries": "torch=1"}, open(sys.argv[2], "w"))"""


def test_both_are_judged_by_what_they_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "worker.py").write_text(WORKER)
    monkeypatch.setattr(speed, "_command", lambda python, *, is_peer: [sys.executable, str(tmp_path / "worker.py")])
    own = {"backbone": str(save_pretrained(tmp_path / "model", "llama")), "rare_rows": 10}
    own["great_python"] = sys.executable
    tidy = run(PROTOCOL, Options(tables=("seeded:40x4:15",), methods=(PEER, "*text"), repeats=1, own=own)).tidy
    assert tidy.pivot_table("value", "metric", "method").loc["valid rows/s"].to_list() == [2.0, 2.0]
    assert set(tidy["versions"]) == {"torch=1"}
    assert "| ImbLLM, clauses as text | 1.00     | 1.00 " in ratios(tidy, PROTOCOL)


def test_failures_are_reported_with_what_was_printed_last_and_bad_options_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('looking'); sys.exit('ERROR: no room')"]
    with pytest.raises(ImbLLMError, match=r"exit code 1:[\s\S]*ERROR: no room"):
        speed.run_worker(command, {"threads": 1, "device": ""}, tmp_path)
    with pytest.raises(InvalidInputError, match="device"):
        run(PROTOCOL, Options(tables=("seeded:40x4:15",), own={"device": "tpu"}))


def test_every_method_is_measured_before_its_first_step_and_after_its_last(tmp_path: Path) -> None:
    few = {"steps": 2, "batch_size": 4, "rare_rows": 20, "generate": 8}
    own = {**few, "backbone": str(save_pretrained(tmp_path, "llama"))}
    result = run(clauses.PROTOCOL, Options(tables=("seeded:60x3:30",), threads=1, own=own))
    figures = result.tidy.pivot_table("value", ["method", "steps"], "metric", sort=False)
    assert list(figures.index) == [(method, steps) for method in clauses.PROTOCOL.methods for steps in (0, 2)]
    assert list(figures.columns) == [metric.name for metric in clauses.PROTOCOL.metrics]
    assert (figures >= 0).all(axis=None)
    tokens = figures["tokens/row"].xs(0, level="steps")
    assert tokens["text"] > tokens["tokens"] > tokens["tokens, bins"]
    assert "tokens, bins, 2 steps" in clauses.by_steps(result.tidy, clauses.PROTOCOL)
    assert f"--backbone {tmp_path.name}" in result.provenance["command"], "of folders only the names are told"
