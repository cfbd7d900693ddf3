from __future__ import annotations

from imbllm_autogluon.bench.ablation.arms import resolved
from imbllm_autogluon.bench.ablation.axes import CLASSIFIER, KEPT, NO_ROWS, OF_THE_JUDGING, axes_of
from imbllm_autogluon.bench.ablation.page import ALL
from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, F1
from imbllm_autogluon.bench.paper.classifiers import CLASSIFIERS, XGBOOST

AXES = axes_of(resolved({}).language, slow=True)


def test_all_values_are_settings_that_the_package_allows() -> None:
    for axis in AXES:
        for change in axis.values.values():
            resolved({key: value for key, value in change.items() if key not in OF_THE_JUDGING})


def test_names_are_different_and_claims_speak_of_values_and_figures_that_there_are() -> None:
    assert len({axis.name for axis in AXES}) == len(AXES)
    for axis in AXES:
        for claim in axis.claims:
            assert claim.higher in axis.values, axis.name
            assert claim.lower in axis.values or (claim.lower == NO_ROWS and axis.name in OF_THE_JUDGING), axis.name
            assert claim.metric in ALL


def test_the_axes_of_the_protocol_are_there() -> None:
    values = {axis.name: list(axis.values) for axis in AXES}
    assert values["order"] == ["fix_y", "permute_x", "permute_xy"]
    assert values["conditioning"] == ["y", "yx 1", "yx 2", "yx 3", "yx 5"]
    assert values["interpolation_ratio"] == ["0", "0.25", "0.5", "0.75", "1"]
    assert values["temperature"] == ["0.5", "0.7", "1"]
    assert values[KEPT] == ["0.1", "0.2", "0.3", "0.4", "0.5"]
    assert values["plausibility"] == ["0", "0.25", "0.5", "0.75", "1"]
    assert values[CLASSIFIER] == list(CLASSIFIERS)
    assert values[CLASSIFIER][0] == XGBOOST
    assert {"warmup", "interpolation", "backbone", "numbers", "constrained"} <= set(values)


def test_rows_are_expected_to_help_every_classifier_in_both_main_figures() -> None:
    (axis,) = (axis for axis in AXES if axis.name == CLASSIFIER)
    found = {(claim.higher, claim.metric) for claim in axis.claims if claim.lower == NO_ROWS}
    assert found == {(name, metric) for name in CLASSIFIERS for metric in (F1, AVERAGE_PRECISION)}
