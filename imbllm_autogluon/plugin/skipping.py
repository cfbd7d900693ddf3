"""Failures that are no fault of a fit, as AutoGluon's own exceptions: it goes on without the model."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imbllm_autogluon.errors import BackboneError, OutOfTimeError

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("autogluon.imbllm")


@contextmanager
def skipped_by_autogluon(model_name: str) -> Iterator[None]:
    """Turn an absent backbone and a lack of time into exceptions on which AutoGluon leaves one model out.

    Parameters
    ----------
    model_name
        Stands in the reason that is logged.

    Raises
    ------
    ConstraintViolationError
        A pretrained backbone is not here.
    TimeLimitExceeded
        The time limit is too short.
    """
    try:
        yield
    except BackboneError as error:
        from autogluon.core.utils.exceptions import ConstraintViolationError

        raise ConstraintViolationError(f"{model_name}: {error}", reason=str(error)) from error
    except OutOfTimeError as error:
        from autogluon.core.utils.exceptions import TimeLimitExceeded

        log.log(20, "\t%s is skipped: %s", model_name, error)
        raise TimeLimitExceeded from error
