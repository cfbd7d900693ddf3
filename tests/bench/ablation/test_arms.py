from __future__ import annotations

from typing import Any

import pytest

from imbllm_autogluon.bench.ablation.arms import DEFAULT, NONE, AblationArm, ablation_of, resolved
from imbllm_autogluon.bench.ablation.axes import NO_ROWS, Claim
from imbllm_autogluon.bench.metric_names import F1
from imbllm_autogluon.bench.paper.classifiers import CLASSIFIERS, LIGHTGBM, XGBOOST
from imbllm_autogluon.bench.paper.split import KEPT_SHARE


def test_every_axis_has_its_default_once_as_the_default() -> None:
    found = ablation_of()
    for part in found.axes:
        assert list(part.arms.values()).count(DEFAULT) == 1, part.axis.name
        assert set(part.arms.values()) <= set(found.arms)
    assert list(found.arms)[:2] == [NONE, DEFAULT]
    assert found.arms[DEFAULT].spec == {"method": "imbllm"}


def test_an_arm_differs_from_the_default_in_one_thing() -> None:
    found = ablation_of(settings={"steps": 7})
    assert found.arms[DEFAULT].spec == {"method": "imbllm", "steps": 7}
    assert found.arms["temperature: 0.5"].spec == {"method": "imbllm", "steps": 7, "temperature": 0.5}
    assert found.arms["conditioning: yx 3"].spec["condition_pairs"] == 3
    assert {arm.kept for name, arm in found.arms.items() if "kept_share" not in name} == {KEPT_SHARE}


def test_a_changed_default_stands_for_its_own_value() -> None:
    arms = ablation_of(["temperature"], {"temperature": 1.0}).axes[0].arms
    assert arms == {"0.5": "temperature: 0.5", "0.7": "temperature: 0.7", "1": DEFAULT}


def test_a_share_has_its_own_arm_without_oversampling_and_all_others_have_one_in_common() -> None:
    found = ablation_of(["kept_share", "order"])
    assert found.arms["kept_share: 0.5"].kept == found.arms["none, kept_share: 0.5"].kept == 0.5
    assert found.reference("kept_share: 0.5") == "none, kept_share: 0.5"
    assert {found.reference(name) for name in (NONE, DEFAULT, "order: permute_x")} == {NONE}


def test_a_classifier_has_its_own_arm_without_oversampling() -> None:
    found = ablation_of(["classifier"])
    assert found.axes[0].arms[XGBOOST] == DEFAULT
    name = f"classifier: {LIGHTGBM}"
    assert found.arms[name] == AblationArm({"method": "imbllm"}, classifier=LIGHTGBM)
    assert found.arms[f"none, {name}"] == AblationArm({"method": "none"}, classifier=LIGHTGBM)
    assert found.reference(name) == found.reference(f"none, {name}") == f"none, {name}"
    assert found.reference(DEFAULT) == NONE
    assert len(found.arms) == 2 * len(CLASSIFIERS)


def test_claims_are_about_values_or_about_no_oversampling_judged_alike() -> None:
    part = ablation_of(["classifier"]).axes[0]
    assert part.compared(Claim(F1, XGBOOST, NO_ROWS)) == (DEFAULT, NONE)
    assert part.compared(Claim(F1, LIGHTGBM, NO_ROWS)) == (f"classifier: {LIGHTGBM}", f"none, classifier: {LIGHTGBM}")
    assert part.compared(Claim(F1, LIGHTGBM, XGBOOST)) == (f"classifier: {LIGHTGBM}", DEFAULT)


def test_the_plausibility_that_imbllm_has_anyway_is_the_default() -> None:
    arms = ablation_of(["plausibility"]).axes[0].arms
    assert [value for value, arm in arms.items() if arm == DEFAULT] == ["0.5"]
    assert ablation_of(["plausibility"], {"plausibility": 1.0}).axes[0].arms["0.5"] == "plausibility: 0.5"


def test_steps_of_the_warm_up_are_moved_where_there_is_none() -> None:
    spec = ablation_of(["warmup"], {"warmup_steps": 30, "steps": 12}).arms["warmup: none, all steps"].spec
    assert (spec["warmup"], spec["steps"]) == ("none", 42)


def test_the_pretrained_backbone_is_a_slow_arm() -> None:
    assert "backbone: smollm2" not in ablation_of().arms
    assert ablation_of(slow=True).arms["backbone: smollm2"].spec["backbone"] == "smollm2"


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"order": "fix_y", "temperature": 0.7}, True),
        ({"numbers": "bins"}, True),
        ({"plausibility": 0.5}, True),
        ({"plausibility": 0.0}, False),
        ({"order": "permute_x"}, False),
    ],
)
def test_settings_that_come_to_the_same_are_told(settings: dict[str, Any], same: bool) -> None:
    assert (resolved(settings) == resolved({})) == same
