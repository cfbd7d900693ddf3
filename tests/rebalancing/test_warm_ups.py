"""Generators of one fold that differ in what follows the warm-up share it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from imbllm_autogluon.language import model as language_model
from imbllm_autogluon.rebalancing import Fold, RebalanceConfig, fold_rows, plan_oversampling
from imbllm_autogluon.rebalancing.fold_rows import GENERATORS, WARM_UPS
from tests.rebalancing.conftest import QUICK

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

pytestmark = pytest.mark.usefixtures("uniform_backbone")


@pytest.mark.parametrize(
    ("change", "n_warm_ups"),
    [({"interpolation_ratio": 0.5}, 1), ({"steps": 3}, 1), ({"warmup_steps": 3}, 2), ({"random_state": 1}, 2)],
)
def test_only_what_the_warm_up_depends_on_asks_for_another_one(
    fold: tuple[pd.DataFrame, pd.Series], tmp_path: Path, change: dict[str, Any], n_warm_ups: int
) -> None:
    X, y = fold
    for settings in (QUICK, {**QUICK, **change}):
        config = RebalanceConfig.from_flat(settings)
        fold_rows(Fold(X, y, plan_oversampling(y, config), {}), config, tmp_path, threads=1)
    assert len(GENERATORS.keys(tmp_path)) == 2
    assert len(list((tmp_path / WARM_UPS).glob("*.safetensors"))) == n_warm_ups


@pytest.mark.real_backbone
def test_a_shared_warm_up_leads_to_the_rows_of_one_of_its_own(
    fold: tuple[pd.DataFrame, pd.Series], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = fold
    half = RebalanceConfig.from_flat({**QUICK, "interpolation_ratio": 0.5})
    whole = RebalanceConfig.from_flat(QUICK)
    fold_rows(Fold(X, y, plan_oversampling(y, whole), {}), whole, tmp_path / "shared", threads=1)
    read: list[Any] = []
    original = language_model.restore_warm
    monkeypatch.setattr(language_model, "restore_warm", lambda *given: read.append(original(*given)) or read[-1])
    shared = fold_rows(Fold(X, y, plan_oversampling(y, half), {}), half, tmp_path / "shared", threads=1)
    alone = fold_rows(Fold(X, y, plan_oversampling(y, half), {}), half, tmp_path / "alone", threads=1)
    assert [curve is not None for curve in read] == [True, False]
    assert shared.X.equals(alone.X)
