from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.attention import PIXELS, draw, first_order, run, summary
from imbllm_autogluon.language.attention import AttentionMap
from imbllm_autogluon.sentences.orders import ORDERS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attention")
    assert run(rows=40, warmup_steps=2, steps=2, folder=folder) == folder / "attention.md"
    return folder


def test_what_can_be_attended_to_follows_from_the_order_and_the_model(folder: Path) -> None:
    tidy = pd.read_csv(folder / "attention.csv")
    assert list(tidy.columns) == ["dataset", "split", "arm", "metric", "value", "versions"]
    can = tidy[tidy["metric"] == "can attend"].set_index("arm")["value"]
    assert can["causal, fix_y"] == 1.0
    assert can["causal, permute_x"] == 0.0
    assert can["causal, permute_xy"] == pytest.approx(0.5, abs=0.15)
    assert can[[f"masked, {order}" for order in ORDERS]].tolist() == [1.0] * 3
    assert tidy["value"].notna().all()


def test_page_and_picture_stand_beside_the_figures_and_no_draft_is_left(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["attention.csv", "attention.md", "attention.png"]
    page = (folder / "attention.md").read_text(encoding="utf-8")
    assert "(attention.png)" in page
    assert "over 40 sentences" in page.replace("\n", " ")
    assert "| causal, fix_y" in page
    pixels = matplotlib.image.imread(folder / "attention.png")
    assert pixels.shape[:2] == PIXELS[::-1]


def test_the_picture_frames_the_column_of_the_label(tmp_path: Path) -> None:
    shown: list[Any] = []
    for label in (0, 2):
        draw({"fix_y": small_map(label)}, tmp_path / "one.png")
        pixels = matplotlib.image.imread(tmp_path / "one.png")
        red = (pixels[..., 0] > 0.8) & (pixels[..., 1] < 0.2)
        shown.append(np.nonzero(red)[1].mean())
    assert shown[0] < shown[1]


def small_map(label: int) -> AttentionMap:
    places = np.array([1, 3, 5])
    none = np.zeros(1)
    names = tuple("abcdef")
    return AttentionMap(none, none, none, np.eye(6), names, places, places - 1, places[[label]])


def test_the_shown_row_differs_between_orders_only_by_the_place_of_the_label() -> None:
    orders = {order: first_order(8, order, 3).tolist() for order in ORDERS}
    assert [orders[order].index(8) for order in ORDERS] == [0, 8, 4]
    assert len({tuple(clause for clause in order if clause != 8) for order in orders.values()}) == 1


def test_a_model_that_never_attends_has_no_column_that_attends_most() -> None:
    metrics = ["can attend", "does attend", "attention to the label", "loss", "attention to the label: age"]
    tidy = pd.DataFrame(
        [{"arm": arm, "metric": m, "value": v} for arm, v in (("last", 0.0), ("first", 0.5)) for m in metrics]
    )
    table = summary(tidy)
    assert table["most"].tolist() == ["", "age (50.0%)"]
    assert table["can attend"].tolist() == ["0.0%", "50.0%"]
