"""The checks at the door of a fit: every name and number that a user gives, before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imbllm_autogluon._config import require_number
from imbllm_autogluon.errors import ClassTooSmallError, InvalidInputError, TableError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.tables.labeled import LabeledTable

KINDS: Mapping[str, tuple[str, ...]] = {"classification": ("binary", "multiclass"), "regression": ("regression",)}
"""AutoGluon's problem types of each task."""

OWN_METRICS = ("few_mae", "medium_mae", "many_mae", "geometric_mean_error")
"""Metrics of regression that AutoGluon does not have."""


def check_presets(presets: tuple[str, ...]) -> None:
    """Refuse the name of a preset that AutoGluon does not know."""
    from autogluon.tabular.configs.presets_configs import tabular_presets_alias, tabular_presets_dict

    known = [*tabular_presets_dict, *tabular_presets_alias]
    for name in presets:
        if name not in known:
            listed = ", ".join(sorted(tabular_presets_dict))
            raise InvalidInputError(f"unknown preset {name!r}{nearest(name, known)}; the presets are: {listed}.")


def check_families(families: tuple[str, ...]) -> None:
    """Refuse a model key that AutoGluon does not know."""
    from autogluon.tabular.registry import ag_model_registry

    known = list(ag_model_registry.key_to_cls_map())
    for key in families:
        if key not in known:
            listed = ", ".join(sorted(name for name in known if not name.endswith("_IMB")))
            raise InvalidInputError(f"unknown model family {key!r}{nearest(key, known)}; the families are: {listed}.")


def check_metric(metric: str | None, problem_type: str) -> None:
    """Refuse a metric that neither AutoGluon nor this package has for this kind of label."""
    if metric is not None and metric not in (known := _metrics(problem_type)):
        other = "classification" if problem_type == "regression" else "regression"
        if any(metric in _metrics(kind) for kind in KINDS[other]):
            raise InvalidInputError(
                f"unknown metric {metric!r} for a {problem_type} label: it is one of {other}. Name another, or change "
                f"what the label is taken for with --task {other}."
            )
        raise InvalidInputError(
            f"unknown metric {metric!r} for a {problem_type} label{nearest(metric, known)}; the metrics are: "
            f"{', '.join(known)}."
        )


def _metrics(problem_type: str) -> list[str]:
    """Names of all metrics, in order."""
    from autogluon.core.metrics import METRICS

    return sorted({*METRICS[problem_type], *(OWN_METRICS if problem_type == "regression" else ())})


def check_folds(folds: int | None) -> None:
    """Refuse a number of bagging folds other than 0 and 2 to 20."""
    if folds is not None and folds != 0:
        require_number("folds", folds, 2, 20, whole=True)


def check_classes(train: LabeledTable) -> None:
    """Refuse a label of which fewer than two classes could be learned."""
    lone = [label for label, n in train.counts.items() if n < 2]
    if lone and len(train.counts) - len(lone) < 2:
        raise ClassTooSmallError(
            f"{train.source}: class {lone[0]!r} of the label {train.label!r} has 1 row; at least 2 are needed to learn "
            "it and to write more. Collect more rows of it."
        )


def check_columns(train: LabeledTable, test: LabeledTable) -> None:
    """Refuse a test table without a column of the training table."""
    absent = [str(name) for name in train.frame.columns if name not in test.frame.columns]
    if absent:
        raise TableError(f"{test.source} lacks {len(absent)} column(s) of {train.source}: {', '.join(absent[:20])}.")


def check_test_classes(test: LabeledTable) -> None:
    """Refuse a test table of a single class."""
    if len(test.counts) < 2:
        held = ", ".join(map(repr, test.counts)) or "none"
        raise TableError(f"{test.source}: scores need rows of two classes; the label {test.label!r} has: {held}.")


def check_test_targets(test: LabeledTable) -> None:
    """Refuse a test table without a single known target."""
    if not len(test.frame):
        raise TableError(f"{test.source}: the label {test.label!r} is missing in every row; there is nothing to score.")
