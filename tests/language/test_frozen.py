"""States of frozen blocks: computed once for each row, and of no influence on what is learned and answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from imbllm_autogluon.encoding import Sentences
from imbllm_autogluon.language import frozen
from imbllm_autogluon.language.batches import Prompts
from imbllm_autogluon.language.frozen import FrozenBlocks
from imbllm_autogluon.language.losses import LabelObjective
from imbllm_autogluon.language.model import TableLanguageModel
from tests.language.tables import LABEL
from tests.language.trainers import everyone, model_over

if TYPE_CHECKING:
    from pathlib import Path

    import torch

ONE_ORDER: dict[str, Any] = {"order": "permute_x", "column_order_share": 1.0, "clauses": "text", "learning_rate": 5e-2}


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each pass through frozen blocks; nothing is known at the beginning."""
    passes, compute = list[int](), FrozenBlocks._computed
    monkeypatch.setattr(frozen, "_kept", type(frozen._kept)())

    def counted(self: FrozenBlocks, rows: list[torch.Tensor]) -> torch.Tensor:
        passes.append(len(rows))
        return compute(self, rows)

    monkeypatch.setattr(FrozenBlocks, "_computed", counted)
    return passes


def answers(model: TableLanguageModel, feature_weight: float) -> np.ndarray:
    """Train on the label, with rows held out, and score both classes of every row."""
    rows = everyone(model)
    kept = rows.take(np.arange(8))
    model.train(rows, held_out=kept, objective=LabelObjective(feature_weight), stage="label")
    values = model.encoding.codings[-1].encode(np.arange(2), np.zeros(2, dtype=bool))
    prompts = Prompts(np.arange(LABEL + 1), LABEL, rows.tokens)
    return model.score_all([prompts], LABEL, values)[0]


@pytest.mark.parametrize("tuning", [{"tuning": "top_blocks", "top_blocks": 1}, {"tuning": "lora", "lora_blocks": 1}])
@pytest.mark.parametrize("feature_weight", [0.0, 0.5])
def test_kept_states_change_neither_what_is_learned_nor_what_is_answered(
    pretrained_llama: Path,
    tuning: dict[str, Any],
    feature_weight: float,
    computed: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {**ONE_ORDER, **tuning, "steps": 12}
    found = answers(model_over(pretrained_llama, **settings), feature_weight)
    assert computed
    monkeypatch.setattr(TableLanguageModel, "_frozen", None)
    whole = answers(model_over(pretrained_llama, **settings), feature_weight)
    assert np.abs(whole - answers(model_over(pretrained_llama, **{**settings, "steps": 1}), 0.0)).max() > 0.1
    np.testing.assert_allclose(found, whole, atol=2e-3)


def test_every_row_is_computed_once_also_by_the_next_fit_on_the_same_backbone(
    pretrained_llama: Path, computed: list[int]
) -> None:
    settings = {**ONE_ORDER, "tuning": "lora", "lora_blocks": 1, "steps": 40}
    first = model_over(pretrained_llama, **settings)
    answers(first, 0.0)
    different = len({row.tobytes() for row in everyone(first).tokens[:, :LABEL]})
    assert sum(computed) == different + 1  # a row shows at first that both parts are the whole
    answers(model_over(pretrained_llama, **settings), 0.0)
    assert sum(computed) == different + 2


def test_what_is_kept_is_bounded_and_the_oldest_goes_first(
    pretrained_llama: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "_MOST_BYTES", 20_000)
    answers(model_over(pretrained_llama, **ONE_ORDER, tuning="lora", lora_blocks=1, steps=4), 0.0)
    assert sum(state.nbytes for state in frozen._kept.values()) <= 20_000
    assert sum(computed) > 60


@pytest.mark.parametrize(
    ("backbone", "settings"),
    [
        ("llama", {"tuning": "lora"}),
        ("llama", {"tuning": "lora", "lora_blocks": 1, "clauses": "tokens"}),
        ("llama", {"tuning": "lora", "lora_blocks": 1, "column_order_share": 0.5}),
        ("gpt2", {"tuning": "lora", "lora_blocks": 1}),
    ],
    ids=[
        "all blocks learn",
        "embeddings learn",
        "rows have several orders",
        "places are embedded with tokens",
    ],
)
def test_where_states_may_change_the_model_is_read_whole(
    request: pytest.FixtureRequest, backbone: str, settings: dict[str, Any], computed: list[int]
) -> None:
    model = model_over(request.getfixturevalue(f"pretrained_{backbone}"), **{**ONE_ORDER, **settings, "steps": 2})
    assert model._frozen is None
    answers(model, 0.0)
    assert sum(computed) <= 1


def test_rows_are_cut_and_continued_place_by_place() -> None:
    ids, real = np.array([[5, 6, 7, 8], [5, 6, 0, 0]]), np.array([[1, 1, 1, 1], [1, 1, 0, 0]], dtype=bool)
    sentences = Sentences(ids, real, np.where(real, 3, -1))
    cut = sentences.before(np.array([3, 1]))
    assert cut.ids.tolist() == [[5, 6, 7], [5, 0, 0]]
    assert cut.real.tolist() == [[True, True, True], [True, False, False]]
    longer = cut.followed_by((9, 4))
    assert longer.ids.tolist() == [[5, 6, 7, 9, 4], [5, 9, 4, 0, 0]]
    assert longer.states.tolist() == [[3, 3, 3, -1, -1], [3, -1, -1, -1, -1]]
