from __future__ import annotations

import logging

import pytest
from autogluon.core.utils.exceptions import ConstraintViolationError, TimeLimitExceeded

from imbllm_autogluon.errors import BackboneError, InvalidInputError, OutOfTimeError
from imbllm_autogluon.plugin.skipping import skipped_by_autogluon


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BackboneError("there is no model"), ConstraintViolationError),
        (OutOfTimeError("no time"), TimeLimitExceeded),
        (InvalidInputError("a fault"), InvalidInputError),
    ],
)
def test_what_cannot_run_here_is_skipped_and_a_fault_is_not(error: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected) as caught, skipped_by_autogluon("Model"):
        raise error
    assert caught.value is error or caught.value.__cause__ is error


def test_the_reason_names_the_model(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConstraintViolationError, match="Model: there is no model"), skipped_by_autogluon("Model"):
        raise BackboneError("there is no model")
    with (
        caplog.at_level(logging.INFO, "autogluon.imbllm"),
        pytest.raises(TimeLimitExceeded),
        skipped_by_autogluon("Model"),
    ):
        raise OutOfTimeError("no time")
    assert "Model is skipped: no time" in caplog.text
