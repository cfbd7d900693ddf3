from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
from autogluon.tabular.configs.presets_configs import tabular_presets_dict
from autogluon.tabular.models import LGBModel
from autogluon.tabular.registry import ag_model_registry

import imbllm_autogluon
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin import twins
from imbllm_autogluon.plugin.stage import RebalancingMixin
from imbllm_autogluon.plugin.twins import _NOT_TWINNED, twin_of
from tests.fresh import run_afresh
from tests.plugin.recording import RecordingModel

if TYPE_CHECKING:
    from pathlib import Path


TWINS = [cls for cls in ag_model_registry.model_cls_list if issubclass(cls, RebalancingMixin)]


def test_every_registered_class_but_ensembles_and_constant_has_one_twin() -> None:
    plain = [cls for cls in ag_model_registry.model_cls_list if not issubclass(cls, RebalancingMixin)]
    expected = {f"{cls.ag_key}_IMB" for cls in plain if cls.ag_key not in _NOT_TWINNED}
    assert {cls.ag_key for cls in TWINS} == expected
    assert {"GBM_IMB", "CAT_IMB", "XGB_IMB", "RF_IMB", "XT_IMB", "KNN_IMB", "LR_IMB", "NN_TORCH_IMB"} <= expected


def test_a_twin_comes_right_behind_its_plain_model() -> None:
    twin = twin_of(LGBModel)
    assert (twin.ag_key, twin.ag_name, twin.__name__) == ("GBM_IMB", "LightGBMImb", "LGBModelImb")
    for problem_type in (None, "binary", "softclass"):
        assert twin.get_ag_priority(problem_type) == LGBModel.get_ag_priority(problem_type) - 1000


def test_twins_never_predict_their_own_training_rows_out_of_bag() -> None:
    for twin in TWINS:
        if hasattr(twin, "_get_default_ag_args_ensemble"):
            assert twin._get_default_ag_args_ensemble(problem_type="binary")["use_child_oof"] is False


def test_making_a_twin_again_gives_the_same_class() -> None:
    assert twin_of(LGBModel) is twin_of(LGBModel)
    assert twin_of(twin_of(LGBModel)) is twin_of(LGBModel)


@pytest.mark.parametrize("model_class", [*TWINS, twin_of(RecordingModel)], ids=lambda cls: cls.ag_key)
def test_a_twin_class_survives_pickling(model_class: type) -> None:
    assert pickle.loads(pickle.dumps(model_class)) is model_class


def test_every_twin_class_is_found_by_a_fresh_process(tmp_path: Path) -> None:
    (tmp_path / "twins.pkl").write_bytes(pickle.dumps([*TWINS, twin_of(RecordingModel)]))
    code = "import pickle, sys; print(len({cls.__name__ for cls in pickle.load(open(sys.argv[1], 'rb'))}))"
    fresh = run_afresh(code, tmp_path / "twins.pkl")
    assert int(fresh.stdout) == len(TWINS) + 1


def test_a_class_inside_a_function_is_refused_with_the_remedy() -> None:
    class LocalModel(RecordingModel):
        pass

    with pytest.raises(InvalidInputError, match="importable module"):
        twin_of(LocalModel)


@pytest.mark.parametrize("name", ["Nonsense", "NoSuchModelImb", "_privateImb"])
def test_names_that_are_no_twins_are_ordinary_missing_attributes(name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(twins, name)


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
