from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from imbllm_autogluon.bench import clauses
from imbllm_autogluon.bench.clauses import ARMS, METRICS, run
from imbllm_autogluon.tables.files import write_table
from tests.jobs.fits import mixed_table
from tests.language.pretrained import save_pretrained

if TYPE_CHECKING:
    from pathlib import Path

BARELY = {"steps": 2, "batch_size": 4, "rows": 20, "generate": 12, "threads": 1}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pretrained(tmp_path_factory.mktemp("backbone"), "llama")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "visits.csv"
    write_table(mixed_table({"no": 60, "yes": 30}), path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, backbone: Path, table: Path) -> Path:
    cache = tmp_path_factory.mktemp("cache")
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMBLLM_CACHE_DIR", str(cache))
        assert run(str(backbone), [f"{table}:label"], folder=folder, **BARELY) == folder / "clauses.md"
        patch.setattr(clauses, "measure", forbidden)
        run(str(backbone), [f"{table}:label"], folder=folder, **BARELY)
        with pytest.raises(AssertionError, match="measured again"):
            run(str(backbone), [f"{table}:label"], folder=folder, fresh=True, **BARELY)
    return folder


def forbidden(*_: Any) -> Any:
    raise AssertionError("measured again")


def test_every_arm_is_measured_before_its_first_step_and_after_its_last(folder: Path) -> None:
    tidy = pd.read_csv(folder / "clauses.csv")
    wide = tidy.pivot_table("value", ["arm", "steps"], "metric")
    assert sorted(wide.index) == sorted((arm, steps) for arm in ARMS for steps in (0, 2))
    assert set(wide.columns) == set(METRICS)
    assert wide.notna().all(axis=None)
    assert wide["marginal distance"].between(0, 1).all()
    assert wide["coverage"].between(0, 1).all()


def test_tokens_make_shorter_sentences_than_text_and_bins_shorter_ones_yet(folder: Path) -> None:
    tidy = pd.read_csv(folder / "clauses.csv")
    tokens = tidy[(tidy["metric"] == "tokens/row") & (tidy["steps"] == 0)].set_index("arm")["value"]
    assert tokens["text"] > tokens["tokens"] > tokens["tokens, bins"]


def test_the_page_says_what_was_measured_and_by_which_command(folder: Path, table: Path) -> None:
    page = (folder / "clauses.md").read_text(encoding="utf-8")
    assert f"--table {table.name}:label" in page
    assert "--steps 2 --batch-size 4 --rows 20 --generate 12 --repeats 1 --threads 1" in page
    assert str(table.parent) not in page
    for metric in METRICS:
        assert f"**{metric}**" in page
    assert "| visits" in page
