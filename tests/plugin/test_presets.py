"""Presets of this package, alone, behind another one, and made from one."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from autogluon.tabular import TabularPredictor
from autogluon.tabular.configs.presets_configs import tabular_presets_dict

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.parameters import TwinParameters
from imbllm_autogluon.plugin.portfolio import RebalanceCallback
from imbllm_autogluon.plugin.presets import _BASES, _PAPER, _SHARED, make_preset, presets
from tests.plugin.tables import QUICK, imbalanced_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ADD_ONS = ("imbllm", "imbllm_tuned", "imbllm_paper")


def callback_names(preset: Mapping[str, Any]) -> list[str]:
    return [given if isinstance(given, str) else given.__name__ for given, _ in preset.get("callbacks", [])]


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_is_registered_and_ends_with_the_callback(name: str) -> None:
    preset = presets()[name]
    assert tabular_presets_dict[name] == preset
    assert callback_names(preset)[-1] == "RebalanceCallback"
    _, options = preset["callbacks"][-1]
    assert isinstance(RebalanceCallback(**options), RebalanceCallback)
    assert {key: preset[key] for key in _SHARED if key != "aux_kwargs"} == {
        key: value for key, value in _SHARED.items() if key != "aux_kwargs"
    }
    assert preset["aux_kwargs"].items() >= _SHARED["aux_kwargs"].items()


@pytest.mark.parametrize(("name", "base"), sorted(_BASES.items()))
def test_a_combination_is_its_base_with_more_callbacks(name: str, base: str) -> None:
    preset, plain = presets()[name], tabular_presets_dict[base]
    assert callback_names(preset) == [*callback_names(plain), "RebalanceCallback"]
    for key, value in plain.items():
        if key not in {"callbacks", *_SHARED}:
            assert preset[key] == value, key


def test_the_callbacks_of_a_base_keep_their_options() -> None:
    own = tabular_presets_dict["best_quality_v150"]["callbacks"]
    assert own
    assert make_preset("best_quality_v150")["callbacks"][:-1] == own


def test_the_ensemble_of_a_base_keeps_its_size() -> None:
    own = {"child_hyperparameters": {"ensemble_size": 40}}
    made = make_preset({"aux_kwargs": own})["aux_kwargs"]
    assert made.items() > own.items()
    assert made["child_cls"] == "IMBLLM_ENS"


@pytest.mark.parametrize("alias", ["best", "high", "medium"])
def test_an_alias_is_as_good_as_a_name(alias: str) -> None:
    assert make_preset(alias) == make_preset(f"{alias}_quality")


def test_a_preset_may_be_a_mapping_and_is_never_modified() -> None:
    base = {"time_limit": 60, "callbacks": [["EarlyStoppingCountCallback", {"patience": 3}]]}
    before = copy.deepcopy(base)
    preset = make_preset(base, "only", twins=1, temperature=1.0)
    assert base == before
    assert preset["time_limit"] == 60
    assert callback_names(preset) == ["EarlyStoppingCountCallback", "RebalanceCallback"]
    assert preset["callbacks"][-1][1] == {"mode": "only", "twins": 1, "temperature": 1.0}
    preset["callbacks"][0][1]["patience"] = 9
    assert base == before


def test_with_the_classifier_texts_are_handed_on_unless_the_base_says_otherwise() -> None:
    preset = make_preset({"_feature_generator_kwargs": {"enable_vision_features": False}}, classifier=True)
    assert preset["callbacks"][-1][1] == {"classifier": True}
    generator = preset["_feature_generator_kwargs"]
    assert generator == {"enable_raw_text_features": True, "enable_vision_features": False}
    off = {"_feature_generator_kwargs": {"enable_raw_text_features": False}}
    assert make_preset(off, classifier=True)["_feature_generator_kwargs"] == off["_feature_generator_kwargs"]
    assert "_feature_generator_kwargs" not in make_preset({})


def test_a_word_on_latent_diff_reaches_the_callback() -> None:
    assert make_preset({}, latent_diff=False)["callbacks"][-1][1] == {"latent_diff": False}
    assert make_preset({}, latent_diff=True)["callbacks"][-1][1] == {"latent_diff": True}
    assert make_preset({})["callbacks"][-1][1] == {}


@pytest.mark.parametrize(
    ("base", "options", "message"),
    [
        ("god_quality", {}, "unknown preset 'god_quality'.*did you mean 'good_quality'"),
        ("imbllm", {}, "unknown preset 'imbllm'"),
        ("medium_quality", {"temprature": 1.0}, "did you mean 'temperature'"),
        ("medium_quality", {"temperature": -1.0}, "temperature"),
        ("medium_quality", {"mode": "neither"}, "mode"),
        ("medium_quality", {"twins": 0}, "twins"),
        ("medium_quality", {"tune": {"num_trails": 3}}, "num_trials"),
    ],
)
def test_what_a_preset_cannot_be_made_of_is_refused(base: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        make_preset(base, **options)


def test_the_settings_of_the_paper_are_parameters_of_twins() -> None:
    parameters = TwinParameters.from_flat(_PAPER)
    assert parameters.rebalancing.generator.language.temperature == 0.7
    assert parameters.rebalancing.target_ratio == 1.0


def fit(path: Path, names: Any, **options: Any) -> TabularPredictor:
    table = imbalanced_table(120, rare=options.pop("rare", 0.2))
    predictor = TabularPredictor("paid", eval_metric="roc_auc", path=str(path), verbosity=options.pop("verbosity", 0))
    options = {"hyperparameters": {"LR": {}}, "num_bag_folds": 2, "time_limit": None, **options}
    return predictor.fit(table, presets=names, num_stack_levels=0, num_cpus=1, ag_args_fit=QUICK, **options)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("imbllm", "imbllm_best") else pytest.mark.exhaustive)
        for name in sorted({"imbllm", *_BASES} & set(presets()))
    ],
)
def test_every_preset_fits_a_small_portfolio_with_twins(name: str, tmp_path: Path) -> None:
    # The presets that refit or set other numbers of folds keep these choices.
    predictor = fit(tmp_path / "p", name)
    names = predictor.model_names()
    assert {"LinearModel_BAG_L1", "LinearModelImb_BAG_L1", "ImbLLM_BAG_L1"} <= set(names)
    assert predictor.predict_proba(imbalanced_table(20, rare=0.5)).notna().all(axis=None)


def test_the_tuned_preset_fits_every_twin_several_times(tmp_path: Path) -> None:
    preset = {**presets()["imbllm_tuned"], "callbacks": [[RebalanceCallback, {"tune": {"num_trials": 2, "top_k": 1}}]]}
    names = fit(tmp_path / "p", [preset]).model_names()
    assert [name for name in names if name.startswith("LinearModelImb")]


def test_without_the_papers_model_its_preset_fits_the_plain_models_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with caplog.at_level(20):
        names = fit(tmp_path / "p", "imbllm_paper", verbosity=2).model_names()
    assert "LinearModel_BAG_L1" in names
    assert not [name for name in names if "Imb" in name and not name.startswith("Linear")]
    assert "distilgpt2" in caplog.text


@pytest.mark.parametrize("name", ["imbllm_best", "imbllm_tuned"])
def test_on_balanced_data_a_preset_changes_nothing_and_says_so(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(20, "autogluon.imbllm"):
        names = fit(tmp_path / "p", name, rare=0.5, verbosity=2).model_names()
    assert {name.split("_BAG")[0] for name in names} == {"LinearModel", "WeightedEnsemble_L2"}
    assert "classes are balanced" in caplog.text
