from __future__ import annotations

import subprocess
import sys

import pytest

from imbllm_autogluon import quality


def test_the_public_names_are_functions_and_classes_however_they_are_reached() -> None:
    code = (
        "from imbllm_autogluon import quality\n"
        "assert callable(quality.report) and callable(quality.report), quality.report\n"
        "assert all(callable(getattr(quality, name)) for name in quality.__all__)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'evaluation_of'"):
        _ = quality.evaluation_of  # type: ignore[attr-defined]
