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


FRESH = """
import sys
import imbllm_autogluon
from imbllm_autogluon import quality

assert "torch" not in sys.modules, "torch"
before = set(sys.modules)
import imbllm_autogluon.language.backbones

loaded = {"torch", "transformers", "huggingface_hub"} & (set(sys.modules) - before)
assert not loaded, loaded
assert callable(quality.report) and callable(quality.report), quality.report
assert all(getattr(quality, name) for name in quality.__all__)
"""


def test_a_fresh_process_loads_heavy_libraries_at_their_use_and_finds_all_public_names() -> None:
    done = run_afresh(FRESH)
    assert (done.returncode, done.stderr) == (0, "")
