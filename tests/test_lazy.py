"""Names that are imported at their first use."""

from __future__ import annotations

import pytest

import imbllm_autogluon
from imbllm_autogluon import quality
from tests.fresh import run_afresh


def test_a_name_is_found_once_and_kept() -> None:
    found = imbllm_autogluon.PredLLM
    assert imbllm_autogluon.PredLLM is found
    assert vars(imbllm_autogluon)["PredLLM"] is found


def test_an_unknown_name_is_an_attribute_error() -> None:
    for module in (imbllm_autogluon, quality):
        with pytest.raises(AttributeError, match=r"has no attribute 'Nothing'"):
            module.Nothing  # noqa: B018


def test_importing_the_packages_loads_no_torch() -> None:
    code = "import sys, imbllm_autogluon.quality; assert 'torch' not in sys.modules"
    assert run_afresh(code).returncode == 0
