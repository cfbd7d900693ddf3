from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from imbllm_autogluon.bench import results, stage
from imbllm_autogluon.bench.stage import ARMS, run, valid_share
from imbllm_autogluon.bench.tables import mixed_table

if TYPE_CHECKING:
    from pathlib import Path


def test_the_command_measures_every_arm_and_writes_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(arm: str, *size: int) -> dict[str, float]:
        return {"seconds": 1.0 + ARMS.index(arm), "valid": 1.0}

    monkeypatch.setattr(stage, "in_own_process", quick)
    monkeypatch.setattr(stage, "RESULTS", tmp_path)
    page = run(rows=40, columns=6, minority=10, threads=1, repeats=2)
    tidy = pd.read_csv(tmp_path / "stage.csv")
    assert list(tidy.columns) == ["dataset", "split", "arm", "metric", "value", "versions"]
    assert len(tidy) == len(ARMS) * 2 * 2
    assert "2 (2 to 2)" in page.read_text()
    assert "imbllm bench stage --rows 40" in page.read_text()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("arm", ARMS[1:])
def test_peers_are_measured_on_the_same_table(arm: str) -> None:
    figures = stage.measure(arm, 120, 6, 20, 1, 0)
    assert figures["rows/s of writing"] > 0
    assert figures["peak MiB"] > 0
    assert 0 <= figures["valid"] <= 1


def test_every_row_of_an_untrained_generator_is_valid() -> None:
    from imbllm_autogluon.oversampling import GeneratorConfig, ImbLLM

    X, y = mixed_table(200, 12, 30)
    generator = ImbLLM(GeneratorConfig.from_flat({"steps": 0, "warmup_steps": 0}), random_state=0)
    rows, _ = generator.fit(X, y, {"rare": 140}).sample()
    assert valid_share(rows, X) == 1.0


@pytest.mark.parametrize(
    ("column", "value"), [("feature 0", 1e9), ("feature 0", 0.12345), ("feature 2", 0.5), ("feature 4", "level 9")]
)
def test_an_illegal_cell_makes_its_row_invalid(column: str, value: object) -> None:
    X, _ = mixed_table(100, 6, 20)
    spoilt = X.astype(object)
    spoilt.loc[7, column] = value
    assert valid_share(X, X) == 1.0
    assert valid_share(spoilt.infer_objects(), X) == pytest.approx(0.99)


def test_without_the_extra_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"imbllm-autogluon\[bench\]"):
        results.write_results("stage", pd.DataFrame(), pd.DataFrame(), "", tmp_path)


def test_the_table_has_the_wanted_shape_and_is_the_same_for_the_same_seed() -> None:
    X, y = mixed_table(300, 15, 40, seed=1)
    assert X.shape == (300, 15)
    assert y.value_counts().to_dict() == {"usual": 260, "rare": 40}
    pd.testing.assert_frame_equal(X, mixed_table(300, 15, 40, seed=1)[0])
