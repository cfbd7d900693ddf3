"""What written rows hold in the columns of a lower level's predictions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.plugin.presets import make_preset
from imbllm_autogluon.plugin.stage import _with_stack_columns
from tests.plugin.tables import QUICK, imbalanced_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.plugin.recording import Watched

FOLDS = 2


def fold() -> tuple[pd.DataFrame, pd.Series]:
    """Twelve real rows with two stack columns, four of class 1."""
    y = pd.Series([0] * 8 + [1] * 4)
    first = np.where(y == 1, 0.6, 0.2) + np.arange(12) / 100
    return pd.DataFrame({"base a": first, "x": range(12), "base b": 1 - first}), y


def test_predictions_are_taken_whole_from_a_real_row_of_the_same_class() -> None:
    X, y = fold()
    labels = pd.Series([1] * 50 + [0] * 50)
    written = _with_stack_columns(pd.DataFrame({"x": range(100)}), labels, X, y, ["base a", "base b"], seed=0)
    assert list(written.columns) == list(X.columns)
    assert written["x"].tolist() == list(range(100))
    for label in (0, 1):
        real = {tuple(row) for row in X.loc[y == label, ["base a", "base b"]].to_numpy()}
        rows = {tuple(row) for row in written.loc[labels == label, ["base a", "base b"]].to_numpy()}
        assert rows <= real
        assert len(rows) > 1


def test_the_draw_depends_on_its_seed_alone() -> None:
    X, y = fold()
    rows, labels = pd.DataFrame({"x": range(30)}), pd.Series([1] * 30)

    def drawn(seed: int) -> list[float]:
        taken = _with_stack_columns(rows, labels, X, y, ["base a", "base b"], seed=seed)["base a"].tolist()
        return [float(value) for value in taken]

    assert drawn(1) == drawn(1) != drawn(2)


def fit(path: Path, policy: str, **options: Any) -> TabularPredictor:
    preset = {**make_preset("medium_quality", stack=policy), "num_stack_levels": 1}
    predictor = TabularPredictor("paid", eval_metric="roc_auc", path=str(path), verbosity=0)
    options = {"hyperparameters": {"LR": {}}, "num_bag_folds": FOLDS, "ag_args_fit": QUICK, **options}
    return predictor.fit(imbalanced_table(200, rare=0.2), presets=[preset], num_cpus=1, **options)


def stacked_twins(predictor: TabularPredictor) -> list[str]:
    return [name for name in predictor.model_names() if name.endswith("Imb_BAG_L2")]


def test_copied_predictions_are_real_out_of_fold_ones_of_the_same_class(watched: Watched, tmp_path: Path) -> None:
    predictor = fit(tmp_path / "p", "copy")
    (stacked,) = stacked_twins(predictor)
    assert "ImbLLM_BAG_L1" not in predictor._trainer.load_model(stacked).base_model_names
    assert len(watched.folds) == FOLDS
    for X, y, rows, stack, _ in watched.folds:
        written, labels = rows.X, rows.y
        assert list(written.columns) == list(X.columns)
        assert written.dtypes.equals(X.dtypes)
        for label in labels.unique():
            real = {tuple(row) for row in X.loc[(y == label).to_numpy(), stack].to_numpy()}
            assert {tuple(row) for row in written.loc[(labels == label).to_numpy(), stack].to_numpy()} <= real
        own = X.drop(columns=stack)
        assert len(written[own.columns].merge(own.drop_duplicates())) < len(written)


def test_stack_columns_do_not_reach_the_generator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    columns: set[str] = set()
    train: Callable[..., Any] = ImbLLM.fit

    def note(generator: ImbLLM, X: pd.DataFrame, *rest: Any, **kwargs: Any) -> Any:
        columns.update(X.columns)
        return train(generator, X, *rest, **kwargs)

    monkeypatch.setattr(ImbLLM, "fit", note)
    # Only one of the two plain models is used by the stacked ones; the predictions of both lie in their folds.
    fit(tmp_path / "p", "copy", hyperparameters={"LR": [{}, {"C": 2}]})
    assert columns == {"income", "calls", "city", "member", "since"}


def test_duplicated_rows_are_real_rows_with_their_own_predictions_and_train_nothing(
    watched: Watched, tmp_path: Path
) -> None:
    predictor = fit(tmp_path / "p", "duplicate")
    assert stacked_twins(predictor)
    assert watched.trained == FOLDS
    assert len(watched.folds) == FOLDS
    for X, y, rows, _, _ in watched.folds:
        written, labels = rows.X, rows.y
        assert rows.report["method"] == "random"
        real = {tuple(map(str, row)) for row in X.assign(label=y).to_numpy()}
        assert {tuple(map(str, row)) for row in written.assign(label=labels.to_numpy()).to_numpy()} <= real
        counts = Counter(y) + Counter(labels)
        assert min(counts.values()) == round(max(counts.values()) / 2)


def test_without_a_policy_no_twin_is_stacked(watched: Watched, tmp_path: Path) -> None:
    predictor = fit(tmp_path / "p", "off")
    assert watched.folds == []
    bags = [predictor._trainer.load_model(name) for name in stacked_twins(predictor)]
    for bag in bags:
        assert all("real rows only" in bag.load_child(child).imbllm_report["reason"] for child in bag.models)
