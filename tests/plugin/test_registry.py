from __future__ import annotations

from autogluon.tabular.configs.presets_configs import tabular_presets_dict
from autogluon.tabular.registry import ag_model_registry

import imbllm_autogluon
from tests.fresh import run_afresh
from tests.plugin.recording import RecordingModel


def test_registering_again_is_harmless() -> None:
    before = list(ag_model_registry.keys)
    imbllm_autogluon.register()
    assert ag_model_registry.keys == before
    assert "imbllm" in tabular_presets_dict


def test_registering_again_gives_later_model_classes_a_twin() -> None:
    from imbllm_autogluon.plugin.twins import twin_of

    ag_model_registry.add(RecordingModel)
    try:
        imbllm_autogluon.register()
        assert ag_model_registry.key_to_cls("RECORDING_IMB") is twin_of(RecordingModel)
    finally:
        for model_class in (RecordingModel, twin_of(RecordingModel)):
            if ag_model_registry.exists(model_class):
                ag_model_registry.remove(model_class)


def test_importing_the_package_registers_and_loads_no_heavy_library() -> None:
    code = (
        "import sys, imbllm_autogluon\n"
        "from autogluon.tabular.registry import ag_model_registry\n"
        "assert 'GBM_IMB' in ag_model_registry.keys\n"
        "print([name for name in ('torch', 'transformers', 'peft', 'optuna', 'imblearn') if name in sys.modules])"
    )
    assert run_afresh(code).stdout.strip() == "[]"


def test_public_names_are_few_and_importable() -> None:
    assert len(imbllm_autogluon.__all__) <= 10
    assert all(getattr(imbllm_autogluon, name) for name in imbllm_autogluon.__all__)
