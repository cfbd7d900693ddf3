"""Few frames of this package lie between a public method and the language model: whoever debugs can see them all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

import imbllm_autogluon
from imbllm_autogluon import ImbLLMOverSampler, PredLLM
from tests.oversampling.tables import QUICK, labels, mixed, quick
from tests.uniform_backbone import UniformModel

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = str(Path(imbllm_autogluon.__file__).parent)
MOST = 15

X, Y = mixed(90), labels(60, 30)
pytestmark = pytest.mark.usefixtures("uniform_backbone")


def oversample(method: str, **settings: Any) -> Any:
    sampler = ImbLLMOverSampler(method=method, random_state=0, threads=1)
    return sampler.set_params(**QUICK, **settings).fit_resample(X, Y)


def write_table() -> Any:
    return PredLLM(quick(), random_state=0, threads=1).fit(X.assign(label=Y), "label").sample(40)


def stack() -> list[str]:
    """Functions of the package that are running, the outermost first."""
    found, frame = [], sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(PACKAGE):
            found.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_qualname}")
        frame = frame.f_back  # type: ignore[assignment]
    return found[::-1]


@pytest.mark.parametrize(
    "write",
    [
        lambda: oversample("imbllm"),
        lambda: oversample("imbllm", numbers="digits"),  # several tokens a value
        lambda: oversample("great"),
        lambda: oversample("pred_llm"),
        write_table,
    ],
    ids=["ImbLLM", "ImbLLM, digits", "GReaT", "Pred-LLM", "tables by Pred-LLM"],
)
def test_few_frames_lie_between_a_public_method_and_the_model_that_writes(
    write: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    deepest: list[str] = []
    forward = UniformModel.forward

    def noted(*arguments: Any, **named: Any) -> Any:
        found = [] if torch.is_grad_enabled() else stack()  # training has gradients
        deepest[:] = max(deepest, found, key=len)
        return forward(*arguments, **named)

    monkeypatch.setattr(UniformModel, "forward", noted)
    write()
    assert deepest
    assert len(deepest) <= MOST, "\n".join(deepest)
