"""Scores from counts are those of the metric itself on the drawn rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from autogluon.core.metrics import BINARY_METRICS, MULTICLASS_METRICS, make_scorer
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import balanced_accuracy_score

from imbllm_autogluon.classification.decision_scores import CLASS_METRICS, resampled_scores
from imbllm_autogluon.classification.redrawing import redrawn_within_classes

if TYPE_CHECKING:
    import numpy.typing as npt

OF_CLASSES = sorted({*BINARY_METRICS, *MULTICLASS_METRICS} & {*CLASS_METRICS})


def decided(n_classes: int, seed: int = 0) -> tuple[npt.NDArray[Any], list[npt.NDArray[Any]], list[npt.NDArray[Any]]]:
    """Codes of 120 rows, three decisions about them (the last never for the last class), and four samples.

    Where there are more than two classes, nobody has or decides for the code 1.
    """
    rng = np.random.default_rng(seed)
    codes = rng.choice(n_classes, 120, p=np.arange(n_classes, 0, -1) / np.arange(n_classes + 1).sum())
    good, bad = (np.where(rng.random(120) < share, codes, rng.integers(0, n_classes, 120)) for share in (0.7, 0.2))
    names = np.array([0, *range(2, n_classes + 1)] if n_classes > 2 else [0, 1])
    codes, *decisions = (names[each] for each in (codes, good, bad, np.minimum(bad, n_classes - 2)))
    return codes, decisions, list(redrawn_within_classes(codes, rng, 4))


@pytest.mark.parametrize(
    ("name", "n_classes"), [(name, k) for name in OF_CLASSES for k in (2, 5) if k == 2 or name in MULTICLASS_METRICS]
)
@pytest.mark.filterwarnings(f"ignore::{UndefinedMetricWarning.__module__}.UndefinedMetricWarning")
def test_scores_from_counts_equal_the_metric_on_the_drawn_rows(
    name: str, n_classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes, decisions, samples = decided(n_classes)
    metric = (BINARY_METRICS if n_classes == 2 else MULTICLASS_METRICS)[name]
    expected = [[metric(codes[rows], each[rows]) for each in decisions] for rows in samples]
    calls = []
    called = metric._score_func
    monkeypatch.setattr(metric, "_score_func", lambda y, h, **options: calls.append(1) or called(y, h, **options))
    assert resampled_scores(metric, codes, decisions, samples) == pytest.approx(np.array(expected), abs=1e-12)
    assert len(calls) == 1, "the metric itself is called for all rows and for no sample"


def test_balanced_accuracy_is_also_that_of_scikit_learn() -> None:
    codes, decisions, samples = decided(4)
    expected = [[balanced_accuracy_score(codes[rows], each[rows]) for each in decisions] for rows in samples]
    found = resampled_scores(MULTICLASS_METRICS["balanced_accuracy"], codes, decisions, samples)
    assert found == pytest.approx(np.array(expected))


@pytest.mark.parametrize("name", ["mean_code", "accuracy"])
def test_a_metric_of_ones_own_is_called_even_where_it_bears_a_known_name(name: str) -> None:
    codes, decisions, samples = decided(3)
    own = make_scorer(name, lambda y, h: float((h * (y + 1)).mean()), optimum=9.0, needs_class=True)
    expected = [[float((each[rows] * (codes[rows] + 1)).mean()) for each in decisions] for rows in samples]
    assert resampled_scores(own, codes, decisions, samples) == pytest.approx(np.array(expected))
