from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.language import precision
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.hardware import writing_model
from tests.language.pretrained import causal_model, save_pretrained
from tests.language.tables import LABEL, legal_rows
from tests.language.tuned import everyone, model_over, trained, written
from tests.products import cases

if TYPE_CHECKING:
    from pathlib import Path

    from tests.language.pretrained import Architecture

PRETRAINED = LanguageConfig(backbone="somewhere")


def with_cpu(monkeypatch: pytest.MonkeyPatch, *, able: bool) -> None:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: able)


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
    written_by = writing_model(model, config)
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
